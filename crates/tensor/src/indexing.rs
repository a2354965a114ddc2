//! What can stand where an axis, a range of an axis, or a shape is named: integers of the types that
//! programs have at hand, so that nobody has to cast.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use smallvec::SmallVec;

use crate::{Dims, Shape};

/// An axis, or an index along one: `1`, `-1`, or a `usize`. Negative ones count from the end.
pub trait IntoAxis: Copy {
    /// The axis; a number that no axis can have where it is too large.
    fn into_axis(self) -> isize;
}

/// A range of an axis: `1..3`, `..-1`, `i * n..(i + 1) * n`. Negative ends count from the end.
pub trait IntoRange {
    /// Start and stop, where they are given.
    fn into_range(self) -> (Option<isize>, Option<isize>);
}

/// A whole number for each axis, as an array, slice, vector or tuple: a shape, one length of which
/// may be −1, as long as the number of elements asks for; a permutation of axes; an index.
pub trait IntoDims {
    /// The numbers.
    fn into_dims(self) -> SmallVec<[isize; 4]>;
}

/// How an axis is cut into pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sections {
    /// Pieces of this length each; the last one may be shorter.
    Each(isize),
    /// Pieces of these lengths, which add up to that of the axis.
    Lengths(SmallVec<[isize; 4]>),
}

/// What can say how an axis is cut: a number for the length of each piece, or a list of lengths.
pub trait IntoSections {
    /// The lengths.
    fn into_sections(self) -> Sections;
}

impl IntoAxis for isize {
    #[inline]
    fn into_axis(self) -> isize {
        self
    }
}

impl IntoAxis for i32 {
    #[inline]
    fn into_axis(self) -> isize {
        self as isize
    }
}

macro_rules! axes {
    ($($number:ty),*) => {
        $(impl IntoAxis for $number {
            #[inline]
            fn into_axis(self) -> isize {
                isize::try_from(self).unwrap_or(isize::MAX)
            }
        })*
    };
}

axes!(i64, u8, u32, usize);

/// The number after one; the largest stays.
fn after(x: isize) -> isize {
    x.saturating_add(1)
}

impl<T: IntoAxis> IntoRange for Range<T> {
    fn into_range(self) -> (Option<isize>, Option<isize>) {
        (Some(self.start.into_axis()), Some(self.end.into_axis()))
    }
}

impl<T: IntoAxis> IntoRange for RangeFrom<T> {
    fn into_range(self) -> (Option<isize>, Option<isize>) {
        (Some(self.start.into_axis()), None)
    }
}

impl<T: IntoAxis> IntoRange for RangeTo<T> {
    fn into_range(self) -> (Option<isize>, Option<isize>) {
        (None, Some(self.end.into_axis()))
    }
}

impl<T: IntoAxis> IntoRange for RangeInclusive<T> {
    fn into_range(self) -> (Option<isize>, Option<isize>) {
        (Some(self.start().into_axis()), inclusive(*self.end()))
    }
}

impl<T: IntoAxis> IntoRange for RangeToInclusive<T> {
    fn into_range(self) -> (Option<isize>, Option<isize>) {
        (None, inclusive(self.end))
    }
}

/// Up to and with the last element for −1.
fn inclusive<T: IntoAxis>(end: T) -> Option<isize> {
    Some(after(end.into_axis())).filter(|&stop| stop != 0)
}

impl IntoRange for RangeFull {
    fn into_range(self) -> (Option<isize>, Option<isize>) {
        (None, None)
    }
}

impl<T: IntoAxis, const N: usize> IntoDims for [T; N] {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self.iter().map(|dim| dim.into_axis()).collect()
    }
}

impl<T: IntoAxis> IntoDims for &[T] {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self.iter().map(|dim| dim.into_axis()).collect()
    }
}

impl<T: IntoAxis, const N: usize> IntoDims for &[T; N] {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self.iter().map(|dim| dim.into_axis()).collect()
    }
}

impl<T: IntoAxis> IntoDims for Vec<T> {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self[..].into_dims()
    }
}

impl<T: IntoAxis> IntoDims for &Vec<T> {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self[..].into_dims()
    }
}

impl<T: IntoAxis> IntoSections for T {
    fn into_sections(self) -> Sections {
        Sections::Each(self.into_axis())
    }
}

