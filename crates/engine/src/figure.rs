//! What a loss is about, drawn: the charts of its row as SVG without a head. Whoever shows them says
//! what their classes look like: the page its style, `lossgraph plot` that of its pictures.

use std::fmt::Write;

use lossgraph_losses::figure::{Cell, Chart, Figure, Histogram, Table};
use serde_json::{Value, json};

/// A chart that is drawn. Lengths are in pixels, for a font of 11.
pub struct Drawing {
    /// What it shows.
    pub title: String,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
    /// Its elements.
    pub body: String,
}

/// About how wide a letter is.
const LETTER: f64 = 6.6;
/// The space above a chart, for its title.
const TITLE: f64 = 18.0;
/// The height of a line of text.
const LINE: f64 = 14.0;
/// How wide a cell is, of numbers alone and of those with names.
const CELL: [f64; 2] = [40.0, 52.0];
/// The most columns of cells with numbers. More are pixels.
const MOST_WITH_NUMBERS: usize = 8;
/// How wide a table of pixels is, about, and the most rows and columns of one.
const PIXELS: f64 = 200.0;
const MOST_PIXELS: usize = 64;
/// The strongest color of a cell: its number stays readable.
const STRONGEST: f64 = 0.45;
/// The bars of a histogram.
const BARS: [f64; 2] = [264.0, 92.0];

/// A figure for a page: what it is about, and its panels with their charts.
pub(crate) fn json_of(figure: &Figure) -> Value {
    let chart = |chart: &Chart| {
        let Drawing { title, width, height, body } = Drawing::of(chart);
        json!({ "title": title, "width": width, "height": height, "body": body })
    };
    let panels = figure.panels.iter().take(MOST_PANELS).map(|panel| {
        let charts: Vec<Value> = panel.charts.iter().map(chart).collect();
        json!({ "caption": panel.caption, "charts": charts })
    });
    let panels: Vec<Value> = panels.collect();
    json!({ "title": figure.title, "about": figure.about, "panels": panels })
}

/// The most examples that a page draws.
const MOST_PANELS: usize = 6;

impl Drawing {
    /// Draws a chart.
    pub fn of(chart: &Chart) -> Drawing {
        match chart {
            Chart::Table(table) => of_table(table),
            Chart::Histogram(histogram) => of_histogram(histogram),
        }
    }
}

/// Cells with their numbers, or pixels of many.
fn of_table(table: &Table) -> Drawing {
    let shown = |all: usize| all.min(MOST_PIXELS);
    let columns = shown(table.cells.iter().map(Vec::len).max().unwrap_or(0));
    let rows = shown(table.cells.len());
    let lines = table.cells.iter().flatten().map(|cell| cell.numbers.len()).max().unwrap_or(0);
    let has_numbers = columns <= MOST_WITH_NUMBERS;
    let (across, down) = match has_numbers {
        true => (CELL[usize::from(lines > 1)], LINE * lines.max(1) as f64 + 8.0),
        false => [(PIXELS / columns.max(1) as f64).max(4.0); 2].into(),
    };
    let longest = table.rows.iter().map(|name| name.chars().count()).max();
    let left = longest.map_or(0.0, |letters| LETTER * letters as f64 + 8.0);
    let top = TITLE + if table.columns.is_empty() { 0.0 } else { LINE };
    let at = |row: usize, column: usize| {
        (left + across * column as f64 + 1.0, top + down * row as f64 + 1.0)
    };
    let mut body = text(0.0, 12.0, "f", &table.title);
    for (column, name) in table.columns.iter().take(columns).enumerate() {
        body += &text(at(0, column).0 + across / 2.0, top - 3.0, "f n m", name);
    }
    for (row, name) in table.rows.iter().take(rows).enumerate() {
        body += &text(left - 6.0, at(row, 0).1 + down / 2.0 + 4.0, "f n e", name);
    }
    let (mut borders, mut frames) = (String::new(), String::new());
    for (row, cells) in table.cells.iter().take(rows).enumerate() {
        for (column, cell) in cells.iter().take(columns).enumerate() {
            let (x, y) = at(row, column);
            body += &filled(cell, [x, y, across, down]);
            if has_numbers {
                body += &numbers(cell, [x + across / 2.0, y + down / 2.0]);
            }
            let border = if cell.framed { &mut frames } else { &mut borders };
            if !cell.numbers.is_empty() {
                let [x, y, right, down] = [x, y, across, down].map(short);
                let _ = write!(border, "M{x} {y}h{right}v{down}h-{right}z");
            }
        }
    }
    let _ = write!(body, "<path class=\"g\" d=\"{borders}\"/><path class=\"k\" d=\"{frames}\"/>");
    let (right, bottom) = at(rows, columns);
    let width = (right + 1.0).max(LETTER * table.title.chars().count() as f64);
    Drawing { title: table.title.clone(), width, height: bottom + 1.0, body }
}

/// The color of a cell.
fn filled(cell: &Cell, [x, y, width, height]: [f64; 4]) -> String {
    let shade = STRONGEST * cell.shade.clamp(0.0, 1.0);
    if cell.shade.is_nan() || shade < 0.005 {
        return String::new();
    }
    let [x, y, width, height] = [x, y, width, height].map(short);
    let shade = format!("{shade:.2}");
    let shade = shade.trim_start_matches('0');
    format!(
        "<path class=\"t0\" style=\"fill-opacity:{shade}\" d=\"M{x} {y}h{width}v{height}h-{width}z\"/>"
    )
}

