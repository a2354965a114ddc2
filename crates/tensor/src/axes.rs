//! How a reduction is told its axes: `1`, `-1`, `[0, 2]`, `..`, or any of them in [`keep`].

use std::ops::RangeFull;

use smallvec::SmallVec;

use crate::{AxisSet, IntoAxis, Shape};

/// Axes to reduce, not yet matched with a shape.
#[derive(Clone, Debug)]
pub struct Axes {
    /// The axes, negative ones from the end; `None` is all of them.
    list: Option<SmallVec<[isize; 4]>>,
    keep: bool,
}

/// What can name the axes of a reduction.
pub trait IntoAxes {
    /// The axes named.
    fn into_axes(self) -> Axes;
}

/// Reduces `axes` and keeps them in the shape with length 1: `x / x.sum(keep(-1))`.
pub fn keep(axes: impl IntoAxes) -> Axes {
    Axes { keep: true, ..axes.into_axes() }
}

impl Axes {
    fn list<T: IntoAxis>(axes: &[T]) -> Axes {
        Axes { list: Some(axes.iter().map(|axis| axis.into_axis()).collect()), keep: false }
    }

    /// Whether they stay in the shape, with length 1.
    pub fn are_kept(&self) -> bool {
        self.keep
    }

    /// Whether they are all axes because `..` says so, whatever the shape.
    pub fn are_all(&self) -> bool {
        self.list.is_none()
    }

    /// The axes as a set, for a shape.
    ///
    /// # Errors
    /// What is wrong with them, in a clause: no such axis, or one that is named twice.
    pub fn of(&self, shape: &Shape) -> Result<AxisSet, String> {
        if shape.rank() > 64 {
            return Err(format!("{shape} has more than 64 axes"));
        }
        let Some(list) = &self.list else {
            return Ok(AxisSet::all(shape.rank()));
        };
        let mut set = AxisSet::default();
        for &axis in list {
            // A scalar has no axis, yet 0 and -1 reduce it, as in PyTorch.
            if shape.rank() == 0 && (axis == 0 || axis == -1) {
                continue;
            }
            match shape.axis(axis) {
                None => return Err(format!("there is no axis {axis} in {shape}")),
                Some(axis) if set.contains(axis) => {
                    return Err(format!("axis {axis} is named twice"));
                }
                Some(axis) => set.insert(axis),
            };
        }
        Ok(set)
    }
}

impl IntoAxes for Axes {
    fn into_axes(self) -> Axes {
        self
    }
}

impl IntoAxes for RangeFull {
    fn into_axes(self) -> Axes {
        Axes { list: None, keep: false }
    }
}

macro_rules! one {
    ($($number:ty),*) => {
        $(impl IntoAxes for $number {
            fn into_axes(self) -> Axes {
                Axes::list(&[self])
            }
        })*
    };
}

one!(isize, i32, i64, usize);

impl<T: IntoAxis, const N: usize> IntoAxes for [T; N] {
    fn into_axes(self) -> Axes {
        Axes::list(&self)
    }
}

impl<T: IntoAxis> IntoAxes for &[T] {
    fn into_axes(self) -> Axes {
        Axes::list(self)
    }
}

impl<A: IntoAxis, B: IntoAxis> IntoAxes for (A, B) {
    fn into_axes(self) -> Axes {
        Axes::list(&[self.0.into_axis(), self.1.into_axis()])
    }
}
