//! Scans along an axis: running sums, products, extremes and `ln Σ eˣ`, and the linear recurrence
//! that their slopes are made of.

use lossgraph_tensor::kernels::{self, Direction, Extreme};
use lossgraph_tensor::{IntoAxis, Tensor, map2};
use smallvec::{SmallVec, smallvec};

use super::binary::Binary;
use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule, one};
use super::table::{CUBE, Row, op};
use crate::ops::op::Op;
use crate::ops::order::ArgOrder;
use crate::record::operand::Operand;
use crate::record::var::Var;

/// A scan along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scan {
    /// The running sum, from the start of the axis or from its end.
    Sum { axis: usize, direction: Direction },
    /// The running product.
    Product { axis: usize },
    /// Of factors a and terms b: `hᵢ = aᵢ hᵢ₋₁ + bᵢ`, or in reverse `hᵢ = aᵢ₊₁ hᵢ₊₁ + bᵢ`. A factor
    /// joins two neighbors and stands at the later one, so that one is the other's transpose. A third
    /// input, where there is one, is not 0 where a segment of its own begins.
    Recurrence { axis: usize, direction: Direction },
}

impl Family for Scan {
    fn name(&self) -> &'static str {
        match self {
            Scan::Sum { .. } => "cumsum",
            Scan::Product { .. } => "cumprod",
            Scan::Recurrence { .. } => "linear_recurrence",
        }
    }

    fn attributes(&self) -> String {
        match self {
            Scan::Sum { axis, direction: Direction::Reverse }
            | Scan::Recurrence { axis, direction: Direction::Reverse } => {
                format!("axis {axis}, from its end")
            }
            Scan::Sum { axis, .. } | Scan::Product { axis } | Scan::Recurrence { axis, .. } => {
                format!("axis {axis}")
            }
        }
    }

    fn is_differentiable_in(&self, input: usize) -> bool {
        input < 2
    }

    /// A transpose runs from the other end. No rule divides, so that all hold where a factor is 0.
    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, x, y) = (rule.g, rule.inputs[0], rule.y);
        match *self {
            Scan::Sum { axis, direction } => {
                one(record(Scan::Sum { axis, direction: direction.reversed() }, &[g]))
            }
            // What the element is multiplied by: all before it, and what comes of all after it.
            Scan::Product { axis } => {
                one(y.shift(axis, 1, 1.0) * recurrence(x, g, None, axis, Direction::Reverse))
            }
            Scan::Recurrence { axis, direction } => {
                let starts = rule.inputs.get(2).copied();
                let term = recurrence(x, g, starts, axis, direction.reversed());
                let joined = || match direction {
                    Direction::Forward => term * y.shift(axis, 1, 0.0),
                    Direction::Reverse => term.shift(axis, 1, 0.0) * y,
                };
                let factor = || match starts {
                    Some(starts) => starts.select(0.0, joined()),
                    None => joined(),
                };
                let mut slopes = smallvec![rule.when(0, factor), Some(term)];
                slopes.extend(starts.map(|_| None));
                slopes
            }
        }
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        match *self {
            Scan::Sum { axis, direction } => kernels::cumsum(inputs[0], axis, direction, out),
            Scan::Product { axis } => kernels::cumprod(inputs[0], axis, out),
            Scan::Recurrence { axis, direction } => {
                let starts = inputs.get(2).copied();
                kernels::recurrence(inputs[0], inputs[1], starts, axis, direction, out)
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

/// The difference of two numbers, 0 of equal ones, infinite ones included.
pub(crate) static GAP: Binary =
    Binary::new("gap", "a − b, or 0 if a = b", map2!(|a, b| if a == b { T::ZERO } else { a - b }))
        .vjp(|g, _, _, _| g, |g, _, _, _| -g);

#[track_caller]
fn record<'t>(op: Scan, inputs: &[Var<'t>]) -> Var<'t> {
    let x = inputs[0];
    x.tape().record(Op::Scan(op), inputs, x.shape(), x.dtype())
}

/// The linear recurrence of factors and terms of one shape, in segments if it is said where they start.
#[track_caller]
pub(super) fn recurrence<'t>(
    factors: Var<'t>,
    terms: Var<'t>,
    starts: Option<Var<'t>>,
    axis: usize,
    direction: Direction,
) -> Var<'t> {
    let inputs: SmallVec<[Var<'t>; 3]> = [factors, terms].into_iter().chain(starts).collect();
    record(Scan::Recurrence { axis, direction }, &inputs)
}

impl<'t> Var<'t> {
    /// What `scan` makes of an axis; the shape stays.
    #[track_caller]
    fn scanned(
        self,
        name: &str,
        axis: impl IntoAxis,
        scan: impl FnOnce(Var<'t>, usize) -> Var<'t>,
    ) -> Var<'t> {
        match self.with_axis(name, axis.into_axis()) {
            Ok((x, at)) => scan(x, at).reshape(self.shape()),
            Err(fault) => fault,
        }
    }

