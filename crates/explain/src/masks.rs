//! Masks: means over the terms that count, and masks that leave nothing out. The teaching view folds
//! both, since neither is what a loss is about.

use std::ops::Range;

use crate::graph::{Graph, Input};

/// A mean whose terms count 1 or 0.
const MASKED_MEAN: &str = "mean over the terms that count";
/// One whose terms count by weights.
const WEIGHTED_MEAN: &str = "weighted mean";

/// A graph, and through which of its nodes no gradient flows to data: constants of the program, masks,
/// counts.
pub(crate) struct Masks<'g> {
    graph: &'g Graph,
    is_free: Vec<bool>,
}

impl<'g> Masks<'g> {
    pub(crate) fn of(graph: &'g Graph) -> Masks<'g> {
        let mut is_free: Vec<bool> = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            let operation = &node.operation;
            is_free.push(match operation.op() {
                None => operation.constant().is_some() || !node.value.dtype().is_float(),
                Some(op) => {
                    let mut inputs = node.inputs.iter().enumerate();
                    inputs.all(|(i, input)| !op.is_differentiable_in(i) || is_free[input.node])
                }
            });
        }
        Masks { graph, is_free }
    }

    /// A sum that is divided by a count, which is guarded against 0: `Σ x / (n if n ≠ 0, else 1)`, with
    /// what makes the count, and what the mean of nothing is. Its name, and its nodes.
    pub(crate) fn mean(&self, quotient: usize) -> Option<(&'static str, Range<usize>)> {
        self.graph.nodes[quotient].operation.is_quotient().then_some(())?;
        let [dividend, divisor] = self.inputs(quotient)?;
        let (is_nothing, count) = self.guarded(divisor)?;
        let (total, counted) = (self.sum_behind(dividend)?, self.sum_behind(count)?);
        let of_nothing = self
            .graph
            .readers(quotient)
            .map(|(reader, _)| reader)
            .find(|&reader| self.guarded(reader) == Some((is_nothing, quotient)));
        let last = of_nothing.unwrap_or(quotient);
        // What is reduced to one number already, has a mean of one term.
        let last = self.mean_of_one(last).unwrap_or(last);
        let group = self.graph.nodes[last].group;
        let mut first = total.min(counted);
        let is_ours = |at: usize, first: usize| {
            let serves = self.graph.readers(at).all(|(reader, _)| (first..=last).contains(&reader));
            serves && self.graph.nodes[at].group == group
        };
        (first..last).all(|at| is_ours(at, first)).then_some(())?;
        let is_mask = |at: usize| self.is_choice(at) || self.is_free[at];
        while first > 0 && is_ours(first - 1, first) && is_mask(first - 1) {
            first -= 1;
        }
        let counts = self.graph.nodes[self.graph.nodes[counted].inputs[0].node].value.to_f64s();
        let is_masked = counts.iter().all(|&count| count == 0.0 || count == 1.0);
        Some((if is_masked { MASKED_MEAN } else { WEIGHTED_MEAN }, first..last + 1))
    }

    fn mean_of_one(&self, at: usize) -> Option<usize> {
        let reader = self.graph.reader(at)?;
        self.graph.nodes[reader].operation.is_quotient().then_some(())?;
        let [dividend, divisor] = self.inputs(reader)?;
        let is_one = self.graph.nodes[divisor].operation.constant() == Some(1.0);
        (dividend == at && is_one).then_some(reader)
    }

