//! What all losses of overlap share: how masks are laid out, and which parts of them count.

use lossgraph_autograd::Var;

use crate::catalogue::figure::{Chart, Figure, Panel, Table, rounded};
use crate::catalogue::{
    Args, C, Choice, Domain, INNER, Invariance, N, Numbers, POSITIVE, Sample, flag, input, option,
    word,
};
use crate::check::{Unequal, demand, floats, holds, named_pair, repeats};
use crate::labels::{SECOND, class_weight, moved, on_class_axis};
use crate::rows::capped;
use crate::terms::{Terms, scaled};

/// What the scores of a mask are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scores {
    /// Logits, each by itself: their sigmoids are the probabilities.
    #[default]
    Logits,
    /// Logits of classes that exclude each other: their softmax is the probabilities.
    ClassLogits,
    /// Probabilities.
    Probabilities,
}

/// How masks are laid out and which parts of them count: the options that all losses of overlap
/// share.
///
/// Prediction and target are alike, `[batch, …]` or, with classes, `[batch, class, …]`. A target is
/// 0 or 1 or between; of class numbers, [`one_hot`](Var::one_hot) makes one with the classes along
/// the last axis, which [`axis`](Masks::axis) may say.
#[derive(Clone, Copy, Debug)]
pub struct Masks<'t> {
    /// What the prediction holds.
    pub scores: Scores,
    /// An axis counts classes, and each has a term of its own; else all of an example is one mask.
    pub per_class: bool,
    /// The axis that counts classes, where one does; from the end, if negative.
    pub axis: isize,
    /// Leaves out class 0, if there are others.
    pub ignore_background: bool,
    /// A weight for each class. The mean divides by their sum.
    pub class_weight: Option<Var<'t>>,
    /// A weight for each element, which broadcasts to the prediction; 0 leaves the element out.
    pub weight: Option<Var<'t>>,
}

impl Default for Masks<'_> {
    fn default() -> Self {
        Masks {
            scores: Scores::default(),
            per_class: false,
            axis: SECOND,
            ignore_background: false,
            class_weight: None,
            weight: None,
        }
    }
}

/// A predicted mask and a target, and how to sum over them.
#[derive(Clone, Copy)]
pub(super) struct Overlap<'t> {
    /// The probabilities, 0 to 1.
    pub p: Var<'t>,
    /// The target, 0 to 1.
    pub t: Var<'t>,
    weight: Option<Var<'t>>,
    /// The first axis of a mask.
    inner: usize,
}

impl<'t> Overlap<'t> {
    /// The sum over each mask.
    #[track_caller]
    pub fn sum(self, each: Var<'t>) -> Var<'t> {
        let axes: Vec<isize> = (self.inner as isize..each.rank() as isize).collect();
        scaled(each, self.weight).sum(&axes[..])
    }

    /// What is predicted and is there: `Σ p t`.
    #[track_caller]
    pub fn hits(self) -> Var<'t> {
        self.sum(self.p * self.t)
    }

    /// What is predicted and is not there: `Σ p (1 − t)`.
    #[track_caller]
    pub fn false_positives(self) -> Var<'t> {
        self.sum(self.p * (1.0 - self.t))
    }

    /// What is there and is not predicted: `Σ (1 − p) t`.
    #[track_caller]
    pub fn false_negatives(self) -> Var<'t> {
        self.sum((1.0 - self.p) * self.t)
    }
}

impl<'t> Masks<'t> {
    /// The terms of a loss: `each` gives one for each mask.
    #[track_caller]
    pub(super) fn terms(
        &self,
        loss: &str,
        prediction: Var<'t>,
        target: Var<'t>,
        each: impl FnOnce(Overlap<'t>) -> Var<'t>,
    ) -> Terms<'t> {
        prediction.tape().named_call(loss, || {
            let (overlap, of_class) = self.overlap(loss, prediction, target);
            let each = each(overlap);
            let of_class = of_class.map(|weight| weight.expand(each.shape()));
            Terms::new(scaled(each, of_class)).with_weights(of_class)
        })
    }

