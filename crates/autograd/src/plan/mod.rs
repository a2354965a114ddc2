//! The plan: what has to be computed for a request, in which passes, into which buffers.
//!
//! Made on a miss of the cache, in one direction:
//!
//! 1. [`rewrite`]: the program is copied and simplified;
//! 2. [`space`], [`analysis`]: which nodes fuse, over which iteration domains;
//! 3. [`fusion`]: nodes are parted into fusion groups and standalone steps;
//! 4. [`lower`], [`peephole`]: groups become programs of micro-ops and superinstructions;
//! 5. [`schedule`]: a list schedule that frees memory early;
//! 6. [`products`]: matrix products that only one kernel reads are fused into it;
//! 7. [`buffers`]: values get slots and buffers.

mod analysis;
mod buffers;
mod fusion;
mod lower;
mod peephole;
mod products;
mod rewrite;
mod schedule;
mod space;

use std::collections::HashSet;
use std::fmt;

use lossgraph_tensor::program::{Executable, Program};
use lossgraph_tensor::{DType, Shape, Tensor};
use smallvec::SmallVec;

use analysis::Analysis;
use fusion::Unit;
use rewrite::Dag;

use crate::ops::op::{Fill, Op};
use crate::record::node::{Id, Node};

/// How a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fusion {
    /// Simplified and fused.
    Fused,
    /// As written, each node a step: the reference.
    Unfused,
}

/// A slot holds one value while a plan runs.
pub(crate) type Slot = u32;

/// A program made ready to run: steps in order, with their slots and buffers.
///
/// `to_string()` lists it: each kernel with what it reads, its micro-ops, and what it writes.
/// A value is one element at `each` place of the kernel's space of rows and columns, or one a
/// `row`, one a `column`, or `one` for all; `→ out0` marks what is written to memory. An output
/// `over` an input takes the memory of a value that nobody reads afterwards. A product `by rows` is
/// computed as it is read.
pub struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Leaves and known values: the node on the requesting tape, and the slot that it goes into.
    pub(crate) inputs: Vec<(Id, Slot)>,
    /// The fills, one stored element each.
    pub(crate) constants: Vec<(Slot, Tensor)>,
    /// The slots of the requested values, in the order of the request.
    pub(crate) outputs: Vec<Slot>,
    /// The slots that are read until the end: requested values, and what shares their buffers.
    pub(crate) kept: Vec<(Slot, Option<u32>)>,
    /// The sizes of the buffers that the steps share.
    pub(crate) buffers: Vec<(DType, usize)>,
    pub(crate) slots: usize,
}

/// One step of a plan.
pub(crate) struct Step {
    pub work: Work,
    pub inputs: SmallVec<[Slot; 4]>,
    /// How many of the inputs are indices, which stand behind the floats.
    pub indices: usize,
    pub outputs: SmallVec<[Output; 2]>,
    /// The slots that nobody reads after this step, each with the buffer it gives back.
    pub frees: SmallVec<[(Slot, Option<u32>); 2]>,
    /// The node on the requesting tape that an error in this step is about.
    pub origin: Id,
}

/// What a step does.
pub(crate) enum Work {
    /// One op, by its own kernel.
    Op(Op),
    /// Many, in one pass.
    Kernel(Box<Kernel>),
}

pub(crate) struct Kernel {
    pub program: Program,
    pub executable: Executable,
    /// How many values of earlier kernels it rematerializes.
    pub rematerialized: usize,
    /// The inputs that are products of matrices, computed as they are read. Instead of them
    /// stand the first factors; the second ones stand behind all other inputs of the step.
    pub products: SmallVec<[usize; 1]>,
}

/// A value that a step makes.
pub(crate) struct Output {
    pub slot: Slot,
    pub shape: Shape,
    pub dtype: DType,
    /// The buffer that it is written to; `None` for views, which need none.
    pub buffer: Option<u32>,
    /// The input of the step that is in that buffer, and is written over.
    pub over: Option<usize>,
}

/// What to plan.
pub(crate) struct PlanRequest<'a> {
    pub nodes: &'a [Node],
    /// For each node, the node on the requesting tape that an error in it is about.
    pub origins: &'a [Id],
    pub roots: &'a [Id],
    /// Nodes whose value is known already.
    pub known: &'a [Id],
    /// The float type of the program.
    pub float: DType,
}

