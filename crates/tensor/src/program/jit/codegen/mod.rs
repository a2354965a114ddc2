//! Code generation: the loops of a kernel in machine code, with the registers of vectors and masks.
//!
//! A kernel goes over the rows of a tile, two at a time: what one waits for, the halving of a sum and the
//! numbers that follow from it, the other one fills. Over its rows, it goes as often as it has passes. The
//! main loop of a pass has four vectors an iteration, then come single ones, then one with a mask for what is left.
//! So a sum adds up in the order of [`sums`](crate::kernels::loops::sums), and has the same bits.

mod loops;
mod registers;
mod select;

use std::collections::HashMap;

use super::assembler::{Address, Assembler, Condition, Gpr, Label, Length, Mask, Vector};
use super::graph::{Graph, Node, NodeId};
use super::schedule::{Pass, Schedule};
use crate::program::code::SlotId;

/// How many columns rows have at most that are worked on in pairs.
const SHORT_ROW: usize = 512;

/// How many columns rows have at most of which several stay in the L1 cache: what a pass stores to is fetched
/// while the one before it computes.
const CACHED_ROW: usize = 2048;

/// Vectors of an iteration of the main loop, and the bytes of one.
const UNROLLED: i32 = 4;
const VECTOR_BYTES: i32 = 64;

/// What a kernel is called with: a list of words, and numbers behind them.
pub(super) mod frame {
    /// The addresses of slots, the bytes of a number for each row, and of a row.
    pub const SLOTS: usize = 0;
    pub const ROWS: usize = 1;
    pub const ROW_BYTES: usize = 2;
    /// Where in a row the main loop ends, and the loop of single vectors, in bytes.
    pub const BLOCK_END: usize = 3;
    pub const VECTOR_END: usize = 4;
    /// The lanes of what is left of a row.
    pub const MASK: usize = 5;
    /// The bytes of a number for each row that has a partner.
    pub const PAIRS: usize = 6;
    /// How many columns there are, for indices.
    pub const COLUMNS: usize = 7;
    /// The addresses of the indices of the tile's rows.
    pub const INDICES: usize = 8;
    pub const MOST_INDICES: usize = 2;
    /// Where the main loop ends in a chunk of a wide row.
    pub const CHUNK_END: usize = INDICES + MOST_INDICES;
    /// How many words there are before the numbers.
    pub const WORDS: usize = CHUNK_END + 1;
}

/// The register of the frame, of its list of slots, and of the offsets of a row, of a number of the row,
/// of a column, and of that column in the next row.
const FRAME: Gpr = Gpr::Rdi;
const SLOTS: Gpr = Gpr::Rsi;
const ROW: Gpr = Gpr::Rdx;
const NUMBER: Gpr = Gpr::Rcx;
const COLUMN: Gpr = Gpr::Rax;
const NEXT_COLUMN: Gpr = Gpr::R15;

/// Those of the rows that a pass reads and writes, and those of all of these that belong to the caller.
const POINTERS: [Gpr; 9] =
    [Gpr::R8, Gpr::R9, Gpr::R10, Gpr::R11, Gpr::Rbx, Gpr::Rbp, Gpr::R12, Gpr::R13, Gpr::R14];
const SAVED: [Gpr; 6] = [Gpr::Rbx, Gpr::Rbp, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15];

/// The mask of what is left of a row.
const REST: Mask = 7;

fn word(at: usize) -> Address {
    Address::at(FRAME, 8 * at as i32)
}

/// A slot as a kernel reads or writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::program) struct Buffer {
    pub slot: SlotId,
    pub rows: Rows,
}

/// Whose rows a slot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::program) enum Rows {
    /// One for each row of the tile.
    OfTile,
    /// One for all of them.
    Shared,
    /// One for each of the rows that a kernel works on together.
    OfPair,
}

/// What nodes are bound to.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// Where the leaves are, and what later passes reload.
    pub reads: HashMap<NodeId, Buffer>,
    /// Where a node is stored, an element for each column, or a number for each row.
    pub stores: HashMap<NodeId, Vec<Buffer>>,
    /// Leaves with one number for each row; other numbers are the same for all.
    pub of_rows: Vec<NodeId>,
}

/// The code of a kernel, and the numbers behind the words of its frame.
pub(super) struct Generated {
    pub code: Vec<u8>,
    /// By their bits, which may be those of a mask.
    pub constants: Vec<(usize, u32)>,
    pub numbers: usize,
}

