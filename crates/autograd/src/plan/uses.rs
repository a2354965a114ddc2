//! Uses: which values units produce and use, and what has to be done before.

use super::fusion::Unit;
use super::lower::LoweredKernel;
use super::rewrite::Dag;
use crate::ops::op::Op;
use crate::ops::view::View;
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

/// What units use, themselves or through views.
pub(super) struct Uses {
    /// The values whose memory each unit reads, and those that are requested.
    pub of_units: Vec<Vec<Id>>,
    pub of_roots: Vec<Id>,
    /// The nodes that each unit waits for: values that units produce, and joins.
    pub waits_of_units: Vec<Vec<Id>>,
    /// The views after two nodes, each of which is there when both are: with these.
    pub joins: Vec<(Id, [Id; 2])>,
}

impl Uses {
    pub fn of(dag: &Dag, units: &[Unit<LoweredKernel>]) -> Uses {
        let count = dag.nodes.len();
        let mut produced = vec![false; count];
        for &output in units.iter().flat_map(Unit::outputs) {
            produced[output as usize] = true;
        }
        // From what is known of its inputs follows, for each node, the value whose memory it shows,
        // and the node whose being there it waits for.
        let mut base: Vec<Option<Id>> = Vec::with_capacity(count);
        let mut waits: Vec<Option<Id>> = Vec::with_capacity(count);
        let mut joins = Vec::new();
        for (id, node) in dag.nodes.iter().enumerate() {
            let of = |table: &[Option<Id>], input: usize| table[node.inputs[input] as usize];
            let own = produced[id].then_some(id as Id);
            let (shown, awaited) = match &node.op {
                _ if own.is_some() => (own, own),
                Op::View(View::After) => {
                    let both = [of(&waits, 0), of(&waits, 1)];
                    let awaited = match both {
                        [Some(a), Some(b)] if a != b => {
                            joins.push((id as Id, [a, b]));
                            Some(id as Id)
                        }
                        [a, b] => a.or(b),
                    };
                    (of(&base, 0), awaited)
                }
                Op::View(_) => (of(&base, 0), of(&waits, 0)),
                _ => (None, None),
            };
            base.push(shown);
            waits.push(awaited);
        }
        let found = |table: &[Option<Id>], ids: &[Id]| {
            let mut found: Vec<Id> = ids.iter().filter_map(|&id| table[id as usize]).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        let inputs: Vec<Vec<Id>> = units.iter().map(|unit| unit.inputs(dag)).collect();
        Uses {
            of_units: inputs.iter().map(|ids| found(&base, ids)).collect(),
            of_roots: found(&base, &dag.roots),
            waits_of_units: inputs.iter().map(|ids| found(&waits, ids)).collect(),
            joins,
        }
    }

    /// For each node, the unit that uses it as a value, if nobody else does, and it is not requested.
    pub fn only_users(&self, dag: &Dag) -> Vec<Option<usize>> {
        let (mut uses, mut users) = (vec![0; dag.nodes.len()], vec![None; dag.nodes.len()]);
        for (at, ids) in self.of_units.iter().enumerate() {
            for &id in ids {
                uses[id as usize] += 1;
                users[id as usize] = Some(at);
            }
        }
        for &id in &self.of_roots {
            uses[id as usize] += 1;
        }
        users.into_iter().zip(uses).map(|(user, uses)| user.filter(|_| uses == 1)).collect()
    }
}
