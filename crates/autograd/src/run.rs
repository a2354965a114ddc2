//! The reference interpreter: runs a plan node by node.

use lossgraph_tensor::Tensor;
use smallvec::SmallVec;

use crate::graph::Id;
use crate::op::Op;
use crate::plan::{Plan, Slot, Step};

/// The memory of a plan, kept from run to run.
#[derive(Default)]
pub(crate) struct Workspace {
    slots: Vec<Option<Tensor>>,
    buffers: Vec<Option<Tensor>>,
}

/// What went wrong in which node of the asker's tape.
pub(crate) struct StepError {
    pub origin: Id,
    pub error: Box<lossgraph_tensor::Error>,
}

impl Plan {
    /// Computes what the plan was made for. `input` gives the data of a leaf, or a known value.
    pub(crate) fn run(
        &self,
        workspace: &mut Workspace,
        input: impl Fn(Id) -> Tensor,
    ) -> Result<Vec<Tensor>, StepError> {
        workspace.prepare(self);
        for &(id, slot) in &self.inputs {
            workspace.slots[slot as usize] = Some(input(id));
        }
        for step in &self.steps {
            match workspace.compute(step) {
                Ok(value) => workspace.slots[step.output as usize] = Some(value),
                Err(error) => {
                    workspace.slots.clear();
                    return Err(StepError { origin: step.origin, error: Box::new(error) });
                }
            }
            workspace.free(&step.frees);
        }
        let value = |slot: &Slot| workspace.slots[*slot as usize].clone();
        let outputs = self.outputs.iter().filter_map(value).collect();
        // The buffers of the results come back as well: to be used once the asker has dropped them.
        workspace.free(&self.kept);
        Ok(outputs)
    }
}

impl Workspace {
    /// Between runs, all slots are empty but those of constants.
    fn prepare(&mut self, plan: &Plan) {
        if self.slots.len() == plan.slots {
            return;
        }
        self.slots = vec![None; plan.slots];
        self.buffers = vec![None; plan.buffers.len()];
        for (slot, constant) in &plan.constants {
            self.slots[*slot as usize] = Some(constant.clone());
        }
    }

    /// Empties slots, and takes back the buffers of their values.
    fn free(&mut self, slots: &[(Slot, Option<u32>)]) {
        for &(slot, buffer) in slots {
            let value = self.slots[slot as usize].take();
            if let Some(buffer) = buffer {
                self.buffers[buffer as usize] = value;
            }
        }
    }

    fn compute(&mut self, step: &Step) -> lossgraph_tensor::Result<Tensor> {
        let slots = &self.slots;
        let inputs: SmallVec<[&Tensor; 3]> =
            step.inputs.iter().filter_map(|&slot| slots[slot as usize].as_ref()).collect();
        match (&step.op, step.buffer) {
            (Op::View(view), _) => view.of(inputs[0], &step.shape),
            (op, Some(buffer)) => {
                // A result that the asker still holds is not written to again.
                let free = self.buffers[buffer as usize].take();
                let mut out = match free.and_then(|free| free.recycled(&step.shape)) {
                    Some(free) => free,
                    None => Tensor::zeros(step.shape.clone(), step.dtype)?,
                };
                op.compute(&inputs, &mut out)?;
                Ok(out)
            }
            (op, None) => unreachable!("{} needs a buffer", op.name()),
        }
    }
}
