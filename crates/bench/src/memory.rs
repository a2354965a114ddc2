//! The memory that a loss takes: `lossgraph-bench memory`.

use lossgraph_autograd::{Result, Tape};
use lossgraph_losses::cross_entropy;

use crate::op::{labels, uniform};

/// A line of `/proc/self/status`, in megabytes of 2²⁰ bytes.
fn status(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// Prints how far memory rises while cross-entropy of 512 × 32000 and its gradient are computed,
/// on top of the logits.
pub fn print() -> Result<()> {
    const SHAPE: [usize; 2] = [512, 32_000];
    let megabytes = (SHAPE[0] * SHAPE[1] * 4) as f64 / f64::from(1 << 20);
    let logits = uniform(1, SHAPE, 4.0);
    let labels = labels(2, SHAPE[0], SHAPE[1] as u32);
    let before = status("VmRSS:");
    let tape = Tape::new();
    let x = tape.variable(logits);
    let gradients = cross_entropy(x, tape.constant(labels)).mean().backward()?;
    let peak = status("VmHWM:");
    let Some((before, peak)) = before.zip(peak) else {
        println!("memory: this system has no /proc/self/status to read it from");
        return Ok(());
    };
    println!("cross_entropy 512x32000, forward and backward, loss {:.4}", gradients.loss());
    println!("before {before:.1} MiB, of which the logits {megabytes:.1}");
    println!(
        "highest {peak:.1} MiB: {:.1} more, of which the gradient {megabytes:.1}",
        peak - before
    );
    println!("beside logits and gradient: {:.1} MiB", peak - before - megabytes);
    Ok(())
}
