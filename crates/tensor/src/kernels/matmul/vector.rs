//! The product of a vector and a matrix: each element of the matrix is read once, in its place.

use super::super::microkernel::{Stride, Tile, accumulate, accumulate_lanes, sum_of_lanes};
use super::super::simd::{Lanes, Loop};
use super::blocked::block_terms;
use crate::Float;

/// How many partial sums a dot product has, whatever vectors the processor has.
const LANES: usize = 8;

/// How many rows are multiplied at a time, and how many vectors of columns summed: as many sums as hide
/// how long one addition takes.
const ROWS: usize = 6;
const VECTORS: usize = 8;

/// The dot product of a vector and each row of a matrix.
///
/// It has partial sums, unlike the elements of other products, which are sums of chains.
pub(super) struct Dots<'a, T> {
    vector: &'a [T],
    rows: (*const T, isize),
    out: &'a mut [T],
}

impl<'a, T> Dots<'a, T> {
    /// The rows have a start, and a stride from one to the next.
    ///
    /// # Safety
    /// For each element of `out` there is a row, as long as the vector and contiguous, which can be read.
    pub unsafe fn new(vector: &'a [T], rows: (*const T, isize), out: &'a mut [T]) -> Self {
        Dots { vector, rows, out }
    }
}

impl<T: Float> Loop for Dots<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Dots { vector, rows: (start, stride), out } = self;
        for (i, out) in out.chunks_mut(ROWS).enumerate() {
            let start = start.wrapping_offset((i * ROWS) as isize * stride);
            // SAFETY: the caller of `new` vouches for a row for each element.
            unsafe {
                match out.len() {
                    1 => dots::<T, 1>(vector, (start, stride), out),
                    _ => dots::<T, ROWS>(vector, (start, stride), out),
                }
            }
        }
    }
}

/// The dot products of a vector and as many rows as `out` has elements, `R` at most.
///
/// # Safety
/// The rows are as long as the vector, contiguous, and can be read.
#[inline(always)]
unsafe fn dots<T: Float, const R: usize>(
    vector: &[T],
    (start, stride): (*const T, isize),
    out: &mut [T],
) {
    let mut rows = [start; R];
    for (i, row) in rows.iter_mut().enumerate() {
        // Beyond the last row, it is multiplied once more.
        let i = if i < out.len() { i } else { out.len() - 1 };
        *row = start.wrapping_offset(i as isize * stride);
    }
    let vectors = vector.len() / LANES;
    let mut tile: Tile<Lanes<T, LANES>, R, 1> = [[Lanes([T::ZERO; LANES]); 1]; R];
    // SAFETY: as the caller says: the vector and each row hold so many vectors.
    unsafe { accumulate_lanes(vectors, rows, [vector.as_ptr()], &mut tile) };
    for ((out, [lanes]), row) in out.iter_mut().zip(&mut tile).zip(rows) {
        let rest = vector[vectors * LANES..].iter().zip(vectors * LANES..);
        for (lane, (&x, term)) in lanes.0.iter_mut().zip(rest) {
            // SAFETY: as the caller says; the row is as long as the vector.
            *lane = unsafe { *row.add(term) }.mul_add(x, *lane);
        }
        *out = sum_of_lanes(*lanes);
    }
}

/// The sum of rows of a matrix, each times an element of a vector, in vectors of `N` elements.
pub(super) struct WeightedRows<'a, T, const N: usize> {
    terms: usize,
    vector: (*const T, isize),
    rows: (*const T, isize),
    out: &'a mut [T],
}

impl<'a, T, const N: usize> WeightedRows<'a, T, N> {
    /// The vector has a start and a stride, the rows have a start and a stride from one to the next.
    ///
    /// # Safety
    /// There are so many elements and rows, as long as `out` and contiguous, which can be read.
    pub unsafe fn new(
        terms: usize,
        vector: (*const T, isize),
        rows: (*const T, isize),
        out: &'a mut [T],
    ) -> Self {
        WeightedRows { terms, vector, rows, out }
    }
}

impl<T: Float, const N: usize> Loop for WeightedRows<'_, T, N> {
    const VECTOR_BYTES: Option<usize> = Some(N * size_of::<T>());

    #[inline(always)]
    fn run(self) {
        let WeightedRows { terms, vector, rows: (rows, stride), out } = self;
        for (i, out) in out.chunks_mut(VECTORS * N).enumerate() {
            let rows = rows.wrapping_add(i * VECTORS * N);
            // SAFETY: the caller of `new` vouches for so many terms, and for as many columns as there
            // are elements of `out`, those of a chunk among them.
            unsafe {
                if out.len() == VECTORS * N {
                    sum::<T, VECTORS, N>(terms, vector, (rows, stride), out);
                    continue;
                }
                for (i, out) in out.chunks_mut(N).enumerate() {
                    let rows = rows.wrapping_add(i * N);
                    if out.len() == N {
                        sum::<T, 1, N>(terms, vector, (rows, stride), out);
                        continue;
                    }
                    for (i, out) in out.chunks_mut(1).enumerate() {
                        sum::<T, 1, 1>(terms, vector, (rows.wrapping_add(i), stride), out);
                    }
                }
            }
        }
    }
}

/// Sums up `V` vectors of columns, as many as `out` has elements.
///
/// # Safety
/// So many elements of the vector and rows of so many columns can be read.
#[inline(always)]
unsafe fn sum<T: Float, const V: usize, const N: usize>(
    terms: usize,
    (vector, step): (*const T, isize),
    (rows, stride): (*const T, isize),
    out: &mut [T],
) {
    out.fill(T::ZERO);
    let block = block_terms(terms).max(1);
    for term in (0..terms).step_by(block) {
        let mut tile: Tile<Lanes<T, N>, 1, V> = [[Lanes([T::ZERO; N]); V]];
        let (vector, rows) = (
            vector.wrapping_offset(term as isize * step),
            rows.wrapping_offset(term as isize * stride),
        );
        let left = ([vector], Stride(step));
        // SAFETY: as the caller says.
        unsafe { accumulate(block.min(terms - term), left, (rows, Stride(stride)), &mut tile) };
        for (out, sum) in out.iter_mut().zip(tile[0].iter().flat_map(|lanes| lanes.0)) {
            *out = *out + sum;
        }
    }
}
