//! Distances between vectors along the last axis: parts that losses are made of.

use lossgraph_autograd::{Var, keep};

/// A distance between the vectors of two tensors, along their last axis.
#[derive(Clone, Copy, Debug)]
pub enum Distance {
    /// `‖a − b + eps‖ₚ`. The `eps`, added to each signed difference, keeps equal vectors off the
    /// point where a norm has no slope.
    Lp {
        /// The order of the norm.
        p: f64,
        /// What is added to each difference.
        eps: f64,
    },
    /// `1 − cos(a, b)`; each norm is held above 1e-8.
    Cosine,
    /// `Σ (a − b)²`.
    SquaredEuclidean,
    /// `max |a − b|`.
    Chebyshev,
    /// `Σ |a − b| / (|a| + |b|)`; a pair of zeros counts 0.
    Canberra,
    /// One of your own.
    Custom(for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>),
}

impl Default for Distance {
    /// PyTorch's pairwise distance.
    fn default() -> Distance {
        Distance::Lp { p: 2.0, eps: 1e-6 }
    }
}

impl Distance {
    /// The distance of each pair; the last axis is folded.
    #[track_caller]
    pub fn between<'t>(self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
        match self {
            Distance::Lp { p, eps: 0.0 } => (a - b).norm(p, -1),
            Distance::Lp { p, eps } => (a - b + eps).norm(p, -1),
            Distance::Cosine => 1.0 - (unit(a) * unit(b)).sum(-1),
            Distance::SquaredEuclidean => (a - b).square().sum(-1),
            Distance::Chebyshev => (a - b).abs().max(-1),
            Distance::Canberra => {
                let size = a.abs() + b.abs();
                let nothing = size.eq(0.0);
                ((a - b).abs() / nothing.select(1.0, size)).sum(-1)
            }
            Distance::Custom(distance) => distance(a, b),
        }
    }
}

/// `x / max(‖x‖, 1e-8)` along the last axis. The bound does not show in the slope, as in PyTorch's
/// cosine similarity.
#[track_caller]
fn unit(x: Var<'_>) -> Var<'_> {
    let norm = x.norm(2.0, keep(-1));
    x / (norm + (norm.clamp(1e-8, f64::INFINITY) - norm).detach())
}
