//! Pictures as text: each character is a grid of two by four dots.

use crate::axis::Axis;
use crate::picture::{Part, Picture};

/// The colors of members on a terminal: blue, red, green, magenta, yellow, cyan, and the same once
/// more, bright; and gray for what is no member.
const COLORS: [u8; 12] = [34, 31, 32, 35, 33, 36, 94, 91, 92, 95, 93, 96];
const GRAY: u8 = 90;

/// Whether to write colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Escapes that a terminal shows as colors.
    Colored,
    /// Dots alone.
    Plain,
}

/// A sheet of dots.
pub struct Sheet {
    columns: usize,
    rows: usize,
    dots: Vec<u8>,
    /// The member that drew to a character last.
    owners: Vec<Option<usize>>,
}

impl Sheet {
    /// An empty sheet of so many characters.
    pub fn new(columns: usize, rows: usize) -> Sheet {
        let len = columns * rows;
        Sheet { columns, rows, dots: vec![0; len], owners: vec![None; len] }
    }

    /// A line of a member, or of none, between two points, each from 0 to 1 across and up; what lies
    /// outside is left out.
    pub fn line(&mut self, a: (f64, f64), b: (f64, f64), owner: Option<usize>) {
        let (width, height) = ((2 * self.columns - 1) as f64, (4 * self.rows - 1) as f64);
        // Far out is far enough: the steps between are as long as those of dots.
        let near = |(x, y): (f64, f64)| (x.clamp(-1.0, 2.0), y.clamp(-1.0, 2.0));
        let (a, b) = (near(a), near(b));
        let long = ((b.0 - a.0) * width).abs().max(((b.1 - a.1) * height).abs());
        let steps = long.ceil().max(1.0) as usize;
        for i in 0..=steps {
            let part = i as f64 / steps as f64;
            let (x, y) = (a.0 + (b.0 - a.0) * part, a.1 + (b.1 - a.1) * part);
            if (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y) {
                self.dot(
                    (x * width).round() as usize,
                    ((1.0 - y) * height).round() as usize,
                    owner,
                );
            }
        }
    }

    fn dot(&mut self, x: usize, y: usize, owner: Option<usize>) {
        // The order of the dots of U+2800: left column 1, 2, 3, 7, right column 4, 5, 6, 8.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let at = y / 4 * self.columns + x / 2;
        self.dots[at] |= BITS[y % 4][x % 2];
        self.owners[at] = owner;
    }

    /// The rows of characters, from top to bottom.
    pub fn rows(&self, ink: Ink) -> Vec<String> {
        let character = |at: usize| {
            let dots = self.dots[at];
            let shown = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
            if dots == 0 {
                " ".to_owned()
            } else {
                colored(&shown.to_string(), self.owners[at], ink)
            }
        };
        let row =
            |row: usize| (0..self.columns).map(|x| character(row * self.columns + x)).collect();
        (0..self.rows).map(row).collect()
    }
}

/// Text in the color of a member.
pub fn colored(text: &str, member: Option<usize>, ink: Ink) -> String {
    match ink {
        Ink::Colored => {
            let color = member.map_or(GRAY, |member| COLORS[member % COLORS.len()]);
            format!("\x1b[{color}m{text}\x1b[0m")
        }
        Ink::Plain => text.to_owned(),
    }
}

