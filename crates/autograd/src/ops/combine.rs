//! Joining tensors, and padding one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

use lossgraph_tensor::{IntoAxis, Shape, Slice, Tensor, Window, kernels};
use smallvec::SmallVec;

use super::facts::{Cost, Element, Facts};
use super::family::{At, Cotangents, Family, Rule, one};
use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::ops::op::{Number, Op};
use crate::record::fault::Fault;
use crate::record::tape::Tape;
use crate::record::var::Var;

/// The tensors one after another along an axis. Other axes agree in length.
///
/// # Errors
/// Recorded as faults: shapes that disagree elsewhere, or no such axis.
#[doc(alias = "cat")]
#[track_caller]
pub fn concat<'t>(vars: &[Var<'t>], axis: impl IntoAxis) -> Var<'t> {
    let Some(&first) = vars.first() else { return of_nothing("concat") };
    let _call = first.tape().call("concat");
    let axis = axis.into_axis();
    if let Some(fault) = first.tape().admit("concat", &numbered(vars)) {
        return fault;
    }
    if let Some(&faulty) = vars.iter().find(|var| var.is_faulty()) {
        return faulty;
    }
    let shape = first.shape();
    let refuse = |why: String| {
        let operands = vars.iter().take(4).enumerate();
        let fault = operands.fold(Fault::new("concat", why), |fault, (i, &var)| {
            fault.operand(format!("input {i}"), var)
        });
        first.tape().fault(fault)
    };
    let Some(along) = shape.axis(axis) else {
        return refuse(format!("there is no axis {axis}"));
    };
    let mut total = 0;
    for var in vars {
        let other = var.shape();
        let agrees = other.rank() == shape.rank()
            && (0..shape.rank()).all(|axis| axis == along || other[axis] == shape[axis]);
        if !agrees {
            return refuse(format!("the shapes differ elsewhere than along axis {along}"));
        }
        if var.dtype() != first.dtype() {
            return refuse("integers and floats do not mix".into());
        }
        total += other[along];
    }
    let mut dims = shape.to_vec();
    dims[along] = total;
    first.tape().record(Op::Concat(Concat { axis: along }), vars, Shape::from(dims), first.dtype())
}

/// Nodes with the name that errors give them.
fn numbered<'t>(vars: &[Var<'t>]) -> SmallVec<[(&'static str, Var<'t>); 8]> {
    vars.iter().map(|&var| ("input", var)).collect()
}

/// The tensors, of equal shapes, side by side along a new axis.
#[track_caller]
pub fn stack<'t>(vars: &[Var<'t>], axis: impl IntoAxis) -> Var<'t> {
    let Some(&first) = vars.first() else { return of_nothing("stack") };
    let _call = first.tape().call("stack");
    let axis = axis.into_axis();
    if let Some(fault) = first.tape().admit("stack", &numbered(vars)) {
        return fault;
    }
    let rows: SmallVec<[Var<'t>; 8]> = vars.iter().map(|var| var.unsqueeze(axis)).collect();
    concat(&rows, axis)
}

/// What a function of some tensors gives for none: a fault, on a tape that each thread has for it
/// and the line that called, since there is no other to record it on.
#[track_caller]
pub(crate) fn of_nothing<'t>(operation: &'static str) -> Var<'t> {
    type Calls = HashMap<(&'static str, &'static Location<'static>), &'static Tape>;
    thread_local! {
        static CALLS: RefCell<Calls> = RefCell::default();
    }
    let call = (operation, Location::caller());
    let known = CALLS.with_borrow(|calls| calls.get(&call).copied());
    let tape = known.unwrap_or_else(|| {
        let fault = Fault::new(operation, "it takes at least one tensor, given none");
        let fault = fault.at(call.1);
        let tape: &'static Tape = Box::leak(Box::new(Tape::of_fault(fault)));
        CALLS.with_borrow_mut(|calls| calls.insert(call, tape));
        tape
    });
    Var::new(tape, 0)
}

/// The inputs one after another along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Concat {
    axis: usize,
}

impl Family for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn attributes(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (axis, mut start) = (self.axis as isize, 0);
        let pieces = rule.inputs.iter().enumerate().map(|(i, input)| {
            let end = start + input.dim(axis) as isize;
            let piece = rule.when(i, || rule.g.slice(axis, start..end));
            start = end;
            piece
        });
        pieces.collect()
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::concat(inputs, self.axis, out)
    }

    fn facts(&self) -> Facts {
        Facts { exact: false, ..Facts::MOVES }
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        let mut i = at.index[self.axis];
        for (operand, shape) in at.operands.iter().enumerate() {
            match i.checked_sub(*shape.get(self.axis)?) {
                Some(further) => i = further,
                None => return at.copy(operand, at.with(self.axis, i)),
            }
        }
        None
    }
}

/// A tensor at slices of one that is a number elsewhere.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(crate) struct Pad {
    pub slices: Arc<[Slice]>,
    pub value: Number,
}

