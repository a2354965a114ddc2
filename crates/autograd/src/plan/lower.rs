//! Writing the micro-ops of a kernel.

use std::collections::{BTreeSet, HashMap};

use lossgraph_tensor::Shape;
use lossgraph_tensor::program::{Extent, Program, Value};

use super::fuse::{Kernel, Resolved};
use super::kind::{Access, Kind, Kinds};
use super::space::Space;
use super::together::{EXP_OF_DIFFERENCE, Groups, Together};
use crate::graph::Id;
use crate::op::Op;
use crate::ops::binary::SUB;
use crate::ops::select::SELECT;
use crate::ops::unary;

/// Writes the micro-ops of a kernel.
pub(super) struct Lowering<'p, 'a> {
    kinds: &'p Kinds<'a>,
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
        kinds: &'p Kinds<'a>,
        space: Space,
        needed: &[(Id, Extent)],
        resolved: &Resolved,
        targets: &BTreeSet<Id>,
    ) -> Lowering<'p, 'a> {
        let dtype = kinds.node(needed[0].0).dtype;
        let mut lowering = Lowering {
            kinds,
            program: Program::new(space.rows, space.columns, dtype),
            values: HashMap::new(),
            inputs: vec![],
            indices: vec![],
            outputs: vec![],
            groups: Groups::of(kinds, needed, resolved, targets, space.columns),
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
    pub fn kernel(self, again: usize) -> Kernel {
        let Lowering { program, inputs, indices, outputs, .. } = self;
        let inputs = inputs.into_iter().map(|(id, _)| id).collect();
        Kernel { program, inputs, indices, outputs, again }
    }

    fn value(&mut self, (access, extent): (Access, Extent)) -> Value {
        match access {
            Access::Number(number) => self.program.number(number),
            Access::Inline(id) => self.values[&(id, extent)],
            Access::Read(id) => {
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
        let index = self.kinds.node(id).inputs[1];
        let (shape, under) = (self.kinds.node(index).shape.clone(), self.kinds.under(index));
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
        let node = self.kinds.node(id);
        let tag = self.kinds.graph.origins[id as usize];
        let value = match (&node.op, self.kinds.kind(id)) {
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
            (_, Kind::FoldRow(fold)) => {
                let x = self.value(reads[0]);
                self.program.fold_row(fold, x)
            }
            (_, Kind::FoldAll(fold)) => {
                let x = self.value(reads[0]);
                self.program.fold_all(fold, x)
            }
            (_, Kind::FoldColumns(fold)) => {
                let x = self.value(reads[0]);
                self.program.fold_columns(fold, x);
                self.outputs.push(id);
                return;
            }
            (_, Kind::Gather) => {
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
    fn together(&mut self, id: Id, together: Together) -> Value {
        let subtracts = self.kinds.is_binary(id, &SUB);
        match together {
            Together::Scatter { scatter, onto, added } => {
                let onto = self.value(onto);
                let added = if subtracts { self.negative(added) } else { self.value(added) };
                let (index, shape) = self.index(scatter);
                let tag = self.kinds.graph.origins[scatter as usize];
                self.program.scatter(Some(onto), added, index, shape, tag)
            }
            Together::ExpOfDifference(operands) => {
                let [x, y] = operands.map(|read| self.value(read));
                self.program.map2("exp(a − b)", &EXP_OF_DIFFERENCE, x, y)
            }
            Together::Pair(pair, operands) => {
                let operands = operands.map(|read| self.value(read));
                self.program.map3(pair.formula, &pair.kernel, operands)
            }
            Together::Weighted([a, s, b, t]) => {
                let [a, s, b] = [a, s, b].map(|read| self.value(read));
                let t = if subtracts { self.negative(t) } else { self.value(t) };
                self.program.weighted([a, s, b, t])
            }
        }
    }

    /// The negative of an operand.
    fn negative(&mut self, (access, extent): (Access, Extent)) -> Value {
        if let Access::Number(number) = access {
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
        let extent = self.kinds.home(id).1;
        let mut value = self.values[&(id, extent)];
        if extent == Extent::Full && !matches!(self.kinds.kind(id), Kind::FoldAll(_)) {
            value = self.program.full(value);
        }
        self.program.output(value);
        self.outputs.push(id);
    }
}
