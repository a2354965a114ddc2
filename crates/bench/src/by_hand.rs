//! Losses beside the loops that one would write by hand for each: `lossgraph-bench by_hand`.
//!
//! Such a loop goes over a row as often as the mathematics asks, keeps what it needs of it in an array,
//! and stores the gradients; on one thread, with the widest vectors of the processor.

use std::hint::black_box;
use std::time::Instant;

use lossgraph_tensor::Float;
use lossgraph_tensor::kernels::{Loop, threads, vectorized};

use crate::harness::Case;
use crate::{data, loss, op};

const ROWS: usize = 4096;
const ROUNDS: usize = 40;

/// A loss and its gradients, as one would write them.
trait ByHand {
    /// The loss; the gradients are stored. `#[inline(always)]`, so that it is compiled for the processor.
    fn pass(&mut self) -> f64;

    fn gradients(&self) -> Vec<&[f32]>;
}

/// A pass of a loop and where its result goes.
struct Pass<'a, H>(&'a mut H, &'a mut f64);

impl<H: ByHand> Loop for Pass<'_, H> {
    #[inline(always)]
    fn run(self) {
        *self.1 = self.0.pass();
    }
}

/// The sum of an expression of the column over a row of so many, in lanes. A macro, since closures are not
/// always compiled with the widest vectors.
macro_rules! sum {
    ($columns:expr, |$i:ident| $x:expr) => {{
        let mut lanes = [0.0_f32; 16];
        for block in 0..$columns / 16 {
            for (k, lane) in lanes.iter_mut().enumerate() {
                let $i = 16 * block + k;
                *lane += $x;
            }
        }
        let mut sum: f32 = lanes.iter().sum();
        #[allow(clippy::reversed_empty_ranges, reason = "of 256 columns, none is left")]
        for $i in $columns / 16 * 16..$columns {
            sum += $x;
        }
        sum
    }};
}

const NARROW: usize = 256;
const WIDE: usize = 1000;

fn rows<const C: usize>(x: &[f32]) -> &[[f32; C]] {
    x.as_chunks().0
}

fn rows_mut<const C: usize>(x: &mut [f32]) -> &mut [[f32; C]] {
    x.as_chunks_mut().0
}

fn uniform(seed: u32, columns: usize, scale: f32) -> Vec<f32> {
    data::uniform(seed, ROWS * columns, scale)
}

fn zeros(columns: usize) -> Vec<f32> {
    vec![0.0; ROWS * columns]
}

struct Triplet {
    x: [Vec<f32>; 3],
    slopes: [Vec<f32>; 3],
}

impl ByHand for Triplet {
    #[inline(always)]
    fn pass(&mut self) -> f64 {
        let [a, p, n] = &self.x;
        let [of_a, of_p, of_n] = &mut self.slopes;
        let (mut near, mut far) = ([0.0; NARROW], [0.0; NARROW]);
        let mut total = 0.0;
        for row in 0..ROWS {
            let (a, p) = (&rows::<NARROW>(a)[row], &rows::<NARROW>(p)[row]);
            let n = &rows::<NARROW>(n)[row];
            for i in 0..NARROW {
                near[i] = a[i] - p[i] + 1e-6;
                far[i] = a[i] - n[i] + 1e-6;
            }
            let near_norm = sum!(NARROW, |i| near[i] * near[i]).sqrt();
            let far_norm = sum!(NARROW, |i| far[i] * far[i]).sqrt();
            let each = (near_norm - far_norm + 1.0).max(0.0);
            total += f64::from(each);
            let counted = if each > 0.0 { 1.0 / ROWS as f32 } else { 0.0 };
            let (s, t) = (counted / near_norm, counted / far_norm);
            let (of_a, of_p) = (&mut rows_mut::<NARROW>(of_a)[row], &mut rows_mut(of_p)[row]);
            let of_n = &mut rows_mut::<NARROW>(of_n)[row];
            let of_p: &mut [f32; NARROW] = of_p;
            for i in 0..NARROW {
                let (near, far) = (near[i] * s, far[i] * t);
                of_a[i] = near - far;
                of_p[i] = -near;
                of_n[i] = far;
            }
        }
        total / ROWS as f64
    }

    fn gradients(&self) -> Vec<&[f32]> {
        self.slopes.iter().map(Vec::as_slice).collect()
    }
}

struct Cosine {
    x: [Vec<f32>; 2],
    signs: Vec<f32>,
    slopes: [Vec<f32>; 2],
}