    /// The masks that count, and the weights of their classes.
    #[track_caller]
    fn overlap(
        &self,
        loss: &str,
        prediction: Var<'t>,
        target: Var<'t>,
    ) -> (Overlap<'t>, Option<Var<'t>>) {
        let Masks { scores, per_class, ignore_background, .. } = *self;
        let is_part = |x: f64| (0.0..=1.0).contains(&x);
        let is_score = |x: f64| scores != Scores::Probabilities || is_part(x);
        let name = if scores == Scores::Probabilities { "probabilities" } else { "logits" };
        let prediction = holds(loss, name, "probabilities from 0 to 1", is_score, prediction);
        let target = holds(loss, "target", "numbers from 0 to 1", is_part, target);
        let prediction = floats(loss, name, prediction);
        let (z, t) = named_pair(loss, (name, prediction), ("target", target), Unequal::Refuse);
        let classes = per_class || scores == Scores::ClassLogits;
        let axes = if classes { "[batch, class, …]" } else { "[batch, …]" };
        let fits = z.rank() > usize::from(classes);
        let z = demand(loss, fits, || format!("masks are {axes}, given {}", z.shape()), z);
        let (z, axis) =
            if classes { on_class_axis(loss, self.axis, (name, z)) } else { (z, SECOND) };
        let of_classes = ignore_background || self.class_weight.is_some();
        let why = || "ignore_background and class_weight go with per_class".to_owned();
        let z = demand(loss, per_class || !of_classes, why, z);
        let weight = self.weight.map(|weight| repeats(loss, "weight", weight, (name, z)));
        let of_class =
            self.class_weight.map(|weight| class_weight(loss, ("weight", weight), axis, (name, z)));
        let p = match scores {
            Scores::Logits => z.sigmoid(),
            Scores::ClassLogits => capped(z).softmax(axis),
            Scores::Probabilities => z,
        };
        let start = isize::from(ignore_background && z.dim(axis) > 1);
        // As [batch, class, …], of which a term is a class or an example.
        let laid_out = |x: Var<'t>| if classes { moved(x, axis, SECOND) } else { x };
        let counted = |x: Var<'t>| match per_class {
            true => laid_out(x).slice(SECOND, start..),
            false => laid_out(x),
        };
        let weight = weight.map(|weight| counted(weight.expand(z.shape())));
        let inner = 1 + usize::from(per_class);
        let of_class = of_class.map(|weight| weight.slice(0, start..));
        (Overlap { p: counted(p), t: counted(t), weight, inner }, of_class)
    }
}

/// The inputs of a loss of overlap.
pub(super) const INPUTS: [Sample; 5] = [
    input("logits", &[N, C, 2], Domain::Logits),
    input("target", &[N, C, 2], INNER),
    option("probabilities", &[N, C, 2], INNER, "probabilities instead of logits"),
    option("class_weight", &[C], POSITIVE, "a weight for each class"),
    option("weight", &[N, C, 2], POSITIVE, "a weight for each element; 0 leaves it out"),
];
/// The options that all losses of overlap have.
pub(super) const SCORES: Choice =
    word("scores", &["logits", "class_logits"], "what the prediction holds");
pub(super) const PER_CLASS: Choice = flag("per_class", "an axis counts classes, a term for each");
pub(super) const IGNORE_BACKGROUND: Choice = flag("ignore_background", "leaves out class 0");

pub(super) const INVARIANCES: &[Invariance] =
    &[Invariance::Order(&["logits", "target", "probabilities", "weight"])];

/// Options, prediction and target, as a setting gives them.
pub(super) fn given<'t>(x: &Args<'t>) -> (Masks<'t>, Var<'t>, Var<'t>) {
    let probabilities = x.maybe("probabilities");
    let masks = Masks {
        scores: match x.word("scores") {
            _ if probabilities.is_some() => Scores::Probabilities,
            "class_logits" => Scores::ClassLogits,
            _ => Scores::Logits,
        },
        per_class: x.flag("per_class"),
        axis: x.axis(),
        ignore_background: x.flag("ignore_background"),
        class_weight: x.maybe("class_weight"),
        weight: x.maybe("weight"),
    };
    (masks, probabilities.unwrap_or_else(|| x.var("logits")), x.var("target"))
}

/// A mask as plain numbers: probability, target and weight of each element.
pub(super) type Mask = Vec<[f64; 3]>;

/// The sum over a mask.
pub(super) fn sum(mask: &Mask, each: impl Fn(f64, f64) -> f64) -> f64 {
    mask.iter().map(|[p, t, w]| w * each(*p, *t)).sum()
}

/// The masks of plain numbers: those of the classes that count, for each example.
pub(super) fn examples(x: &Numbers<'_>) -> Vec<Vec<Mask>> {
    const LEN: usize = 2;
    let z = x.of("logits");
    let index = |n: usize, c: usize, i: usize| (n * C + c) * LEN + i;
    let probability =
        |n: usize, c: usize, i: usize| match (x.maybe("probabilities"), x.word("scores")) {
            (Some(p), _) => p[index(n, c, i)],
            (None, "logits") => 1.0 / (1.0 + (-z[index(n, c, i)]).exp()),
            _ => z[index(n, c, i)].exp() / (0..C).map(|k| z[index(n, k, i)].exp()).sum::<f64>(),
        };
    let element = |n: usize, c: usize, i: usize| {
        let at = index(n, c, i);
        [probability(n, c, i), x.of("target")[at], x.weight("weight", at)]
    };
    let first = usize::from(x.flag("ignore_background"));
    let mask = |n: usize, c: usize| (0..LEN).map(|i| element(n, c, i)).collect();
    (0..N).map(|n| (first..C).map(|c| mask(n, c)).collect()).collect()
}

