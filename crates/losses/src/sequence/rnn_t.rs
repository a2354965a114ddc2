//! The loss of a transducer, which reads frames and writes labels in turns.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::NEVER;
use super::lattice;
use super::lengths::{lengths, rows, table};
use crate::catalogue::{Domain, Invariance, Loss, Numbers, count, input, option};
use crate::check::{demand, floats};
use crate::terms::Terms;

/// The negative log-likelihood of a target, whenever a transducer writes its labels.
///
/// ```text
/// L = −ln Σ_π Π p[t, u, π]     over all paths π from (0, 0) to (T, U): the blank goes on to the
///                              next frame t, label u + 1 of the target to the next position u
/// ∂L/∂log_p[t, u, c] = −P(a path takes c at (t, u) | target)
/// ```
///
/// `α[t, u]` is the log-probability of all paths to `(t, u)`:
///
/// ```text
/// α[t, u] = ln(e^(α[t−1, u] + log_p[t−1, u, blank]) + e^(α[t, u−1] + log_p[t, u−1, label u]))
/// L = −α[T, U]
/// ```
///
/// It is recorded diagonal by diagonal, `t + u = 0, 1, …`, on which nothing depends on its
/// neighbors, and so it has derivatives of every order. The derivative is that with respect to
/// log-probabilities; for scores of any size there is [`of_logits`](RnnT::of_logits). An input
/// without frames has loss ∞, or 0 for an empty target.
///
/// | | |
/// |---|---|
/// | shapes | log_p: `[batch, time, 1 + labels, class]`; targets: `[batch, labels]`, padded with anything; lengths, terms: `[batch]` |
/// | unit | nats |
/// | range | 0 and above, for probabilities |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::rnn_t;
/// let tape = Tape::f64();
/// // One frame, blank or label, ½ each: the label, then the blank.
/// let x = tape.variable([[[0.5_f64.ln(); 2]; 2]]);
/// let log_p = x.unsqueeze(0);
/// let ones = tape.constant(vec![1_i64]);
/// let gradients = rnn_t(log_p, tape.constant([[1_i64]]), ones, ones).mean().backward()?;
/// assert!((gradients.loss() - 4.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.0, -1.0, -1.0, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Shapes that do not fit; lengths beyond what they count; labels that are no classes, or the
/// blank; a blank that is no class.
///
/// # Source
/// Graves, Sequence Transduction with Recurrent Neural Networks, 2012. torchaudio's `RNNTLoss`,
/// whose blank is the last class by default.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "RNNTLoss")]
pub struct RnnT {
    /// The class that goes on to the next frame.
    pub blank: usize,
}

/// [`RnnT`] with its defaults.
#[doc(alias = "rnnt_loss")]
#[track_caller]
pub fn rnn_t<'t>(
    log_p: Var<'t>,
    targets: Var<'t>,
    input_lengths: Var<'t>,
    target_lengths: Var<'t>,
) -> Terms<'t> {
    RnnT::default().forward(log_p, targets, input_lengths, target_lengths)
}

