//! The plan: what has to be computed for what is asked, in which order, into which buffers.

use std::fmt;

use lossgraph_tensor::{DType, Shape, Tensor};
use smallvec::SmallVec;

use crate::graph::{Id, Node};
use crate::op::Op;
use crate::ops::view::View;

/// A slot holds one value while a plan runs.
pub(crate) type Slot = u32;

/// A program made ready to run: steps in order, with their slots and buffers.
///
/// `to_string()` lists it, a line a step: what is computed, from what, into which buffer.
pub struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Leaves and known values: the node on the asker's tape, and the slot that it goes into.
    pub(crate) inputs: Vec<(Id, Slot)>,
    /// The fills, one stored element each.
    pub(crate) constants: Vec<(Slot, Tensor)>,
    /// The slots of what was asked for, in that order.
    pub(crate) outputs: Vec<Slot>,
    /// The slots that are read until the end: what was asked for, and what shares its buffers.
    pub(crate) kept: Vec<(Slot, Option<u32>)>,
    /// The sizes of the buffers that the steps share.
    pub(crate) buffers: Vec<(DType, usize)>,
    pub(crate) slots: usize,
}

/// One operation of a plan.
pub(crate) struct Step {
    pub op: Op,
    pub inputs: SmallVec<[Slot; 3]>,
    pub output: Slot,
    pub shape: Shape,
    pub dtype: DType,
    /// The buffer that the result is written to; `None` for views, which need none.
    pub buffer: Option<u32>,
    /// The slots that nobody reads after this step, each with the buffer it gives back.
    pub frees: SmallVec<[(Slot, Option<u32>); 2]>,
    /// The node on the asker's tape that an error in this step is about.
    pub origin: Id,
}

/// What to plan.
pub(crate) struct Request<'a> {
    pub nodes: &'a [Node],
    /// For each node, the node on the asker's tape that an error in it is about.
    pub origins: &'a [Id],
    pub roots: &'a [Id],
    /// Nodes whose value is known already.
    pub known: &'a [Id],
}

impl Request<'_> {
    fn is_input(&self, id: Id) -> bool {
        matches!(self.nodes[id as usize].op, Op::Leaf(_)) || self.known.contains(&id)
    }

    /// How many nodes that are needed read each node; asking for it counts as well.
    fn readers(&self, fills: &[Option<f64>]) -> Vec<u32> {
        let mut readers = vec![0; self.nodes.len()];
        for &root in self.roots {
            readers[root as usize] += 1;
        }
        for id in (0..self.nodes.len()).rev() {
            if readers[id] > 0 && !self.is_input(id as Id) && fills[id].is_none() {
                for &input in &self.nodes[id].inputs {
                    readers[input as usize] += 1;
                }
            }
        }
        readers
    }

    /// For each node that is one number everywhere, that number: fills, views of them, and
    /// element-wise functions of them.
    fn fills(&self) -> Vec<Option<f64>> {
        let mut fills: Vec<Option<f64>> = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter().enumerate() {
            let input = |i: usize| fills[node.inputs[i] as usize];
            let fill = match &node.op {
                _ if self.is_input(id as Id) => None,
                Op::Fill(value) => Some(value.0),
                Op::View(_) | Op::Detach => input(0),
                Op::Unary(..) => input(0).and_then(|x| evaluate(node, &[x])),
                Op::Binary(_) => input(0).zip(input(1)).and_then(|(a, b)| evaluate(node, &[a, b])),
                _ => None,
            };
            fills.push(fill);
        }
        fills
    }

    /// For a transposed product that nothing else reads, the product: `(A B)ᵀ = Bᵀ Aᵀ` then
    /// writes the result as it is read. So the gradient of a weight comes out contiguous.
    fn product_under(&self, id: Id, readers: &[u32]) -> Option<Id> {
        let node = &self.nodes[id as usize];
        let Op::View(View::Permute(order)) = &node.op else { return None };
        let product = node.inputs[0];
        let below = &self.nodes[product as usize];
        let rank = order.len() as isize;
        let swaps = rank >= 2
            && order[..order.len() - 2].iter().enumerate().all(|(i, &axis)| i as isize == axis)
            && order[order.len() - 2] == rank - 1;
        let lone = readers[product as usize] == 1 && !self.is_input(product);
        (swaps && lone && below.op == Op::MatMul).then_some(product)
    }
}