impl ByHand for Cosine {
    #[inline(always)]
    fn pass(&mut self) -> f64 {
        let [a, b] = &self.x;
        let [of_a, of_b] = &mut self.slopes;
        let mut total = 0.0;
        for row in 0..ROWS {
            let (a, b) = (&rows::<NARROW>(a)[row], &rows::<NARROW>(b)[row]);
            let dot = sum!(NARROW, |i| a[i] * b[i]);
            let s = 1.0 / (sum!(NARROW, |i| a[i] * a[i]) + 1e-12).sqrt();
            let t = 1.0 / (sum!(NARROW, |i| b[i] * b[i]) + 1e-12).sqrt();
            let cosine = dot * s * t;
            let alike = self.signs[row] > 0.0;
            total += f64::from(if alike { 1.0 - cosine } else { cosine.max(0.0) });
            let slope = match (alike, cosine > 0.0) {
                (true, _) => -1.0 / ROWS as f32,
                (false, true) => 1.0 / ROWS as f32,
                (false, false) => 0.0,
            };
            let (both, first, second) =
                (slope * s * t, -slope * cosine * s * s, -slope * cosine * t * t);
            let of_a = &mut rows_mut::<NARROW>(of_a)[row];
            let of_b = &mut rows_mut::<NARROW>(of_b)[row];
            for i in 0..NARROW {
                of_a[i] = b[i] * both + a[i] * first;
                of_b[i] = a[i] * both + b[i] * second;
            }
        }
        total / ROWS as f64
    }

    fn gradients(&self) -> Vec<&[f32]> {
        self.slopes.iter().map(Vec::as_slice).collect()
    }
}

struct LayerNorm {
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    cotangent: Vec<f32>,
    slopes: [Vec<f32>; 3],
}

impl ByHand for LayerNorm {
    #[inline(always)]
    fn pass(&mut self) -> f64 {
        const N: f32 = NARROW as f32;
        let [of_x, of_weight, of_bias] = &mut self.slopes;
        let (weight, bias) = (&rows::<NARROW>(&self.weight)[0], &rows::<NARROW>(&self.bias)[0]);
        let (mut of_w, mut of_b) = ([0.0; NARROW], [0.0; NARROW]);
        let (mut normal, mut slope) = ([0.0; NARROW], [0.0; NARROW]);
        let mut total = 0.0;
        for row in 0..ROWS {
            let (x, g) = (&rows::<NARROW>(&self.x)[row], &rows::<NARROW>(&self.cotangent)[row]);
            let mean = sum!(NARROW, |i| x[i]) / N;
            for i in 0..NARROW {
                normal[i] = x[i] - mean;
            }
            // The deviations have a mean of their own, where the numbers are large.
            let mean = sum!(NARROW, |i| normal[i]) / N;
            for deviation in &mut normal {
                *deviation -= mean;
            }
            let variance = sum!(NARROW, |i| normal[i] * normal[i]) / N;
            let scale = 1.0 / (variance + 1e-5).sqrt();
            for i in 0..NARROW {
                normal[i] *= scale;
                let g = g[i] / (N * ROWS as f32);
                of_b[i] += g;
                of_w[i] += g * normal[i];
                slope[i] = g * weight[i];
            }
            total += f64::from(sum!(NARROW, |i| g[i] * (normal[i] * weight[i] + bias[i])));
            let first = sum!(NARROW, |i| slope[i]) / N;
            let second = sum!(NARROW, |i| slope[i] * normal[i]) / N;
            let of_x = &mut rows_mut::<NARROW>(of_x)[row];
            for i in 0..NARROW {
                of_x[i] = scale * (slope[i] - first - normal[i] * second);
            }
        }
        of_weight.copy_from_slice(&of_w);
        of_bias.copy_from_slice(&of_b);
        total / f64::from(N) / ROWS as f64
    }

    fn gradients(&self) -> Vec<&[f32]> {
        self.slopes.iter().map(Vec::as_slice).collect()
    }
}

struct CrossEntropy {
    logits: Vec<f32>,
    labels: Vec<usize>,
    slope: Vec<f32>,
}

impl ByHand for CrossEntropy {
    #[inline(always)]
    fn pass(&mut self) -> f64 {
        let mut total = 0.0;
        for row in 0..ROWS {
            let z = &rows::<WIDE>(&self.logits)[row];
            let slope = &mut rows_mut::<WIDE>(&mut self.slope)[row];
            let mut lanes = [f32::NEG_INFINITY; 8];
            for z in z.as_chunks::<8>().0 {
                for (lane, &z) in lanes.iter_mut().zip(z) {
                    *lane = if z > *lane { z } else { *lane };
                }
            }
            let largest = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
            for i in 0..WIDE {
                slope[i] = Float::exp(z[i] - largest);
            }
            let sum = sum!(WIDE, |i| slope[i]);
            let label = self.labels[row];
            total += f64::from(largest + sum.ln() - z[label]);
            let factor = 1.0 / (sum * ROWS as f32);
            for slope in slope.iter_mut() {
                *slope *= factor;
            }
            slope[label] -= 1.0 / ROWS as f32;
        }
        total / ROWS as f64
    }