/// The code of a kernel; `None` if it takes more registers than there are.
pub(super) fn generate(
    graph: &Graph,
    schedule: &Schedule,
    bindings: &Bindings,
    columns: usize,
    chunk: Option<usize>,
) -> Option<Generated> {
    // Rows go together where one waits for its reductions, and the next ones are fetched meanwhile, unless
    // the L1 cache is too small for it. Numbers stay in registers during a loop, if they fit.
    let loops = schedule.passes.iter().filter(|pass| !pass.steps.is_empty()).count();
    let is_short = columns <= SHORT_ROW;
    let together = if loops > 2 && is_short { &[2, 1][..] } else { &[1] };
    let most = |&together| [20, 12, 6, 0].map(|most| (together, most));
    together.iter().flat_map(most).find_map(|(together, most)| {
        let mut codegen = Codegen::new(graph, bindings, most);
        codegen.chunk = chunk.map(|columns| 4 * columns as i32);
        codegen.fetches_stores = columns > CACHED_ROW;
        codegen.row_bytes = if loops > 1 { 4 * columns as i32 } else { 0 };
        codegen.kernel(schedule, together)?;
        let Codegen { assembler, constants, numbers, .. } = codegen;
        Some(Generated { code: assembler.code, constants, numbers: numbers.len() })
    })
}

struct Codegen<'a> {
    graph: &'a Graph,
    bindings: &'a Bindings,
    /// How many numbers stay in registers during a loop.
    most_kept: usize,
    /// Whether a node differs from row to row, and the row of a pair that code is written for.
    varies: Vec<bool>,
    row: u8,
    /// How many rows code is written for together, and how many bytes of a wide row are a chunk.
    together: u8,
    chunk: Option<i32>,
    /// The bytes of a row, and how far ahead the next rows are, to be fetched while these are computed.
    row_bytes: i32,
    ahead: i32,
    /// Whether the next rows that are stored to are fetched as well, where rows are long.
    fetches_stores: bool,
    /// What the next pass stores to, if not: fetched while this one computes.
    written_next: Vec<Buffer>,
    assembler: Assembler,
    /// The place of each number in the frame.
    numbers: HashMap<Key, usize>,
    constants: Vec<(usize, u32)>,
    free_vectors: Vec<Vector>,
    free_masks: Vec<Mask>,
    /// The registers of nodes, and how often each is still read.
    vectors: HashMap<Key, Vector>,
    masks: HashMap<Key, Mask>,
    uses: HashMap<NodeId, usize>,
    pointers: HashMap<Buffer, Gpr>,
    /// Where the kernel goes with an index that is no column.
    out_of_range: Label,
}

/// A node, in a row of a pair if it differs.
type Key = (NodeId, u8);

