//! Writing at indices that are data, element by element. Indices are integers from 0 on; one out of
//! range is an error, found when the plan runs.

use lossgraph_tensor::kernels::{self, Base, Direction, Order, Scattered};
use lossgraph_tensor::{IntoAxis, Shape, Slice, Tensor};
use smallvec::smallvec;

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule};
use super::table::{
    AROUND, CUBE, Row,
    Sample::{Floats, Integers},
    op,
};
use crate::ops::op::Op;
use crate::ops::scan::recurrence;
use crate::record::fault::Fault;
use crate::record::operand::Operand;
use crate::record::var::Var;

/// A base with a source combined into it at indices along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Scatter {
    pub axis: usize,
    pub how: Scattered,
}

impl Family for Scatter {
    fn name(&self) -> &'static str {
        match self.how {
            Scattered::Last => "scatter",
            Scattered::Largest(_) => "scatter_amax",
            Scattered::Smallest(_) => "scatter_amin",
            Scattered::Product(_) => "scatter_prod",
        }
    }

    fn attributes(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn is_differentiable_in(&self, input: usize) -> bool {
        input < 2
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        match self.how {
            Scattered::Last => {
                let untouched = || untouched(self.axis, rule).select(rule.g, 0.0);
                smallvec![rule.when(0, untouched), rule.when(1, || last(self.axis, rule)), None]
            }
            Scattered::Largest(base) | Scattered::Smallest(base) => extreme(self.axis, base, rule),
            Scattered::Product(base) => product(self.axis, base, rule),
        }
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::scatter(self.how, inputs[0], inputs[1], self.axis, inputs[2], out)
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT.zero_slope(&[OVERWRITTEN, OVERWRITTEN])
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

const OVERWRITTEN: &str = "it is {x}, and another element stands in its place";

/// 1 where nothing is scattered to, else 0.
#[track_caller]
fn untouched<'t>(axis: usize, rule: &Rule<'_, 't>) -> Var<'t> {
    let (base, index) = (rule.inputs[0], rule.inputs[2]);
    let touched = base.tape().fill(index.shape(), 0.0);
    record(axis, Scattered::Last, base.tape().fill(base.shape(), 1.0), touched, index)
}

/// The cotangent of a source whose last elements stay.
#[track_caller]
fn last<'t>(axis: usize, rule: &Rule<'_, 't>) -> Var<'t> {
    let (g, base, index) = (rule.g, rule.inputs[0], rule.inputs[2]);
    // Which element each place has, counted from 1.
    let number = index.tape().integers([index.len()], 1).cumsum(0).reshape(index.shape());
    let nobody = index.tape().integers(base.shape(), 0);
    let winner = record(axis, Scattered::Last, nobody, number, index);
    winner.gather(axis, index).eq(number).select(g.gather(axis, index), 0.0)
}

/// Where extremes are equal, each has the same part of the slope.
#[track_caller]
fn extreme<'t>(axis: usize, included: Base, rule: &Rule<'_, 't>) -> Cotangents<'t> {
    let (base, source, index) = (rule.inputs[0], rule.inputs[1], rule.inputs[2]);
    let of_base = match included {
        Base::Included => base.eq(rule.y),
        Base::Replaced => untouched(axis, rule),
    };
    let of_source = source.eq(rule.y.gather(axis, index));
    let share = rule.g / of_base.scatter_add(axis, index, of_source);
    let of_replaced = || match included {
        Base::Included => of_base * share,
        // Not a product: where a NaN was scattered to, nothing has the extreme.
        Base::Replaced => of_base.select(share, 0.0),
    };
    smallvec![
        rule.when(0, of_replaced),
        rule.when(1, || of_source * share.gather(axis, index)),
        None
    ]
}

/// Of a product, without dividing: so it holds where factors are 0.
///
/// The factors are sorted by their place. Then those of one place are neighbors, and the product of
/// all before a factor, and of all after it, are linear recurrences that begin anew at each place.
#[track_caller]
fn product<'t>(axis: usize, included: Base, rule: &Rule<'_, 't>) -> Cotangents<'t> {
    let (g, base, source, index) = (rule.g, rule.inputs[0], rule.inputs[1], rule.inputs[2]);
    let one = base.tape().fill(base.shape(), 1.0);
    let of_base = || match included {
        Base::Included => {
            let others = Scattered::Product(Base::Included);
            g * record(axis, others, one, source, index)
        }
        Base::Replaced => untouched(axis, rule).select(g, 0.0),
    };
    let of_source = || {
        if source.len() == 0 {
            return base.tape().fill(source.shape(), 0.0);
        }
        let place = places(base, axis, index);
        let order = place.argsort(0, Order::Ascending);
        let place = place.gather(0, order);
        let x = source.flatten(..).gather(0, order);
        let (starts, ends) =
            (place.ne(place.shift(0, 1, -1.0)), place.ne(place.shift(0, -1, -1.0)));
        let first = match included {
            Base::Included => base.flatten(..).gather(0, place),
            Base::Replaced => one.flatten(..).gather(0, place),
        };
        // Each place is a segment: what is infinite in one is nothing to another.
        let terms = starts.select(first * x, 0.0);
        let up_to = recurrence(x, terms, Some(starts), 0, Direction::Forward);
        let before = starts.select(first, up_to.shift(0, 1, 0.0));
        let g = ends.select(g.flatten(..).gather(0, place), 0.0);
        let after = recurrence(x, g, Some(starts), 0, Direction::Reverse);
        // Back in the order of the source, in which each index comes once.
        let sorted = before * after;
        let back = order.argsort(0, Order::Ascending);
        sorted.gather(0, back).reshape(source.shape())
    };
    smallvec![rule.when(0, of_base), rule.when(1, of_source), None]
}

/// For each index, which element of `base` it means, in one line.
#[track_caller]
fn places<'t>(base: Var<'t>, axis: usize, index: Var<'t>) -> Var<'t> {
    let (shape, tape) = (base.shape(), base.tape());
    let number = tape.integers([base.len()], 1).cumsum(0).reshape(&shape) - 1;
    let others: Vec<Slice> = index
        .shape()
        .iter()
        .enumerate()
        .map(|(other, &len)| Slice::all(if other == axis { 1 } else { len }))
        .collect();
    let step: usize = shape[axis + 1..].iter().product();
    (number.slices(&others) + index * step).flatten(..)
}

#[track_caller]
pub(super) fn record<'t>(
    axis: usize,
    how: Scattered,
    base: Var<'t>,
    source: Var<'t>,
    index: Var<'t>,
) -> Var<'t> {
    let op = Op::Scatter(Scatter { axis, how });
    base.tape().record(op, &[base, source, index], base.shape(), base.dtype())
}