impl RnnT {
    /// The terms, from log-probabilities.
    #[track_caller]
    pub fn forward<'t>(
        &self,
        log_p: Var<'t>,
        targets: Var<'t>,
        input_lengths: Var<'t>,
        target_lengths: Var<'t>,
    ) -> Terms<'t> {
        log_p.tape().named_call("rnn_t", || {
            match self.paths(log_p, targets, input_lengths, target_lengths) {
                Ok(paths) => Terms::new(paths.loss()),
                Err(fault) => Terms::new(fault),
            }
        })
    }

    /// The terms, from scores of any size.
    #[track_caller]
    pub fn of_logits<'t>(
        &self,
        logits: Var<'t>,
        targets: Var<'t>,
        input_lengths: Var<'t>,
        target_lengths: Var<'t>,
    ) -> Terms<'t> {
        self.forward(
            floats("rnn_t", "logits", logits).log_softmax(-1),
            targets,
            input_lengths,
            target_lengths,
        )
    }

    /// Looks at what is given.
    #[track_caller]
    fn paths<'t>(
        &self,
        log_p: Var<'t>,
        targets: Var<'t>,
        input_lengths: Var<'t>,
        target_lengths: Var<'t>,
    ) -> Result<Paths<'t>, Var<'t>> {
        let blank = self.blank;
        let log_p = floats("rnn_t", "log_p", log_p);
        let why = || "log_p is [batch, time, 1 + labels, class]".to_owned();
        let log_p = demand("rnn_t", log_p.rank() == 4 && log_p.dim(2) > 0, why, log_p);
        let [batch, frames, positions, classes] = [0, 1, 2, 3].map(|axis| log_p.dim(axis));
        let why = || format!("blank {blank} is none of the classes 0..{classes}");
        let log_p = demand("rnn_t", blank < classes, why, log_p);
        if log_p.is_faulty() {
            return Err(log_p);
        }
        let most = (positions - 1).min(targets.dim(-1));
        let inputs = lengths("rnn_t", "input_lengths", input_lengths, batch, frames)?;
        let counts = lengths("rnn_t", "target_lengths", target_lengths, batch, most)?;
        let rows = rows("rnn_t", targets, &counts, |label| match label {
            _ if label == blank as i64 => Err(format!("label {label} is the blank")),
            _ if (0..classes as i64).contains(&label) => Ok(()),
            _ => Err(format!("label {label} is none of the classes 0..{classes}")),
        })?;
        // The position after the last label has none; whatever is picked there is not on any path.
        let next = |row: usize, u: usize| rows[row].get(u).copied().unwrap_or(blank as i64);
        let next = table(log_p, [batch, positions], next).reshape([batch, 1, positions, 1]);
        let has = |row: usize, t: usize| f64::from(u8::from(t < inputs[row]));
        let has = table(log_p, [batch, frames], has).unsqueeze(2);
        let label = log_p.gather(3, next.expand([batch, frames, positions, 1])).squeeze(3);
        let steps = inputs.iter().zip(&counts).map(|(frames, labels)| frames + labels);
        let steps: Vec<usize> = steps.collect();
        let diagonals = frames + positions - 1;
        Ok(Paths {
            blank: by_diagonal(log_p.index(3, blank as isize)),
            // A path that has read all frames writes no more.
            label: by_diagonal(has.select(label, NEVER)),
            start: table(log_p, [batch, positions], |_, u| if u == 0 { 0.0 } else { NEVER }),
            goes_on: table(log_p, [batch, diagonals], |row, d| f64::from(u8::from(d < steps[row]))),
            last: table(log_p, [batch, 1], |row, _| rows[row].len() as i64),
        })
    }
}

/// The steps of all paths, along diagonals `d = t + u`.
struct Paths<'t> {
    /// To the next frame from position `u`: `[batch, position, diagonal]`.
    blank: Var<'t>,
    /// To the next position from position `u`: `[batch, position, diagonal]`.
    label: Var<'t>,
    /// Paths begin in position 0: `[batch, position]`.
    start: Var<'t>,
    /// 1 while a path has not come to its end: `[batch, diagonal]`.
    goes_on: Var<'t>,
    /// The last position of each target: `[batch, 1]`.
    last: Var<'t>,
}

impl<'t> Paths<'t> {
    #[track_caller]
    fn loss(&self) -> Var<'t> {
        let diagonals = 0..self.goes_on.dim(1) as isize;
        let alpha = diagonals.fold(self.start, |alpha, d| {
            let read = alpha + self.blank.index(2, d);
            let write = (alpha + self.label.index(2, d)).shift(1, 1, NEVER);
            self.goes_on.index(1, d).unsqueeze(1).select(read.log_add_exp(write), alpha)
        });
        -alpha.gather(1, self.last).squeeze(1)
    }
}

