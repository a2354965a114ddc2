//! A differential equation solved by a network (a physics-informed one): u″ = −π² sin πx between 0 and
//! 1, with u = 0 at both ends. The loss holds the second derivative of the network in its input, and
//! training differentiates that once more.
//!
//! Prints the loss as it falls, and how far the network is from the solution, sin πx, at its worst.
//!
//! Expect a largest error of about one ten-thousandth, where the solution goes up to 1.
//!
//! Raissi, Perdikaris and Karniadakis, Physics-Informed Neural Networks, 2019.

use std::f64::consts::PI;

use lossgraph::prelude::*;

const STEPS: usize = 2000;
/// From here on the rate is a tenth.
const SETTLING: usize = 1500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Mlp::with(&[1, 32, 32, 1], Activation::Tanh, None, &mut lossgraph::rng(0))?;
    let model = model.with_dtype(DType::F64);
    let mut optimizer = Adam { lr: 3e-3, ..Adam::default() }.over(&model)?;
    let points = Tensor::linspace(0.0, 1.0, 64, DType::F64)?.unsqueeze(1)?;
    println!("step  loss");
    for step in 0..=STEPS {
        let tape = Tape::f64();
        let x = tape.variable(&points);
        let u = model.forward_train(x);
        // Each u depends on its own x alone, so that the slope of the sum has them all.
        let slope = tape.grad(u.sum(..), &[x])[0];
        let curvature = tape.grad(slope.sum(..), &[x])[0];
        let residual = curvature + PI * PI * (PI * x).sin();
        let ends = model.forward_train(tape.constant([[0.0], [1.0]]));
        let loss = residual.square().mean(..) + 100.0 * ends.square().mean(..);
        let gradients = loss.backward()?;
        if step % 400 == 0 {
            println!("{step:4}  {:.6}", gradients.loss());
        }
        if step == SETTLING {
            optimizer.set_lr(3e-4)?;
        }
        optimizer.step(&gradients)?;
    }
    let tape = Tape::f64();
    let x = tape.constant(&points);
    let error = (model.forward(x) - (PI * x).sin()).abs().max(..);
    println!("\nlargest error  {:.1e}", error.item()?);
    Ok(())
}
