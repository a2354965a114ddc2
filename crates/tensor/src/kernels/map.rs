//! Element-wise functions of one, two and three tensors.

use super::loops::{Loops, Map1, Map2, Map3, Strip};
use super::nditer::{NdIter, TILE, packed};
use super::threads::{parallel_chunks_mut, try_parallel_chunks_mut};
use super::{CHUNK, input, output};
use crate::{DType, Error, Float, Result, Slice, Tensor};

/// `out = f(x; p)`, element by element.
pub fn map1(kernel: &Map1, x: &Tensor, p: [f64; 2], out: &mut Tensor) -> Result<()> {
    fn typed<T: Loops>(kernel: &Map1, x: &Tensor, p: [f64; 2], out: &mut Tensor) -> Result<()> {
        let (function, p) = (T::loops1(kernel).each, p.map(T::of));
        each("map", [x], out, |[x], out| function(x, p, out))
    }
    match out.dtype() {
        DType::F64 => typed::<f64>(kernel, x, p, out),
        _ => typed::<f32>(kernel, x, p, out),
    }
}

/// `out = f(a, b)`, element by element; shapes are equal.
pub fn map2(kernel: &Map2, a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    fn typed<T: Loops>(kernel: &Map2, x: [&Tensor; 2], out: &mut Tensor) -> Result<()> {
        let function = T::loops2(kernel).each;
        each("map", x, out, |x, out| function(x.map(Strip::flat), out.len().max(1), out))
    }
    match out.dtype() {
        DType::F64 => typed::<f64>(kernel, [a, b], out),
        _ => typed::<f32>(kernel, [a, b], out),
    }
}

/// `out = f(a, b, c)`, element by element; shapes are equal.
pub fn map3(kernel: &Map3, a: &Tensor, b: &Tensor, c: &Tensor, out: &mut Tensor) -> Result<()> {
    fn typed<T: Loops>(kernel: &Map3, x: [&Tensor; 3], out: &mut Tensor) -> Result<()> {
        let function = T::loops3(kernel).each;
        each("map", x, out, |x, out| function(x.map(Strip::flat), out.len().max(1), out))
    }
    match out.dtype() {
        DType::F64 => typed::<f64>(kernel, [a, b, c], out),
        _ => typed::<f32>(kernel, [a, b, c], out),
    }
}

/// Calls `tile` with contiguous slices of all operands, until `out` is full.
fn each<T: Float, const N: usize>(
    operation: &'static str,
    inputs: [&Tensor; N],
    out: &mut Tensor,
    tile: impl Fn([&[T]; N], &mut [T]) + Sync,
) -> Result<()> {
    if let Some(odd) = inputs.iter().find(|x| x.shape() != out.shape()) {
        let (left, right) = (odd.shape().clone(), out.shape().clone());
        let why = "operands of a map have the shape of its output";
        return Err(Error::Shape { operation, left, right, why });
    }
    let shape = out.shape().clone();
    let out = output::<T>(operation, out, &shape)?;
    let mut slices: [&[T]; N] = [&[]; N];
    let mut all_contiguous = true;
    for (slice, x) in slices.iter_mut().zip(inputs) {
        match x.as_slice::<T>() {
            Some(elements) => *slice = elements,
            None => {
                // Either strided, or of another type, which is an error.
                input::<T>(operation, x)?;
                all_contiguous = false;
            }
        }
    }
    if all_contiguous {
        if out.len() < 2 * CHUNK {
            tile(slices, out);
        } else {
            parallel_chunks_mut(out, CHUNK, |i, out| {
                let range = i * CHUNK..i * CHUNK + out.len();
                tile(slices.map(|slice| &slice[range.clone()]), out);
            });
        }
        return Ok(());
    }
    let rows = shape.first().copied().unwrap_or(1);
    if out.len() < 2 * CHUNK || rows < 2 {
        return strided(operation, inputs, out, &tile);
    }
    // Tasks of whole rows, cut by shape alone.
    let row = out.len() / rows;
    let count = (CHUNK / row).max(1);
    try_parallel_chunks_mut(out, count * row, |i, out| {
        let slice = Slice { start: i * count, len: out.len() / row, step: 1 };
        let mut parts = inputs.map(Tensor::clone);
        for part in &mut parts {
            *part = part.slices(&[slice])?;
        }
        strided(operation, parts.each_ref(), out, &tile)
    })
}

