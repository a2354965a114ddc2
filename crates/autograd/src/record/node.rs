//! Nodes: the structure of a recorded program, without its data.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use lossgraph_tensor::{DType, Shape};
use smallvec::SmallVec;

use crate::ops::op::{Fill, Op};

/// The number of a node on its tape.
pub(crate) type Id = u32;

/// The inputs of a node.
pub(crate) type Inputs = SmallVec<[Id; 3]>;

/// One recorded operation. Two programs with equal nodes run by the same plan.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub op: Op,
    pub inputs: Inputs,
    pub shape: Shape,
    pub dtype: DType,
}

impl Node {
    /// Continues `seed`, the hash of all nodes before, with this one; finite numbers count as one.
    #[inline]
    pub fn hash_after(&self, seed: u64) -> u64 {
        let mut hasher = FxHasher(seed);
        self.op.hash(&mut hasher);
        // One word for a node's inputs, and one for its shape: nodes are compared in full on a hit,
        // so that a collision costs time alone.
        let inputs =
            self.inputs.iter().fold(0_u64, |word, &id| word.rotate_left(24) ^ u64::from(id));
        let shape = self.shape.iter().fold(0_u64, |word, &dim| word.rotate_left(16) ^ dim as u64);
        hasher.write_u64(inputs);
        hasher.write_u64(shape.rotate_left(8) ^ self.dtype as u64);
        hasher.0
    }

    /// The number of a node that holds a finite one, once or more.
    pub fn number(&self) -> Option<f64> {
        match self.op {
            Op::Fill(Fill::Float(number)) if number.0.is_finite() && !self.shape.contains(&0) => {
                Some(number.0)
            }
            _ => None,
        }
    }

    /// Whether another node would be equal if it held the same number.
    pub fn is_equal_but_for_its_number(&self, other: &Node) -> bool {
        self.number().is_some()
            && other.number().is_some()
            && self.shape == other.shape
            && self.dtype == other.dtype
    }
}

impl PartialEq for Node {
    #[inline]
    fn eq(&self, other: &Node) -> bool {
        // Inputs are a word or two: quicker compared here than by the library of C.
        self.inputs.len() == other.inputs.len()
            && self.inputs.iter().zip(&other.inputs).all(|(a, b)| a == b)
            && self.op == other.op
            && self.shape == other.shape
            && self.dtype == other.dtype
    }
}

/// That of rustc's hash: 2⁶⁴ / π, odd.
const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;

/// A quick hash for keys that are compared in full on a hit: rotate, xor, multiply (as rustc's).
#[derive(Default)]
pub(crate) struct FxHasher(pub u64);

/// Tables by numbers, such as those of nodes.
pub(crate) type FxHashMap<K, V> = HashMap<K, V, BuildHasherDefault<FxHasher>>;
pub(crate) type FxHashSet<K> = HashSet<K, BuildHasherDefault<FxHasher>>;

impl Hasher for FxHasher {
    /// Mixed once more, the high bits first: a multiplication carries upwards alone, and a table takes
    /// its places from the low bits.
    fn finish(&self) -> u64 {
        (self.0 ^ (self.0 >> 32)).wrapping_mul(MULTIPLIER).rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u8(&mut self, x: u8) {
        self.write_u64(x.into());
    }

    #[inline]
    fn write_u32(&mut self, x: u32) {
        self.write_u64(x.into());
    }

    #[inline]
    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0.rotate_left(5) ^ x).wrapping_mul(MULTIPLIER);
    }

    #[inline]
    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }

    #[inline]
    fn write_isize(&mut self, x: isize) {
        self.write_u64(x as u64);
    }
}
