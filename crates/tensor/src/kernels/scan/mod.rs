//! Scans along an axis: cumulative sums and products, and in files of their own cumulative extremes and
//! linear recurrences.

mod accumulated;
mod extreme;
mod lines;
mod recurrence;

use accumulated::{Accumulated, Product, Sum};
pub use extreme::arg_cumulative;
use lines::{LINES, in_pieces};
pub use recurrence::recurrence;

use super::nditer::Packer;
use super::simd::dispatch;
use super::threads::parallel_chunks_mut;
use super::{CHUNK, copy, input, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{Elem, Result, Tensor};

/// How many totals go along the axis side by side: they stay in the first cache.
const COLUMNS: usize = 1024;

/// The direction of a scan along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the start of the axis to its end.
    Forward,
    /// From the end of the axis to its start.
    Reverse,
}

impl Direction {
    /// The other one: that of the transposed scan.
    pub fn reversed(self) -> Direction {
        match self {
            Direction::Forward => Direction::Reverse,
            Direction::Reverse => Direction::Forward,
        }
    }
}

/// The cumulative (inclusive) sum along an axis. Its error does not grow along the axis.
pub fn cumsum(x: &Tensor, axis: usize, direction: Direction, out: &mut Tensor) -> Result<()> {
    with_elem!(out.dtype(), T => accumulate::<T, Sum>("cumsum", x, axis, direction, out))
}

/// The cumulative (inclusive) product along an axis.
pub fn cumprod(x: &Tensor, axis: usize, out: &mut Tensor) -> Result<()> {
    let direction = Direction::Forward;
    with_elem!(out.dtype(), T => accumulate::<T, Product>("cumprod", x, axis, direction, out))
}

fn accumulate<T: Elem, A: Accumulated<T>>(
    operation: &'static str,
    x: &Tensor,
    axis: usize,
    direction: Direction,
    out: &mut Tensor,
) -> Result<()> {
    let [_, len, inner] = outer_dim_inner(operation, x.shape(), axis)?;
    let out = output::<T>(operation, out, x.shape())?;
    let packer = packer(operation, x, out)?;
    if inner == 1 {
        each_group(out, len, packer.as_ref(), |_, lines| {
            along_lines::<T, A>(lines, len, direction)
        });
    } else {
        each_slab(out, len * inner, packer.as_ref(), |_, slab| {
            along_rows::<T, A>(slab, inner, direction);
        });
    }
    Ok(())
}

/// What fills an output with the elements of a tensor, for tasks that fill a part each and go on with
/// it in the cache. Elements that are found one by one are all written at once.
fn packer<'a, T: Elem>(
    operation: &'static str,
    x: &'a Tensor,
    out: &mut [T],
) -> Result<Option<Packer<'a, T>>> {
    let packer = Packer::new(input::<T>(operation, x)?, x.layout());
    if packer.has_long_rows() {
        return Ok(Some(packer));
    }
    copy::into_slice(x, out);
    Ok(None)
}

/// Calls `work` with up to [`LINES`] contiguous lines of `out` and the number of their first element,
/// some groups of lines to a task.
fn each_group<T: Elem>(
    out: &mut [T],
    len: usize,
    packer: Option<&Packer<'_, T>>,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    let group = LINES * len;
    let task = if group <= CHUNK { CHUNK / group * group } else { (CHUNK / len).max(1) * len };
    parallel_chunks_mut(out, task, |nth, out| {
        if let Some(packer) = packer {
            packer.pack(nth * task, out);
        }
        for (group_nth, lines) in out.chunks_mut(group).enumerate() {
            work(nth * task + group_nth * group, lines);
        }
    });
}

/// Along each of a few contiguous lines.
fn along_lines<T: Elem, A: Accumulated<T>>(lines: &mut [T], len: usize, direction: Direction) {
    if lines.len() < LINES * len {
        return side_by_side::<T, A>(lines, len, direction);
    }
    let mut totals = [A::START; LINES];
    in_pieces([], lines, [len, len], direction, |[], piece| {
        next_steps::<T, A>(&mut totals, piece, direction);
    });
}

