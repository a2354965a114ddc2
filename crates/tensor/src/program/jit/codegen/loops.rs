//! The loops of a pass over a row, or over a pair of rows.

use super::super::assembler::Condition::{Below, NotBelow};
use super::super::assembler::{Address, Label, Lanes, Length, Vector};
use super::super::graph::{Node, NodeId};
use super::super::schedule::{Pass, Step};
use super::{
    Buffer, COLUMN, Codegen, Key, NEXT_COLUMN, POINTERS, REST, ROW, Rows, SLOTS, UNROLLED,
    VECTOR_BYTES, frame, word,
};
use crate::kernels::ReduceOp;
use crate::kernels::reduce::identity;

/// An accumulator of a loop.
struct Accumulator {
    op: ReduceOp,
    of: NodeId,
    result: NodeId,
    /// The lanes of each row.
    lanes: Vec<Vector>,
    /// The first two vectors of an iteration, combined, and the last two.
    halves: [Vector; 2],
}

/// What of a row a vector is: one of four, one by itself, or what is left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Block(i32),
    Vector,
    Rest,
}

impl Part {
    fn loaded(self) -> Lanes {
        if self == Part::Rest { Lanes::Zeroed(REST) } else { Lanes::All }
    }

    fn stored(self) -> Lanes {
        if self == Part::Rest { Lanes::Merged(REST) } else { Lanes::All }
    }
}

