//! Golden files of the family `classification`.

use lossgraph_losses::{
    AdaptiveLogSoftmax, Bce, BceWithLogits, CategoricalHinge, CrossEntropy, GeneralizedCe, Hinge,
    LinearCrossEntropy, ModifiedHuber, MultiMargin, MultilabelMargin, MultilabelSoftMargin, Nll,
    Perceptron, Poly, SigmoidFocal, SmoothHinge, SoftMargin, SoftmaxFocal, Sparsemax, SquaredHinge,
    SymmetricCe, bce_with_logits, binary_sparsemax, fenchel_young, smooth_labels,
};

use super::super::case::{Adapter, Inputs, Reply};
use super::{broadcasts, cross_entropy, ignore_index, reduced};

pub const FILES: &[(&str, Adapter)] = &[
    ("nll_loss", |x| {
        let (weight, ignore_index) = (x.tensor("weight"), ignore_index(x));
        let loss = Nll { weight, ignore_index, ..Nll::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("cross_entropy", |x| reduced(x, cross_entropy(x, "input", "target"))),
    ("adaptive_log_softmax_with_loss", |x| {
        let cutoffs = x.integers("cutoffs").unwrap_or_default();
        let tail = |k: usize| {
            [x.maybe(&format!("tail.{k}.0.weight"))?, x.maybe(&format!("tail.{k}.1.weight"))?]
                .into()
        };
        let softmax = AdaptiveLogSoftmax {
            cutoffs: cutoffs
                .into_iter()
                .map(|cutoff| usize::try_from(cutoff).unwrap_or(0))
                .collect(),
            head: x.var("head.weight"),
            head_bias: x.maybe("head.bias"),
            tails: (0..).map_while(tail).collect(),
        };
        match x.text("method") {
            Some("log_prob") => softmax.log_prob(x.var("input")).into(),
            Some("predict") => softmax.predict(x.var("input")).into(),
            _ => {
                let terms = softmax.forward(x.var("input"), x.var("target"));
                [("output", -terms.unreduced()), ("loss", terms.mean())].into()
            }
        }
    }),
    ("linear_cross_entropy", |x| {
        let loss = LinearCrossEntropy {
            bias: x.maybe("linear_bias"),
            weight: x.tensor("weight"),
            ignore_index: ignore_index(x),
            label_smoothing: x.number("label_smoothing").unwrap_or(0.0),
            ..LinearCrossEntropy::default()
        };
        reduced(x, loss.forward(x.var("input"), x.var("linear_weight"), x.var("target")))
    }),
    ("binary_cross_entropy", |x| {
        let loss = Bce { weight: x.tensor("weight") };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("binary_cross_entropy_with_logits", |x| {
        let (weight, pos_weight) = (x.tensor("weight"), x.tensor("pos_weight"));
        let loss = BceWithLogits { weight, pos_weight };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("soft_margin_loss", |x| {
        let loss = SoftMargin { broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("multi_margin_loss", |x| {
        let loss = MultiMargin {
            p: x.number("p").unwrap_or(1.0),
            margin: x.number("margin").unwrap_or(1.0),
            weight: x.tensor("weight"),
            ..MultiMargin::default()
        };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("multilabel_margin_loss", |x| {
        reduced(x, MultilabelMargin::default().forward(x.var("input"), x.var("target")))
    }),
    ("multilabel_soft_margin_loss", |x| {
        let (weight, broadcast) = (x.tensor("weight"), broadcasts(x));
        let loss = MultilabelSoftMargin { weight, broadcast, ..Default::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("hinge_loss", |x| {
        let (margin, broadcast) = (x.number("margin").unwrap_or(1.0), broadcasts(x));
        let (input, target) = (x.var("input"), x.var("target"));
        match x.number("p").unwrap_or(1.0) {
            1.0 => reduced(x, Hinge { margin, broadcast }.forward(input, target)),
            2.0 => reduced(x, SquaredHinge { margin, broadcast }.forward(input, target)),
            p => Reply::Unsupported(format!("there is no hinge to the power {p}")),
        }
    }),
    ("smooth_hinge_loss", |x| {
        let loss = SmoothHinge { broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("modified_huber_loss", |x| {
        let loss = ModifiedHuber { broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("sigmoid_focal_loss", |x| {
        let terms = sigmoid_focal(x).forward(x.var("input"), x.var("target"));
        // torchvision reduces only on request.
        if x.text("reduction").is_some() { reduced(x, terms) } else { terms.unreduced().into() }
    }),
    ("softmax_focal_loss", |x| {
        let gamma = x.number("gamma").unwrap_or(2.0);
        let loss = SoftmaxFocal { alpha: x.tensor("alpha"), gamma, ..SoftmaxFocal::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("poly1_cross_entropy", |x| {
        let loss = Poly { epsilon: x.number("epsilon").unwrap_or(1.0), ..Poly::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("generalized_cross_entropy", |x| {
        let loss = GeneralizedCe { q: x.number("q").unwrap_or(0.7), ..GeneralizedCe::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("symmetric_cross_entropy", |x| {
        let default = SymmetricCe::default();
        let loss = SymmetricCe {
            alpha: x.number("alpha").unwrap_or(default.alpha),
            beta: x.number("beta").unwrap_or(default.beta),
            ..default
        };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("label_smoothed_nll_fairseq", |x| {
        // What fairseq takes from the label goes to the other classes only.
        let scores = x.var("input");
        let classes = scores.dim(scores.rank().min(2) as isize - 1) as f64;
        let epsilon = x.number("epsilon").unwrap_or(0.1);
        let label_smoothing = epsilon * classes / (classes - 1.0);
        let loss = CrossEntropy { label_smoothing, ..CrossEntropy::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("optax_hinge_loss", |x| {
        Hinge::default().forward(x.var("predictor_outputs"), x.var("targets")).unreduced().into()
    }),
    ("optax_perceptron_loss", |x| {
        let signs = x.var("targets").to_float();
        Perceptron::default().forward(x.var("predictor_outputs"), signs).unreduced().into()
    }),
    ("optax_multiclass_hinge_loss", |x| {
        let loss = CategoricalHinge { axis: -1, ..CategoricalHinge::default() };
        loss.forward(x.var("scores"), x.var("labels")).unreduced().into()
    }),
    ("optax_multiclass_perceptron_loss", |x| {
        let loss = Perceptron { axis: -1, ..Perceptron::default() };
        loss.forward(x.var("scores"), x.var("labels")).unreduced().into()
    }),
    ("optax_multiclass_sparsemax_loss", |x| {
        Sparsemax { axis: -1, ..Sparsemax::default() }
            .forward(x.var("scores"), x.var("labels"))
            .unreduced()
            .into()
    }),
    ("optax_sparsemax_loss", |x| {
        binary_sparsemax(x.var("logits"), x.var("labels")).unreduced().into()
    }),
    ("optax_poly_loss_cross_entropy", |x| {
        let epsilon = x.number("epsilon").unwrap_or(2.0);
        let loss = Poly { epsilon, axis: -1, ..Poly::default() };
        loss.forward(x.var("logits"), x.var("labels")).unreduced().into()
    }),
    ("optax_softmax_cross_entropy", of_probabilities),
    ("optax_safe_softmax_cross_entropy", of_probabilities),
    ("optax_softmax_cross_entropy_with_integer_labels", |x| {
        let loss = CrossEntropy { axis: -1, ..CrossEntropy::default() };
        loss.forward(x.var("logits"), x.var("labels")).unreduced().into()
    }),
    ("optax_sigmoid_binary_cross_entropy", |x| {
        bce_with_logits(x.var("logits"), x.var("labels")).unreduced().into()
    }),
    ("optax_sigmoid_focal_loss", |x| {
        sigmoid_focal(x).forward(x.var("logits"), x.var("labels")).unreduced().into()
    }),
    ("optax_smooth_labels", |x| {
        smooth_labels(x.var("labels"), x.number("alpha").unwrap_or(0.0)).into()
    }),
    ("optax_fenchel_young_logsumexp", |x| {
        fenchel_young(x.var("scores"), x.var("targets")).unreduced().into()
    }),
];

fn of_probabilities<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let loss = CrossEntropy { axis: -1, ..CrossEntropy::default() };
    loss.forward(x.var("logits"), x.var("labels")).unreduced().into()
}

/// The focal loss with the options of a case. `null` and what is negative both mean no `alpha`.
fn sigmoid_focal(x: &Inputs<'_>) -> SigmoidFocal {
    let alpha = x.number("alpha").filter(|&alpha| alpha >= 0.0);
    SigmoidFocal { alpha, gamma: x.number("gamma").unwrap_or(2.0) }
}
