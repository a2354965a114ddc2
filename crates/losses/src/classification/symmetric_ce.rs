//! Cross-entropy both ways, for labels that may be wrong.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::softmax_of;
use crate::catalogue::{C, CLASS_AXIS, Domain, Invariance, Loss, N, input, integer, number};
use crate::check::demand;
use crate::labels::{IGNORED, Labels, SECOND};
use crate::terms::Terms;

/// Cross-entropy of the prediction against the label, plus that of the label against the
/// prediction, in which the logarithm of 0 counts as a number `A`.
///
/// ```text
/// p = softmax(zᵢ)
/// Lᵢ = −α ln p[labelᵢ] − β A Σ_(c ≠ labelᵢ) max(p[c], 10⁻⁷)
/// ∂Lᵢ/∂zᵢ = (α − β A p[labelᵢ]) (p − one_hot(labelᵢ))          where no p is below 10⁻⁷
/// ```
///
/// The second part is `−A` times the probability of being wrong, and as bounded as that: wrong
/// labels cannot dominate it. The bound of 10⁻⁷ is that of the authors' program; below it a class
/// has no slope. `A` is `ln 10⁻⁴ ≈ −9.21` there.
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis; terms as the labels |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::SymmetricCe;
/// let tape = Tape::f64();
/// let z = tape.variable([[0.0, 3.0_f64.ln()]]); // softmax: ¼, ¾
/// let loss = SymmetricCe { alpha: 1.0, log_zero: -4.0, ..SymmetricCe::default() };
/// let gradients = loss.forward(z, tape.labels(&[0])).mean().backward()?;
/// assert!((gradients.loss() - (4.0_f64.ln() + 3.0)).abs() < 1e-15); // 4 · ¾ = 3
/// assert!(gradients.of(z).unwrap().allclose(&[[-1.5, 1.5]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels as for [`Nll`](crate::Nll); an `alpha` or `beta` that is negative or not finite; a
/// `log_zero` that is not below 0, or infinite.
///
/// # Source
/// Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, 2019.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SCELoss")]
pub struct SymmetricCe {
    /// The weight of cross-entropy.
    pub alpha: f64,
    /// The weight of reverse cross-entropy.
    pub beta: f64,
    /// What the logarithm of 0 counts as, below 0.
    pub log_zero: f64,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

/// The logarithm of 10⁻⁴.
const LOG_ZERO: f64 = -4.0 * std::f64::consts::LN_10;

impl Default for SymmetricCe {
    fn default() -> Self {
        SymmetricCe {
            alpha: 0.1,
            beta: 1.0,
            log_zero: LOG_ZERO,
            ignore_index: IGNORED,
            axis: SECOND,
        }
    }
}

/// [`SymmetricCe`] with its defaults.
#[doc(alias = "symmetric_cross_entropy")]
#[track_caller]
pub fn symmetric_ce<'t>(logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    SymmetricCe::default().forward(logits, labels)
}

impl SymmetricCe {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("symmetric_ce", || {
            let SymmetricCe { alpha, beta, log_zero, ignore_index, .. } = *self;
            let fits = [alpha, beta].iter().all(|x| (0.0..f64::INFINITY).contains(x));
            let why = || format!("alpha is {alpha} and beta {beta}, expected 0 or more");
            let logits = demand("symmetric_ce", fits, why, logits);
            let fits = log_zero < 0.0 && log_zero.is_finite();
            let why = || format!("log_zero is {log_zero}, expected a number below 0");
            let logits = demand("symmetric_ce", fits, why, logits);
            Labels::terms(
                "symmetric_ce",
                self.axis,
                ("logits", logits),
                labels,
                ignore_index,
                |labels, z| {
                    let others = labels.others(z);
                    let wrong = others * z.softmax(labels.axis).clamp(1e-7, 1.0);
                    labels.nll(z) * alpha - wrong.sum(labels.axis) * (beta * log_zero)
                },
            )
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "symmetric_ce",
    aliases: &["symmetric_cross_entropy", "SCELoss"],
    summary: "Cross-entropy of prediction and label both ways, for noisy labels.",
    formula: "−α ln p[label] − β A Σ_(c ≠ label) max(p[c], 10⁻⁷), with p = softmax(z)",
    latex: r"-\alpha \log p_y - \beta A \sum_{c \ne y} \max(p_c, 10^{-7})",
    letters: &[("p", "the softmax of the logits")],
    shapes: "logits: [batch, class, …] or [class]; labels and terms: without the class axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Wang et al., 2019",
    over: "alpha=0.1,0.5,1",
    inputs: &[input("logits", &[N, C], Domain::Logits), input("labels", &[N], Domain::Labels(C))],
    options: &[
        number("alpha", 0.1, "the weight of cross-entropy"),
        number("beta", 1.0, "the weight of reverse cross-entropy"),
        number("log_zero", LOG_ZERO, "A, what the logarithm of 0 counts as"),
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "alpha=2 beta=0.5 log_zero=-4 ignore_index=1"],
    invariances: &[Invariance::Shift("logits"), Invariance::Order(&["logits", "labels"])],
    run: |x| {
        SymmetricCe {
            alpha: x.number("alpha"),
            beta: x.number("beta"),
            log_zero: x.number("log_zero"),
            ignore_index: x.integer("ignore_index"),
            axis: x.axis(),
        }
        .forward(x.var("logits"), x.var("labels"))
    },
    naive: |x| {
        let rows = x.rows("logits");
        x.labeled(|i, label| {
            let p = softmax_of(rows[i]);
            let log_one_hot = |c: usize| if c == label { 0.0 } else { x.number("log_zero") };
            let reverse: f64 = (0..C).map(|c| -p[c].max(1e-7) * log_one_hot(c)).sum();
            -x.number("alpha") * p[label].ln() + x.number("beta") * reverse
        })
    },
    ..FAMILY
};
