//! Random directions in which a program is moved.

use crate::steps::root_mean_square;

/// Directions in the space of an input: each element goes one way or the other, by something
/// between half a step and a whole one, so that two errors do not cancel in every direction.
pub(crate) struct Directions {
    scale: f64,
    len: usize,
    state: u64,
}

impl Directions {
    /// Directions for an input. A step is in units of its size: the root of its mean square.
    pub fn new(x: &[f64], seed: u64) -> Directions {
        let size = root_mean_square(x);
        let scale = if size > 0.0 && size.is_finite() { size.clamp(1e-3, 1e3) } else { 1.0 };
        Directions { scale, len: x.len(), state: seed }
    }

    /// Directions of so many elements, in steps of 1.
    pub fn unit(len: usize, seed: u64) -> Directions {
        Directions { scale: 1.0, len, state: seed }
    }

    /// The length of a step.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    pub fn next(&mut self) -> Vec<f64> {
        let mut direction = Vec::new();
        self.append(&mut direction);
        direction
    }

    /// Appends the next direction to those of other inputs.
    pub fn append(&mut self, direction: &mut Vec<f64>) {
        direction.extend((0..self.len).map(|_| self.element()));
    }

    /// SplitMix64: a check needs no better generator, and no crate for it.
    fn element(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        let size = 0.5 + 0.5 * ((x >> 11) as f64 / (1_u64 << 53) as f64);
        // The sign without a branch, which would be mispredicted half of the time.
        self.scale * f64::from_bits(size.to_bits() | (x & 1) << 63)
    }
}
