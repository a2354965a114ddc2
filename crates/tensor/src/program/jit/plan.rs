//! Which part of a program a kernel takes.

use std::collections::HashMap;
use std::ops::Range;

use super::codegen::{self, Bindings, Buffer, frame};
use super::graph::{self, Compare, Graph, Node, NodeId};
use super::kernel::Kernel;
use super::schedule::{self, Schedule};
use super::{is_on, trace};
use crate::DType;
use crate::kernels::ReduceOp;
use crate::kernels::loops::sums::PART;
use crate::kernels::simd::{Level, level};
use crate::program::compile::strip_columns;
use crate::program::{Def, Extent, Micro, NARROW, Program, Value};

/// From how many points on a program is worth being compiled.
const LEAST_POINTS: usize = 1 << 12;

/// From how many points on a single micro-op is: what it writes is beyond the second cache, and may be
/// written over what it reads.
const LEAST_POINTS_OF_ONE: usize = 1 << 18;

/// How many definitions the program of a kernel has at most.
const MOST_DEFS: usize = 512;

/// How many columns rows have at most.
const MOST_COLUMNS: usize = 1 << 20;

/// The columns of a chunk of a row that the interpreter cuts into such.
fn chunk(columns: usize) -> Option<usize> {
    strip_columns::<f32>(columns)
}

/// Whether rows of so many columns are for kernels: neither narrow, nor added up by the interpreter in
/// parts that a kernel does not know.
fn fits(columns: usize) -> bool {
    match chunk(columns) {
        // What is left of the last block belongs to a chunk of its own, if it is all that the chunk has.
        Some(chunk) => {
            columns <= MOST_COLUMNS && (columns.is_multiple_of(chunk) || columns % chunk >= 64)
        }
        None => (NARROW..=PART).contains(&columns),
    }
}

/// A program whose definitions are in the order in which they run: what the kernel needs and can't do,
/// the kernel, and the rest.
pub(in crate::program) struct Plan {
    pub program: Program,
    pub kernel: Range<usize>,
    graph: Graph,
    schedule: Schedule,
    /// The node of each definition of the kernel and before.
    node_of: Vec<Option<NodeId>>,
    /// Whether something behind the kernel reads a definition of it, or it is an output.
    pub escapes: Vec<bool>,
}

/// When a definition runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Before,
    Kernel,
    After,
}

impl Plan {
    /// The plan of a program, if a kernel can take most of it.
    pub fn of(program: &Program) -> Option<Plan> {
        let (rows, columns) = program.space();
        // One long column, and no values of rows: otherwise a tile is no row of a kernel.
        let of_rows = |extent: &Extent| matches!(extent, Extent::Rows | Extent::Columns);
        let by_row = |def: &Def| {
            of_rows(&def.extent) || matches!(def.micro, Micro::Gather(..) | Micro::Scatter(..))
        };
        let flat =
            columns == 1 && !program.inputs.iter().any(of_rows) && !program.defs.iter().any(by_row);
        let fits = rows * columns >= LEAST_POINTS && (flat || fits(columns));
        let is_able = program.dtype == DType::F32 && matches!(level(), Level::Avx512);
        if !is_able || !fits || program.defs.len() > MOST_DEFS || !is_on() {
            return None;
        }
        let mut builder = Builder::new(program);
        builder.stages();
        let Builder { graph, node_of, stage, .. } = builder;
        let mut order: Vec<usize> = (0..stage.len()).collect();
        order.sort_by_key(|&at| stage[at]);
        let mut place = vec![0; order.len()];
        for (at, &from) in order.iter().enumerate() {
            place[from] = at;
        }
        let count = |wanted: Stage| stage.iter().filter(|&&stage| stage == wanted).count();
        let kernel = count(Stage::Before)..count(Stage::Before) + count(Stage::Kernel);
        let full = |stages: &[Stage]| {
            let is_full = |at: &usize| {
                stages.contains(&stage[*at])
                    && program.defs[*at].extent == Extent::Full
                    && !matches!(program.defs[*at].micro, Micro::Input(_))
            };
            (0..stage.len()).filter(is_full).count()
        };
        // What a kernel saves is what lies between two micro-ops, or another place for the result of one.
        let pays = match count(Stage::Kernel) {
            0 => false,
            1 => rows * columns >= LEAST_POINTS_OF_ONE && count(Stage::After) == 0,
            _ => true,
        };
        if !pays || full(&[Stage::Kernel]) < full(&[Stage::Before, Stage::After]) {
            return None;
        }
        let program = program.reordered(&order, |x| Value(place[x.0 as usize] as u32));
        let mut by_place = vec![None; order.len()];
        let mut leaf_at = HashMap::new();
        for (at, node) in node_of.iter().enumerate() {
            by_place[place[at]] = *node;
            leaf_at.insert(Value(at as u32), Value(place[at] as u32));
        }
        let graph = graph.renamed(|x| leaf_at[&x]);
        let mut escapes = vec![false; order.len()];
        for def in &program.defs[kernel.end..] {
            Program::operands(&def.micro).for_each(|x| escapes[x.0 as usize] = true);
        }
        program.outputs.iter().for_each(|x| escapes[x.0 as usize] = true);
        let mut results: Vec<NodeId> = kernel
            .clone()
            .filter(|&at| {
                // An index may be out of range even if nothing reads what it gathers.
                let runs =
                    matches!(program.defs[at].micro, Micro::ReduceAll(..) | Micro::Gather(..));
                escapes[at] || runs
            })
            .filter_map(|at| by_place[at])
            .collect();
        results.sort_unstable();
        results.dedup();
        let schedule = Schedule::of(&graph, &results);
        Some(Plan { program, kernel, graph, schedule, node_of: by_place, escapes })
    }

