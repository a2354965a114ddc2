//! Why a derivative by differences needs the right step: its error against the step, drawn.
//!
//! For the mean cross-entropy of 64 rows, along one direction: long steps see the curve bend, short
//! ones see nothing but rounding. A difference over both sides does better than one over one side,
//! and a combination of two better still; the checker's ladder with its own estimate is the line
//! below them. Writes `out/step-size.svg`, which docs/checking.md shows.

use lossgraph::check::Check;
use lossgraph::prelude::*;
use plotters::prelude::*;

/// Error against step, as one curve.
type Curve = Vec<(f64, f64)>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = lossgraph::rng(0);
    let mut draw = || Tensor::normal([64, 10], 0.0, 1.0, DType::F64, &mut rng);
    let (logits, direction) = (draw()?, draw()?);
    let labels: Vec<usize> = (0..64).map(|row| row * 7 % 10).collect();
    let loss = |tape: &Tape, t: f64| -> Result<f64, lossgraph::autograd::Error> {
        let z = tape.constant(&logits) + tape.constant(&direction) * tape.scalar(t);
        cross_entropy(z, tape.labels(&labels)).mean().item()
    };
    let f = |t: f64| loss(&Tape::f64(), t);

    // What the rules say, along the direction.
    let tape = Tape::f64();
    let z = tape.variable(&logits);
    let gradient = tape.grad(cross_entropy(z, tape.labels(&labels)).mean(), &[z])[0];
    let exact = (gradient * tape.constant(&direction)).sum(..).item()?;

    let [mut one_sided, mut central, mut combined] = [Curve::new(), Curve::new(), Curve::new()];
    for k in 0..57 {
        let h = 10_f64.powf(-f64::from(k) / 4.0);
        let (here, above, below) = (f(0.0)?, f(h)?, f(-h)?);
        let (far_above, far_below) = (f(2.0 * h)?, f(-2.0 * h)?);
        let off = |slope: f64| (slope - exact).abs().max(1e-17);
        one_sided.push((h, off((above - here) / h)));
        central.push((h, off((above - below) / (2.0 * h))));
        let both = (8.0 * (above - below) - (far_above - far_below)) / (12.0 * h);
        combined.push((h, off(both)));
    }
    let report = Check { orders: 1, ..Check::default() }.run(
        |tape, x| cross_entropy(x[0], tape.labels(&labels)).mean(),
        std::slice::from_ref(&logits),
    )?;
    let checker = 10_f64.powf(-report.rows[0].digits) * exact.abs();
    let least = |curve: &Curve| curve.iter().map(|point| point.1).fold(1.0, f64::min);
    println!("least error over all steps, of a slope of {exact:.4}:");
    println!("  one side          {:.0e}", least(&one_sided));
    println!("  both sides        {:.0e}", least(&central));
    println!("  two combined      {:.0e}", least(&combined));
    println!("  the checker       {checker:.0e}, without a step to choose");

    std::fs::create_dir_all("out")?;
    let path = "out/step-size.svg";
    let area = SVGBackend::new(path, (900, 560)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Error of a derivative by differences", ("sans-serif", 22))
        .margin(18)
        .x_label_area_size(46)
        .y_label_area_size(70)
        .build_cartesian_2d((1e-14..1.0).log_scale(), (1e-17..1.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08))
        .x_desc("step h")
        .y_desc("error of the slope")
        .label_style(("sans-serif", 14))
        .x_label_formatter(&|x| format!("{x:.0e}"))
        .y_label_formatter(&|y| format!("{y:.0e}"))
        .draw()?;
    let curves = [
        ("one side: (f(x+h) − f(x)) / h", RGBColor(225, 87, 89), one_sided),
        ("both sides: (f(x+h) − f(x−h)) / 2h", RGBColor(242, 142, 43), central),
        ("two of them combined", RGBColor(78, 121, 167), combined),
        ("the checker's ladder", RGBColor(89, 161, 79), vec![(1e-14, checker), (1.0, checker)]),
    ];
    for (name, color, points) in curves {
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.2))
        .legend_area_size(34)
        .label_font(("sans-serif", 15))
        .draw()?;
    area.present()?;
    println!("wrote {path}");
    Ok(())
}
