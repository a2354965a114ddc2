//! Numerical hazards: nodes where a loss is about to go wrong, or has, on the values at hand.

mod flat;
mod range;

use std::fmt;

use crate::graph::{Graph, Node};
use crate::number::index_text;
use crate::operation::Operation;

/// A numerical hazard of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Hazard {
    /// The node.
    pub node: usize,
    /// What can go wrong there.
    pub kind: HazardKind,
    /// The elements of its value, counted row by row; for [`HazardKind::NonFiniteGradient`] those of
    /// the input that the gradient belongs to.
    pub elements: Vec<usize>,
    /// A sentence that says it, with numbers.
    pub text: String,
}

/// What can go wrong in a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HazardKind {
    /// A gradient comes back to a point where the op has no derivative.
    Kink,
    /// The op is flat here and around: less than 10⁻⁶ of a gradient comes through, counted for a
    /// relative change of the input where that is above 1. Also a share of a sum, as in a softmax,
    /// within 10⁻⁶ of 1.
    Saturation,
    /// Infinity or NaN, from finite numbers.
    Overflow,
    /// 0, from numbers for which the op has no zero.
    Underflow,
    /// A gradient of infinity or NaN, from finite numbers.
    NonFiniteGradient,
    /// Finite here in `f64`; infinite in `f32`, in which models are trained.
    F32Overflow,
    /// A sum or difference of rounded numbers that keeps less than half of their digits.
    Cancellation,
}

/// What lies between the leaves and a node.
struct History {
    /// Whether a gradient can flow from it to a variable or a parameter.
    varies: bool,
    /// Whether its value has been rounded on its way from the leaves.
    rounded: bool,
}

impl Graph {
    /// The hazards of all nodes, on the values at hand.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::{Graph, HazardKind};
    /// let tape = Tape::f64();
    /// let x = tape.variable([2.0, 0.0]);
    /// let hazards = Graph::of(x.relu().sum(..))?.hazards();
    /// assert_eq!((hazards[0].kind, &hazards[0].elements[..]), (HazardKind::Kink, &[1][..]));
    /// assert_eq!(hazards[0].text, "relu has no derivative at x = 0, as in [1]: the left slope");
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn hazards(&self) -> Vec<Hazard> {
        let history = self.history();
        (0..self.nodes.len())
            .filter(|&at| !self.nodes[at].inputs.is_empty())
            .flat_map(|at| {
                let found = [
                    self.kink(at, &history),
                    self.saturation(at, &history),
                    self.overflow(at),
                    self.underflow(at),
                    self.non_finite_gradient(at),
                    self.f32_overflow(at),
                    self.cancellation(at, &history),
                ];
                found.into_iter().flatten()
            })
            .collect()
    }

    /// What lies between the leaves and each node.
    fn history(&self) -> Vec<History> {
        let mut history: Vec<History> = Vec::with_capacity(self.nodes.len());
        for Node { operation, inputs, .. } in &self.nodes {
            let varies = inputs.iter().any(|input| history[input.node].varies);
            let first = inputs.first().map(|input| &history[input.node]);
            history.push(History {
                varies: matches!(operation, Operation::Variable)
                    || varies && !operation.stops_gradient(),
                rounded: first.is_some_and(|first| first.rounded || !operation.facts().exact),
            });
        }
        history
    }

    /// For each element of a node, whether a predicate holds for all that it is computed from: the
    /// same elements of its inputs, or all of an input of another shape.
    pub(crate) fn all_operands(&self, at: usize, is: impl Fn(f64) -> bool) -> Vec<bool> {
        let node = &self.nodes[at];
        let mut all = vec![true; node.shape.numel()];
        for operand in node.inputs.iter().map(|input| &self.nodes[input.node]) {
            let mut x = operand.value.to_f64s().into_iter().map(&is);
            if operand.shape == node.shape {
                all.iter_mut().zip(x).for_each(|(all, is)| *all &= is);
            } else if !x.all(|is| is) {
                all.fill(false);
            }
        }
        all
    }

    /// A hazard of some elements, with a sentence on the first one.
    fn hazard(
        &self,
        node: usize,
        kind: HazardKind,
        elements: impl Iterator<Item = usize>,
        text: impl Fn(usize) -> String,
    ) -> Option<Hazard> {
        let elements: Vec<usize> = elements.collect();
        let first = *elements.first()?;
        let mut text = text(first);
        let shape = &self.nodes[node].shape;
        if shape.rank() > 0 {
            text += &format!(", in {}", index_text(first, shape));
        }
        if elements.len() > 1 {
            text += &format!(" and {} more", elements.len() - 1);
        }
        Some(Hazard { node, kind, elements, text })
    }
}

