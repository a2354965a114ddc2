//! Fashion-MNIST with a net of convolutions, on all 60,000 pictures. Debian's package
//! `dataset-fashion-mnist` has them; a folder with the four files is read as well.
//!
//! Prints the loss of each epoch, the accuracy on the 10,000 pictures of the test part, and the seconds
//! so far, with seed 0. `--short` is one epoch of the 2,000 pictures that come with the library.
//!
//! Expect nine of ten after three epochs. The same net, rates and epochs in PyTorch 2.15 took 111 s to
//! 91.64 % on the same two quiet cores, of a Zen 3 (`python tests/peers/fashion_mnist.py FOLDER`).
//!
//! ```console
//! $ cargo run --release --example fashion_mnist -- FOLDER   # or without, where Debian has put it
//! 60000 pictures to train with, 10000 to test with
//! epoch   loss  test accuracy  seconds
//!     1  0.668        86.43 %     12.8
//!     2  0.332        88.50 %     26.1
//!     3  0.261        89.54 %     40.5
//!     4  0.204        91.52 %     54.1
//!     5  0.161        91.80 %     67.3
//! ```

use std::time::Instant;

use lossgraph::data::{Dataset, fashion_mnist, fashion_mnist_2000, mnist};
use lossgraph::nn::schedule::{OneCycle, Schedule};
use lossgraph::prelude::*;

const SEED: u64 = 0;
const BATCH: usize = 64;
const RATE: f64 = 4e-3;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let ((train, test), epochs) = match std::env::args().nth(1).as_deref() {
        Some("--short") => (fashion_mnist_2000()?.split(0.2, SEED)?, 1),
        Some(folder) => (mnist(folder)?, 5),
        None => (fashion_mnist()?, 5),
    };
    println!("{} pictures to train with, {} to test with", train.len(), test.len());
    let model = net(&mut lossgraph::rng(SEED))?;
    let mut optimizer = AdamW::default().over(&model)?;
    let total = train.len().div_ceil(BATCH) * epochs as usize;
    let rates = OneCycle { max_lr: Some(RATE), total_steps: Some(total), ..OneCycle::default() };
    let (start, mut step) = (Instant::now(), 0);
    println!("epoch   loss  test accuracy  seconds");
    for epoch in 0..epochs {
        let (mut sum, mut batches) = (0.0, 0);
        for batch in train.batches(BATCH, SEED, epoch)? {
            let tape = Tape::new();
            let logits = model.forward_train(tape.constant(batch.inputs));
            let gradients = cross_entropy(logits, tape.constant(batch.labels)).mean().backward()?;
            optimizer.set_lr(rates.lr(RATE, step))?;
            optimizer.step(&gradients)?;
            (sum, batches, step) = (sum + gradients.loss(), batches + 1, step + 1);
        }
        let right = 100.0 * evaluated(&model, &test)?;
        let (loss, seconds) = (sum / f64::from(batches), start.elapsed().as_secs_f64());
        println!("{:5}  {loss:.3}  {right:11.2} %  {seconds:7.1}", epoch + 1);
    }
    Ok(())
}

/// From pictures `[batch, 1, 28, 28]` to the scores of ten classes.
fn net(rng: &mut lossgraph::ChaCha8Rng) -> Result<Sequential> {
    let same = Conv { padding: Padding::Same, ..Conv::default() };
    Ok(Sequential::new()
        .then(Conv2d::with(1, 16, [3, 3], same, rng)?)
        .then(Activation::Relu)
        .then(MaxPool2d(Pool::new([2, 2])))
        .then(Conv2d::with(16, 32, [3, 3], same, rng)?)
        .then(Activation::Relu)
        .then(MaxPool2d(Pool::new([2, 2])))
        .then(Flatten)
        .then(Linear::new(32 * 7 * 7, 128, rng)?)
        .then(Activation::Relu)
        .then(Linear::new(128, 10, rng)?))
}

/// The accuracy, of 1,000 pictures at a time.
fn evaluated(model: &Sequential, data: &Dataset) -> Result<f64> {
    let mut right = 0.0;
    for start in (0..data.len()).step_by(1000) {
        let indices: Vec<usize> = (start..data.len().min(start + 1000)).collect();
        let part = data.select(&indices)?;
        let tape = Tape::new();
        let logits = model.forward(tape.constant(part.inputs())).value()?;
        right += accuracy(&logits, part.labels())? * part.len() as f64;
    }
    Ok(right / data.len() as f64)
}
