//! Why a gradient is 0: a tangent is pushed forward from the input, op by op, until it vanishes.

use std::fmt;
use std::panic::Location;

use lossgraph_autograd::{Fault, Result, Var};
use lossgraph_tensor::{Shape, Tensor};

use crate::graph::Graph;
use crate::number::{index_text, signed};

/// An answer to the question why a gradient is 0. Displayed, it is said in sentences, with locations
/// in the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The answer.
    pub answer: Answer,
    /// Where a change of the element no longer has an effect; or what its gradient is the sum of.
    pub causes: Vec<Cause>,
    /// The element in question: `x[0, 1]`.
    subject: String,
}

/// Whether a gradient is 0, and for which kind of reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// The loss does not depend on it at all.
    NoPath,
    /// It is an integer, such as a label: no small change is possible.
    Integer,
    /// It is 0: no change of it reaches the loss.
    Stopped,
    /// It is 0: contributions along several paths cancel.
    Cancelled,
    /// It is this number, and not 0.
    NotZero(f64),
}

/// A node where a change stops, or through which a part of the gradient comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The node.
    pub node: usize,
    /// What happens there.
    pub text: String,
}

/// Says why the gradient of a loss with respect to one element of `x` is 0: names the `detach`, the
/// flat or masked ops that stop it, or says that there is no path at all. If it is not 0, says what
/// it is the sum of.
///
/// ```
/// use lossgraph_autograd::Tape;
/// use lossgraph_explain::why;
///
/// let tape = Tape::f64();
/// let x = tape.variable([-2.0, 1.0]);
/// let why = why(x.relu().sum(..), x, &[0])?.to_string();
/// assert!(why.starts_with("the gradient of %0[0] is 0, since every change of it stops:\n"));
/// assert!(why.contains("its input is −2, and relu is flat there"));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// An error of the program, a loss with more than one element, an `x` of another tape, or an index
/// out of range.
#[track_caller]
pub fn why(loss: Var<'_>, x: Var<'_>, index: &[usize]) -> Result<Why> {
    if !std::ptr::eq(loss.tape(), x.tape()) {
        let fault = Fault::new("why", "x is on another tape than the loss");
        let fault = fault.operand("loss", loss).operand("x", x).at(Location::caller());
        return Err(fault.cure("ask for a variable that the loss could read").into());
    }
    let graph = Graph::of(loss)?;
    let in_range =
        index.len() == x.rank() && index.iter().zip(x.shape().iter()).all(|(i, n)| i < n);
    if !in_range {
        return Err(out_of_range(index).operand("x", x).into());
    }
    match graph.number_of(x) {
        Some(node) => graph.why(node, index),
        None => Ok(Why {
            answer: Answer::NoPath,
            causes: Vec::new(),
            subject: format!("%{}{index:?}", x.number()),
        }),
    }
}

impl Graph {
    /// Says why the gradient is 0 in one element of a node, which has it: see [`why()`].
    ///
    /// # Errors
    /// What the program gives.
    #[track_caller]
    pub fn why(&self, x: usize, index: &[usize]) -> Result<Why> {
        let fits = |shape: &Shape| {
            index.len() == shape.rank() && index.iter().zip(shape.iter()).all(|(i, n)| i < n)
        };
        let Some(node) = self.nodes.get(x).filter(|node| fits(&node.shape)) else {
            return Err(out_of_range(index).into());
        };
        let element = node.shape.ravel_index(index);
        let subject = self.element_label(x, element);
        let answered = |answer, causes| Ok(Why { answer, causes, subject });
        if !node.value.dtype().is_float() {
            return answered(Answer::Integer, Vec::new());
        }
        let gradient = node.gradient.as_ref().map_or(0.0, |gradient| gradient.to_f64s()[element]);
        if gradient != 0.0 {
            return answered(Answer::NotZero(gradient), self.parts(x, element));
        }
        let (mut causes, cancelled) = self.stops(x, element)?;
        if !cancelled {
            return answered(Answer::Stopped, causes);
        }
        causes.splice(0..0, self.parts(x, element));
        answered(Answer::Cancelled, causes)
    }

    /// What the gradient of an element is the sum of: what its readers send back.
    fn parts(&self, x: usize, element: usize) -> Vec<Cause> {
        self.readers(x)
            .filter_map(|(reader, slot)| {
                let flow = self.nodes[reader].inputs[slot].flow.as_ref()?;
                let part = flow.value.to_f64s()[element];
                if part == 0.0 {
                    return None;
                }
                let part = signed(part);
                let at = self.nodes[x].shape.unravel_index(element);
                let arithmetic = self.backward_arithmetic(reader, slot, &at);
                let equals =
                    arithmetic.filter(|a| *a != part).map_or(String::new(), |a| format!(" = {a}"));
                Some(Cause {
                    node: reader,
                    text: format!("{part}{equals}, back through {}", self.described(reader)),
                })
            })
            .collect()
    }

