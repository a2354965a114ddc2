//! Data movement: copies, casts, fills, concatenation, padding, and overlap-add.

use std::ops::Range;

use super::accumulate::{Accumulate, MANY, totals};
use super::nditer::{NdIter, Packer};
use super::threads::{parallel_chunks_mut, try_parallel_chunks_mut};
use super::{CHUNK, input, output};
use crate::tensor::with_elem;
use crate::{Dims, Elem, Error, Layout, Result, Shape, Slice, Tensor, Window};

/// Copies a tensor of any layout into `out`, of the same shape and type.
pub fn copy(x: &Tensor, out: &mut Tensor) -> Result<()> {
    with_elem!(out.dtype(), T => {
        input::<T>("copy", x)?;
        let out = output::<T>("copy", out, x.shape())?;
        match x.as_slice::<T>() {
            Some(elements) => out.copy_from_slice(elements),
            None => into_slice(x, out),
        }
        Ok(())
    })
}

/// Copies a tensor of any layout, of type `T`, into a slice of its length.
pub(super) fn into_slice<T: Elem>(x: &Tensor, out: &mut [T]) {
    let Some(buffer) = x.buffer_slice::<T>() else { return };
    let packer = Packer::new(buffer, x.layout());
    if packer.has_long_rows() {
        return parallel_chunks_mut(out, CHUNK, |task, out| packer.pack(task * CHUNK, out));
    }
    place(buffer, x.layout(), out, &Layout::contiguous(x.shape().clone()));
}

/// The slices of a tensor of a shape, whose shape they have to have.
fn region(operation: &'static str, x: &Tensor, slices: &[Slice], shape: &Shape) -> Result<Layout> {
    let region = Layout::contiguous(shape.clone()).slice(slices)?;
    if region.shape() == x.shape() {
        return Ok(region);
    }
    let (left, right) = (x.shape().clone(), region.shape().clone());
    let why = "the slices have the shape of what is written";
    Err(Error::Shape { operation, left, right, why })
}

/// Copies each element of `x` to the element of `out` at the same index.
fn place<T: Elem>(x: &[T], x_layout: &Layout, out: &mut [T], out_layout: &Layout) {
    NdIter::new([x_layout, out_layout]).with_long_runs().for_each_run(
        |[from, to], len, strides| {
            let to = to as usize;
            match strides {
                [1, 1] => out[to..to + len].copy_from_slice(&x[from as usize..from as usize + len]),
                [0, 1] => out[to..to + len].fill(x[from as usize]),
                [step, 1] => {
                    let mut from = from;
                    for y in &mut out[to..to + len] {
                        *y = x[from as usize];
                        from += step;
                    }
                }
                [step, out_step] => {
                    for i in 0..len as isize {
                        out[(to as isize + i * out_step) as usize] = x[(from + i * step) as usize];
                    }
                }
            }
        },
    );
}

/// Calls `write` for each element of `x` with the element of `out` at the same index.
fn zip<T: Elem, Y>(
    x: &[T],
    x_layout: &Layout,
    out: &mut [Y],
    out_layout: &Layout,
    write: impl Fn(T, &mut Y),
) {
    NdIter::new([x_layout, out_layout]).with_long_runs().for_each_run(|offsets, len, strides| {
        let [from, to] = offsets.map(|offset| offset as usize);
        if strides == [1, 1] {
            for (y, &x) in out[to..to + len].iter_mut().zip(&x[from..from + len]) {
                write(x, y);
            }
            return;
        }
        if strides == [0, 1] {
            let x = x[from];
            for y in &mut out[to..to + len] {
                write(x, y);
            }
            return;
        }
        for i in 0..len as isize {
            let [from, to] = [0, 1].map(|k| (offsets[k] + i * strides[k]) as usize);
            write(x[from], &mut out[to]);
        }
    });
}

