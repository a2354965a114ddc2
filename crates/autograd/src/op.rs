//! The families of ops. A family says how its members are named, differentiated and run; the
//! members are rows inside it. Nothing else in the crate matches on families but the planner.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub(crate) use lossgraph_tensor::kernels::ReduceOp;
use lossgraph_tensor::kernels::{self, Direction};
use lossgraph_tensor::{AxisSet, Slice, Tensor, Window};
use smallvec::SmallVec;

use crate::Var;
use crate::ops::{binary::Binary, convolution::Convolve, index::Index, unary::Unary, view::View};

/// A cotangent for each input; `None` where none flows.
pub(crate) type Cotangents<'t> = SmallVec<[Option<Var<'t>>; 3]>;

/// What a node does.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(crate) enum Op {
    /// Data given from outside; the tape holds it.
    Leaf(Leaf),
    /// One number everywhere: a constant of the program, and part of a plan's key.
    Fill(Number),
    /// A misfit, or what was computed from one: the number of the fault on its tape.
    Fault(u32),
    /// The identity, through which no cotangent flows.
    Detach,
    /// `y = f(x)` element by element, with up to two numbers as parameters.
    Unary(Static<Unary>, [Number; 2]),
    /// `y = f(a, b)` element by element, on equal shapes.
    Binary(Static<Binary>),
    /// `a` where the mask is not 0, else `b`.
    Select,
    /// Integers as floats.
    Cast,
    /// A reduction over a set of axes, which stay in the shape with length 1.
    Reduce(ReduceOp, AxisSet),
    /// The running sum along an axis, from its start or from its end.
    CumSum { axis: usize, reverse: bool },
    /// The same numbers at other places.
    View(View),
    /// `x` written at slices of a tensor filled with a number: the transpose of a slice.
    Pad(Arc<[Slice]>, Number),
    /// The transpose of windows: adds up what overlaps.
    OverlapAdd { axis: usize, window: Window },
    /// The inputs one after another along an axis.
    Concat { axis: usize },
    /// Reading and writing at places that are data.
    Index(Index),
    /// The matrix product of the last two axes.
    MatMul,
    /// A product of windows with weights, or one of its slopes.
    Convolve(Convolve),
}

/// How a leaf came onto its tape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Leaf {
    Constant,
    Variable,
    Parameter,
}

/// A number in a key: equal when the bits are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A row of an op table in a key: equal when it is the same row.
#[derive(Debug)]
pub(crate) struct Static<T: 'static>(pub &'static T);

impl<T> Clone for Static<T> {
    fn clone(&self) -> Static<T> {
        *self
    }
}

impl<T> Copy for Static<T> {}

impl<T> PartialEq for Static<T> {
    fn eq(&self, other: &Static<T>) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl<T> Hash for Static<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.0) as usize).hash(state);
    }
}

