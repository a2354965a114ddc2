//! What a picture of curves shows, whatever draws it.

use lossgraph_explain::{Curve, Point, window};

use super::axis::Axis;

/// Losses over one element: values above, slopes below.
pub struct Picture {
    /// The loss.
    pub title: String,
    /// What moves, and what stays.
    pub note: String,
    /// The name of what moves.
    pub axis: String,
    /// The curves: members of a family, or a single one without a label.
    pub members: Vec<Member>,
    /// From where to where the element moves.
    pub range: std::ops::Range<f64>,
    /// Whether to mark where the inputs are.
    pub has_current: bool,
}

/// A curve with the setting that it is of.
pub struct Member {
    /// The setting; empty for a curve that is alone.
    pub label: String,
    /// The curve.
    pub curve: Curve,
}

/// A half of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Values of the loss.
    Loss,
    /// Its slopes.
    Slope,
}

impl Part {
    /// Both, from top to bottom.
    pub const BOTH: [Part; 2] = [Part::Loss, Part::Slope];

    /// What the axis says.
    pub fn name(self) -> &'static str {
        match self {
            Part::Loss => "loss",
            Part::Slope => "slope",
        }
    }

    /// The height of a point.
    pub fn of(self, point: &Point) -> f64 {
        match self {
            Part::Loss => point.value,
            Part::Slope => point.slope,
        }
    }
}

impl Picture {
    /// The axis of what moves.
    pub fn across(&self, ticks: usize) -> Axis {
        Axis::over(&self.range, ticks)
    }

    /// The axis of values or slopes, which all members share.
    pub fn up(&self, part: Part, ticks: usize) -> Axis {
        let windows = self.members.iter().map(|member| {
            // Points are close where a curve bends: one for each cell of a grid is fair.
            let all = member.curve.pieces.iter().flatten();
            let mut last = f64::NEG_INFINITY;
            let fair = all.filter(|point| {
                let cell = (self.across(1).at(point.x) * 96.0 + 1e-6).floor();
                cell > std::mem::replace(&mut last, cell)
            });
            window(fair.map(|point| part.of(point)))
        });
        let all = windows.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        Axis::around(&all.unwrap_or(0.0..1.0), ticks)
    }
}