/// Converts elements to the type of `out`; floats become integers by truncation.
pub fn cast(x: &Tensor, out: &mut Tensor) -> Result<()> {
    with_elem!(out.dtype(), To => {
        let y = output::<To>("cast", out, x.shape())?;
        with_elem!(x.dtype(), From => {
            let x = super::copied::<From>(x);
            for (y, x) in y.iter_mut().zip(x) {
                *y = To::of(x.to_f64());
            }
        });
        Ok(())
    })
}

/// Fills `out` with one number.
pub fn fill(value: f64, out: &mut Tensor) -> Result<()> {
    let shape = out.shape().clone();
    with_elem!(out.dtype(), T => {
        output::<T>("fill", out, &shape)?.fill(T::of(value));
        Ok(())
    })
}

/// Writes `x` at `slices` of `out`, one for each axis, and `value` everywhere else.
pub fn pad(x: &Tensor, slices: &[Slice], value: f64, out: &mut Tensor) -> Result<()> {
    let shape = out.shape().clone();
    let region = region("pad", x, slices, &shape)?;
    fill(value, out)?;
    with_elem!(out.dtype(), T => {
        let from = input::<T>("pad", x)?;
        place(from, x.layout(), output("pad", out, &shape)?, &region);
        Ok(())
    })
}

/// The sum of tensors that are 0 but for the slices at which each of the inputs stands: what they
/// share is added up, in the order of the inputs.
pub fn pad_add<S: AsRef<[Slice]> + Sync>(
    inputs: &[&Tensor],
    slices: &[S],
    out: &mut Tensor,
) -> Result<()> {
    let shape = out.shape().clone();
    let all: Vec<Slice> = shape.iter().map(|&dim| Slice::all(dim)).collect();
    let is_whole = slices.first().is_some_and(|first| first.as_ref() == all);
    let are_tiles = are_tiles(slices, &shape);
    let regions = inputs.iter().zip(slices);
    let regions = regions.map(|(x, slices)| region("pad_add", x, slices.as_ref(), &shape));
    let regions = regions.collect::<Result<Vec<Layout>>>()?;
    // Some rows of the first axis at a time, unless slices go through them in steps.
    let rows = shape.first().copied().unwrap_or(1);
    let row = shape.numel() / rows.max(1);
    let has_steps = |slices: &S| slices.as_ref().first().is_none_or(|slice| slice.step != 1);
    let rows_at_once =
        if slices.iter().any(has_steps) { rows } else { (CHUNK / row.max(1)).max(1) };
    with_elem!(out.dtype(), T => {
        let out = output::<T>("pad_add", out, &shape)?;
        try_parallel_chunks_mut(out, rows_at_once * row, |chunk, out| {
            let first = chunk * rows_at_once;
            if !is_whole && !are_tiles {
                out.fill(T::ZERO);
            }
            let rows = first..first + out.len() / row.max(1);
            for (nth, (x, slices)) in inputs.iter().zip(slices).enumerate() {
                let all = (*x, &regions[nth]);
                let Some((x, region)) = part(all, slices.as_ref(), &shape, rows.clone())? else {
                    continue;
                };
                let from = input::<T>("pad_add", &x)?;
                let is_first_here = are_tiles || is_whole && nth == 0;
                match is_first_here {
                    true => place(from, x.layout(), out, &region),
                    false => zip(from, x.layout(), out, &region, |x, y| *y = y.plus(x)),
                }
            }
            Ok(())
        })
    })
}

/// What of a tensor, with its region of a result of a shape, lies in these rows, and where in them; `None`
/// if nothing does.
fn part(
    (x, region): (&Tensor, &Layout),
    slices: &[Slice],
    shape: &Shape,
    rows: Range<usize>,
) -> Result<Option<(Tensor, Layout)>> {
    let Some(&Slice { start, len, .. }) = slices.first().filter(|_| rows.len() < shape[0]) else {
        return Ok(Some((x.clone(), region.clone())));
    };
    let (from, to) = (start.max(rows.start), (start + len).min(rows.end));
    if from >= to {
        return Ok(None);
    }
    let (mut dims, mut slices) = (Dims::from(&shape[..]), slices.to_vec());
    dims[0] = rows.len();
    slices[0] = Slice { start: from - rows.start, len: to - from, step: 1 };
    let region = Layout::contiguous(Shape::from(&dims[..])).slice(&slices)?;
    Ok(Some((x.narrow(0, from - start, to - from)?, region)))
}

