//! Linear recurrences along an axis.

use super::lines::{LINES, in_pieces};
use super::{COLUMNS, Direction, each_group, each_slab, packer, rows_in};
use crate::kernels::simd::dispatch;
use crate::kernels::{borrowed, input, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{DType, Elem, Error, Result, Tensor};

/// The linear recurrence `hᵢ = aᵢ hᵢ₋₁ + bᵢ` along an axis, from `h₀ = b₀` on; in reverse
/// `hᵢ = aᵢ₊₁ hᵢ₊₁ + bᵢ`. So a factor belongs to two neighbors and stands at the later one; the first
/// is not read. Where `starts` is not 0, the later one begins a segment of its own, and no factor joins
/// it to the one before, which may be infinite. Computed in `f64`.
pub fn recurrence(
    a: &Tensor,
    b: &Tensor,
    starts: Option<&Tensor>,
    axis: usize,
    direction: Direction,
    out: &mut Tensor,
) -> Result<()> {
    let operation = "recurrence";
    let [_, len, inner] = outer_dim_inner(operation, b.shape(), axis)?;
    for (other, why) in [
        (Some(a), "there is one factor for each term"),
        (starts, "there is one start for each term"),
    ] {
        if let Some(other) = other.filter(|other| other.shape() != b.shape()) {
            let (left, right) = (other.shape().clone(), b.shape().clone());
            return Err(Error::Shape { operation, left, right, why });
        }
    }
    if !out.dtype().is_float() {
        let (given, expected) = (out.dtype(), DType::F64);
        return Err(Error::DType { operation, given, expected });
    }
    with_elem!(out.dtype(), T => {
        input::<T>(operation, a)?;
        let a = borrowed::<T>(a);
        let starts = starts.map(|starts| input::<T>(operation, starts).map(|_| borrowed::<T>(starts)));
        let starts = starts.transpose()?;
        let out = output::<T>(operation, out, b.shape())?;
        let packer = packer(operation, b, out)?;
        if inner == 1 && starts.is_none() {
            each_group(out, len, packer.as_ref(), |first, lines| {
                recur_lines(&a[first..][..lines.len()], lines, len, direction);
            });
            return Ok(());
        }
        each_slab(out, len * inner, packer.as_ref(), |nth, slab| {
            let a = &a[nth * len * inner..][..len * inner];
            match &starts {
                Some(starts) => {
                    let starts = &starts[nth * len * inner..][..len * inner];
                    recur_segments([a, starts], slab, inner, direction);
                }
                None => recur_rows(a, slab, inner, direction),
            }
        });
    });
    Ok(())
}

/// Along each of a few contiguous lines of factors and of terms, in whose place the results are written.
fn recur_lines<T: Elem>(a: &[T], terms: &mut [T], len: usize, direction: Direction) {
    // The first result of each line is its term.
    let (first, rest) = match direction {
        Direction::Forward => (0, 1),
        Direction::Reverse => (len - 1, 0),
    };
    let mut totals = [0.0; LINES];
    for (total, line) in totals.iter_mut().zip(terms.chunks_exact(len)) {
        *total = line[first].to_f64();
    }
    if terms.len() == LINES * len {
        let (a, terms) = (&a[len.min(1)..], &mut terms[rest..]);
        return in_pieces([a], terms, [len - 1, len], direction, |[a], h| {
            next_steps(&mut totals, a, h, direction);
        });
    }
    for step in rows_in(direction, len - 1) {
        let later = a[1 + step..].iter().step_by(len);
        let terms = terms[rest + step..].iter_mut().step_by(len);
        for ((h, a), total) in terms.zip(later).zip(&mut totals) {
            *total = a.to_f64() * *total + h.to_f64();
            *h = T::of(*total);
        }
    }
}

/// The next results of each line, a row for each step.
fn next_steps<T: Elem>(totals: &mut [f64; LINES], a: &[T], h: &mut [T], direction: Direction) {
    #[inline(always)]
    fn plain<T: Elem>(totals: &mut [f64; LINES], a: &[T], h: &mut [T], direction: Direction) {
        let (a, h) = (a.as_chunks::<LINES>().0, h.as_chunks_mut::<LINES>().0);
        for step in 0..h.len() {
            let row = match direction {
                Direction::Forward => step,
                Direction::Reverse => h.len() - step - 1,
            };
            for ((total, a), h) in totals.iter_mut().zip(&a[row]).zip(&mut h[row]) {
                *total = a.to_f64() * *total + h.to_f64();
                *h = T::of(*total);
            }
        }
    }
    dispatch!(<T: Elem> (totals: &mut [f64; LINES], a: &[T], h: &mut [T], direction: Direction) {
        plain::<T>(totals, a, h, direction)
    })
}

/// The same in segments, along each line of the axis.
fn recur_segments<T: Elem>(
    [a, starts]: [&[T]; 2],
    slab: &mut [T],
    inner: usize,
    direction: Direction,
) {
    for column in 0..inner {
        let mut total = 0.0;
        for (step, row) in rows_in(direction, slab.len() / inner).enumerate() {
            let at = row * inner + column;
            let later = if direction == Direction::Forward { at } else { at + inner };
            let term = slab[at].to_f64();
            let begins = step == 0 || starts[later] != T::ZERO;
            total = if begins { term } else { a[later].to_f64() * total + term };
            slab[at] = T::of(total);
        }
    }
}

fn recur_rows<T: Elem>(a: &[T], slab: &mut [T], inner: usize, direction: Direction) {
    let rows = slab.len() / inner;
    let mut totals = vec![0.0; inner.min(COLUMNS)];
    for column in (0..inner).step_by(COLUMNS) {
        let totals = &mut totals[..COLUMNS.min(inner - column)];
        for (step, row) in rows_in(direction, rows).enumerate() {
            let start = row * inner + column;
            let h = &mut slab[start..start + totals.len()];
            if step == 0 {
                totals.iter_mut().zip(h).for_each(|(total, h)| *total = h.to_f64());
                continue;
            }
            let later = if direction == Direction::Forward { start } else { start + inner };
            next_row_of_recurrence(totals, &a[later..later + totals.len()], h);
        }
    }
}

fn next_row_of_recurrence<T: Elem>(totals: &mut [f64], a: &[T], h: &mut [T]) {
    #[inline(always)]
    fn plain<T: Elem>(totals: &mut [f64], a: &[T], h: &mut [T]) {
        for ((total, a), h) in totals.iter_mut().zip(a).zip(h) {
            *total = a.to_f64() * *total + h.to_f64();
            *h = T::of(*total);
        }
    }
    dispatch!(<T: Elem> (totals: &mut [f64], a: &[T], h: &mut [T]) { plain::<T>(totals, a, h) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recurrence_goes_both_ways_along_every_axis() {
        let a = Tensor::from([[9.0, 9.0], [2.0, 3.0], [4.0, 5.0]]);
        let b = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let run = |a: &Tensor, b: &Tensor, axis, direction| {
            let mut out = Tensor::zeros(b.shape().clone(), DType::F64).unwrap();
            recurrence(a, b, None, axis, direction, &mut out).unwrap();
            out
        };
        let forward = Tensor::from([[1.0, 2.0], [5.0, 10.0], [25.0, 56.0]]);
        let reverse = Tensor::from([[47.0, 104.0], [23.0, 34.0], [5.0, 6.0]]);
        assert_eq!(run(&a, &b, 0, Direction::Forward), forward);
        assert_eq!(run(&a, &b, 0, Direction::Reverse), reverse);
        let (a, b) = (a.t().unwrap(), b.t().unwrap());
        assert_eq!(run(&a, &b, 1, Direction::Forward), forward.t().unwrap());
        assert_eq!(run(&a, &b, 1, Direction::Reverse), reverse.t().unwrap());
    }

    #[test]
    fn lines_side_by_side_have_the_bits_of_each_alone() {
        for (len, direction) in [1, 3, 64, 65, 131]
            .into_iter()
            .flat_map(|len| [Direction::Forward, Direction::Reverse].map(|way| (len, way)))
        {
            let lines = 2 * LINES + 3;
            let of = |step: usize| {
                let x = (0..lines * len).map(|i| (i * step % 101) as f32 / 80.0 - 0.5).collect();
                Tensor::new([lines, len], x).unwrap()
            };
            let (a, b) = (of(37), of(53));
            let mut out = Tensor::zeros([lines, len], DType::F32).unwrap();
            recurrence(&a, &b, None, 1, direction, &mut out).unwrap();
            for i in 0..lines {
                let [a, b] = [&a, &b].map(|x| x.slice(0, i..=i).unwrap());
                let mut alone = Tensor::zeros([1, len], DType::F32).unwrap();
                recurrence(&a, &b, None, 1, direction, &mut alone).unwrap();
                assert_eq!(out.slice(0, i..=i).unwrap(), alone, "line {i}, {len}, {direction:?}");
            }
        }
    }

    #[test]
    fn a_segment_of_a_recurrence_knows_nothing_of_its_neighbors() {
        let a = Tensor::from([[9.0, 9.0], [2.0, 3.0], [4.0, f64::NAN], [0.0, 2.0]]);
        let b = Tensor::from([[1.0, f64::INFINITY], [3.0, 4.0], [f64::NAN, 6.0], [7.0, 8.0]]);
        let starts = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]);
        let of = |direction| {
            let mut out = Tensor::zeros([4, 2], DType::F64).unwrap();
            recurrence(&a, &b, Some(&starts), 0, direction, &mut out).unwrap();
            format!("{:?}", out.to_f64s())
        };
        assert_eq!(of(Direction::Forward), "[1.0, inf, 5.0, 4.0, NaN, 6.0, 7.0, 20.0]");
        assert_eq!(of(Direction::Reverse), "[7.0, inf, 3.0, 4.0, NaN, 22.0, 7.0, 8.0]");
    }
}
