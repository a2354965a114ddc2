//! Programs that speak the protocol, ready to be filled in.

use clap::ValueEnum;

/// A host of a loss, in a language or for a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Host {
    /// Python with PyTorch.
    Torch,
    /// Python with JAX.
    Jax,
    /// Python with NumPy, with a gradient by hand.
    Numpy,
    /// C, with a gradient by hand.
    C,
}

impl Host {
    /// Its text.
    pub fn text(self) -> &'static str {
        match self {
            Host::Torch => include_str!("hosts/host_torch.py"),
            Host::Jax => include_str!("hosts/host_jax.py"),
            Host::Numpy => include_str!("hosts/host_numpy.py"),
            Host::C => include_str!("hosts/host.c"),
        }
    }
}