/// How [`Var::scatter_reduce`] combines elements that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScatterReduce {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// Their mean.
    Mean,
    /// The largest.
    Amax,
    /// The smallest.
    Amin,
}

/// Whether what is there takes part in [`Var::scatter_reduce`] where something is scattered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum IncludeSelf {
    /// It does.
    #[default]
    Yes,
    /// It is replaced.
    No,
}

/// What a scatter is given: of a scalar, the tensor of one element.
pub(super) struct Operands<'t> {
    pub base: Var<'t>,
    pub axis: usize,
    pub index: Var<'t>,
    pub source: Var<'t>,
}

impl<'t> Operands<'t> {
    #[track_caller]
    fn scattered(&self, how: Scattered) -> Var<'t> {
        record(self.axis, how, self.base, self.source, self.index)
    }
}

impl<'t> Var<'t> {
    /// The operands of a scatter by an index of as many axes, or what is wrong with them.
    #[track_caller]
    fn to_scatter(
        self,
        name: &str,
        axis: impl IntoAxis,
        index: Var<'t>,
        source: impl Operand<'t>,
    ) -> Result<Operands<'t>, Var<'t>> {
        let one = |x: Var<'t>| if x.rank() == 0 && !x.is_faulty() { x.reshape([1]) } else { x };
        let (base, index) = (one(self), one(self.admit(name, index)));
        let axis = base.index_axis(name, axis.into_axis(), index)?;
        let (base, source) = base.with_source(name, index.shape(), source)?;
        let source = one(source);
        let covered = source.rank() == index.rank()
            && source.shape().iter().zip(index.shape().iter()).all(|(s, i)| s >= i);
        if !base.fits(axis, index) {
            return Err(self.unfit(name, index));
        }
        if !covered {
            let fault = Fault::new(name, "the source has not an element for each index");
            let fault = fault.operand("source", source).operand("index", index);
            return Err(self
                .tape()
                .fault(fault.cure(format!("a source of shape {}", index.shape()))));
        }
        let slices: Vec<Slice> = index.shape().iter().map(|&len| Slice::all(len)).collect();
        Ok(Operands { base, axis, index, source: source.slices(&slices) })
    }

