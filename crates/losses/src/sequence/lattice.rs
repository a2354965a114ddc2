//! The lattice of alignments of a loss over sequences: at each place the log-probability of all ways
//! that lead there (forward), and of all that lead on from there to the end (backward).

use super::NEVER;
use crate::catalogue::Numbers;
use crate::catalogue::figure::{Cell, Chart, Figure, Panel, Table, rounded};

/// One example of a batch.
pub(super) struct Lattice {
    /// What each row stands for.
    rows: Vec<String>,
    /// By frame and row.
    forward: Vec<Vec<f64>>,
    backward: Vec<Vec<f64>>,
    /// The log-probability of all alignments.
    total: f64,
}

/// What an example of a batch has.
pub(super) struct Example<'a> {
    frames: usize,
    labels: Vec<usize>,
    blank: usize,
    /// The log-probabilities of the classes at a place.
    classes: &'a dyn Fn(usize, usize) -> &'a [f64],
}

/// The lattices of a batch, of log-probabilities that may be of one example alone: `place` gives where
/// the classes of an example begin, at a frame and at a number of labels that are out.
pub(super) fn figure(
    x: &Numbers<'_>,
    [batch, frames]: [usize; 2],
    place: impl Fn(usize, usize, usize) -> usize,
    lattice: fn(&Example<'_>) -> Lattice,
) -> Option<Figure> {
    let scores = if x.maybe("logits").is_some() { "logits" } else { "log_p" };
    let classes = *x.shape(scores).last()?;
    let log_p: Vec<f64> = match scores {
        "logits" => x.rows(scores).into_iter().flat_map(log_softmax).collect(),
        _ => x.of(scores).to_vec(),
    };
    let [lengths, counts] = ["input_lengths", "target_lengths"].map(|name| x.of(name));
    (lengths.len() == batch && counts.len() == batch).then_some(())?;
    let (targets, is_padded) = (x.of("targets"), x.shape("targets").len() == 2);
    let mut first = 0;
    let panel = |row: usize| {
        let count = counts[row] as usize;
        let start = if is_padded { row * (targets.len() / batch) } else { first };
        first = start + count;
        let labels: Vec<usize> =
            targets.get(start..start + count)?.iter().map(|&label| label as usize).collect();
        let is_class = |&label: &usize| label < classes;
        let blank = x.count("blank");
        let frames = (lengths[row] as usize <= frames).then_some(lengths[row] as usize)?;
        let known = labels.iter().chain([&blank]).all(is_class) && frames > 0;
        known.then_some(())?;
        let classes = |t: usize, u: usize| {
            let at = place(row, t, u);
            log_p.get(at..at + classes).unwrap_or(&[])
        };
        let found = lattice(&Example { frames, labels, blank, classes: &classes });
        Some(found.panel(row))
    };
    Some(Figure {
        title: "The alignments",
        about: "Columns: the frames. α: the log-probability of all ways to a place, β: of all ways on from \
                there. The stronger the blue, the larger the share of the alignments that go through it.",
        panels: (0..batch).map(panel).collect::<Option<_>>()?,
    })
}

fn log_softmax(row: &[f64]) -> Vec<f64> {
    let most = row.iter().copied().fold(NEVER, f64::max);
    let sum: f64 = row.iter().map(|z| (z - most).exp()).sum();
    row.iter().map(|z| z - most - sum.ln()).collect()
}

impl Lattice {
    /// The part of all alignments that go through a place.
    fn share(&self, t: usize, row: usize) -> f64 {
        (self.forward[t][row] + self.backward[t][row] - self.total).exp()
    }

    fn panel(&self, example: usize) -> Panel {
        let cell = |row: usize, t: usize| Cell {
            numbers: vec![("α", self.forward[t][row]), ("β", self.backward[t][row])],
            shade: self.share(t, row),
            framed: false,
        };
        let frames = 0..self.forward.len();
        let cells = (0..self.rows.len()).map(|row| frames.clone().map(|t| cell(row, t)).collect());
        let table = Table {
            title: "ways to a place and on from it".to_owned(),
            cells: cells.collect(),
            columns: frames.clone().map(|t| format!("t = {t}")).collect(),
            rows: self.rows.clone(),
        };
        let caption = format!("example {example}: ln p = {}", rounded(self.total));
        Panel { caption, charts: vec![Chart::Table(table)] }
    }
}

impl Example<'_> {
    /// The log-probability of a class at a frame, with so many labels out.
    fn log_p(&self, t: usize, u: usize, class: usize) -> f64 {
        (self.classes)(t, u).get(class).copied().unwrap_or(f64::NAN)
    }
}

