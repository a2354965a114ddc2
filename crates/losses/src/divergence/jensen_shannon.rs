//! The symmetric divergence of distributions.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, C, Domain, Invariance, LAST_AXIS, Loss, N, input};
use crate::check::{Unequal, floats, pair, probability};
use crate::labels::on_class_axis;
use crate::terms::Terms;

/// The Jensen-Shannon divergence of two distributions: the mean divergence of each from their
/// mixture.
///
/// ```text
/// m = (p + q)/2
/// Lᵢ = ½ Σ_c p[c] ln(p[c]/m[c]) + ½ Σ_c q[c] ln(q[c]/m[c])
/// ∂Lᵢ/∂p[c] = ½ ln(p[c]/m[c])
/// ```
///
/// Both inputs are probabilities along an axis, by default the last one (for logits, `z.softmax(-1)`), and both have a
/// gradient. It is finite for all distributions: a probability of 0 counts 0. Its slope in a
/// probability of 0 is minus infinity by the formula, and here finite, that of the other part, so
/// that 0 times it is 0 behind a softmax.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[…, class]`; terms: without the class axis |
/// | unit | nats |
/// | range | 0 to ln 2 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::jensen_shannon;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.75, 0.25]]);
/// let gradients = jensen_shannon(p, tape.constant([[0.25, 0.75]])).mean().backward()?;
/// assert!((gradients.loss() - (0.75 * 3.0_f64.ln() - 2.0_f64.ln())).abs() < 1e-15);
/// let slope = [[1.5_f64.ln() / 2.0, -(2.0_f64.ln() / 2.0)]];
/// assert!(gradients.of(p).unwrap().allclose(&slope.into(), 1e-15, 1e-15));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](JensenShannon::broadcast); single numbers; data outside of
/// 0 to 1.
///
/// # Source
/// Lin, Divergence Measures Based on the Shannon Entropy, 1991.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "js_divergence")]
pub struct JensenShannon {
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
    /// The axis that counts classes; from the end, if negative.
    pub axis: isize,
}

impl Default for JensenShannon {
    fn default() -> JensenShannon {
        JensenShannon { broadcast: false, axis: -1 }
    }
}

/// [`JensenShannon`] with its defaults.
#[track_caller]
pub fn jensen_shannon<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    JensenShannon::default().forward(prediction, target)
}

impl JensenShannon {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("jensen_shannon", || {
            const NAME: &str = "jensen_shannon";
            let [prediction, target] = [("prediction", prediction), ("target", target)]
                .map(|(name, var)| probability("jensen_shannon", name, floats(NAME, name, var)));
            let unequal = Unequal::broadcast_if(self.broadcast);
            let (p, q) = pair("jensen_shannon", prediction, target, unequal);
            let (p, axis) = on_class_axis("jensen_shannon", self.axis, ("prediction", p));
            let m = (p + q) * 0.5;
            Terms::new((kl_terms(p, m) + kl_terms(q, m)).sum(axis) * 0.5)
        })
    }
}

/// `p ln(p/m)`, and 0 where `p` is 0, with slopes of 0.
#[track_caller]
fn kl_terms<'t>(p: Var<'t>, m: Var<'t>) -> Var<'t> {
    let never = p.eq(0.0);
    let [p, m] = [p, m].map(|x| never.select(1.0, x));
    p * (p.ln() - m.ln())
}

pub(crate) static ROW: Loss = Loss {
    name: "jensen_shannon",
    aliases: &["js_divergence", "JSDivLoss", "jensen_shannon_divergence"],
    summary: "The mean divergence of two distributions from their mixture.",
    formula: "½ Σ_c p ln(p/m) + ½ Σ_c q ln(q/m), with m = (p + q)/2",
    latex: r"\frac{1}{2} \sum_c p_c \log \frac{p_c}{m_c} + \frac{1}{2} \sum_c q_c \log \frac{q_c}{m_c}, \quad m = \frac{p + q}{2}",
    shapes: "prediction, target: alike, […, class]; terms: without the class axis",
    unit: "nats",
    range: "[0, ln 2]",
    source: "Lin, 1991",
    inputs: &[
        input("prediction", &[N, C], Domain::Probabilities),
        input("target", &[N, C], Domain::Probabilities),
    ],
    options: &[LAST_AXIS, BROADCAST],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        JensenShannon { broadcast: x.flag("broadcast"), axis: x.axis() }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let divergence =
            |p: &[f64], m: &[f64]| -> f64 { p.iter().zip(m).map(|(p, m)| p * (p / m).ln()).sum() };
        let term = |(p, q): (&[f64], &[f64])| {
            let m: Vec<f64> = p.iter().zip(q).map(|(p, q)| (p + q) / 2.0).collect();
            0.5 * divergence(p, &m) + 0.5 * divergence(q, &m)
        };
        x.rows("prediction").into_iter().zip(x.rows("target")).map(term).collect()
    },
    ..FAMILY
};
