//! Connectionist temporal classification.

use lossgraph_autograd::Var;
use lossgraph_tensor::Shape;

use super::FAMILY;
use super::NEVER;
use super::lattice;
use super::lengths::{lengths, rows, table};
use crate::catalogue::{Domain, Invariance, Loss, Numbers, Task, count, flag, input, option};
use crate::check::{demand, floats};
use crate::terms::Terms;

const SHAPE: &str = "log_p is [time, batch, class] or [time, class]";

/// The negative log-likelihood of a target, however its labels lie along the frames of an input.
///
/// ```text
/// L = −ln Σ_π Π_t p[t, π_t]      over all paths π that the target is left of, once repeated
///                                labels are merged and then blanks dropped
/// ∂L/∂log_p[t, c] = −P(π_t = c | target)
/// ```
///
/// The sum runs over time. With the target's labels between blanks, `_ a _ b _`, as states `s`,
/// `α[t, s]` is the log-probability of all paths that are in `s` after frame `t`:
///
/// ```text
/// α[t, s] = log_p[t, label(s)] + ln(e^α[t−1, s] + e^α[t−1, s−1] + e^α[t−1, s−2])
/// L = −ln(e^α[T, last] + e^α[T, last − 1])
/// ```
///
/// where a path skips a state, `s − 2`, only from one label to another one. It is recorded step by
/// step, so it has derivatives of every order.
///
/// A target that no path gives, since its input is too short, has loss ∞ and slope NaN, or both 0
/// with `zero_infinity`. Frames beyond an input's length get slope 0.
///
/// The derivative is that with respect to log-probabilities. PyTorch gives that with respect to
/// logits even where it is handed log-probabilities; [`of_logits`](Ctc::of_logits) does the same,
/// since [`log_softmax`](Var::log_softmax) leaves log-probabilities as they are.
///
/// The mean is that of `L / max(1, length of the target)`, as PyTorch's.
///
/// | | |
/// |---|---|
/// | shapes | log_p: `[time, batch, class]` or `[time, class]`; targets: `[batch, labels]`, padded with anything, or one after another in `[labels]`; lengths and terms: `[batch]` or `[]` |
/// | unit | nats |
/// | range | 0 and above, for probabilities |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::ctc;
/// let tape = Tape::f64();
/// // Two frames, blank or label, ½ each: of four paths, three give the label.
/// let log_p = tape.variable([[0.5_f64.ln(); 2]; 2]);
/// let [frames, labels] = [2_i64, 1].map(|length| tape.constant(length));
/// let gradients = ctc(log_p, tape.labels(&[1]), frames, labels).mean().backward()?;
/// assert!((gradients.loss() + 0.75_f64.ln()).abs() < 1e-15);
/// // Given the label, each frame is the blank in one path of three.
/// let slope = gradients.of(log_p).unwrap().to_f64s();
/// assert!((slope[0] + 1.0 / 3.0).abs() < 1e-15 && (slope[1] + 2.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Shapes that do not fit; lengths beyond what they count; labels that are no classes, or the
/// blank; a blank that is no class.
///
/// # Source
/// Graves et al., Connectionist Temporal Classification, 2006. PyTorch's `CTCLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "CTCLoss")]
pub struct Ctc {
    /// The class of no label.
    pub blank: usize,
    /// Makes the loss of a target that cannot be 0, with slope 0.
    pub zero_infinity: bool,
}

/// [`Ctc`] with its defaults.
#[doc(alias = "ctc_loss")]
#[track_caller]
pub fn ctc<'t>(
    log_p: Var<'t>,
    targets: Var<'t>,
    input_lengths: Var<'t>,
    target_lengths: Var<'t>,
) -> Terms<'t> {
    Ctc::default().forward(log_p, targets, input_lengths, target_lengths)
}