/// Whether slices of one axis follow one another from its start to its end.
fn are_tiles<S: AsRef<[Slice]>>(slices: &[S], shape: &Shape) -> bool {
    let cut =
        |slices: &[Slice]| (0..shape.rank()).find(|&axis| slices[axis] != Slice::all(shape[axis]));
    let Some(axis) = slices.first().and_then(|first| cut(first.as_ref())) else { return false };
    let mut along: Vec<Slice> = Vec::with_capacity(slices.len());
    for slices in slices {
        let slices = slices.as_ref();
        let others = (0..shape.rank())
            .all(|other| other == axis || slices[other] == Slice::all(shape[other]));
        if !others || slices[axis].step != 1 {
            return false;
        }
        along.push(slices[axis]);
    }
    along.sort_unstable_by_key(|slice| slice.start);
    let end =
        along.iter().try_fold(0, |end, slice| (slice.start == end).then_some(end + slice.len));
    end == Some(shape[axis])
}

/// Concatenates the inputs along an axis.
pub fn concat(inputs: &[&Tensor], axis: usize, out: &mut Tensor) -> Result<()> {
    let shape = out.shape().clone();
    let mut start = 0;
    let mut slices: Vec<Slice> = shape.iter().map(|&dim| Slice::all(dim)).collect();
    with_elem!(out.dtype(), T => {
        let out = output::<T>("concat", out, &shape)?;
        for x in inputs {
            let len = x.shape().get(axis).copied().unwrap_or(0);
            if let Some(slice) = slices.get_mut(axis) {
                *slice = Slice { start, len, step: 1 };
            }
            let region = region("concat", x, &slices, &shape)?;
            place(input::<T>("concat", x)?, x.layout(), out, &region);
            start += len;
        }
        Ok(())
    })
}

