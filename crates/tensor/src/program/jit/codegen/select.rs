//! Instruction selection: the instructions of a node, on vectors or on four lanes that hold a number.

use super::super::assembler::{self as asm, Address, Condition, Lanes, Length, Mask, Opcode};
use super::super::assembler::{Source, Vector};
use super::super::graph::{Binary, Compare, Node, NodeId, Unary};
use super::{Codegen, NUMBER, POINTERS, ROW, SLOTS, frame, word};
use crate::kernels::ReduceOp;

impl Codegen<'_> {
    /// Computes a node that is no leaf and no reduction.
    pub(super) fn compute(&mut self, id: NodeId, length: Length) -> Option<()> {
        let mut lent = vec![];
        let all = Lanes::All;
        match *self.node(id) {
            Node::Constant(_) | Node::Leaf { .. } | Node::Reduce(..) => {
                unreachable!("they are loaded, or accumulated")
            }
            Node::Gather(x, index) => {
                let out = self.take_vector()?;
                self.gather(out, x, index);
                self.set_vector(id, out);
            }
            Node::Broadcast(x) => {
                let out = self.take_vector()?;
                match self.source(x) {
                    Source::Vector(x) => self.copy(out, x),
                    Source::Memory(at) | Source::Broadcast(at) => {
                        self.assembler.broadcast(length, out, at);
                    }
                }
                self.set_vector(id, out);
            }
            Node::Unary(op, x) => {
                let source = Source::Vector(self.in_vector(x, length, &mut lent)?);
                self.release(x);
                let out = self.take_vector()?;
                match op {
                    Unary::Sqrt => {
                        self.assembler.vector(asm::SQRT, length, out, None, source, all);
                    }
                    Unary::Round(mode) => {
                        self.assembler.vector(asm::ROUND, length, out, None, source, all);
                        // Without an exception where the result is not exact.
                        self.assembler.code.push(8 | mode as u8);
                    }
                    Unary::ShiftLeft(by) => self.shift(asm::SHIFT_LEFT, length, out, source, by),
                    Unary::ShiftSign(by) => self.shift(asm::SHIFT_SIGN, length, out, source, by),
                }
                self.set_vector(id, out);
            }
            Node::Binary(op, [a, b]) => {
                let (opcode, commutes) = opcode(op);
                let in_memory = |this: &Self, x: NodeId| this.vector(x).is_none();
                let (first, second) = match commutes && in_memory(self, a) && !in_memory(self, b) {
                    true => (b, a),
                    false => (a, b),
                };
                let source = self.source(second);
                let first = self.in_vector(first, length, &mut lent)?;
                self.release(a);
                self.release(b);
                let out = self.take_vector()?;
                self.assembler.vector(opcode, length, out, Some(first), source, all);
                self.set_vector(id, out);
            }
            Node::MulAdd(operands) => self.mul_add(id, operands, length, &mut lent)?,
            Node::Compare(op, [a, b]) => {
                let source = self.source(b);
                let first = self.in_vector(a, length, &mut lent)?;
                self.release(a);
                self.release(b);
                let out = self.free_masks.pop()?;
                self.assembler.compare(predicate(op), length, out, first, source);
                self.masks.insert(self.key(id), out);
            }
            Node::Select([mask, a, b]) => {
                let (which, of_numbers) = match self.masks.get(&self.key(mask)) {
                    Some(&which) => (which, false),
                    None => (self.mask_of_numbers(mask, length)?, true),
                };
                let source = self.source(a);
                let first = self.in_vector(b, length, &mut lent)?;
                if of_numbers {
                    self.free_masks.push(which);
                }
                self.release(mask);
                self.release(a);
                self.release(b);
                let (out, lanes) = (self.take_vector()?, Lanes::Merged(which));
                self.assembler.vector(asm::BLEND, length, out, Some(first), source, lanes);
                self.set_vector(id, out);
            }
        }
        self.free_vectors.extend(lent);
        Some(())
    }

    /// Gathers an element of the row of a leaf.
    fn gather(&mut self, out: Vector, x: NodeId, index: u32) {
        let [column, pointer, ..] = POINTERS;
        // An index has eight bytes, a number four.
        self.assembler.load_general(pointer, word(frame::INDICES + index as usize));
        self.assembler.add(pointer, NUMBER);
        let at = Address { base: pointer, index: Some(NUMBER), offset: 8 * i32::from(self.row) };
        self.assembler.load_general(column, at);
        self.assembler.compare_memory(column, word(frame::COLUMNS));
        self.assembler.jump(&mut self.out_of_range, Condition::NotBelow);
        for _ in 0..2 {
            self.assembler.add(column, column);
        }
        let slot = self.bindings.reads[&x].slot;
        self.assembler.load_general(pointer, Address::at(SLOTS, 8 * slot as i32));
        self.assembler.add(pointer, ROW);
        for _ in 0..self.row {
            self.assembler.add_memory(pointer, word(frame::ROW_BYTES));
        }
        self.assembler.load_one(out, Address { base: pointer, index: Some(column), offset: 0 });
    }

    /// `a · b + c`, in the register of an operand that nothing reads any more if there is one.
    fn mul_add(
        &mut self,
        id: NodeId,
        [a, b, c]: [NodeId; 3],
        length: Length,
        lent: &mut Vec<Vector>,
    ) -> Option<()> {
        // A number in memory is the first factor.
        let (a, b) = if self.vector(b).is_some() { (a, b) } else { (b, a) };
        let second = self.in_vector(b, length, lent)?;
        let [first, sum] = [a, c].map(|x| self.source(x));
        [a, b, c].into_iter().for_each(|x| self.release(x));
        let all = Lanes::All;
        let out = match (first, sum) {
            (_, Source::Vector(out)) if self.claim(out) => {
                self.assembler.vector(asm::MUL_ADD_231, length, out, Some(second), first, all);
                out
            }
            (Source::Vector(out), _) if self.claim(out) => {
                self.assembler.vector(asm::MUL_ADD_213, length, out, Some(second), sum, all);
                out
            }
            (Source::Vector(first), _) if self.claim(second) => {
                self.assembler.vector(asm::MUL_ADD_213, length, second, Some(first), sum, all);
                second
            }
            (first, sum) => {
                // None of the operands' registers is free, unless it is the second factor's.
                let out = self.take_vector_but(second)?;
                match first {
                    Source::Vector(first) => self.copy(out, first),
                    Source::Memory(at) | Source::Broadcast(at) => {
                        self.assembler.broadcast(length, out, at);
                    }
                }
                self.assembler.vector(asm::MUL_ADD_213, length, out, Some(second), sum, all);
                out
            }
        };
        self.set_vector(id, out);
        Some(())
    }

    /// The mask of numbers that are in the frame.
    pub(super) fn mask_of_numbers(&mut self, x: NodeId, length: Length) -> Option<Mask> {
        let Node::Compare(op, [a, b]) = *self.node(x) else { return None };
        let mut lent = vec![];
        let source = self.source(b);
        let first = self.in_vector(a, length, &mut lent)?;
        let out = self.free_masks.pop()?;
        self.assembler.compare(predicate(op), length, out, first, source);
        self.free_vectors.extend(lent);
        Some(out)
    }

    fn shift(&mut self, op: u8, length: Length, out: Vector, source: Source, by: u8) {
        // The result stands where others have their first operand.
        self.assembler.vector(asm::SHIFT, length, op, Some(out), source, Lanes::All);
        self.assembler.code.push(by);
    }

    /// `out = a ∘ b`, where ∘ is that of a reduction.
    pub(super) fn combine(
        &mut self,
        op: ReduceOp,
        out: Vector,
        a: Vector,
        b: Vector,
        lanes: Lanes,
    ) -> Option<()> {
        let length = Length::Sixteen;
        let opcode = match op {
            ReduceOp::Sum => {
                self.assembler.vector(asm::ADD, length, out, Some(a), Source::Vector(b), lanes);
                return Some(());
            }
            ReduceOp::Max => asm::MAX,
            ReduceOp::Min => asm::MIN,
        };
        // The instruction gives b where either is NaN; a stays if it is.
        let (mask, larger) = (self.free_masks.pop()?, self.take_vector()?);
        self.assembler.vector(opcode, length, larger, Some(a), Source::Vector(b), Lanes::All);
        let unordered = predicate(Compare::Unordered);
        self.assembler.compare(unordered, length, mask, a, Source::Vector(a));
        let (source, merged) = (Source::Vector(a), Lanes::Merged(mask));
        if lanes == Lanes::All {
            self.assembler.vector(asm::BLEND, length, out, Some(larger), source, merged);
        } else {
            self.assembler.vector(asm::MOVE, length, larger, None, source, merged);
            self.assembler.vector(asm::MOVE, length, out, None, Source::Vector(larger), lanes);
        }
        self.free_masks.push(mask);
        self.free_vectors.push(larger);
        Some(())
    }

    pub(super) fn copy(&mut self, out: Vector, x: Vector) {
        let source = Source::Vector(x);
        self.assembler.vector(asm::MOVE, Length::Sixteen, out, None, source, Lanes::All);
    }
}

/// The instruction of an operation, and whether its operands may be swapped.
fn opcode(op: Binary) -> (Opcode, bool) {
    match op {
        Binary::Add => (asm::ADD, true),
        Binary::Sub => (asm::SUB, false),
        Binary::Mul => (asm::MUL, true),
        Binary::Div => (asm::DIV, false),
        Binary::Greater => (asm::MAX, false),
        Binary::Less => (asm::MIN, false),
        Binary::Scale => (asm::SCALE, false),
        Binary::And => (asm::AND, true),
        Binary::Or => (asm::OR, true),
        Binary::Xor => (asm::XOR, true),
        Binary::AddInt => (asm::ADD_INT, true),
        Binary::SubInt => (asm::SUB_INT, false),
    }
}

fn predicate(op: Compare) -> u8 {
    match op {
        Compare::Equal => 0x00,
        Compare::Unordered => 0x03,
        Compare::Less => 0x11,
        Compare::LessEqual => 0x12,
    }
}
