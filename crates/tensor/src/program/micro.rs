//! The loops of micro-ops that are not maps: reductions, broadcasts along rows, streaming copies.

use crate::kernels::accumulate::Compensated;
use crate::kernels::loops::rows::{Elements, Number, Read, rows_of};
use crate::kernels::loops::sums::sums;
use crate::kernels::reduce::{Combine, SHORT, combine, identity, lanes, with_reduce};
use crate::kernels::simd::dispatch;
use crate::kernels::{ReduceOp, Strip};
use crate::{DType, Float};

/// How elements are combined, and what they are accumulated in.
trait Combines<T>: Combine<T> + Combine<f64> {}

impl<T, C: Combine<T> + Combine<f64>> Combines<T> for C {}

/// The reduction of all elements of a tile.
pub(super) fn reduce_all<T: Float>(op: ReduceOp, x: &[T]) -> T {
    let mut out = [T::ZERO];
    reduce_rows(op, x, x.len(), &mut out);
    out[0]
}

/// The reduction of each row of a tile.
pub(super) fn reduce_rows<T: Float>(op: ReduceOp, x: &[T], columns: usize, out: &mut [T]) {
    if op == ReduceOp::Sum && columns >= SHORT {
        return sums(x, columns, out);
    }
    with_reduce!(op, rows::<T>(x, columns, out));
}

fn rows<T: Float, C: Combines<T>>(x: &[T], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<T: Float, C: Combines<T>>(x: &[T], columns: usize, out: &mut [T]) {
        if columns < SHORT {
            // Too short for lanes; the rows do not depend on each other.
            for (row, y) in x.chunks_exact(columns.max(1)).zip(out) {
                *y = <C as Combine<T>>::IDENTITY;
                for &x in row {
                    *y = C::combine(*y, x);
                }
            }
        } else if columns < 256 {
            for (row, y) in x.chunks_exact(columns).zip(out) {
                *y = lanes::<T, C, 16>(row);
            }
        } else {
            for (row, y) in x.chunks_exact(columns).zip(out) {
                // Blocks keep the error of a sum small: it grows with the length of a lane. In a loop,
                // since closures are not always compiled with the widest vectors.
                let mut total = <C as Combine<f64>>::IDENTITY;
                for block in row.chunks(1 << 12) {
                    total = C::combine(total, lanes::<T, C, 16>(block).to_f64());
                }
                *y = T::of(total);
            }
        }
    }
    dispatch!(<T: Float, C: Combines<T>> (x: &[T], columns: usize, out: &mut [T]) {
        plain::<T, C>(x, columns, out)
    })
}