/// Each frame is a label or a blank; labels follow one another with blanks between them, which equal
/// labels need (Graves et al., 2006).
pub(super) fn ctc(example: &Example<'_>) -> Lattice {
    let Example { frames, ref labels, blank, .. } = *example;
    let p = |t: usize, class: usize| example.log_p(t, 0, class);
    let states: Vec<Option<usize>> =
        std::iter::once(None).chain(labels.iter().flat_map(|&label| [Some(label), None])).collect();
    let class = |row: usize| states[row].unwrap_or(blank);
    let skips = |row: usize| row >= 2 && states[row].is_some() && states[row] != states[row - 2];
    let mut forward = vec![vec![NEVER; states.len()]; frames];
    let mut backward = forward.clone();
    for t in 0..frames {
        for row in 0..states.len() {
            let before = match t {
                0 => {
                    if row < 2 {
                        0.0
                    } else {
                        NEVER
                    }
                }
                _ => {
                    let from = |back: usize| match row.checked_sub(back) {
                        Some(at) if back < 2 || skips(row) => forward[t - 1][at],
                        _ => NEVER,
                    };
                    add(add(from(0), from(1)), from(2))
                }
            };
            forward[t][row] = before + p(t, class(row));
        }
    }
    for t in (0..frames).rev() {
        for row in 0..states.len() {
            backward[t][row] = if t + 1 == frames {
                if row + 2 >= states.len() { 0.0 } else { NEVER }
            } else {
                let onto = |on: usize| match row + on {
                    at if at < states.len() && (on < 2 || skips(at)) => {
                        backward[t + 1][at] + p(t + 1, class(at))
                    }
                    _ => NEVER,
                };
                add(add(onto(0), onto(1)), onto(2))
            };
        }
    }
    let total = forward
        .last()
        .map_or(f64::NAN, |last| last.iter().rev().take(2).fold(NEVER, |sum, &x| add(sum, x)));
    let name = |state: Option<usize>| state.map_or("blank".to_owned(), |label| label.to_string());
    let rows = states.into_iter().map(name).collect();
    Lattice { rows, forward, backward, total }
}

/// From each place, a blank goes on to the next frame, and a label to the next label (Graves, 2012).
/// The rows count the labels that are out.
pub(super) fn rnn_t(example: &Example<'_>) -> Lattice {
    let Example { frames, ref labels, blank, .. } = *example;
    let p = |t: usize, u: usize, class: usize| example.log_p(t, u, class);
    let places = labels.len() + 1;
    let mut forward = vec![vec![NEVER; places]; frames];
    let mut backward = forward.clone();
    for t in 0..frames {
        for u in 0..places {
            let start = if (t, u) == (0, 0) { 0.0 } else { NEVER };
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
                false => NEVER,
            };
            let up = match u + 1 < places {
                true => backward[t][u + 1] + p(t, u, labels[u]),
                false => NEVER,
            };
            backward[t][u] = add(across, up);
        }
    }
    let total = backward.first().map_or(f64::NAN, |first| first[0]);
    let before = std::iter::once("start".to_owned());
    let rows = before.chain(labels.iter().map(|label| format!("after {label}"))).collect();
    Lattice { rows, forward, backward, total }
}

/// `ln(eᵃ + eᵇ)`.
fn add(a: f64, b: f64) -> f64 {
    let [low, high] = [a.min(b), a.max(b)];
    if low == NEVER { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

    use super::*;
    use crate::catalogue::{Case, Loss};

    /// The tables of a loss at its samples in a setting, and its terms.
    fn sampled(loss: &'static Loss, setting: &str) -> (Vec<(String, Table)>, Vec<f64>) {
        let case = Case::new(loss, setting, 0).unwrap();
        let tape = Tape::f64();
        let vars: Vec<_> = case.inputs.iter().map(|input| tape.constant(input)).collect();
        let terms = case.record(&tape, &vars).unreduced().value().unwrap().to_f64s();
        let table = |panel: Panel| match panel.charts.into_iter().next() {
            Some(Chart::Table(table)) => (panel.caption, table),
            _ => panic!("it is a table"),
        };
        (case.figure(&case.inputs).unwrap().panels.into_iter().map(table).collect(), terms)
    }

    #[test]
    fn all_alignments_together_are_the_loss() {
        for (loss, settings) in [(&super::super::ctc::ROW, 4), (&super::super::rnn_t::ROW, 3)] {
            assert_eq!(loss.grid.len(), settings);
            for setting in loss.grid {
                let (found, terms) = sampled(loss, setting);
                for ((caption, _), term) in found.iter().zip(&terms) {
                    let expected = format!("ln p = {}", rounded(-term));
                    assert!(caption.ends_with(&expected), "{setting}: {caption}, {expected}");
                }
                assert_eq!(found.len(), terms.len());
            }
        }
    }

    #[test]
    fn each_frame_is_in_one_state_of_ctc() {
        for (caption, table) in sampled(&super::super::ctc::ROW, "").0 {
            for t in 0..table.columns.len() {
                let sum: f64 = table.cells.iter().map(|row| row[t].shade).sum();
                assert!((sum - 1.0).abs() < 1e-12, "{caption}: {sum}");
            }
        }
    }

    #[test]
    fn targets_one_after_another_are_those_of_their_rows() {
        let case = Case::new(&super::super::ctc::ROW, "", 0).unwrap();
        let mut inputs = case.inputs.clone();
        let padded = case.figure(&inputs);
        // Of lengths 1 and 2: the second place of the first row is padding.
        inputs[1] = lossgraph_tensor::Tensor::from([1_i64, 2, 2]);
        assert!(padded.is_some());
        assert_eq!(case.figure(&inputs), padded);
        inputs[1] = lossgraph_tensor::Tensor::from([1_i64, 2]);
        assert_eq!(case.figure(&inputs), None);
    }
}