impl Codegen<'_> {
    pub(super) fn pass(&mut self, pass: &Pass) -> Option<()> {
        self.point(pass)?;
        let accumulators = self.accumulators(pass)?;
        let mut kept = vec![];
        for row in 0..self.together {
            self.row = row;
            kept.extend(self.keep_numbers(pass)?);
        }
        self.assembler.clear(COLUMN);
        if self.together > 1 {
            self.assembler.load_general(NEXT_COLUMN, word(frame::ROW_BYTES));
        }
        match self.chunk.filter(|_| !accumulators.is_empty()) {
            Some(chunk) => self.chunks(pass, &accumulators, chunk)?,
            None => {
                accumulators.iter().for_each(|accumulator| self.clear(accumulator));
                self.blocks(pass, &accumulators, word(frame::BLOCK_END))?;
                self.rest(pass, &accumulators)?;
                self.finish(&accumulators, false)?;
            }
        }
        for Accumulator { lanes, halves, .. } in accumulators {
            self.free_vectors.extend(halves.into_iter().chain(lanes));
        }
        for key in kept {
            self.free_vectors.extend(self.vectors.remove(&key));
        }
        self.free_masks.extend(self.masks.drain().map(|(_, mask)| mask));
        debug_assert!(self.vectors.is_empty());
        Some(())
    }

    fn accumulators(&mut self, pass: &Pass) -> Option<Vec<Accumulator>> {
        let mut accumulators = vec![];
        for &result in &pass.reductions {
            let Node::Reduce(op, of) = *self.node(result) else { continue };
            let halves = [self.take_vector()?, self.take_vector()?];
            let lanes = (0..self.together).map(|_| self.take_vector()).collect::<Option<_>>()?;
            accumulators.push(Accumulator { op, of, result, lanes, halves });
        }
        Some(accumulators)
    }

    /// The loops over a wide row, chunk by chunk as the interpreter goes over it: a chunk's reduction is
    /// combined with that of the chunks before.
    fn chunks(&mut self, pass: &Pass, accumulators: &[Accumulator], chunk: i32) -> Option<()> {
        for accumulator in accumulators {
            self.clear(accumulator);
            let number = self.number(accumulator.result);
            self.assembler.store_one(accumulator.lanes[0], number);
        }
        let (mut next, mut ends, mut over) = (Label::default(), Label::default(), Label::default());
        self.assembler.place(&mut next);
        accumulators.iter().for_each(|accumulator| self.clear(accumulator));
        let (limit, end) = (POINTERS[0], word(frame::CHUNK_END));
        // Its pointer is needed again.
        self.assembler.push(limit);
        self.assembler.clear(limit);
        self.assembler.add(limit, COLUMN);
        self.assembler.add_constant(limit, chunk);
        self.assembler.compare_memory(limit, word(frame::BLOCK_END));
        self.assembler.jump(&mut ends, Below);
        self.assembler.load_general(limit, word(frame::BLOCK_END));
        self.assembler.place(&mut ends);
        self.assembler.store_general(limit, end);
        self.assembler.pop(limit);
        self.blocks(pass, accumulators, end)?;
        self.assembler.compare_memory(COLUMN, word(frame::BLOCK_END));
        self.assembler.jump(&mut over, Below);
        self.rest(pass, accumulators)?;
        self.assembler.place(&mut over);
        self.finish(accumulators, true)?;
        self.assembler.compare_memory(COLUMN, word(frame::BLOCK_END));
        self.assembler.jump(&mut next, Below);
        Some(())
    }

    /// The main loop, up to an end.
    fn blocks(&mut self, pass: &Pass, accumulators: &[Accumulator], end: Address) -> Option<()> {
        let (mut blocks, mut over) = (Label::default(), Label::default());
        self.assembler.compare_memory(COLUMN, end);
        self.assembler.jump(&mut over, NotBelow);
        self.assembler.place(&mut blocks);
        for row in 0..self.together {
            self.row = row;
            for nth in 0..UNROLLED {
                self.body(pass, accumulators, Part::Block(nth))?;
            }
        }
        self.advance(UNROLLED * VECTOR_BYTES);
        self.assembler.compare_memory(COLUMN, end);
        self.assembler.jump(&mut blocks, Below);
        self.assembler.place(&mut over);
        Some(())
    }

    /// What of a row is left: whole vectors, and less than one.
    fn rest(&mut self, pass: &Pass, accumulators: &[Accumulator]) -> Option<()> {
        let (mut vectors, mut last, mut over) =
            (Label::default(), Label::default(), Label::default());
        self.assembler.compare_memory(COLUMN, word(frame::VECTOR_END));
        self.assembler.jump(&mut last, NotBelow);
        self.assembler.place(&mut vectors);
        for row in 0..self.together {
            self.row = row;
            self.body(pass, accumulators, Part::Vector)?;
        }
        self.advance(VECTOR_BYTES);
        self.assembler.compare_memory(COLUMN, word(frame::VECTOR_END));
        self.assembler.jump(&mut vectors, Below);
        self.assembler.place(&mut last);
        self.assembler.compare_memory(COLUMN, word(frame::ROW_BYTES));
        self.assembler.jump(&mut over, NotBelow);
        for row in 0..self.together {
            self.row = row;
            self.body(pass, accumulators, Part::Rest)?;
        }
        self.assembler.place(&mut over);
        Some(())
    }

    /// Reduces the lanes, and combines the results with what is there of chunks before.
    fn finish(&mut self, accumulators: &[Accumulator], continues: bool) -> Option<()> {
        for Accumulator { op, result, lanes, halves, .. } in accumulators {
            for (&lanes, row) in lanes.iter().zip(0..) {
                self.row = row;
                self.halve(*op, lanes, halves[0])?;
                let number = self.number(*result);
                if continues {
                    self.assembler.load_one(halves[0], number);
                    self.combine(*op, lanes, halves[0], lanes, Lanes::All)?;
                }
                self.assembler.store_one(lanes, number);
            }
        }
        Some(())
    }

    /// Goes on by so many bytes of a row.
    fn advance(&mut self, bytes: i32) {
        self.assembler.add_constant(COLUMN, bytes);
        if self.together > 1 {
            self.assembler.add_constant(NEXT_COLUMN, bytes);
        }
    }

    /// Loads the addresses of the rows that a pass reads and writes.
    fn point(&mut self, pass: &Pass) -> Option<()> {
        self.pointers.clear();
        let mut buffers: Vec<Buffer> = vec![];
        for &step in &pass.steps {
            let (Step::Compute(x) | Step::Reload(x)) = step;
            let reads =
                matches!(step, Step::Reload(_)) || matches!(self.node(x), Node::Leaf { .. });
            if reads {
                buffers.push(self.bindings.reads[&x]);
            }
        }
        for x in &pass.stores {
            buffers.extend(&self.bindings.stores[x]);
        }
        for buffer in buffers {
            self.point_to(buffer)?;
        }
        // As many as there are registers for.
        self.written_next = std::mem::take(&mut self.written_next)
            .into_iter()
            .filter(|&buffer| {
                !self.pointers.contains_key(&buffer) && self.point_to(buffer).is_some()
            })
            .collect();
        Some(())
    }

    fn point_to(&mut self, buffer: Buffer) -> Option<()> {
        if self.pointers.contains_key(&buffer) {
            return Some(());
        }
        let pointer = *POINTERS.get(self.pointers.len())?;
        self.assembler.load_general(pointer, Address::at(SLOTS, 8 * buffer.slot as i32));
        if buffer.rows == Rows::OfTile {
            self.assembler.add(pointer, ROW);
        }
        self.pointers.insert(buffer, pointer);
        Some(())
    }

    /// Keeps the numbers that a pass reads in registers, as many as fit, and their masks.
    fn keep_numbers(&mut self, pass: &Pass) -> Option<Vec<Key>> {
        let mut numbers: Vec<NodeId> = vec![];
        for step in &pass.steps {
            let Step::Compute(x) = *step else { continue };
            for &operand in self.node(x).operands() {
                if !self.graph.is_full[operand as usize] && !numbers.contains(&operand) {
                    numbers.push(operand);
                }
            }
        }
        let (masks, mut numbers): (Vec<_>, Vec<_>) = numbers
            .into_iter()
            .partition(|&x| matches!(self.graph.nodes[x as usize], Node::Compare(..)));
        for x in masks {
            let key = self.key(x);
            if !self.masks.contains_key(&key) {
                let mask = self.mask_of_numbers(x, Length::Sixteen)?;
                self.masks.insert(key, mask);
            }
        }
        numbers.truncate(self.most_kept / usize::from(self.together));
        let mut kept = vec![];
        for x in numbers {
            let key = self.key(x);
            if !self.vectors.contains_key(&key) {
                let (vector, number) = (self.take_vector()?, self.number(x));
                self.assembler.broadcast(Length::Sixteen, vector, number);
                self.vectors.insert(key, vector);
                kept.push(key);
            }
        }
        Some(kept)
    }

    /// A vector of each node, of a part of a row.
    fn body(&mut self, pass: &Pass, accumulators: &[Accumulator], part: Part) -> Option<()> {
        self.uses.clear();
        let full = |x: &&NodeId| self.graph.is_full[**x as usize];
        for step in &pass.steps {
            if let Step::Compute(x) = *step {
                for &operand in self.graph.nodes[x as usize].operands().iter().filter(full) {
                    *self.uses.entry(operand).or_default() += 1;
                }
            }
        }
        let of_reductions = accumulators.iter().map(|accumulator| accumulator.of);
        for x in of_reductions.chain(pass.stores.iter().copied()) {
            *self.uses.entry(x).or_default() += 1;
        }
        for nth in 0..self.written_next.len() {
            let at = self.at(self.written_next[nth], part);
            self.assembler.prefetch(at, true);
        }
        for step in &pass.steps {
            match *step {
                Step::Compute(x) if !matches!(self.node(x), Node::Leaf { .. }) => {
                    self.compute(x, Length::Sixteen)?;
                }
                Step::Compute(x) | Step::Reload(x) => {
                    let buffer = self.bindings.reads[&x];
                    let (vector, at) = (self.take_vector()?, self.at(buffer, part));
                    self.assembler.load(vector, at, part.loaded());
                    if pass.last_loads.contains(&x) && buffer.rows == Rows::OfTile {
                        self.prefetch(at, false);
                    }
                    self.set_vector(x, vector);
                }
            }
        }
        for Accumulator { op, of, lanes, halves: [front, back], .. } in accumulators {
            let (x, lanes) = (self.vector(*of)?, &lanes[usize::from(self.row)]);
            match part {
                Part::Block(nth @ (0 | 2)) => {
                    let half = if nth == 0 { *front } else { *back };
                    self.copy(half, x);
                }
                Part::Block(1) => self.combine(*op, *front, *front, x, Lanes::All)?,
                Part::Block(_) => {
                    self.combine(*op, *back, *back, x, Lanes::All)?;
                    self.combine(*op, *front, *front, *back, Lanes::All)?;
                    self.combine(*op, *lanes, *lanes, *front, Lanes::All)?;
                }
                Part::Vector => self.combine(*op, *lanes, *lanes, x, Lanes::All)?,
                Part::Rest => self.combine(*op, *lanes, *lanes, x, Lanes::Merged(REST))?,
            }
            self.release(*of);
        }
        // Behind all loads: a result may be written over what the pass reads.
        for x in &pass.stores {
            let vector = self.vector(*x)?;
            for &buffer in &self.bindings.stores[x] {
                let at = self.at(buffer, part);
                self.assembler.store(vector, at, part.stored());
                if self.fetches_stores && buffer.rows == Rows::OfTile {
                    self.prefetch(at, true);
                }
            }
            self.release(*x);
        }
        Some(())
    }

    /// Fetches what is at the same place of the next rows.
    fn prefetch(&mut self, at: Address, to_write: bool) {
        if self.ahead > 0 {
            let at = Address { offset: at.offset + self.ahead, ..at };
            self.assembler.prefetch(at, to_write);
        }
    }

    fn at(&self, buffer: Buffer, part: Part) -> Address {
        let offset = if let Part::Block(nth) = part { nth * VECTOR_BYTES } else { 0 };
        let next = self.row > 0 && buffer.rows != Rows::Shared;
        let index = if next { NEXT_COLUMN } else { COLUMN };
        Address { base: self.pointers[&buffer], index: Some(index), offset }
    }

    /// The identity element of a reduction in all lanes.
    fn clear(&mut self, accumulator: &Accumulator) {
        let identity = identity::<f32>(accumulator.op);
        // Every graph has the identity elements among its constants.
        let at = self.graph.nodes.iter().position(|&x| x == Node::Constant(identity.to_bits()));
        let number = self.number(at.unwrap_or(0) as NodeId);
        for &lanes in &accumulator.lanes {
            self.assembler.broadcast(Length::Sixteen, lanes, number);
        }
    }

    /// The reduction of lanes, by halves.
    fn halve(&mut self, op: ReduceOp, lanes: Vector, upper: Vector) -> Option<()> {
        for width in [8, 4, 2, 1] {
            self.assembler.upper_half(width, upper, lanes);
            self.combine(op, lanes, lanes, upper, Lanes::All)?;
        }
        Some(())
    }
}