/// The transpose of windows: `x` counts the windows along `axis` and has their elements along its
/// last axis; each element of `out` is the sum of the elements of windows that cover it.
pub fn overlap_add(x: &Tensor, axis: usize, window: Window, out: &mut Tensor) -> Result<()> {
    let windows = Layout::contiguous(out.shape().clone()).windows(axis as isize, window)?;
    if windows.shape() != x.shape() {
        let (left, right) = (x.shape().clone(), windows.shape().clone());
        let why = "these are the windows of the output";
        return Err(Error::Shape { operation: "overlap_add", left, right, why });
    }
    let shape: Shape = out.shape().clone();
    let last = x.rank() as isize - 1;
    // One element of all windows at a time: no two of them coincide.
    let each = |add: &mut dyn FnMut(&Layout, &Layout)| {
        for i in 0..window.size {
            let mut slices: Vec<Slice> = x.shape().iter().map(|&dim| Slice::all(dim)).collect();
            slices[last as usize] = Slice { start: i, len: 1, step: 1 };
            let from = x.layout().slice(&slices)?.squeeze(last)?;
            add(&from, &windows.slice(&slices)?.squeeze(last)?);
        }
        Ok(())
    };
    with_elem!(out.dtype(), T => {
        let from = input::<T>("overlap_add", x)?;
        let out = output::<T>("overlap_add", out, &shape)?;
        if window.size > MANY {
            return totals(out, |totals: &mut [_]| {
                each(&mut |x, region| {
                    zip(from, x, totals, region, |x, y| *y = <T as Accumulate>::added(*y, x));
                })
            });
        }
        out.fill(T::ZERO);
        each(&mut |x, region| zip(from, x, out, region, |x, y| *y = y.plus(x)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn overlapping_windows_add_up() {
        let window = Window { size: 2, stride: 1, dilation: 2 };
        let x = Tensor::from([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]);
        let mut out = Tensor::zeros([5], DType::F64).unwrap();
        overlap_add(&x, 0, window, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [1.0, 2.0, 13.0, 20.0, 30.0]);
    }

    #[test]
    fn a_pad_with_a_step_is_the_transpose_of_a_slice() {
        let x = Tensor::from([1.0, 2.0]);
        let mut out = Tensor::zeros([5], DType::F64).unwrap();
        pad(&x, &[Slice { start: 4, len: 2, step: -3 }], 0.5, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [0.5, 2.0, 0.5, 0.5, 1.0]);
        assert!(pad(&x, &[Slice::all(5)], 0.0, &mut out).is_err());
    }

    #[test]
    fn padded_tensors_add_up_whatever_was_there() {
        let [a, b] = [Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([[10.0], [20.0]])];
        let sum = |slices: &[[Slice; 2]], parts: &[&Tensor], columns: usize| {
            let mut out = Tensor::full([2, columns], f64::NAN, DType::F64).unwrap();
            pad_add(parts, slices, &mut out).map(|()| out.to_f64s())
        };
        let at =
            |start: usize, len: usize, step: isize| [Slice::all(2), Slice { start, len, step }];
        // Tiles, in any order.
        let tiles = sum(&[at(1, 2, 1), at(0, 1, 1)], &[&a, &b], 3);
        assert_eq!(tiles, Ok(vec![10.0, 1.0, 2.0, 20.0, 3.0, 4.0]));
        // A whole one, and what is added to it.
        let whole = sum(&[at(0, 2, 1), at(1, 1, 1)], &[&a, &b], 2);
        assert_eq!(whole, Ok(vec![1.0, 12.0, 3.0, 24.0]));
        // What overlaps, backwards, with gaps; as long as the axis together.
        let others = sum(&[at(3, 2, -2), at(1, 1, 1)], &[&a, &b], 4);
        assert_eq!(others, Ok(vec![0.0, 12.0, 0.0, 1.0, 0.0, 24.0, 0.0, 3.0]));
        let twice = sum(&[at(1, 1, 1), at(1, 1, 1)], &[&b, &b], 2);
        assert_eq!(twice, Ok(vec![0.0, 20.0, 0.0, 40.0]));
        assert!(sum(&[at(0, 2, 1)], &[&b], 2).is_err());
    }

    /// So many rows that they are written in parts, into which the slices reach at both ends.
    #[test]
    fn padded_tensors_add_up_in_parts_of_the_first_axis() {
        let (rows, columns) = (2 * CHUNK / 3, 7);
        let parts = [(0, rows, 0, 3), (5, rows - 9, 2, 5), (rows - 4, 3, 6, 1), (1, 2, 0, 7)];
        let element = |i: usize| (i % 1000) as f64;
        let inputs = parts.map(|(_, len, _, width)| {
            Tensor::new([len, width], (0..len * width).map(element).collect()).unwrap()
        });
        let slices = parts.map(|(start, len, left, width)| {
            [Slice { start, len, step: 1 }, Slice { start: left, len: width, step: 1 }]
        });
        let mut expected = vec![0.0; rows * columns];
        for (start, len, left, width) in parts {
            for at in 0..len * width {
                expected[(start + at / width) * columns + left + at % width] += element(at);
            }
        }
        let mut out = Tensor::full([rows, columns], f64::NAN, DType::F64).unwrap();
        pad_add(&inputs.each_ref(), &slices, &mut out).unwrap();
        assert_eq!(out.to_f64s(), expected);
    }

    #[test]
    fn casts_truncate() {
        let mut out = Tensor::from([0_i64, 0]);
        cast(&Tensor::from([1.9, -1.9]), &mut out).unwrap();
        assert_eq!(out, Tensor::from([1_i64, -1]));
    }
}
