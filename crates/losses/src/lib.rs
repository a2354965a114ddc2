//! Every loss, composed of primitive ops, so that gradients come for free.