    /// Where a change of an element no longer has an effect, and whether changes cancel anywhere.
    fn stops(&self, x: usize, element: usize) -> Result<(Vec<Cause>, bool)> {
        let mut tangents: Vec<Option<Vec<f64>>> = vec![None; self.nodes.len()];
        tangents[x] = Some(one_hot(self.nodes[x].shape.numel(), element));
        let mut causes = Vec::new();
        let mut cancelled = false;
        for (at, node) in self.nodes.iter().enumerate().skip(x + 1) {
            let mut total: Option<Vec<f64>> = None;
            let mut some_effect = false;
            for (slot, input) in node.inputs.iter().enumerate() {
                let Some(tangent) = &tangents[input.node] else { continue };
                let pushed = self.pushed(at, slot, tangent)?;
                some_effect |= pushed.iter().any(|&x| x != 0.0);
                if let Some(stopped) = stopped(tangent, &pushed) {
                    // By itself, an element may well have an effect: then several have cancelled.
                    let alone = self.pushed(at, slot, &one_hot(tangent.len(), stopped))?;
                    if alone.iter().any(|&x| x != 0.0) {
                        some_effect = true;
                    } else {
                        causes.push(self.stop(at, slot, stopped));
                    }
                }
                total = Some(match total {
                    Some(total) => total.iter().zip(&pushed).map(|(a, b)| a + b).collect(),
                    None => pushed,
                });
            }
            tangents[at] = total.filter(|total| total.iter().any(|&x| x != 0.0));
            if some_effect && tangents[at].is_none() {
                let text = format!("at {}: changes of its input cancel", self.described(at));
                causes.push(Cause { node: at, text });
                cancelled = true;
            }
        }
        // What reaches the loss all the same has cancelled but for rounding.
        Ok((causes, cancelled || tangents.last().is_some_and(Option::is_some)))
    }

    /// The tangent of a node for that of one of its inputs; 0 where there is no derivative.
    fn pushed(&self, at: usize, slot: usize, tangent: &[f64]) -> Result<Vec<f64>> {
        let shape = self.nodes[self.nodes[at].inputs[slot].node].shape.clone();
        let tangent = Tensor::new(shape, tangent.to_vec());
        let tangent = tangent.map_err(|error| Fault::new("why", error.to_string()))?;
        let pushed = self.jvp(at, slot, &tangent)?;
        Ok(pushed.map_or_else(|| vec![0.0; self.nodes[at].shape.numel()], |y| y.to_f64s()))
    }

    /// What stops a change of an input's element.
    fn stop(&self, at: usize, slot: usize, element: usize) -> Cause {
        let node = &self.nodes[at];
        let input = node.inputs[slot].node;
        let read = &self.nodes[input];
        let x = signed(read.value.to_f64s()[element]);
        let index = read.shape.unravel_index(element);
        let reason = node.operation.zero_slope(slot, &x);
        let text = match (reason, self.backward_arithmetic(at, slot, &index)) {
            (Some(reason), _) => reason,
            (None, Some(arithmetic)) => {
                format!("its input is {x}, and its slope there is 0: {arithmetic} comes back")
            }
            (None, None) => "a small change of its input does not change what it gives".to_owned(),
        };
        let (described, operand) = (self.described(at), self.element_label(input, element));
        Cause { node: at, text: format!("at {described}, which reads {operand}: {text}") }
    }

    /// An element of a node in a sentence: `x[0, 1]`, or `x` if that is one number.
    fn element_label(&self, node: usize, element: usize) -> String {
        let shape = &self.nodes[node].shape;
        let index = if shape.rank() == 0 { String::new() } else { index_text(element, shape) };
        self.label(node) + &index
    }
}

/// 1 at an element, and 0 elsewhere.
fn one_hot(len: usize, element: usize) -> Vec<f64> {
    (0..len).map(|i| if i == element { 1.0 } else { 0.0 }).collect()
}

#[track_caller]
fn out_of_range(index: &[usize]) -> Fault {
    Fault::new("why", format!("there is no element {index:?}"))
        .cure("one number for each axis, counted from 0")
        .at(Location::caller())
}

/// The first element whose tangent has no effect behind an op: any one where the shapes are the
/// same, and otherwise only if none has an effect.
fn stopped(tangent: &[f64], pushed: &[f64]) -> Option<usize> {
    let moves = |&i: &usize| tangent[i] != 0.0;
    let all_stop = pushed.iter().all(|&x| x == 0.0);
    let same = tangent.len() == pushed.len();
    (0..tangent.len())
        .filter(moves)
        .find(|&i| all_stop || (same && pushed[i] == 0.0 && elementwise(tangent, pushed)))
}

