//! Strip-mining: which segments of a body run chunk by chunk along wide rows.

use crate::program::Extent;
use crate::program::code::{Code, Executable, Operand, Segment, SlotId, Span};

impl Executable {
    /// Cuts the body where a wide row cannot continue chunk by chunk. A chunk stays in the L1 cache
    /// from one micro-op to the next, which a whole row does not.
    pub(super) fn strip_mine(&self) -> Vec<Segment> {
        let wide = self.tile_rows == 1
            && self.tile_columns == self.columns
            && self.columns > 2 * self.chunk;
        if !wide {
            return vec![Segment { codes: 0..self.body.len(), strip_mined: false }];
        }
        let mut segments: Vec<Segment> = vec![];
        // The row reductions that are complete only at the end of the segment.
        let mut reduced: Vec<SlotId> = vec![];
        for (at, code) in self.body.iter().enumerate() {
            let waits = |x: &Operand| x.extent == Extent::Rows && reduced.contains(&x.at);
            let (tiled, waits) = match code {
                Code::Map1 { span, .. }
                | Code::BroadcastNumber { span, .. }
                | Code::Copy { span, .. }
                | Code::ReduceAll { span, .. } => (*span == Span::Tile, false),
                Code::Map2 { x, span, .. } => (*span == Span::Tile, x.iter().any(waits)),
                Code::Map3 { x, span, .. } => (*span == Span::Tile, x.iter().any(waits)),
                Code::Weighted { x, .. } => (true, x.iter().any(waits)),
                Code::BroadcastRows { x, .. } => (true, reduced.contains(x)),
                Code::SumRow { .. }
                | Code::SumAll { .. }
                | Code::Stream { .. }
                | Code::ReduceRow { .. }
                | Code::ReduceColumns { .. } => (true, false),
                Code::BroadcastColumns { .. } | Code::Gather { .. } | Code::Scatter { .. } => {
                    (false, false)
                }
            };
            match segments.last_mut() {
                Some(Segment { codes, strip_mined: true }) if tiled && !waits => {
                    codes.end = at + 1;
                }
                _ => {
                    reduced.clear();
                    segments.push(Segment { codes: at..at + 1, strip_mined: tiled });
                }
            }
            if let Code::ReduceRow { out, .. } | Code::SumRow { out, .. } = code {
                reduced.push(*out);
            }
        }
        segments
    }
}