/// `a · s + b · t` with one s and one t for each row.
pub(super) fn weighted<T: Float>(x: [Strip<'_, T>; 4], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<T: Float>([a, s, b, t]: [Strip<'_, T>; 4], columns: usize, out: &mut [T]) {
        for (row, out) in rows_of(out, columns).enumerate() {
            let (a, b) = (Elements::row(&a, row, columns), Elements::row(&b, row, columns));
            let (s, t) = (Number::row(&s, row, columns), Number::row(&t, row, columns));
            for ((y, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *y = a * s + b * t;
            }
        }
    }
    dispatch!(<T: Float> (x: [Strip<'_, T>; 4], columns: usize, out: &mut [T]) {
        plain::<T>(x, columns, out)
    })
}

/// `m ? a · s : 0` with one s and one mask m for each row.
pub(super) fn masked_product<T: Float>(x: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<T: Float>([a, s, m]: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
        for (row, out) in rows_of(out, columns).enumerate() {
            if Number::row(&m, row, columns) == T::ZERO {
                out.fill(T::ZERO);
                continue;
            }
            let s = Number::row(&s, row, columns);
            for (y, &a) in out.iter_mut().zip(Elements::row(&a, row, columns)) {
                *y = a * s;
            }
        }
    }
    dispatch!(<T: Float> (x: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
        plain::<T>(x, columns, out)
    })
}

/// `(m ? a · s : 0) + (n ? b · t : 0)` with one s, one t and two masks for each row.
pub(super) fn masked_weighted<T: Float>(x: [Strip<'_, T>; 6], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<T: Float>([a, s, b, t, m, n]: [Strip<'_, T>; 6], columns: usize, out: &mut [T]) {
        for (row, out) in rows_of(out, columns).enumerate() {
            let (a, b) = (Elements::row(&a, row, columns), Elements::row(&b, row, columns));
            let [s, t, m, n] = [s, t, m, n].map(|x| Number::row(&x, row, columns));
            let zero = T::ZERO;
            match (m != zero, n != zero) {
                (true, true) => {
                    for ((y, &a), &b) in out.iter_mut().zip(a).zip(b) {
                        *y = a * s + b * t;
                    }
                }
                // A product of −0 and 0 are 0.
                (true, false) => plus_zero(a, s, out),
                (false, true) => plus_zero(b, t, out),
                (false, false) => out.fill(zero),
            }
        }
    }
    #[inline(always)]
    fn plus_zero<T: Float>(x: &[T], s: T, out: &mut [T]) {
        for (y, &x) in out.iter_mut().zip(x) {
            *y = x * s + T::ZERO;
        }
    }
    dispatch!(<T: Float> (x: [Strip<'_, T>; 6], columns: usize, out: &mut [T]) {
        plain::<T>(x, columns, out)
    })
}

/// Reduces the rows of a tile into the accumulators of the columns: what is added up, and, where
/// `f64` is, what the roundings lost.
pub(super) fn reduce_columns<T: Float>(op: ReduceOp, x: &[T], sums: &mut [f64], lost: &mut [f64]) {
    with_reduce!(op, columns::<T>(x, sums, lost));
}

/// How many rows are combined with each other before they are accumulated.
const ROWS: usize = 4;

fn columns<T: Float, C: Combines<T>>(x: &[T], sums: &mut [f64], lost: &mut [f64]) {
    #[inline(always)]
    fn add<T: Float, C: Combines<T>>(
        rows: impl Iterator<Item = T>,
        sums: &mut [f64],
        lost: &mut [f64],
    ) {
        for ((x, sum), lost) in rows.zip(sums).zip(lost) {
            if <C as Combine<T>>::ROUNDS && T::DTYPE == DType::F64 {
                let total = Compensated { sum: *sum, lost: *lost }.plus(x.to_f64());
                (*sum, *lost) = (total.sum, total.lost);
            } else {
                *sum = C::combine(*sum, x.to_f64());
            }
        }
    }
    #[inline(always)]
    fn plain<T: Float, C: Combines<T>>(x: &[T], sums: &mut [f64], lost: &mut [f64]) {
        let n = sums.len().max(1);
        let mut blocks = x.chunks_exact(ROWS * n);
        for block in &mut blocks {
            let (front, back) = block.split_at(2 * n);
            let ((a, b), (c, d)) = (front.split_at(n), back.split_at(n));
            let pairs = a.iter().zip(b).zip(c.iter().zip(d));
            let rows = pairs.map(|((&a, &b), (&c, &d))| -> T {
                C::combine(C::combine(a, b), C::combine(c, d))
            });
            add::<T, C>(rows, sums, lost);
        }
        for row in blocks.remainder().chunks_exact(n) {
            add::<T, C>(row.iter().copied(), sums, lost);
        }
    }
    dispatch!(<T: Float, C: Combines<T>>
    (x: &[T], sums: &mut [f64], lost: &mut [f64]) {
        plain::<T, C>(x, sums, lost)
    })
}

/// Combines the accumulators of the tasks, one behind the other, in their order.
pub(super) fn combine_columns<T: Float>(op: ReduceOp, tasks: &[f64], out: &mut [T]) {
    let (mut sums, mut lost) = (vec![identity(op); out.len()], vec![0.0; out.len()]);
    for task in tasks.chunks_exact(2 * out.len().max(1)) {
        let (of_task, lost_by_task) = task.split_at(out.len());
        match op {
            ReduceOp::Sum => add_task(&mut sums, &mut lost, of_task, lost_by_task),
            _ => sums.iter_mut().zip(of_task).for_each(|(sum, &x)| *sum = combine(op, *sum, x)),
        }
    }
    for ((y, sum), lost) in out.iter_mut().zip(sums).zip(lost) {
        *y = T::of(Compensated { sum, lost }.rounded());
    }
}

/// Adds the accumulators of one more task to those of the tasks before.
fn add_task(sums: &mut [f64], lost: &mut [f64], x: &[f64], x_lost: &[f64]) {
    #[inline(always)]
    fn plain(sums: &mut [f64], lost: &mut [f64], x: &[f64], x_lost: &[f64]) {
        for (((sum, lost), &x), x_lost) in sums.iter_mut().zip(lost).zip(x).zip(x_lost) {
            let total = Compensated { sum: *sum, lost: *lost }.plus(x);
            (*sum, *lost) = (total.sum, total.lost + x_lost);
        }
    }
    dispatch!((sums: &mut [f64], lost: &mut [f64], x: &[f64], x_lost: &[f64]) {
        plain(sums, lost, x, x_lost)
    })
}

/// An accumulator, and one more number.
pub(super) fn accumulated(op: ReduceOp, total: Compensated, x: f64) -> Compensated {
    match op {
        ReduceOp::Sum => total.plus(x),
        _ => Compensated { sum: combine(op, total.sum, x), ..total },
    }
}

/// Broadcasts each number of `x` along a row of `columns` elements.
pub(super) fn broadcast_rows<T: Float>(x: &[T], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<T: Float>(x: &[T], columns: usize, out: &mut [T]) {
        const WIDE: usize = 16;
        let mut at = 0;
        if columns <= WIDE {
            // Whole vectors, each over the excess of the one before: no loop of a few elements.
            for &x in x {
                let Some(row) = out.get_mut(at..at + WIDE) else { break };
                row.fill(x);
                at += columns;
            }
        }
        let done = at / columns.max(1);
        for (&x, row) in x[done..].iter().zip(out[at..].chunks_exact_mut(columns.max(1))) {
            row.fill(x);
        }
    }
    dispatch!(<T: Float> (x: &[T], columns: usize, out: &mut [T]) { plain::<T>(x, columns, out) })
}

/// Copies with streaming (non-temporal) stores where the processor has them: they bypass the
/// caches, which a large result would only evict.
pub(super) fn stream<T: Float>(x: &[T], out: &mut [T]) {
    #[cfg(target_arch = "x86_64")]
    if !matches!(crate::kernels::simd::level(), crate::kernels::simd::Level::Portable) {
        // SAFETY: the processor has AVX, as `level` has detected.
        unsafe { stream_avx(x, out) };
        return;
    }
    out.copy_from_slice(x);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn stream_avx<T: Float>(x: &[T], out: &mut [T]) {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_stream_si256};
    debug_assert_eq!(x.len(), out.len());
    let len = x.len().min(out.len());
    // Streaming stores need whole, aligned cache lines.
    let head = out.as_ptr().align_offset(64).min(len);
    out[..head].copy_from_slice(&x[..head]);
    let step = 64 / size_of::<T>();
    let lines = (len - head) / step;
    let (from, to) = (x[head..].as_ptr().cast::<u8>(), out[head..].as_mut_ptr().cast::<u8>());
    for line in 0..lines {
        // SAFETY: `lines` whole lines of 64 bytes fit both slices behind `head`, and `to` is
        // aligned to 64 bytes.
        unsafe {
            let (from, to) = (from.add(64 * line), to.add(64 * line));
            let low = _mm256_loadu_si256(from.cast::<__m256i>());
            let high = _mm256_loadu_si256(from.add(32).cast::<__m256i>());
            _mm256_stream_si256(to.cast::<__m256i>(), low);
            _mm256_stream_si256(to.add(32).cast::<__m256i>(), high);
        }
    }
    let done = head + lines * step;
    out[done..len].copy_from_slice(&x[done..len]);
}

/// Makes streaming stores visible to other threads.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every 64-bit x86 has SSE.
    unsafe {
        std::arch::x86_64::_mm_sfence()
    };
}
