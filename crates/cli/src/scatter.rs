//! The picture of an embedding: a point for each example, in the color of its class.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// Ten colors that stay apart, also for most people who see fewer (Tableau 10).
const COLORS: [RGBColor; 10] = [
    RGBColor(78, 121, 167),
    RGBColor(242, 142, 43),
    RGBColor(225, 87, 89),
    RGBColor(118, 183, 178),
    RGBColor(89, 161, 79),
    RGBColor(237, 201, 72),
    RGBColor(176, 122, 161),
    RGBColor(255, 157, 167),
    RGBColor(156, 117, 95),
    RGBColor(110, 110, 110),
];

/// Draws points with their labels as digits, and writes the picture as SVG.
pub fn write(path: &Path, points: &[[f64; 2]], labels: &[usize]) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    draw(&mut svg, points, labels)
        .map_err(|error| format!("the picture cannot be drawn: {error}"))?;
    Ok(lossgraph_file::write_atomically(path, svg)?)
}

fn draw(svg: &mut String, points: &[[f64; 2]], labels: &[usize]) -> Result<(), Box<dyn Error>> {
    let range = |axis: usize| {
        let values = || points.iter().map(|point| point[axis]);
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let border = 0.06 * (high - low).max(1e-9);
        low - border..high + border
    };
    let area = SVGBackend::with_string(svg, (900, 700)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Digits of the test part in the embedding", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(range(0), range(1))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08))
        .x_desc("first principal component")
        .y_desc("second principal component")
        .label_style(("sans-serif", 14))
        .draw()?;
    for (class, color) in COLORS.into_iter().enumerate() {
        let of_class = points.iter().zip(labels).filter(|(_, label)| **label == class);
        let style = TextStyle::from(("sans-serif", 15)).color(&color);
        // A digit in a disc of its color says its class itself: no legend is needed.
        chart.draw_series(of_class.map(|(point, _)| {
            EmptyElement::at((point[0], point[1]))
                + Circle::new((0, 0), 9, color.mix(0.14).filled())
                + Text::new(class.to_string(), (-4, -8), style.clone())
        }))?;
    }
    area.present()?;
    drop(chart);
    Ok(())
}
