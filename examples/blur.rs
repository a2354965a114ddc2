//! Why L2 blurs images and L1 does not. Ten digits are seen several times by a hand that shakes,
//! and for each the one picture is sought that is nearest to all that was seen. By L2 that is their
//! mean, in which every edge is smeared over all the positions where it was seen; by L1 it is their median,
//! which follows the majority. Prints how sharp both are, and writes `out/blur.svg`.

use std::fmt::Write;

use lossgraph::data::digits;
use lossgraph::prelude::*;

const SIDE: isize = 8;
const STEPS: i32 = 400;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let digits = digits()?;
    let first = |class| digits.labels().iter().position(|&label| label == class);
    let indices: Vec<usize> = (0..10).filter_map(first).collect();
    let truth = digits.select(&indices)?.inputs().reshape([10, 8, 8])?;

    let mut rows = vec![("as it is", truth.clone())];
    println!("the hand       loss  sharpness  error  from the mean  from the median");
    // Nine or one still shot, and one from each of the eight positions around.
    for (hand, still) in [("often still", 9), ("never rests", 1)] {
        let shots = seen(&truth, still)?;
        let (mean, median) = centers(&shots)?;
        for (name, loss) in [("L2", mse as Loss), ("L1", l1)] {
            let picture = nearest(&shots, loss)?;
            println!(
                "{hand:<14} {name:<5} {:>9.2}  {:>5.3}  {:>13.4}  {:>15.4}",
                variation(&picture)? / variation(&truth)?,
                error(&picture, &truth)?,
                error(&picture, &mean)?,
                error(&picture, &median)?,
            );
            if still > 1 {
                rows.push((name, picture));
            }
        }
        if still > 1 {
            rows.insert(1, ("one shot", shots.slice(0, -1..)?));
        }
    }
    std::fs::create_dir_all("out")?;
    std::fs::write("out/blur.svg", drawn(&rows))?;
    println!("wrote out/blur.svg");
    Ok(())
}

type Loss = for<'t> fn(Var<'t>, Var<'t>) -> Terms<'t>;

/// The images as a shaking hand sees them: some times still, once from each position around.
/// `[shot, picture, row, column]`
fn seen(pictures: &Tensor, still: usize) -> Result<Tensor> {
    let tape = Tape::new();
    let wide = tape.constant(pictures).pad(&[(0, 0), (1, 1), (1, 1)], 0.0);
    let from = |y: isize, x: isize| wide.slice(1, y..y + SIDE).slice(2, x..x + SIDE);
    let around = (0..3).flat_map(|y| (0..3).map(move |x| (y, x))).filter(|&at| at != (1, 1));
    let mut shots = vec![from(1, 1); still];
    shots.extend(around.map(|(y, x)| from(y, x)));
    Ok(stack(&shots, 0).value()?)
}

/// The pictures that are nearest to all shots by a loss, found by gradient descent from gray.
fn nearest(shots: &Tensor, loss: Loss) -> Result<Tensor> {
    let gray = Tensor::full(&shots.shape()[1..], 0.5, DType::F32)?;
    let picture = Parameter::new("picture", gray);
    let mut optimizer = Adam::default().over_parameters([picture.clone()])?;
    for step in 0..STEPS {
        let tape = Tape::new();
        let guess = tape.parameter(&picture).expand(shots.shape());
        let gradients = loss(guess, tape.constant(shots)).mean().backward()?;
        // Ever smaller steps: L1 pulls with the same force however near the optimum is.
        optimizer.set_lr(0.05 * 0.98_f64.powi(step))?;
        optimizer.step(&gradients)?;
    }
    Ok(picture.value())
}

/// The mean and the median of all shots, pixel by pixel.
fn centers(shots: &Tensor) -> Result<(Tensor, Tensor)> {
    let tape = Tape::new();
    let shots = tape.constant(shots);
    let middle = shots.dim(0) as isize / 2;
    let sorted = shots.sort(0, Order::Ascending);
    Ok((shots.mean(0).value()?, sorted.index(0, middle).value()?))
}

/// How much the pictures vary from pixel to pixel.
fn variation(pictures: &Tensor) -> Result<f64> {
    Ok(total_variation(Tape::new().constant(pictures)).mean().item()?)
}

/// The mean absolute error of a pixel.
fn error(pictures: &Tensor, truth: &Tensor) -> Result<f64> {
    let tape = Tape::new();
    Ok(l1(tape.constant(pictures), tape.constant(truth)).mean().item()?)
}

/// A row of pictures for each name, as SVG; ink is dark.
fn drawn(rows: &[(&str, Tensor)]) -> String {
    const PIXEL: usize = 8;
    let (left, pitch) = (90, 9 * PIXEL);
    let (width, height) = (left + 10 * pitch, rows.len() * pitch);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         shape-rendering=\"crispEdges\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut put = |text: std::fmt::Arguments<'_>| {
        svg.write_fmt(text).expect("a string takes what is written to it");
    };
    for (row, (name, pictures)) in rows.iter().enumerate() {
        let top = row * pitch;
        put(format_args!(
            "<text x=\"8\" y=\"{}\" font-family=\"sans-serif\">{name}</text>\n",
            top + 38
        ));
        for (i, ink) in pictures.to_f64s().into_iter().enumerate() {
            let (x, y) = (left + i / 64 * pitch + i % 8 * PIXEL, top + i % 64 / 8 * PIXEL);
            let gray = (255.0 * (1.0 - ink.clamp(0.0, 1.0))).round();
            put(format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{PIXEL}\" height=\"{PIXEL}\" \
                 fill=\"rgb({gray},{gray},{gray})\"/>\n"
            ));
        }
    }
    svg.push_str("</svg>\n");
    svg
}
