//! A penalty on the size of parameters.

use lossgraph_autograd::{Tape, Var};

use super::FAMILY;
use crate::catalogue::{C, Loss, N, Task, WIDE, input, number, option};
use crate::check::{demand, floats};
use crate::terms::Terms;

/// The elastic net: a penalty on the size of parameters, part absolute (L1), part squared (L2).
///
/// ```text
/// L = α Σ_w (r |w| + (1 − r)/2 · w²)
/// ∂L/∂w = α (r sign(w) + (1 − r) w)
/// ```
///
/// It goes on top of a loss of predictions: `loss + penalty`. The absolute part pulls all weights
/// with the same force and so makes small ones vanish (lasso, `r = 1`); the squared part pulls in
/// proportion and so shrinks large ones (ridge, `r = 0`). At a weight of 0 the slope is 0. (The
/// notes call [`SmoothL1`](crate::SmoothL1) an elastic net, which it is not.)
///
/// | | |
/// |---|---|
/// | shapes | any number of tensors of any shapes; one term of shape `[]` |
/// | unit | none |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::ElasticNet;
/// let tape = Tape::f64();
/// let (w, b) = (tape.variable([3.0, -4.0]), tape.variable([2.0]));
/// let net = ElasticNet { alpha: 0.5, l1_ratio: 0.5 };
/// let gradients = net.forward(&tape, &[w, b]).sum().backward()?;
/// assert_eq!(gradients.loss(), 5.875); // ½ (½ · 9 + ¼ · 29)
/// assert_eq!(gradients.of(w).unwrap().to_f64s(), [1.0, -1.25]); // ½ (½ + ½ · 3), ½ (−½ − ½ · 4)
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// An `alpha` below 0; an `l1_ratio` outside of 0 to 1.
///
/// # Source
/// Zou and Hastie, Regularization and Variable Selection via the Elastic Net, 2005. The options of
/// scikit-learn's `ElasticNet`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "l1_l2")]
pub struct ElasticNet {
    /// The weight of the penalty.
    pub alpha: f64,
    /// The part `r` that is absolute, 0 to 1.
    pub l1_ratio: f64,
}

impl Default for ElasticNet {
    fn default() -> ElasticNet {
        ElasticNet { alpha: 1.0, l1_ratio: 0.5 }
    }
}

/// [`ElasticNet`] of some weights, with a weight for the penalty itself.
#[doc(alias = "elastic_net_penalty")]
#[track_caller]
pub fn elastic_net<'t>(tape: &'t Tape, weights: &[Var<'t>], alpha: f64) -> Terms<'t> {
    ElasticNet { alpha, ..ElasticNet::default() }.forward(tape, weights)
}

impl ElasticNet {
    /// The term.
    #[track_caller]
    pub fn forward<'t>(&self, tape: &'t Tape, weights: &[Var<'t>]) -> Terms<'t> {
        tape.named_call("elastic_net", || {
            let ElasticNet { alpha, l1_ratio: r } = *self;
            let nothing = tape.fill((), 0.0);
            let why = || format!("alpha is {alpha}, expected a number from 0");
            let nothing = demand("elastic_net", alpha >= 0.0 && alpha.is_finite(), why, nothing);
            let why = || format!("l1_ratio is {r}, expected 0 to 1");
            let nothing = demand("elastic_net", (0.0..=1.0).contains(&r), why, nothing);
            let (lasso, ridge) = (alpha * r, alpha * (1.0 - r) / 2.0);
            let size = |w: Var<'t>| w.abs() * lasso;
            // Without squares where they count nothing: they may be infinite.
            let of = |w: Var<'t>| match r {
                1.0 => size(w).sum(..),
                _ => (size(w) + w * ridge * w).sum(..),
            };
            let weights = weights.iter().map(|&w| floats("elastic_net", "weights", w));
            Terms::new(weights.map(of).fold(nothing, |sum, each| sum + each))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "elastic_net",
    aliases: &["elastic_net_penalty", "ElasticNet", "l1_l2"],
    summary: "A penalty on the size of parameters, part absolute, part squared.",
    formula: "α Σ (r |w| + (1 − r)/2 · w²)",
    latex: r"\alpha \sum_w \left( r \lvert w \rvert + \frac{1 - r}{2} w^2 \right)",
    shapes: "weights: tensors of any shapes; terms: []",
    range: "[0, ∞)",
    source: "Zou and Hastie, 2005; scikit-learn ElasticNet",
    tasks: &[Task::Numbers.fit().penalty(0.001)],
    over: "l1_ratio=0,0.5,1",
    inputs: &[
        input("weights", &[N, C], WIDE),
        option("more", &[C], WIDE, "weights of another layer"),
    ],
    options: &[
        number("alpha", 1.0, "the weight of the penalty"),
        number("l1_ratio", 0.5, "the part that is absolute"),
    ],
    grid: &["", "alpha=0.1 more", "l1_ratio=1", "l1_ratio=0 more"],
    run: |x| {
        let weights: Vec<Var<'_>> =
            [Some(x.var("weights")), x.maybe("more")].into_iter().flatten().collect();
        let net = ElasticNet { alpha: x.number("alpha"), l1_ratio: x.number("l1_ratio") };
        net.forward(x.var("weights").tape(), &weights)
    },
    naive: |x| {
        let (alpha, r) = (x.number("alpha"), x.number("l1_ratio"));
        let weights = x.of("weights").iter().chain(x.of("more"));
        let (l1, l2) = weights.fold((0.0, 0.0), |(l1, l2), w: &f64| (l1 + w.abs(), l2 + w * w));
        vec![alpha * r * l1 + 0.5 * alpha * (1.0 - r) * l2]
    },
    ..FAMILY
};