/// As [`each`], for operands that may be strided: they are packed, a tile at a time.
fn strided<T: Float, const N: usize>(
    operation: &'static str,
    inputs: [&Tensor; N],
    out: &mut [T],
    tile: &(impl Fn([&[T]; N], &mut [T]) + Sync),
) -> Result<()> {
    let mut buffers: [&[T]; N] = [&[]; N];
    for (buffer, x) in buffers.iter_mut().zip(inputs) {
        *buffer = input(operation, x)?;
    }
    let mut scratch = [[T::ZERO; TILE]; N];
    let mut done = 0;
    NdIter::new(inputs.map(Tensor::layout)).for_each_run(|offsets, len, strides| {
        for start in (0..len).step_by(TILE) {
            let n = TILE.min(len - start);
            let mut slices: [&[T]; N] = [&[]; N];
            for (i, scratch) in scratch.iter_mut().enumerate() {
                let offset = offsets[i] + start as isize * strides[i];
                slices[i] = packed(buffers[i], offset, strides[i], n, scratch);
            }
            tile(slices, &mut out[done..done + n]);
            done += n;
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::threads;
    use crate::{map1, map2, map3};

    const ADD: Map2 = map2!(|a, b| a + b);
    const SCALE: Map1 = map1!(|x, p| x * p[0]);
    const PICK: Map3 = map3!(|m, a, b| if m > T::ZERO { a } else { b });

    fn cube() -> Tensor {
        Tensor::new([2, 3, 4], (0..24).map(f64::from).collect()).unwrap()
    }

    #[test]
    fn operands_may_be_permuted_flipped_and_broadcast() {
        let a = cube().permute([2, 0, 1]).unwrap();
        let b = Tensor::from([[100.0], [200.0]]).flip(0).unwrap().expand([4, 2, 3]).unwrap();
        let mut out = Tensor::zeros([4, 2, 3], DType::F64).unwrap();
        map2(&ADD, &a, &b, &mut out).unwrap();
        for i in 0..4 {
            for j in 0..2 {
                for k in 0..3 {
                    let expected = (12 * j + 4 * k + i) as f64 + [200.0, 100.0][j];
                    assert_eq!(out.get([i, j, k]), Ok(expected));
                }
            }
        }
    }

    #[test]
    fn a_scalar_and_an_empty_tensor_are_tensors() {
        let mut out = Tensor::from(0.0_f32);
        map1(&SCALE, &Tensor::from(2.0_f32), [3.0, 0.0], &mut out).unwrap();
        assert_eq!(out.item(), Ok(6.0));
        let empty = Tensor::zeros([0, 3], DType::F32).unwrap();
        let mut out = Tensor::zeros([0, 3], DType::F32).unwrap();
        map1(&SCALE, &empty, [3.0, 0.0], &mut out).unwrap();
    }

    #[test]
    fn three_operands_are_iterated_together() {
        let mask = Tensor::from([1.0, 0.0]).expand([3, 2]).unwrap();
        let a = Tensor::new([2, 3], (0..6).map(f64::from).collect()).unwrap().t().unwrap();
        let b = Tensor::filled_view([3, 2], -1.0, DType::F64).unwrap();
        let mut out = Tensor::zeros([3, 2], DType::F64).unwrap();
        map3(&PICK, &mask, &a, &b, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [0.0, -1.0, 1.0, -1.0, 2.0, -1.0]);
    }

    #[test]
    fn large_strided_and_contiguous_maps_agree_for_any_number_of_threads() {
        let x = Tensor::new([600, 500], (0..300_000).map(|i| i as f32).collect()).unwrap();
        let run = |threads: usize| {
            threads::with(threads, || {
                let mut sum = Tensor::zeros([500, 600], DType::F32).unwrap();
                map2(&ADD, &x.t().unwrap(), &x.t().unwrap().contiguous(), &mut sum).unwrap();
                sum
            })
        };
        let one = run(1);
        assert_eq!(one.get([7, 9]), Ok(2.0 * (9.0 * 500.0 + 7.0)));
        assert!(one == run(2) && one == run(7));
    }

    #[test]
    fn shapes_and_types_that_differ_are_refused() {
        let mut out = Tensor::zeros([2], DType::F64).unwrap();
        let x = Tensor::from([1.0, 2.0]);
        assert!(map2(&ADD, &x, &Tensor::from([1.0]), &mut out).is_err());
        assert!(map2(&ADD, &x, &Tensor::from([1_i64, 2]), &mut out).is_err());
        let shared = out.clone();
        assert!(map2(&ADD, &x, &x, &mut out).is_err());
        drop(shared);
        assert!(map2(&ADD, &x, &x, &mut out).is_ok());
    }
}
