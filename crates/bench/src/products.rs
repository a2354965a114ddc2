//! Layers whose product is fused into the kernel that reads it, beside the same layers in two steps:
//! `lossgraph-bench products`.

use std::hint::black_box;
use std::time::Instant;

use lossgraph_autograd::{Result, Tape};
use lossgraph_tensor::Tensor;

use crate::data;

/// Rounds in which the two take turns.
const ROUNDS: usize = 15;

fn tensor(seed: u32, shape: [usize; 2]) -> Tensor {
    let data = data::uniform(seed, shape[0] * shape[1], 1.0);
    Tensor::new(shape, data).expect("as many elements as the shape says")
}

/// How the product of a layer is computed.
#[derive(Clone, Copy)]
enum Product {
    /// By the kernel that reads it, row by row.
    Fused,
    /// By a step of its own: it is requested as well, and so materialized.
    Materialized,
}

/// Prints least times of `relu(x · w + b)`, with the product fused and materialized.
pub fn print() -> Result<()> {
    println!("{:<24} {:>12} {:>14} {:>6}", "", "fused, µs", "two steps, µs", "ratio");
    for [rows, inner, columns] in
        [[16384, 64, 256], [4096, 64, 1024], [4096, 128, 1024], [16384, 128, 256], [2048, 32, 256]]
    {
        let (x, w) = (tensor(1, [rows, inner]), tensor(2, [inner, columns]));
        let bias = data::uniform(3, columns, 1.0);
        let time = |how: Product| -> Result<f64> {
            let tape = Tape::new();
            let product = tape.constant(&x).matmul(tape.constant(&w));
            let y = (product + tape.constant(bias.clone())).relu();
            let requested = match how {
                Product::Fused => vec![y],
                Product::Materialized => vec![y, product],
            };
            let start = Instant::now();
            let values = black_box(tape.eval(&requested)?);
            let time = start.elapsed().as_secs_f64() * 1e6;
            drop(values);
            Ok(time)
        };
        let mut least = [f64::INFINITY; 2];
        for _ in 0..ROUNDS {
            for (least, how) in least.iter_mut().zip([Product::Fused, Product::Materialized]) {
                *least = least.min(time(how)?);
            }
        }
        let name = format!("{rows}x{inner} by {inner}x{columns}");
        println!("{name:<24} {:>12.0} {:>14.0} {:>6.2}", least[0], least[1], least[0] / least[1]);
    }
    Ok(())
}
