//! Buffers: each step writes over an input that it is the last to read, or into a buffer of its
//! size that nobody needs any more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use lossgraph_tensor::DType;

use super::steps::{Output, Plan, SharedBuffer, Slot, Step, Work};

/// The type and the number of the elements of a buffer.
type Size = (DType, usize);

/// From so many bytes on, a buffer is shared with other plans; a smaller one stays where it is.
const SHARED: usize = 1 << 12;

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
        let mut is_constant = vec![false; self.slots];
        for &(slot, _) in &self.constants {
            is_constant[slot as usize] = true;
            last_use[base[slot as usize] as usize] = usize::MAX;
        }
        for &slot in &self.outputs {
            last_use[base[slot as usize] as usize] = usize::MAX;
        }
        let mut freed_after: Vec<Vec<Slot>> = vec![Vec::new(); self.steps.len()];
        for slot in 0..self.slots {
            if let Some(list) = freed_after.get_mut(last_use[base[slot] as usize]) {
                list.push(slot as Slot);
            }
        }
        let mut buffer_of: Vec<Option<u32>> = vec![None; self.slots];
        let mut free: HashMap<Size, Vec<u32>> = HashMap::new();
        let mut reads = vec![0; self.slots];
        for (at, step) in self.steps.iter_mut().enumerate() {
            step.inputs.iter().for_each(|&slot| reads[slot as usize] += 1);
            let donated = step.donations(|slot| {
                let unused_after = last_use[slot] == at && !has_view[slot] && reads[slot] == 1;
                let buffer = buffer_of[slot].filter(|_| unused_after)?;
                Some(self.buffers[buffer as usize])
            });
            step.inputs.iter().for_each(|&slot| reads[slot as usize] -= 1);
            let made = if step.is_view() { 0 } else { step.outputs.len() };
            for (output, over) in step.outputs.iter_mut().zip(donated).take(made) {
                let size = (output.dtype, output.shape.numel());
                // A donated buffer is not given back by the input.
                let taken = over.and_then(|input| buffer_of[step.inputs[input] as usize].take());
                let buffer = taken.or_else(|| free.get_mut(&size)?.pop());
                let buffer = buffer.unwrap_or_else(|| {
                    self.buffers.push(size);
                    self.buffers.len() as u32 - 1
                });
                buffer_of[output.slot as usize] = Some(buffer);
                output.buffer = Some(buffer);
                output.over = over;
            }
            step.frees =
                freed_after[at].iter().map(|&slot| (slot, buffer_of[slot as usize])).collect();
            for buffer in step.frees.iter().filter_map(|&(_, buffer)| buffer) {
                free.entry(self.buffers[buffer as usize]).or_default().push(buffer);
            }
        }
        let lasting = (0..self.slots as Slot).filter(|slot| {
            last_use[base[*slot as usize] as usize] == usize::MAX && !is_constant[*slot as usize]
        });
        self.kept = lasting.map(|slot| (slot, buffer_of[slot as usize])).collect();
        self.note_shared_buffers();
    }

    fn note_shared_buffers(&mut self) {
        let bytes = |at: &usize| self.buffers[*at].1 * self.buffers[*at].0.size();
        let mut shared: Vec<usize> =
            (0..self.buffers.len()).filter(|at| bytes(at) >= SHARED).collect();
        shared.sort_by_key(|at| Reverse(bytes(at)));
        self.shared_bytes = shared.iter().map(bytes).sum();
        let mut is_result = vec![false; self.buffers.len()];
        for buffer in self.kept.iter().filter_map(|&(_, buffer)| buffer) {
            is_result[buffer as usize] = true;
        }
        let of = |at: usize| SharedBuffer { buffer: at as u32, is_result: is_result[at] };
        self.shared = shared.into_iter().map(of).collect();
    }
}

impl Step {
    /// For each output the input that it is written over, if there is one. `free` gives the size of
    /// the buffer that is in a slot if nobody needs it after this step.
    fn donations(&self, free: impl Fn(usize) -> Option<Size>) -> Vec<Option<usize>> {
        let mut over = vec![None; self.outputs.len()];
        let Work::Kernel(kernel) = &self.work else { return over };
        let floats = self.split_inputs(&self.inputs).0;
        // Inputs by the place of their last read, outputs by that of their first write: what was
        // read before is there to be written over.
        let read = |(at, &slot): (usize, &Slot)| {
            let size =
                free(slot as usize).filter(|_| kernel.products.binary_search(&at).is_err())?;
            Some((kernel.executable.last_read(at)?, at, size))
        };
        let mut inputs: Vec<(usize, usize, Size)> =
            floats.iter().enumerate().filter_map(read).collect();
        inputs.sort_unstable_by_key(|&(place, ..)| place);
        let mut inputs = inputs.into_iter().peekable();
        let written = |at: usize| Some((kernel.executable.first_write(at)?, at));
        let mut outputs: Vec<(usize, usize)> =
            (0..self.outputs.len()).filter_map(written).collect();
        outputs.sort_unstable();
        let mut read: HashMap<Size, BinaryHeap<Reverse<usize>>> = HashMap::new();
        for (place, at) in outputs {
            while let Some((_, input, size)) = inputs.next_if(|&(last, ..)| last < place) {
                read.entry(size).or_default().push(Reverse(input));
            }
            let Output { dtype, ref shape, .. } = self.outputs[at];
            let first = read.get_mut(&(dtype, shape.numel())).and_then(BinaryHeap::pop);
            over[at] = first.map(|Reverse(input)| input);
        }
        over
    }
}
