//! A landscape drawn by lines of equal loss: as SVG, and as text.

use std::fmt::Write;

use lossgraph_explain::{Surface, window};

use crate::axis::Axis;
use crate::braille::{self, Ink, Sheet, colored};
use crate::landscape::{Landscape, Path};
use crate::svg::{color, escaped, line, short, start};

/// How many lines there are.
const LEVELS: usize = 14;
/// The square that the landscape is drawn in.
const LEFT: f64 = 86.0;
const TOP: f64 = 56.0;
const WIDTH: f64 = 372.0;
const HEIGHT: f64 = 336.0;
/// About how many numbers stand along its sides.
const ACROSS: usize = 7;
const UP: usize = 6;
/// How many rows and, at most, columns of text it takes: about a square.
const ROWS: usize = 22;
const COLUMNS: usize = 72;

/// A piece of a line of equal loss.
type Segment = [(f64, f64); 2];

/// The landscape as SVG.
pub fn draw(landscape: &Landscape) -> String {
    let levels = levels(&landscape.surface);
    let mut svg = start(&landscape.title, &landscape.note);
    svg += &frame(landscape);
    svg += "<g clip-path=\"url(#ground)\">\n";
    svg += &lines(landscape, &levels);
    svg += &paths(landscape);
    svg += "</g>\n";
    svg + &legend(landscape, &levels) + "</svg>\n"
}

/// Where a point of the landscape lies in the picture. A step that went astray is drawn to the
/// border and no farther.
fn position(landscape: &Landscape) -> impl Fn((f64, f64)) -> (f64, f64) + use<> {
    let (across, up) = axes(landscape, ACROSS, UP);
    move |(x, y)| {
        let (x, y) = (across.at(x).clamp(-1.0, 2.0), up.at(y).clamp(-1.0, 2.0));
        (LEFT + WIDTH * x, TOP + HEIGHT * (1.0 - y))
    }
}

/// The border with its numbers and names.
fn frame(landscape: &Landscape) -> String {
    let at = position(landscape);
    let (across, up) = axes(landscape, ACROSS, UP);
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    let square = format!("x=\"{LEFT}\" y=\"{TOP}\" width=\"{WIDTH}\" height=\"{HEIGHT}\"");
    let mut text = format!(
        "<clipPath id=\"ground\"><rect {square}/></clipPath>\n\
         <rect class=\"z\" style=\"fill:none\" {square}/>"
    );
    for tick in across.ticks() {
        let (x, y, label) = (short(at((tick, 0.0)).0), bottom + 17.0, across.label(tick));
        let _ = write!(text, "<text class=\"n m\" x=\"{x}\" y=\"{y}\">{label}</text>");
    }
    for tick in up.ticks() {
        let (x, y, label) = (LEFT - 7.0, short(at((0.0, tick)).1 + 4.5), up.label(tick));
        let _ = write!(text, "<text class=\"n e\" x=\"{x}\" y=\"{y}\">{label}</text>");
    }
    let (middle, below) = ((LEFT + right) / 2.0, bottom + 37.0);
    let [name, side] = landscape.axes.each_ref().map(|name| escaped(name));
    let _ = writeln!(
        text,
        "<text class=\"m\" x=\"{middle}\" y=\"{below}\">{name}</text>\
         <text class=\"m\" transform=\"translate(15 {})rotate(-90)\">{side}</text>",
        (TOP + bottom) / 2.0,
    );
    text
}

/// The lines of equal loss; the lower, the stronger, so that the eye goes down.
fn lines(landscape: &Landscape, levels: &[f64]) -> String {
    let at = position(landscape);
    let mut text = String::new();
    for (i, &level) in levels.iter().enumerate() {
        let segments = segments(&landscape.surface, level);
        let path: String = segments.into_iter().map(|ends| line(&ends.map(&at))).collect();
        let opacity = 0.95 - 0.7 * i as f64 / LEVELS as f64;
        let _ = writeln!(
            text,
            "<path class=\"z\" style=\"stroke-width:1.2;stroke-opacity:{opacity:.2}\" d=\"{path}\"/>"
        );
    }
    text
}

/// The paths of the optimizers, with a dot for each step, and a ring where they start.
fn paths(landscape: &Landscape) -> String {
    let at = position(landscape);
    let mut text = String::new();
    for (i, path) in landscape.paths.iter().enumerate() {
        let points: Vec<(f64, f64)> = path.points.iter().map(|&[x, y]| at((x, y))).collect();
        let i = color(i);
        let _ = write!(text, "<path class=\"c{i}\" d=\"{}\"/>", line(&points));
        for (x, y) in &points {
            let (x, y) = (short(*x), short(*y));
            let _ = write!(text, "<circle class=\"t{i} p\" cx=\"{x}\" cy=\"{y}\" r=\"2.6\"/>");
        }
    }
    if let Some(&[x, y]) = landscape.paths.first().and_then(|path| path.points.first()) {
        let (x, y) = at((x, y));
        let (x, y) = (short(x), short(y));
        let _ = writeln!(text, "<circle class=\"z r\" cx=\"{x}\" cy=\"{y}\" r=\"6\"/>");
    }
    text
}

