//! L2 blurs and L1 does not, on a photograph. A small net of convolutions learns to take noise out of
//! it, by pairs that do not fit: half of the time, the camera of the clean picture had moved by a pixel
//! or two. L2 asks for the mean of what may be right, in which every edge is smeared over all places
//! where it was seen; L1 asks for the median, which follows the majority; Charbonnier is L1 with a
//! rounded tip. The net learns on the left half, and is judged by a part of the right half.
//!
//! Blur is measured at the edges, the steepest tenth of all steps from a pixel to the next: how high the
//! same steps of a picture are on average, 100 % being those of the photograph. Noise goes up as often
//! as down, and does not count.
//!
//! Expect edges that are more than twice as high by L1, with seed 0, and look at the picture: after 150
//! steps, L2 has smeared noise and edges alike, and L1 has left both nearly as they were. So this shows
//! what L2 does to edges, and not yet a net that takes out noise and keeps them.
//!
//! ```console
//! $ cargo run --release --example photograph
//!               edges  mean error  squared error
//! L2           37.9 %      0.0394        0.00344
//! L1           90.4 %      0.0329        0.01689
//! Charbonnier  87.0 %      0.0336        0.01569
//! wrote out/photograph.png: the photograph, what the net sees, and what it makes of it
//! ```

use lossgraph::data::camera;
use lossgraph::nn::Residual;
use lossgraph::prelude::*;

const SEED: u64 = 0;
const PATCH: usize = 32;
const BATCH: usize = 8;
/// A part of the photograph: the camera, and what stands behind it.
const SHOWN: [std::ops::Range<usize>; 2] = [64..192, 256..384];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
type Loss = for<'t> fn(Var<'t>, Var<'t>) -> Terms<'t>;

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let steps = if short { 10 } else { 150 };
    let photograph = camera()?;
    let noisy = with_noise(&photograph, &mut lossgraph::rng(SEED))?;
    let [rows, columns] = SHOWN;
    let part = |picture: &Tensor| -> Result<Tensor> {
        Ok(picture.slice(1, rows.clone())?.slice(2, columns.clone())?)
    };
    let (truth, seen) = (part(&photograph)?, part(&noisy)?);

    println!("              edges  mean error  squared error");
    let mut pictures = vec![truth.clone(), seen.clone()];
    let losses: [(&str, Loss); 3] =
        [("L2", mse), ("L1", l1), ("Charbonnier", |x, y| charbonnier(x, y, 1e-2))];
    for (name, loss) in losses {
        let model = trained(loss, &photograph, steps)?;
        let tape = Tape::new();
        let picture = model.forward(tape.constant(&seen).unsqueeze(0)).squeeze(0).value()?;
        let [edges, mean, squared] = measured(&picture, &truth)?;
        println!("{name:<11} {:5.1} %  {mean:10.4}  {squared:13.5}", 100.0 * edges);
        pictures.push(picture);
    }
    std::fs::create_dir_all("out")?;
    write_png("out/photograph.png", &Tensor::concat(&pictures, 2)?)?;
    println!(
        "wrote out/photograph.png: the photograph, what the net sees, and what it makes of it"
    );
    Ok(())
}

/// The picture, in which a tenth of the pixels are numbers from 0 to 1 that say nothing.
fn with_noise(picture: &Tensor, rng: &mut lossgraph::ChaCha8Rng) -> Result<Tensor> {
    let pixels = picture.to_vec::<f32>()?;
    let seen = pixels.into_iter().map(|pixel| match rng.random_bool(0.1) {
        true => rng.random(),
        false => pixel,
    });
    Ok(Tensor::new(picture.shape().clone(), seen.collect::<Vec<f32>>())?)
}

fn trained(loss: Loss, photograph: &Tensor, steps: u64) -> Result<Residual> {
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
        let (mut clean, mut moved) = (Vec::new(), Vec::new());
        for _ in 0..BATCH {
            let [top, left] = [512, 256].map(|side| rng.random_range(2..=side - PATCH - 2));
            let patch = |top, left| photograph.narrow(1, top, PATCH)?.narrow(2, left, PATCH);
            clean.push(patch(top, left)?);
            moved.push(match rng.random_bool(0.5) {
                true => {
                    patch(top - 2 + rng.random_range(0..=4), left - 2 + rng.random_range(0..=4))?
                }
                false => patch(top, left)?,
            });
        }
        let (clean, moved) = (Tensor::stack(&clean, 0)?, Tensor::stack(&moved, 0)?);
        let tape = Tape::new();
        let restored = model.forward_train(tape.constant(with_noise(&clean, rng)?));
        // Down to nothing along a line: at the end, small steps.
        optimizer.set_lr(5e-3 * (1.0 - step as f64 / steps as f64))?;
        optimizer.step(&loss(restored, tape.constant(moved)).mean().backward()?)?;
    }
    Ok(model)
}

/// The height of edges, and the mean absolute and squared error.
fn measured(picture: &Tensor, truth: &Tensor) -> Result<[f64; 3]> {
    let tape = Tape::new();
    let [picture, truth] = [picture, truth].map(|picture| tape.constant(picture));
    let steps =
        |picture: Var<'_>| -> Result<Vec<f64>> { Ok(picture.diff(1, -1).value()?.to_f64s()) };
    let (of_picture, of_truth) = (steps(picture)?, steps(truth)?);
    let mut heights: Vec<f64> = of_truth.iter().map(|step| step.abs()).collect();
    heights.sort_by(f64::total_cmp);
    let steep = heights[heights.len() * 9 / 10];
    let (mut kept, mut all) = (0.0, 0.0);
    for (step, of_truth) in of_picture.into_iter().zip(of_truth) {
        if of_truth.abs() >= steep {
            kept += step * of_truth.signum();
            all += of_truth.abs();
        }
    }
    Ok([kept / all, l1(picture, truth).mean().item()?, mse(picture, truth).mean().item()?])
}

/// A grey picture `[1, height, width]`, from 0 to 1.
fn write_png(path: &str, picture: &Tensor) -> Result<()> {
    let [height, width] = [1, 2].map(|axis| picture.shape()[axis] as u32);
    let file = std::fs::File::create(path)?;
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let pixels = picture.to_f64s().into_iter().map(|x| (255.0 * x.clamp(0.0, 1.0)).round() as u8);
    Ok(encoder.write_header()?.write_image_data(&pixels.collect::<Vec<u8>>())?)
}
