//! The normal distribution of vectors.

use std::f64::consts::PI;

use lossgraph_autograd::{Fault, Operand, Result, Tape, Triangular, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::parameters::floats;
use crate::sampling::{joined, noise};
use crate::{Distribution, Entropy, Reparametrized};

/// The normal distribution of vectors of `d` numbers, of a mean and a lower triangular factor `L` of the
/// covariance, `Σ = L Lᵀ`.
///
/// ```text
/// log_prob = −½ |L⁻¹ (value − loc)|² − Σᵢ ln Lᵢᵢ − ½ d ln 2π
/// entropy  = ½ d (1 + ln 2π) + Σᵢ ln Lᵢᵢ
/// ```
///
/// A density reads the lower triangle of `L` only; samples are `loc + L ε`, so that what stands above is
/// to be 0.
///
/// | | |
/// |---|---|
/// | shapes | `loc`: `[batch…, d]`, `scale_tril`: `[batch…, d, d]`, which broadcast; values: `[…, d]` |
#[derive(Clone, Copy, Debug)]
#[doc(alias = "MultivariateGaussian")]
pub struct MultivariateNormal<'t> {
    /// The mean, `[batch…, d]`.
    pub loc: Var<'t>,
    /// The factor of the covariance, `[batch…, d, d]`, with a positive diagonal.
    pub scale_tril: Var<'t>,
}

impl<'t> MultivariateNormal<'t> {
    /// The distribution of a mean and a covariance, `[batch…, d, d]`, which is factored.
    ///
    /// # Errors
    /// As for [`from_scale_tril`](MultivariateNormal::from_scale_tril). A covariance that is not positive
    /// definite is an error of the run.
    #[track_caller]
    pub fn new(loc: Var<'t>, covariance_matrix: impl Operand<'t>) -> MultivariateNormal<'t> {
        let covariance = covariance_matrix.beside(loc);
        match covariance.is_faulty() {
            true => MultivariateNormal { loc: covariance, scale_tril: covariance },
            false => MultivariateNormal::from_scale_tril(loc, covariance.cholesky()),
        }
    }

    /// The distribution of a mean and the lower Cholesky factor of the covariance: what PyTorch has as
    /// `MultivariateNormal(loc, scale_tril=…)`.
    ///
    /// # Errors
    /// Recorded as a fault: shapes that do not fit.
    #[track_caller]
    pub fn from_scale_tril(loc: Var<'t>, scale_tril: impl Operand<'t>) -> MultivariateNormal<'t> {
        let scale_tril = scale_tril.beside(loc);
        if let Some(faulty) = [loc, scale_tril].into_iter().find(|var| var.is_faulty()) {
            return MultivariateNormal { loc: faulty, scale_tril: faulty };
        }
        let (vector, matrix) = (loc.shape(), scale_tril.shape());
        let batch = |shape: &Shape, axes: usize| Shape::from(&shape[..shape.rank() - axes]);
        let fits = vector.rank() >= 1 && matrix.rank() >= 2 && {
            let d = loc.dim(-1);
            scale_tril.dim(-1) == d && scale_tril.dim(-2) == d
        };
        let common = fits.then(|| batch(&vector, 1).broadcast(&batch(&matrix, 2))).flatten();
        let Some(batch) = common else {
            let why = "expected a mean […, d] and a factor […, d, d], which broadcast";
            let fault = Fault::new("MultivariateNormal", why)
                .operand("loc", loc)
                .operand("scale_tril", scale_tril);
            let fault = loc.tape().fault(fault);
            return MultivariateNormal { loc: fault, scale_tril: fault };
        };
        let d = Shape::from([loc.dim(-1)]);
        MultivariateNormal {
            loc: loc.to_float().expand(joined([&batch, &d])),
            scale_tril: scale_tril.to_float().expand(joined([&batch, &d, &d])),
        }
    }

    /// The covariance, `L Lᵀ`.
    #[track_caller]
    pub fn covariance_matrix(&self) -> Var<'t> {
        self.scale_tril.matmul(self.scale_tril.t())
    }

    /// `Σᵢ ln Lᵢᵢ`, half the logarithm of the determinant of the covariance.
    #[track_caller]
    pub(crate) fn half_log_det(&self) -> Var<'t> {
        self.scale_tril.diagonal(0, -2, -1).ln().sum(-1)
    }

    /// The number of elements of a vector.
    pub(crate) fn len(&self) -> f64 {
        self.loc.dim(-1) as f64
    }
}

impl<'t> Distribution<'t> for MultivariateNormal<'t> {
    fn tape(&self) -> &'t Tape {
        self.loc.tape()
    }

    fn batch_shape(&self) -> Shape {
        let shape = self.loc.shape();
        shape[..shape.rank().saturating_sub(1)].into()
    }

    fn event_shape(&self) -> Shape {
        let shape = self.loc.shape();
        shape[shape.rank().saturating_sub(1)..].into()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("MultivariateNormal.log_prob", || {
            let deviation = floats(value, self.loc) - self.loc;
            let z = solve_lower(self.scale_tril, deviation);
            if z.is_faulty() {
                return z;
            }
            -0.5 * (z.square().sum(-1) + self.len() * (2.0 * PI).ln()) - self.half_log_det()
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.loc
    }

    /// The variance of each element of a vector.
    #[track_caller]
    fn variance(&self) -> Var<'t> {
        self.scale_tril.square().sum(-1)
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        self.rsample(shape, rng).value()
    }
}

impl<'t> Reparametrized<'t> for MultivariateNormal<'t> {
    /// `loc + L ε`, with standard normal `ε`.
    #[track_caller]
    fn rsample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Var<'t> {
        const NAME: &str = "MultivariateNormal.rsample";
        self.tape().named_call(NAME, || {
            let noise = noise(NAME, self.loc, shape, rng, |rng| rng.sample(StandardNormal));
            if noise.is_faulty() {
                return noise;
            }
            self.loc + self.scale_tril.matmul(noise.unsqueeze(-1)).squeeze(-1)
        })
    }
}

impl<'t> Entropy<'t> for MultivariateNormal<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("MultivariateNormal.entropy", || {
            self.half_log_det() + 0.5 * self.len() * (1.0 + (2.0 * PI).ln())
        })
    }
}

/// `L⁻¹ b`, along the last axis of `b`.
#[track_caller]
pub(crate) fn solve_lower<'t>(lower: Var<'t>, b: Var<'t>) -> Var<'t> {
    match [lower, b].into_iter().find(|var| var.is_faulty()) {
        Some(faulty) => faulty,
        None => lower.solve_triangular(b.unsqueeze(-1), Triangular::LOWER).squeeze(-1),
    }
}