/// What the lines are, and how far each optimizer came.
fn legend(landscape: &Landscape, levels: &[f64]) -> String {
    let scale = scale(levels).map(|text| ("n".to_owned(), text));
    let gap = [(String::new(), String::new())];
    let paths = landscape.paths.iter().enumerate();
    let paths = paths.map(|(i, path)| (format!("t{}", color(i)), told(path)));
    let mut text = String::new();
    for (row, (class, said)) in scale.into_iter().chain(gap).chain(paths).enumerate() {
        let (x, y) = (LEFT + WIDTH + 16.0, TOP + 12.0 + 18.0 * row as f64);
        let said = escaped(&said);
        let _ = write!(text, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{said}</text>");
    }
    text + "\n"
}

/// The landscape in so many columns of text.
pub fn text(landscape: &Landscape, columns: usize, ink: Ink) -> String {
    let inner = columns.saturating_sub(braille::LEFT + 2).clamp(20, COLUMNS);
    let (across, up) = axes(landscape, inner / 10, UP);
    let at = |(x, y): (f64, f64)| (across.at(x), up.at(y));
    let mut sheet = Sheet::new(inner, ROWS);
    // Fewer lines than in a picture: dots are large.
    for &level in levels(&landscape.surface).iter().step_by(2) {
        for [a, b] in segments(&landscape.surface, level) {
            sheet.line(at(a), at(b), None);
        }
    }
    for (i, path) in landscape.paths.iter().enumerate() {
        for pair in path.points.windows(2) {
            sheet.line(at((pair[0][0], pair[0][1])), at((pair[1][0], pair[1][1])), Some(i));
        }
    }
    let [name, side] = &landscape.axes;
    let left = braille::LEFT;
    let mut text = format!("{}\n{}\n\n{side:>left$}\n", landscape.title, landscape.note);
    for (row, number) in sheet.rows(ink).iter().zip(braille::numbers(&up, ROWS)) {
        text += braille::frame(&number, row).trim_end();
        text += "\n";
    }
    text += &braille::foot(&across, inner, name);
    text += &format!("\n{}\n", scale(&levels(&landscape.surface)).join(" "));
    for (i, path) in landscape.paths.iter().enumerate() {
        text += &format!("{}\n", colored(&told(path), Some(i), ink));
    }
    text
}

fn axes(landscape: &Landscape, across: usize, up: usize) -> (Axis, Axis) {
    (Axis::over(&landscape.range(0), across), Axis::over(&landscape.range(1), up))
}

fn told(path: &Path) -> String {
    format!("{}: loss {}", path.label, rounded(path.loss))
}

fn scale(levels: &[f64]) -> [String; 3] {
    let number = |level: Option<&f64>| level.map_or("nothing".to_owned(), |x| rounded(*x));
    let ends = format!("from {} to {},", number(levels.first()), number(levels.last()));
    ["Lines of equal loss,".to_owned(), ends, "the lower the darker.".to_owned()]
}

fn rounded(x: f64) -> String {
    let text = if x.abs() >= 1e-3 && x.abs() < 1e5 || x == 0.0 {
        format!("{x:.3}")
    } else {
        format!("{x:.1e}")
    };
    text.replace('-', "−")
}

/// Levels between which lie equally many points of the grid: so lines are never crowded.
fn levels(surface: &Surface) -> Vec<f64> {
    let all = || surface.values.iter().flatten().copied().filter(|value| value.is_finite());
    let shown = window(all());
    let mut values: Vec<f64> = all().filter(|value| *value <= shown.end).collect();
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return Vec::new() };
    let mut levels: Vec<f64> =
        (0..LEVELS).map(|i| values[(2 * i + 1) * last / (2 * LEVELS)]).collect();
    levels.dedup();
    levels
}

/// The line at a level, cell by cell (marching squares).
fn segments(surface: &Surface, level: f64) -> Vec<Segment> {
    let mut found = Vec::new();
    for j in 1..surface.ys.len() {
        for i in 1..surface.xs.len() {
            let corner = |di: usize, dj: usize| {
                (surface.xs[i - di], surface.ys[j - dj], surface.values[j - dj][i - di])
            };
            let corners = [corner(1, 1), corner(0, 1), corner(0, 0), corner(1, 0)];
            let crossings: Vec<(f64, f64)> = (0..4)
                .filter_map(|k| {
                    let ((x, y, a), (u, v, b)) = (corners[k], corners[(k + 1) % 4]);
                    let part = (level - a) / (b - a);
                    let crosses = (a < level) != (b < level) && part.is_finite();
                    crosses.then_some((x + (u - x) * part, y + (v - y) * part))
                })
                .collect();
            // A saddle has four: which of them belong together, its middle would tell; so small
            // a cell shows no difference.
            found.extend(crossings.chunks_exact(2).map(|pair| [pair[0], pair[1]]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_slope_is_straight() {
        let surface = Surface {
            xs: vec![0.0, 1.0],
            ys: vec![0.0, 1.0],
            values: vec![vec![0.0, 1.0], vec![0.0, 1.0]],
        };
        assert_eq!(segments(&surface, 0.25), [[(0.25, 0.0), (0.25, 1.0)]]);
        assert!(segments(&surface, 2.0).is_empty());
    }

    #[test]
    fn nothing_is_drawn_where_there_is_no_value() {
        let surface = Surface {
            xs: vec![0.0, 1.0],
            ys: vec![0.0, 1.0],
            values: vec![vec![f64::NAN; 2], vec![f64::NAN; 2]],
        };
        assert!(levels(&surface).is_empty());
        assert!(segments(&surface, 0.5).is_empty());
    }
}
