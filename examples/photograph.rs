//! When L2 blurs a photograph and L1 does not. A small net of convolutions learns to take noise out of
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
//! Expect that L2 does not blur by itself: of pairs that fit, its edges are the highest, with most noise
//! beside them. Of pairs that do not fit, it loses 12 of 69, and L1 and Charbonnier lose 5 of 64 and of 66.
//!
//! The noise is one of all pixels. Of noise that spoils single pixels and leaves the others exactly right,
//! L1 has its kink where the net begins, at the picture as it is, and stays there for long.
//!
//! ```console
//! $ cargo run --release --example photograph
//!                   edges   noise  mean error  squared error
//! pairs that fit
//!   L2             69.0 %  0.0142      0.0194        0.00074
//!   L1             64.2 %  0.0085      0.0172        0.00073
//!   Charbonnier    66.0 %  0.0095      0.0173        0.00070
//! pairs a third moved
//!   L2             57.1 %  0.0119      0.0209        0.00105
//!   L1             59.4 %  0.0094      0.0191        0.00096
//!   Charbonnier    61.2 %  0.0080      0.0180        0.00086
//! wrote out/photograph.png: the photograph, what the net sees, and what it makes of it
//! ```

use lossgraph::data::{Augmentation, camera, encode_png};
use lossgraph::nn::Residual;
use lossgraph::prelude::*;

const SEED: u64 = 0;
const PATCH: usize = 32;
const BATCH: usize = 8;
/// The deviation of the noise, where white is 1.
const NOISE: Augmentation = Augmentation::Noise { deviation: 0.05 };
/// A part of the photograph: the camera, and what stands behind it.
const SHOWN: [std::ops::Range<usize>; 2] = [64..192, 256..384];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
type Loss = for<'t> fn(Var<'t>, Var<'t>) -> Terms<'t>;

const LOSSES: [(&str, Loss); 3] =
    [("L2", mse), ("L1", l1), ("Charbonnier", |x, y| charbonnier(x, y, 1e-2))];

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let steps = if short { 40 } else { 400 };
    let photograph = camera()?;
    let noisy = NOISE.apply(&photograph.unsqueeze(0)?, &mut lossgraph::rng(SEED))?.squeeze(0)?;
    let [rows, columns] = SHOWN;
    let part = |picture: &Tensor| -> Result<Tensor> {
        Ok(picture.slice(1, rows.clone())?.slice(2, columns.clone())?)
    };
    let (truth, seen) = (part(&photograph)?, part(&noisy)?);

    println!("                  edges   noise  mean error  squared error");
    let mut lines = Vec::new();
    for (pairs, moved) in [("that fit", 0.0), ("a third moved", 1.0 / 3.0)] {
        println!("pairs {pairs}");
        let mut pictures = vec![truth.clone(), seen.clone()];
        for (name, loss) in LOSSES {
            let model = trained(loss, &photograph, moved, steps)?;
            let tape = Tape::new();
            let picture = model.forward(tape.constant(&seen).unsqueeze(0)).squeeze(0).value()?;
            let [edges, noise, mean, squared] = measured(&picture, &truth)?;
            println!(
                "  {name:<11} {:7.1} %  {noise:.4}  {mean:10.4}  {squared:13.5}",
                100.0 * edges
            );
            pictures.push(picture);
        }
        lines.push(Tensor::concat(&pictures, 2)?);
    }
    std::fs::create_dir_all("out")?;
    std::fs::write("out/photograph.png", encode_png(&Tensor::concat(&lines, 1)?)?)?;
    println!(
        "wrote out/photograph.png: the photograph, what the net sees, and what it makes of it"
    );
    Ok(())
}

/// A net that was taught by pairs, of which the clean picture has moved in a part.
fn trained(loss: Loss, photograph: &Tensor, moved: f64, steps: u64) -> Result<Residual> {
    let rng = &mut lossgraph::rng(SEED);
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
fn measured(picture: &Tensor, truth: &Tensor) -> Result<[f64; 4]> {
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
