//! Distances and similarities of vectors. At points that coincide, a distance is at its minimum, and
//! all its slopes are 0, those of slopes as well.

use lossgraph_tensor::{IntoAxes, IntoAxis, Shape, Tensor, kernels};
use smallvec::smallvec;

use super::combine::concat;
use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule};
use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The family of Euclidean distances of all pairs of vectors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Distance {
    /// `‖a[i] − b[j]‖` of sets a and b.
    Pairs,
    /// `Σⱼ w[i, j] (a[i] − b[j])` of weights w: the slope of the distances.
    WeightedDifferences,
}

impl Family for Distance {
    fn name(&self) -> &'static str {
        match self {
            Distance::Pairs => "distances",
            Distance::WeightedDifferences => "weighted_differences",
        }
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let g = rule.g;
        match *rule.inputs {
            [a, b] => {
                let coincide = rule.y.eq(0.0);
                let w = coincide.select(0.0, g / coincide.select(1.0, rule.y));
                smallvec![
                    rule.when(0, || weighted_differences(w, a, b)),
                    rule.when(1, || weighted_differences(w.t(), b, a)),
                ]
            }
            [w, a, b] => smallvec![
                rule.when(0, || (g.unsqueeze(-2) * (a.unsqueeze(-2) - b.unsqueeze(-3))).sum(-1)),
                rule.when(1, || g * w.sum(-1).unsqueeze(-1)),
                rule.when(2, || -w.t().matmul(g)),
            ],
            _ => unreachable!("distances have two inputs, and their slopes three"),
        }
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        match self {
            Distance::Pairs => kernels::distances(inputs[0], inputs[1], out),
            Distance::WeightedDifferences => {
                kernels::weighted_differences(inputs[0], inputs[1], inputs[2], out)
            }
        }
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

#[track_caller]
fn weighted_differences<'t>(w: Var<'t>, a: Var<'t>, b: Var<'t>) -> Var<'t> {
    w.tape().record(Op::Distance(Distance::WeightedDifferences), &[w, a, b], a.shape(), a.dtype())
}

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
            let vectors = |x: Var<'t>, batch: &Shape| {
                let shape = [&batch[..], &x.shape()[x.rank() - 2..]].concat();
                x.to_float().expand(shape)
            };
            let difference = || self.unsqueeze(-2) - other.unsqueeze(-3);
            return match (batch(self).broadcast(&batch(other)), self.dim(-1)) {
                // Vectors of nothing are equal, in the largest norm as well.
                (_, 0) => difference().sum(-1).to_float(),
                (Some(batch), _) if p == 2.0 => {
                    let (a, b) = (vectors(self, &batch), vectors(other, &batch));
                    // Any scale gives the same. Slopes divide by the distance and by its square,
                    // which leave the range of floats long before the distance does.
                    let scale = concat(&[a, b], -2).norm_scale(2.0, &(..).into_axes());
                    let [a, b] = [a, b].map(|x| scale.map_or(x, |scale| x * scale));
                    let shape = Shape::from([&batch[..], &[a.dim(-2), b.dim(-2)]].concat());
                    let op = Op::Distance(Distance::Pairs);
                    let y = self.tape().record(op, &[a, b], shape, a.dtype());
                    scale.map_or(y, |scale| y / scale)
                }
                _ => difference().norm(p, -1),
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

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("dist", "composed", "(Σ |a − b|ᵖ)^(1/p)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].dist(x[1], 3.0)
    }),
    op(
        "pairwise_distance",
        "composed",
        "(Σ |a − b + ε|ᵖ)^(1/p)",
        &[CUBE, Floats(&[3, 4], AROUND)],
        |x| x[0].pairwise_distance(x[1], 2.0, 1e-6),
    ),
    op(
        "cdist",
        "composed",
        "(Σ |aᵢ − bⱼ|ᵖ)^(1/p)",
        &[CUBE, Floats(&[2, 4], AROUND)],
        |x| x[0].cdist(x[1], 2.0),
    ),
    op(
        "cosine_similarity",
        "composed",
        "Σ a b / (‖a‖ ‖b‖)",
        &[CUBE, Floats(&[3, 1], AROUND)],
        |x| x[0].cosine_similarity(x[1], 1, 1e-8),
    ),
];