    /// Runs of nodes that only pass on numbers of one input: choices whose masks leave nothing out,
    /// products with masks of ones, and what makes these. `taken` says which nodes are folded already,
    /// and masks that these read may be in a run as well.
    pub(crate) fn idle(&self, taken: &[bool]) -> Vec<Range<usize>> {
        let carried: Vec<Option<usize>> =
            (0..self.graph.nodes.len()).map(|at| self.passed_on_by_mask(at)).collect();
        let serves = self.serving(|reader| taken[reader] || carried[reader].is_some());
        let mut runs = Vec::new();
        let mut first = 0;
        while first < self.graph.nodes.len() {
            let mut before = None;
            let mut is_masked = false;
            let mut stop = self.graph.nodes.len();
            for at in first..self.graph.nodes.len() {
                let is_inside =
                    self.graph.nodes[at].group == self.graph.nodes[first].group && !taken[at];
                let passes = carried[at].or_else(|| {
                    self.graph.is_silent(at).then(|| self.graph.nodes[at].inputs[0].node)
                });
                match passes.filter(|_| !serves[at]) {
                    _ if !is_inside => {
                        stop = at;
                        break;
                    }
                    Some(input) if before.is_none_or(|before| before == input) => {
                        before = Some(at);
                        is_masked |= carried[at].is_some();
                    }
                    None if serves[at] => {}
                    _ => {
                        stop = at;
                        break;
                    }
                }
            }
            match before.filter(|_| is_masked) {
                Some(last) => {
                    runs.push(first..last + 1);
                    first = last + 1;
                }
                // One that begins before the last node that passes something on stops there as well; so
                // no node is looked at more than twice.
                None => first = before.map_or(stop.max(first + 1), |last| last + 1),
            }
        }
        runs
    }

    /// Which nodes only make masks and ones for nodes that `is_served`: no gradient flows through them,
    /// or none comes to them.
    fn serving(&self, is_served: impl Fn(usize) -> bool) -> Vec<bool> {
        let count = self.graph.nodes.len();
        let (mut serves, mut is_reached) = (vec![false; count], vec![false; count]);
        for at in (0..count).rev() {
            let operation = &self.graph.nodes[at].operation;
            is_reached[at] = at + 1 == count
                || self.graph.readers(at).any(|(reader, slot)| {
                    let op = self.graph.nodes[reader].operation.op();
                    is_reached[reader] && op.is_some_and(|op| op.is_differentiable_in(slot))
                });
            serves[at] = (self.is_free[at] || !is_reached[at])
                && (operation.constant().is_some() || operation.op().is_some())
                && self.graph.readers(at).all(|(reader, _)| serves[reader] || is_served(reader));
        }
        serves
    }

    /// The input that a node with a mask passes on unchanged, and with slope 1.
    fn passed_on_by_mask(&self, at: usize) -> Option<usize> {
        let node = &self.graph.nodes[at];
        // A constant of the program, such as a temperature of 1, is no mask.
        let is_constant =
            |input: &Input| self.graph.nodes[input.node].operation.constant().is_some();
        let is_masked = self.is_choice(at)
            || node.operation.is_arithmetic() && !node.inputs.iter().any(is_constant);
        let mut moving = node.inputs.iter().filter(|input| !self.is_free[input.node]);
        let (input, None) = (moving.next().filter(|_| is_masked)?, moving.next()) else {
            return None;
        };
        let passed = &self.graph.nodes[input.node];
        let slope_is_1 = match (&input.flow, &node.gradient) {
            (Some(flow), Some(gradient)) => flow.value.to_f64s() == gradient.to_f64s(),
            (flow, gradient) => flow.is_none() && gradient.is_none(),
        };
        let is_same = passed.shape == node.shape && passed.value.to_f64s() == node.value.to_f64s();
        (is_same && slope_is_1).then_some(input.node)
    }

    /// A choice between a constant and another node: its condition, and that node.
    fn guarded(&self, at: usize) -> Option<(usize, usize)> {
        self.is_choice(at).then_some(())?;
        let [condition, a, b] = self.inputs(at)?;
        let is_constant = |at: usize| self.graph.nodes[at].operation.constant().is_some();
        match (is_constant(a), is_constant(b)) {
            (true, false) => Some((condition, b)),
            (false, true) => Some((condition, a)),
            _ => None,
        }
    }

    /// The sum that a node passes on.
    fn sum_behind(&self, mut at: usize) -> Option<usize> {
        while self.graph.is_silent(at) {
            at = self.graph.nodes[at].inputs[0].node;
        }
        self.graph.nodes[at].operation.is_sum().then_some(at)
    }

    /// Whether a node takes each element from one of two others, by a mask.
    fn is_choice(&self, at: usize) -> bool {
        self.graph.nodes[at].inputs.len() == 3 && self.graph.nodes[at].operation.is_choice()
    }

    fn inputs<const N: usize>(&self, at: usize) -> Option<[usize; N]> {
        let inputs: Vec<usize> =
            self.graph.nodes[at].inputs.iter().map(|input| input.node).collect();
        inputs.try_into().ok()
    }
}
