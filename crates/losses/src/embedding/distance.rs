//! Distances between vectors along the last axis: parts that losses are made of.

use lossgraph_autograd::{Fault, Var, keep};

/// How far apart two vectors are, or how similar, along the last axis of two tensors.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Distance;
/// let tape = Tape::f64();
/// let a = tape.constant([[3.0, 4.0], [0.0, 1.0]]);
/// let b = tape.constant([[0.0, 0.0], [0.0, 2.0]]);
/// let euclidean = Distance::Norm { p: 2.0, power: 1.0, normalize: false };
/// assert_eq!(euclidean.between(a, b).value()?.to_f64s(), [5.0, 1.0]);
/// assert_eq!(Distance::DotProduct.between_all(a, b).value()?.to_f64s(), [0.0, 8.0, 0.0, 2.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
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
    /// `(Σ |a − b|ᵖ + eps)^(1/p)`, which is smooth where vectors are equal: optax's.
    Smoothed {
        /// The order of the norm.
        p: f64,
        /// What is added to the sum.
        eps: f64,
    },
    /// `‖a − b‖ₚ^power`, of the vectors, or of vectors brought to p-norm 1. The slope at equal
    /// vectors is 0.
    Norm {
        /// The order of the norm.
        p: f64,
        /// The power of the norm.
        power: f64,
        /// Brings each vector to norm 1 first.
        normalize: bool,
    },
    /// `1 − cos(a, b)`; each norm is held above 1e-8.
    Cosine,
    /// `Σ (a − b)²`.
    SquaredEuclidean,
    /// `max |a − b|`.
    Chebyshev,
    /// `Σ |a − b| / (|a| + |b|)`; a pair of zeros counts 0.
    Canberra,
    /// `cos(a, b)`: a similarity.
    CosineSimilarity,
    /// `a · b`: a similarity.
    DotProduct,
    /// `var(a − b) / var(a)` over the features of unit vectors: the noise in `b` against the
    /// signal `a`. Not symmetric. Yuan et al., Signal-to-Noise Ratio, 2019.
    Snr,
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
    /// The Euclidean distance of unit vectors, 0 to 2.
    pub const UNIT: Distance = Distance::Norm { p: 2.0, power: 1.0, normalize: true };

    /// The squared Euclidean distance of unit vectors, `2 − 2 cos`, 0 to 4.
    pub const UNIT_SQUARED: Distance = Distance::Norm { p: 2.0, power: 2.0, normalize: true };

    /// Whether larger means nearer.
    pub fn is_similarity(self) -> bool {
        matches!(self, Distance::CosineSimilarity | Distance::DotProduct)
    }

    /// 1, or −1 for a similarity: `sign · (x − y)` is how much farther `x` is than `y`.
    pub(crate) fn sign(self) -> f64 {
        if self.is_similarity() { -1.0 } else { 1.0 }
    }

    /// The distance of each pair; the last axis is reduced.
    #[track_caller]
    pub fn between<'t>(self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
        match self {
            // Not scaled as `norm` is, which takes a pass more: squares overflow beyond 10¹⁹ in f32.
            Distance::Lp { p: 2.0, eps: 0.0 } => (a - b).square().sum(-1).root(0.5),
            Distance::Lp { p: 2.0, eps } => (a - b + eps).square().sum(-1).root(0.5),
            Distance::Lp { p, eps: 0.0 } => (a - b).norm(p, -1),
            Distance::Lp { p, eps } => (a - b + eps).norm(p, -1),
            Distance::Smoothed { p: 2.0, eps } => ((a - b).square().sum(-1) + eps).sqrt(),
            Distance::Smoothed { p, eps } => ((a - b).abs().powf(p).sum(-1) + eps).powf(p.recip()),
            Distance::Norm { p, power, normalize: true } => {
                let of_unit = Distance::Norm { p, power, normalize: false };
                of_unit.between(normalized(a, p), normalized(b, p))
            }
            Distance::Norm { p, power: 1.0, .. } => (a - b).norm(p, -1),
            // Without a root, so that the second derivative is right at equal vectors as well.
            Distance::Norm { p: 2.0, power: 2.0, .. } => (a - b).square().sum(-1),
            Distance::Norm { p, power, .. } => (a - b).norm(p, -1).powf(power),
            Distance::Cosine => 1.0 - (direction(a) * direction(b)).sum(-1),
            Distance::SquaredEuclidean => (a - b).square().sum(-1),
            Distance::Chebyshev => (a - b).abs().max(-1),
            Distance::Canberra => {
                let size = a.abs() + b.abs();
                let nothing = size.eq(0.0);
                ((a - b).abs() / nothing.select(1.0, size)).sum(-1)
            }
            Distance::CosineSimilarity => (normalized(a, 2.0) * normalized(b, 2.0)).sum(-1),
            Distance::DotProduct => (a * b).sum(-1),
            Distance::Snr => {
                let [signal, received] = [a, b].map(|x| normalized(x, 2.0));
                (signal - received).var(-1, 1.0) / signal.var(-1, 1.0)
            }
            Distance::Custom(distance) => distance(a, b),
        }
    }

    /// The distances between all rows of two matrices: `[n, features]` and `[m, features]` give
    /// `[n, m]`.
    ///
    /// # Errors
    /// Recorded as faults: other ranks, or numbers of features that differ.
    #[track_caller]
    pub fn between_all<'t>(self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
        let fits = a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(1);
        if !fits && !a.is_faulty() && !b.is_faulty() {
            let fault = Fault::new("distance", "two matrices of as many features");
            return a.tape().fault(fault.operand("a", a).operand("b", b));
        }
        match self {
            Distance::DotProduct => a.matmul(b.t()),
            Distance::CosineSimilarity => normalized(a, 2.0).matmul(normalized(b, 2.0).t()),
            _ => self.between(a.unsqueeze(-2), b.unsqueeze(-3)),
        }
    }
}

/// `x / max(‖x‖ₚ, 1e-12)` along the last axis. The bound shows in the slope, as in PyTorch's
/// `normalize`.
#[track_caller]
pub(crate) fn normalized(x: Var<'_>, p: f64) -> Var<'_> {
    x.tape().scope("normalize", || x / x.norm(p, keep(-1)).clamp(1e-12, f64::INFINITY))
}

/// `x / max(‖x‖, 1e-8)` along the last axis. The bound does not show in the slope, as in PyTorch's
/// cosine similarity.
#[track_caller]
fn direction(x: Var<'_>) -> Var<'_> {
    let norm = x.norm(2.0, keep(-1));
    x / (norm + (norm.clamp(1e-8, f64::INFINITY) - norm).detach())
}
