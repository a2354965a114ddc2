//! Lowering: from a fusion group to a program of micro-ops.

use lossgraph_tensor::Shape;
use lossgraph_tensor::program::{self, Executable, Extent, Program};

use super::analysis::{Access, Analysis, Pattern};
use super::fusion::{FusionGroup, GroupValue};
use super::peephole::{Peephole, Read, Superinstruction};
use crate::ops::arithmetic::NEG;
use crate::ops::binary::{ADD, BinaryOp};
use crate::ops::facts::Arithmetic;
use crate::ops::op::Op;
use crate::ops::select::SELECT;
use crate::ops::unary::UnaryOp;
use crate::record::node::{FxHashMap, Id};

/// The program of a group, with the nodes that it reads and writes.
pub(super) struct LoweredKernel {
    pub program: Program,
    pub executable: Executable,
    /// The nodes read, floats and indices.
    pub inputs: Vec<Id>,
    pub indices: Vec<Id>,
    pub outputs: Vec<Id>,
    /// How many values of earlier kernels are rematerialized.
    pub rematerialized: usize,
}

/// Writes the micro-ops of a group.
pub(super) fn lower(analysis: &Analysis<'_>, group: &FusionGroup) -> LoweredKernel {
    let dtype = analysis.node(group.values[0].0).dtype;
    let mut lowering = Lowering {
        analysis,
        program: Program::new(group.space.rows, group.space.columns, dtype),
        values: FxHashMap::default(),
        inputs: vec![],
        indices: vec![],
        index_of: FxHashMap::default(),
        outputs: vec![],
        peephole: Peephole::of(analysis, group),
    };
    for &value in &group.values {
        lowering.lower(value, &group.reads[&value]);
    }
    for &id in &group.outputs {
        lowering.output(id);
    }
    let Lowering { program, inputs, indices, outputs, .. } = lowering;
    let inputs = inputs.into_iter().map(|(id, _)| id).collect();
    let (executable, rematerialized) = (program.compile(), group.rematerialized);
    LoweredKernel { program, executable, inputs, indices, outputs, rematerialized }
}

struct Lowering<'p, 'a> {
    analysis: &'p Analysis<'a>,
    program: Program,
    values: FxHashMap<GroupValue, program::Value>,
    inputs: Vec<GroupValue>,
    indices: Vec<Id>,
    /// The number of each index.
    index_of: FxHashMap<Id, u32>,
    outputs: Vec<Id>,
    peephole: Peephole,
}

impl Lowering<'_, '_> {
    fn value(&mut self, (access, extent): Read) -> program::Value {
        match access {
            Access::Constant(number) => self.program.constant(number),
            Access::Inline(id) => self.values[&(id, extent)],
            Access::Load(id) => {
                let known = self.values.get(&(id, extent));
                known.copied().unwrap_or_else(|| {
                    let value = self.program.input(extent);
                    self.inputs.push((id, extent));
                    self.values.insert((id, extent), value);
                    value
                })
            }
        }
    }

    fn index(&mut self, id: Id) -> (u32, Shape) {
        let index = self.analysis.node(id).inputs[1];
        let (shape, under) =
            (self.analysis.node(index).shape.clone(), self.analysis.strip_reshapes(index));
        let (program, indices) = (&mut self.program, &mut self.indices);
        let index = *self.index_of.entry(under).or_insert_with(|| {
            indices.push(under);
            program.index()
        });
        (index, shape)
    }

