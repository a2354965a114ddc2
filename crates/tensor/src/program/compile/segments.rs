//! Strip-mining: which segments of a body run chunk by chunk along wide rows.

use std::collections::HashSet;

use crate::program::Extent;
use crate::program::code::{Executable, Instruction, Operand, Segment, SlotId};

impl Executable {
    /// Cuts the body where a wide row cannot continue chunk by chunk. A chunk stays in the L1 cache
    /// from one micro-op to the next, which a whole row does not.
    pub(super) fn strip_mine(&self, chunk: usize) -> Vec<Segment> {
        let whole = self.tile_rows == 1 && self.tile_columns == self.columns;
        if !whole || self.columns <= 2 * chunk {
            return vec![Segment::new(0..self.body.len(), None)];
        }
        let mut segments: Vec<Segment> = vec![];
        // The row reductions that are complete only at the end of the segment.
        let mut reduced: HashSet<SlotId> = HashSet::new();
        for (at, code) in self.body.iter().enumerate() {
            let waits = |x: &Operand| x.extent == Extent::Rows && reduced.contains(&x.at);
            let (tiled, waits) = match code {
                Instruction::Map1 { extent, .. }
                | Instruction::BroadcastNumber { extent, .. }
                | Instruction::Copy { extent, .. }
                | Instruction::ReduceAll { extent, .. } => (*extent == Extent::Full, false),
                Instruction::Map2 { x, extent, .. } => {
                    (*extent == Extent::Full, x.iter().any(waits))
                }
                Instruction::Map3 { x, extent, .. } => {
                    (*extent == Extent::Full, x.iter().any(waits))
                }
                Instruction::Weighted { x, .. } => (true, x.iter().any(waits)),
                Instruction::BroadcastRows { x, .. } => (true, reduced.contains(x)),
                Instruction::SumRow { .. }
                | Instruction::SumAll { .. }
                | Instruction::Stream { .. }
                | Instruction::ReduceRow { .. }
                | Instruction::ReduceColumns { .. } => (true, false),
                #[cfg(target_arch = "x86_64")]
                Instruction::Kernel(_) => (false, false),
                Instruction::BroadcastColumns { .. }
                | Instruction::Gather { .. }
                | Instruction::Scatter { .. } => (false, false),
            };
            match segments.last_mut() {
                Some(Segment { codes, strip: Some(_), .. }) if tiled && !waits => {
                    codes.end = at + 1;
                }
                _ => {
                    reduced = HashSet::new();
                    let strip = tiled.then_some([1, chunk]);
                    segments.push(Segment::new(at..at + 1, strip));
                }
            }
            if let Instruction::ReduceRow { out, .. } | Instruction::SumRow { out, .. } = code {
                reduced.insert(*out);
            }
        }
        segments
    }
}
