//! How the iteration space is cut into tiles, strips and tasks: by shape alone, so that results do not
//! depend on the number of threads.

use crate::program::{Extent, Micro, Program, Value};

/// The bytes of a register, which holds a tile of a value. Some of them have to fit the L1 cache
/// together, and a micro-op should run long enough to pay for its dispatch.
pub(super) const TILE_BYTES: usize = 12 << 10;

/// The bytes of a value in a strip, where loops are distributed.
pub(super) const STRIP_BYTES: usize = 6 << 10;

/// The bytes of a value in a tile then: the L2 cache holds several of them. And how many rows such a
/// tile has at least.
const KEPT_BYTES: usize = 64 << 10;
pub(super) const LEAST_ROWS: usize = 32;

/// How many points a task has at least, and how many tasks there are at most, whatever the number
/// of threads: fewer where each has accumulators of its own for all columns, which one thread adds up.
const MIN_TASK: usize = 1 << 14;
const MAX_TASKS: usize = 64;
const MAX_TASKS_OF_COLUMNS: usize = 16;

/// How the iteration space is cut.
pub(super) struct Cut {
    pub tile_rows: usize,
    pub tile_columns: usize,
    pub strip_rows: usize,
    pub tiles: usize,
    pub tasks: usize,
}

impl Cut {
    pub fn of(program: &Program, is_distributed: bool) -> Cut {
        let (rows, columns) = program.space();
        // A value with one element for each row is computed by one task, from the whole row.
        let by_row = |x: &Value| program.extent(*x) == Extent::Rows;
        let whole_rows = program.outputs.iter().any(by_row)
            || program.defs.iter().any(|def| match &def.micro {
                Micro::ReduceRow(..) | Micro::Gather(..) | Micro::Scatter(..) => true,
                Micro::ReduceAll(_, x) => by_row(x),
                _ => false,
            });
        let size = program.element_bytes();
        let tile = TILE_BYTES / size;
        let tile_columns = if whole_rows { columns } else { columns.min(tile) };
        let (tile_rows, strip_rows) = if is_distributed {
            let strip_rows = (STRIP_BYTES / size / columns).clamp(1, rows);
            let tile_rows = (KEPT_BYTES / size / columns).max(LEAST_ROWS);
            (tile_rows.next_multiple_of(strip_rows).min(rows), strip_rows)
        } else {
            let tile_rows = (tile / columns.max(1)).clamp(1, rows.max(1));
            (tile_rows, tile_rows)
        };
        let tiles = rows.div_ceil(tile_rows) * columns.div_ceil(tile_columns.max(1));
        let reduces_columns =
            program.defs.iter().any(|def| matches!(def.micro, Micro::ReduceColumns(..)));
        let most = if reduces_columns { MAX_TASKS_OF_COLUMNS } else { MAX_TASKS };
        let tasks = (rows * columns / MIN_TASK).clamp(1, most).min(tiles.max(1));
        Cut { tile_rows, tile_columns, strip_rows, tiles, tasks }
    }
}