impl Op {
    /// The name under which listings show it.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Leaf(Leaf::Constant) => "constant",
            Op::Leaf(Leaf::Variable) => "variable",
            Op::Leaf(Leaf::Parameter) => "parameter",
            Op::Fill(_) => "fill",
            Op::Fault(_) => "fault",
            Op::Detach => "detach",
            Op::Unary(row, _) => row.0.name,
            Op::Binary(row) => row.0.name,
            Op::Select => "select",
            Op::Cast => "to_float",
            Op::Reduce(op, _) => op.name(),
            Op::CumSum { .. } => "cumsum",
            Op::View(view) => view.name(),
            Op::Pad(..) => "pad",
            Op::OverlapAdd { .. } => "overlap_add",
            Op::Concat { .. } => "concat",
            Op::Index(index) => index.name(),
            Op::MatMul => "matmul",
            Op::Convolve(convolve) => convolve.name(),
        }
    }

    /// What listings show of its parameters: those that the output's shape does not tell.
    pub fn attributes(&self) -> String {
        match self {
            Op::Fill(value) => number(value.0),
            Op::Unary(row, p) => {
                // A sample has a parameter where the row has one.
                let count = row.0.sample.iter().rposition(|&p| p != 0.0).map_or(0, |last| last + 1);
                listed(p[..count].iter().map(|p| number(p.0)))
            }
            Op::Reduce(_, axes) => format!("axes {}", listed(axes.iter())),
            Op::CumSum { axis, reverse: false } => format!("axis {axis}"),
            Op::CumSum { axis, reverse: true } => format!("axis {axis}, from its end"),
            Op::View(view) => view.attributes(),
            Op::Pad(_, value) => format!("with {}", value.0),
            Op::OverlapAdd { axis, .. } | Op::Concat { axis } => format!("axis {axis}"),
            Op::Index(index) => index.attributes(),
            Op::Convolve(convolve) => convolve.attributes(),
            Op::Leaf(_) | Op::Fault(_) | Op::Detach | Op::Binary(_) | Op::Select => String::new(),
            Op::Cast | Op::MatMul => String::new(),
        }
    }

    /// Whether a cotangent of the output gives one of input `i`.
    pub fn is_differentiable_in(&self, i: usize) -> bool {
        match self {
            Op::Leaf(_) | Op::Fill(_) | Op::Fault(_) | Op::Detach | Op::Cast => false,
            Op::Unary(row, _) => row.0.vjp.is_some(),
            Op::Binary(row) => row.0.vjp.is_some(),
            Op::Select => i > 0,
            Op::View(View::After) => i == 0,
            Op::Index(index) => index.is_differentiable_in(i),
            _ => true,
        }
    }

    /// Records the cotangents of `inputs` from `g`, the cotangent of `y`.
    pub fn vjp<'t>(
        &self,
        g: Var<'t>,
        y: Var<'t>,
        inputs: &[Var<'t>],
        wanted: impl Fn(usize) -> bool,
    ) -> Cotangents<'t> {
        use crate::ops::{combine, matmul, reduce, scan, select};
        let one = |cotangent| SmallVec::from_iter([Some(cotangent)]);
        match self {
            Op::Unary(row, p) => match row.0.vjp {
                Some(vjp) => one(vjp(g, inputs[0], y, [p[0].0, p[1].0])),
                None => SmallVec::new(),
            },
            Op::Binary(row) => match row.0.vjp {
                Some(rules) => (0..2)
                    .map(|i| wanted(i).then(|| rules[i](g, inputs[0], inputs[1], y)))
                    .collect(),
                None => SmallVec::new(),
            },
            Op::Select => select::vjp(g, inputs, wanted),
            Op::Reduce(op, axes) => one(reduce::vjp(*op, *axes, g, inputs[0], y)),
            Op::CumSum { axis, reverse } => one(scan::cumsum(g, *axis, !reverse)),
            Op::View(view) => one(view.vjp(g, inputs[0])),
            Op::Pad(slices, _) => one(g.slices_shared(slices.clone())),
            Op::OverlapAdd { axis, window } => one(g.windows(*axis as isize, *window)),
            Op::Concat { axis } => combine::concat_vjp(g, *axis, inputs, wanted),
            Op::Index(index) => one(index.vjp(g, inputs)),
            Op::MatMul => matmul::vjp(g, inputs, wanted),
            Op::Convolve(convolve) => convolve.vjp(g, inputs, wanted),
            Op::Leaf(_) | Op::Fill(_) | Op::Fault(_) | Op::Detach | Op::Cast => SmallVec::new(),
        }
    }

    /// Computes the node into `out`, whatever `out` held. Not for leaves, fills and views, which
    /// need no buffer.
    pub fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        use crate::ops::select::SELECT;
        match self {
            Op::Unary(row, p) => kernels::map1(&row.0.kernel, inputs[0], [p[0].0, p[1].0], out),
            Op::Binary(row) => kernels::map2(&row.0.kernel, inputs[0], inputs[1], out),
            Op::Select => kernels::map3(&SELECT, inputs[0], inputs[1], inputs[2], out),
            Op::Cast => kernels::cast(inputs[0], out),
            Op::Reduce(op, axes) => kernels::reduce(*op, inputs[0], *axes, out),
            Op::CumSum { axis, reverse } => {
                let direction = if *reverse { Direction::Reverse } else { Direction::Forward };
                kernels::cumsum(inputs[0], *axis, direction, out)
            }
            Op::Pad(slices, value) => kernels::pad(inputs[0], slices, value.0, out),
            Op::OverlapAdd { axis, window } => kernels::overlap_add(inputs[0], *axis, *window, out),
            Op::Concat { axis } => kernels::concat(inputs, *axis, out),
            Op::Index(index) => index.compute(inputs, out),
            Op::MatMul => kernels::matmul(inputs[0], inputs[1], out),
            Op::Convolve(convolve) => convolve.compute(inputs, out),
            Op::View(_) => kernels::copy(inputs[0], out),
            Op::Leaf(_) | Op::Fill(_) | Op::Fault(_) | Op::Detach => Ok(()),
        }
    }
}

/// A number as text; a very large or small one by its power of ten.
fn number(x: f64) -> String {
    let is_plain = x == 0.0 || !x.is_finite() || (1e-9..1e12).contains(&x.abs());
    if is_plain { x.to_string() } else { format!("{x:e}") }
}

/// Some things in one line, with commas between them.
pub(crate) fn listed<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    things.into_iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(", ")
}
