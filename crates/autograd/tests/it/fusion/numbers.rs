//! The numbers that random programs begin with, and the weights of what they give.

use std::cell::RefCell;
use std::collections::HashMap;

use lossgraph_tensor::DType;

/// Numbers with which products overflow and underflow, zeros of both signs, infinities and NaN.
pub const EXTREMES: [[f64; 14]; 2] = [
    [
        1.0,
        -1.0,
        2.5,
        0.0,
        -0.0,
        1e38,
        -1e38,
        1e-40,
        -3e-40,
        1e-20,
        3e19,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ],
    [
        1.0,
        -1.0,
        2.5,
        0.0,
        -0.0,
        1e308,
        -1e308,
        1e-310,
        -3e-310,
        1e-160,
        3e150,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ],
];

/// Some numbers of [`EXTREMES`]: few a seed, so that not every sum meets a NaN.
pub fn extremes(seed: u64, dtype: DType, len: usize) -> Vec<f64> {
    let all = EXTREMES[usize::from(dtype == DType::F64)];
    // SplitMix64 (Steele, Lea and Flood 2014).
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize
    };
    let some: Vec<f64> = (0..1 + next() % 4).map(|_| all[next() % all.len()]).collect();
    (0..len)
        .map(|_| if next() % 3 == 0 { all[next() % 3] } else { some[next() % some.len()] })
        .collect()
}

/// The first numbers of a sequence for each `seed`, between −1.7 and 1.7.
pub fn moderate(seed: f64, len: usize) -> Vec<f64> {
    remembered(seed * 1.9 + 0.4, len, |i, phase| (i as f64 * 0.73 + phase).sin() * 1.7)
}

/// The first weights of a sequence for each `k`.
pub fn cosines(k: f64, len: usize) -> Vec<f64> {
    remembered(k, len, |i, k| (i as f64 * 1.1 + k).cos())
}

/// The first numbers of a sequence, each of which is computed once a thread: all programs begin with the
/// same ones.
fn remembered(phase: f64, len: usize, at: fn(usize, f64) -> f64) -> Vec<f64> {
    thread_local! {
        static SEQUENCES: RefCell<HashMap<(u64, usize), Vec<f64>>> = RefCell::default();
    }
    SEQUENCES.with_borrow_mut(|sequences| {
        let sequence = sequences.entry((phase.to_bits(), at as usize)).or_default();
        sequence.extend((sequence.len()..len).map(|i| at(i, phase)));
        sequence[..len].to_vec()
    })
}
