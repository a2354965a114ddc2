//! Views and guards: what passes numbers on. The teaching view folds it with the ops that it serves.

use std::ops::Range;

use crate::graph::Graph;

/// Some consecutive nodes that are shown as one.
pub(crate) struct Fold {
    /// What they are together.
    pub name: &'static str,
    /// The first and the last of them.
    pub range: [usize; 2],
    /// The last node of a shift by the maximum, with which it begins.
    pub shifted: Option<usize>,
    /// How many guards in a row it is, if it is guards.
    pub guards: usize,
}

impl Fold {
    pub fn plain((name, range): (&'static str, Range<usize>)) -> Fold {
        Fold::over(name, [range.start, range.end - 1])
    }

    pub fn over(name: &'static str, range: [usize; 2]) -> Fold {
        Fold { name, range, shifted: None, guards: usize::from(name == GUARD) }
    }
}

/// What finds nothing to do with the numbers at hand.
pub(crate) const GUARD: &str = "guard, nothing to do";

/// Whether a group of a name is of guards that found nothing to do.
pub(crate) fn is_idle(name: &str) -> bool {
    name.ends_with("nothing to do")
}

impl Graph {
    /// Guards that found nothing to do, out of the way: one that keeps what the op before it gives, or
    /// what only the op after it takes, is folded with that op, and those in a row are one.
    pub(crate) fn gather_guards(&self, folds: Vec<Fold>) -> Vec<Fold> {
        let mut all: Vec<Fold> = Vec::new();
        let mut next = folds.into_iter().peekable();
        while let Some(mut fold) = next.next() {
            let [first, last] = fold.range;
            let is_guard = fold.guards > 0;
            let earlier = all.last_mut().filter(|earlier| earlier.range[1] + 1 == first);
            let follows_guards = earlier.as_ref().is_some_and(|earlier| earlier.guards > 0);
            if is_guard && !follows_guards && first > 0 && self.keeps(first - 1, fold.range) {
                match earlier {
                    Some(earlier) => earlier.range[1] = last,
                    None => all.push(Fold::over(self.nodes[first - 1].op, [first - 1, last])),
                }
                continue;
            }
            let joins = |guards: &mut Fold| {
                let is_read_here = is_guard || self.serves(guards.range, fold.range);
                follows_guards && self.is_beside(first - 1) && is_read_here
            };
            if let Some(guards) = all.pop_if(joins) {
                fold.range[0] = guards.range[0];
                fold.guards += if is_guard { guards.guards } else { 0 };
            }
            let is_free = next.peek().is_none_or(|later| later.range[0] != last + 1);
            if is_guard && is_free && self.serves(fold.range, [last + 1; 2]) {
                fold = Fold::over(self.nodes[last + 1].op, [fold.range[0], last + 1]);
            }
            all.push(fold);
        }
        all
    }

    /// Whether a node and the next one are in the same group.
    fn is_beside(&self, at: usize) -> bool {
        self.nodes.get(at + 1).is_some_and(|next| next.group == self.nodes[at].group)
    }

    /// Whether a guard keeps what the op before it gives, and nobody else reads that.
    fn keeps(&self, op: usize, [first, last]: [usize; 2]) -> bool {
        let (node, kept) = (&self.nodes[op], &self.nodes[last]);
        !node.inputs.is_empty()
            && self.is_beside(op)
            && self.readers(op).all(|(reader, _)| (first..=last).contains(&reader))
            && (node.shape == kept.shape && node.value.to_f64s() == kept.value.to_f64s())
    }

    /// Whether what guards give is read by the ops right after them alone.
    fn serves(&self, [first, last]: [usize; 2], [start, end]: [usize; 2]) -> bool {
        let is_read_there = |(reader, _)| (first..=end).contains(&reader);
        start == last + 1
            && self.is_beside(last)
            && (first..=last).all(|at| self.readers(at).all(is_read_there))
    }

    /// Widens folds by the nodes before and after that change no number, and folds such a node with
    /// the op that it follows, or else with the one that reads it. A guard that found nothing to do and
    /// that several nodes read is a group of its own, named by what it is.
    pub(crate) fn absorb_silent(&self, folds: &mut Vec<Fold>) {
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
                all.push(Fold { shifted, ..Fold::over(name, [first, last]) });
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
    pub(crate) fn passes_on(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let input = &self.nodes[node.inputs[0].node];
        node.shape == input.shape && node.value.to_f64s() == input.value.to_f64s()
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Tape, Var};

    use super::*;
    use crate::teaching::tests::groups;

    fn names(loss: Var<'_>) -> Vec<String> {
        groups(loss).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn masks_that_leave_nothing_out_are_guards_and_others_are_shown() {
        let tape = Tape::f64();
        let masked = |numbers: [f64; 3]| {
            let x = tape.variable(numbers);
            x.ne(f64::NEG_INFINITY).select(x, 0.0).exp().sum(..)
        };
        let of = |numbers| groups(masked(numbers));
        // The guard is folded with the op that reads it.
        assert_eq!(
            of([1.0, 2.0, 4.0])[0],
            ("exp".to_owned(), vec!["fill", "ne", "fill", "select", "exp"])
        );
        let found = of([1.0, f64::NEG_INFINITY, 4.0]);
        assert!(found.iter().all(|(name, _)| name != "exp"), "{found:?}");
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
    fn guards_are_folded_with_the_op_beside_them_and_those_in_a_row_are_one() {
        let tape = Tape::f64();
        let input = || tape.variable([1.0, 2.0]);
        fn kept(x: Var<'_>) -> Var<'_> {
            x.ne(f64::NEG_INFINITY).select(x, 0.0)
        }
        let [x, y] = [input(), input()];
        let [a, b] = [kept(x), kept(y)];
        let found = groups((a * b + a).sum(..));
        assert_eq!(found[0].0, "2 guards, nothing to do", "{found:?}");
        assert_eq!(found.iter().filter(|(name, _)| is_idle(name)).count(), 1, "{found:?}");
        // What only the next op reads, and what keeps the op before.
        for loss in [kept(input()).exp().sum(..), kept(input().exp()).sum(..) + 0.0] {
            let found = groups(loss);
            assert!(found.iter().all(|(name, _)| !is_idle(name)), "{found:?}");
            assert_eq!(found[0].0, "exp");
        }
    }

    #[test]
    fn views_are_shown_with_what_they_follow() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
        let found = groups(x.exp().reshape([4]).ln().sum(..));
        assert!(found.contains(&("exp".to_owned(), vec!["exp", "reshape"])), "{found:?}");
    }
}
