//! The teaching view of a graph: what only keeps numbers in range, averages or regroups is folded into
//! named groups, and layers that repeat into one, so that the mathematics stands in front.
//!
//! What is folded is recognized by what ops do, read off their facts and rules, and not by who
//! recorded them.

use lossgraph_tensor::kernels::ReduceOp;

use crate::graph::{Graph, Group};
use crate::guards::{Fold, GUARD};
use crate::masks::Masks;

const SHIFT: &str = "shift by the maximum, so that exp cannot overflow";
const SOFTMAX: &str = "softmax";
const LOG_SOFTMAX: &str = "log-softmax";
const LOG_SUM_EXP: &str = "log-sum-exp";
const MEAN: &str = "mean";
/// The most boxes of the first level that can be seen at once.
const MANY: usize = 20;

impl Graph {
    /// The same graph with the groups of the teaching view. The scope that the whole program is in
    /// is no group where its inside can be seen at once: it says what the title says. Nothing flows
    /// into what is made of constants alone.
    pub(crate) fn taught(&self) -> Graph {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let mut graph = self.clone();
        graph.drop_outer_scope();
        let graph = graph.folded().with_repeats();
        let graph = match graph.children(None, &all).len() <= MANY {
            true => graph,
            false => self.clone().folded().with_repeats(),
        };
        graph.without_passive_gradients()
    }

    /// The graph without gradients of what no variable is behind.
    fn without_passive_gradients(mut self) -> Graph {
        let passive = self.passive();
        for (node, is_passive) in self.nodes.iter_mut().zip(&passive) {
            node.gradient = node.gradient.take().filter(|_| !is_passive);
            let inputs = node.inputs.iter_mut().filter(|input| passive[input.node]);
            inputs.for_each(|input| input.flow = None);
        }
        self
    }

    /// The graph with its folds as groups.
    fn folded(mut self) -> Graph {
        for Fold { name, range: [first, last], shifted, guards } in self.folds() {
            match guards {
                2.. => self.enclose(first, last, &format!("{guards} guards, nothing to do")),
                _ => self.enclose(first, last, name),
            }
            if let Some(shifted) = shifted.filter(|_| name != SHIFT) {
                let start = self.start_of_shift(first, shifted);
                self.enclose(start, shifted, SHIFT);
            }
        }
        self
    }

    /// Makes a group of some nodes.
    fn enclose(&mut self, first: usize, last: usize, name: &str) {
        let group = self.groups.len();
        let (parent, location) = (self.nodes[first].group, self.nodes[last].location);
        self.groups.push(Group { name: name.to_owned(), parent, location });
        self.nodes[first..=last].iter_mut().for_each(|node| node.group = Some(group));
    }

    /// Where a shift begins in a fold, which may have views before it.
    fn start_of_shift(&self, first: usize, shifted: usize) -> usize {
        let detaches = |&at: &usize| self.nodes[at].operation.stops_gradient();
        (first..=shifted).find(detaches).unwrap_or(first)
    }

    /// Removes the only outermost group, if there is one alone.
    fn drop_outer_scope(&mut self) {
        let mut outer = self.groups.iter().enumerate().filter(|(_, group)| group.parent.is_none());
        let (Some((only, _)), None) = (outer.next(), outer.next()) else { return };
        let without = |group: Option<usize>| match group {
            Some(group) if group == only => None,
            Some(group) if group > only => Some(group - 1),
            other => other,
        };
        self.nodes.iter_mut().for_each(|node| node.group = without(node.group));
        self.groups.iter_mut().for_each(|group| group.parent = without(group.parent));
        self.groups.remove(only);
    }

    /// What is folded: disjoint ranges, each inside of one group.
    fn folds(&self) -> Vec<Fold> {
        let mut folds: Vec<Fold> = Vec::new();
        let mut taken = vec![false; self.nodes.len()];
        let masks = Masks::of(self);
        let found = |at: usize| {
            self.shift(at).or_else(|| self.mean(at)).or_else(|| masks.mean(at).map(Fold::plain))
        };
        for fold in (0..self.nodes.len()).filter_map(found) {
            let [first, last] = fold.range;
            let inside = self.nodes[first].group;
            let is_whole = (first..=last).all(|at| self.nodes[at].group == inside && !taken[at]);
            if is_whole {
                taken[first..=last].fill(true);
                folds.push(fold);
            }
        }
        let idle = masks.idle(&taken).into_iter();
        folds.extend(idle.map(|run| Fold::plain((GUARD, run))));
        folds.sort_by_key(|fold| fold.range);
        self.absorb_silent(&mut folds);
        self.gather_guards(folds)
    }

