//! When L2 blurs a photograph more than L1. A small net of convolutions learns to take noise out of
//! it, by pairs of a noisy picture and a clean one. First by pairs that fit, and then by pairs of which
//! in a third the camera had moved by a pixel or two between both. L2 asks for the mean of what may be
//! right, in which an edge is smeared over all places where it was seen; L1 asks for the median, which
//! follows the majority; Charbonnier is L1 with a rounded tip. The net learns on the left half, and is
//! judged by a part of the right half.
//!
//! Blur is measured at the edges, the steepest tenth of all steps from a pixel to the next: how high the
//! same steps of a picture are on average, 100 % being those of the photograph. Noise goes up as often
//! as down, and does not count there; `noise` is the mean height of the flattest half of the steps.
//!
//! Expect that of two copies and one that moved by a pixel, L2 asks for the mean, which has 72.5 % of the
//! edges, and L1 for the median, which has all. A net does not come so far. Of pairs that fit, the edges of
//! L2 are the highest, with most noise beside them. Of pairs that do not fit, L2 loses 13 of 70, L1 6 of 64,
//! and Charbonnier 7 of 65; of five trainings, L2 loses the most in each. All figures of nets are means of
//! these, with their standard deviations.
//!
//! The noise is one of all pixels. Of noise that spoils single pixels and leaves the others exactly right,
//! L1 has its kink where the net begins, at the picture as it is, and stays there for long.
//!
//! ```console
//! $ cargo run --release --example photograph
//!                           edges             noise      mean error      squared error
//! the photograph            100.0 %          0.0018          0.0000            0.00000
//! what the net sees   100.0 ± 1.1 % 0.0567 ± 0.0003 0.0399 ± 0.0002  0.00250 ± 0.00002
//! nearest to two photographs and one that moved
//!   L2                       72.5 %          0.0019          0.0058            0.00038
//!   L1                       99.9 %          0.0018          0.0000            0.00000
//!   Charbonnier              97.0 %          0.0014          0.0016            0.00001
//! pairs that fit
//!   L2                 70.0 ± 3.0 % 0.0160 ± 0.0036 0.0202 ± 0.0020  0.00081 ± 0.00010
//!   L1                 63.7 ± 2.6 % 0.0108 ± 0.0017 0.0186 ± 0.0010  0.00081 ± 0.00007
//!   Charbonnier        64.8 ± 2.2 % 0.0115 ± 0.0018 0.0187 ± 0.0010  0.00080 ± 0.00006
//! pairs a third moved
//!   L2                 57.0 ± 3.2 % 0.0113 ± 0.0011 0.0202 ± 0.0007  0.00101 ± 0.00008
//!   L1                 57.9 ± 3.4 % 0.0085 ± 0.0012 0.0186 ± 0.0010  0.00093 ± 0.00008
//!   Charbonnier        58.3 ± 2.9 % 0.0085 ± 0.0012 0.0184 ± 0.0009  0.00090 ± 0.00007
//! edges that are lost to pairs that moved
//!   L2                 13.1 ± 1.5 %, the most in 5 of 5
//!   L1                  5.8 ± 2.5 %, the most in 0 of 5
//!   Charbonnier         6.5 ± 2.7 %, the most in 0 of 5
//! wrote out/photograph.png: the photograph, what the net sees, and what it makes of it
//! ```

use lossgraph::data::{Augmentation, camera, encode_png};
use lossgraph::nn::Residual;
use lossgraph::prelude::*;

const PATCH: usize = 32;
const BATCH: usize = 8;
/// The deviation of the noise, where white is 1.
const NOISE: Augmentation = Augmentation::Noise { deviation: 0.05 };
/// A part of the photograph: the camera, and what stands behind it.
const SHOWN: [std::ops::Range<usize>; 2] = [64..192, 256..384];
/// A training is one of all these.
const SEEDS: std::ops::Range<u64> = 0..5;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
/// Edges, noise, mean and squared error.
type Figures = [f64; 4];
type Loss = for<'t> fn(Var<'t>, Var<'t>) -> Terms<'t>;

