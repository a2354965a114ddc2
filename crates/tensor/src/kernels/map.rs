//! Element-wise functions of one, two and three tensors.

use super::fold::{Sum, halved};
use super::simd::dispatch;
use super::threads::{share_chunks, try_share_chunks};
use super::walk::{TILE, Walk, packed};
use super::{PIECE, input, output};
use crate::{DType, Error, Float, Result, Slice, Tensor};

/// A scalar function of one number and two parameters, for both float types. It has to be
/// `#[inline(always)]` to become a vector loop; [`map1!`](crate::map1) sees to that.
pub trait Function1 {
    /// The function.
    fn apply<T: Float>(x: T, p: [T; 2]) -> T;
}

/// A scalar function of two numbers. See [`Function1`].
pub trait Function2 {
    /// The function.
    fn apply<T: Float>(a: T, b: T) -> T;
}

/// A scalar function of three numbers. See [`Function1`].
pub trait Function3 {
    /// The function.
    fn apply<T: Float>(a: T, b: T, c: T) -> T;
}

/// The slice loops of a [`Function1`].
#[derive(Clone, Copy, Debug)]
pub struct Map1 {
    /// For `f32`.
    pub f32: Loops1<f32>,
    /// For `f64`.
    pub f64: Loops1<f64>,
}

/// The slice loops of a [`Function2`].
#[derive(Clone, Copy, Debug)]
pub struct Map2 {
    /// For `f32`.
    pub f32: Loops2<f32>,
    /// For `f64`.
    pub f64: Loops2<f64>,
}

/// The slice loops of a [`Function3`].
#[derive(Clone, Copy, Debug)]
pub struct Map3 {
    /// For `f32`.
    pub f32: Loops3<f32>,
    /// For `f64`.
    pub f64: Loops3<f64>,
}

/// A loop over a slice, with two parameters, into the result.
pub type Loop1<T> = fn(&[T], [T; 2], &mut [T]);

/// The loops of a function of one operand, with two parameters.
#[derive(Clone, Copy, Debug)]
pub struct Loops1<T> {
    /// Each result.
    pub slice: Loop1<T>,
    /// The sum of the results, which are not stored.
    pub sum: fn(&[T], [T; 2]) -> T,
}

/// The loops of a function of two operands, each a slice or one number for all places.
#[derive(Clone, Copy, Debug)]
pub struct Loops2<T> {
    /// Two slices.
    pub slices: fn(&[T], &[T], &mut [T]),
    /// The first one is a number.
    pub number_left: fn(T, &[T], &mut [T]),
    /// The second one is a number.
    pub number_right: fn(&[T], T, &mut [T]),
    /// The sum of the results of two slices, which are not stored.
    pub sum: fn(&[T], &[T]) -> T,
}

/// A loop over slices of three operands and the result.
pub type Loop3<T> = fn(&[T], &[T], &[T], &mut [T]);

/// The loops of a function of three operands; the last two are slices or numbers.
#[derive(Clone, Copy, Debug)]
pub struct Loops3<T> {
    /// Three slices.
    pub slices: Loop3<T>,
    /// The second one is a number.
    pub number_middle: fn(&[T], T, &[T], &mut [T]),
    /// The third one is a number.
    pub number_right: fn(&[T], &[T], T, &mut [T]),
    /// Both of them are numbers.
    pub numbers: fn(&[T], T, T, &mut [T]),
}

/// The loops of a row for one float type.
pub(crate) trait Loops: Float {
    fn loops1(map: &Map1) -> &Loops1<Self>;
    fn loops2(map: &Map2) -> &Loops2<Self>;
    fn loops3(map: &Map3) -> &Loops3<Self>;
}

macro_rules! loops {
    ($type:ident) => {
        impl Loops for $type {
            fn loops1(map: &Map1) -> &Loops1<$type> {
                &map.$type
            }

            fn loops2(map: &Map2) -> &Loops2<$type> {
                &map.$type
            }

            fn loops3(map: &Map3) -> &Loops3<$type> {
                &map.$type
            }
        }
    };
}

loops!(f32);
loops!(f64);