impl Plan {
    pub(crate) fn new(request: &Request<'_>) -> Plan {
        let fills = request.fills();
        let readers = request.readers(&fills);
        let needed = |id: Id| readers[id as usize] > 0;
        let ids = 0..request.nodes.len() as Id;
        let transposed: Vec<Option<Id>> = ids
            .clone()
            .map(|id| if needed(id) { request.product_under(id, &readers) } else { None })
            .collect();
        let mut plan = Plan {
            steps: vec![],
            inputs: vec![],
            constants: vec![],
            outputs: vec![],
            kept: vec![],
            buffers: vec![],
            slots: 0,
        };
        let mut slot_of = vec![Slot::MAX; request.nodes.len()];
        for id in ids.filter(|&id| needed(id) && !transposed.contains(&Some(id))) {
            let node = &request.nodes[id as usize];
            let slot = |input: &Id| slot_of[*input as usize];
            slot_of[id as usize] = if request.is_input(id) {
                let slot = plan.new_slot();
                plan.inputs.push((id, slot));
                slot
            } else if let Some(constant) = constant(node, fills[id as usize]) {
                let slot = plan.new_slot();
                plan.constants.push((slot, constant));
                slot
            } else if node.op == Op::Detach {
                slot(&node.inputs[0])
            } else if let Some(product) = transposed[id as usize] {
                let factors = &request.nodes[product as usize].inputs;
                let origin = request.origins[product as usize];
                let flipped: Vec<Slot> = factors
                    .iter()
                    .rev()
                    .map(|factor| {
                        plan.transpose(slot(factor), &request.nodes[*factor as usize], origin)
                    })
                    .collect();
                plan.push(
                    Op::MatMul,
                    SmallVec::from_slice(&flipped),
                    &node.shape,
                    node.dtype,
                    origin,
                )
            } else {
                let inputs = node.inputs.iter().map(slot).collect();
                let origin = request.origins[id as usize];
                plan.push(node.op.clone(), inputs, &node.shape, node.dtype, origin)
            };
        }
        plan.outputs = request.roots.iter().map(|&root| slot_of[root as usize]).collect();
        plan.assign_buffers();
        plan
    }

    fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        self.slots as Slot - 1
    }

    fn push(
        &mut self,
        op: Op,
        inputs: SmallVec<[Slot; 3]>,
        shape: &Shape,
        dtype: DType,
        origin: Id,
    ) -> Slot {
        let output = self.new_slot();
        let (shape, frees) = (shape.clone(), SmallVec::new());
        self.steps.push(Step { op, inputs, output, shape, dtype, buffer: None, frees, origin });
        output
    }

    /// A step that views the last two axes of a node exchanged.
    fn transpose(&mut self, input: Slot, node: &Node, origin: Id) -> Slot {
        let rank = node.shape.rank();
        let mut order: SmallVec<[isize; 4]> = (0..rank as isize).collect();
        order.swap(rank - 2, rank - 1);
        let mut dims = node.shape.to_vec();
        dims.swap(rank - 2, rank - 1);
        let inputs = SmallVec::from_slice(&[input]);
        self.push(Op::View(View::Permute(order)), inputs, &Shape::from(dims), node.dtype, origin)
    }

    /// Lets each step write into a buffer of its size that nobody needs any more.
    fn assign_buffers(&mut self) {
        // A view lives as long as what it looks at, its base, and the other way round.
        let mut base: Vec<Slot> = (0..self.slots as Slot).collect();
        for step in &self.steps {
            if matches!(step.op, Op::View(_)) {
                base[step.output as usize] = base[step.inputs[0] as usize];
            }
        }
        // The step after which a base, with all views of it, is not read any more. What was asked
        // for stays until the end, and constants from run to run.
        let mut dies: Vec<usize> = vec![0; self.slots];
        for (at, step) in self.steps.iter().enumerate() {
            for &slot in step.inputs.iter().chain([&step.output]) {
                dies[base[slot as usize] as usize] = at;
            }
        }
        let constants: Vec<Slot> = self.constants.iter().map(|&(slot, _)| slot).collect();
        for &slot in self.outputs.iter().chain(&constants) {
            dies[base[slot as usize] as usize] = usize::MAX;
        }
        let mut dying: Vec<Vec<Slot>> = vec![Vec::new(); self.steps.len()];
        for slot in 0..self.slots {
            if let Some(list) = dying.get_mut(dies[base[slot] as usize]) {
                list.push(slot as Slot);
            }
        }
        let mut buffer_of: Vec<Option<u32>> = vec![None; self.slots];
        let mut free: Vec<u32> = Vec::new();
        for (at, step) in self.steps.iter_mut().enumerate() {
            if !matches!(step.op, Op::View(_)) {
                let size = (step.dtype, step.shape.len());
                let fits = free.iter().position(|&buffer| self.buffers[buffer as usize] == size);
                let buffer = fits.map(|position| free.swap_remove(position)).unwrap_or_else(|| {
                    self.buffers.push(size);
                    self.buffers.len() as u32 - 1
                });
                step.buffer = Some(buffer);
                buffer_of[step.output as usize] = Some(buffer);
            }
            step.frees = dying[at].iter().map(|&slot| (slot, buffer_of[slot as usize])).collect();
            free.extend(step.frees.iter().filter_map(|&(_, buffer)| buffer));
        }
        let lasting = (0..self.slots as Slot).filter(|slot| {
            dies[base[*slot as usize] as usize] == usize::MAX && !constants.contains(slot)
        });
        self.kept = lasting.map(|slot| (slot, buffer_of[slot as usize])).collect();
    }
}

/// What an element-wise node makes of numbers, in its own precision.
fn evaluate(node: &Node, inputs: &[f64]) -> Option<f64> {
    let scalar = |x: f64| Tensor::full((), x, node.dtype).ok();
    let inputs: Vec<Tensor> = inputs.iter().filter_map(|&x| scalar(x)).collect();
    let mut out = scalar(0.0)?;
    node.op.compute(&inputs.iter().collect::<Vec<_>>(), &mut out).ok()?;
    out.item().ok()
}

/// The tensor of a node that is one number everywhere.
fn constant(node: &Node, value: Option<f64>) -> Option<Tensor> {
    Tensor::filled_view(node.shape.clone(), value?, node.dtype).ok()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, slot) in &self.inputs {
            writeln!(f, "s{slot:<4} input %{id}")?;
        }
        for (slot, constant) in &self.constants {
            let value = constant.get(&vec![0; constant.rank()]).unwrap_or(f64::NAN);
            writeln!(f, "s{slot:<4} fill {value} {}", constant.shape())?;
        }
        for step in &self.steps {
            let inputs: Vec<String> = step.inputs.iter().map(|slot| format!("s{slot}")).collect();
            write!(
                f,
                "s{:<4} {}({}) {}",
                step.output,
                step.op.name(),
                inputs.join(", "),
                step.shape
            )?;
            match step.buffer {
                Some(buffer) => writeln!(f, " in buffer {buffer}")?,
                None => writeln!(f)?,
            }
        }
        let outputs: Vec<String> = self.outputs.iter().map(|slot| format!("s{slot}")).collect();
        let elements: usize = self.buffers.iter().map(|(_, len)| len).sum();
        write!(
            f,
            "asked for: {}; {} buffers of {elements} elements in all",
            outputs.join(", "),
            self.buffers.len()
        )
    }
}
