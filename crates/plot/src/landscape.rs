//! What a picture of a surface shows, whatever draws it.

use std::ops::Range;

use lossgraph_explain::Surface;

use crate::braille::Ink;
use crate::contours;

/// A program over two numbers, drawn by lines of equal value, and paths down it.
///
/// ```
/// use lossgraph_explain::{Sweep, surface};
/// use lossgraph_plot::Landscape;
/// use lossgraph_tensor::Tensor;
///
/// let [across, up] = [0, 1].map(|element| Sweep { input: 0, element, range: -2.0..2.0 });
/// let at = [Tensor::from([1.0, 1.0])];
/// let bowl = surface(|_, x| x[0].square().sum(..), &at, [&across, &up], 40)?;
/// let svg = Landscape::of(bowl).title("a bowl").axes(["x", "y"]).svg();
/// assert!(svg.starts_with("<svg"));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Landscape {
    /// The loss.
    pub title: String,
    /// What the two numbers are.
    pub note: String,
    /// Their names.
    pub axes: [String; 2],
    /// The values.
    pub surface: Surface,
    /// Ways down.
    pub paths: Vec<Path>,
}

/// The path of an optimizer.
#[derive(Clone, Debug)]
pub struct Path {
    /// Its name.
    pub label: String,
    /// Where it was before the first step, and after each.
    pub points: Vec<[f64; 2]>,
    /// The loss at the end.
    pub loss: f64,
}

impl Landscape {
    /// The landscape of a surface.
    pub fn of(surface: Surface) -> Landscape {
        let (title, note) = (String::new(), String::new());
        Landscape { title, note, axes: ["x", "y"].map(str::to_owned), surface, paths: Vec::new() }
    }

    /// With a title.
    pub fn title(self, title: &str) -> Landscape {
        Landscape { title: title.to_owned(), ..self }
    }

    /// With a line below the title: what the two numbers are.
    pub fn note(self, note: &str) -> Landscape {
        Landscape { note: note.to_owned(), ..self }
    }

    /// With the names of the two numbers.
    pub fn axes(self, names: [&str; 2]) -> Landscape {
        Landscape { axes: names.map(str::to_owned), ..self }
    }

    /// With the path of an optimizer.
    pub fn path(mut self, path: Path) -> Landscape {
        self.paths.push(path);
        self
    }

    /// The picture as SVG, readable in light and dark.
    pub fn svg(&self) -> String {
        contours::draw(self)
    }

    /// The picture in so many columns of text.
    pub fn text(&self, columns: usize, ink: Ink) -> String {
        contours::text(self, columns, ink)
    }

    /// The range of an axis.
    pub(crate) fn range(&self, axis: usize) -> Range<f64> {
        let numbers = if axis == 0 { &self.surface.xs } else { &self.surface.ys };
        match (numbers.first(), numbers.last()) {
            (Some(&first), Some(&last)) if first < last => first..last,
            _ => 0.0..1.0,
        }
    }
}