impl Ctc {
    /// The terms, from log-probabilities.
    #[track_caller]
    pub fn forward<'t>(
        &self,
        log_p: Var<'t>,
        targets: Var<'t>,
        input_lengths: Var<'t>,
        target_lengths: Var<'t>,
    ) -> Terms<'t> {
        log_p.tape().named_call("ctc", || {
            match self.states(log_p, targets, input_lengths, target_lengths) {
                Ok(states) => self.terms(log_p, &states),
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
            floats("ctc", "logits", logits).log_softmax(-1),
            targets,
            input_lengths,
            target_lengths,
        )
    }

    /// Looks at what is given.
    #[track_caller]
    fn states<'t>(
        &self,
        log_p: Var<'t>,
        targets: Var<'t>,
        input_lengths: Var<'t>,
        target_lengths: Var<'t>,
    ) -> Result<States<'t>, Var<'t>> {
        let blank = self.blank;
        let log_p = floats("ctc", "log_p", log_p);
        let log_p = demand("ctc", (2..=3).contains(&log_p.rank()), || SHAPE.to_owned(), log_p);
        let (frames, classes) = (log_p.dim(0), log_p.dim(-1));
        let why = || format!("blank {blank} is none of the classes 0..{classes}");
        let log_p = demand("ctc", blank < classes, why, log_p);
        if log_p.is_faulty() {
            return Err(log_p);
        }
        let batch = if log_p.rank() == 3 { log_p.dim(1) } else { 1 };
        let most = if targets.rank() == 2 { targets.dim(1) } else { targets.len() };
        let inputs = lengths("ctc", "input_lengths", input_lengths, batch, frames)?;
        let counts = lengths("ctc", "target_lengths", target_lengths, batch, most)?;
        let rows = rows("ctc", targets, &counts, |label| match label {
            _ if label == blank as i64 => Err(format!("label {label} is the blank")),
            _ if (0..classes as i64).contains(&label) => Ok(()),
            _ => Err(format!("label {label} is none of the classes 0..{classes}")),
        })?;
        Ok(States::new(log_p, &inputs, &rows, blank as i64))
    }

    #[track_caller]
    fn terms<'t>(&self, log_p: Var<'t>, states: &States<'t>) -> Terms<'t> {
        let (frames, shape) = (log_p.dim(0), log_p.shape());
        let each = log_p.reshape([frames, states.start.dim(0), log_p.dim(-1)]);
        let each = each.gather(2, states.labels);
        let alpha = (0..frames as isize).fold(states.start, |alpha, t| {
            let stay = alpha.log_add_exp(alpha.shift(1, 1, NEVER));
            let skip = alpha.shift(1, 2, NEVER) + states.skip;
            let next = stay.log_add_exp(skip) + each.index(0, t);
            states.goes_on.map_or(next, |goes_on| goes_on.index(0, t).select(next, alpha))
        });
        let last = alpha.gather(1, states.last);
        let loss = match self.zero_infinity {
            false => -last.log_sum_exp(1),
            // Chosen before the logarithm as well, for its slope is NaN there.
            true => {
                let never = last.max(1).eq(NEVER);
                let last = never.unsqueeze(1).select(0.0, last);
                never.select(0.0, -last.log_sum_exp(1))
            }
        };
        let of_batch = Shape::from(&shape[1..shape.rank() - 1]);
        Terms::new(loss.reshape(of_batch.clone())).of_length(states.lengths.reshape(of_batch))
    }
}

/// What the paths of a batch of targets go through: a dead state, then the labels with blanks
/// around them. With the dead one, an empty target too, a single blank, has two last states.
struct States<'t> {
    /// The label of each state, `[time, batch, state]`, the same at all times.
    labels: Var<'t>,
    /// 0 where a path may come from two states before, else −∞: `[batch, state]`.
    skip: Var<'t>,
    /// Before the first frame, every path is in the first blank: `[batch, state]`.
    start: Var<'t>,
    /// The last two states of each target, `[batch, 2]`.
    last: Var<'t>,
    /// 1 for the frames of each input, `[time, batch, 1]`; `None` if all have all.
    goes_on: Option<Var<'t>>,
    /// The lengths of the targets, 1 at least.
    lengths: Var<'t>,
}

