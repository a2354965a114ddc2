//! Kernels over tensors of any layout, into contiguous outputs.
//!
//! Inputs may be views of any kind. An output is contiguous, shared with nobody, and of the right
//! shape and type; a kernel writes every element of it and reads none. Work is cut by shape alone
//! and partial results are combined in a fixed order, so that results are bitwise the same for
//! any number of threads.
//!
//! What is shown here is for own functions ([`map1!`](crate::map1) and its siblings), for
//! [`threads`], and for sorting. The kernels themselves are unstable: for the crates of lossgraph,
//! and not shown.

pub(crate) mod accumulate;
mod adaptive;
pub(crate) mod chacha;
mod convolution;
mod copy;
mod distance;
mod index;
mod integers;
mod linalg;
pub(crate) mod loops;
mod map;
mod matmul;
mod microkernel;
pub(crate) mod nditer;
mod order;
mod planes;
mod pooling;
pub(crate) mod reduce;
mod scan;
mod scatter;
pub(crate) mod scratch;
pub(crate) mod simd;
mod sparse;
pub mod threads;
mod transpose;

pub use index::Extreme;
pub use integers::{Integers1, Integers2};
pub use loops::{Function1, Function2, Function3, Map1, Map2, Map3};
pub(crate) use loops::{Loops, Strip};
pub(crate) use matmul::LazyProduct;
pub use order::Order;
pub use reduce::ReduceOp;
pub use scan::Direction;

// What the macros name, and what lossgraph-autograd calls.
#[doc(hidden)]
pub use {
    adaptive::{AdaptiveWindows, adaptive_argmax, adaptive_spread, adaptive_sum},
    convolution::Convolution,
    copy::{cast, concat, copy, fill, overlap_add, pad, pad_add},
    distance::{distances, weighted_differences},
    index::{arg_extreme, gather, index_add, index_select, one_hot},
    integers::{combine_integers, is_integer, map_integers, select_integers},
    linalg::{Singular, Triangle, cholesky, cofactors, det, slogdet, solve, solve_triangular},
    loops::{FastPath, FastPath2},
    map::{map1, map2, map3},
    matmul::matmul,
    order::{Ranks, arg_ranks, arg_sort},
    pooling::window_argmax,
    reduce::reduce,
    scan::{arg_cumulative, cumprod, cumsum, recurrence},
    scatter::{Base, Scattered, scatter, scatter_add},
    simd::{Loop, vectorized},
    sparse::{SparseMatrix, sparse_matmul},
};

use std::borrow::Cow;

use crate::{Elem, Error, Result, Shape, Tensor};

/// How many elements a task has; work on fewer than two tasks' worth runs sequentially.
pub(crate) const CHUNK: usize = 1 << 16;

/// The elements of a tensor, row by row, in a new vector.
pub(crate) fn copied<T: Elem>(x: &Tensor) -> Vec<T> {
    match x.as_slice::<T>() {
        Some(elements) => elements.to_vec(),
        None => match x.repeated() {
            Some(element) => vec![element; x.len()],
            None => {
                let mut elements = vec![T::ZERO; x.len()];
                copy::into_slice(x, &mut elements);
                elements
            }
        },
    }
}

/// The elements of a tensor, row by row: borrowed if they are contiguous, else copied.
fn borrowed<T: Elem>(x: &Tensor) -> Cow<'_, [T]> {
    x.as_slice::<T>().map_or_else(|| copied(x).into(), Into::into)
}

/// Whether it is NaN, which alone differs from itself; integers have none.
#[inline(always)]
pub(crate) fn is_nan<T: Elem>(x: T) -> bool {
    x.partial_cmp(&x).is_none()
}

/// The lengths of the axes before, at, and after `axis`, multiplied up.
fn outer_dim_inner(operation: &'static str, shape: &Shape, axis: usize) -> Result<[usize; 3]> {
    let Some(&dim) = shape.get(axis) else {
        let (axis, shape) = (axis as isize, shape.clone());
        return Err(Error::Axis { operation, axis, shape });
    };
    let product = |dims: &[usize]| dims.iter().product::<usize>();
    Ok([product(&shape[..axis]), dim, product(&shape[axis + 1..])])
}

/// The elements of an output to write to.
fn output<'a, T: Elem>(
    operation: &'static str,
    out: &'a mut Tensor,
    expected: &[usize],
) -> Result<&'a mut [T]> {
    let fits = out.shape()[..] == *expected && out.layout().is_contiguous() && out.is_unique();
    if !fits {
        let (expected, given) = (Shape::from(expected), out.shape().clone());
        return Err(Error::Output { operation, expected, given });
    }
    let given = out.dtype();
    out.as_mut_slice::<T>().ok_or(Error::DType { operation, given, expected: T::DTYPE })
}

/// The buffer of an input that has to hold `T`.
#[inline]
fn input<'a, T: Elem>(operation: &'static str, x: &'a Tensor) -> Result<&'a [T]> {
    let error = || Error::DType { operation, given: x.dtype(), expected: T::DTYPE };
    x.buffer_slice::<T>().ok_or_else(error)
}
