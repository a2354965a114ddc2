//! Pictures as SVG: small, the same bytes each time, and readable in light and dark.

use std::fmt::Write;

use crate::axis::Axis;
use crate::picture::{Part, Picture};

/// The size of a picture, in its own units.
pub const SIZE: (f64, f64) = (640.0, 440.0);
const LEFT: f64 = 86.0;

/// Colors that stay apart for those who see fewer (Okabe and Ito, 2008), and their like on
/// a dark ground.
const COLORS: [(&str, &str); 6] = [
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff9a4d"),
    ("#009e73", "#2fd3a2"),
    ("#b0518c", "#e69cc6"),
    ("#8a6d00", "#e6c34a"),
    ("#555555", "#c4c4c4"),
];

/// Where a part lies.
struct Panel {
    right: f64,
    top: f64,
    bottom: f64,
    across: Axis,
    up: Axis,
}

impl Panel {
    fn x(&self, x: f64) -> f64 {
        LEFT + (self.right - LEFT) * self.across.at(x)
    }

    fn y(&self, y: f64) -> f64 {
        // Far out is far enough: what is cut off needs no large numbers in the file.
        self.bottom - (self.bottom - self.top) * self.up.at(y).clamp(-1.0, 2.0)
    }

    fn holds(&self, y: f64) -> bool {
        (self.top - 0.1..=self.bottom + 0.1).contains(&y)
    }
}

/// The picture as SVG.
pub fn draw(picture: &Picture) -> String {
    let mut svg = start(&picture.title, &picture.note);
    if picture.members.len() > COLORS.len() {
        svg += "<style>.o{stroke-dasharray:1.5 3.5}</style>\n";
    }
    let longest = picture.members.iter().map(|member| member.label.chars().count()).max();
    // A letter is about nine units wide; the labels stand at the right of their curves, of dotted ones
    // behind a piece of them.
    let sample = if picture.members.len() > COLORS.len() { SAMPLE } else { 0.0 };
    let right = SIZE.0 - 18.0 - 9.0 * longest.unwrap_or(0).max(5) as f64 - sample;
    let up = [(56.0, 246.0, Part::Loss), (270.0, 394.0, Part::Slope)];
    for (top, bottom, part) in up {
        let ticks = if part == Part::Loss { 5 } else { 4 };
        let (across, up) = (picture.across(7), picture.up(part, ticks));
        let panel = Panel { right, top, bottom, across, up };
        svg += &frame(&panel, part.name());
        if part == Part::Slope {
            svg += &foot(&panel, &picture.axis);
        }
        let _ = write!(svg, "<g clip-path=\"url(#{})\">", part.name());
        for (i, member) in picture.members.iter().enumerate() {
            let mut path = String::new();
            for piece in &member.curve.pieces {
                let points = piece.iter().map(|p| (panel.x(p.x), panel.y(part.of(p)))).collect();
                path += &line(&thinned(points));
            }
            let _ = write!(svg, "<path class=\"c{}{}\" d=\"{path}\"/>", color(i), dash(i, part));
        }
        svg += "</g>\n";
        svg += &marks(picture, &panel, part);
        svg += &labels(picture, &panel, part);
    }
    svg + "</svg>\n"
}

/// The number of the color of a member: beyond the last, they come again, dotted.
pub fn color(member: usize) -> usize {
    member % COLORS.len()
}

/// The class of the line of a member, so that two of one color are told apart.
fn dash(member: usize, part: Part) -> &'static str {
    match (member / COLORS.len() % 2, part) {
        (1, _) => " o",
        (_, Part::Slope) => " d",
        (_, Part::Loss) => "",
    }
}

/// How many curves have a color and a line of their own.
pub const DISTINCT: usize = 2 * COLORS.len();

/// How wide the piece of a line is that stands before its label.
const SAMPLE: f64 = 22.0;

