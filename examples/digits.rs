//! A classifier of handwritten digits, with the training loop written by hand: one tape a step.
//! Prints a line an epoch, and at the end how many digits of the test part it knows.

use lossgraph::data::digits;
use lossgraph::prelude::*;

const SEED: u64 = 0;
const EPOCHS: u64 = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, test) = digits()?.split(0.2, SEED)?;
    let model = Mlp::new(&[64, 128, 10], &mut lossgraph::rng(SEED))?;
    let mut optimizer = AdamW { lr: 3e-3, ..AdamW::default() }.over(&model)?;

    for epoch in 0..EPOCHS {
        let (mut sum, mut steps) = (0.0, 0);
        for batch in train.batches(32, SEED, epoch)? {
            // Record: the tape reads the parameters as they are now.
            let tape = Tape::new();
            let logits = model.forward_train(tape.constant(batch.inputs));
            let loss = cross_entropy(logits, tape.constant(batch.labels)).mean();

            // Differentiate: the loss and all gradients in one run, by the plan of the first step.
            let gradients = loss.backward()?;

            // Move: every parameter that has a gradient.
            optimizer.step(&gradients)?;
            (sum, steps) = (sum + gradients.loss(), steps + 1);
        }
        println!("epoch {:>2}/{EPOCHS}  loss {:.4}", epoch + 1, sum / f64::from(steps));
    }

    let tape = Tape::new();
    let logits = model.forward(tape.constant(test.inputs())).value()?;
    println!("test accuracy {:.2} %", 100.0 * accuracy(&logits, test.labels())?);
    Ok(())
}
