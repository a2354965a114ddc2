//! Contiguous lines side by side: pieces of some lines are transposed, so that a vector holds one
//! element of each. What comes next along a line waits for what was before, but not for other lines.

use super::Direction;
use crate::Elem;
use crate::kernels::transpose::transpose;

/// How many lines go side by side.
pub(super) const LINES: usize = 16;

/// How many elements of each line are transposed at a time, a multiple of four: the pieces of two
/// operands stay in the first cache.
const PIECE: usize = 64;

/// Calls `work` with pieces of [`LINES`] lines of inputs and of `out`, which it writes to, in the order
/// of a direction. A piece has a row for each step along the lines, with an element of each line.
///
/// Lines have `steps` elements, and start `len` elements from each other.
pub(super) fn in_pieces<T: Elem, const N: usize>(
    inputs: [&[T]; N],
    out: &mut [T],
    [steps, len]: [usize; 2],
    direction: Direction,
    mut work: impl FnMut([&[T]; N], &mut [T]),
) {
    let mut pieces = [[T::ZERO; LINES * PIECE]; N];
    let (mut piece, mut lines) = ([T::ZERO; LINES * PIECE], [T::ZERO; LINES * PIECE]);
    for done in (0..steps).step_by(PIECE) {
        let columns = PIECE.min(steps - done);
        let from = match direction {
            Direction::Forward => done,
            Direction::Reverse => steps - done - columns,
        };
        let size = LINES * columns;
        for (x, piece) in inputs.into_iter().zip(&mut pieces) {
            transpose(&x[from..], len, [LINES, columns], &mut piece[..size]);
        }
        transpose(&out[from..], len, [LINES, columns], &mut piece[..size]);
        work(pieces.each_ref().map(|piece| &piece[..size]), &mut piece[..size]);
        transpose(&piece, LINES, [columns, LINES], &mut lines[..size]);
        for (line, out) in lines[..size].chunks_exact(columns).zip(out[from..].chunks_mut(len)) {
            out[..columns].copy_from_slice(line);
        }
    }
}