/// Other elements as a picture in the style of these: with a title, and a line below it. Beside the
/// classes of colors, `t0` to fill and `c0` to draw, `n` is what is said aside, `m` and `e` are text at
/// its middle and its end, `f` is fine, `g` is a grid, and `k` a line in the color of text.
pub fn framed(title: &str, note: &str, body: &str) -> String {
    let style = "<style>.f{font-size:11px}.k{stroke:#333;stroke-width:1.8}\
                 @media(prefers-color-scheme:dark){.k{stroke:#ddd}}</style>\n";
    start(title, note) + style + body + "</svg>\n"
}

/// The head of a file: style, ground, title and note.
pub fn start(title: &str, note: &str) -> String {
    let (width, height) = SIZE;
    let mut light = String::new();
    let mut dark = String::new();
    for (i, (on_light, on_dark)) in COLORS.iter().enumerate() {
        let _ = write!(light, ".c{i}{{stroke:{on_light}}}.t{i}{{fill:{on_light}}}");
        let _ = write!(dark, ".c{i}{{stroke:{on_dark}}}.t{i}{{fill:{on_dark}}}");
    }
    let (title, note) = (escaped(title), escaped(note));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}: {note}</title>\n\
         <style>text{{font:13px sans-serif;fill:#333}}.h{{font-size:17px;font-weight:bold}}\
         .n{{fill:#666}}.g{{stroke:#e4e4e4;fill:none}}.z{{stroke:#8a8a8a;fill:none}}\
         .b{{fill:#fff}}path,circle{{fill:none;stroke-width:2}}.d{{stroke-dasharray:7 4}}{light}\
         .e{{text-anchor:end}}.m{{text-anchor:middle}}.p{{stroke:none}}.r{{fill:#fff}}\
         @media(prefers-color-scheme:dark){{text{{fill:#ddd}}.n{{fill:#aaa}}.g{{stroke:#33373d}}\
         .z{{stroke:#888}}.b,.r{{fill:#15181d}}{dark}}}</style>\n\
         <rect class=\"b\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"h\" x=\"16\" y=\"25\">{title}</text>\
         <text class=\"n\" x=\"16\" y=\"44\">{note}</text>\n"
    )
}

/// The grid of a panel with its numbers, the line at zero, and what it is.
fn frame(panel: &Panel, name: &str) -> String {
    let Panel { right, top, bottom, .. } = panel;
    let (width, height) = (right - LEFT, bottom - top);
    let mut grid = String::new();
    let mut numbers = String::new();
    for tick in panel.across.ticks() {
        let _ = write!(grid, "M{} {top}V{bottom}", short(panel.x(tick)));
    }
    for tick in panel.up.ticks() {
        let y = panel.y(tick);
        let _ = write!(grid, "M{LEFT} {}H{right}", short(y));
        let _ = write!(
            numbers,
            "<text class=\"n e\" x=\"{}\" y=\"{}\">{}</text>",
            LEFT - 7.0,
            short(y + 4.5),
            panel.up.label(tick)
        );
    }
    let zero = panel.y(0.0);
    let zero = if panel.holds(zero) {
        format!(
            "<path class=\"z\" style=\"stroke-width:1\" d=\"M{LEFT} {}H{right}\"/>",
            short(zero)
        )
    } else {
        String::new()
    };
    let middle = (top + bottom) / 2.0;
    format!(
        "<clipPath id=\"{name}\"><rect x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" \
         height=\"{height}\"/></clipPath>\n\
         <path class=\"g\" style=\"stroke-width:1\" d=\"{grid}\"/>{zero}{numbers}\
         <text class=\"m\" transform=\"translate(15 {middle})rotate(-90)\">{name}</text>\n"
    )
}

/// The numbers of what moves, and its name.
fn foot(panel: &Panel, axis: &str) -> String {
    let mut text = String::new();
    for tick in panel.across.ticks() {
        let _ = write!(
            text,
            "<text class=\"n m\" x=\"{}\" y=\"{}\">{}</text>",
            short(panel.x(tick)),
            panel.bottom + 17.0,
            panel.across.label(tick)
        );
    }
    let (middle, y) = ((LEFT + panel.right) / 2.0, panel.bottom + 37.0);
    text + &format!("<text class=\"m\" x=\"{middle}\" y=\"{y}\">{}</text>\n", escaped(axis))
}

/// Rings where the slope jumps, dots at the slopes that `grad` gives there, and the dot of the
/// inputs as they are.
fn marks(picture: &Picture, panel: &Panel, part: Part) -> String {
    let mut text = String::new();
    let mut mark = |class: String, x: f64, y: f64, radius: f64| {
        let (x, y) = (panel.x(x), panel.y(y));
        if panel.holds(y) {
            let _ = write!(
                text,
                "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{radius}\"/>",
                short(x),
                short(y)
            );
        }
    };
    for (i, member) in picture.members.iter().enumerate() {
        let i = color(i);
        for kink in &member.curve.kinks {
            let (left, right) = (part.of(&kink.left), part.of(&kink.right));
            mark(format!("c{i} r"), kink.left.x, left, 4.0);
            // Sides that meet are one ring.
            if (panel.y(left) - panel.y(right)).abs() > 1.0 {
                mark(format!("c{i} r"), kink.right.x, right, 4.0);
            }
            if let (Part::Slope, Some(on)) = (part, kink.on) {
                mark(format!("t{i} p"), on.x, on.slope, 4.0);
            }
        }
        if picture.has_current {
            let current = &member.curve.current;
            mark(format!("t{i} p"), current.x, part.of(current), 4.5);
        }
    }
    text + "\n"
}

/// The settings at the right ends of their curves, pushed apart where they would overlap: the more
/// there are, the smaller.
fn labels(picture: &Picture, panel: &Panel, part: Part) -> String {
    const LINE: f64 = 16.0;
    let mut ends: Vec<(f64, f64, usize)> = Vec::new();
    for (i, member) in picture.members.iter().enumerate() {
        if let Some(last) = member.curve.pieces.iter().flatten().last() {
            let y = panel.y(part.of(last)).clamp(panel.top, panel.bottom);
            ends.push((y, panel.x(last.x), i));
        }
    }
    let line = LINE.min((panel.bottom - panel.top + LINE) / ends.len().max(1) as f64);
    // What ends at one height stands in the order of the family.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    let mut below = f64::NEG_INFINITY;
    for (y, ..) in &mut ends {
        *y = y.max(below + line);
        below = *y;
    }
    let mut above = panel.bottom + LINE / 2.0;
    for (y, ..) in ends.iter_mut().rev() {
        *y = y.min(above);
        above = *y - line;
    }
    let size = if line < LINE {
        format!(" style=\"font-size:{}px\"", short(line - 1.5))
    } else {
        String::new()
    };
    let has_samples = picture.members.len() > COLORS.len();
    let mut text = String::new();
    for (y, x, i) in ends {
        let label = &picture.members[i].label;
        let label = if label.is_empty() { part.name() } else { label };
        let (color, mut x) = (color(i), x + 7.0);
        if has_samples {
            let (from, dash) = (short(x - 2.0), dash(i, part));
            let _ = write!(text, "<path class=\"c{color}{dash}\" d=\"M{from} {}h16\"/>", short(y));
            x += SAMPLE - 4.0;
        }
        let _ = write!(
            text,
            "<text class=\"t{color}\" x=\"{}\" y=\"{}\"{size}>{}</text>",
            short(x),
            short(y + 4.5 * line / LINE),
            escaped(label)
        );
    }
    text + "\n"
}

/// Text as XML.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '\'' => escaped += "&apos;",
            '"' => escaped += "&quot;",
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line through points.
pub fn line(points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (i, (x, y)) in points.iter().enumerate() {
        let _ = write!(text, "{}{} {}", if i == 0 { 'M' } else { 'L' }, short(*x), short(*y));
    }
    text
}

/// The points that a line needs to look the same: none is off by more than a tenth of a unit
/// (Douglas and Peucker, 1973).
pub fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    fn thin(points: &[(f64, f64)], kept: &mut Vec<(f64, f64)>) {
        let (Some(&a), Some(&b)) = (points.first(), points.last()) else { return };
        let length = (b.0 - a.0).hypot(b.1 - a.1).max(1e-9);
        // To a millionth: of points that are equally far off, as symmetry makes them, the last bit
        // of a loss must not choose.
        let off = |p: &(f64, f64)| {
            let area = (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0);
            (area.abs() / length * 1e6).round() * 1e-6
        };
        let inner = 1..points.len().saturating_sub(1);
        match inner.max_by(|&i, &j| off(&points[i]).total_cmp(&off(&points[j]))) {
            Some(far) if off(&points[far]) > 0.1 => {
                thin(&points[..=far], kept);
                thin(&points[far..], kept);
            }
            _ => kept.push(b),
        }
    }
    let mut kept: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    thin(&points, &mut kept);
    kept
}

/// A tenth of a unit is as fine as it can be seen.
pub fn short(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_needs_its_ends_alone() {
        let points = (0..=10).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
        assert_eq!(thinned(points), [(0.0, 0.0), (10.0, 20.0)]);
        let bent = vec![(0.0, 0.0), (5.0, 0.0), (10.0, 5.0)];
        assert_eq!(thinned(bent.clone()), bent);
        assert_eq!(thinned(vec![]), []);
    }

    /// A picture of so many members, which all end at one place.
    fn family(count: i32) -> String {
        let at = [lossgraph_tensor::Tensor::from([1.0])];
        let sweep = lossgraph_explain::Sweep { input: 0, element: 0, range: -1.0..1.0 };
        let member = |power: i32| crate::Member {
            label: format!("power={power}"),
            curve: lossgraph_explain::curve(|_, x| x[0].powi(power).sum(..), &at, &sweep).unwrap(),
        };
        let mut picture = Picture::of(member(1).curve, &sweep);
        picture.members = (1..=count).map(member).collect();
        draw(&picture)
    }

    /// The value of an attribute in each element that begins so.
    fn attributes<'a>(svg: &'a str, element: &str, name: &str) -> Vec<&'a str> {
        let value =
            |each: &'a str| each.split_once(&format!(" {name}=\"")).unwrap().1.split('"').next();
        svg.split(element).skip(1).map(|each| value(each).unwrap()).collect()
    }

    #[test]
    fn twelve_curves_have_lines_of_their_own() {
        let svg = family(DISTINCT as i32);
        for part in ["loss", "slope"] {
            let group = svg.split(&format!("url(#{part})")).nth(1).unwrap();
            let mut classes = attributes(group.split("</g>").next().unwrap(), "<path", "class");
            classes.sort_unstable();
            classes.dedup();
            assert_eq!(classes.len(), DISTINCT, "{part}: {classes:?}");
        }
        assert!(!family(6).contains("class=\"c0 o\""));
    }

    #[test]
    fn labels_of_curves_that_end_at_one_place_do_not_overlap() {
        for count in [2, 6, 7, 12] {
            let svg = family(count);
            let labels: Vec<&str> = svg.split("<text class=\"t").skip(1).collect();
            assert_eq!(labels.len(), 2 * count as usize);
            // Neither part reaches into the other.
            for (labels, range) in labels.chunks(count as usize).zip([48.0..258.0, 262.0..SIZE.1]) {
                let after = |label: &str, before: &str, end: char| -> Option<f64> {
                    label.split_once(before)?.1.split(end).next()?.parse().ok()
                };
                let size = after(labels[0], "font-size:", 'p').unwrap_or(13.0);
                let mut ys: Vec<f64> =
                    labels.iter().map(|label| after(label, " y=\"", '"').unwrap()).collect();
                ys.sort_by(f64::total_cmp);
                let gaps = ys.windows(2).map(|pair| pair[1] - pair[0]);
                let closest = gaps.fold(f64::INFINITY, f64::min);
                assert!(closest >= size - 0.15, "{count}: {closest} between labels of {size}");
                assert!(ys.iter().all(|y| range.contains(y)), "{count}: {ys:?}");
            }
        }
    }
}