    /// The differences of neighbors along an axis, `yᵢ = xᵢ₊₁ − xᵢ`, taken `n` times: as many elements
    /// fewer, and none if there are not so many. To begin or to end with other elements, concatenate
    /// them.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis.
    #[track_caller]
    pub fn diff(self, n: usize, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("diff");
        let Some(at) = self.shape().axis(axis.into_axis()) else {
            return self.no_axis("diff", axis.into_axis());
        };
        match n < self.dim(at) {
            true => (0..n).fold(self, |x, _| x.slice(at, 1..) - x.slice(at, ..-1)),
            false => self.slice(at, ..0),
        }
    }

    /// The running sum along an axis: `yᵢ = x₀ + … + xᵢ`. Its error does not grow along the axis;
    /// that of integers wraps.
    #[track_caller]
    pub fn cumsum(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("cumsum");
        let direction = Direction::Forward;
        self.scanned("cumsum", axis, |x, axis| record(Scan::Sum { axis, direction }, &[x]))
    }

    /// The running product along an axis: `yᵢ = x₀ · … · xᵢ`; that of integers wraps.
    ///
    /// ```text
    /// ∂L/∂xⱼ = yⱼ₋₁ rⱼ    rⱼ = gⱼ + xⱼ₊₁ rⱼ₊₁    g: the slope ∂L/∂y
    /// ```
    ///
    /// So slopes of all orders are right where some factors are 0, and cost as much as the product.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis.
    #[track_caller]
    pub fn cumprod(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("cumprod");
        self.scanned("cumprod", axis, |x, axis| record(Scan::Product { axis }, &[x]))
    }

    /// The largest element so far along an axis, and its index: the last one of equals, which the
    /// slope goes to. From the first NaN on, it is NaN.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis.
    #[track_caller]
    pub fn cummax(self, axis: impl IntoAxis) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("cummax");
        self.running_extreme("cummax", axis.into_axis(), Extreme::Max)
    }

    /// The smallest element so far along an axis, and its index: the last one of equals, which the
    /// slope goes to. From the first NaN on, it is NaN.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis.
    #[track_caller]
    pub fn cummin(self, axis: impl IntoAxis) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("cummin");
        self.running_extreme("cummin", axis.into_axis(), Extreme::Min)
    }

    #[track_caller]
    fn running_extreme(self, name: &str, axis: isize, extreme: Extreme) -> (Var<'t>, Var<'t>) {
        match self.with_axis(name, axis) {
            Ok((x, axis)) => {
                let index = x.arg_order(ArgOrder::Cumulative { axis, extreme }, x.shape());
                (x.gather(axis, index).reshape(self.shape()), index.reshape(self.shape()))
            }
            Err(fault) => (fault, fault),
        }
    }

    /// The running `ln Σ eˣ` along an axis, without overflow: `yᵢ = ln(e^x₀ + … + e^xᵢ)`.
    ///
    /// ```text
    /// m = cummax x    hᵢ = e^(mᵢ₋₁ − mᵢ) hᵢ₋₁ + e^(xᵢ − mᵢ)    y = m + ln h
    /// ```
    ///
    /// Any m gives the same result, so no slope flows through it. Slopes are the shares in the sum:
    /// those of equal infinities are equal, and no slope is NaN where no element is, where PyTorch
    /// gives NaN.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis.
    #[track_caller]
    pub fn logcumsumexp(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("logcumsumexp");
        self.to_float().scanned("logcumsumexp", axis, |x, axis| {
            let m = x.detach().cummax(axis).0;
            let decay = m.shift(axis, 1, f64::NEG_INFINITY).binary(&GAP, m).exp();
            let h = recurrence(decay, x.binary(&GAP, m).exp(), None, axis, Direction::Forward);
            h.ln() + m
        })
    }

    /// A linear recurrence along an axis: `hᵢ = aᵢ hᵢ₋₁ + xᵢ` from `h₀ = x₀` on, with factors `a`
    /// that broadcast to this. With `a` a number between 0 and 1 it is an exponential moving sum. The
    /// first factor is not read.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or factors that do not broadcast.
    #[track_caller]
    pub fn linear_recurrence(self, factors: impl Operand<'t>, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("linear_recurrence");
        let x = self.to_float();
        let factors = x.admit("linear_recurrence", factors.beside(x)).to_float();
        if factors.is_faulty() {
            return factors;
        }
        x.scanned("linear_recurrence", axis, |x, axis| {
            recurrence(factors.expand(x.shape()), x, None, axis, Direction::Forward)
        })
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("cumsum", "scan", "yᵢ = x₀ + … + xᵢ", &[CUBE], |x| x[0].cumsum(1)),
    op("cumprod", "scan", "yᵢ = x₀ · … · xᵢ", &[CUBE], |x| x[0].cumprod(1)),
    op("diff", "composed", "xᵢ₊₁ − xᵢ", &[CUBE], |x| x[0].diff(2, 1)),
    op("linear_recurrence", "scan", "hᵢ = aᵢ hᵢ₋₁ + xᵢ", &[CUBE, CUBE], |x| {
        x[0].linear_recurrence(x[1], 1)
    })
    .ours("the slope of `cumprod`"),
    op("cummax", "index", "max(x₀, …, xᵢ)", &[CUBE], |x| x[0].cummax(1).0),
    op("cummin", "index", "min(x₀, …, xᵢ)", &[CUBE], |x| x[0].cummin(2).0),
    op("logcumsumexp", "composed", "ln(e^x₀ + … + e^xᵢ)", &[CUBE], |x| x[0].logcumsumexp(1)),
];