/// The next elements of each line, a row for each step.
fn next_steps<T: Elem, A: Accumulated<T>>(
    totals: &mut [A::Total; LINES],
    piece: &mut [T],
    direction: Direction,
) {
    #[inline(always)]
    fn step<T: Elem, A: Accumulated<T>>(totals: &mut [A::Total; LINES], row: &mut [T; LINES]) {
        for (total, x) in totals.iter_mut().zip(row) {
            *total = A::with(*total, *x);
            *x = A::rounded(*total);
        }
    }
    #[inline(always)]
    fn plain<T: Elem, A: Accumulated<T>>(
        totals: &mut [A::Total; LINES],
        piece: &mut [T],
        direction: Direction,
    ) {
        let (rows, _) = piece.as_chunks_mut::<LINES>();
        // Loops, and no closures, which are not always compiled with the widest vectors.
        if direction == Direction::Reverse {
            for row in rows.iter_mut().rev() {
                step::<T, A>(totals, row);
            }
            return;
        }
        let (fours, rest) = rows.as_chunks_mut::<4>();
        for [a, b, c, d] in fours {
            for (i, total) in totals.iter_mut().enumerate() {
                let mut four = [a[i], b[i], c[i], d[i]];
                *total = A::with_four(*total, &mut four);
                [a[i], b[i], c[i], d[i]] = four;
            }
        }
        for row in rest {
            step::<T, A>(totals, row);
        }
    }
    dispatch!(<T: Elem, A: Accumulated<T>>
    (totals: &mut [A::Total; LINES], piece: &mut [T], direction: Direction) {
        plain::<T, A>(totals, piece, direction)
    })
}

/// Along each of fewer lines, four elements of each at a time.
fn side_by_side<T: Elem, A: Accumulated<T>>(lines: &mut [T], len: usize, direction: Direction) {
    let mut totals = [A::START; LINES];
    let totals = &mut totals[..lines.len() / len];
    let whole = len - len % 4;
    let rest = match direction {
        Direction::Forward => whole..len,
        Direction::Reverse => 0..len - whole,
    };
    for step in 0..whole / 4 {
        let start = match direction {
            Direction::Forward => 4 * step,
            Direction::Reverse => len - 4 * (step + 1),
        };
        for (nth, total) in totals.iter_mut().enumerate() {
            let at = nth * len + start;
            let Some(four) = lines[at..].first_chunk_mut::<4>() else { break };
            if direction == Direction::Reverse {
                four.reverse();
            }
            *total = A::with_four(*total, four);
            if direction == Direction::Reverse {
                four.reverse();
            }
        }
    }
    for (nth, total) in totals.iter_mut().enumerate() {
        let line = &mut lines[nth * len..][rest.clone()];
        for step in rows_in(direction, line.len()) {
            *total = A::with(*total, line[step]);
            line[step] = A::rounded(*total);
        }
    }
}

/// Calls `work` with each slab of `out` and its number, some slabs to a task.
fn each_slab<T: Elem>(
    out: &mut [T],
    slab: usize,
    packer: Option<&Packer<'_, T>>,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    let slabs = (CHUNK / slab).max(1);
    parallel_chunks_mut(out, slabs * slab, |task, out| {
        if let Some(packer) = packer {
            packer.pack(task * slabs * slab, out);
        }
        for (nth, out) in out.chunks_exact_mut(slab).enumerate() {
            work(task * slabs + nth, out);
        }
    });
}

/// The numbers of rows, in the order of a direction.
fn rows_in(direction: Direction, rows: usize) -> impl Iterator<Item = usize> {
    (0..rows).map(move |step| match direction {
        Direction::Forward => step,
        Direction::Reverse => rows - step - 1,
    })
}

/// Rows of `inner` elements, each of which is added to those before it.
fn along_rows<T: Elem, A: Accumulated<T>>(slab: &mut [T], inner: usize, direction: Direction) {
    let rows = slab.len() / inner;
    let mut totals = vec![A::START; inner.min(COLUMNS)];
    for column in (0..inner).step_by(COLUMNS) {
        let totals = &mut totals[..COLUMNS.min(inner - column)];
        totals.fill(A::START);
        for row in rows_in(direction, rows) {
            let start = row * inner + column;
            let row = &mut slab[start..start + totals.len()];
            next_row::<T, A>(totals, row);
        }
    }
}

