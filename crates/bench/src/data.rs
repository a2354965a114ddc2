//! The data of the rig: pure functions of seeds, bit for bit those of every other peer.

/// Rows of [`digits`].
pub const DIGITS: usize = 1797;

fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

fn bits(seed: u32, i: usize) -> u32 {
    hash((i as u32).wrapping_add(seed.wrapping_mul(0x9e37_79b9)))
}

/// `n` numbers in [−scale, scale).
pub fn uniform(seed: u32, n: usize, scale: f32) -> Vec<f32> {
    let number = |i| ((bits(seed, i) >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale;
    (0..n).map(number).collect()
}

/// `n` numbers in [0, 1).
pub fn unit(seed: u32, n: usize) -> Vec<f32> {
    uniform(seed, n, 0.5).into_iter().map(|v| v + 0.5).collect()
}

/// `n` class numbers below `classes`.
pub fn labels(seed: u32, n: usize, classes: u32) -> Vec<usize> {
    (0..n).map(|i| (bits(seed, i) % classes) as usize).collect()
}

/// The log-softmax of each row of `columns` numbers, computed in `f64`.
pub fn log_softmax(x: &[f32], columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for row in x.chunks(columns) {
        let log_sum = row.iter().map(|&v| f64::from(v).exp()).sum::<f64>().ln();
        out.extend(row.iter().map(|&v| (f64::from(v) - log_sum) as f32));
    }
    out
}

/// The weight `[out, fan_in]` and the bias `[out]` of a layer.
pub fn layer(seed: u32, out: usize, fan_in: usize) -> (Vec<f32>, Vec<f32>) {
    let bound = 1.0 / (fan_in as f32).sqrt();
    (uniform(seed, out * fan_in, bound), uniform(seed + 1, out, bound))
}

/// Rows of 64 numbers around ten centers, and the number of each row's center.
pub fn digits() -> (Vec<f32>, Vec<usize>) {
    let labels = labels(90, DIGITS, 10);
    let centers = uniform(91, 10 * 64, 1.0);
    let mut x = uniform(92, DIGITS * 64, 1.0);
    for (i, v) in x.iter_mut().enumerate() {
        *v += centers[labels[i / 64] * 64 + i % 64];
    }
    (x, labels)
}

/// The sum of the absolute values, which is what peers compare of a gradient.
pub fn abs_sum(x: &[f32]) -> f64 {
    x.iter().map(|v| f64::from(v.abs())).sum()
}