    /// What the kernel reads: values from before it, each with its node.
    pub fn leaves(&self) -> Vec<(NodeId, Value)> {
        let leaf = |(at, node): (usize, &Node)| match node {
            Node::Leaf { value, .. } if self.schedule.needed[at] => Some((at as NodeId, *value)),
            _ => None,
        };
        self.graph.nodes.iter().enumerate().filter_map(leaf).collect()
    }

    pub fn node(&self, at: usize) -> Option<NodeId> {
        self.node_of[at]
    }

    /// The nodes that a pass stores for a later one, in an array of one row.
    pub fn kept(&self, results: &HashMap<NodeId, Vec<Buffer>>) -> Vec<NodeId> {
        let stored = self.schedule.passes.iter().flat_map(|pass| &pass.stores);
        stored.copied().filter(|x| !results.contains_key(x)).collect()
    }

    /// How many passes there are.
    pub fn passes(&self) -> usize {
        self.schedule.passes.len()
    }

    /// The last pass in which a leaf is read, or before which an element of it is gathered.
    pub fn last_load(&self, leaf: NodeId) -> usize {
        let gathers = |&x: &NodeId| match self.graph.nodes[x as usize] {
            Node::Gather(x, _) => x == leaf,
            _ => false,
        };
        let loads = |pass: &schedule::Pass| {
            let in_loop = pass.steps.contains(&schedule::Step::Compute(leaf));
            in_loop || pass.numbers.iter().any(gathers)
        };
        self.schedule.passes.iter().rposition(loads).unwrap_or(0)
    }

    /// The pass that stores a node.
    pub fn store(&self, node: NodeId) -> usize {
        self.schedule.level[node as usize] as usize
    }

    /// Generates the code. `reads` are the buffers of leaves and of what is kept, `stores` those of
    /// results and of what is kept.
    pub fn generate(
        &self,
        reads: HashMap<NodeId, Buffer>,
        stores: HashMap<NodeId, Vec<Buffer>>,
    ) -> Option<Kernel> {
        let of_rows = |&(_, value): &(NodeId, Value)| self.program.extent(value) == Extent::Rows;
        let of_rows = self.leaves().into_iter().filter(of_rows).map(|(node, _)| node).collect();
        let bindings = Bindings { reads, stores, of_rows };
        let columns = self.program.space().1;
        let generated =
            codegen::generate(&self.graph, &self.schedule, &bindings, columns, chunk(columns))?;
        Kernel::new(generated)
    }
}

/// Finds out what of a program a kernel can do.
struct Builder<'a> {
    program: &'a Program,
    graph: Graph,
    node_of: Vec<Option<NodeId>>,
    stage: Vec<Stage>,
}