impl<T: IntoAxis, const N: usize> IntoSections for [T; N] {
    fn into_sections(self) -> Sections {
        Sections::Lengths(self.into_dims())
    }
}

impl<T: IntoAxis> IntoSections for &[T] {
    fn into_sections(self) -> Sections {
        Sections::Lengths(self.into_dims())
    }
}

impl<T: IntoAxis, const N: usize> IntoSections for &[T; N] {
    fn into_sections(self) -> Sections {
        Sections::Lengths(self.into_dims())
    }
}

impl<T: IntoAxis> IntoSections for Vec<T> {
    fn into_sections(self) -> Sections {
        Sections::Lengths(self.into_dims())
    }
}

impl<T: IntoAxis> IntoSections for &Vec<T> {
    fn into_sections(self) -> Sections {
        Sections::Lengths(self.into_dims())
    }
}

impl IntoDims for Shape {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self[..].into_dims()
    }
}

impl IntoDims for &Shape {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self[..].into_dims()
    }
}

impl IntoDims for Dims {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        self[..].into_dims()
    }
}

impl IntoDims for () {
    fn into_dims(self) -> SmallVec<[isize; 4]> {
        SmallVec::new()
    }
}

macro_rules! one {
    ($($number:ty),*) => {
        $(impl IntoDims for $number {
            fn into_dims(self) -> SmallVec<[isize; 4]> {
                SmallVec::from_slice(&[self.into_axis()])
            }
        })*
    };
}

one!(usize, isize, i32, i64, u32);

macro_rules! tuples {
    ($($($part:ident)+;)*) => {
        $(impl<$($part: IntoAxis),+> IntoDims for ($($part,)+) {
            #[allow(non_snake_case, reason = "a part is named as its type")]
            fn into_dims(self) -> SmallVec<[isize; 4]> {
                let ($($part,)+) = self;
                SmallVec::from_slice(&[$($part.into_axis()),+])
            }
        })*
    };
}

tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; }

impl Shape {
    /// The shape that `dims` name for this many elements, with the length that is −1 filled in; or
    /// what is wrong with them.
    pub fn resolve(dims: impl IntoDims, len: usize) -> Result<Shape, String> {
        Shape::resolve_dims(&dims.into_dims(), len)
    }

    fn resolve_dims(dims: &[isize], len: usize) -> Result<Shape, String> {
        let text = || format!("{dims:?}");
        if let Some(&dim) = dims.iter().find(|&&dim| dim < -1) {
            return Err(format!("{} has a length of {dim}", text()));
        }
        if dims.iter().filter(|&&dim| dim == -1).count() > 1 {
            return Err(format!("{} leaves two lengths open", text()));
        }
        let known = dims.iter().filter(|&&dim| dim != -1);
        let known = known.fold(1_usize, |known, &dim| known.saturating_mul(dim as usize));
        let open = dims.contains(&-1);
        if open && (known == 0 || !len.is_multiple_of(known)) {
            return Err(format!("{len} elements do not fill {}", text()));
        }
        let length = |dim: isize| if dim == -1 { len / known } else { dim as usize };
        let shape = Shape::from(dims.iter().map(|&dim| length(dim)).collect::<Dims>());
        if shape.numel() != len {
            return Err(format!("{len} elements do not fill {shape}"));
        }
        Ok(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_length_is_filled_in() {
        assert_eq!(Shape::resolve((2, -1), 6).unwrap(), Shape::from([2, 3]));
        assert_eq!(Shape::resolve([-1], 0).unwrap(), Shape::from([0]));
        assert!(Shape::resolve([0, -1], 0).is_err());
        assert!(Shape::resolve([-1, -1], 4).is_err());
        assert!(Shape::resolve([-2, 3], 6).is_err());
        assert!(Shape::resolve([4, -1], 6).is_err());
        assert!(Shape::resolve([usize::MAX, 2], 6).is_err());
    }

    #[test]
    fn ranges_of_any_integers_are_the_same() {
        assert_eq!((1_usize..3).into_range(), (1_isize..3).into_range());
        assert_eq!((..=-1).into_range(), (None, None));
        assert_eq!((2..).into_range(), (Some(2), None));
        assert_eq!((..=isize::MAX).into_range(), (None, Some(isize::MAX)));
    }
}