    fn gradients(&self) -> Vec<&[f32]> {
        vec![&self.slope]
    }
}

struct KlDiv {
    log_p: Vec<f32>,
    target: Vec<f32>,
    slope: Vec<f32>,
}

impl ByHand for KlDiv {
    #[inline(always)]
    fn pass(&mut self) -> f64 {
        let mut total = 0.0;
        for row in 0..ROWS {
            let (p, t) = (&rows::<WIDE>(&self.log_p)[row], &rows::<WIDE>(&self.target)[row]);
            let slope = &mut rows_mut::<WIDE>(&mut self.slope)[row];
            // Stored and summed, since a row of logarithms is not kept in registers.
            for i in 0..WIDE {
                let term = t[i] * (Float::ln(t[i]) - p[i]);
                slope[i] = if t[i] == 0.0 { 0.0 } else { term };
            }
            total += f64::from(sum!(WIDE, |i| slope[i]));
            for i in 0..WIDE {
                slope[i] = t[i] * (-1.0 / ROWS as f32);
            }
        }
        total / ROWS as f64
    }

    fn gradients(&self) -> Vec<&[f32]> {
        vec![&self.slope]
    }
}

/// Least microseconds of each, in turns; the second one gives what the first one does.
fn compare<H: ByHand>(name: &str, mut case: Case, mut hand: H) {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64 / 1e3
    };
    let mut value = 0.0;
    let mut least = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        let ours = time(&mut *case.step);
        let by_hand = time(&mut || vectorized(Pass(black_box(&mut hand), &mut value)));
        least = [least[0].min(ours), least[1].min(by_hand)];
    }
    let slopes: f64 = hand.gradients().iter().map(|slope| data::abs_sum(slope)).sum();
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-4 * b.abs();
    let same = close(value, case.check) && case.grad_check.is_some_and(|sum| close(slopes, sum));
    let remark = if same { "" } else { "  another result" };
    let [ours, by_hand] = least;
    println!("{name:<26} {ours:>9.0} {by_hand:>12.0} {:>6.2}{remark}", ours / by_hand);
}

/// Prints losses with their gradients beside loops that are written by hand, on one thread.
pub fn print() {
    println!("{:<26} {:>9} {:>12} {:>6}", "", "ours, µs", "by hand, µs", "ratio");
    threads::with(1, || {
        let triplet = Triplet {
            x: [1, 2, 3].map(|seed| uniform(seed, NARROW, 1.0)),
            slopes: [(); 3].map(|()| zeros(NARROW)),
        };
        compare("triplet 4096x256", loss::triplet(), triplet);
        let signs = data::labels(3, ROWS, 2).into_iter().map(|label| 2.0 * label as f32 - 1.0);
        let cosine = Cosine {
            x: [1, 2].map(|seed| uniform(seed, NARROW, 1.0)),
            signs: signs.collect(),
            slopes: [(); 2].map(|()| zeros(NARROW)),
        };
        compare("cosine_embedding 4096x256", loss::cosine_embedding(), cosine);
        let layer_norm = LayerNorm {
            x: uniform(1, NARROW, 2.0),
            weight: data::uniform(2, NARROW, 0.1).into_iter().map(|w| w + 1.0).collect(),
            bias: data::uniform(3, NARROW, 0.1),
            cotangent: uniform(4, NARROW, 1.0),
            slopes: [zeros(NARROW), vec![0.0; NARROW], vec![0.0; NARROW]],
        };
        compare("layer_norm 4096x256", op::layer_norm(), layer_norm);
        let cross_entropy = CrossEntropy {
            logits: uniform(1, WIDE, 4.0),
            labels: data::labels(2, ROWS, WIDE as u32),
            slope: zeros(WIDE),
        };
        compare("cross_entropy 4096x1000", loss::cross_entropy(ROWS, WIDE), cross_entropy);
        let logs = |seed| data::log_softmax(&uniform(seed, WIDE, 2.0), WIDE);
        let kl_div = KlDiv {
            log_p: logs(1),
            target: logs(2).into_iter().map(f32::exp).collect(),
            slope: zeros(WIDE),
        };
        compare("kl_div 4096x1000", loss::kl_div(), kl_div);
    });
}
