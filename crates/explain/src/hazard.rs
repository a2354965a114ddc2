//! Where a loss is about to go wrong, or has: marks on nodes, from the numbers that are there.

use std::fmt;

use lossgraph_autograd::{Tape, ops};
use lossgraph_tensor::{DType, Shape};

use crate::graph::{Graph, Node};
use crate::number::signed;

/// A hazard of a node: which, in which elements of its value, and said in a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The node.
    pub node: usize,
    /// What kind of hazard it is.
    pub hazard: Hazard,
    /// The elements of its value, counted row by row; for [`Hazard::Slope`] those of the input that
    /// the slope belongs to.
    pub elements: Vec<usize>,
    /// What it is, with numbers.
    pub text: String,
}

/// What can go wrong in a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hazard {
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
    /// An infinite slope, or NaN, from finite numbers.
    Slope,
    /// Finite here in `f64`; infinite in `f32`, in which models are trained.
    Range,
    /// A difference of rounded numbers that keeps less than half of their digits.
    Cancellation,
}

/// Below this a slope lets nothing through that would be felt.
const FLAT: f64 = 1e-6;
/// Ops that give 0 for no finite numbers but 0 itself.
const NEVER_ZERO: [&str; 12] = [
    "exp",
    "sigmoid",
    "softplus",
    "erfc",
    "exp_share",
    "recip",
    "rsqrt",
    "square",
    "powf",
    "pow",
    "mul",
    "div",
];
/// Ops that give numbers on without rounding.
const EXACT: [&str; 9] =
    ["expand", "reshape", "permute", "slice", "gather", "index_select", "detach", "neg", "windows"];

impl Graph {
    /// The hazards of all nodes, on the numbers that are there.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::{Graph, Hazard};
    /// let tape = Tape::f64();
    /// let x = tape.variable([2.0, 0.0]);
    /// let marks = Graph::of(x.relu().sum(..))?.hazards();
    /// assert_eq!((marks[0].hazard, &marks[0].elements[..]), (Hazard::Kink, &[1][..]));
    /// assert_eq!(marks[0].text, "relu has no derivative at x = 0, as in [1]: the left slope");
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn hazards(&self) -> Vec<Mark> {
        (0..self.nodes.len())
            .filter(|&at| !self.nodes[at].inputs.is_empty())
            .flat_map(|at| {
                let found = [
                    self.kink(at),
                    self.saturation(at),
                    self.overflow(at),
                    self.underflow(at),
                    self.slope(at),
                    self.range(at),
                    self.cancellation(at),
                ];
                found.into_iter().flatten()
            })
            .collect()
    }

    fn kink(&self, at: usize) -> Option<Mark> {
        let node = &self.nodes[at];
        let gradient = node.gradient.as_ref()?.to_f64s();
        if !self.moves(at) {
            return None;
        }
        let inputs: Vec<_> =
            node.inputs.iter().map(|input| self.nodes[input.node].value.clone()).collect();
        let mut kinks = node.op_alone.as_ref()?.kinks(&inputs);
        // Where nothing comes back, or goes on, it does not matter which slope is taken.
        kinks.retain(|&(element, _)| gradient[element] != 0.0);
        let (first, kink) = *kinks.first()?;
        let text = format!(
            "{} has no derivative at {}, as in {}: {}",
            node.op,
            kink.at,
            place(first, &node.shape),
            kink.because
        );
        let elements = kinks.into_iter().map(|(element, _)| element).collect();
        Some(Mark { node: at, hazard: Hazard::Kink, elements, text })
    }

