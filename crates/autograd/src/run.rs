//! The reference interpreter: runs a plan node by node.

use lossgraph_tensor::Tensor;
use smallvec::SmallVec;

use crate::graph::Id;
use crate::op::Op;
use crate::plan::{Plan, Step};

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
        workspace.slots.clear();
        workspace.slots.resize(self.slots, None);
        workspace.buffers.resize(self.buffers.len(), None);
        for &(id, slot) in &self.inputs {
            workspace.slots[slot as usize] = Some(input(id));
        }
        for (slot, constant) in &self.constants {
            workspace.slots[*slot as usize] = Some(constant.clone());
        }
        for step in &self.steps {
            let value = workspace
                .compute(step)
                .map_err(|error| StepError { origin: step.origin, error: Box::new(error) })?;
            workspace.slots[step.output as usize] = Some(value);
            for &(slot, buffer) in &step.frees {
                let value = workspace.slots[slot as usize].take();
                if let Some(buffer) = buffer {
                    workspace.buffers[buffer as usize] = value;
                }
            }
        }
        let value = |slot: &u32| workspace.slots[*slot as usize].clone();
        let outputs = self.outputs.iter().filter_map(value).collect();
        // The buffers of the results come back once the asker has dropped them.
        for step in &self.steps {
            if let (Some(buffer), Some(value)) =
                (step.buffer, workspace.slots[step.output as usize].take())
            {
                workspace.buffers[buffer as usize] = Some(value);
            }
        }
        workspace.slots.clear();
        Ok(outputs)
    }
}

impl Workspace {
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