impl<'t> States<'t> {
    fn new(log_p: Var<'t>, inputs: &[usize], rows: &[Vec<i64>], blank: i64) -> States<'t> {
        let (frames, batch) = (log_p.dim(0), rows.len());
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let each = [batch, 2 * longest + 2];
        // Labels stand in the states 2, 4, …; the others are blank.
        let label = |row: usize, state: usize| match state {
            0 => None,
            _ if state % 2 == 1 => None,
            _ => rows[row].get(state / 2 - 1).copied(),
        };
        let labels = table(log_p, each, |row, state| label(row, state).unwrap_or(blank));
        let skips = |row: usize, state: usize| {
            let before = label(row, state.saturating_sub(2));
            label(row, state).is_some() && before.is_some() && label(row, state) != before
        };
        let certain_if = |holds: bool| if holds { 0.0 } else { NEVER };
        let goes_on = || {
            let has = |t: usize, row: usize| f64::from(u8::from(t < inputs[row]));
            table(log_p, [frames, batch], has).unsqueeze(2)
        };
        States {
            labels: labels.expand([frames, each[0], each[1]]),
            skip: table(log_p, each, |row, state| certain_if(skips(row, state))),
            start: table(log_p, each, |_, state| certain_if(state == 1)),
            last: table(log_p, [batch, 2], |row, back| (2 * rows[row].len() + 1 - back) as i64),
            goes_on: inputs.iter().any(|&length| length < frames).then(goes_on),
            lengths: table(log_p, [batch, 1], |row, _| rows[row].len().max(1) as f64),
        }
    }
}

const FRAMES: usize = 5;
const BATCH: usize = 2;
const CLASSES: usize = 4;

pub(crate) static ROW: Loss = Loss {
    name: "ctc",
    aliases: &["CTCLoss", "ctc_loss", "connectionist_temporal_classification"],
    summary: "The likelihood of a target, however its labels lie along the frames.",
    formula: "−ln Σ_π Π_t p[t, π_t], over all paths π that collapse to the target",
    latex: r"-\ln \sum_{\pi \in \mathcal{B}^{-1}(y)} \prod_t e^{\ell_{t, \pi_t}}",
    letters: &[
        ("π", "a path: a class or blank for each frame"),
        ("ℬ", "merges repeats, then drops blanks"),
    ],
    shapes: "log_p: [time, batch, class] or [time, class]; targets: [batch, labels] or [labels]; lengths, terms: [batch] or []",
    unit: "nats",
    range: "[0, ∞)",
    source: "Graves et al., 2006; PyTorch CTCLoss",
    tasks: &[Task::Sequences.fit().by_default()],
    inputs: &[
        input("log_p", &[FRAMES, BATCH, CLASSES], Domain::LogProbabilities),
        option(
            "logits",
            &[FRAMES, BATCH, CLASSES],
            Domain::Logits,
            "scores instead of log-probabilities",
        ),
        input("targets", &[BATCH, 2], Domain::Integers(&[1, 2, 2, 2])),
        input("input_lengths", &[BATCH], Domain::Integers(&[4, 5])),
        input("target_lengths", &[BATCH], Domain::Integers(&[1, 2])),
    ],
    options: &[
        count("blank", 0, "the class of no label"),
        flag("zero_infinity", "makes the loss of a target that cannot be 0"),
    ],
    grid: &["", "blank=3", "zero_infinity", "logits"],
    invariances: &[Invariance::Shift("logits")],
    run: |x| {
        let loss = Ctc { blank: x.count("blank"), zero_infinity: x.flag("zero_infinity") };
        let [targets, inputs, counts] =
            ["targets", "input_lengths", "target_lengths"].map(|name| x.var(name));
        match x.maybe("logits") {
            Some(logits) => loss.of_logits(logits, targets, inputs, counts),
            None => loss.forward(x.var("log_p"), targets, inputs, counts),
        }
    },
    naive: |x| {
        let log_p = match x.maybe("logits") {
            None => x.of("log_p").to_vec(),
            Some(logits) => {
                let normalized = |row: &[f64]| -> Vec<f64> {
                    let sum: f64 = row.iter().map(|z| z.exp()).sum();
                    row.iter().map(|z| z - sum.ln()).collect()
                };
                logits.chunks(CLASSES).flat_map(normalized).collect()
            }
        };
        (0..BATCH).map(|row| -all_paths(x, &log_p, row).ln()).collect()
    },
    figure: Some(|x| {
        let (batch, frames, classes) = match *x.shape("log_p") {
            [frames, classes] => (1, frames, classes),
            [frames, batch, classes] => (batch, frames, classes),
            _ => return None,
        };
        let place = |row: usize, t: usize, _| (t * batch + row) * classes;
        lattice::figure(x, [batch, frames], place, lattice::ctc)
    }),
    edges: &[
        ("an impossible class", "no path is possible: the slope is 0/0"),
        ("all others impossible", "no path is possible: the slope is 0/0"),
        ("the label impossible", "no path is possible: the slope is 0/0"),
        ("sure and right", "no path is possible: the slope is 0/0"),
        ("sure and wrong", "no path is possible: the slope is 0/0"),
        ("+∞", "it is no logarithm of a probability"),
        ("NaN", "frames beyond the length are not looked at"),
    ],
    ..FAMILY
};

/// The probability of all paths of a row that give its target, one path after the other.
fn all_paths(x: &Numbers<'_>, log_p: &[f64], row: usize) -> f64 {
    let [frames, count] = ["input_lengths", "target_lengths"].map(|name| x.of(name)[row] as usize);
    let target = &x.of("targets")[2 * row..2 * row + count];
    let path = |number: usize| (0..frames as u32).map(move |t| number / CLASSES.pow(t) % CLASSES);
    let gives_target = |number: &usize| {
        let mut merged: Vec<usize> = path(*number).collect();
        merged.dedup();
        merged.retain(|&class| class as f64 != x.number("blank"));
        merged.iter().map(|&class| class as f64).eq(target.iter().copied())
    };
    let log_likelihood = |number: usize| -> f64 {
        let frames = path(number).enumerate();
        frames.map(|(t, class)| log_p[(t * BATCH + row) * CLASSES + class]).sum()
    };
    let paths = (0..CLASSES.pow(frames as u32)).filter(gives_target);
    paths.map(|number| log_likelihood(number).exp()).sum()
}
