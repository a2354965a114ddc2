//! Rematerialization: what a gradient needs is computed a second time instead of kept.

use std::ops::Range;

use crate::ops::op::Op;
use crate::record::node::Id;
use crate::record::tape::Tape;
use crate::record::var::Var;

impl Tape {
    /// What `record` records is not kept for its gradient but rematerialized, once its cotangent is
    /// there: less memory, for one more forward pass of it. Worth it where a program goes through
    /// large values one after another, such as blocks of a matrix that is never needed whole.
    ///
    /// Only what is needed is rematerialized, from what `record` took from outside. Inside
    /// of another `remat`, it belongs to that one.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// let tape = Tape::f64();
    /// let x = tape.variable([1.0, 2.0]);
    /// let sum = tape.remat(|| x.exp().exp().sum(..));
    /// let kept = tape.grad(x.exp().exp().sum(..), &[x])[0];
    /// assert_eq!(tape.grad(sum, &[x])[0].value()?, kept.value()?);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Source
    /// Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016, there called
    /// checkpointing.
    #[doc(alias = "checkpoint")]
    pub fn remat<R>(&self, record: impl FnOnce() -> R) -> R {
        let first = self.len() as Id;
        let result = record();
        let mut recording = self.recording_mut();
        let end = recording.nodes.len() as Id;
        while recording.rematerialized.pop_if(|inner| inner.start >= first).is_some() {}
        if first < end {
            recording.rematerialized.push(first..end);
        }
        result
    }
}

/// The rematerialized nodes of one [`Tape::remat`], for the rules of an adjoint pass.
pub(crate) struct Remat<'t> {
    of: Range<Id>,
    copies: Vec<Var<'t>>,
    /// The latest cotangent of one of these nodes.
    latest: Option<Var<'t>>,
}

impl<'t> Remat<'t> {
    /// Nothing rematerialized.
    pub fn none() -> Remat<'t> {
        Remat { of: 0..0, copies: Vec::new(), latest: None }
    }

    /// For a node with a cotangent, to be called from the last node to the first: records the
    /// nodes that it was rematerialized with, up to it, if they are not there yet. They wait for all
    /// cotangents that came in from outside, and for the gradient of what was rematerialized
    /// before: one at a time. `pending` gives the cotangents that some nodes have.
    pub fn reach(
        &mut self,
        id: Id,
        cotangent: Var<'t>,
        pending: impl FnOnce(Range<Id>) -> Vec<Var<'t>>,
    ) {
        if !self.of.contains(&id) {
            let recording = cotangent.tape().recording();
            let ranges = &recording.rematerialized;
            let after = ranges.partition_point(|range| range.end <= id);
            let found = ranges.get(after).filter(|range| range.contains(&id)).cloned();
            drop(recording);
            let Some(range) = found else { return };
            let others = pending(range.start..id).into_iter().chain(self.latest);
            let all = others.fold(cotangent, |all, other| all.after(other));
            *self = Remat { of: range.start..id + 1, ..Remat::none() };
            for each in self.of.clone() {
                let copy = self.copy(each, all);
                self.copies.push(copy);
            }
        }
        self.latest = Some(cotangent);
    }

    /// The node to be read for a node of the forward pass.
    pub fn read(&self, var: Var<'t>) -> Var<'t> {
        match self.of.contains(&var.id()) {
            true => self.copies[(var.id() - self.of.start) as usize],
            false => var,
        }
    }

    /// A rematerialized node, from copies of its inputs; those from outside are read after `first`.
    fn copy(&self, id: Id, first: Var<'t>) -> Var<'t> {
        let tape = first.tape();
        let (mut node, mut origin) = {
            let recording = tape.recording();
            (recording.nodes[id as usize].clone(), recording.origins[id as usize])
        };
        match node.op {
            Op::Leaf(_) => return Var::new(tape, id).after(first),
            Op::Fill(_) | Op::Fault(_) => return Var::new(tape, id),
            _ => {}
        }
        let read = |input: Id| {
            let (inside, var) = (self.of.contains(&input), Var::new(tape, input));
            let fixed = matches!(tape.recording().nodes[input as usize].op, Op::Fill(_));
            if inside || fixed { self.read(var) } else { var.after(first) }
        };
        node.inputs = node.inputs.into_iter().map(|input| read(input).id()).collect();
        origin.serves = Some(id);
        Var::new(tape, tape.recording_mut().push_from(node, origin))
    }
}