impl Family for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn attributes(&self) -> String {
        format!("with {}", self.value.0)
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        one(rule.g.slices_shared(self.slices.clone()))
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::pad(inputs[0], &self.slices, self.value.0, out)
    }

    fn facts(&self) -> Facts {
        Facts { exact: false, ..Facts::MOVES }
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

/// The sum of the inputs, each at slices of a tensor that is 0 elsewhere.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(crate) struct PadAdd {
    slices: Arc<[Arc<[Slice]>]>,
}

impl Family for PadAdd {
    fn name(&self) -> &'static str {
        "pad_add"
    }

    fn attributes(&self) -> String {
        String::new()
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let parts = self.slices.iter().enumerate();
        parts.map(|(i, slices)| rule.when(i, || rule.g.slices_shared(slices.clone()))).collect()
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::pad_add(inputs, &self.slices, out)
    }

    fn facts(&self) -> Facts {
        Facts { cost: Cost::Cheap, ..Facts::DEFAULT }
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

/// The transpose of windows along an axis: adds up what overlaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct OverlapAdd {
    pub axis: usize,
    pub window: Window,
}

impl Family for OverlapAdd {
    fn name(&self) -> &'static str {
        "overlap_add"
    }

    fn attributes(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        one(rule.g.windows(self.axis as isize, self.window))
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::overlap_add(inputs[0], self.axis, self.window, out)
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

/// The sum of the cotangents of a node; `None` if there are none.
///
/// Those of slices are added up where they stand, not each as a tensor of zeros: a tensor that is
/// read slice by slice, as a scan over time does, gets its cotangent for the price of one copy. So
/// is a view that takes part: it would be copied to be added to.
pub(crate) fn total<'t>(cotangents: &[Var<'t>]) -> Option<Var<'t>> {
    let (mut placed, mut others) = (Vec::new(), SmallVec::<[Var<'t>; 2]>::new());
    for &cotangent in cotangents {
        match cotangent.as_pad_of_zeros() {
            Some(slice) => placed.push(slice),
            None => others.push(cotangent),
        }
    }
    let sum = |vars: &[Var<'t>]| vars.iter().copied().reduce(|sum, more| sum + more);
    let other = sum(&others);
    let view = other.filter(|other| other.is_view());
    if placed.is_empty() || placed.len() == 1 && view.is_none() {
        return sum(cotangents);
    }
    let shape = cotangents[0].shape();
    if let Some(view) = view {
        let whole = shape.iter().map(|&dim| Slice::all(dim)).collect();
        placed.insert(0, (whole, view));
    }
    let added = pad_add(&placed, shape);
    Some(match other {
        Some(other) if view.is_none() => other + added,
        _ => added,
    })
}

/// The sum of tensors, each at slices of one of `shape` that is 0 elsewhere.
#[track_caller]
fn pad_add<'t>(placed: &[(Arc<[Slice]>, Var<'t>)], shape: Shape) -> Var<'t> {
    let (slices, parts): (Vec<Arc<[Slice]>>, Vec<Var<'t>>) = placed.iter().cloned().unzip();
    let op = Op::PadAdd(PadAdd { slices: slices.into() });
    parts[0].tape().record(op, &parts, shape, parts[0].dtype())
}

/// Writes `x` at `slices` of a tensor of `shape` that is `value` elsewhere.
#[track_caller]
pub(crate) fn pad_at<'t>(x: Var<'t>, slices: Arc<[Slice]>, shape: Shape, value: f64) -> Var<'t> {
    x.tape().record(Op::Pad(Pad { slices, value: Number(value) }), &[x], shape, x.dtype())
}

impl<'t> Var<'t> {
    /// The elements `by` indices further along an axis, or nearer for a negative `by`: what would
    /// leave it is dropped, and `fill` stands at the indices that become free.
    #[track_caller]
    pub fn shift(self, axis: impl IntoAxis, by: isize, fill: f64) -> Var<'t> {
        let _call = self.tape().call("shift");
        let axis = axis.into_axis();
        let mut around = vec![(0, 0); self.rank()];
        let Some(pair) = self.shape().axis(axis).and_then(|at| around.get_mut(at)) else {
            return self.no_axis("shift", axis);
        };
        // By more than the whole axis, nothing is left of it.
        let extent = self.dim(axis);
        let steps = by.unsigned_abs().min(extent);
        *pair = if by > 0 { (steps, 0) } else { (0, steps) };
        let start = if by > 0 { 0 } else { steps };
        self.pad(&around, fill).slice(axis, start..start + extent)
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("concat", "combine", "one after another", &[CUBE, Floats(&[2, 2, 4], AROUND)], |x| {
        concat(&[x[0], x[1]], 1)
    })
    .torch("cat, concat, concatenate"),
    op(
        "stack",
        "combine",
        "side by side along a new axis",
        &[Floats(&[2, 3], AROUND), Floats(&[2, 3], AROUND)],
        |x| stack(&[x[0], x[1]], 1),
    ),
    op("shift", "composed", "yᵢ = x[i − k]", &[CUBE], |x| x[0].shift(1, 2, 0.5))
        .ours("`roll` with a number in what is left free"),
];