    fn saturation(&self, at: usize) -> Option<Mark> {
        let node = &self.nodes[at];
        node.gradient.as_ref()?;
        if self.is_share(at) {
            let y = node.value.to_f64s();
            let whole = (0..y.len()).filter(|&i| y[i].is_finite() && 1.0 - y[i] < FLAT);
            return self.marked(at, Hazard::Saturation, whole, |i| {
                let slope = signed(y[i] * (1.0 - y[i]));
                format!("the share is {} of 1, so its slope y · (1 − y) is {slope}", signed(y[i]))
            });
        }
        let row = ops::ALL.iter().find(|row| row.name == node.op)?;
        if row.family != "unary" || !row.kinks.is_empty() || !self.moves(at) {
            return None;
        }
        let x = self.nodes[node.inputs[0].node].value.to_f64s();
        // A minimum is flat at a point only: it is told apart by its slopes beside it.
        let [here, left, right] = [0.0, -0.1, 0.1].map(|by| self.slopes(at, by));
        let (here, left, right) = (here?, left?, right?);
        let flat = |i: usize| {
            here[i].abs() * x[i].abs().max(1.0) < FLAT
                && left[i].abs() < 10.0 * FLAT
                && right[i].abs() < 10.0 * FLAT
        };
        self.marked(at, Hazard::Saturation, (0..x.len()).filter(|&i| flat(i)), |i| {
            format!("{} is flat at {}: its slope is {}", node.op, signed(x[i]), signed(here[i]))
        })
    }

    /// The slopes of an element-wise op, with all of its input moved a little.
    fn slopes(&self, at: usize, by: f64) -> Option<Vec<f64>> {
        let node = &self.nodes[at];
        let tape = Tape::f64();
        let x = tape.variable(&self.nodes[node.inputs[0].node].value) + by;
        let y = node.op_alone.as_ref()?.record(&tape, &[x]);
        let slopes = tape.vjp(y, tape.fill(y.shape(), 1.0), &[x])[0].value().ok()?;
        Some(slopes.to_f64s())
    }

    /// Whether a node is `a / Σ a`.
    fn is_share(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let through = |mut node: usize| {
            while matches!(self.nodes[node].op, "expand" | "reshape") {
                node = self.nodes[node].inputs[0].node;
            }
            node
        };
        node.op == "div" && {
            let sum = &self.nodes[through(node.inputs[1].node)];
            sum.op == "sum" && sum.inputs[0].node == node.inputs[0].node
        }
    }

    fn overflow(&self, at: usize) -> Option<Mark> {
        let node = &self.nodes[at];
        let y = node.value.to_f64s();
        if is_finite(&y) {
            return None;
        }
        let finite = self.made_of(at, f64::is_finite);
        let made = (0..y.len()).filter(|&i| !y[i].is_finite() && finite[i]);
        self.marked(at, Hazard::Overflow, made, |i| {
            let arithmetic = self.arithmetic(at, &node.shape.unravel_index(i));
            let arithmetic = arithmetic.unwrap_or_else(|| format!("{} of finite numbers", node.op));
            format!("{arithmetic} is {}", signed(y[i]))
        })
    }

    fn underflow(&self, at: usize) -> Option<Mark> {
        let node = &self.nodes[at];
        if !NEVER_ZERO.contains(&node.op) {
            return None;
        }
        let y = node.value.to_f64s();
        let nonzero = self.made_of(at, |x| x.is_finite() && x != 0.0);
        let lost = (0..y.len()).filter(|&i| y[i] == 0.0 && nonzero[i]);
        self.marked(at, Hazard::Underflow, lost, |i| {
            let arithmetic = self.arithmetic(at, &node.shape.unravel_index(i)).unwrap_or_default();
            let dtype = node.value.dtype();
            format!(
                "{arithmetic} is less than the smallest number above 0 in {dtype}, and became 0"
            )
        })
    }

    fn slope(&self, at: usize) -> Option<Mark> {
        let node = &self.nodes[at];
        if !is_finite(&node.gradient.as_ref()?.to_f64s()) {
            return None;
        }
        node.inputs.iter().enumerate().find_map(|(slot, input)| {
            let flow = input.flow.as_ref()?.value.to_f64s();
            let read = &self.nodes[input.node];
            let x = read.value.to_f64s();
            let made = |&i: &usize| !flow[i].is_finite() && x[i].is_finite();
            let elements: Vec<usize> = (0..flow.len()).filter(made).collect();
            let first = *elements.first()?;
            let arithmetic = self.backward_arithmetic(at, slot, &read.shape.unravel_index(first));
            let arithmetic = arithmetic.map_or_else(String::new, |text| format!("{text} is "));
            let text = format!(
                "what flows back through {} to {} of {} is not finite: {arithmetic}{}",
                node.op,
                place(first, &read.shape),
                self.label(input.node),
                signed(flow[first])
            );
            Some(Mark { node: at, hazard: Hazard::Slope, elements, text })
        })
    }

