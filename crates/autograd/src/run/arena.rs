//! The buffers of a thread: the plan that runs has them, and the next one takes them over.

use std::collections::BTreeMap;

use lossgraph_tensor::{DType, Tensor};

use crate::plan::Plan;
use crate::run::executor::Workspace;

/// Buffers that no plan holds, by their bytes and type.
#[derive(Default)]
pub(super) struct Arena {
    free: BTreeMap<(usize, u8), Vec<Tensor>>,
    bytes: usize,
}

impl Arena {
    /// How many bytes the free buffers have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hands buffers to a plan that is about to run: to each the smallest that fits. What it holds
    /// and what stays free are together at most `limit` bytes, or what it needs, if that is more.
    pub fn lend(&mut self, plan: &Plan, workspace: &mut Workspace, limit: usize) {
        let mut spare = limit.saturating_sub(plan.shared_bytes);
        // The largest come first, so that no small one takes what a large one could use.
        for shared in &plan.shared {
            let (dtype, len) = plan.buffers[shared.buffer as usize];
            let larger = if shared.is_result { 0 } else { spare / dtype.size() };
            if let Some(buffer) = self.take(dtype, len, len.saturating_add(larger)) {
                spare -= (buffer.buffer_len() - len) * dtype.size();
                workspace.buffers[shared.buffer as usize] = Some(buffer);
            }
        }
        self.shrink(spare);
    }

    /// Frees buffers, the longest first, until what is left is at most so many bytes.
    pub fn shrink(&mut self, most: usize) {
        while self.bytes > most {
            let longest = self.free.pop_last();
            self.bytes -= longest.iter().flat_map(|(_, buffers)| buffers).map(bytes).sum::<usize>();
        }
    }

    /// Takes the buffers of a plan that does not run, but for those that somebody else holds too.
    pub fn take_back(&mut self, plan: &Plan, workspace: &mut Workspace) {
        for shared in &plan.shared {
            let held = workspace.buffers.get_mut(shared.buffer as usize).and_then(Option::take);
            if let Some(buffer) = held.filter(Tensor::is_unique) {
                let key = (bytes(&buffer), buffer.dtype() as u8);
                self.bytes += bytes(&buffer);
                self.free.entry(key).or_default().push(buffer);
            }
        }
    }

    /// The smallest free buffer with so many elements, up to so many.
    fn take(&mut self, dtype: DType, from: usize, to: usize) -> Option<Tensor> {
        let [from, to] = [from, to].map(|len| (len.saturating_mul(dtype.size()), dtype as u8));
        let mut fitting = self.free.range(from..=to).map(|(&key, _)| key);
        let key = fitting.find(|&(_, other)| other == dtype as u8)?;
        let buffers = self.free.get_mut(&key)?;
        let buffer = buffers.pop();
        if buffers.is_empty() {
            self.free.remove(&key);
        }
        self.bytes -= buffer.as_ref().map_or(0, bytes);
        buffer
    }
}

/// How many bytes the buffer of a tensor has.
pub(super) fn bytes(tensor: &Tensor) -> usize {
    tensor.buffer_len() * tensor.dtype().size()
}
