//! What a picture of curves shows, whatever draws it.

use std::ops::Range;

use lossgraph_explain::{Curve, Point, Sweep, window};

use crate::axis::Axis;
use crate::braille::{self, Ink};
use crate::svg;

/// Curves over one element of an input: values above, slopes below. Rings are where the slope jumps.
///
/// ```
/// use lossgraph_explain::{Sweep, curve};
/// use lossgraph_plot::{Ink, Picture};
/// use lossgraph_tensor::Tensor;
///
/// let sweep = Sweep { input: 0, element: 0, range: -2.0..2.0 };
/// let at = [Tensor::from([1.0])];
/// let over = |power: i32| curve(|_, x| x[0].abs().powi(power).sum(..), &at, &sweep);
/// let picture = Picture::of(over(2)?, &sweep).label("square").and("cube", over(3)?);
/// println!("{}", picture.text(80, Ink::Plain));
/// assert!(picture.svg().contains(">cube</text>"));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Debug)]
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
    pub range: Range<f64>,
    /// Whether to mark where the inputs are.
    pub has_current: bool,
}

/// A curve with the setting that it is of.
#[derive(Clone, Debug)]
pub struct Member {
    /// The setting; empty for a curve that is alone.
    pub label: String,
    /// The curve.
    pub curve: Curve,
}

/// A half of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
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
    /// The picture of a curve over the range of its sweep, with a dot at the inputs as they are.
    pub fn of(curve: Curve, sweep: &Sweep) -> Picture {
        Picture {
            title: String::new(),
            note: String::new(),
            axis: format!("input {}, element {}", sweep.input, sweep.element),
            members: vec![Member { label: String::new(), curve }],
            range: sweep.range.clone(),
            has_current: true,
        }
    }

    /// With a title.
    pub fn title(self, title: &str) -> Picture {
        Picture { title: title.to_owned(), ..self }
    }

    /// With a line below the title: what moves, and what stays.
    pub fn note(self, note: &str) -> Picture {
        Picture { note: note.to_owned(), ..self }
    }

    /// With a name for what moves.
    pub fn axis(self, name: &str) -> Picture {
        Picture { axis: name.to_owned(), ..self }
    }

    /// With a label for the curve that was added last.
    pub fn label(mut self, label: &str) -> Picture {
        if let Some(member) = self.members.last_mut() {
            member.label = label.to_owned();
        }
        self
    }

    /// With another curve over the same range.
    pub fn and(mut self, label: &str, curve: Curve) -> Picture {
        self.members.push(Member { label: label.to_owned(), curve });
        self
    }

    /// The picture as SVG, readable in light and dark.
    pub fn svg(&self) -> String {
        svg::draw(self)
    }

    /// The picture in so many columns of text.
    pub fn text(&self, columns: usize, ink: Ink) -> String {
        braille::draw(self, columns, ink)
    }

    /// The axis of what moves.
    pub(crate) fn across(&self, ticks: usize) -> Axis {
        Axis::over(&self.range, ticks)
    }

    /// The axis of values or slopes, which all members share.
    pub(crate) fn up(&self, part: Part, ticks: usize) -> Axis {
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
