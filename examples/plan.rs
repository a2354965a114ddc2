//! What a loss becomes when it runs: the plan of cross-entropy and its gradient, micro-op by micro-op.

use lossgraph::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tape = Tape::new();
    let logits = tape.variable(Tensor::zeros([512, 100], DType::F32)?);
    let labels = tape.labels(&[7; 512]);
    let loss = cross_entropy(logits, labels).mean();
    let gradient = tape.grad(loss, &[logits])[0];
    println!("{}", tape.plan(&[loss, gradient])?);
    Ok(())
}