impl PlanRequest<'_> {
    fn is_input(&self, id: Id) -> bool {
        matches!(self.nodes[id as usize].op, Op::Leaf(_)) || self.known.contains(&id)
    }

    /// How many nodes that are needed read each node; being requested counts as well.
    fn readers(&self) -> Vec<u32> {
        let mut readers = vec![0; self.nodes.len()];
        for &root in self.roots {
            readers[root as usize] += 1;
        }
        for id in (0..self.nodes.len()).rev() {
            if readers[id] > 0 && !self.is_input(id as Id) {
                for &input in &self.nodes[id].inputs {
                    readers[input as usize] += 1;
                }
            }
        }
        readers
    }
}

impl Plan {
    pub(crate) fn new(request: &PlanRequest<'_>, fusion: Fusion) -> Plan {
        let dag = match fusion {
            Fusion::Fused => Dag::simplified(request),
            Fusion::Unfused => Dag::verbatim(request),
        };
        let analysis = Analysis::of(&dag, fusion);
        let units = fusion::partition(&analysis).into_iter().map(|unit| match unit {
            Unit::Standalone(id) => Unit::Standalone(id),
            Unit::Kernel(group) => Unit::Kernel(lower::lower(&analysis, &group)),
        });
        let units = schedule::list_schedule(&dag, units.collect());
        let mut plan = Plan {
            steps: vec![],
            inputs: vec![],
            constants: vec![],
            outputs: vec![],
            kept: vec![],
            buffers: vec![],
            slots: 0,
        };
        let mut slots = vec![None; dag.nodes.len()];
        let taken = products::in_kernels(&dag, &units);
        for unit in units {
            if !matches!(&unit, Unit::Standalone(id) if taken.contains(id)) {
                plan.push_unit(&dag, unit, &taken, &mut slots);
            }
        }
        plan.outputs = dag.roots.iter().map(|&root| plan.slot(&dag, root, &mut slots)).collect();
        plan.assign_buffers();
        plan
    }

    fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        self.slots as Slot - 1
    }

    /// The slot of a value: leaves, constants and views get theirs when somebody needs it.
    fn slot(&mut self, dag: &Dag, id: Id, slots: &mut [Option<Slot>]) -> Slot {
        if let Some(slot) = slots[id as usize] {
            return slot;
        }
        // A chain of views may be long: what lies in memory comes first.
        let mut chain = vec![id];
        while let (Op::View(_), None) = (&dag.nodes[id_of(&chain)].op, slots[id_of(&chain)]) {
            chain.push(dag.nodes[id_of(&chain)].inputs[0]);
        }
        let mut below = None;
        for &id in chain.iter().rev() {
            below = Some(slots[id as usize].unwrap_or_else(|| self.new_value(dag, id, below)));
            slots[id as usize] = below;
        }
        below.unwrap_or_else(|| unreachable!("the chain holds the node itself"))
    }

    /// A slot for a leaf, a constant, or a view of what is in the slot `below`.
    fn new_value(&mut self, dag: &Dag, id: Id, below: Option<Slot>) -> Slot {
        let (node, slot) = (&dag.nodes[id as usize], self.new_slot());
        match (&node.op, dag.sources[id as usize]) {
            (_, Some(source)) => self.inputs.push((source, slot)),
            (Op::Fill(Fill(value)), None) => {
                let fill = Tensor::filled_view(node.shape.clone(), value.0, node.dtype);
                self.constants.push((slot, fill.expect("larger shapes are refused before")));
            }
            (op, None) => self.steps.push(Step {
                work: Work::Op(op.clone()),
                inputs: below.into_iter().collect(),
                indices: 0,
                outputs: SmallVec::from_iter([Output::of(slot, node)]),
                frees: SmallVec::new(),
                origin: dag.origins[id as usize],
            }),
        }
        slot
    }

    fn push_unit(
        &mut self,
        dag: &Dag,
        unit: Unit<lower::Kernel>,
        taken: &HashSet<Id>,
        slots: &mut [Option<Slot>],
    ) {
        let (work, inputs, indices, outputs) = match unit {
            Unit::Standalone(id) => {
                let node = &dag.nodes[id as usize];
                (Work::Op(node.op.clone()), node.inputs.to_vec(), 0, vec![id])
            }
            Unit::Kernel(kernel) => {
                let executable = kernel.program.compile();
                let count = kernel.indices.len();
                let (mut inputs, mut second, mut products) =
                    (kernel.inputs, vec![], SmallVec::new());
                for (at, input) in inputs.iter_mut().enumerate() {
                    if taken.contains(input) {
                        let factors = &dag.nodes[*input as usize].inputs;
                        products.push(at);
                        second.push(factors[1]);
                        *input = factors[0];
                    }
                }
                let inputs = [inputs, kernel.indices, second].concat();
                let (program, rematerialized) = (kernel.program, kernel.rematerialized);
                let work = Work::Kernel(Box::new(Kernel {
                    program,
                    executable,
                    rematerialized,
                    products,
                }));
                (work, inputs, count, kernel.outputs)
            }
        };
        let inputs = inputs.into_iter().map(|id| self.slot(dag, id, slots)).collect();
        let origin = dag.origins[outputs[0] as usize];
        let outputs = outputs
            .into_iter()
            .map(|id| {
                let slot = self.new_slot();
                slots[id as usize] = Some(slot);
                Output::of(slot, &dag.nodes[id as usize])
            })
            .collect();
        let frees = SmallVec::new();
        self.steps.push(Step { work, inputs, indices, outputs, frees, origin });
    }
}

