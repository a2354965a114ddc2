//! How the terms of pairs, triplets or proxies become one number.

use lossgraph_autograd::Var;

use crate::terms::Terms;

/// How terms become one number. Unlike [`Terms::mean`], each of these is 0, with slope 0, over
/// nothing: a batch without a pair teaches nothing.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Reducer, Terms};
/// let tape = Tape::f64();
/// let terms = Terms::new(tape.constant([0.0, 3.0, 0.0, 1.0]));
/// assert_eq!(Reducer::Mean.of(terms).item()?, 1.0);
/// assert_eq!(Reducer::NonZeroMean.of(terms).item()?, 2.0);
/// assert_eq!(Reducer::Sum.of(terms).item()?, 4.0);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reducer {
    /// The sum divided by the number of terms, each as often as it counts.
    #[default]
    #[doc(alias = "MeanReducer")]
    Mean,
    /// The mean of the terms above 0: those that still teach something.
    #[doc(alias = "AvgNonZeroReducer")]
    NonZeroMean,
    /// The sum.
    #[doc(alias = "SumReducer")]
    Sum,
    /// The sum divided by what the loss says; the mean, for a loss that says nothing.
    #[doc(alias = "DivisorReducer")]
    Divisor,
}

impl Reducer {
    /// The terms as one number.
    #[track_caller]
    pub fn of<'t>(self, terms: Terms<'t>) -> Var<'t> {
        Parts::from(terms).reduce(self)
    }
}

/// The terms of a loss in parts, such as those of positive and of negative pairs. Each part is
/// reduced by itself, and the results are added.
#[derive(Clone, Debug)]
pub struct Parts<'t> {
    first: Part<'t>,
    others: Vec<Part<'t>>,
}

#[derive(Clone, Copy, Debug)]
struct Part<'t> {
    terms: Terms<'t>,
    divisor: Option<Var<'t>>,
}

impl<'t> From<Terms<'t>> for Parts<'t> {
    fn from(terms: Terms<'t>) -> Parts<'t> {
        Parts { first: Part { terms, divisor: None }, others: Vec::new() }
    }
}

impl<'t> Parts<'t> {
    /// Terms of one kind, for which [`Reducer::Divisor`] divides by `divisor`, a number.
    pub fn divided(terms: Terms<'t>, divisor: Var<'t>) -> Parts<'t> {
        Parts { first: Part { terms, divisor: Some(divisor) }, others: Vec::new() }
    }

    /// These parts and those of `others`.
    pub fn and(mut self, others: impl Into<Parts<'t>>) -> Parts<'t> {
        let Parts { first, others } = others.into();
        self.others.push(first);
        self.others.extend(others);
        self
    }

    /// The sum of what the parts are reduced to.
    #[track_caller]
    pub fn reduce(&self, reducer: Reducer) -> Var<'t> {
        let others = self.others.iter().map(|part| part.reduce(reducer));
        others.fold(self.first.reduce(reducer), |sum, part| sum + part)
    }
}

impl<'t> Part<'t> {
    #[track_caller]
    fn reduce(self, reducer: Reducer) -> Var<'t> {
        let each = self.terms.unreduced();
        let count = self.terms.counts();
        match (reducer, self.divisor) {
            (Reducer::Sum, _) => each.sum(..),
            (Reducer::NonZeroMean, _) => {
                let above = each.gt(0.0);
                ratio(above.select(each, 0.0).sum(..), above.select(count, 0.0).sum(..))
            }
            (Reducer::Divisor, Some(divisor)) => ratio(each.sum(..), divisor),
            (Reducer::Mean | Reducer::Divisor, _) => ratio(each.sum(..), count.sum(..)),
        }
    }
}

/// `sum / count`, where a count of 0 comes with a sum of 0, which it stays.
#[track_caller]
pub(super) fn ratio<'t>(sum: Var<'t>, count: Var<'t>) -> Var<'t> {
    sum / count.eq(0.0).select(1.0, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    const ALL: [Reducer; 4] = [Reducer::Mean, Reducer::NonZeroMean, Reducer::Sum, Reducer::Divisor];

    #[test]
    fn nothing_is_reduced_to_0_with_slope_0() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        let terms = Terms::new(x).masked(tape.constant([0.0, 0.0]));
        for reducer in ALL {
            let gradients = reducer.of(terms).backward().unwrap();
            assert_eq!(gradients.loss(), 0.0, "{reducer:?}");
            assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.0, 0.0], "{reducer:?}");
        }
    }

    #[test]
    fn parts_are_reduced_each_by_itself() {
        let tape = Tape::f64();
        let [a, b] = [[2.0, 0.0], [4.0, 6.0]].map(|x| Terms::new(tape.constant(x)));
        let parts = Parts::from(a).and(Parts::divided(b, tape.constant(5.0)));
        let reduced = ALL.map(|reducer| parts.reduce(reducer).item().unwrap());
        assert_eq!(reduced, [1.0 + 5.0, 2.0 + 5.0, 12.0, 1.0 + 2.0]);
    }
}
