//! A training step with batch norm beside the same step without, at several depths:
//! `lossgraph-bench batch_norm`.

use std::time::Instant;

use lossgraph_autograd::Tape;
use lossgraph_losses::cross_entropy;
use lossgraph_nn::{Activation, Adam, BatchNorm, Layer, Optimizer, Result, Sequential, UpdateRule};
use lossgraph_tensor::Tensor;

use crate::op::{labels, uniform};
use crate::training::linear;

const BATCH: usize = 256;
const WIDTH: usize = 128;

/// Whether each hidden layer ends in batch norm.
#[derive(Clone, Copy, PartialEq)]
enum Norm {
    Without,
    With,
}

struct Training {
    model: Sequential,
    optimizer: Optimizer<Adam>,
}

impl Training {
    fn new(depth: usize, norm: Norm) -> Result<Training> {
        let mut model = Sequential::new();
        for layer in 0..depth as u32 {
            model = model.then(linear(10 + 2 * layer, WIDTH, WIDTH));
            if norm == Norm::With {
                model = model.then(BatchNorm::new(WIDTH)?);
            }
            model = model.then(Activation::Relu);
        }
        let model = model.then(linear(10 + 2 * depth as u32, WIDTH, 10));
        let optimizer = Adam::default().over(&model)?;
        Ok(Training { model, optimizer })
    }

    /// One step, in milliseconds.
    fn step(&mut self, x: &Tensor, y: &Tensor) -> Result<f64> {
        let start = Instant::now();
        let tape = Tape::new();
        let logits = self.model.forward_train(tape.constant(x));
        self.optimizer.step(&cross_entropy(logits, tape.constant(y)).mean().backward()?)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }
}

/// Prints least times of a step of a perceptron of 128 units a layer on a batch of 256.
pub fn print() -> Result<()> {
    println!("{:<8} {:>12} {:>16} {:>6}", "layers", "plain, ms", "batch norm, ms", "ratio");
    let (x, y) = (uniform(1, [BATCH, WIDTH], 1.0), labels(2, BATCH, 10));
    for depth in [2, 10, 40, 80] {
        let mut both = [Training::new(depth, Norm::Without)?, Training::new(depth, Norm::With)?];
        let mut least = [f64::INFINITY; 2];
        for _ in 0..20 {
            for (training, least) in both.iter_mut().zip(&mut least) {
                *least = least.min(training.step(&x, &y)?);
            }
        }
        println!("{depth:<8} {:>12.2} {:>16.2} {:>6.2}", least[0], least[1], least[1] / least[0]);
    }
    Ok(())
}