impl<'a> Builder<'a> {
    fn new(program: &'a Program) -> Builder<'a> {
        let count = program.defs.len();
        Builder {
            program,
            graph: Graph::new(),
            node_of: vec![None; count],
            stage: vec![Stage::Before; count],
        }
    }

    fn stages(&mut self) {
        for (at, def) in self.program.defs.iter().enumerate() {
            let latest = Program::operands(&def.micro).map(|x| self.stage[x.0 as usize]).max();
            let latest = latest.unwrap_or(Stage::Before);
            let node = match latest {
                Stage::After => None,
                _ => self.computed(def),
            };
            self.stage[at] = match node {
                Some(_) => Stage::Kernel,
                None if latest == Stage::Before => Stage::Before,
                None => Stage::After,
            };
            self.node_of[at] = node;
        }
    }

    /// The node of an operand: of what is computed before the kernel, a leaf.
    fn operand(&mut self, x: Value) -> NodeId {
        let at = x.0 as usize;
        if let Some(node) = self.node_of[at] {
            return node;
        }
        let def = &self.program.defs[at];
        let node = match def.micro {
            Micro::Constant(number) => self.graph.constant(number as f32),
            _ => {
                let full = matches!(def.extent, Extent::Full | Extent::Columns);
                self.graph.node(Node::Leaf { value: x, full })
            }
        };
        self.node_of[at] = Some(node);
        node
    }

    /// The node of a definition, if a kernel can compute it.
    fn computed(&mut self, def: &Def) -> Option<NodeId> {
        let node = match &def.micro {
            Micro::Input(_) | Micro::Constant(_) | Micro::ReduceColumns(..) => return None,
            Micro::Gather(x, row_index) if (row_index.index as usize) < frame::MOST_INDICES => {
                let x = self.operand(*x);
                let in_memory = match self.graph.nodes[x as usize] {
                    Node::Leaf { value, .. } => self.program.extent(value) == Extent::Full,
                    _ => false,
                };
                let columns = self.program.space().1;
                if !in_memory || columns == 1 {
                    return None;
                }
                return Some(self.graph.node(Node::Gather(x, row_index.index)));
            }
            Micro::Gather(..) | Micro::Scatter(..) => return None,
            _ if matches!(def.extent, Extent::Columns) => return None,
            Micro::ReduceAll(op, x) => {
                // Row by row, as the interpreter does it.
                let of_points = self.program.extent(*x) == Extent::Full;
                if *op != ReduceOp::Sum || !of_points || chunk(self.program.space().1).is_some() {
                    return None;
                }
                let x = self.operand(*x);
                let x = self.graph.full(x);
                return Some(self.graph.node(Node::Reduce(*op, x)));
            }
            _ if def.extent == Extent::One => return None,
            Micro::Map1(f, p, x) => {
                let x = self.operand(*x);
                let p = p.map(|p| self.graph.constant(p as f32));
                trace::trace(&mut self.graph, [x, p[0], p[1]], |[x, p, q]| (f.traced)(x, [p, q]))?
            }
            Micro::Map2(f, x) => {
                let x = x.map(|x| self.operand(x));
                trace::trace(&mut self.graph, x, |[a, b]| (f.traced)(a, b))?
            }
            Micro::Map3(f, x) => {
                let x = x.map(|x| self.operand(x));
                trace::trace(&mut self.graph, x, |[a, b, c]| (f.traced)(a, b, c))?
            }
            Micro::Weighted(x) => {
                let x: Vec<NodeId> = x.iter().map(|&x| self.operand(x)).collect();
                self.weighted(&x)
            }
            Micro::Broadcast(x) => self.operand(*x),
            Micro::ReduceRow(op, x) => {
                let x = self.operand(*x);
                let x = self.graph.full(x);
                return Some(self.graph.node(Node::Reduce(*op, x)));
            }
        };
        let full = def.extent == Extent::Full;
        Some(if full { self.graph.full(node) } else { node })
    }

    /// What the interpreter's `weighted` and its kin compute.
    fn weighted(&mut self, x: &[NodeId]) -> NodeId {
        let graph = &mut self.graph;
        let zero = graph.constant(0.0);
        let mut product = |a: NodeId, s: NodeId, mask: Option<NodeId>| {
            let product = graph.binary(graph::Binary::Mul, a, s);
            let Some(mask) = mask else { return product };
            let unset = graph.node(Node::Compare(Compare::Equal, [mask, zero]));
            graph.node(Node::Select([unset, zero, product]))
        };
        let (a, b) = match *x {
            [a, s, m] => return product(a, s, Some(m)),
            [a, s, b, t] => (product(a, s, None), product(b, t, None)),
            [a, s, b, t, m, n] => (product(a, s, Some(m)), product(b, t, Some(n))),
            _ => unreachable!("products have three, four or six operands"),
        };
        graph.binary(graph::Binary::Add, a, b)
    }
}