impl<'a> Codegen<'a> {
    fn new(graph: &'a Graph, bindings: &'a Bindings, most_kept: usize) -> Codegen<'a> {
        let mut varies = vec![];
        for (at, node) in graph.nodes.iter().enumerate() {
            varies.push(match node {
                Node::Leaf { .. } => {
                    bindings.of_rows.contains(&(at as NodeId)) || graph.is_full[at]
                }
                Node::Reduce(..) | Node::Gather(..) => true,
                _ => graph.is_full[at] || node.operands().iter().any(|&x| varies[x as usize]),
            });
        }
        Codegen {
            graph,
            bindings,
            most_kept,
            varies,
            row: 0,
            together: 1,
            chunk: None,
            row_bytes: 0,
            ahead: 0,
            fetches_stores: false,
            written_next: vec![],
            assembler: Assembler::default(),
            numbers: HashMap::new(),
            constants: vec![],
            // The last one is taken first.
            free_vectors: (0..32).rev().collect(),
            free_masks: (1..REST).rev().collect(),
            vectors: HashMap::new(),
            masks: HashMap::new(),
            uses: HashMap::new(),
            pointers: HashMap::new(),
            out_of_range: Label::default(),
        }
    }

    fn node(&self, id: NodeId) -> &'a Node {
        &self.graph.nodes[id as usize]
    }

    fn kernel(&mut self, schedule: &Schedule, together: u8) -> Option<()> {
        for register in SAVED {
            self.assembler.push(register);
        }
        self.assembler.load_general(SLOTS, word(frame::SLOTS));
        self.assembler.load_mask(REST, word(frame::MASK));
        self.assembler.clear(ROW);
        self.assembler.clear(NUMBER);
        let mut leaves: Vec<NodeId> = self.bindings.reads.keys().copied().collect();
        leaves.retain(|&x| {
            !self.graph.is_full[x as usize] && matches!(self.node(x), Node::Leaf { .. })
        });
        leaves.sort_unstable();
        let (of_rows, of_all): (Vec<_>, Vec<_>) =
            leaves.into_iter().partition(|&x| self.varies[x as usize]);
        for x in of_all {
            self.load_number(x, None);
        }
        if together > 1 {
            self.rows(schedule, &of_rows, together, frame::PAIRS)?;
        }
        self.rows(schedule, &of_rows, 1, frame::ROWS)?;
        self.assembler.clear(Gpr::Rax);
        let mut end = Label::default();
        self.assembler.place(&mut end);
        for &register in SAVED.iter().rev() {
            self.assembler.pop(register);
        }
        self.assembler.leave();
        self.assembler.place(&mut self.out_of_range);
        self.assembler.clear(Gpr::Rax);
        self.assembler.add_constant(Gpr::Rax, 1);
        // A sum that carries nothing is not below.
        self.assembler.jump(&mut end, Condition::NotBelow);
        Some(())
    }

    /// The loop over rows, so many together, until the word at `end` says that it is over.
    fn rows(
        &mut self,
        schedule: &Schedule,
        leaves: &[NodeId],
        together: u8,
        end: usize,
    ) -> Option<()> {
        let (mut rows, mut over) = (Label::default(), Label::default());
        self.together = together;
        self.ahead = self.row_bytes * i32::from(together);
        self.assembler.compare_memory(NUMBER, word(end));
        self.assembler.jump(&mut over, Condition::NotBelow);
        self.assembler.place(&mut rows);
        for row in 0..together {
            self.row = row;
            for &x in leaves {
                self.load_number(x, Some(NUMBER));
            }
        }
        for (at, pass) in schedule.passes.iter().enumerate() {
            for row in 0..together {
                self.row = row;
                self.compute_numbers(&pass.numbers)?;
                self.store_numbers(schedule, at as u32);
            }
            if !pass.steps.is_empty() {
                self.written_next = self.written_after(&schedule.passes[at + 1..]);
                self.pass(pass)?;
            }
        }
        for _ in 0..together {
            self.assembler.add_memory(ROW, word(frame::ROW_BYTES));
        }
        self.assembler.add_constant(NUMBER, 4 * i32::from(together));
        self.assembler.compare_memory(NUMBER, word(end));
        self.assembler.jump(&mut rows, Condition::Below);
        self.assembler.place(&mut over);
        Some(())
    }

    /// The rows that the first of these passes stores to, if they are fetched before.
    fn written_after(&self, passes: &[Pass]) -> Vec<Buffer> {
        let next = passes.iter().find(|pass| !pass.steps.is_empty());
        let stores = next.iter().flat_map(|pass| &pass.stores);
        let buffers = stores.flat_map(|x| &self.bindings.stores[x]).copied();
        let is_fetched = |buffer: &Buffer| !self.fetches_stores && buffer.rows == Rows::OfTile;
        buffers.filter(is_fetched).collect()
    }

    /// Loads a leaf into its place in the frame.
    fn load_number(&mut self, x: NodeId, index: Option<Gpr>) {
        let (pointer, slot) = (POINTERS[0], self.bindings.reads[&x].slot);
        self.assembler.load_general(pointer, Address::at(SLOTS, 8 * slot as i32));
        let offset = if index.is_some() { 4 * i32::from(self.row) } else { 0 };
        self.assembler.load_one(0, Address { base: pointer, index, offset });
        let number = self.number(x);
        self.assembler.store_one(0, number);
    }

    /// Stores the results that are known before a pass, a number for this row.
    fn store_numbers(&mut self, schedule: &Schedule, level: u32) {
        let mut results: Vec<NodeId> = self.bindings.stores.keys().copied().collect();
        results.retain(|&x| !self.graph.is_full[x as usize] && schedule.level[x as usize] == level);
        results.sort_unstable();
        for x in results {
            let number = self.number(x);
            self.assembler.load_one(0, number);
            for buffer in &self.bindings.stores[&x] {
                let pointer = POINTERS[0];
                self.assembler.load_general(pointer, Address::at(SLOTS, 8 * buffer.slot as i32));
                let offset = 4 * i32::from(self.row);
                let at = Address { base: pointer, index: Some(NUMBER), offset };
                self.assembler.store_one(0, at);
            }
        }
    }

    /// Computes numbers of the row.
    fn compute_numbers(&mut self, numbers: &[NodeId]) -> Option<()> {
        let is_mask = |x: NodeId| matches!(self.graph.nodes[x as usize], Node::Compare(..));
        self.uses.clear();
        for &x in numbers.iter().filter(|&&x| !is_mask(x)) {
            for &operand in self.node(x).operands() {
                *self.uses.entry(operand).or_default() += 1;
            }
        }
        for &x in numbers.iter().filter(|&&x| !is_mask(x)) {
            self.compute(x, Length::Four)?;
            let (vector, number) = (self.vector(x)?, self.number(x));
            self.assembler.store_one(vector, number);
            if !self.uses.contains_key(&x) {
                self.free_vector(x);
            }
        }
        debug_assert!(self.vectors.is_empty() && self.masks.is_empty());
        Some(())
    }
}
