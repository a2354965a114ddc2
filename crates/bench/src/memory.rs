//! The peak memory of losses: `lossgraph-bench memory`.

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_losses::{cross_entropy, linear_cross_entropy};
use lossgraph_tensor::Tensor;

use crate::op::{labels, uniform};

/// A line of `/proc/self/status`, in megabytes of 2²⁰ bytes.
fn status(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// Prints the peak memory while a loss and its gradients are computed, beside that of its inputs.
fn print_loss<const N: usize>(
    name: &str,
    inputs: [Tensor; N],
    loss: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>,
) -> Result<()> {
    let bytes: usize = inputs.iter().map(|input| input.shape().numel() * 4).sum();
    let megabytes = bytes as f64 / f64::from(1 << 20);
    // Resets the peak. Where the system cannot, it includes what came before.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = status("VmRSS:");
    let tape = Tape::new();
    let gradients = loss(inputs.map(|input| tape.variable(input))).backward()?;
    let peak = status("VmHWM:");
    let Some((before, peak)) = before.zip(peak) else {
        println!("memory: this system has no /proc/self/status to read it from");
        return Ok(());
    };
    println!("{name}, forward and backward, loss {:.4}", gradients.loss());
    println!("before {before:.1} MiB, of which the inputs {megabytes:.1}");
    println!(
        "peak {peak:.1} MiB: {:.1} more, of which the gradients {megabytes:.1}",
        peak - before
    );
    println!("beside inputs and gradients: {:.1} MiB", peak - before - megabytes);
    Ok(())
}

/// Prints the memory of cross-entropy, of logits as inputs and of those of a last layer.
pub fn print() -> Result<()> {
    let targets = labels(2, 512, 32_000);
    print_loss("cross_entropy 512x32000", [uniform(1, [512, 32_000], 4.0)], |[logits]| {
        cross_entropy(logits, logits.tape().constant(targets.clone())).mean()
    })?;
    println!();
    let targets = labels(2, 512, 50_000);
    let inputs = [uniform(1, [512, 256], 1.0), uniform(3, [50_000, 256], 0.1)];
    print_loss("linear_cross_entropy, 50000 classes, 512x256", inputs, |[features, matrix]| {
        linear_cross_entropy(features, matrix, features.tape().constant(targets.clone())).mean()
    })
}