/// The picture in so many columns of text.
pub fn draw(picture: &Picture, columns: usize, ink: Ink) -> String {
    let labels = picture.members.iter().map(|member| member.label.chars().count());
    let right = labels.max().unwrap_or(0) + 2;
    let inner = columns.saturating_sub(LEFT + 2 + right).max(20);
    let across = picture.across(inner / 10);
    let mut text = format!("{}\n{}\n", picture.title, picture.note);
    for part in Part::BOTH {
        // Each member has a row for its label.
        let height = picture.members.len().max(if part == Part::Loss { 12 } else { 8 });
        let up = picture.up(part, 4);
        let mut sheet = Sheet::new(inner, height);
        for (i, member) in picture.members.iter().enumerate() {
            for piece in &member.curve.pieces {
                let points: Vec<(f64, f64)> =
                    piece.iter().map(|p| (across.at(p.x), up.at(part.of(p)))).collect();
                points.windows(2).for_each(|pair| sheet.line(pair[0], pair[1], Some(i)));
            }
        }
        text += &format!("\n{:>LEFT$}\n", part.name());
        let ends = ends(picture, part, &up, height);
        let numbers = numbers(&up, height);
        for ((row, number), end) in sheet.rows(ink).iter().zip(numbers).zip(ends) {
            let end =
                end.map(|i| colored(&picture.members[i].label, Some(i), ink)).unwrap_or_default();
            text += &format!("{} {end}", frame(&number, row));
            text.truncate(text.trim_end().len());
            text += "\n";
        }
    }
    text + &foot(&across, inner, &picture.axis)
}

/// How wide the numbers at the left are.
pub const LEFT: usize = 8;

/// A row with its number.
pub fn frame(number: &str, row: &str) -> String {
    let border = if number.is_empty() { '│' } else { '┤' };
    format!("{number:>LEFT$} {border}{row}")
}

/// The number at each row that has one.
pub fn numbers(up: &Axis, height: usize) -> Vec<String> {
    let mut rows = vec![String::new(); height];
    for tick in up.ticks() {
        rows[row(up.at(tick), height)] = up.label(tick);
    }
    rows
}

fn row(at: f64, height: usize) -> usize {
    (((1.0 - at.clamp(0.0, 1.0)) * (4 * height - 1) as f64).round() as usize) / 4
}

/// Which member's label stands at each row: that of its right end, or the next that is free.
fn ends(picture: &Picture, part: Part, up: &Axis, height: usize) -> Vec<Option<usize>> {
    let mut rows = vec![None; height];
    for (i, member) in picture.members.iter().enumerate() {
        let last = member.curve.pieces.iter().flatten().last();
        let wanted = last.map_or(0, |point| row(up.at(part.of(point)), height));
        let free = (0..height).filter(|&at| rows[at].is_none());
        if let Some(at) = free.min_by_key(|at| at.abs_diff(wanted)) {
            rows[at] = Some(i);
        }
    }
    rows
}

/// The numbers of what moves, and its name.
pub fn foot(across: &Axis, inner: usize, axis: &str) -> String {
    let mut rule: Vec<char> = vec!['─'; inner];
    let mut numbers: Vec<char> = vec![' '; inner + LEFT + 8];
    for tick in across.ticks() {
        let at = (across.at(tick) * (inner - 1) as f64).round() as usize;
        rule[at.min(inner - 1)] = '┬';
        let label = across.label(tick);
        let start = (LEFT + 2 + at).saturating_sub(label.chars().count() / 2);
        for (slot, c) in numbers.iter_mut().skip(start).zip(label.chars()) {
            *slot = c;
        }
    }
    let (rule, numbers): (String, String) = (rule.iter().collect(), numbers.iter().collect());
    let middle = LEFT + 2 + (inner + axis.chars().count()) / 2;
    format!("{:LEFT$} └{rule}\n{}\n{axis:>middle$}\n", "", numbers.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_row_of_dots() {
        let mut sheet = Sheet::new(2, 1);
        sheet.line((0.0, 0.0), (1.0, 1.0), Some(0));
        assert_eq!(sheet.rows(Ink::Plain), ["⡠⠊"]);
        assert_eq!(sheet.rows(Ink::Colored), ["\u{1b}[34m⡠\u{1b}[0m\u{1b}[34m⠊\u{1b}[0m"]);
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut sheet = Sheet::new(2, 1);
        sheet.line((0.0, 2.0), (1.0, 3.0), None);
        assert_eq!(sheet.rows(Ink::Plain), ["  "]);
    }
}