    fn range(&self, at: usize) -> Option<Mark> {
        let node = &self.nodes[at];
        if node.value.dtype() != DType::F64 {
            return None;
        }
        let y = node.value.to_f64s();
        let most = f64::from(f32::MAX);
        let held = self.made_of(at, |x| x.abs() <= most);
        let too_large = (0..y.len()).filter(|&i| y[i].is_finite() && y[i].abs() > most && held[i]);
        self.marked(at, Hazard::Range, too_large, |i| {
            format!("{} is more than f32 can hold, where it would be infinite", signed(y[i]))
        })
    }

    fn cancellation(&self, at: usize) -> Option<Mark> {
        let node = &self.nodes[at];
        let rounded = node.inputs.iter().any(|input| self.is_rounded(input.node));
        if !matches!(node.op, "add" | "sub") || !rounded {
            return None;
        }
        let epsilon = match node.value.dtype() {
            DType::F32 => f64::from(f32::EPSILON),
            _ => f64::EPSILON,
        };
        let y = node.value.to_f64s();
        let inputs: Vec<Vec<f64>> =
            node.inputs.iter().map(|input| self.nodes[input.node].value.to_f64s()).collect();
        let kept = |i: usize| y[i].abs() / inputs[0][i].abs().max(inputs[1][i].abs());
        // What is exactly 0 is likely meant: a score less itself.
        let lost = (0..y.len()).filter(|&i| y[i] != 0.0 && kept(i) < epsilon.sqrt());
        self.marked(at, Hazard::Cancellation, lost, |i| {
            let digits = |share: f64| (-share.log10()).round().max(0.0);
            format!(
                "{} and {} nearly cancel: of about {} digits, {} are left",
                signed(inputs[0][i]),
                signed(inputs[1][i]),
                digits(epsilon),
                digits(epsilon) - digits(kept(i))
            )
        })
    }

    /// Whether a variable or a parameter reaches a node uncut.
    fn moves(&self, at: usize) -> bool {
        let mut moves = vec![false; at + 1];
        for (i, node) in self.nodes.iter().enumerate().take(at + 1) {
            let leaf = matches!(node.op, "variable" | "parameter");
            let reached = node.op != "detach" && node.inputs.iter().any(|input| moves[input.node]);
            moves[i] = leaf || reached;
        }
        moves[at]
    }

    /// Whether a value has been rounded on its way from the leaves.
    fn is_rounded(&self, at: usize) -> bool {
        let Node { op, inputs, .. } = &self.nodes[at];
        !inputs.is_empty() && (!EXACT.contains(op) || self.is_rounded(inputs[0].node))
    }

    /// For each element of a node, whether all that it is made of is such: the same elements of its
    /// inputs, or all of an input of another shape.
    pub(crate) fn made_of(&self, at: usize, is: impl Fn(f64) -> bool) -> Vec<bool> {
        let node = &self.nodes[at];
        let mut all = vec![true; node.shape.len()];
        for read in node.inputs.iter().map(|input| &self.nodes[input.node]) {
            let mut x = read.value.to_f64s().into_iter().map(&is);
            if read.shape == node.shape {
                all.iter_mut().zip(x).for_each(|(all, is)| *all &= is);
            } else if !x.all(|is| is) {
                all.fill(false);
            }
        }
        all
    }

    /// A mark of some elements, with a sentence on the first one.
    fn marked(
        &self,
        node: usize,
        hazard: Hazard,
        elements: impl Iterator<Item = usize>,
        text: impl Fn(usize) -> String,
    ) -> Option<Mark> {
        let elements: Vec<usize> = elements.collect();
        let first = *elements.first()?;
        let mut text = text(first);
        let shape = &self.nodes[node].shape;
        if shape.rank() > 0 {
            text += &format!(", in {}", place(first, shape));
        }
        if elements.len() > 1 {
            text += &format!(" and {} more", elements.len() - 1);
        }
        Some(Mark { node, hazard, elements, text })
    }
}

