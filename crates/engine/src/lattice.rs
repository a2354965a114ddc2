//! The lattice of alignments of a loss over sequences: at each place the log-probability of all ways
//! that lead there (forward), and of all that lead on from there to the end (backward).

use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

use crate::inputs::exact;
use crate::subject::Subject;

/// One example of a batch.
struct Lattice {
    /// What each row stands for: a label, or none for a blank.
    rows: Vec<Option<usize>>,
    /// By frame and row.
    forward: Vec<Vec<f64>>,
    backward: Vec<Vec<f64>>,
    /// The log-probability of all alignments.
    total: f64,
}

/// The lattices of a batch, if the loss aligns labels with frames: `log_p` is `[time, batch, class]`
/// where each frame has one class (CTC), and `[batch, time, 1 + labels, class]` where each frame has
/// any number (RNN-T). Null for other losses, and for inputs that do not go together.
pub fn lattices(subject: &Subject, tensors: &[(&'static str, Tensor)]) -> Value {
    let find = |name: &str| tensors.iter().find(|(each, _)| *each == name).map(|(_, t)| t);
    let numbers = |name: &str| find(name).map(Tensor::to_f64s);
    let Some(log_p) = find("log_p") else { return Value::Null };
    let (Some(frames), Some(counts)) = (numbers("input_lengths"), numbers("target_lengths")) else {
        return Value::Null;
    };
    let (Some(targets), Some(blank)) = (numbers("targets"), subject.count("blank")) else {
        return Value::Null;
    };
    let shape = log_p.shape().to_vec();
    let (numbers, width) = (log_p.to_f64s(), targets.len() / frames.len().max(1));
    let each = (0..frames.len()).map(|row| {
        let length = frames[row] as usize;
        let times = if shape.len() == 3 { shape[0] } else { *shape.get(1)? };
        (length <= times).then_some(())?;
        let labels = targets.get(row * width..row * width + counts[row] as usize)?;
        let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
        let lattice = match shape[..] {
            [_, batch, classes] => {
                let p = |t: usize, class: usize| {
                    *numbers.get((t * batch + row) * classes + class).unwrap_or(&f64::NAN)
                };
                ctc(length, &labels, blank, &p)
            }
            [_, times, places, classes] => {
                let p = |t: usize, u: usize, class: usize| {
                    let at = ((row * times + t) * places + u) * classes + class;
                    *numbers.get(at).unwrap_or(&f64::NAN)
                };
                rnn_t(length, &labels, blank, &p)
            }
            _ => return None,
        };
        Some(lattice.json())
    });
    each.collect::<Option<Vec<Value>>>().map_or(Value::Null, Value::from)
}

impl Lattice {
    fn json(&self) -> Value {
        let table = |of: &[Vec<f64>]| -> Vec<Vec<Value>> {
            of.iter().map(|frame| frame.iter().map(|&x| exact(x)).collect()).collect()
        };
        let share = |t: usize, row: usize| {
            (self.forward[t][row] + self.backward[t][row] - self.total).exp()
        };
        let shares: Vec<Vec<f64>> = (0..self.forward.len())
            .map(|t| (0..self.rows.len()).map(|row| share(t, row)).collect())
            .collect();
        json!({
            "rows": self.rows,
            "forward": table(&self.forward),
            "backward": table(&self.backward),
            "shares": table(&shares),
            "total": exact(self.total),
        })
    }
}

/// Each frame is a label or a blank; labels follow one another with blanks between them, which equal
/// labels need (Graves et al., 2006).
fn ctc(frames: usize, labels: &[usize], blank: usize, p: &dyn Fn(usize, usize) -> f64) -> Lattice {
    let rows: Vec<Option<usize>> =
        std::iter::once(None).chain(labels.iter().flat_map(|&label| [Some(label), None])).collect();
    let class = |row: usize| rows[row].unwrap_or(blank);
    let skips = |row: usize| row >= 2 && rows[row].is_some() && rows[row] != rows[row - 2];
    let mut forward = vec![vec![f64::NEG_INFINITY; rows.len()]; frames];
    let mut backward = forward.clone();
    for t in 0..frames {
        for row in 0..rows.len() {
            let before = match t {
                0 => {
                    if row < 2 {
                        0.0
                    } else {
                        f64::NEG_INFINITY
                    }
                }
                _ => {
                    let from = |back: usize| match row.checked_sub(back) {
                        Some(at) if back < 2 || skips(row) => forward[t - 1][at],
                        _ => f64::NEG_INFINITY,
                    };
                    add(add(from(0), from(1)), from(2))
                }
            };
            forward[t][row] = before + p(t, class(row));
        }
    }
    for t in (0..frames).rev() {
        for row in 0..rows.len() {
            backward[t][row] = if t + 1 == frames {
                if row + 2 >= rows.len() { 0.0 } else { f64::NEG_INFINITY }
            } else {
                let onto = |on: usize| match row + on {
                    at if at < rows.len() && (on < 2 || skips(at)) => {
                        backward[t + 1][at] + p(t + 1, class(at))
                    }
                    _ => f64::NEG_INFINITY,
                };
                add(add(onto(0), onto(1)), onto(2))
            };
        }
    }
    let total = forward.last().map_or(f64::NAN, |last| {
        last.iter().rev().take(2).fold(f64::NEG_INFINITY, |sum, &x| add(sum, x))
    });
    Lattice { rows, forward, backward, total }
}

/// From each place, a blank goes on to the next frame, and a label to the next label (Graves, 2012).
/// The rows count the labels that are out.
fn rnn_t(
    frames: usize,
    labels: &[usize],
    blank: usize,
    p: &dyn Fn(usize, usize, usize) -> f64,
) -> Lattice {
    let places = labels.len() + 1;
    let mut forward = vec![vec![f64::NEG_INFINITY; places]; frames];
    let mut backward = forward.clone();
    for t in 0..frames {
        for u in 0..places {
            let start = if (t, u) == (0, 0) { 0.0 } else { f64::NEG_INFINITY };
            let across = t.checked_sub(1).map(|t| forward[t][u] + p(t, u, blank));
            let up = u.checked_sub(1).map(|u| forward[t][u] + p(t, u, labels[u]));
            forward[t][u] = [across, up].into_iter().flatten().fold(start, add);
        }
    }
    for t in (0..frames).rev() {
        for u in (0..places).rev() {
            let is_end = t + 1 == frames && u + 1 == places;
            let across = match t + 1 < frames {
                true => backward[t + 1][u] + p(t, u, blank),
                false if is_end => p(t, u, blank),
                false => f64::NEG_INFINITY,
            };
            let up = match u + 1 < places {
                true => backward[t][u + 1] + p(t, u, labels[u]),
                false => f64::NEG_INFINITY,
            };
            backward[t][u] = add(across, up);
        }
    }
    let total = backward.first().map_or(f64::NAN, |first| first[0]);
    let rows = std::iter::once(None).chain(labels.iter().copied().map(Some)).collect();
    Lattice { rows, forward, backward, total }
}

/// `ln(eᵃ + eᵇ)`.
fn add(a: f64, b: f64) -> f64 {
    let [low, high] = [a.min(b), a.max(b)];
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use lossgraph_losses::find;

    use super::*;

    /// The lattices of a loss at its samples, and its terms.
    fn sampled(loss: &str) -> (Value, Vec<f64>) {
        let subject = Subject::of(find(loss).unwrap()).unwrap();
        let tensors: Vec<(&str, Tensor)> =
            subject.takes().into_iter().map(|takes| (takes.name, takes.sample)).collect();
        let Subject::Loss(case) = &subject else { unreachable!("it is of the catalogue") };
        let tape = lossgraph_autograd::Tape::f64();
        let vars: Vec<_> = case.inputs.iter().map(|input| tape.constant(input)).collect();
        let terms = case.record(&tape, &vars).unreduced().value().unwrap().to_f64s();
        (lattices(&subject, &tensors), terms)
    }

    #[test]
    fn all_alignments_together_are_the_loss() {
        let (found, terms) = sampled("rnn_t");
        for (lattice, term) in found.as_array().unwrap().iter().zip(terms) {
            assert!((lattice["total"].as_f64().unwrap() + term).abs() < 1e-12, "{lattice} {term}");
        }
        let (found, _) = sampled("ctc");
        assert_eq!(found.as_array().unwrap().len(), 2);
    }

    #[test]
    fn each_frame_is_in_one_state_of_ctc() {
        let (found, _) = sampled("ctc");
        for lattice in found.as_array().unwrap() {
            for frame in lattice["shares"].as_array().unwrap() {
                let sum: f64 = frame.as_array().unwrap().iter().flat_map(Value::as_f64).sum();
                assert!((sum - 1.0).abs() < 1e-12, "{lattice}");
            }
        }
    }

    #[test]
    fn other_losses_have_no_lattice() {
        assert_eq!(sampled("mse").0, Value::Null);
    }
}
