//! Why a gradient is 0: what a small change of the input does, op by op, until it is felt no more.

use std::fmt;

use lossgraph_autograd::{Fault, Result, Var};
use lossgraph_tensor::{Shape, Tensor};

use crate::graph::Graph;
use crate::hazard::place;
use crate::number::signed;

/// An answer to the question why a gradient is 0. Displayed, it is said in sentences, with lines of
/// the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The answer.
    pub answer: Answer,
    /// Where a change of the element stops to be felt; or what its gradient is the sum of.
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
    /// It is 0: on the way to the loss, every change stops to be felt.
    Stopped,
    /// It is 0: changes reach the loss along several ways, and cancel.
    Cancelled,
    /// It is this number, and not 0.
    NotZero(f64),
}

/// A place of a program where a change stops, or by which a part of the gradient comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The node.
    pub node: usize,
    /// What happens there.
    pub text: String,
}

/// Says why the gradient of a loss with respect to one element of `x` is 0: names the `detach`, the
/// flat or masked ops that stop it, or says that there is no way at all. If it is not 0, says what it
/// is the sum of.
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
/// A misfit in the program, a loss with more than one element, or a place outside of `x`.
pub fn why(loss: Var<'_>, x: Var<'_>, index: &[usize]) -> Result<Why> {
    let graph = Graph::of(loss)?;
    let inside = index.len() == x.rank() && index.iter().zip(x.shape().iter()).all(|(i, n)| i < n);
    if !inside {
        return Err(outside(index).operand("x", x).into());
    }
    let node = graph.nodes.iter().position(|node| node.number == x.number());
    match node.filter(|_| std::ptr::eq(loss.tape(), x.tape())) {
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
    pub fn why(&self, x: usize, index: &[usize]) -> Result<Why> {
        let fits = |shape: &Shape| {
            index.len() == shape.rank() && index.iter().zip(shape.iter()).all(|(i, n)| i < n)
        };
        let Some(node) = self.nodes.get(x).filter(|node| fits(&node.shape)) else {
            return Err(outside(index).into());
        };
        let element = node.shape.ravel_index(index);
        let place = if node.shape.rank() == 0 { String::new() } else { format!("{index:?}") };
        let subject = self.label(x) + &place;
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

    /// Where a change of an element stops to be felt, and whether changes cancel anywhere.
    fn stops(&self, x: usize, element: usize) -> Result<(Vec<Cause>, bool)> {
        let mut change: Vec<Option<Vec<f64>>> = vec![None; self.nodes.len()];
        change[x] = Some(unit(self.nodes[x].shape.len(), element));
        let mut causes = Vec::new();
        let mut cancelled = false;
        for (at, node) in self.nodes.iter().enumerate().skip(x + 1) {
            let mut total: Option<Vec<f64>> = None;
            let mut felt_here = false;
            for (slot, input) in node.inputs.iter().enumerate() {
                let Some(felt) = &change[input.node] else { continue };
                let passed = self.passed(at, slot, felt)?;
                felt_here |= passed.iter().any(|&x| x != 0.0);
                if let Some(stopped) = stopped(felt, &passed) {
                    // By itself, an element may well be felt: then several have cancelled.
                    let alone = self.passed(at, slot, &unit(felt.len(), stopped))?;
                    if alone.iter().any(|&x| x != 0.0) {
                        felt_here = true;
                    } else {
                        causes.push(self.stop(at, slot, stopped));
                    }
                }
                total = Some(match total {
                    Some(total) => total.iter().zip(&passed).map(|(a, b)| a + b).collect(),
                    None => passed,
                });
            }
            change[at] = total.filter(|total| total.iter().any(|&x| x != 0.0));
            if felt_here && change[at].is_none() {
                let text = format!("at {}: changes of its input cancel", self.described(at));
                causes.push(Cause { node: at, text });
                cancelled = true;
            }
        }
        // What reaches the loss all the same has cancelled but for rounding.
        Ok((causes, cancelled || change.last().is_some_and(Option::is_some)))
    }

    /// How the value of a node moves if one of its inputs moves; not at all where there is no slope.
    fn passed(&self, at: usize, slot: usize, felt: &[f64]) -> Result<Vec<f64>> {
        let shape = self.nodes[self.nodes[at].inputs[slot].node].shape.clone();
        let tangent = Tensor::new(shape, felt.to_vec());
        let tangent = tangent.map_err(|error| Fault::new("why", error.to_string()))?;
        let moved = self.pushed_forward(at, slot, &tangent)?;
        Ok(moved.map_or_else(|| vec![0.0; self.nodes[at].shape.len()], |moved| moved.to_f64s()))
    }

    /// What stops a change of an input's element.
    fn stop(&self, at: usize, slot: usize, element: usize) -> Cause {
        let node = &self.nodes[at];
        let read = &self.nodes[node.inputs[slot].node];
        let x = signed(read.value.to_f64s()[element]);
        let text = match (node.op, slot) {
            ("detach", _) => "it lets no gradient through, on purpose".to_owned(),
            ("select", 0) => "a mask has slope 0".to_owned(),
            ("select", _) => "its mask takes the other side here".to_owned(),
            ("mul", _) => "it is multiplied by 0".to_owned(),
            ("max" | "min", _) => {
                format!(
                    "it is {x}, and the {} is another element: only that one gets a gradient",
                    node.op
                )
            }
            ("maximum" | "minimum", _) => format!("it is {x}, and the other operand is taken"),
            ("gather" | "index_select" | "slice" | "windows", 0) => {
                "this element is not read".to_owned()
            }
            ("relu" | "clamp", _) => format!("its input is {x}, and {} is flat there", node.op),
            _ => match self.backward_arithmetic(at, slot, &read.shape.unravel_index(element)) {
                Some(arithmetic) => {
                    format!("its input is {x}, and its slope there is 0: {arithmetic} comes back")
                }
                None => "a small change of its input does not change what it gives".to_owned(),
            },
        };
        let place =
            if read.shape.rank() == 0 { String::new() } else { place(element, &read.shape) };
        let subject = self.label(node.inputs[slot].node) + &place;
        Cause {
            node: at,
            text: format!("at {}, which reads {subject}: {text}", self.described(at)),
        }
    }
}

/// 1 at an element, and else 0.
fn unit(len: usize, element: usize) -> Vec<f64> {
    (0..len).map(|i| if i == element { 1.0 } else { 0.0 }).collect()
}

fn outside(index: &[usize]) -> Fault {
    Fault::new("why", format!("there is no element {index:?}"))
        .cure("one number for each axis, counted from 0")
}

/// The first element whose change is not felt behind an op: where the shapes are the same, any, and
/// else only if none is.
fn stopped(felt: &[f64], pushed: &[f64]) -> Option<usize> {
    let is_felt = |&i: &usize| felt[i] != 0.0;
    let all_stop = pushed.iter().all(|&x| x == 0.0);
    let same = felt.len() == pushed.len();
    (0..felt.len())
        .filter(is_felt)
        .find(|&i| all_stop || (same && pushed[i] == 0.0 && elementwise(felt, pushed)))
}

/// Whether an op may work element by element: a change appears nowhere else.
fn elementwise(felt: &[f64], pushed: &[f64]) -> bool {
    felt.iter().zip(pushed).all(|(&felt, &pushed)| felt != 0.0 || pushed == 0.0)
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