fn next_row<T: Elem, A: Accumulated<T>>(totals: &mut [A::Total], row: &mut [T]) {
    #[inline(always)]
    fn plain<T: Elem, A: Accumulated<T>>(totals: &mut [A::Total], row: &mut [T]) {
        for (total, x) in totals.iter_mut().zip(row) {
            *total = A::with(*total, *x);
            *x = A::rounded(*total);
        }
    }
    dispatch!(<T: Elem, A: Accumulated<T>> (totals: &mut [A::Total], row: &mut [T]) {
        plain::<T, A>(totals, row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn running(x: &Tensor, axis: usize, direction: Direction) -> Vec<f64> {
        let mut out = Tensor::zeros(x.shape().clone(), x.dtype()).unwrap();
        cumsum(x, axis, direction, &mut out).unwrap();
        out.to_f64s()
    }

    #[test]
    fn cumulative_sums_go_both_ways() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        assert_eq!(running(&x, 0, Direction::Forward), [1.0, 2.0, 4.0, 6.0, 9.0, 12.0]);
        assert_eq!(running(&x, 0, Direction::Reverse), [9.0, 12.0, 8.0, 10.0, 5.0, 6.0]);
        assert_eq!(running(&x, 1, Direction::Forward), [1.0, 3.0, 3.0, 7.0, 5.0, 11.0]);
        assert_eq!(
            running(&x.t().unwrap(), 1, Direction::Forward),
            [1.0, 4.0, 9.0, 2.0, 6.0, 12.0]
        );
    }

    #[test]
    fn a_cumulative_sum_of_twenty_million_ones_counts_them() {
        let ones = Tensor::filled_view([20_000_000], 1.0, DType::F32).unwrap();
        for direction in [Direction::Forward, Direction::Reverse] {
            let mut out = Tensor::zeros([20_000_000], DType::F32).unwrap();
            cumsum(&ones, 0, direction, &mut out).unwrap();
            let out = out.as_slice::<f32>().unwrap();
            let (first, last) = (out[0], out[19_999_999]);
            let ends = if direction == Direction::Forward { [first, last] } else { [last, first] };
            assert_eq!(ends, [1.0, 2e7]);
        }
    }

    #[test]
    fn every_partial_sum_is_as_exact_as_the_first() {
        for inner in [1_usize, 3] {
            // Signs that change, so that sums stay small beside their terms.
            let terms: Vec<i64> = (0..300_000).map(|i| (i * 7919 % 1001) - 500).collect();
            let sums = |dtype| {
                let x = Tensor::new([300_000 / inner, inner], terms.clone()).unwrap();
                let tenths = (x.to_dtype(DType::F64) * 0.1).unwrap();
                running(&tenths.to_dtype(dtype), 0, Direction::Forward)
            };
            let (single, double) = (sums(DType::F32), sums(DType::F64));
            let mut exact = vec![0_i64; inner];
            for (i, term) in terms.iter().enumerate() {
                exact[i % inner] += term;
                let expected = exact[i % inner] as f64 * 0.1;
                assert!((double[i] - expected).abs() < 1e-10, "{} against {expected}", double[i]);
                assert!((single[i] - expected).abs() < 0.1, "{} against {expected}", single[i]);
            }
        }
    }

    #[test]
    fn lines_side_by_side_have_the_bits_of_each_alone() {
        for len in [1, 3, 64, 66, 131] {
            let lines = 2 * LINES + 3;
            let factors = (0..lines * len).map(|i| 0.75 + (i * 37 % 101) as f32 / 200.0).collect();
            let x = Tensor::new([lines, len], factors).unwrap();
            let scans: [fn(&Tensor, &mut Tensor) -> Result<()>; 3] = [
                |x, out| cumprod(x, 1, out),
                |x, out| cumsum(x, 1, Direction::Forward, out),
                |x, out| cumsum(x, 1, Direction::Reverse, out),
            ];
            for scan in scans {
                let mut out = Tensor::zeros([lines, len], DType::F32).unwrap();
                scan(&x, &mut out).unwrap();
                for i in 0..lines {
                    let mut alone = Tensor::zeros([1, len], DType::F32).unwrap();
                    scan(&x.slice(0, i..=i).unwrap(), &mut alone).unwrap();
                    assert_eq!(out.slice(0, i..=i).unwrap(), alone, "line {i} of {len} elements");
                }
            }
        }
    }

    #[test]
    fn integers_are_added_up_as_integers() {
        let x = Tensor::from([i64::MAX - 1, 1, 1]);
        let mut out = Tensor::zeros([3], DType::I64).unwrap();
        cumsum(&x, 0, Direction::Forward, &mut out).unwrap();
        assert_eq!(out, Tensor::from([i64::MAX - 1, i64::MAX, i64::MIN]));
    }

    #[test]
    fn products_of_every_length_are_those_one_by_one() {
        let factors: Vec<f32> = (0..11).map(|i| 0.5 + i as f32 * 0.125).collect();
        for len in 0..11 {
            let x = Tensor::new([len], factors[..len].to_vec()).unwrap();
            let mut out = Tensor::zeros([len], DType::F32).unwrap();
            cumprod(&x, 0, &mut out).unwrap();
            let mut product = 1.0_f64;
            for (got, factor) in out.to_f64s().iter().zip(&factors) {
                product *= f64::from(*factor);
                assert!((got - product).abs() <= 1e-7 * product);
            }
        }
        let wide = Tensor::from([[2_i64, 3], [4, 5], [i64::MAX, -1]]);
        let mut out = Tensor::zeros([3, 2], DType::I64).unwrap();
        cumprod(&wide, 0, &mut out).unwrap();
        assert_eq!(out, Tensor::from([[2_i64, 3], [8, 15], [-8, -15]]));
    }

    #[test]
    fn nothing_has_no_sums() {
        let x = Tensor::zeros([2, 0, 3], DType::F32).unwrap();
        assert!(running(&x, 1, Direction::Forward).is_empty());
        assert!(running(&x, 0, Direction::Reverse).is_empty());
    }
}