/// The numbers of a cell, line by line around its middle.
fn numbers(cell: &Cell, [x, middle]: [f64; 2]) -> String {
    let first = middle - LINE * (cell.numbers.len() as f64 - 1.0) / 2.0 + 4.0;
    let line = |(line, (name, number)): (usize, &(&str, f64))| {
        let said = if name.is_empty() {
            decimals(*number)
        } else {
            format!("{name} {}", decimals(*number))
        };
        text(x, first + LINE * line as f64, "f m", &said)
    };
    cell.numbers.iter().enumerate().map(line).collect()
}

/// Bars of positives with those of negatives above them, and the line of the precision.
fn of_histogram(histogram: &Histogram) -> Drawing {
    let [width, height] = BARS;
    let (left, top) = (30.0, TITLE + 6.0);
    let bottom = top + height;
    let heights = histogram.bins.iter().map(|bin| bin.positives + bin.negatives);
    let most =
        heights.filter(|height| height.is_finite()).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let step = width / histogram.bins.len().max(1) as f64;
    let mut body = text(0.0, 12.0, "f", &histogram.title);
    let [edge, right] = [left, left + width].map(short);
    let _ = write!(body, "<path class=\"g\" d=\"M{edge} {top}H{right}M{edge} {bottom}H{right}\"/>");
    let mut precision = String::new();
    for (at, bin) in histogram.bins.iter().enumerate() {
        let x = left + step * at as f64;
        let mut base = bottom;
        for (class, count) in [("t0", bin.positives), ("t1", bin.negatives)] {
            let tall = height * count / most;
            if tall.is_finite() && tall > 0.05 {
                base -= tall;
                let [x, y, wide, tall] = [x + 0.1 * step, base, 0.8 * step, tall].map(short);
                let _ = write!(
                    body,
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{tall}\"/>"
                );
            }
        }
        if bin.precision.is_finite() {
            let letter = if precision.is_empty() { 'M' } else { 'L' };
            let [x, y] = [x + step / 2.0, bottom - height * bin.precision].map(short);
            let _ = write!(precision, "{letter}{x} {y}");
        }
    }
    let _ = write!(body, "<path class=\"k\" d=\"{precision}\"/>");
    body += &text(left - 5.0, top + 5.0, "f n e", &decimals(most));
    body += &text(left + width + 5.0, top + 5.0, "f n", "1");
    body += &text(left + width + 5.0, bottom + 1.0, "f n", "0");
    for (anchor, bin) in [("f n", histogram.bins.first()), ("f n e", histogram.bins.last())] {
        let x = if anchor == "f n" { left } else { left + width };
        body +=
            &text(x, bottom + 13.0, anchor, &bin.map_or(String::new(), |bin| decimals(bin.center)));
    }
    body += &text(left + width / 2.0, bottom + 13.0, "f n m", histogram.axis);
    let title = histogram.title.clone();
    Drawing { title, width: left + width + 18.0, height: bottom + 18.0, body }
}

/// Two decimals, and a real minus.
fn decimals(x: f64) -> String {
    let text = format!("{x:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text.replace('-', "−").replace("inf", "∞") }
}

/// A tenth of a pixel is as fine as it can be seen.
fn short(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn text(x: f64, y: f64, class: &str, said: &str) -> String {
    let said = said.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text class=\"{class}\" x=\"{}\" y=\"{}\">{said}</text>", short(x), short(y))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize, columns: usize) -> Table {
        let cell = Cell { numbers: vec![("", 0.25)], shade: 0.25, framed: false };
        Table { title: "p".to_owned(), cells: vec![vec![cell; columns]; rows], ..Table::default() }
    }

    #[test]
    fn a_table_of_few_columns_has_its_numbers_and_one_of_many_has_pixels() {
        let few = Drawing::of(&Chart::Table(table(3, 2)));
        assert_eq!(few.body.matches(">0.25</text>").count(), 6);
        let many = Drawing::of(&Chart::Table(table(20, 20)));
        assert_eq!(many.body.matches(">0.25</text>").count(), 0);
        assert_eq!(many.body.matches("class=\"t0\"").count(), 400);
        assert!(many.width < 230.0);
        // What is larger than a screen is cut.
        let large = Drawing::of(&Chart::Table(table(1000, 1000)));
        assert_eq!(large.body.matches("class=\"t0\"").count(), MOST_PIXELS * MOST_PIXELS);
    }

    #[test]
    fn what_is_not_finite_is_said_and_has_no_color() {
        let cell = Cell { numbers: vec![("α", f64::NEG_INFINITY)], shade: f64::NAN, framed: true };
        let table = Table { cells: vec![vec![cell]], ..Table::default() };
        let drawing = Drawing::of(&Chart::Table(table));
        assert!(drawing.body.contains(">α −∞</text>") && !drawing.body.contains("t0"));
        assert!(!drawing.body.contains("NaN"));
    }

    #[test]
    fn nothing_at_all_can_be_drawn() {
        for chart in [Chart::Table(Table::default()), Chart::Histogram(Histogram::default())] {
            let Drawing { width, height, body, .. } = Drawing::of(&chart);
            assert!(width.is_finite() && height.is_finite() && !body.contains("NaN"));
        }
    }
}