    fn lower(&mut self, (id, extent): GroupValue, reads: &[(Access, Extent)]) {
        if self.peephole.absorbed.contains(&(id, extent)) {
            return;
        }
        if let Some(fused) = self.peephole.fused.remove(&(id, extent)) {
            let value = self.superinstruction(id, fused);
            self.values.insert((id, extent), value);
            return;
        }
        let node = self.analysis.node(id);
        let tag = self.analysis.dag.origins[id as usize];
        let value = match (&node.op, self.analysis.pattern(id)) {
            (Op::Unary(UnaryOp { row, p }), _) => {
                let x = self.value(reads[0]);
                self.program.map1(row.0.name, &row.0.kernel, p.map(|p| p.0), x)
            }
            (Op::Binary(BinaryOp(row)), _) => {
                let (a, b) = (self.value(reads[0]), self.value(reads[1]));
                self.program.map2(row.0.name, &row.0.kernel, a, b)
            }
            (Op::Select(_), _) => {
                let operands = [0, 1, 2].map(|i| self.value(reads[i]));
                self.program.map3(node.op.name(), &SELECT, operands)
            }
            (_, Pattern::ReduceRow(op)) => {
                let x = self.value(reads[0]);
                self.program.reduce_row(op, x)
            }
            (_, Pattern::ReduceAll(op)) => {
                let mut x = self.value(reads[0]);
                // What is repeated along rows counts as often as it is repeated.
                if extent == Extent::Full {
                    x = self.program.full(x);
                }
                self.program.reduce_all(op, x)
            }
            (_, Pattern::ReduceColumns(op)) => {
                let x = self.value(reads[0]);
                self.program.reduce_columns(op, x);
                self.outputs.push(id);
                return;
            }
            (_, Pattern::Gather) => {
                let x = self.value(reads[0]);
                let (index, shape) = self.index(id);
                self.program.gather(x, index, shape, tag)
            }
            _ => {
                let added = self.value(reads[0]);
                let (index, shape) = self.index(id);
                self.program.scatter(None, added, index, shape, tag)
            }
        };
        self.values.insert((id, extent), value);
    }

    /// A node with what it absorbs.
    fn superinstruction(&mut self, id: Id, fused: Superinstruction) -> program::Value {
        let arithmetic = self.analysis.node(id).op.family().facts().arithmetic;
        let subtracts = arithmetic == Some(Arithmetic::Difference);
        match fused {
            Superinstruction::Scatter { scatter, onto, added } => {
                // What a scatter adds to is 0: to whole rows, and in place. A 0 that is added leaves
                // no trace but in −0, and one that is subtracted none at all.
                let onto = if subtracts { self.value(onto) } else { self.plus_zero(onto) };
                let mut added = self.plus_zero(added);
                if subtracts {
                    added = self.program.map1(NEG.name, &NEG.kernel, [0.0; 2], added);
                }
                let (index, shape) = self.index(scatter);
                let tag = self.analysis.dag.origins[scatter as usize];
                self.program.scatter(Some(onto), added, index, shape, tag)
            }
            Superinstruction::UnaryOfBinary(of, operands) => {
                let [x, y] = operands.map(|read| self.value(read));
                self.program.map2(of.formula, &of.kernel, x, y)
            }
            Superinstruction::Pair(pair, operands) => {
                let operands = operands.map(|read| self.value(read));
                self.program.map3(pair.formula, &pair.kernel, operands)
            }
            Superinstruction::Weighted([a, s, b, t]) => {
                let [a, s, b] = [a, s, b].map(|read| self.value(read));
                let t = if subtracts { self.negative(t) } else { self.value(t) };
                self.program.weighted([a, s, b, t])
            }
            Superinstruction::MaskedProduct(operands) => {
                let operands = operands.map(|read| self.value(read));
                self.program.masked_product(operands)
            }
            Superinstruction::MaskedWeighted(products) => {
                let products = products.map(|product| product.map(|read| self.value(read)));
                self.program.masked_weighted(products)
            }
        }
    }

    /// An operand plus 0: itself, but that −0 becomes 0.
    fn plus_zero(&mut self, read: Read) -> program::Value {
        let x = self.value(read);
        let needless = match read.0 {
            Access::Constant(number) => number != 0.0 || number.is_sign_positive(),
            Access::Inline(id) | Access::Load(id) => self.analysis.dag.is_never_negative_zero(id),
        };
        if needless {
            return x;
        }
        let zero = self.program.constant(0.0);
        self.program.map2(ADD.name, &ADD.kernel, x, zero)
    }

    /// The negative of an operand.
    fn negative(&mut self, (access, extent): Read) -> program::Value {
        if let Access::Constant(number) = access {
            return self.program.constant(-number);
        }
        let x = self.value((access, extent));
        self.program.map1(NEG.name, &NEG.kernel, [0.0; 2], x)
    }

    /// Adds an output that somebody outside reads; reductions over rows are outputs already.
    fn output(&mut self, id: Id) {
        if matches!(self.analysis.pattern(id), Pattern::ReduceColumns(_)) {
            return;
        }
        let extent = self.analysis.domain(id).1;
        let mut value = self.values[&(id, extent)];
        if extent == Extent::Full && !matches!(self.analysis.pattern(id), Pattern::ReduceAll(_)) {
            value = self.program.full(value);
        }
        self.program.output(value);
        self.outputs.push(id);
    }
}
