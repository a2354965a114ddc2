//! Running a plan, step by step.

use lossgraph_tensor::Tensor;
use lossgraph_tensor::program::Binding;
use smallvec::SmallVec;

use crate::ops::op::Op;
use crate::plan::{Plan, Slot, Step, Work};
use crate::record::node::Id;

/// The memory of a plan: its large buffers are those of whichever plan runs.
#[derive(Default)]
pub(crate) struct Workspace {
    slots: Vec<Option<Tensor>>,
    pub(super) buffers: Vec<Option<Tensor>>,
    /// What the step at work writes to.
    outputs: Vec<Tensor>,
}

/// What went wrong in which node of the requesting tape.
pub(crate) struct StepError {
    pub origin: Id,
    pub error: Box<lossgraph_tensor::Error>,
}

impl Plan {
    /// Computes what the plan was made for, in a workspace that is prepared for it. `input` gives the
    /// data of a leaf, a known value, or a number that the plan is given.
    pub(crate) fn run<'a>(
        &self,
        workspace: &mut Workspace,
        input: impl Fn(Id) -> Option<&'a Tensor>,
    ) -> Result<Vec<Tensor>, StepError> {
        for &(id, slot) in &self.inputs {
            workspace.slots[slot as usize] = input(id).cloned();
        }
        for step in &self.steps {
            if let Err(failed) = workspace.run(step) {
                workspace.slots.clear();
                return Err(failed);
            }
            workspace.free(&step.frees);
        }
        let value = |slot: &Slot| workspace.slots[*slot as usize].clone();
        let outputs = self.outputs.iter().filter_map(value).collect();
        // The buffers of the results come back as well: to be used once the caller has dropped them.
        workspace.free(&self.kept);
        Ok(outputs)
    }
}

impl Workspace {
    /// Between runs, all slots are empty but those of constants.
    pub(super) fn prepare(&mut self, plan: &Plan) {
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

    fn run(&mut self, step: &Step) -> Result<(), StepError> {
        let failed = |error| StepError { origin: step.origin, error: Box::new(error) };
        if let Work::Op(Op::View(view)) = &step.work {
            let output = &step.outputs[0];
            if let Some(of) = &self.slots[step.inputs[0] as usize] {
                let value = view.of(of, &output.shape).map_err(failed)?;
                self.slots[output.slot as usize] = Some(value);
            }
            return Ok(());
        }
        self.outputs.clear();
        for output in &step.outputs {
            let free = match (output.over, output.buffer) {
                (Some(input), _) => {
                    self.slots[step.inputs[input] as usize].take_if(|value| value.is_unique())
                }
                (None, Some(buffer)) => self.buffers[buffer as usize].take(),
                (None, None) => None,
            };
            // A result that the caller still holds is not written to again.
            self.outputs.push(match free.and_then(|free| free.recycled(&output.shape)) {
                Some(free) => free,
                None => Tensor::zeros(output.shape.clone(), output.dtype).map_err(failed)?,
            });
        }
        let (slots, outputs) = (&self.slots, &mut self.outputs[..]);
        let held = |&slot: &Slot| slots[slot as usize].as_ref();
        match &step.work {
            Work::Op(op) => {
                let inputs: SmallVec<[&Tensor; 8]> = step.inputs.iter().filter_map(held).collect();
                op.compute(&inputs, &mut outputs[0]).map_err(failed)?;
            }
            Work::Kernel(kernel) => {
                let (floats, indices, second) = step.split_inputs(&step.inputs);
                let mut given: SmallVec<[Option<Binding<'_>>; 8]> =
                    floats.iter().map(|slot| held(slot).map(Binding::Tensor)).collect();
                for (nth, &at) in kernel.products.iter().enumerate() {
                    let factors = held(&floats[at]).zip(held(&second[nth]));
                    given[at] = factors.map(|(a, b)| Binding::Product([a, b]));
                }
                for (nth, output) in step.outputs.iter().enumerate() {
                    // What is written over was taken out of its slot.
                    if let Some(at) = output.over {
                        given[at].get_or_insert(Binding::Output(nth));
                    }
                }
                let floats: SmallVec<[Binding<'_>; 8]> = given.into_iter().flatten().collect();
                let indices: SmallVec<[&Tensor; 2]> = indices.iter().filter_map(held).collect();
                kernel.executable.run(&floats, &indices, outputs).map_err(|failure| {
                    let origin = failure.tag.unwrap_or(step.origin);
                    StepError { origin, error: failure.error }
                })?;
            }
        }
        for (output, value) in step.outputs.iter().zip(self.outputs.drain(..)) {
            self.slots[output.slot as usize] = Some(value);
        }
        Ok(())
    }
}