/// `[batch, time, position]` as `[batch, position, diagonal]`, where position `u` of frame `t` is on the
/// diagonal `t + u`; −∞ where a diagonal leaves the frames.
#[track_caller]
fn by_diagonal(x: Var<'_>) -> Var<'_> {
    let [batch, frames, positions] = [0, 1, 2].map(|axis| x.dim(axis));
    let diagonals = frames + positions - 1;
    // Rows one longer than they will be: read on without gaps, each begins one position later.
    let long = x.transpose(1, 2).pad(&[(0, 0), (0, 0), (0, positions)], NEVER);
    let flat = long.reshape([batch, positions * (diagonals + 1)]);
    flat.slice(1, ..(positions * diagonals) as isize).reshape([batch, positions, diagonals])
}

const BATCH: usize = 2;
const FRAMES: usize = 3;
const LABELS: usize = 2;
const CLASSES: usize = 3;
const SHAPE: &[usize] = &[BATCH, FRAMES, LABELS + 1, CLASSES];

pub(crate) static ROW: Loss = Loss {
    name: "rnn_t",
    aliases: &["RNNTLoss", "rnnt_loss", "transducer"],
    summary: "The likelihood of a target, whenever a transducer writes its labels.",
    formula: "−ln Σ_π Π p[t, u, π], over all paths π of blanks and the target's labels",
    latex: r"-\ln \sum_{\pi} \prod_{(t, u) \in \pi} e^{\ell_{t, u, \pi_{t, u}}}",
    letters: &[("π", "a path: a label, or blank to the next frame, at each place")],
    shapes: "log_p: [batch, time, 1 + labels, class]; targets: [batch, labels]; lengths, terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Graves, 2012; torchaudio RNNTLoss",
    inputs: &[
        input("log_p", SHAPE, Domain::LogProbabilities),
        option("logits", SHAPE, Domain::Logits, "scores instead of log-probabilities"),
        input("targets", &[BATCH, LABELS], Domain::Integers(&[1, 1, 1, 1])),
        input("input_lengths", &[BATCH], Domain::Integers(&[2, 3])),
        input("target_lengths", &[BATCH], Domain::Integers(&[1, 2])),
    ],
    options: &[count("blank", 0, "the class that goes on to the next frame")],
    grid: &["", "blank=2", "logits"],
    invariances: &[
        Invariance::Shift("logits"),
        Invariance::Order(&["log_p", "logits", "targets", "input_lengths", "target_lengths"]),
    ],
    run: |x| {
        let loss = RnnT { blank: x.count("blank") };
        let [targets, inputs, counts] =
            ["targets", "input_lengths", "target_lengths"].map(|name| x.var(name));
        match x.maybe("logits") {
            Some(logits) => loss.of_logits(logits, targets, inputs, counts),
            None => loss.forward(x.var("log_p"), targets, inputs, counts),
        }
    },
    naive: |x| (0..BATCH).map(|row| -paths_from(x, row, 0, 0).ln()).collect(),
    figure: Some(|x| {
        let &[batch, frames, places, classes] = x.shape("log_p") else { return None };
        let place = |row: usize, t: usize, u: usize| ((row * frames + t) * places + u) * classes;
        lattice::figure(x, [batch, frames], place, lattice::rnn_t)
    }),
    edges: &[
        ("sure and right", "no path is possible: the slope is 0/0"),
        ("sure and wrong", "no path is possible: the slope is 0/0"),
        ("+∞", "it is no logarithm of a probability"),
        ("NaN", "what is on no path is not looked at"),
    ],
    ..FAMILY
};

/// The probability of all ways from frame `t` and position `u` to the end, one after the other.
fn paths_from(x: &Numbers<'_>, row: usize, t: usize, u: usize) -> f64 {
    let [frames, labels] = ["input_lengths", "target_lengths"].map(|name| x.of(name)[row] as usize);
    if t == frames {
        return f64::from(u8::from(u == labels));
    }
    let start = ((row * FRAMES + t) * (LABELS + 1) + u) * CLASSES;
    let p = |class: f64| match x.maybe("logits") {
        None => x.of("log_p")[start + class as usize].exp(),
        Some(logits) => {
            let exps = logits[start..start + CLASSES].iter().map(|z| z.exp());
            logits[start + class as usize].exp() / exps.sum::<f64>()
        }
    };
    let read = p(x.number("blank")) * paths_from(x, row, t + 1, u);
    let write = match u < labels {
        true => p(x.of("targets")[row * LABELS + u]) * paths_from(x, row, t, u + 1),
        false => 0.0,
    };
    read + write
}