    /// The only reader of a node.
    pub(crate) fn reader(&self, at: usize) -> Option<usize> {
        let mut readers = self.readers(at);
        let only = readers.next()?.0;
        readers.next().is_none().then_some(only)
    }

    /// The nodes that a maximum without a gradient begins, which is subtracted before an exponential:
    /// as far as they are consecutive and known by a name.
    fn shift(&self, detached: usize) -> Option<Fold> {
        self.nodes[detached].operation.stops_gradient().then_some(())?;
        let x = self.nodes[detached].inputs[0].node;
        let max = self.reader(detached)?;
        (self.nodes[max].operation.facts().reduces == Some(ReduceOp::Max)).then_some(())?;
        // The maximum goes on through what keeps it finite and through broadcasts.
        let mut chain = vec![max];
        let mut difference = None;
        for at in max + 1..self.nodes.len() {
            let node = &self.nodes[at];
            let Some(first) = node.inputs.first() else { continue };
            if node.inputs.len() == 1 && chain.contains(&first.node) && self.keeps_maximum(at) {
                chain.push(at);
            } else if node.inputs.len() == 2
                && first.node == x
                && chain.contains(&node.inputs[1].node)
            {
                difference = Some(at);
                break;
            }
        }
        let shifted = difference?;
        let (name, last) = self.after_shift(shifted, &chain).unwrap_or((SHIFT, shifted));
        Some(Fold { shifted: Some(shifted), ..Fold::over(name, [detached, last]) })
    }

    fn keeps_maximum(&self, at: usize) -> bool {
        self.nodes[at].operation.is_transparent() || self.passes_on(at)
    }

    /// What is made of shifted numbers, if it is one of the usual, and its last node.
    fn after_shift(&self, shifted: usize, chain: &[usize]) -> Option<(&'static str, usize)> {
        let through = |mut at: usize| {
            while let Some(next) = self.reader(at).filter(|&next| self.is_silent(next)) {
                at = next;
            }
            at
        };
        let exp = self.readers(shifted).map(|(reader, _)| reader).next()?;
        self.nodes[exp].operation.is_smooth_map().then_some(())?;
        let sum = self.readers(exp).map(|(reader, _)| reader).next()?;
        self.nodes[sum].operation.is_sum().then_some(())?;
        let total = through(sum);
        let user = self.reader(total)?;
        let [first, second] = match &self.nodes[user].inputs[..] {
            [only] => [only.node, only.node],
            [first, second] => [first.node, second.node],
            _ => return None,
        };
        if self.nodes[user].operation.is_quotient() {
            return (first == exp && second == total).then_some((SOFTMAX, user));
        }
        // A logarithm: the maximum comes back, or the shifted numbers are taken less it.
        self.nodes[user].operation.is_smooth_map().then_some(())?;
        let log = through(user);
        let last = self.reader(log)?;
        let [first, second] = &self.nodes[last].inputs[..] else { return None };
        match (first.node, second.node) {
            (a, b) if a == log && chain.contains(&b) => Some((LOG_SUM_EXP, last)),
            (a, b) if a == shifted && b == log => Some((LOG_SOFTMAX, last)),
            _ => None,
        }
    }