/// A [`Map1`](crate::kernels::Map1) from a formula, in which `T` is the float type and the second
/// name is the pair of parameters: `map1!(|x, p| if x > p[0] { x } else { T::ZERO })`.
#[macro_export]
macro_rules! map1 {
    (|$x:ident, $p:ident| $body:expr) => {{
        struct F;
        impl $crate::kernels::Function1 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($x: T, $p: [T; 2]) -> T {
                let _ = $p;
                $body
            }
        }
        $crate::kernels::Map1::of::<F>()
    }};
    // A formula with a branch, and the same without it for `x` where a condition holds.
    (|$x:ident, $p:ident| $body:expr, where $near:expr => $plain:expr) => {{
        struct F;
        impl $crate::kernels::Function1 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($x: T, $p: [T; 2]) -> T {
                let _ = $p;
                $body
            }
        }
        impl $crate::kernels::Branched for F {
            #[inline(always)]
            fn is_plain<T: $crate::Float>($x: T) -> bool {
                $near
            }
            #[inline(always)]
            fn plain<T: $crate::Float>($x: T, $p: [T; 2]) -> T {
                let _ = $p;
                $plain
            }
        }
        $crate::kernels::Map1::branched::<F>()
    }};
}

/// A [`Map2`](crate::kernels::Map2) from a formula: `map2!(|a, b| a * b)`.
#[macro_export]
macro_rules! map2 {
    (|$a:ident, $b:ident| $body:expr) => {{
        struct F;
        impl $crate::kernels::Function2 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($a: T, $b: T) -> T {
                $body
            }
        }
        $crate::kernels::Map2::of::<F>()
    }};
}

/// A [`Map3`](crate::kernels::Map3) from a formula: `map3!(|a, b, c| a * b + c)`.
#[macro_export]
macro_rules! map3 {
    (|$a:ident, $b:ident, $c:ident| $body:expr) => {{
        struct F;
        impl $crate::kernels::Function3 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($a: T, $b: T, $c: T) -> T {
                $body
            }
        }
        $crate::kernels::Map3::of::<F>()
    }};
}

impl Map1 {
    /// The loops of a function.
    pub const fn of<F: Function1>() -> Map1 {
        Map1 { f32: Loops1::of::<F>(), f64: Loops1::of::<F>() }
    }
}

impl Map2 {
    /// The loops of a function.
    pub const fn of<F: Function2>() -> Map2 {
        Map2 { f32: Loops2::of::<F>(), f64: Loops2::of::<F>() }
    }
}

impl Map3 {
    /// The loops of a function.
    pub const fn of<F: Function3>() -> Map3 {
        Map3 { f32: Loops3::of::<F>(), f64: Loops3::of::<F>() }
    }
}

impl<T: Float> Loops1<T> {
    pub(super) const fn of<F: Function1>() -> Loops1<T> {
        Loops1 { slice: loop1::<F, T>, sum: sum1::<F, T> }
    }
}

impl<T: Float> Loops2<T> {
    const fn of<F: Function2>() -> Loops2<T> {
        Loops2 {
            slices: |a, b, out| loop2::<F, T, _, _>(a, b, out),
            number_left: |a, b, out| loop2::<F, T, _, _>(a, b, out),
            number_right: |a, b, out| loop2::<F, T, _, _>(a, b, out),
            sum: sum2::<F, T>,
        }
    }
}

impl<T: Float> Loops3<T> {
    const fn of<F: Function3>() -> Loops3<T> {
        Loops3 {
            slices: |a, b, c, out| loop3::<F, T, _, _, _>(a, b, c, out),
            number_middle: |a, b, c, out| loop3::<F, T, _, _, _>(a, b, c, out),
            number_right: |a, b, c, out| loop3::<F, T, _, _, _>(a, b, c, out),
            numbers: |a, b, c, out| loop3::<F, T, _, _, _>(a, b, c, out),
        }
    }
}

/// What a loop reads at each place: a slice, or a number for all of them.
trait Operand<T>: Copy {
    /// The operand cut to `len`, so that the compiler sees no bound to check in the loop.
    fn cut(self, len: usize) -> Self;
    fn at(self, i: usize) -> T;
}