/// The last node of a chain.
fn id_of(chain: &[Id]) -> usize {
    chain[chain.len() - 1] as usize
}

impl Output {
    fn of(slot: Slot, node: &Node) -> Output {
        Output { slot, shape: node.shape.clone(), dtype: node.dtype, buffer: None, over: None }
    }
}

impl Step {
    /// Whether the step only looks at its input in another way.
    pub fn is_view(&self) -> bool {
        matches!(self.work, Work::Op(Op::View(_)))
    }

    /// The inputs, or what goes with them, parted into floats, indices and second factors.
    pub fn split_inputs<'a, T>(&self, inputs: &'a [T]) -> (&'a [T], &'a [T], &'a [T]) {
        let products = match &self.work {
            Work::Kernel(kernel) => kernel.products.len(),
            Work::Op(_) => 0,
        };
        let (floats, rest) = inputs.split_at(inputs.len() - products - self.indices);
        let (indices, second) = rest.split_at(self.indices);
        (floats, indices, second)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, slot) in &self.inputs {
            writeln!(f, "s{slot} = input %{id}")?;
        }
        for (slot, constant) in &self.constants {
            let value = constant.get(vec![0; constant.rank()]).unwrap_or(f64::NAN);
            writeln!(f, "s{slot} = fill {value} {}", constant.shape())?;
        }
        for step in &self.steps {
            let output = |output: &Output| {
                let buffer = output.buffer.map(|buffer| format!(" in buffer {buffer}"));
                let over = output.over.map(|input| format!(" over s{}", step.inputs[input]));
                let [buffer, over] = [buffer, over].map(Option::unwrap_or_default);
                format!("s{} {}{buffer}{over}", output.slot, output.shape)
            };
            let outputs: Vec<String> = step.outputs.iter().map(output).collect();
            let inputs: Vec<String> = step.inputs.iter().map(|slot| format!("s{slot}")).collect();
            match &step.work {
                Work::Op(op) => {
                    writeln!(f, "{} = {}({})", outputs.join(", "), op.name(), inputs.join(", "))?;
                }
                Work::Kernel(kernel) => {
                    let (rows, columns) = kernel.program.space();
                    write!(f, "kernel {rows} × {columns}, {} ops", kernel.program.ops())?;
                    if kernel.rematerialized > 0 {
                        write!(f, ", {} of them rematerialized", kernel.rematerialized)?;
                    }
                    writeln!(f)?;
                    let (floats, indices, second) = step.split_inputs(&inputs);
                    for (at, slot) in floats.iter().enumerate() {
                        match kernel.products.iter().position(|&product| product == at) {
                            Some(nth) => {
                                writeln!(f, "  in{at} = matmul({slot}, {}) by rows", second[nth])?;
                            }
                            None => writeln!(f, "  in{at} = {slot}")?,
                        }
                    }
                    for (at, slot) in indices.iter().enumerate() {
                        writeln!(f, "  index{at} = {slot}")?;
                    }
                    for line in kernel.program.to_string().lines() {
                        writeln!(f, "    {line}")?;
                    }
                    for (at, output) in outputs.iter().enumerate() {
                        writeln!(f, "  out{at} = {output}")?;
                    }
                }
            }
        }
        let outputs: Vec<String> = self.outputs.iter().map(|slot| format!("s{slot}")).collect();
        let elements: usize = self.buffers.iter().map(|(_, len)| len).sum();
        write!(
            f,
            "requested: {}; {} buffers of {elements} elements in all",
            outputs.join(", "),
            self.buffers.len()
        )
    }
}
