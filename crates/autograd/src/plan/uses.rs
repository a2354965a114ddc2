//! Uses: which values units produce and use.

use std::collections::BTreeSet;

use super::fusion::Unit;
use super::lower::LoweredKernel;
use super::rewrite::Dag;
use crate::ops::op::Op;
use crate::record::node::Id;

impl Unit<LoweredKernel> {
    fn inputs(&self, dag: &Dag) -> Vec<Id> {
        match self {
            Unit::Standalone(id) => dag.nodes[*id as usize].inputs.to_vec(),
            Unit::Kernel(kernel) => [&kernel.inputs[..], &kernel.indices].concat(),
        }
    }

    pub fn outputs(&self) -> &[Id] {
        match self {
            Unit::Standalone(id) => std::slice::from_ref(id),
            Unit::Kernel(kernel) => &kernel.outputs,
        }
    }
}

/// The values that units use, themselves or through views.
pub(super) struct Uses {
    pub of_units: Vec<BTreeSet<Id>>,
    pub of_roots: BTreeSet<Id>,
}

impl Uses {
    pub fn of(dag: &Dag, units: &[Unit<LoweredKernel>]) -> Uses {
        let mut producer: Vec<Option<usize>> = vec![None; dag.nodes.len()];
        for (at, unit) in units.iter().enumerate() {
            for &output in unit.outputs() {
                producer[output as usize] = Some(at);
            }
        }
        let produced = |ids: Vec<Id>| produced(dag, &producer, ids);
        Uses {
            of_units: units.iter().map(|unit| produced(unit.inputs(dag))).collect(),
            of_roots: produced(dag.roots.clone()),
        }
    }

    /// The unit that uses a value, if nobody else does, and it is not requested.
    pub fn only_user(&self, value: Id) -> Option<usize> {
        let mut users = (0..self.of_units.len()).filter(|&at| self.of_units[at].contains(&value));
        let first = users.next().filter(|_| !self.of_roots.contains(&value));
        first.filter(|_| users.next().is_none())
    }
}

/// The values that units produce, among some nodes and what these look at.
fn produced(dag: &Dag, producer: &[Option<usize>], mut open: Vec<Id>) -> BTreeSet<Id> {
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        match producer[id as usize] {
            Some(_) => {
                found.insert(id);
            }
            None if matches!(dag.nodes[id as usize].op, Op::View(_)) => {
                open.extend(&dag.nodes[id as usize].inputs);
            }
            None => {}
        }
    }
    found
}
