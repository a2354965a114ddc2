//! The registers of nodes, and the places of numbers in the frame.

use super::super::assembler::{Address, Length, Source, Vector};
use super::super::graph::{Node, NodeId};
use super::{Codegen, FRAME, Key, frame};

impl Codegen<'_> {
    /// The key of a node in the row that code is written for.
    pub(super) fn key(&self, id: NodeId) -> Key {
        (id, if self.varies[id as usize] { self.row } else { 0 })
    }

    pub(super) fn vector(&self, id: NodeId) -> Option<Vector> {
        self.vectors.get(&self.key(id)).copied()
    }

    pub(super) fn set_vector(&mut self, id: NodeId, vector: Vector) {
        self.vectors.insert(self.key(id), vector);
    }

    /// The place of a number in the frame.
    pub(super) fn number(&mut self, id: NodeId) -> Address {
        let next = self.numbers.len();
        let at = *self.numbers.entry(self.key(id)).or_insert(next);
        if let (Node::Constant(bits), true) = (self.node(id), at == next) {
            self.constants.push((at, *bits));
        }
        Address::at(FRAME, (8 * frame::WORDS + 4 * at) as i32)
    }

    pub(super) fn take_vector(&mut self) -> Option<Vector> {
        self.free_vectors.pop()
    }

    pub(super) fn take_vector_but(&mut self, other: Vector) -> Option<Vector> {
        let at = self.free_vectors.iter().rposition(|&free| free != other)?;
        Some(self.free_vectors.remove(at))
    }

    /// Takes a register, if it is free.
    pub(super) fn claim(&mut self, vector: Vector) -> bool {
        let at = self.free_vectors.iter().rposition(|&free| free == vector);
        at.map(|at| self.free_vectors.remove(at)).is_some()
    }

    pub(super) fn free_vector(&mut self, x: NodeId) {
        self.free_vectors.extend(self.vectors.remove(&self.key(x)));
    }

    /// A node was read, perhaps for the last time: then its register is free again.
    pub(super) fn release(&mut self, x: NodeId) {
        let Some(uses) = self.uses.get_mut(&x) else { return };
        *uses -= 1;
        if *uses == 0 {
            self.free_vector(x);
            self.free_masks.extend(self.masks.remove(&self.key(x)));
        }
    }

    /// A node as the last operand of an instruction.
    pub(super) fn source(&mut self, x: NodeId) -> Source {
        match self.vector(x) {
            Some(vector) => Source::Vector(vector),
            None => Source::Broadcast(self.number(x)),
        }
    }

    /// A node in a register: its own, or one for this instruction.
    pub(super) fn in_vector(
        &mut self,
        x: NodeId,
        length: Length,
        lent: &mut Vec<Vector>,
    ) -> Option<Vector> {
        match self.source(x) {
            Source::Vector(vector) => Some(vector),
            Source::Memory(at) | Source::Broadcast(at) => {
                let vector = self.take_vector()?;
                self.assembler.broadcast(length, vector, at);
                lent.push(vector);
                Some(vector)
            }
        }
    }
}
