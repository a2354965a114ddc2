//! Nodes: the structure of a recorded program, without its data.

use std::hash::{Hash, Hasher};

use lossgraph_tensor::{DType, Shape};
use smallvec::SmallVec;

use crate::op::Op;

/// The number of a node on its tape.
pub(crate) type Id = u32;

/// The inputs of a node.
pub(crate) type Inputs = SmallVec<[Id; 3]>;

/// One recorded operation. Two programs with equal nodes run by the same plan.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(crate) struct Node {
    pub op: Op,
    pub inputs: Inputs,
    pub shape: Shape,
    pub dtype: DType,
}

impl Node {
    /// Continues `seed`, the hash of all nodes before, with this one.
    pub fn hash_after(&self, seed: u64) -> u64 {
        let mut mix = Mix(seed);
        self.hash(&mut mix);
        mix.0
    }
}

/// A quick hash for keys that are compared in full on a hit: rotate, xor, multiply (as rustc's).
pub(crate) struct Mix(pub u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, x: u8) {
        self.write_u64(x.into());
    }

    fn write_u32(&mut self, x: u32) {
        self.write_u64(x.into());
    }

    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0.rotate_left(5) ^ x).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }

    fn write_isize(&mut self, x: isize) {
        self.write_u64(x as u64);
    }
}
