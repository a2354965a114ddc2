//! Which parts of a body run piece by piece along wide rows.

use std::ops::Range;

use crate::program::Extent;
use crate::program::code::{Code, Executable, Operand, SlotId, Span};

impl Executable {
    /// Cuts the body where a wide row cannot go on piece by piece: such a piece stays in the first
    /// cache from one micro-op to the next, which a whole row does not.
    pub(super) fn cut(&self) -> Vec<(Range<usize>, bool)> {
        let wide = self.tile_rows == 1
            && self.tile_columns == self.columns
            && self.columns > 2 * self.piece;
        if !wide {
            return vec![(0..self.body.len(), false)];
        }
        let mut segments: Vec<(Range<usize>, bool)> = vec![];
        // The folds of rows that are complete only at the end of the segment.
        let mut folded: Vec<SlotId> = vec![];
        for (at, code) in self.body.iter().enumerate() {
            let waits = |x: &Operand| x.extent == Extent::Rows && folded.contains(&x.at);
            let (tiled, waits) = match code {
                Code::Map1 { span, .. }
                | Code::BroadcastNumber { span, .. }
                | Code::Copy { span, .. }
                | Code::ReduceAll { span, .. } => (*span == Span::Tile, false),
                Code::Map2 { x, span, .. } => (*span == Span::Tile, x.iter().any(waits)),
                Code::Map3 { x, span, .. } => (*span == Span::Tile, x.iter().any(waits)),
                Code::Weighted { x, .. } => (true, x.iter().any(waits)),
                Code::BroadcastRows { x, .. } => (true, folded.contains(x)),
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
                Some((range, true)) if tiled && !waits => range.end = at + 1,
                _ => {
                    folded.clear();
                    segments.push((at..at + 1, tiled));
                }
            }
            if let Code::ReduceRow { out, .. } | Code::SumRow { out, .. } = code {
                folded.push(*out);
            }
        }
        segments
    }
}
