//! The nearest proxy.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::classes::with_proxies;
use super::distance::Distance;
use super::nca::nll;
use super::sample::{CLASSES, ORDER, cross_entropy, squared_distance, unit};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::Terms;

/// The negative log-likelihood that a proxy, drawn by nearness, is that of the example's class.
///
/// ```text
/// L = log_sum_exp(−scale d) + scale d[label],  d[c] = ‖x/‖x‖ − proxy[c]/‖proxy[c]‖‖²
/// ∂L/∂d = scale (one_hot(label) − softmax(−scale d))
/// ```
///
/// It is [`Nca`](crate::Nca) with a proxy for each class instead of the batch. In the paper, the sum
/// leaves out the right proxy; here it is a softmax over all, so that a term is never negative.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, proxies `[classes, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::proxy_nca;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 1.0]]);
/// let proxies = tape.constant([[1.0, 0.0], [0.0, 1.0]]); // as near as each other
/// let gradients = proxy_nca(x, proxies, tape.labels(&[0]), 1.0).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-12);
/// let slope = gradients.of(x).unwrap().to_f64s();
/// assert!(slope[0] < 0.0 && (slope[0] + slope[1]).abs() < 1e-12); // it turns to the first
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; a scale that is not above 0.
///
/// # Source
/// Movshovitz-Attias et al., No Fuss Distance Metric Learning using Proxies, 2017.
/// pytorch-metric-learning's `ProxyNCALoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ProxyNCALoss")]
pub struct ProxyNca {
    /// What distances are multiplied by.
    pub scale: f64,
    /// The distance.
    pub distance: Distance,
}

impl Default for ProxyNca {
    fn default() -> ProxyNca {
        ProxyNca { scale: 1.0, distance: Distance::UNIT_SQUARED }
    }
}

/// [`ProxyNca`] with a scale.
#[track_caller]
pub fn proxy_nca<'t>(
    embeddings: Var<'t>,
    proxies: Var<'t>,
    labels: Var<'t>,
    scale: f64,
) -> Terms<'t> {
    ProxyNca { scale, ..ProxyNca::default() }.forward(embeddings, proxies, labels)
}

impl ProxyNca {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, proxies: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("proxy_nca", || {
            let ProxyNca { scale, distance } = *self;
            let pairs = with_proxies("proxy_nca", embeddings, proxies, labels).above_zero(
                "proxy_nca",
                "scale",
                scale,
            );
            nll(pairs, distance, scale)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "proxy_nca",
    aliases: &["ProxyNCALoss"],
    summary: "The negative log-likelihood of the right class's proxy, by nearness.",
    formula: "log_sum_exp(−scale d) + scale d[label]",
    latex: r"-\log \frac{e^{-\alpha d_y}}{\sum_c e^{-\alpha d_c}}",
    letters: &[("d", "the squared distance of an embedding and a proxy")],
    shapes: "embeddings: [batch, features]; vectors: [classes, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Movshovitz-Attias et al., 2017; pytorch-metric-learning ProxyNCALoss",
    over: "scale=1,3,10",
    inputs: &CLASSES,
    options: &[number("scale", 1.0, "what distances are multiplied by")],
    grid: &["", "scale=10"],
    invariances: &[ORDER, Invariance::Scale("embeddings"), Invariance::Scale("vectors")],
    run: |x| {
        ProxyNca { scale: x.number("scale"), ..ProxyNca::default() }.forward(
            x.var("embeddings"),
            x.var("vectors"),
            x.var("labels"),
        )
    },
    naive: |x| {
        let score = |i: usize, class: usize| {
            let proxy = unit(x.rows("vectors")[class]);
            -x.number("scale") * squared_distance(&x.unit(i), &proxy)
        };
        let scores = |i: usize| (0..4).map(|class| score(i, class)).collect::<Vec<_>>();
        (0..5).map(|i| cross_entropy(&scores(i), x.label(i))).collect()
    },
    ..FAMILY
};
