//! Where the first NaN or infinity comes from.

use std::fmt;
use std::panic::Location;

use lossgraph_autograd::{Fault, Result, Tape, Var};

use crate::graph::Graph;
use crate::number::{brief, index_text, is_finite, signed};

/// Finding where NaN and infinity come from.
pub trait FindNan {
    /// Where the first NaN or infinity of a loss or its gradients comes from; `None` if the loss and
    /// all gradients are finite. An infinity that does no harm, such as −∞ in a mask of scores, is no
    /// finding.
    ///
    /// Programs are computed op by op for it, so it is for looking, not for every step.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    /// use lossgraph_explain::FindNan;
    ///
    /// let tape = Tape::f64();
    /// let x = tape.variable([0.0, 4.0]);
    /// let loss = x.sqrt().sum(..);
    /// let found = tape.find_nan(loss)?.unwrap();
    /// assert!(found.to_string().starts_with("the loss is finite, but its gradient is not: ∞ comes back through sqrt %1"));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error of the program, a loss with more than one element, or one of another tape.
    #[track_caller]
    fn find_nan(&self, loss: Var<'_>) -> Result<Option<NonFinite>>;
}

impl FindNan for Tape {
    #[track_caller]
    fn find_nan(&self, loss: Var<'_>) -> Result<Option<NonFinite>> {
        if !std::ptr::eq(loss.tape(), self) {
            let fault = Fault::new("find_nan", "the loss is on another tape").operand("loss", loss);
            let fault = fault.cure("loss.tape().find_nan(loss)");
            return Err(fault.at(Location::caller()).into());
        }
        Ok(Graph::of(loss)?.non_finite())
    }
}

/// Where a NaN or an infinity comes from. Displayed, it is said in sentences, with locations in the
/// program.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// The node that produces it.
    pub node: usize,
    /// In which pass it is produced.
    pub pass: Pass,
    /// The first element that is not finite: of the node's value, or of the input that the gradient
    /// comes back to.
    pub element: usize,
    /// What it is: NaN, ∞ or −∞.
    pub value: f64,
    /// For a NaN that is computed from infinities: where the first one of them comes from.
    pub from: Option<Box<NonFinite>>,
    text: String,
}

/// A pass over the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// From the inputs to the loss.
    Forward,
    /// From the loss to one of a node's inputs, counted from 0.
    Backward(usize),
}

impl Graph {
    /// Where the first NaN or infinity comes from: see [`FindNan::find_nan`].
    pub fn non_finite(&self) -> Option<NonFinite> {
        let loss = self.nodes.len() - 1;
        if !is_finite(&self.nodes[loss].value.to_f64s()) {
            return self.first_in_forward(loss);
        }
        (0..=loss).rev().find_map(|at| self.first_in_backward(at))
    }

    /// The first node on the way to `to` that produces a NaN, or else an infinity.
    fn first_in_forward(&self, to: usize) -> Option<NonFinite> {
        let mut needed = vec![false; to + 1];
        needed[to] = true;
        for at in (0..=to).rev() {
            if needed[at] {
                self.nodes[at].inputs.iter().for_each(|input| needed[input.node] = true);
            }
        }
        let first = |is: fn(f64) -> bool, operands: fn(f64) -> bool| {
            (0..=to).filter(|&at| needed[at]).find_map(|at| {
                let y = self.nodes[at].value.to_f64s();
                let candidate = y.iter().position(|&y| is(y))?;
                let here = self.all_operands(at, operands);
                let element = (candidate..y.len()).find(|&i| is(y[i]) && here[i])?;
                Some((at, element, y[element]))
            })
        };
        let nan = first(f64::is_nan, |x| !x.is_nan());
        let (at, element, value) = nan.or_else(|| first(|x| !x.is_finite(), f64::is_finite))?;
        let node = &self.nodes[at];
        let of_infinities = |input: usize| {
            let finite = is_finite(&self.nodes[input].value.to_f64s());
            if finite { None } else { self.first_in_forward(input).map(Box::new) }
        };
        let from = node.inputs.iter().find_map(|input| of_infinities(input.node));
        let what = signed(value);
        let text = if node.inputs.is_empty() {
            let index = index_text(element, &node.shape);
            format!("{what} is in {} itself, in {index}", self.described(at))
        } else {
            let arithmetic = self.arithmetic(at, &node.shape.unravel_index(element));
            let arithmetic = arithmetic.unwrap_or_else(|| self.call(node));
            let index = index_text(element, &node.shape);
            let inputs = self.inputs_of(at);
            let node = self.described(at);
            format!("{what} is made by {node}: {arithmetic} = {what}, in {index}{inputs}")
        };
        Some(NonFinite { node: at, pass: Pass::Forward, element, value, from, text })
    }