    /// A sum that is divided by the number of its terms.
    fn mean(&self, sum: usize) -> Option<Fold> {
        self.nodes[sum].operation.is_sum().then_some(())?;
        let mut total = sum;
        let quotient = loop {
            let next = self.reader(total)?;
            if self.nodes[next].operation.is_quotient() {
                break next;
            }
            self.is_silent(next).then_some(())?;
            total = next;
        };
        let [dividend, divisor] = &self.nodes[quotient].inputs[..] else { return None };
        let count = self.nodes[divisor.node].operation.constant()?;
        let terms = self.nodes[self.nodes[sum].inputs[0].node].shape.numel();
        let is_mean = count * self.nodes[sum].shape.numel() as f64 == terms as f64;
        (dividend.node == total && is_mean).then(|| Fold::plain((MEAN, sum..quotient + 1)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use lossgraph_autograd::{Tape, Var};

    use super::*;

    /// The groups of the teaching view, each with the ops in it.
    pub(crate) fn groups(loss: Var<'_>) -> Vec<(String, Vec<&'static str>)> {
        let graph = Graph::of(loss).unwrap().taught();
        let members = |group: usize| {
            let inside = graph.nodes.iter().filter(move |node| node.group == Some(group));
            inside.map(|node| node.op).collect()
        };
        let each = graph.groups.iter().enumerate();
        each.map(|(at, group)| (group.name.clone(), members(at))).collect()
    }

    fn names(loss: Var<'_>) -> Vec<String> {
        groups(loss).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_shifted_before_an_exponential_is_one_group() {
        let tape = Tape::f64();
        let x = || tape.variable([[1.0, 2.0, 0.5]]);
        let w = tape.constant([[1.0, -1.0, 2.0]]);
        assert!(names((x().softmax(1) * w).sum(..)).contains(&SOFTMAX.to_owned()));
        assert!(names((x().log_softmax(1) * w).sum(..)).contains(&LOG_SOFTMAX.to_owned()));
        assert_eq!(names(x().log_sum_exp(1).sum(..))[..2], [LOG_SUM_EXP, SHIFT]);
        let own = (x() - x().detach()).exp().sum(..);
        assert!(!names(own).contains(&SHIFT.to_owned()), "nothing is a maximum there");
    }

    #[test]
    fn a_sum_over_its_count_is_a_mean_and_another_quotient_is_none() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0, 4.0]);
        assert_eq!(names(x.square().mean(..)), [MEAN]);
        assert!(!names(x.square().sum(..) / 2.0).contains(&MEAN.to_owned()));
    }

    /// What a mean of terms with a mask records, by hand.
    fn mean_of_those_that_count<'t>(terms: Var<'t>, counts: Var<'t>) -> Var<'t> {
        let (total, count) = (counts.select(terms, 0.0).sum(..), counts.sum(..));
        let is_nothing = count.eq(0.0);
        is_nothing.select(f64::NAN, total / is_nothing.select(1.0, count))
    }

    #[test]
    fn a_sum_over_the_number_of_those_that_count_is_a_mean() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0, 4.0]);
        let found = groups(mean_of_those_that_count(x.square(), x.gt(1.5)));
        let (name, members) = &found[0];
        assert_eq!(name, "mean over the terms that count");
        assert!(members.contains(&"div") && !members.contains(&"square"), "{found:?}");
        let weight = tape.constant([1.0, 0.5, 2.0]);
        let total = weight.sum(..);
        let guarded = total.eq(0.0).select(1.0, total);
        let weighted = (x.square() * weight).sum(..) / guarded;
        assert!(names(weighted).contains(&"weighted mean".to_owned()), "{:?}", names(weighted));
        // A quotient whose divisor is no count is what it is.
        let ratio = x.sum(..) / x.prod(..).eq(0.0).select(1.0, x.prod(..));
        assert!(!names(ratio).iter().any(|name| name.contains("mean")));
    }

    #[test]
    fn nothing_flows_into_what_is_made_of_constants() {
        let tape = Tape::f64();
        let (x, counts) = (tape.variable([1.0, 2.0]), tape.constant([3.0, 4.0]));
        let loss = (x * counts.sqrt()).sum(..);
        let has_gradient = |graph: &Graph| -> Vec<bool> {
            graph.nodes.iter().map(|node| node.gradient.is_some()).collect()
        };
        let graph = Graph::of(loss).unwrap();
        assert_eq!(has_gradient(&graph), [true; 6]);
        assert_eq!(has_gradient(&graph.taught()), [true, false, false, true, true, true]);
        // Where all are constants, none is left out.
        let graph = Graph::of((counts * 2.0).sum(..)).unwrap();
        assert_eq!(has_gradient(&graph), has_gradient(&graph.taught()));
    }

    #[test]
    fn the_scope_around_everything_is_no_group() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        assert!(!names(tape.scope("loss", || x.exp().sum(..))).contains(&"loss".to_owned()));
        let two = tape.scope("a", || x.exp()).sum(..) + tape.scope("b", || x.sin()).sum(..);
        assert_eq!(names(two)[..2], ["a", "b"]);
    }
}