/// The terms of plain numbers: `each` gives one for each mask.
pub(super) fn naive(x: &Numbers<'_>, each: impl Fn(&Mask) -> f64) -> Vec<f64> {
    let first = usize::from(x.flag("ignore_background"));
    let terms = |classes: Vec<Mask>| -> Vec<f64> {
        if !x.flag("per_class") {
            return vec![each(&classes.concat())];
        }
        let weighted = classes.iter().enumerate();
        weighted.map(|(c, mask)| x.weight("class_weight", first + c) * each(mask)).collect()
    };
    examples(x).into_iter().flat_map(terms).collect()
}

/// The predicted mask of each example, the true one, and where both are: a row a class, as far as
/// there are classes.
pub(super) fn figure(x: &Numbers<'_>) -> Option<Figure> {
    let shape = x.shape("logits");
    let (&count, inner) = shape.split_first()?;
    let others = [
        x.shape("target"),
        if x.maybe("probabilities").is_some() { x.shape("probabilities") } else { shape },
    ];
    (others == [shape; 2] && !x.of("logits").is_empty()).then_some(())?;
    let p = match (x.maybe("probabilities"), x.word("scores")) {
        (Some(p), _) => p.to_vec(),
        (None, "logits") => x.of("logits").iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect(),
        _ => softmax(x.of("logits"), shape, x.number("axis"))?,
    };
    let size: usize = inner.iter().product();
    let width = inner.last().copied().unwrap_or(1);
    let example = |n: usize| {
        let [p, t] = [&p, x.of("target")].map(|all| &all[n * size..(n + 1) * size]);
        let both: Vec<f64> = p.iter().zip(t).map(|(p, t)| p * t).collect();
        let [sum_p, sum_t, sum_both] = [p, t, &both].map(|each| rounded(each.iter().sum()));
        let charts =
            [("p: predicted", p), ("t: true", t), ("p t: both", &both)].map(|(title, each)| {
                let mut table = Table::pixels(title, width, each);
                let cells = table.cells.iter_mut().flatten().zip(t);
                cells.for_each(|(cell, &t)| cell.framed = t >= 0.5);
                Chart::Table(table)
            });
        let caption = format!("example {n}: Σ p t = {sum_both}, Σ p = {sum_p}, Σ t = {sum_t}");
        Panel { caption, charts: charts.to_vec() }
    };
    Some(Figure {
        title: "The masks",
        about: "The stronger the blue, the larger the number; framed: where the target is ½ or more. \
                Losses of overlap want Σ p t as large a part of Σ p and Σ t as can be, however small the \
                mask is.",
        panels: (0..count).map(example).collect(),
    })
}

/// The softmax of logits over the axis of classes.
fn softmax(logits: &[f64], shape: &[usize], axis: f64) -> Option<Vec<f64>> {
    let rank = shape.len() as f64;
    let axis = if axis < 0.0 { axis + rank } else { axis };
    (0.0..rank).contains(&axis).then_some(())?;
    let axis = axis as usize;
    let stride: usize = shape[axis + 1..].iter().product();
    let along = |at: usize| {
        let first = at - at / stride % shape[axis] * stride;
        (0..shape[axis]).map(move |c| logits[first + c * stride])
    };
    let part = |at: usize| {
        let most = along(at).fold(f64::NEG_INFINITY, f64::max);
        (logits[at] - most).exp() / along(at).map(|z| (z - most).exp()).sum::<f64>()
    };
    Some((0..logits.len()).map(part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_softmax_of_a_figure_is_over_the_axis_of_classes() {
        let logits: Vec<f64> = (0..24).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let tensor = lossgraph_tensor::Tensor::new([2, 3, 4], logits.clone()).unwrap();
        let tape = lossgraph_autograd::Tape::f64();
        for axis in [0, 1, 2, -1] {
            let expected = tape.constant(&tensor).softmax(axis).value().unwrap().to_f64s();
            let found = softmax(&logits, &[2, 3, 4], axis as f64).unwrap();
            found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-15));
        }
        assert_eq!(softmax(&logits, &[2, 3, 4], 3.0), None);
    }
}
