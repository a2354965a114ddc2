//! Shapes and sets of axes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use smallvec::SmallVec;

use crate::{Error, Result};

/// Lengths of axes; up to four without an allocation.
pub type Dims = SmallVec<[usize; 4]>;

/// The lengths of a tensor's axes; `[]` is a scalar.
#[derive(Default)]
pub struct Shape(Dims);

// Recording a node copies, hashes and compares shapes. The derived code would call `memcpy` or
// `memcmp` for each of these, to move a word or two.

impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Shape {
        Shape(each_axis(self))
    }
}

/// The same numbers, one an axis; up to four are moved word by word.
#[inline]
pub(crate) fn each_axis<T: Copy>(numbers: &[T]) -> SmallVec<[T; 4]> {
    match *numbers {
        [] => SmallVec::new(),
        [a] => SmallVec::from_slice(&[a]),
        [a, b] => SmallVec::from_slice(&[a, b]),
        [a, b, c] => SmallVec::from_slice(&[a, b, c]),
        [a, b, c, d] => SmallVec::from_slice(&[a, b, c, d]),
        _ => SmallVec::from_slice(numbers),
    }
}

/// The number of elements of a shape, if memory has addresses for them.
///
/// Every shape of a tensor has passed here. Lengths of 0 do not count, as in NumPy and ndarray: so
/// the product of any of the lengths of a tensor fits an `isize`, in bytes, and kernels multiply
/// without looking.
pub(crate) fn checked_len(shape: &Shape) -> Result<usize> {
    match shape.is_addressable() {
        true => Ok(shape.numel()),
        false => Err(Error::TooLarge { shape: shape.clone() }),
    }
}

impl PartialEq for Shape {
    #[inline]
    fn eq(&self, other: &Shape) -> bool {
        self.rank() == other.rank() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|dim| dim.hash(state));
        self.rank().hash(state);
    }
}

impl Shape {
    /// The number of elements: the product of the lengths. `len` is that of the slice, the rank.
    ///
    /// ```
    /// use lossgraph_tensor::Shape;
    ///
    /// let shape = Shape::from([2, 3]);
    /// assert_eq!((shape.numel(), shape.rank(), shape.len()), (6, 2, 2));
    /// ```
    #[inline]
    #[doc(alias = "elements")]
    #[doc(alias = "size")]
    pub fn numel(&self) -> usize {
        self.0.iter().fold(1, |numel, &dim| numel.saturating_mul(dim))
    }

    /// Whether memory has addresses for so many elements, lengths of 0 not counted.
    #[inline]
    pub fn is_addressable(&self) -> bool {
        let lengths = self.iter().filter(|&&dim| dim != 0);
        let bytes = lengths.copied().try_fold(size_of::<f64>(), usize::checked_mul);
        bytes.is_some_and(|bytes| bytes <= isize::MAX as usize)
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of an axis that may be counted from the end (−1 is the last); `None` if it is out
    /// of range.
    #[inline]
    pub fn axis(&self, axis: isize) -> Option<usize> {
        let rank = self.rank() as isize;
        (-rank..rank).contains(&axis).then(|| axis.rem_euclid(rank) as usize)
    }

    /// The common shape by NumPy's rule: aligned at the last axis, lengths agree or are 1.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let dim = |shape: &Shape, axis: usize| match (axis + shape.rank()).checked_sub(rank) {
            Some(axis) => shape[axis],
            None => 1,
        };
        (0..rank)
            .map(|axis| match (dim(self, axis), dim(other, axis)) {
                (a, b) if a == b => Some(a),
                (1, b) => Some(b),
                (a, 1) => Some(a),
                _ => None,
            })
            .collect::<Option<Dims>>()
            .map(Shape)
    }

    /// The index of element `n`, counted in row-major order.
    ///
    /// ```
    /// use lossgraph_tensor::Shape;
    ///
    /// let shape = Shape::from([2, 3]);
    /// assert_eq!(shape.unravel_index(4), [1, 1]);
    /// assert_eq!(shape.ravel_index(&[1, 1]), 4);
    /// ```
    pub fn unravel_index(&self, mut n: usize) -> Vec<usize> {
        let mut index = vec![0; self.rank()];
        for (i, &dim) in index.iter_mut().zip(self.iter()).rev() {
            (*i, n) = (n % dim.max(1), n / dim.max(1));
        }
        index
    }

    /// The number of the element at an index, counted in row-major order.
    pub fn ravel_index(&self, index: &[usize]) -> usize {
        let next = |n: usize, (&dim, &i): (&usize, &usize)| n.saturating_mul(dim).saturating_add(i);
        self.iter().zip(index).fold(0, next)
    }
}

impl Deref for Shape {
    type Target = [usize];

    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<()> for Shape {
    fn from((): ()) -> Shape {
        Shape::default()
    }
}

impl From<usize> for Shape {
    fn from(len: usize) -> Shape {
        Shape([len].into_iter().collect())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[inline]
    fn from(dims: [usize; N]) -> Shape {
        Shape(SmallVec::from_slice(&dims))
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Shape {
        Shape(SmallVec::from_slice(dims))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Shape {
        Shape(SmallVec::from_vec(dims))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

impl From<Dims> for Shape {
    fn from(dims: Dims) -> Shape {
        Shape(dims)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padded as a whole, so that tables align.
        f.pad(&format!("{:?}", &self.0[..]))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of axes. It knows the first 64; an axis beyond is left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AxisSet(u64);

impl AxisSet {
    /// All axes of a tensor with `rank` axes.
    pub fn all(rank: usize) -> AxisSet {
        (0..rank).collect()
    }

    /// Adds an axis.
    pub fn insert(&mut self, axis: usize) {
        self.0 |= u32::try_from(axis).ok().and_then(|axis| 1_u64.checked_shl(axis)).unwrap_or(0);
    }

    /// Whether an axis is in the set.
    #[inline]
    pub fn contains(self, axis: usize) -> bool {
        axis < 64 && self.0 >> axis & 1 == 1
    }

    /// The axes, ascending.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = usize> + Clone {
        (0..64).filter(move |&axis| self.contains(axis))
    }

    /// How many axes.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<usize> for AxisSet {
    fn from_iter<I: IntoIterator<Item = usize>>(axes: I) -> AxisSet {
        let mut set = AxisSet::default();
        axes.into_iter().for_each(|axis| set.insert(axis));
        set
    }
}

impl fmt::Display for AxisSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for AxisSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_by_numpys_rule() {
        let broadcast = |a: &[usize], b: &[usize]| Shape::from(a).broadcast(&Shape::from(b));
        assert_eq!(broadcast(&[2, 3, 4], &[3, 1]), Some(Shape::from([2, 3, 4])));
        assert_eq!(broadcast(&[], &[2]), Some(Shape::from([2])));
        assert_eq!(broadcast(&[1], &[0]), Some(Shape::from([0])));
        assert_eq!(broadcast(&[2, 3], &[2]), None);
    }

    #[test]
    fn axes_count_from_the_end_when_negative() {
        let shape = Shape::from([2, 3, 4]);
        assert_eq!(shape.axis(-1), Some(2));
        assert_eq!(shape.axis(-3), Some(0));
        assert_eq!(shape.axis(3), None);
        assert_eq!(Shape::from(()).axis(0), None);
    }

    #[test]
    fn a_set_of_axes_prints_as_a_list() {
        assert_eq!(AxisSet::from_iter([2, 0]).to_string(), "[0, 2]");
        assert_eq!(AxisSet::all(3).len(), 3);
    }
}