/// Whether an op may work element by element: a change appears nowhere else.
fn elementwise(tangent: &[f64], pushed: &[f64]) -> bool {
    tangent.iter().zip(pushed).all(|(&from, &to)| from != 0.0 || to == 0.0)
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Why { answer, causes, subject } = self;
        match answer {
            Answer::NoPath => {
                return write!(f, "the gradient of {subject} is 0: the loss does not depend on it");
            }
            Answer::Integer => {
                return write!(
                    f,
                    "{subject} is an integer, which cannot change a little: no gradient is asked of it"
                );
            }
            Answer::Stopped => {
                write!(f, "the gradient of {subject} is 0, since every change of it stops:")?;
            }
            Answer::Cancelled => {
                write!(f, "the gradient of {subject} is 0, since these parts of it cancel:")?;
            }
            Answer::NotZero(gradient) => {
                let gradient = signed(*gradient);
                write!(f, "the gradient of {subject} is not 0 but {gradient}, the sum of:")?;
            }
        }
        causes.iter().try_for_each(|cause| write!(f, "\n  {}", cause.text))
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

    use super::*;

    /// The answer for the first element of a variable, and its text.
    fn asked(x: &[f64], record: fn(Var<'_>) -> Var<'_>) -> (Answer, String) {
        let tape = Tape::f64();
        let x = tape.variable(x.to_vec());
        let why = why(record(x), x, &[0]).unwrap();
        (why.answer, why.to_string())
    }

    fn stops(x: &[f64], record: fn(Var<'_>) -> Var<'_>) -> String {
        let (answer, text) = asked(x, record);
        assert_eq!(answer, Answer::Stopped, "{text}");
        text
    }

    #[test]
    fn a_cut_is_named() {
        let text = stops(&[1.0, 2.0], |x| (x.detach() * 2.0).sum(..));
        assert!(text.contains("at detach %1") && text.contains("on purpose"), "{text}");
        // With a second way, which is stopped elsewhere.
        let text = stops(&[1.0, 2.0], |x| (x.detach() * 2.0 + x.clamp(3.0, 4.0)).sum(..));
        assert!(
            text.contains("detach") && text.contains("its input is 1, and clamp is flat"),
            "{text}"
        );
    }

    #[test]
    fn a_mask_and_an_extreme_are_named() {
        let text = stops(&[1.0, 2.0], |x| (x * x.gt(1.5)).sum(..));
        assert!(text.contains("multiplied by 0") && text.contains("at gt"), "{text}");
        let text = stops(&[1.0, 2.0], |x| x.max(..));
        assert!(text.contains("the max is another element"), "{text}");
        let text = stops(&[1.0, 2.0], |x| x.gt(1.5).select(x, 0.0).sum(..));
        assert!(text.contains("takes the other side"), "{text}");
        let text = stops(&[1.0, 2.0], |x| x.slice(0, 1..).sum(..));
        assert!(text.contains("not read"), "{text}");
    }

    #[test]
    fn an_op_that_is_flat_by_rounding_shows_its_rule() {
        let text = stops(&[40.0, 2.0], |x| x.tanh().sum(..));
        assert!(text.contains("its input is 40, and its slope there is 0"), "{text}");
    }

    #[test]
    fn parts_that_cancel_are_listed() {
        let (answer, text) = asked(&[3.0], |x| (x * 2.0 - x * 2.0).sum(..));
        assert_eq!(answer, Answer::Cancelled);
        assert!(text.contains("\n  2 = ") && text.contains("\n  −2 = "), "{text}");
        assert!(
            text.contains("at sub %5") && text.contains("changes of its input cancel"),
            "{text}"
        );
        // Two elements of one tensor, and beside them a mask, which is not the reason.
        let (answer, text) = asked(&[3.0], |x| {
            (x.expand([2]) * x.tape().constant([1.0, -1.0])).sum(..) + x.gt(1.0).sum(..)
        });
        assert_eq!(answer, Answer::Cancelled, "{text}");
        assert!(text.contains("at sum ") && text.contains("at gt "), "{text}");
    }

    #[test]
    fn a_gradient_that_is_not_0_is_taken_apart() {
        let (answer, text) = asked(&[3.0], |x| (x.square() + x).sum(..));
        assert_eq!(answer, Answer::NotZero(7.0));
        assert!(
            text.starts_with("the gradient of %0[0] is not 0 but 7, the sum of:\n  6 = "),
            "{text}"
        );
    }

    #[test]
    fn integers_and_bystanders_are_told_apart() {
        let tape = Tape::f64();
        let [x, aside] = [tape.variable([1.0, 2.0]), tape.variable(3.0)];
        let labels = tape.labels(&[1]);
        let loss = x.gather(0, labels).sum(..);
        assert_eq!(why(loss, aside, &[]).unwrap().answer, Answer::NoPath);
        assert_eq!(why(loss, labels, &[0]).unwrap().answer, Answer::Integer);
        assert_eq!(why(loss, x, &[0]).unwrap().answer, Answer::Stopped);
        assert!(why(loss, x, &[2]).is_err() && why(loss, x, &[]).is_err());
    }
}