const LOSSES: [(&str, Loss); 3] =
    [("L2", mse), ("L1", l1), ("Charbonnier", |x, y| charbonnier(x, y, 1e-2))];

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let (steps, seeds) = if short { (40, 0..1) } else { (400, SEEDS) };
    let photograph = camera()?;
    let truth = shown(&photograph)?;

    println!(
        "{:<18} {:>12}   {:>15} {:>15} {:>18}",
        "", "edges", "noise", "mean error", "squared error"
    );
    show("the photograph", &[measured(&truth, &truth)?]);
    let seen = |seed: u64| shown(&noisy(&photograph, seed)?);
    let of_seen: Vec<Figures> =
        seeds.clone().map(|seed| measured(&seen(seed)?, &truth)).collect::<Result<_>>()?;
    show("what the net sees", &of_seen);
    println!("nearest to two photographs and one that moved");
    for (name, loss) in LOSSES {
        show(&format!("  {name}"), &[measured(&nearest(loss, &truth)?, &truth)?]);
    }
    let mut lines = Vec::new();
    let mut edges: Vec<Vec<f64>> = Vec::new();
    for (pairs, moved) in [("that fit", 0.0), ("a third moved", 1.0 / 3.0)] {
        println!("pairs {pairs}");
        let mut pictures = vec![truth.clone(), seen(seeds.start)?];
        for (name, loss) in LOSSES {
            let mut figures = Vec::new();
            for seed in seeds.clone() {
                let model = trained(loss, &photograph, moved, steps, seed)?;
                let tape = Tape::new();
                let restored = model.forward(tape.constant(&seen(seed)?).unsqueeze(0));
                let picture = restored.squeeze(0).value()?;
                figures.push(measured(&picture, &truth)?);
                if seed == seeds.start {
                    pictures.push(picture);
                }
            }
            show(&format!("  {name}"), &figures);
            edges.push(figures.iter().map(|figures| figures[0]).collect());
        }
        lines.push(Tensor::concat(&pictures, 2)?);
    }
    println!("edges that are lost to pairs that moved");
    let lost: Vec<Vec<f64>> = (0..LOSSES.len())
        .map(|at| {
            let pairs = edges[at].iter().zip(&edges[at + LOSSES.len()]);
            pairs.map(|(fit, moved)| 100.0 * (fit - moved)).collect()
        })
        .collect();
    for (at, (name, _)) in LOSSES.into_iter().enumerate() {
        let is_most = |seed: &usize| lost.iter().all(|other| other[*seed] <= lost[at][*seed]);
        let most = (0..lost[at].len()).filter(is_most).count();
        println!(
            "  {name:<16} {:>12} %, the most in {most} of {}",
            spread(&lost[at], 1),
            seeds.end - seeds.start
        );
    }
    std::fs::create_dir_all("out")?;
    std::fs::write("out/photograph.png", encode_png(&Tensor::concat(&lines, 1)?)?)?;
    println!(
        "wrote out/photograph.png: the photograph, what the net sees, and what it makes of it"
    );
    Ok(())
}

/// The part that is judged.
fn shown(picture: &Tensor) -> Result<Tensor> {
    let [rows, columns] = SHOWN;
    Ok(picture.slice(1, rows)?.slice(2, columns)?)
}

/// A photograph with noise.
fn noisy(photograph: &Tensor, seed: u64) -> Result<Tensor> {
    Ok(NOISE.apply(&photograph.unsqueeze(0)?, &mut lossgraph::rng(seed))?.squeeze(0)?)
}

/// The one picture that is nearest by a loss to two copies of a picture and one that moved by a pixel.
fn nearest(loss: Loss, picture: &Tensor) -> Result<Tensor> {
    const STEPS: u64 = 300;
    let tape = Tape::new();
    let x = tape.constant(picture);
    let moved = concat(&[x.narrow(-1, 0, 1), x.narrow(-1, 0, SHOWN[1].len() - 1)], -1);
    let copies = stack(&[x, x, moved], 0).value()?;
    let nearest = Parameter::new("picture", moved.value()?);
    let mut optimizer = Adam::default().over_parameters([nearest.clone()])?;
    for step in 0..STEPS {
        let tape = Tape::new();
        let guess = tape.parameter(&nearest).expand(copies.shape());
        optimizer.set_lr(2e-2 * (1.0 - step as f64 / STEPS as f64))?;
        optimizer.step(&loss(guess, tape.constant(&copies)).mean().backward()?)?;
    }
    Ok(nearest.value())
}

