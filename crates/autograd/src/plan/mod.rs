//! The plan: what has to be computed for a request, in which passes, into which buffers.
//!
//! Made on a miss of the cache from a [`request`], in one direction:
//!
//! 1. [`rewrite`]: the program is copied and simplified;
//! 2. [`space`], [`analysis`]: which nodes fuse, over which iteration domains;
//! 3. [`fusion`]: nodes are parted into fusion groups and standalone steps;
//! 4. [`lower`], [`peephole`]: groups become programs of micro-ops and superinstructions;
//! 5. [`schedule`]: a list schedule that frees memory early;
//! 6. [`products`]: matrix products that only one kernel reads are fused into it;
//! 7. [`buffers`]: values get slots and buffers; the result is the [`steps`].

mod analysis;
mod buffers;
mod fusion;
mod lower;
mod peephole;
mod products;
mod request;
mod rewrite;
mod schedule;
mod space;
mod steps;
mod uses;

use lossgraph_tensor::Tensor;
use smallvec::SmallVec;

use analysis::Analysis;
use fusion::Unit;
pub(crate) use peephole::PAIRS;
pub(crate) use request::{Fusion, PlanRequest};
use rewrite::Dag;
pub use rewrite::Equation;
pub(crate) use rewrite::equations;
pub use steps::Plan;
pub(crate) use steps::{Kernel, Output, Slot, Step, Work};

use crate::ops::op::{Fill, Op};
use crate::record::node::{FxHashSet, Id};

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
            shared: vec![],
            shared_bytes: 0,
            slots: 0,
            rewrites: vec![],
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
        plan.rewrites = dag.applied;
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
            (Op::Fill(value), None) => {
                let fill = match *value {
                    Fill::Float(value) => {
                        Tensor::filled_view(node.shape.clone(), value.0, node.dtype)
                    }
                    Fill::Integer(value) => Tensor::from(value).expand(node.shape.clone()),
                };
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
        unit: Unit<lower::LoweredKernel>,
        taken: &FxHashSet<Id>,
        slots: &mut [Option<Slot>],
    ) {
        let (work, inputs, indices, outputs) = match unit {
            Unit::Standalone(id) => {
                let node = &dag.nodes[id as usize];
                (Work::Op(node.op.clone()), node.inputs.to_vec(), 0, vec![id])
            }
            Unit::Kernel(kernel) => {
                let lower::LoweredKernel {
                    program,
                    executable,
                    mut inputs,
                    indices,
                    outputs,
                    rematerialized,
                } = kernel;
                let count = indices.len();
                let (mut second, mut products) = (vec![], SmallVec::new());
                for (at, input) in inputs.iter_mut().enumerate() {
                    if taken.contains(input) {
                        let factors = &dag.nodes[*input as usize].inputs;
                        products.push(at);
                        second.push(factors[1]);
                        *input = factors[0];
                    }
                }
                let inputs = [inputs, indices, second].concat();
                let work = Work::Kernel(Box::new(Kernel {
                    program,
                    executable,
                    rematerialized,
                    products,
                }));
                (work, inputs, count, outputs)
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
