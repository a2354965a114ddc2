//! Golden files of the family `segmentation`.

use lossgraph_autograd::Var;
use lossgraph_losses::{
    Dice, FocalTversky, Jaccard, LovaszHinge, LovaszSoftmax, Masks, Scores, Terms, Tversky,
};

use super::super::case::{Adapter, Inputs, Reply};
use super::{ignore_index, reduced};

pub const FILES: &[(&str, Adapter)] = &[
    ("dice_loss", |x| {
        let from_logits = x.option("from_logits").is_none_or(|logits| logits == true);
        let scores = if from_logits { Scores::Logits } else { Scores::Probabilities };
        let masks = Masks { scores, ..Masks::default() };
        let loss = Dice { smooth: smooth(x), squared: x.flag("squared"), masks };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("jaccard_loss", |x| {
        let loss = Jaccard { smooth: smooth(x), ..Jaccard::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("tversky_loss", |x| {
        let (alpha, beta) = (x.number("alpha").unwrap_or(0.3), x.number("beta").unwrap_or(0.7));
        let (smooth, masks) = (smooth(x), Masks::default());
        let (input, target) = (x.var("input"), x.var("target"));
        let terms = match x.number("gamma").unwrap_or(1.0) {
            1.0 => Tversky { alpha, beta, smooth, masks }.forward(input, target),
            gamma => FocalTversky { alpha, beta, gamma, smooth, masks }.forward(input, target),
        };
        reduced(x, terms)
    }),
    ("lovasz_hinge", |x| {
        let whole_batch = x.option("per_image").is_some_and(|each| each == false);
        let loss = LovaszHinge { whole_batch, ignore_index: ignore_index(x) };
        loss.forward(x.var("input"), x.var("target")).mean().into()
    }),
    ("lovasz_softmax", |x| {
        let all_classes = x.text("classes") == Some("all");
        let ignore_index = ignore_index(x);
        let loss = LovaszSoftmax { all_classes, ignore_index, ..LovaszSoftmax::default() };
        loss.forward(x.var("input"), x.var("target")).mean().into()
    }),
    ("optax_dice_loss", |x| {
        let each = optax_dice(x, x.tensor("class_weights")).unreduced();
        match x.text("reduction") {
            None | Some("mean") => each.mean(1).into(),
            Some("sum") => each.sum(1).into(),
            Some("none") => each.into(),
            Some(other) => Reply::Unsupported(format!("there is no reduction {other}")),
        }
    }),
    ("optax_binary_dice_loss", |x| {
        let loss = Tversky { alpha: 0.5, beta: 0.5, smooth: smooth(x), masks: Masks::default() };
        loss.forward(x.var("predictions"), x.var("targets")).unreduced().into()
    }),
    ("optax_multiclass_generalized_dice_loss", |x| {
        let there = x.var("targets").transpose(0, -1);
        let sizes = there.reshape([there.dim(0), there.len() / there.dim(0).max(1)]).sum(1);
        let weight = (sizes.square() + 1e-7).recip();
        let weight = weight / weight.mean(..);
        optax_dice(x, Some(weight)).unreduced().mean(..).into()
    }),
];

fn smooth(x: &Inputs<'_>) -> f64 {
    x.number("smooth").unwrap_or(1.0)
}

/// optax's `dice_loss`, whose classes come last, and whose weights do not show in the mean.
fn optax_dice<'t>(x: &Inputs<'t>, class_weight: Option<Var<'t>>) -> Terms<'t> {
    let (predictions, targets) = (x.var("predictions"), x.var("targets"));
    let scores = match x.option("apply_softmax").is_none_or(|apply| apply == true) {
        true if predictions.dim(-1) == 1 => Scores::Logits,
        true => Scores::ClassLogits,
        false => Scores::Probabilities,
    };
    let ignore_background = x.flag("ignore_background");
    let masks =
        Masks { scores, per_class: true, axis: -1, ignore_background, class_weight, weight: None };
    let (alpha, beta) = (x.number("alpha").unwrap_or(0.5), x.number("beta").unwrap_or(0.5));
    Tversky { alpha, beta, smooth: smooth(x), masks }.forward(predictions, targets)
}