pub(crate) fn is_finite(numbers: &[f64]) -> bool {
    numbers.iter().all(|x| x.is_finite())
}

/// The place of an element: `[0, 2]`.
pub(crate) fn place(element: usize, shape: &Shape) -> String {
    format!("{:?}", shape.unravel_index(element))
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hazard::Kink => "kink",
            Hazard::Saturation => "saturation",
            Hazard::Overflow => "overflow",
            Hazard::Underflow => "underflow",
            Hazard::Slope => "slope",
            Hazard::Range => "range",
            Hazard::Cancellation => "cancellation",
        })
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Var, keep};

    use super::*;

    /// The hazards of a program of one input: their kinds, elements and texts.
    fn hazards(x: &[f64], record: fn(Var<'_>) -> Var<'_>) -> Vec<(Hazard, Vec<usize>, String)> {
        let tape = Tape::f64();
        let x = tape.variable(x.to_vec());
        let marks = Graph::of(record(x)).unwrap().hazards();
        marks.into_iter().map(|mark| (mark.hazard, mark.elements, mark.text)).collect()
    }

    #[test]
    fn ordinary_numbers_have_no_hazards() {
        let found = hazards(&[0.5, -1.0, 2.0], |x| (x.exp() + x.sigmoid() * x.relu()).sum(..));
        assert_eq!(found, []);
    }

    #[test]
    fn ties_and_bounds_are_kinks_where_a_gradient_comes_back() {
        let found = hazards(&[2.0, 3.0, 3.0], |x| x.max(..));
        assert_eq!((found[0].0, found[0].1.len()), (Hazard::Kink, 1));
        let found = hazards(&[-1.0, 0.0, 1.0], |x| x.clamp(-1.0, 1.0).sum(..));
        assert_eq!((found[0].0, &found[0].1[..]), (Hazard::Kink, &[0, 2][..]));
        assert_eq!(hazards(&[0.0, 1.0], |x| (x.relu() * 0.0).sum(..)), []);
        assert_eq!(hazards(&[2.0, 2.0], |x| (x.detach().max(..) * x).sum(..)), []);
    }

    #[test]
    fn a_sigmoid_at_its_end_is_flat_and_a_square_at_its_minimum_is_not() {
        let found = hazards(&[0.0, 20.0], |x| x.sigmoid().sum(..));
        assert_eq!((found[0].0, &found[0].1[..]), (Hazard::Saturation, &[1][..]));
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
        assert_eq!((share.0, &share.1[..]), (Hazard::Saturation, &[0][..]));
    }

    #[test]
    fn what_leaves_the_range_of_the_type_is_named() {
        let found = hazards(&[800.0, -800.0, 100.0], |x| x.exp().sum(..));
        let kinds: Vec<(Hazard, &[usize])> = found.iter().map(|f| (f.0, &f.1[..])).collect();
        assert!(kinds.contains(&(Hazard::Overflow, &[0])), "{found:?}");
        assert!(kinds.contains(&(Hazard::Underflow, &[1])));
        assert!(kinds.contains(&(Hazard::Range, &[2])));
        assert!(found.iter().any(|f| f.2 == "exp(800) is ∞, in [0]"), "{found:?}");
    }

    #[test]
    fn an_infinite_slope_is_named_where_it_is_made() {
        let found = hazards(&[0.0, 1.0], |x| x.sqrt().sum(..));
        assert_eq!((found[0].0, &found[0].1[..]), (Hazard::Slope, &[0][..]));
    }

    #[test]
    fn a_difference_of_rounded_numbers_loses_their_digits_and_one_of_leaves_does_not() {
        fn variance(x: Var<'_>) -> Var<'_> {
            let [mean, square] = [x.mean(keep(0)), x.square().mean(keep(0))];
            (square - mean.square()).sum(..)
        }
        let found = hazards(&[1e6, 1e6 + 1e-3], variance);
        assert!(found.iter().any(|f| f.0 == Hazard::Cancellation), "{found:?}");
        assert_eq!(
            hazards(&[1e6, 1e6 + 1e-3], |x| (x.slice(0, ..1) - x.slice(0, 1..)).sum(..)),
            []
        );
    }
}
