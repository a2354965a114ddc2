//! What a loss is about, as a picture: the figure of its row at the catalogue's sample.

use std::error::Error;

use lossgraph_engine::Drawing;
use lossgraph_losses::figure::{Figure, Panel};
use lossgraph_losses::{Case, Loss};
use lossgraph_plot::framed;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Where the panels lie, beside the title and the border.
const LEFT: f64 = 16.0;
const TOP: f64 = 56.0;
const WIDTH: f64 = 608.0;
const HEIGHT: f64 = 374.0;
/// The space between charts, and that for the caption of a panel.
const GAP: f64 = 18.0;
const CAPTION: f64 = 20.0;
/// The sizes that are tried, largest first. Text is to be read: rather fewer panels than small ones.
const SCALES: [f64; 6] = [1.5, 1.35, 1.2, 1.1, 1.0, 0.9];
/// Those of a panel that has no space otherwise.
const SMALL: [f64; 3] = [0.8, 0.7, 0.6];
/// The most panels.
const MOST: usize = 4;

/// The figure of a loss, where its row has one and no option that its picture is to vary.
pub fn figure(loss: &'static Loss) -> Result<Option<Figure>> {
    if !loss.over.is_empty() {
        return Ok(None);
    }
    let case = Case::new(loss, loss.grid.first().copied().unwrap_or_default(), 0)?;
    Ok(case.figure(&case.inputs))
}

/// The figure as SVG: as many panels as can be read.
pub fn svg(loss: &'static Loss, figure: &Figure) -> String {
    let blocks: Vec<Block> = figure.panels.iter().take(MOST).map(Block::of).collect();
    let fitting = |count: usize, scales: &[f64]| {
        scales.iter().find_map(|&scale| Some((scale, placed(&blocks[..count], scale)?)))
    };
    let any = |scales: &[f64]| (1..=blocks.len()).rev().find_map(|count| fitting(count, scales));
    let (scale, places) = any(&SCALES).or_else(|| any(&SMALL)).unwrap_or_default();
    let mut body = String::new();
    for (block, [x, y]) in blocks.iter().zip(places) {
        let (x, y) = (LEFT + x, TOP + y);
        body += &format!(
            "<text class=\"n\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n",
            y + 13.0,
            block.caption
        );
        let mut right = x;
        for Drawing { width, body: drawn, .. } in &block.charts {
            let (top, at) = (y + CAPTION, right);
            body += &format!(
                "<g transform=\"translate({at:.1} {top:.1})scale({scale})\">{drawn}</g>\n"
            );
            right += scale * (width + GAP);
        }
    }
    let title = format!("{} {}", loss.name, loss.grid.first().copied().unwrap_or_default());
    framed(title.trim_end(), &format!("{}, at the catalogue's sample", figure.title), &body)
}

/// A panel with its charts drawn.
struct Block {
    caption: String,
    charts: Vec<Drawing>,
}

impl Block {
    fn of(panel: &Panel) -> Block {
        let charts = panel.charts.iter().map(Drawing::of).collect();
        Block { caption: panel.caption.clone(), charts }
    }

    fn size(&self, scale: f64) -> [f64; 2] {
        let width: f64 = self.charts.iter().map(|chart| chart.width + GAP).sum();
        let height = self.charts.iter().map(|chart| chart.height).fold(0.0, f64::max);
        // A letter of a caption is about seven pixels wide.
        let caption = 7.0 * self.caption.chars().count() as f64;
        [(scale * (width - GAP)).max(caption), scale * height + CAPTION]
    }
}

/// Where blocks lie, from left to right and from top to bottom, if there is space for all.
fn placed(blocks: &[Block], scale: f64) -> Option<Vec<[f64; 2]>> {
    let [mut x, mut y, mut row] = [0.0_f64; 3];
    let mut places = Vec::new();
    for block in blocks {
        let [width, height] = block.size(scale);
        if x > 0.0 && x + width > WIDTH {
            (x, y, row) = (0.0, y + row + GAP, 0.0);
        }
        if x + width > WIDTH || y + height > HEIGHT {
            return None;
        }
        places.push([x, y]);
        (x, row) = (x + width + 2.0 * GAP, row.max(height));
    }
    Some(places)
}
