//! Layers, initialisers, optimizers, metrics and checkpoints.