impl fmt::Display for HazardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HazardKind::Kink => "kink",
            HazardKind::Saturation => "saturation",
            HazardKind::Overflow => "overflow",
            HazardKind::Underflow => "underflow",
            HazardKind::NonFiniteGradient => "non-finite gradient",
            HazardKind::F32Overflow => "f32 overflow",
            HazardKind::Cancellation => "cancellation",
        })
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Tape, Var, keep};

    use super::*;

    /// The hazards of a program of one input: their kinds, elements and texts.
    fn hazards(x: &[f64], record: fn(Var<'_>) -> Var<'_>) -> Vec<(HazardKind, Vec<usize>, String)> {
        let tape = Tape::f64();
        let x = tape.variable(x.to_vec());
        let hazards = Graph::of(record(x)).unwrap().hazards();
        hazards.into_iter().map(|found| (found.kind, found.elements, found.text)).collect()
    }

    #[test]
    fn ordinary_numbers_have_no_hazards() {
        let found = hazards(&[0.5, -1.0, 2.0], |x| (x.exp() + x.sigmoid() * x.relu()).sum(..));
        assert_eq!(found, []);
    }

    #[test]
    fn ties_and_bounds_are_kinks_where_a_gradient_comes_back() {
        let found = hazards(&[2.0, 3.0, 3.0], |x| x.max(..));
        assert_eq!((found[0].0, found[0].1.len()), (HazardKind::Kink, 1));
        let found = hazards(&[-1.0, 0.0, 1.0], |x| x.clamp(-1.0, 1.0).sum(..));
        assert_eq!((found[0].0, &found[0].1[..]), (HazardKind::Kink, &[0, 2][..]));
        assert_eq!(hazards(&[0.0, 1.0], |x| (x.relu() * 0.0).sum(..)), []);
        assert_eq!(hazards(&[2.0, 2.0], |x| (x.detach().max(..) * x).sum(..)), []);
    }

    #[test]
    fn a_sigmoid_at_its_end_is_flat_and_a_square_at_its_minimum_is_not() {
        let found = hazards(&[0.0, 20.0], |x| x.sigmoid().sum(..));
        assert_eq!((found[0].0, &found[0].1[..]), (HazardKind::Saturation, &[1][..]));
        assert!(
            found[0].2.starts_with("sigmoid is flat at 20: its slope is 2.061e−9"),
            "{found:?}"
        );
        assert_eq!(hazards(&[0.0, 1.0], |x| (x.square() + x.cos()).sum(..)), []);
    }

    #[test]
    fn a_softmax_that_has_decided_is_flat() {
        let found = hazards(&[20.0, 0.0, 1.0], |x| x.softmax(0).square().sum(..));
        let share = found.iter().find(|found| found.2.starts_with("the share")).unwrap();
        assert_eq!((share.0, &share.1[..]), (HazardKind::Saturation, &[0][..]));
    }

    #[test]
    fn what_leaves_the_range_of_the_type_is_named() {
        let found = hazards(&[800.0, -800.0, 100.0], |x| x.exp().sum(..));
        let kinds: Vec<(HazardKind, &[usize])> = found.iter().map(|f| (f.0, &f.1[..])).collect();
        assert!(kinds.contains(&(HazardKind::Overflow, &[0])), "{found:?}");
        assert!(kinds.contains(&(HazardKind::Underflow, &[1])));
        assert!(kinds.contains(&(HazardKind::F32Overflow, &[2])));
        assert!(found.iter().any(|f| f.2 == "exp(800) is ∞, in [0]"), "{found:?}");
    }

    #[test]
    fn an_infinite_slope_is_named_where_it_is_made() {
        let found = hazards(&[0.0, 1.0], |x| x.sqrt().sum(..));
        assert_eq!((found[0].0, &found[0].1[..]), (HazardKind::NonFiniteGradient, &[0][..]));
    }

    #[test]
    fn a_difference_of_rounded_numbers_loses_their_digits_and_one_of_leaves_does_not() {
        fn variance(x: Var<'_>) -> Var<'_> {
            let [mean, square] = [x.mean(keep(0)), x.square().mean(keep(0))];
            (square - mean.square()).sum(..)
        }
        let found = hazards(&[1e6, 1e6 + 1e-3], variance);
        assert!(found.iter().any(|f| f.0 == HazardKind::Cancellation), "{found:?}");
        assert_eq!(
            hazards(&[1e6, 1e6 + 1e-3], |x| (x.slice(0, ..1) - x.slice(0, 1..)).sum(..)),
            []
        );
    }
}
