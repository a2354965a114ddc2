//! What a plan is: steps in order, with their slots and buffers; and its listing.

use std::fmt;

use lossgraph_tensor::program::{Executable, Program};
use lossgraph_tensor::{DType, Shape, Tensor};
use smallvec::SmallVec;

use crate::ops::op::Op;
use crate::record::node::{Id, Node};

/// A slot holds one value while a plan runs.
pub(crate) type Slot = u32;

/// A program that is ready to run: steps in order, with their slots and buffers.
///
/// `to_string()` lists it: each kernel with what it reads, its micro-ops, and what it writes.
/// A value has one element for each point of the kernel's iteration space (`full`), for each of its
/// `rows`, for each of its `columns`, or `one` in all; `→ out0` marks what is written to memory. An
/// output `over` an input takes the memory of a value that nobody reads afterwards. A product
/// `by rows` is computed as it is read.
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
    /// The buffers that plans share, the largest ones first, and how many bytes they have in all.
    pub(crate) shared: Vec<SharedBuffer>,
    pub(crate) shared_bytes: usize,
    pub(crate) slots: usize,
    /// The equations of the rewrites that were applied, each once.
    pub(crate) rewrites: Vec<&'static str>,
}

/// A buffer that is large enough to be handed from plan to plan.
pub(crate) struct SharedBuffer {
    pub buffer: u32,
    /// Whether the caller gets what is in it: then it is no larger than that.
    pub is_result: bool,
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
    /// stand the first factors; the second ones stand behind all other inputs of the step. Ascending.
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

impl Output {
    pub fn of(slot: Slot, node: &Node) -> Output {
        Output { slot, shape: node.shape.clone(), dtype: node.dtype, buffer: None, over: None }
    }
}

impl Plan {
    /// How many bytes of memory it takes, about, with the buffers that it does not share.
    pub(crate) fn bytes(&self) -> usize {
        let step = |step: &Step| match &step.work {
            Work::Op(_) => size_of::<Step>(),
            Work::Kernel(kernel) => {
                let code = kernel.program.bytes() + kernel.executable.bytes();
                size_of::<Step>() + size_of::<Kernel>() + code
            }
        };
        let buffers: usize = self.buffers.iter().map(|(dtype, len)| len * dtype.size()).sum();
        size_of::<Plan>()
            + self.steps.iter().map(step).sum::<usize>()
            + (self.slots + self.buffers.len() + self.constants.len()) * size_of::<Tensor>()
            + (self.inputs.len() + self.outputs.len() + self.kept.len()) * size_of::<Slot>() * 3
            + size_of_val(&self.rewrites[..])
            + buffers
            - self.shared_bytes
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
                        match kernel.products.binary_search(&at) {
                            Ok(nth) => {
                                writeln!(f, "  in{at} = matmul({slot}, {}) by rows", second[nth])?;
                            }
                            Err(_) => writeln!(f, "  in{at} = {slot}")?,
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
