//! How a reduction is told its axes: `1`, `-1`, `[0, 2]`, `..`, or any of them in [`keep`].

use std::ops::RangeFull;

use lossgraph_tensor::{AxisSet, Shape};
use smallvec::SmallVec;

/// Axes to reduce, not yet matched with a shape.
#[derive(Clone, Debug)]
pub struct Axes {
    /// The axes, negative ones from the end; `None` is all of them.
    list: Option<SmallVec<[isize; 4]>>,
    pub(crate) keep: bool,
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
    fn list(axes: &[isize]) -> Axes {
        Axes { list: Some(SmallVec::from_slice(axes)), keep: false }
    }

    /// The axes as a set, or what is wrong with them.
    pub(crate) fn of(&self, shape: &Shape) -> Result<AxisSet, String> {
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

impl IntoAxes for isize {
    fn into_axes(self) -> Axes {
        Axes::list(&[self])
    }
}

impl<const N: usize> IntoAxes for [isize; N] {
    fn into_axes(self) -> Axes {
        Axes::list(&self)
    }
}

impl IntoAxes for &[isize] {
    fn into_axes(self) -> Axes {
        Axes::list(self)
    }
}