    /// A cotangent that is not finite, of a node whose own gradient is finite.
    fn first_in_backward(&self, at: usize) -> Option<NonFinite> {
        let node = &self.nodes[at];
        let gradient = node.gradient.as_ref().map(|gradient| gradient.to_f64s())?;
        if !is_finite(&gradient) {
            return None;
        }
        node.inputs.iter().enumerate().find_map(|(slot, input)| {
            let flow = input.flow.as_ref()?;
            let (numbers, read) = (flow.value.to_f64s(), &self.nodes[input.node]);
            // What a choice leaves out, the gradient leaves out: 0 times infinity there does no harm.
            let total = read.gradient.as_ref().map(|gradient| gradient.to_f64s())?;
            let element =
                (0..numbers.len()).find(|&i| !numbers[i].is_finite() && !total[i].is_finite())?;
            let what = signed(numbers[element]);
            let arithmetic = self.backward_arithmetic(at, slot, &read.shape.unravel_index(element));
            let arithmetic = arithmetic.unwrap_or_else(|| flow.rule.to_string());
            let text = format!(
                "the loss is finite, but its gradient is not: {what} comes back through {}: \
                 {arithmetic} = {what}, to {} of {}",
                self.described(at),
                index_text(element, &read.shape),
                self.label(input.node),
            );
            let value = numbers[element];
            let text = text + &self.inputs_of(at);
            Some(NonFinite {
                node: at,
                pass: Pass::Backward(slot),
                element,
                value,
                from: None,
                text,
            })
        })
    }

    /// What a node reads, line by line.
    fn inputs_of(&self, at: usize) -> String {
        let inputs = self.nodes[at].inputs.iter().map(|input| {
            format!("\n    {} = {}", self.label(input.node), brief(&self.nodes[input.node].value))
        });
        inputs.collect()
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.from {
            Some(from) => write!(f, "\n{from}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(x: &[f64], record: fn(Var<'_>) -> Var<'_>) -> Option<NonFinite> {
        let tape = Tape::f64();
        let x = tape.variable(x.to_vec());
        tape.find_nan(record(x)).unwrap()
    }

    #[test]
    fn a_finite_loss_with_finite_gradients_has_none() {
        assert_eq!(found(&[1.0, 2.0], |x| x.ln().sum(..)), None);
    }

    #[test]
    fn an_infinity_is_found_where_it_is_made() {
        let found = found(&[1.0, 0.0], |x| (x + 0.0).ln().mean(..) * 2.0).unwrap();
        assert_eq!((found.pass, found.element), (Pass::Forward, 1));
        assert!(found.to_string().contains("ln(0) = −∞, in [1]\n    %2 = [1, 0]"), "{found}");
    }

    #[test]
    fn a_nan_of_infinities_names_the_first_of_them() {
        let found = found(&[1.0, 0.0], |x| (x.ln() - x.ln()).sum(..)).unwrap();
        assert!(found.value.is_nan());
        assert_eq!(found.from.as_ref().map(|from| from.node), Some(1));
        let text = found.to_string();
        assert!(
            text.contains("NaN is made by sub") && text.contains("\n−∞ is made by ln"),
            "{text}"
        );
    }

    #[test]
    fn a_variable_that_holds_it_is_named() {
        let found = found(&[1.0, f64::NAN], |x| x.exp().sum(..)).unwrap();
        assert!(found.to_string().starts_with("NaN is in variable %0 at "), "{found}");
        assert!(found.to_string().ends_with(" itself, in [1]"), "{found}");
    }

    #[test]
    fn an_infinite_slope_is_found_where_it_comes_back() {
        let found = found(&[0.0, 4.0], |x| (x.sqrt() * 3.0).sum(..)).unwrap();
        assert_eq!((found.node, found.pass, found.element), (1, Pass::Backward(0), 0));
        assert!(found.to_string().contains("%0 = [0, 4]"), "{found}");
    }

    #[test]
    fn what_a_choice_leaves_out_is_no_harm() {
        assert_eq!(found(&[0.0, 4.0], |x| x.gt(0.0).select(x.sqrt().ln(), 0.0).sum(..)), None);
    }

    #[test]
    fn a_loss_of_another_tape_is_an_error() {
        let [tape, other] = [Tape::f64(), Tape::f64()];
        assert!(tape.find_nan(other.variable(1.0).exp()).is_err());
    }
}
