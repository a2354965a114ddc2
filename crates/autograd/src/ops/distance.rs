//! Distances and similarities of vectors: composed. At points that coincide, a distance is at its
//! minimum, and all its slopes are 0, those of slopes as well.

use lossgraph_tensor::{IntoAxis, Shape};

use crate::record::fault::Fault;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// The p-norm of the difference of all elements, `(Σ |a − b|ᵖ)^(1/p)`; see [`norm`](Var::norm).
    #[track_caller]
    pub fn dist(self, other: Var<'t>, p: f64) -> Var<'t> {
        let _call = self.tape().call("dist");
        (self - other).norm(p, ..)
    }

    /// The p-norm of the difference of vectors, those along the last axis, which is dropped:
    /// `‖a − b + eps‖ₚ`. PyTorch's defaults are `p = 2` and `eps = 1e-6`.
    #[track_caller]
    pub fn pairwise_distance(self, other: Var<'t>, p: f64, eps: f64) -> Var<'t> {
        let _call = self.tape().call("pairwise_distance");
        (self - other + eps).norm(p, -1)
    }

    /// The distance of each vector of a set from each of another, in the p-norm: `[…, n, d]` and
    /// `[…, m, d]` give `[…, n, m]`; the axes in front broadcast.
    ///
    /// Each is computed from differences, and so has all its digits where vectors are close.
    ///
    /// # Errors
    /// Recorded as faults: operands of fewer than two axes, or of different `d`; a p that is negative
    /// or NaN.
    #[track_caller]
    pub fn cdist(self, other: Var<'t>, p: f64) -> Var<'t> {
        let _call = self.tape().call("cdist");
        let other = self.admit("cdist", other);
        if let Some(&faulty) = [self, other].iter().find(|operand| operand.is_faulty()) {
            return faulty;
        }
        let batch = |x: Var<'t>| Shape::from(&x.shape()[..x.rank().saturating_sub(2)]);
        let why = if self.rank() < 2 || other.rank() < 2 {
            "the vectors of a set are the rows of a matrix"
        } else if self.dim(-1) != other.dim(-1) {
            "the vectors differ in length"
        } else if batch(self).broadcast(&batch(other)).is_none() {
            "the batch axes do not broadcast"
        } else if p.is_nan() || p < 0.0 {
            "the order p is negative or NaN"
        } else {
            let difference = self.unsqueeze(-2) - other.unsqueeze(-3);
            return match self.dim(-1) {
                // Vectors of nothing are equal, in the largest norm as well.
                0 => difference.sum(-1).to_float(),
                _ => difference.norm(p, -1),
            };
        };
        self.tape().fault(Fault::new("cdist", why).operand("left", self).operand("right", other))
    }

    /// The cosine of the angle between vectors along an axis, which is dropped:
    /// `Σ a b / (max(‖a‖, eps) max(‖b‖, eps))`. PyTorch's defaults are axis 1 and `eps = 1e-8`.
    ///
    /// A norm below `eps` passes no slope, as in [`normalize`](Var::normalize).
    #[track_caller]
    pub fn cosine_similarity(self, other: Var<'t>, axis: impl IntoAxis, eps: f64) -> Var<'t> {
        let _call = self.tape().call("cosine_similarity");
        let axis = axis.into_axis();
        let other = self.admit("cosine_similarity", other);
        if let Some(&faulty) = [self, other].iter().find(|operand| operand.is_faulty()) {
            return faulty;
        }
        let Some(shape) = self.shape().broadcast(&other.shape()) else {
            let fault = Fault::new("cosine_similarity", "the shapes do not broadcast");
            return self.tape().fault(fault.operand("left", self).operand("right", other));
        };
        let unit = |x: Var<'t>| x.to_float().expand(shape.clone()).normalize(2.0, axis, eps);
        (unit(self) * unit(other)).sum(axis)
    }
}
