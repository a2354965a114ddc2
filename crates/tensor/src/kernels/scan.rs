//! Cumulative sums.

use super::simd::dispatch;
use super::threads::parallel_chunks_mut;
use super::{CHUNK, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{Elem, Result, Tensor};

/// How many sums go along the axis side by side: they stay in the first cache.
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
    let shape = x.shape().clone();
    let [_, len, inner] = outer_dim_inner("cumsum", &shape, axis)?;
    super::copy(x, out)?;
    with_elem!(out.dtype(), T => {
        let out = output::<T>("cumsum", out, &shape)?;
        if out.is_empty() {
            return Ok(());
        }
        let slab = len * inner;
        let slabs = (CHUNK / slab).max(1);
        parallel_chunks_mut(out, slabs * slab, |_, out| {
            for slab in out.chunks_exact_mut(slab) {
                match inner {
                    1 => along_line::<T>(slab, direction),
                    _ => along_rows::<T>(slab, inner, direction),
                }
            }
        });
        Ok(())
    })
}

fn along_line<T: Elem>(line: &mut [T], direction: Direction) {
    fn running<'a, T: Elem>(line: impl Iterator<Item = &'a mut T>) {
        let mut total = T::NOTHING;
        for x in line {
            total = T::added(total, *x);
            *x = T::rounded(total);
        }
    }
    match direction {
        Direction::Forward => running(line.iter_mut()),
        Direction::Reverse => running(line.iter_mut().rev()),
    }
}

/// Rows of `inner` elements, each of which is added to those before it.
fn along_rows<T: Elem>(slab: &mut [T], inner: usize, direction: Direction) {
    let rows = slab.len() / inner;
    let mut totals = vec![T::NOTHING; inner.min(COLUMNS)];
    for column in (0..inner).step_by(COLUMNS) {
        let totals = &mut totals[..COLUMNS.min(inner - column)];
        totals.fill(T::NOTHING);
        for step in 0..rows {
            let row = match direction {
                Direction::Forward => step,
                Direction::Reverse => rows - step - 1,
            };
            let start = row * inner + column;
            let row = &mut slab[start..start + totals.len()];
            next_row::<T>(totals, row);
        }
    }
}

fn next_row<T: Elem>(totals: &mut [T::Total], row: &mut [T]) {
    #[inline(always)]
    fn plain<T: Elem>(totals: &mut [T::Total], row: &mut [T]) {
        for (total, x) in totals.iter_mut().zip(row) {
            *total = T::added(*total, *x);
            *x = T::rounded(*total);
        }
    }
    dispatch!(<T: Elem> (totals: &mut [T::Total], row: &mut [T]) { plain::<T>(totals, row) })
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
    fn integers_are_added_up_as_integers() {
        let x = Tensor::from([i64::MAX - 1, 1, 1]);
        let mut out = Tensor::zeros([3], DType::I64).unwrap();
        cumsum(&x, 0, Direction::Forward, &mut out).unwrap();
        assert_eq!(out, Tensor::from([i64::MAX - 1, i64::MAX, i64::MIN]));
    }

    #[test]
    fn nothing_has_no_sums() {
        let x = Tensor::zeros([2, 0, 3], DType::F32).unwrap();
        assert!(running(&x, 1, Direction::Forward).is_empty());
        assert!(running(&x, 0, Direction::Reverse).is_empty());
    }
}
