//! Each proxy as the anchor of a batch.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::classes::with_proxies;
use super::distance::Distance;
use super::pairs::log_sum_exp_of;
use super::parts::Parts;
use super::sample::{self, CLASSES, DIVISOR, ORDER};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::{Reduction, Terms};

/// Each class has a proxy, which pulls the examples of its class and pushes all others, the
/// hardest ones most.
///
/// ```text
/// L₊[c] = ln(1 + Σ_{i of class c} exp(−alpha (s[i, c] − margin)))
/// L₋[c] = ln(1 + Σ_{i of others}  exp( alpha (s[i, c] + margin)))
/// ∂L₊[c]/∂s[i, c] = −alpha exp(−alpha (s[i, c] − margin)) / exp(L₊[c])
/// ```
///
/// `s[i, c]` is the cosine of example `i` and proxy `c`. By [`Reduction::Divisor`] the first part is
/// divided by the number of classes that the batch has, the second by that of all classes.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, proxies `[classes, features]`, labels `[batch]`; two parts of terms `[classes]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{ProxyAnchor, Reduction};
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 0.0]]);
/// let proxies = tape.constant([[0.0, 1.0], [0.0, -1.0]]); // two right angles
/// let loss = ProxyAnchor { margin: 0.0, alpha: 1.0 };
/// let parts = loss.forward(x, proxies, tape.labels(&[0]));
/// let gradients = parts.reduce(Reduction::Divisor).backward()?;
/// assert!((gradients.loss() - (2.0_f64.ln() + 2.0_f64.ln() / 2.0)).abs() < 1e-15);
/// // −½ from the pull to the first, and −½ · ½ from the push off the second.
/// assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.0, -0.75]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; an `alpha` that is not above 0.
///
/// # Source
/// Kim et al., Proxy Anchor Loss, 2020. pytorch-metric-learning's `ProxyAnchorLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ProxyAnchorLoss")]
pub struct ProxyAnchor {
    /// By how much cosines should pass 0.
    pub margin: f64,
    /// How much the hardest examples count more.
    pub alpha: f64,
}

impl Default for ProxyAnchor {
    fn default() -> ProxyAnchor {
        ProxyAnchor { margin: 0.1, alpha: 32.0 }
    }
}

/// [`ProxyAnchor`] with its defaults, as one term, reduced by [`Reduction::Divisor`].
#[track_caller]
pub fn proxy_anchor<'t>(embeddings: Var<'t>, proxies: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    ProxyAnchor::default().forward(embeddings, proxies, labels).term(Reduction::Divisor)
}

impl ProxyAnchor {
    /// The terms of the proxies: of what they pull and of what they push.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, proxies: Var<'t>, labels: Var<'t>) -> Parts<'t> {
        embeddings.tape().named_call("proxy_anchor", || {
            let ProxyAnchor { margin, alpha } = *self;
            let tape = embeddings.tape();
            let pairs = with_proxies("proxy_anchor", embeddings, proxies, labels).above_zero(
                "proxy_anchor",
                "alpha",
                alpha,
            );
            let s = pairs.similarities(Distance::CosineSimilarity).t();
            let (positive, negative) = (pairs.positive.t(), pairs.negative.t());
            let pull = log_sum_exp_of(positive, (s - margin) * -alpha).softplus();
            let push = log_sum_exp_of(negative, (s + margin) * alpha).softplus();
            let present = positive.sum(-1).gt(0.0).sum(..);
            let classes = tape.fill([], proxies.dim(0) as f64);
            let pulled = Parts::divided(Terms::new(pull.squeeze(-1)), present);
            pulled.and(Parts::divided(Terms::new(push.squeeze(-1)), classes))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "proxy_anchor",
    aliases: &["ProxyAnchorLoss"],
    summary: "A proxy of each class pulls its examples and pushes all others.",
    formula: "ln(1 + Σ exp(−α (s₊ − m))) and ln(1 + Σ exp(α (s₋ + m))) for each proxy",
    latex: r"\log \Bigl(1 + \sum_{i : y_i = c} e^{-\alpha (s_{ic} - m)}\Bigr) + \log \Bigl(1 + \sum_{i : y_i \ne c} e^{\alpha (s_{ic} + m)}\Bigr)",
    letters: &[("s", "the cosine similarity of an embedding and a proxy")],
    shapes: "embeddings: [batch, features]; vectors: [classes, features]; labels: [batch]; terms: [classes]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Kim et al., 2020; pytorch-metric-learning ProxyAnchorLoss",
    over: "alpha=4,16,32",
    inputs: &CLASSES,
    options: &[
        number("margin", 0.1, "by how much cosines should pass 0"),
        number("alpha", 32.0, "how much the hardest examples count more"),
        DIVISOR,
    ],
    grid: &["", "margin=0.3 alpha=4", "alpha=2 reduction=mean_or_zero", "alpha=3 reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings"), Invariance::Scale("vectors")],
    run: |x| {
        let loss = ProxyAnchor { margin: x.number("margin"), alpha: x.number("alpha") };
        let parts = loss.forward(x.var("embeddings"), x.var("vectors"), x.var("labels"));
        sample::reduced(x, parts)
    },
    naive: |x| {
        let (margin, alpha) = (x.number("margin"), x.number("alpha"));
        let sum = |of: &dyn Fn(usize) -> Option<f64>| -> f64 {
            (1.0 + (0..5).filter_map(of).map(f64::exp).sum::<f64>()).ln()
        };
        let pull = |class: usize| {
            sum(&|i| (x.label(i) == class).then(|| -alpha * (x.class_cosine(i, class) - margin)))
        };
        let push = |class: usize| {
            sum(&|i| (x.label(i) != class).then(|| alpha * (x.class_cosine(i, class) + margin)))
        };
        let pulls: Vec<f64> = (0..4).map(pull).collect();
        let pushes: Vec<f64> = (0..4).map(push).collect();
        let present = (0..4).filter(|&class| (0..5).any(|i| x.label(i) == class)).count();
        vec![match x.word("reduction") {
            "divisor" => {
                pulls.iter().sum::<f64>() / present as f64 + pushes.iter().sum::<f64>() / 4.0
            }
            _ => x.reduced(&pulls) + x.reduced(&pushes),
        }]
    },
    ..FAMILY
};
