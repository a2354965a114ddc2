//! The terms of a loss of pairs, triplets or proxies, in parts that are reduced each by itself.

use lossgraph_autograd::Var;

use crate::terms::{Reduction, Terms, ratio};

/// The terms of a loss in parts, such as those of positive and of negative pairs. Each part is
/// reduced by itself, and the results are added.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Parts, Reduction, Terms};
/// let tape = Tape::f64();
/// let [near, far] = [[0.0, 3.0], [0.0, 1.0]].map(|terms| Terms::new(tape.constant(terms)));
/// let parts = Parts::from(near).and(far);
/// assert_eq!(parts.mean().item()?, 2.0); // 3/2 + 1/2
/// assert_eq!(parts.reduce(Reduction::NonZeroMean).item()?, 4.0); // 3/1 + 1/1
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "parts are not a loss yet: reduce them, by .mean() for one"]
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
    /// Terms of one kind, for which [`Reduction::Divisor`] divides by `divisor`, a number.
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

    /// The sum of what the parts are reduced to. By [`Reduction::None`] they are added as they are.
    #[track_caller]
    pub fn reduce(&self, reduction: Reduction) -> Var<'t> {
        // A loop, since a closure would not know who called.
        let mut sum = self.first.reduce(reduction);
        for part in &self.others {
            sum += part.reduce(reduction);
        }
        sum
    }

    /// The sum of the means of the parts, where a part without terms is 0:
    /// [`Reduction::MeanOrZero`].
    #[track_caller]
    pub fn mean(&self) -> Var<'t> {
        self.reduce(Reduction::MeanOrZero)
    }

    /// The sum of all terms.
    #[track_caller]
    pub fn sum(&self) -> Var<'t> {
        self.reduce(Reduction::Sum)
    }

    /// The parts as a single term, reduced: what a loss gives whose terms have no order that a
    /// batch could keep.
    #[track_caller]
    pub fn term(&self, reduction: Reduction) -> Terms<'t> {
        Terms::new(self.reduce(reduction))
    }
}

impl<'t> Part<'t> {
    #[track_caller]
    fn reduce(self, reduction: Reduction) -> Var<'t> {
        match (reduction, self.divisor) {
            (Reduction::Divisor, Some(divisor)) => ratio(self.terms.sum(), divisor),
            _ => self.terms.reduce(reduction),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    #[test]
    fn parts_are_reduced_each_by_itself() {
        let tape = Tape::f64();
        let [a, b] = [[2.0, 0.0], [4.0, 6.0]].map(|x| Terms::new(tape.constant(x)));
        let parts = Parts::from(a).and(Parts::divided(b, tape.constant(5.0)));
        let reduced = |reduction| parts.reduce(reduction).item().unwrap();
        assert_eq!(reduced(Reduction::Mean), 1.0 + 5.0);
        assert_eq!(reduced(Reduction::NonZeroMean), 2.0 + 5.0);
        assert_eq!(reduced(Reduction::Sum), 12.0);
        assert_eq!(reduced(Reduction::Divisor), 1.0 + 2.0);
    }

    #[test]
    fn a_part_without_terms_is_0_in_the_mean_of_all() {
        let tape = Tape::f64();
        let terms = Terms::new(tape.constant([2.0, 4.0]));
        let nothing = terms.masked(tape.constant([0.0, 0.0]));
        assert_eq!(Parts::from(terms).and(nothing).mean().item().unwrap(), 3.0);
        let strict = Parts::from(terms).and(nothing).reduce(Reduction::Mean);
        assert!(strict.item().unwrap().is_nan());
    }

    #[test]
    fn the_term_of_parts_has_them_as_its_mean() {
        let tape = Tape::f64();
        let x = tape.variable([2.0, 4.0, 0.0]);
        let term = Parts::from(Terms::new(x)).term(Reduction::NonZeroMean);
        let gradients = term.mean().backward().unwrap();
        assert_eq!(gradients.loss(), 3.0);
        assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.5, 0.5, 0.0]);
    }
}
