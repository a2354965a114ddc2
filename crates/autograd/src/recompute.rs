//! Computing anew what a gradient needs, instead of keeping it.

use std::ops::Range;

use smallvec::SmallVec;

use crate::graph::{Id, Inputs};
use crate::op::Op;
use crate::ops::view::View;
use crate::tape::Tape;
use crate::var::Var;

impl Tape {
    /// What `record` records is not kept for its gradient but computed anew, once its cotangent is
    /// there: less memory, for one more forward pass of it. Worth it where a program goes through
    /// large values one after another, such as blocks of a matrix that is never needed whole.
    ///
    /// Only what is needed again is computed again, from what `record` took from outside. Inside
    /// of another `recomputed`, it belongs to that one.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// let tape = Tape::f64();
    /// let x = tape.variable([1.0, 2.0]);
    /// let sum = tape.recomputed(|| x.exp().exp().sum(..));
    /// let kept = tape.grad(x.exp().exp().sum(..), &[x])[0];
    /// assert_eq!(tape.grad(sum, &[x])[0].value()?, kept.value()?);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Source
    /// Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016, there called
    /// checkpointing.
    #[doc(alias = "checkpoint")]
    #[doc(alias = "remat")]
    pub fn recomputed<R>(&self, record: impl FnOnce() -> R) -> R {
        let first = self.len() as Id;
        let result = record();
        let mut recording = self.recording_mut();
        let end = recording.nodes.len() as Id;
        recording.recomputed.retain(|inner| inner.start < first);
        recording.recomputed.push(first..end);
        result
    }
}

/// The nodes of one [`Tape::recomputed`] once more, for the rules of an adjoint pass.
pub(crate) struct Again<'t> {
    of: Range<Id>,
    copies: Vec<Var<'t>>,
}

impl<'t> Again<'t> {
    /// Nothing once more.
    pub fn none() -> Again<'t> {
        Again { of: 0..0, copies: Vec::new() }
    }

    /// For a node with a cotangent, to be called from the last node to the first: records the
    /// nodes that it was recomputed with, up to it, if they are not there yet.
    pub fn reach(&mut self, id: Id, cotangent: Var<'t>) {
        if self.of.contains(&id) {
            return;
        }
        let tape = cotangent.tape();
        let found = tape.recording().recomputed.iter().find(|range| range.contains(&id)).cloned();
        let Some(range) = found else { return };
        *self = Again { of: range.start..id + 1, copies: Vec::new() };
        for each in self.of.clone() {
            let copy = self.copy(each, cotangent);
            self.copies.push(copy);
        }
    }

    /// The node to be read for a node of the forward pass.
    pub fn read(&self, var: Var<'t>) -> Var<'t> {
        match self.of.contains(&var.id()) {
            true => self.copies[(var.id() - self.of.start) as usize],
            false => var,
        }
    }

    /// A node once more, from copies of its inputs; those from outside are read after the
    /// cotangent is there.
    fn copy(&self, id: Id, cotangent: Var<'t>) -> Var<'t> {
        let tape = cotangent.tape();
        let (mut node, mut origin) = {
            let recording = tape.recording();
            (recording.nodes[id as usize].clone(), recording.origins[id as usize])
        };
        match node.op {
            Op::Leaf(_) => return after(Var::new(tape, id), cotangent),
            Op::Fill(_) | Op::Fault(_) => return Var::new(tape, id),
            _ => {}
        }
        let inputs: SmallVec<[Var<'t>; 3]> =
            node.inputs.iter().map(|&input| Var::new(tape, input)).collect();
        let inside = |var: &Var<'t>| self.of.contains(&var.id());
        let read = |var: Var<'t>| match inside(&var) {
            true => self.read(var),
            false => after(var, cotangent),
        };
        node.inputs = inputs.into_iter().map(|var| read(var).id()).collect::<Inputs>();
        origin.serves = Some(id);
        Var::new(tape, tape.recording_mut().push_from(node, origin))
    }
}

/// `x`, to be read when `first` has been computed. Another node than `x`, so that what is computed
/// from it is not taken for what was computed from `x`.
fn after<'t>(x: Var<'t>, first: Var<'t>) -> Var<'t> {
    x.tape().record(Op::View(View::After), &[x, first], x.shape(), x.dtype())
}
