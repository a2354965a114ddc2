//! Buffers: each step writes over an input that it is the last to read, or into a buffer of its
//! size that nobody needs any more.

use super::steps::{Output, Plan, Slot, Step, Work};

impl Plan {
    pub(super) fn assign_buffers(&mut self) {
        // A view lives as long as what it looks at, its base, and the other way round.
        let mut base: Vec<Slot> = (0..self.slots as Slot).collect();
        let mut has_view = vec![false; self.slots];
        for step in self.steps.iter().filter(|step| step.is_view()) {
            let of = base[step.inputs[0] as usize];
            base[step.outputs[0].slot as usize] = of;
            has_view[of as usize] = true;
        }
        // The step after which a base, with all views of it, is not read any more. What was
        // requested stays until the end, and constants from run to run.
        let mut last_use: Vec<usize> = vec![0; self.slots];
        for (at, step) in self.steps.iter().enumerate() {
            let outputs = step.outputs.iter().map(|output| output.slot);
            for slot in step.inputs.iter().copied().chain(outputs) {
                last_use[base[slot as usize] as usize] = at;
            }
        }
        let constants: Vec<Slot> = self.constants.iter().map(|&(slot, _)| slot).collect();
        for &slot in self.outputs.iter().chain(&constants) {
            last_use[base[slot as usize] as usize] = usize::MAX;
        }
        let mut freed_after: Vec<Vec<Slot>> = vec![Vec::new(); self.steps.len()];
        for slot in 0..self.slots {
            if let Some(list) = freed_after.get_mut(last_use[base[slot] as usize]) {
                list.push(slot as Slot);
            }
        }
        let mut buffer_of: Vec<Option<u32>> = vec![None; self.slots];
        let mut free: Vec<u32> = Vec::new();
        for (at, step) in self.steps.iter_mut().enumerate() {
            let made = if step.is_view() { 0 } else { step.outputs.len() };
            for output in 0..made {
                let Output { slot, dtype, ref shape, .. } = step.outputs[output];
                let size = (dtype, shape.numel());
                let unused_after = |slot: usize| last_use[slot] == at && !has_view[slot];
                let fits = |buffer: u32| self.buffers[buffer as usize] == size;
                let over = (0..step.inputs.len()).find(|&input| {
                    let slot = step.inputs[input] as usize;
                    unused_after(slot)
                        && buffer_of[slot].is_some_and(fits)
                        && step.may_overwrite(output, input)
                });
                // A donated buffer is not given back by the input.
                let taken = over.and_then(|input| buffer_of[step.inputs[input] as usize].take());
                let buffer = taken.or_else(|| {
                    let position = free.iter().position(|&buffer| fits(buffer))?;
                    Some(free.swap_remove(position))
                });
                let buffer = buffer.unwrap_or_else(|| {
                    self.buffers.push(size);
                    self.buffers.len() as u32 - 1
                });
                buffer_of[slot as usize] = Some(buffer);
                step.outputs[output].buffer = Some(buffer);
                step.outputs[output].over = over;
            }
            step.frees =
                freed_after[at].iter().map(|&slot| (slot, buffer_of[slot as usize])).collect();
            free.extend(step.frees.iter().filter_map(|&(_, buffer)| buffer));
        }
        let lasting = (0..self.slots as Slot).filter(|slot| {
            last_use[base[*slot as usize] as usize] == usize::MAX && !constants.contains(slot)
        });
        self.kept = lasting.map(|slot| (slot, buffer_of[slot as usize])).collect();
    }
}

impl Step {
    /// Whether one of its outputs may be written over one of its inputs.
    fn may_overwrite(&self, output: usize, input: usize) -> bool {
        let floats = self.split_inputs(&self.inputs).0.len();
        matches!(&self.work, Work::Kernel(kernel)
            if input < floats
                && !kernel.products.contains(&input)
                && kernel.executable.may_overwrite(output, input))
    }
}
