//! Buffers: each step writes into one of its size that nobody needs any more.

use super::{Plan, Slot};

impl Plan {
    pub(super) fn assign_buffers(&mut self) {
        // A view lives as long as what it looks at, its base, and the other way round.
        let mut base: Vec<Slot> = (0..self.slots as Slot).collect();
        for step in self.steps.iter().filter(|step| step.is_view()) {
            base[step.outputs[0].slot as usize] = base[step.inputs[0] as usize];
        }
        // The step after which a base, with all views of it, is not read any more. What was asked
        // for stays until the end, and constants from run to run.
        let mut dies: Vec<usize> = vec![0; self.slots];
        for (at, step) in self.steps.iter().enumerate() {
            let outputs = step.outputs.iter().map(|output| output.slot);
            for slot in step.inputs.iter().copied().chain(outputs) {
                dies[base[slot as usize] as usize] = at;
            }
        }
        let constants: Vec<Slot> = self.constants.iter().map(|&(slot, _)| slot).collect();
        for &slot in self.outputs.iter().chain(&constants) {
            dies[base[slot as usize] as usize] = usize::MAX;
        }
        let mut dying: Vec<Vec<Slot>> = vec![Vec::new(); self.steps.len()];
        for slot in 0..self.slots {
            if let Some(list) = dying.get_mut(dies[base[slot] as usize]) {
                list.push(slot as Slot);
            }
        }
        let mut buffer_of: Vec<Option<u32>> = vec![None; self.slots];
        let mut free: Vec<u32> = Vec::new();
        for (at, step) in self.steps.iter_mut().enumerate() {
            if !step.is_view() {
                for output in &mut step.outputs {
                    let size = (output.dtype, output.shape.len());
                    let fits = free.iter().position(|&b| self.buffers[b as usize] == size);
                    let buffer = fits.map(|place| free.swap_remove(place)).unwrap_or_else(|| {
                        self.buffers.push(size);
                        self.buffers.len() as u32 - 1
                    });
                    output.buffer = Some(buffer);
                    buffer_of[output.slot as usize] = Some(buffer);
                }
            }
            step.frees = dying[at].iter().map(|&slot| (slot, buffer_of[slot as usize])).collect();
            free.extend(step.frees.iter().filter_map(|&(_, buffer)| buffer));
        }
        let lasting = (0..self.slots as Slot).filter(|slot| {
            dies[base[*slot as usize] as usize] == usize::MAX && !constants.contains(slot)
        });
        self.kept = lasting.map(|slot| (slot, buffer_of[slot as usize])).collect();
    }
}
