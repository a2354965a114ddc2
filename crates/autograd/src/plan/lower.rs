//! Writing the micro-ops of a kernel.

use std::collections::{BTreeSet, HashMap};

use lossgraph_tensor::Shape;
use lossgraph_tensor::program::{Extent, Program, Value};
use smallvec::SmallVec;

use super::fuse::{Access, Kernel, Kind, Planner, Resolved};
use super::space::Space;
use crate::graph::Id;
use crate::op::Op;
use crate::ops::binary::{ADD, SUB};
use crate::ops::select::SELECT;
use crate::ops::unary;

/// Scatters that a sum takes over: that sum, and what they add.
type Absorbed = HashMap<Id, (Id, (Access, Extent))>;

/// Writes the micro-ops of a kernel.
pub(super) struct Lowering<'p, 'a> {
    planner: &'p Planner<'a>,
    program: Program,
    values: HashMap<(Id, Extent), Value>,
    inputs: Vec<(Id, Extent)>,
    indices: Vec<Id>,
    outputs: Vec<Id>,
    absorbed: Absorbed,
}

impl<'p, 'a> Lowering<'p, 'a> {
    /// The micro-ops for the values `needed`, in that order, and for the nodes to write out.
    pub fn of(
        planner: &'p Planner<'a>,
        space: Space,
        needed: &[(Id, Extent)],
        resolved: &Resolved,
        targets: &BTreeSet<Id>,
    ) -> Lowering<'p, 'a> {
        let dtype = planner.node(needed[0].0).dtype;
        let mut lowering = Lowering {
            planner,
            program: Program::new(space.rows, space.columns, dtype),
            values: HashMap::new(),
            inputs: vec![],
            indices: vec![],
            outputs: vec![],
            absorbed: absorbed(planner, needed, resolved, targets),
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
        let index = self.planner.node(id).inputs[1];
        let (shape, under) = (self.planner.node(index).shape.clone(), self.planner.under(index));
        if let Some(known) = self.indices.iter().position(|&known| known == under) {
            return (known as u32, shape);
        }
        self.indices.push(under);
        (self.program.index(), shape)
    }

    fn lower(&mut self, id: Id, extent: Extent, reads: &[(Access, Extent)]) {
        if self.absorbed.contains_key(&id) {
            return;
        }
        let node = self.planner.node(id);
        let tag = self.planner.graph.origins[id as usize];
        let value = match (&node.op, self.planner.kind(id)) {
            (Op::Unary(row, p), _) => {
                let x = self.value(reads[0]);
                self.program.map1(row.0.name, &row.0.kernel, p.map(|p| p.0), x)
            }
            (Op::Binary(row), _) => match self.absorbs(id, reads) {
                Some((scatter, side)) => {
                    let onto = self.value(reads[1 - side]);
                    let mut added = self.value(self.absorbed[&scatter].1);
                    if std::ptr::eq(row.0, &SUB) {
                        added = self.program.map1("neg", &unary::NEG.kernel, [0.0; 2], added);
                    }
                    let (index, shape) = self.index(scatter);
                    let tag = self.planner.graph.origins[scatter as usize];
                    self.program.scatter(Some(onto), added, index, shape, tag)
                }
                None => {
                    let (a, b) = (self.value(reads[0]), self.value(reads[1]));
                    self.program.map2(row.0.name, &row.0.kernel, a, b)
                }
            },
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
                self.program.fold_all(fold, x);
                self.outputs.push(id);
                return;
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

    /// The scatter that a sum takes over, and on which side of the sum it stands.
    fn absorbs(&self, id: Id, reads: &[(Access, Extent)]) -> Option<(Id, usize)> {
        let side = |(access, _): &(Access, Extent)| match *access {
            Access::Inline(x) if self.absorbed.get(&x).is_some_and(|(sum, _)| *sum == id) => {
                Some(x)
            }
            _ => None,
        };
        reads.iter().enumerate().find_map(|(at, read)| side(read).map(|x| (x, at)))
    }

    /// Asks for a soft node that somebody outside reads; folds have asked themselves.
    fn output(&mut self, id: Id) {
        if self.outputs.contains(&id) {
            return;
        }
        let extent = self.planner.home(id).1;
        let mut value = self.values[&(id, extent)];
        if extent == Extent::Full {
            value = self.program.full(value);
        }
        self.program.output(value);
        self.outputs.push(id);
    }
}

/// The scatters that a sum takes over, since nobody else reads them, with that sum and with
/// what they add: the sum then writes one element a row.
fn absorbed(
    planner: &Planner<'_>,
    needed: &[(Id, Extent)],
    resolved: &Resolved,
    targets: &BTreeSet<Id>,
) -> Absorbed {
    let mut readers: HashMap<Id, SmallVec<[Id; 2]>> = HashMap::new();
    for ((reader, _), reads) in resolved {
        for (access, _) in reads {
            if let Access::Inline(x) = *access {
                readers.entry(x).or_default().push(*reader);
            }
        }
    }
    let mut absorbed = Absorbed::new();
    let mut taken = BTreeSet::new();
    // In the order of the nodes, so that equal programs have equal plans.
    for &(id, extent) in needed {
        let lone = readers.get(&id).filter(|readers| readers.len() == 1).map(|r| r[0]);
        let Some(sum) = lone.filter(|_| planner.kind(id) == Kind::Scatter) else { continue };
        let Op::Binary(row) = &planner.node(sum).op else { continue };
        // Of a difference, what is subtracted.
        let subtracts =
            std::ptr::eq(row.0, &SUB) && planner.under(planner.node(sum).inputs[1]) == id;
        let fits = extent == Extent::Full && !targets.contains(&id);
        if fits && (std::ptr::eq(row.0, &ADD) || subtracts) && taken.insert(sum) {
            absorbed.insert(id, (sum, resolved[&(id, extent)][0]));
        }
    }
    absorbed
}