/// A line of what was measured: a mean over the seeds, and the deviation of one.
fn show(name: &str, figures: &[Figures]) {
    let of = |at: usize, factor: f64, digits: usize| {
        spread(&figures.iter().map(|each| factor * each[at]).collect::<Vec<f64>>(), digits)
    };
    println!(
        "{name:<18} {:>12} % {:>15} {:>15} {:>18}",
        of(0, 100.0, 1),
        of(1, 1.0, 4),
        of(2, 1.0, 4),
        of(3, 1.0, 5)
    );
}

/// The mean of some numbers, and their standard deviation if there are several.
fn spread(x: &[f64], digits: usize) -> String {
    let count = x.len() as f64;
    let mean = x.iter().sum::<f64>() / count;
    let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    match x.len() {
        1 => format!("{mean:.digits$}"),
        _ => format!("{mean:.digits$} ± {:.digits$}", (square / (count - 1.0)).sqrt()),
    }
}

/// A net that was taught by pairs, of which the clean picture has moved in a part.
fn trained(loss: Loss, photograph: &Tensor, moved: f64, steps: u64, seed: u64) -> Result<Residual> {
    let rng = &mut lossgraph::rng(seed);
    let same = Conv { padding: Padding::Same, ..Conv::default() };
    let correction = Sequential::new()
        .then(Conv2d::with(1, 12, [5, 5], same, rng)?)
        .then(Activation::Relu)
        .then(Conv2d::with(12, 12, [3, 3], same, rng)?)
        .then(Activation::Relu)
        .then(Conv2d::with(12, 1, [3, 3], same, rng)?);
    // What it gives is added to the picture, so that it begins near the picture as it is.
    let model = Residual::new(correction);
    let mut optimizer = Adam::default().over(&model)?;
    for step in 0..steps {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for _ in 0..BATCH {
            let [top, left] = [512, 256].map(|side| rng.random_range(2..=side - PATCH - 2));
            let patch = |top, left| photograph.narrow(1, top, PATCH)?.narrow(2, left, PATCH);
            before.push(patch(top, left)?);
            after.push(match rng.random_bool(moved) {
                true => {
                    patch(top - 2 + rng.random_range(0..=4), left - 2 + rng.random_range(0..=4))?
                }
                false => patch(top, left)?,
            });
        }
        let (before, after) = (Tensor::stack(&before, 0)?, Tensor::stack(&after, 0)?);
        let tape = Tape::new();
        let restored = model.forward_train(tape.constant(NOISE.apply(&before, rng)?));
        // Down to nothing along a line: at the end, small steps.
        optimizer.set_lr(5e-3 * (1.0 - step as f64 / steps as f64))?;
        optimizer.step(&loss(restored, tape.constant(after)).mean().backward()?)?;
    }
    Ok(model)
}

/// The height of edges in parts of the right one, that of steps where there is next to none, and the
/// mean absolute and squared error.
fn measured(picture: &Tensor, truth: &Tensor) -> Result<Figures> {
    let tape = Tape::new();
    let [picture, truth] = [picture, truth].map(|picture| tape.constant(picture));
    let steps =
        |picture: Var<'_>| -> Result<Vec<f64>> { Ok(picture.diff(1, -1).value()?.to_f64s()) };
    let (of_picture, of_truth) = (steps(picture)?, steps(truth)?);
    let mut heights: Vec<f64> = of_truth.iter().map(|step| step.abs()).collect();
    heights.sort_by(f64::total_cmp);
    let [flat, steep] = [5, 9].map(|tenths| heights[heights.len() * tenths / 10]);
    let (mut kept, mut all, mut noise) = (0.0, 0.0, Vec::new());
    for (step, of_truth) in of_picture.into_iter().zip(of_truth) {
        if of_truth.abs() >= steep {
            kept += step * of_truth.signum();
            all += of_truth.abs();
        }
        if of_truth.abs() <= flat {
            noise.push(step.abs());
        }
    }
    let noise = noise.iter().sum::<f64>() / noise.len() as f64;
    let (mean, squared) = (l1(picture, truth).mean().item()?, mse(picture, truth).mean().item()?);
    Ok([kept / all, noise, mean, squared])
}
