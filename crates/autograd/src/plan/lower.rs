//! Writing the micro-ops of a kernel.

use std::collections::{BTreeSet, HashMap};

use lossgraph_tensor::Shape;
use lossgraph_tensor::program::{Extent, Program, Value};

use super::analysis::{Access, Analysis, Pattern};
use super::fuse::{Kernel, Resolved};
use super::peephole::{EXP_OF_DIFFERENCE, Groups, Superinstruction};
use super::space::Space;
use crate::graph::Id;
use crate::op::Op;
use crate::ops::binary::SUB;
use crate::ops::select::SELECT;
use crate::ops::unary;

/// Writes the micro-ops of a kernel.
pub(super) struct Lowering<'p, 'a> {
    analysis: &'p Analysis<'a>,
    program: Program,
    values: HashMap<(Id, Extent), Value>,
    inputs: Vec<(Id, Extent)>,
    indices: Vec<Id>,
    outputs: Vec<Id>,
    groups: Groups,
}

impl<'p, 'a> Lowering<'p, 'a> {
    /// The micro-ops for the values `needed`, in that order, and for the nodes to write out.
    pub fn of(
        analysis: &'p Analysis<'a>,
        space: Space,
        needed: &[(Id, Extent)],
        resolved: &Resolved,
        targets: &BTreeSet<Id>,
    ) -> Lowering<'p, 'a> {
        let dtype = analysis.node(needed[0].0).dtype;
        let mut lowering = Lowering {
            analysis,
            program: Program::new(space.rows, space.columns, dtype),
            values: HashMap::new(),
            inputs: vec![],
            indices: vec![],
            outputs: vec![],
            groups: Groups::of(analysis, needed, resolved, targets, space.columns),
        };
        for &(id, extent) in needed {
            lowering.lower(id, extent, &resolved[&(id, extent)]);
        }
        for &id in targets {
            lowering.output(id);
        }
        lowering
    }

    /// The kernel, in which so many values of earlier ones are computed anew.
    pub fn kernel(self, rematerialized: usize) -> Kernel {
        let Lowering { program, inputs, indices, outputs, .. } = self;
        let inputs = inputs.into_iter().map(|(id, _)| id).collect();
        Kernel { program, inputs, indices, outputs, rematerialized }
    }

    fn value(&mut self, (access, extent): (Access, Extent)) -> Value {
        match access {
            Access::Constant(number) => self.program.number(number),
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
        let (shape, under) = (self.analysis.node(index).shape.clone(), self.analysis.under(index));
        if let Some(known) = self.indices.iter().position(|&known| known == under) {
            return (known as u32, shape);
        }
        self.indices.push(under);
        (self.program.index(), shape)
    }

    fn lower(&mut self, id: Id, extent: Extent, reads: &[(Access, Extent)]) {
        if self.groups.taken.contains(&(id, extent)) {
            return;
        }
        if let Some(together) = self.groups.together.remove(&(id, extent)) {
            let value = self.together(id, together);
            self.values.insert((id, extent), value);
            return;
        }
        let node = self.analysis.node(id);
        let tag = self.analysis.dag.origins[id as usize];
        let value = match (&node.op, self.analysis.pattern(id)) {
            (Op::Unary(row, p), _) => {
                let x = self.value(reads[0]);
                self.program.map1(row.0.name, &row.0.kernel, p.map(|p| p.0), x)
            }
            (Op::Binary(row), _) => {
                let (a, b) = (self.value(reads[0]), self.value(reads[1]));
                self.program.map2(row.0.name, &row.0.kernel, a, b)
            }
            (Op::Select, _) => {
                let operands = [0, 1, 2].map(|i| self.value(reads[i]));
                self.program.map3("select", &SELECT, operands)
            }
            (_, Pattern::ReduceRow(op)) => {
                let x = self.value(reads[0]);
                self.program.reduce_row(op, x)
            }
            (_, Pattern::ReduceAll(op)) => {
                let x = self.value(reads[0]);
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

    /// A node with what it takes over.
    fn together(&mut self, id: Id, together: Superinstruction) -> Value {
        let subtracts = self.analysis.is_binary(id, &SUB);
        match together {
            Superinstruction::Scatter { scatter, onto, added } => {
                let onto = self.value(onto);
                let added = if subtracts { self.negative(added) } else { self.value(added) };
                let (index, shape) = self.index(scatter);
                let tag = self.analysis.dag.origins[scatter as usize];
                self.program.scatter(Some(onto), added, index, shape, tag)
            }
            Superinstruction::ExpOfDifference(operands) => {
                let [x, y] = operands.map(|read| self.value(read));
                self.program.map2("exp(a − b)", &EXP_OF_DIFFERENCE, x, y)
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
        }
    }

    /// The negative of an operand.
    fn negative(&mut self, (access, extent): (Access, Extent)) -> Value {
        if let Access::Constant(number) = access {
            return self.program.number(-number);
        }
        let x = self.value((access, extent));
        self.program.map1("neg", &unary::NEG.kernel, [0.0; 2], x)
    }

    /// Asks for a node that somebody outside reads; folds over rows have asked themselves.
    fn output(&mut self, id: Id) {
        if self.outputs.contains(&id) {
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
