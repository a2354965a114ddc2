//! The teaching view of a graph: what only keeps numbers in range, averages or regroups is folded into
//! named groups, and layers that repeat into one, so that the mathematics stands in front.
//!
//! What is folded is recognized by what ops do, read off their facts and rules, and not by who
//! recorded them.

use std::ops::Range;

use lossgraph_tensor::kernels::ReduceOp;

use crate::graph::{Graph, Group};
use crate::masks::Masks;

/// Some consecutive nodes that are shown as one.
struct Fold {
    name: &'static str,
    /// The first and the last of them.
    range: [usize; 2],
    /// The last node of a shift by the maximum, with which it begins.
    shifted: Option<usize>,
}

impl Fold {
    fn plain((name, range): (&'static str, Range<usize>)) -> Fold {
        Fold { name, range: [range.start, range.end - 1], shifted: None }
    }
}

const SHIFT: &str = "shift by the maximum, so that exp cannot overflow";
const SOFTMAX: &str = "softmax";
const LOG_SOFTMAX: &str = "log-softmax";
const LOG_SUM_EXP: &str = "log-sum-exp";
const MEAN: &str = "mean";
/// What finds nothing to do with the numbers at hand.
pub(crate) const GUARD: &str = "guard, nothing to do";

/// The most boxes of the first level that can be seen at once.
const MANY: usize = 20;

impl Graph {
    /// The same graph with the groups of the teaching view. The scope that the whole program is in
    /// is no group where its inside can be seen at once: it says what the title says.
    pub(crate) fn taught(&self) -> Graph {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let mut graph = self.clone();
        graph.drop_outer_scope();
        let graph = graph.folded().with_repeats();
        match graph.children(None, &all).len() <= MANY {
            true => graph,
            false => self.clone().folded().with_repeats(),
        }
    }

    /// The graph with its folds as groups.
    fn folded(mut self) -> Graph {
        for Fold { name, range: [first, last], shifted } in self.folds() {
            self.enclose(first, last, name);
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
        folds
    }

    /// Widens folds by the nodes before and after that change no number, and folds such a node with
    /// the op that it follows, or else with the one that reads it. A guard that found nothing to do and
    /// that several nodes read is a group of its own, named by what it is.
    fn absorb_silent(&self, folds: &mut Vec<Fold>) {
        let mut all = Vec::new();
        let mut next = std::mem::take(folds).into_iter().peekable();
        let mut at = 0;
        while at < self.nodes.len() {
            let first = at;
            while next.peek().is_none_or(|fold| fold.range[0] != at) && self.leads_silently(at) {
                at += 1;
            }
            let fold = next.next_if(|fold| fold.range[0] == at);
            let name = fold.as_ref().map_or(self.nodes[at].op, |fold| fold.name);
            let mut last = fold.as_ref().map_or(at, |fold| fold.range[1]);
            let is_op = fold.is_some() || !self.nodes[at].inputs.is_empty();
            while is_op
                && last + 1 < self.nodes.len()
                && next.peek().is_none_or(|fold| fold.range[0] != last + 1)
                && self.follows_silently(last, last + 1)
            {
                last += 1;
            }
            let name = if last == first && self.is_idle_guard(at) { GUARD } else { name };
            if last > first || name == GUARD {
                let shifted = fold.and_then(|fold| fold.shifted);
                all.push(Fold { name, range: [first, last], shifted });
            }
            at = last + 1;
        }
        *folds = all;
    }

    /// Whether a node only passes numbers on to the next one, its only reader.
    fn leads_silently(&self, at: usize) -> bool {
        self.is_silent(at)
            && self.reader(at) == Some(at + 1)
            && self.nodes[at].group == self.nodes[at + 1].group
    }

    /// Whether a node only passes on the numbers of the one before it, its only reader.
    fn follows_silently(&self, before: usize, at: usize) -> bool {
        let node = &self.nodes[at];
        self.is_silent(at)
            && node.inputs[0].node == before
            && self.readers(before).count() == 1
            && node.group == self.nodes[before].group
    }

    /// Whether a node passes its only input on: a view, or a guard that found nothing to do.
    pub(crate) fn is_silent(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        node.inputs.len() == 1 && (node.operation.is_transparent() || self.is_idle_guard(at))
    }

    /// Whether a node is a guard that found nothing to do.
    fn is_idle_guard(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let [input] = &node.inputs[..] else { return false };
        let slope_is_1 = input.flow.as_ref().is_some_and(|flow| flow.rule.to_string() == "g");
        slope_is_1 && !node.operation.is_transparent() && self.passes_on(at)
    }

    /// Whether the numbers of a node are those of its first input.
    fn passes_on(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let input = &self.nodes[node.inputs[0].node];
        node.shape == input.shape && node.value.to_f64s() == input.value.to_f64s()
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
        Some(Fold { name, range: [detached, last], shifted: Some(shifted) })
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
mod tests {
    use lossgraph_autograd::{Tape, Var};

    use super::*;

    /// The groups of the teaching view, each with the ops in it.
    fn groups(loss: Var<'_>) -> Vec<(String, Vec<&'static str>)> {
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
    fn masks_that_leave_nothing_out_are_guards_and_others_are_shown() {
        let tape = Tape::f64();
        let masked = |numbers: [f64; 3]| {
            let x = tape.variable(numbers);
            x.ne(f64::NEG_INFINITY).select(x, 0.0).exp().sum(..)
        };
        let of = |numbers| groups(masked(numbers));
        assert_eq!(
            of([1.0, 2.0, 4.0])[0],
            (GUARD.to_owned(), vec!["fill", "ne", "fill", "select"])
        );
        let found = of([1.0, f64::NEG_INFINITY, 4.0]);
        assert!(found.iter().all(|(name, _)| name != GUARD), "{found:?}");
    }

    #[test]
    fn a_choice_that_makes_the_loss_is_no_guard_and_neither_is_a_hinge() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0, 4.0]);
        // Where nothing is cut off, the kink is still what the loss is about.
        assert!(!names(x.relu().square().sum(..)).contains(&GUARD.to_owned()));
        assert!(!names((x / 1.0).exp().sum(..)).contains(&GUARD.to_owned()), "a temperature");
        let [a, b] = [x.square(), x.exp()];
        assert!(!names(x.gt(0.0).select(a, b).sum(..)).contains(&GUARD.to_owned()));
    }

    #[test]
    fn masks_of_two_inputs_are_two_guards() {
        let tape = Tape::f64();
        let [x, y] = [tape.variable([1.0, 2.0]), tape.variable([3.0, 4.0])];
        let is_there = x.ne(f64::NEG_INFINITY);
        let [a, b] = [x, y].map(|each| is_there.select(each, 0.0));
        let found = names((a.exp() * b.sin()).sum(..));
        assert_eq!(found.iter().filter(|name| *name == GUARD).count(), 2, "{found:?}");
    }

    #[test]
    fn views_are_shown_with_what_they_follow() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
        let found = groups(x.exp().reshape([4]).ln().sum(..));
        assert!(found.contains(&("exp".to_owned(), vec!["exp", "reshape"])), "{found:?}");
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