impl<T: Float> Operand<T> for &[T] {
    #[inline(always)]
    fn cut(self, len: usize) -> Self {
        &self[..len]
    }

    #[inline(always)]
    fn at(self, i: usize) -> T {
        self[i]
    }
}

impl<T: Float> Operand<T> for T {
    #[inline(always)]
    fn cut(self, _: usize) -> T {
        self
    }

    #[inline(always)]
    fn at(self, _: usize) -> T {
        self
    }
}

fn loop1<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
        for (y, &x) in out.iter_mut().zip(x) {
            *y = F::apply(x, p);
        }
    }
    dispatch!(<F: Function1, T: Float> (x: &[T], p: [T; 2], out: &mut [T]) {
        plain::<F, T>(x, p, out)
    })
}

fn loop2<F: Function2, T: Float, A: Operand<T>, B: Operand<T>>(a: A, b: B, out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function2, T: Float, A: Operand<T>, B: Operand<T>>(a: A, b: B, out: &mut [T]) {
        let (a, b) = (a.cut(out.len()), b.cut(out.len()));
        for (i, y) in out.iter_mut().enumerate() {
            *y = F::apply(a.at(i), b.at(i));
        }
    }
    dispatch!(<F: Function2, T: Float, A: Operand<T>, B: Operand<T>>
        (a: A, b: B, out: &mut [T]) { plain::<F, T, A, B>(a, b, out) })
}

