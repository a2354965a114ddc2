//! What a loss is about, on some numbers: tables and histograms, for whoever draws them.

/// What a loss is about: a picture of its own beside the curves that all losses have.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it shows, in a few words.
    pub title: &'static str,
    /// How it is read, in a sentence or two.
    pub about: &'static str,
    /// A panel for each example.
    pub panels: Vec<Panel>,
}

/// What there is to see of an example.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Which example it is, and what becomes of it.
    pub caption: String,
    /// The charts, side by side.
    pub charts: Vec<Chart>,
}

/// A part of a panel.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Cells in rows and columns.
    Table(Table),
    /// Bars over bins.
    Histogram(Histogram),
}

/// Cells in rows and columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What the cells hold.
    pub title: String,
    /// What stands above the columns; nothing for pixels.
    pub columns: Vec<String>,
    /// What stands before the rows; nothing for pixels.
    pub rows: Vec<String>,
    /// The cells, row by row.
    pub cells: Vec<Vec<Cell>>,
}

/// A cell of a [`Table`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Its numbers, each on a line of its own, with what stands before it.
    pub numbers: Vec<(&'static str, f64)>,
    /// How strong its color is, from 0 to 1.
    pub shade: f64,
    /// Whether it has a frame: it is what the loss is after.
    pub framed: bool,
}

/// How often numbers lie in bins: those that should, and those that should not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// What is counted.
    pub title: String,
    /// What the bins are of.
    pub axis: &'static str,
    /// The bins, from left to right.
    pub bins: Vec<Bin>,
}

/// A bin of a [`Histogram`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bin {
    /// Its middle.
    pub center: f64,
    /// The weight of positives in it.
    pub positives: f64,
    /// The weight of negatives in it.
    pub negatives: f64,
    /// The part of positives in all bins up to this one.
    pub precision: f64,
}

impl Cell {
    /// A number from 0 to 1, which is its own shade.
    pub(crate) fn part(x: f64) -> Cell {
        Cell { numbers: vec![("", x)], shade: x, framed: false }
    }

    /// With a frame, if it is due.
    pub(crate) fn framed_if(self, framed: bool) -> Cell {
        Cell { framed, ..self }
    }
}

impl Table {
    /// Numbers from 0 to 1 as pixels, in rows of a width.
    pub(crate) fn pixels(title: impl Into<String>, width: usize, numbers: &[f64]) -> Table {
        let row = |row: &[f64]| row.iter().copied().map(Cell::part).collect();
        let cells = numbers.chunks(width.max(1)).map(row).collect();
        Table { title: title.into(), cells, ..Table::default() }
    }
}

/// A number in a caption: three decimals, and a real minus.
pub(crate) fn rounded(x: f64) -> String {
    let text = format!("{x:.3}");
    match text.as_str() {
        "-0.000" => "0.000".to_owned(),
        _ => text.replace('-', "−").replace("inf", "∞"),
    }
}