    /// This and a source of the same type; a number takes `shape`.
    #[track_caller]
    pub(super) fn with_source(
        self,
        name: &str,
        shape: Shape,
        source: impl Operand<'t>,
    ) -> Result<(Var<'t>, Var<'t>), Var<'t>> {
        let integers = !self.dtype().is_float();
        let like = match integers {
            true => self.tape().integers(shape, 0),
            false => self.tape().fill(shape, 0.0),
        };
        let source = self.admit(name, source.beside(like));
        if self.is_faulty() || source.is_faulty() {
            return Err(if self.is_faulty() { self } else { source });
        }
        match source.as_integers() {
            Some(source) if integers => Ok((self, source)),
            _ => Ok((self.to_float(), source.to_float())),
        }
    }

    /// A copy into which `source`, a tensor or a number, is written at indices along an axis:
    /// `y[i, index[i, j]] = source[i, j]` for axis 1.
    ///
    /// The index has as many axes as the input; other axes of it may be shorter, and the source may
    /// be larger. Of several elements for one place, the last one in the order of rows is written, and
    /// it alone has a slope, where PyTorch gives one to all of them.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, shapes that do not fit, an index of floats.
    #[track_caller]
    pub fn scatter(self, axis: impl IntoAxis, index: Var<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("scatter");
        match self.to_scatter("scatter", axis, index, source) {
            Ok(operands) => operands.scattered(Scattered::Last).reshape(self.shape()),
            Err(fault) => fault,
        }
    }

    /// A copy into which `source` is combined at indices along an axis:
    /// `y[i, index[i, j]] = reduce(…, source[i, j])` for axis 1, of all elements for one place, and of
    /// the one that is there unless it is left out.
    ///
    /// Equal extremes share the slope evenly. The slopes of products are right in every order where
    /// factors are 0. A mean of integers is a float.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, shapes that do not fit, an index of floats.
    #[track_caller]
    pub fn scatter_reduce(
        self,
        axis: impl IntoAxis,
        index: Var<'t>,
        source: impl Operand<'t>,
        reduce: ScatterReduce,
        include_self: IncludeSelf,
    ) -> Var<'t> {
        let _call = self.tape().call("scatter_reduce");
        let base = if reduce == ScatterReduce::Mean { self.to_float() } else { self };
        let operands = match base.to_scatter("scatter_reduce", axis, index, source) {
            Ok(operands) => operands,
            Err(fault) => return fault,
        };
        let own = match include_self {
            IncludeSelf::Yes => Base::Included,
            IncludeSelf::No => Base::Replaced,
        };
        let y = match reduce {
            ScatterReduce::Amax => operands.scattered(Scattered::Largest(own)),
            ScatterReduce::Amin => operands.scattered(Scattered::Smallest(own)),
            ScatterReduce::Prod => operands.scattered(Scattered::Product(own)),
            ScatterReduce::Sum => operands.sum(own),
            ScatterReduce::Mean => operands.sum(own) / operands.count(own),
        };
        y.reshape(self.shape())
    }
}

impl<'t> Operands<'t> {
    /// The base, with another number where something is scattered to if it is left out.
    #[track_caller]
    fn own(&self, base: Var<'t>, included: Base) -> Var<'t> {
        match included {
            Base::Included => base,
            Base::Replaced => base.scatter(self.axis, self.index, 0),
        }
    }

    #[track_caller]
    fn sum(&self, included: Base) -> Var<'t> {
        let own = self.own(self.base, included);
        own.scatter_add(self.axis, self.index, self.source)
    }

    /// How many elements meet in each place, 1 where there are none.
    #[track_caller]
    fn count(&self, included: Base) -> Var<'t> {
        let tape = self.base.tape();
        let own = self.own(tape.fill(self.base.shape(), 1.0), included);
        own.scatter_add(self.axis, self.index, tape.fill(self.index.shape(), 1.0))
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "scatter",
        "index",
        "y[i, kᵢⱼ] = sᵢⱼ",
        &[CUBE, Integers(&[2, 5, 3], 3), Floats(&[2, 5, 4], AROUND)],
        |x| x[0].scatter(1, x[1], x[2]),
    ),
    op(
        "scatter_reduce",
        "index",
        "y[i, kᵢⱼ] = reduce(…, sᵢⱼ)",
        &[CUBE, Integers(&[2, 5, 3], 3), Floats(&[2, 5, 4], AROUND)],
        |x| {
            let reduce = |reduce, own| x[0].scatter_reduce(1, x[1], x[2], reduce, own);
            let products = reduce(ScatterReduce::Prod, IncludeSelf::No);
            let extremes = reduce(ScatterReduce::Amax, IncludeSelf::Yes)
                - reduce(ScatterReduce::Amin, IncludeSelf::No);
            products + extremes * reduce(ScatterReduce::Mean, IncludeSelf::Yes)
        },
    ),
];
