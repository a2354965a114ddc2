//! Losses against the memory bandwidth of the machine: `lossgraph-bench copy`.

use std::sync::Barrier;
use std::time::Instant;

use lossgraph_tensor::kernels::threads;

use crate::harness::Case;
use crate::loss;

/// How often each is timed.
const ROUNDS: usize = 30;

/// Least microseconds of copying `elements` floats, shared among as many threads as kernels use.
fn copying(elements: usize) -> f64 {
    let from = vec![1.0_f32; elements];
    let mut to = vec![0.0_f32; elements];
    let chunk = elements.div_ceil(threads::count());
    let barrier = Barrier::new(threads::count());
    let least = std::thread::scope(|scope| {
        let workers: Vec<_> = from
            .chunks(chunk)
            .zip(to.chunks_mut(chunk))
            .map(|(from, to)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let time = |_| {
                        barrier.wait();
                        let start = Instant::now();
                        to.copy_from_slice(from);
                        barrier.wait();
                        start.elapsed().as_nanos() as f64 / 1e3
                    };
                    (0..ROUNDS).map(time).collect::<Vec<f64>>()
                })
            })
            .collect();
        let times: Vec<Vec<f64>> =
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect();
        // A thread that woke late from the barrier saw only the end of a round.
        let round = |i: usize| times.iter().map(|times| times[i]).fold(0.0, f64::max);
        (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
    });
    std::hint::black_box(to);
    least
}

/// Least microseconds of a step.
fn stepping(mut case: Case) -> f64 {
    let time = |_| {
        let start = Instant::now();
        (case.step)();
        start.elapsed().as_nanos() as f64 / 1e3
    };
    (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}

/// Prints losses with their gradients beside a copy of as many bytes as they have to read and
/// write: each input that a gradient needs once, and each gradient once.
pub fn print() {
    println!("{:<26} {:>10} {:>10} {:>6}", "", "loss, µs", "copy, µs", "ratio");
    // Each with half of the floats that it reads and writes.
    let losses: [(&str, Case, usize); 4] = [
        ("mse 1e6", loss::mse(1_000_000), 1_500_000),
        ("mse 1e7", loss::mse(10_000_000), 15_000_000),
        ("cross_entropy 4096x1000", loss::cross_entropy(4096, 1000), 4_096_000),
        ("cross_entropy 512x32000", loss::cross_entropy(512, 32_000), 16_384_000),
    ];
    for (name, case, elements) in losses {
        let (loss, copy) = (stepping(case), copying(elements));
        println!("{name:<26} {loss:>10.0} {copy:>10.0} {:>6.2}", loss / copy);
    }
}