fn sum1<F: Function1, T: Float>(x: &[T], p: [T; 2]) -> T {
    #[inline(always)]
    fn plain<F: Function1, T: Float>(x: &[T], p: [T; 2]) -> T {
        let mut lanes = [T::ZERO; LANES];
        let mut chunks = x.chunks_exact(LANES);
        for x in &mut chunks {
            for (lane, &x) in lanes.iter_mut().zip(x) {
                *lane = *lane + F::apply(x, p);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
            *lane = *lane + F::apply(x, p);
        }
        halved::<T, Sum, LANES>(lanes)
    }
    dispatch!(<F: Function1, T: Float> (x: &[T], p: [T; 2]) -> T { plain::<F, T>(x, p) })
}

fn sum2<F: Function2, T: Float>(a: &[T], b: &[T]) -> T {
    #[inline(always)]
    fn plain<F: Function2, T: Float>(a: &[T], b: &[T]) -> T {
        let mut lanes = [T::ZERO; LANES];
        let (mut left, mut right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        for (a, b) in (&mut left).zip(&mut right) {
            for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                *lane = *lane + F::apply(a, b);
            }
        }
        let rest = left.remainder().iter().zip(right.remainder());
        for (lane, (&a, &b)) in lanes.iter_mut().zip(rest) {
            *lane = *lane + F::apply(a, b);
        }
        halved::<T, Sum, LANES>(lanes)
    }
    dispatch!(<F: Function2, T: Float> (a: &[T], b: &[T]) -> T { plain::<F, T>(a, b) })
}

/// The lanes of a sum: enough for additions not to wait for each other.
const LANES: usize = 64;

fn loop3<F: Function3, T: Float, A: Operand<T>, B: Operand<T>, C: Operand<T>>(
    a: A,
    b: B,
    c: C,
    out: &mut [T],
) {
    #[inline(always)]
    fn plain<F: Function3, T: Float, A: Operand<T>, B: Operand<T>, C: Operand<T>>(
        a: A,
        b: B,
        c: C,
        out: &mut [T],
    ) {
        let (a, b, c) = (a.cut(out.len()), b.cut(out.len()), c.cut(out.len()));
        for (i, y) in out.iter_mut().enumerate() {
            *y = F::apply(a.at(i), b.at(i), c.at(i));
        }
    }
    dispatch!(<F: Function3, T: Float, A: Operand<T>, B: Operand<T>, C: Operand<T>>
        (a: A, b: B, c: C, out: &mut [T]) { plain::<F, T, A, B, C>(a, b, c, out) })
}

/// `out = f(x; p)`, element by element.
pub fn map1(kernel: &Map1, x: &Tensor, p: [f64; 2], out: &mut Tensor) -> Result<()> {
    fn typed<T: Loops>(kernel: &Map1, x: &Tensor, p: [f64; 2], out: &mut Tensor) -> Result<()> {
        let (function, p) = (T::loops1(kernel).slice, p.map(T::of));
        each("map", [x], out, |[x], out| function(x, p, out))
    }
    match out.dtype() {
        DType::F64 => typed::<f64>(kernel, x, p, out),
        _ => typed::<f32>(kernel, x, p, out),
    }
}

/// `out = f(a, b)`, element by element; shapes are equal.
pub fn map2(kernel: &Map2, a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    match out.dtype() {
        DType::F64 => each("map", [a, b], out, |[a, b], out| (kernel.f64.slices)(a, b, out)),
        _ => each("map", [a, b], out, |[a, b], out| (kernel.f32.slices)(a, b, out)),
    }
}

/// `out = f(a, b, c)`, element by element; shapes are equal.
pub fn map3(kernel: &Map3, a: &Tensor, b: &Tensor, c: &Tensor, out: &mut Tensor) -> Result<()> {
    fn typed<T: Loops>(kernel: &Map3, x: [&Tensor; 3], out: &mut Tensor) -> Result<()> {
        let function = T::loops3(kernel).slices;
        each("map", x, out, |[a, b, c], out| function(a, b, c, out))
    }
    match out.dtype() {
        DType::F64 => typed::<f64>(kernel, [a, b, c], out),
        _ => typed::<f32>(kernel, [a, b, c], out),
    }
}

/// Calls `tile` with slices of all operands that lie side by side, until `out` is full.
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
                // Either strided, or of another type: that is an error.
                input::<T>(operation, x)?;
                all_contiguous = false;
            }
        }
    }
    if all_contiguous {
        if out.len() < 2 * PIECE {
            tile(slices, out);
        } else {
            share_chunks(out, PIECE, |i, out| {
                let range = i * PIECE..i * PIECE + out.len();
                tile(slices.map(|slice| &slice[range.clone()]), out);
            });
        }
        return Ok(());
    }
    let rows = shape.first().copied().unwrap_or(1);
    if out.len() < 2 * PIECE || rows < 2 {
        return strided(operation, inputs, out, &tile);
    }
    // Pieces of whole rows, cut by shape alone.
    let row = out.len() / rows;
    let piece = (PIECE / row).max(1);
    try_share_chunks(out, piece * row, |i, out| {
        let slice = Slice { start: i * piece, len: out.len() / row, step: 1 };
        let mut parts = inputs.map(Tensor::clone);
        for part in &mut parts {
            *part = part.slice(&[slice])?;
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
    Walk::new(inputs.map(Tensor::layout)).runs(|offsets, len, strides| {
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

    const ADD: Map2 = map2!(|a, b| a + b);
    const SCALE: Map1 = map1!(|x, p| x * p[0]);
    const PICK: Map3 = map3!(|m, a, b| if m > T::ZERO { a } else { b });

    fn cube() -> Tensor {
        Tensor::new([2, 3, 4], (0..24).map(f64::from).collect()).unwrap()
    }

    #[test]
    fn operands_may_be_permuted_flipped_and_broadcast() {
        let a = cube().permute(&[2, 0, 1]).unwrap();
        let b = Tensor::from([[100.0], [200.0]]).flip(0).unwrap().expand([4, 2, 3]).unwrap();
        let mut out = Tensor::zeros([4, 2, 3], DType::F64).unwrap();
        map2(&ADD, &a, &b, &mut out).unwrap();
        for i in 0..4 {
            for j in 0..2 {
                for k in 0..3 {
                    let expected = (12 * j + 4 * k + i) as f64 + [200.0, 100.0][j];
                    assert_eq!(out.get(&[i, j, k]), Ok(expected));
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
    fn three_operands_are_walked_together() {
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
        assert_eq!(one.get(&[7, 9]), Ok(2.0 * (9.0 * 500.0 + 7.0)));
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
