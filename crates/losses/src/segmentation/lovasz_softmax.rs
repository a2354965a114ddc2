//! A surrogate of the overlap of classes.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lovasz::{extension, naive};
use crate::catalogue::{C, CLASS_AXIS, Domain, Invariance, Loss, flag, input, integer};
use crate::labels::{IGNORED, Labels, SECOND};
use crate::rows::capped;
use crate::terms::Terms;

/// The Lovász extension of Jaccard's loss at the errors of the softmax, for each class over the
/// whole batch: a surrogate of `1 − mean IoU`.
///
/// ```text
/// p = softmax(z), t_c = one_hot(label)_c
/// e_c = |t_c − p_c|                    over all pixels, from the largest to the smallest
/// L_c = Σₖ e_c,k (J_c,k − J_c,k−1)     J_c as for LovaszHinge, of the mask t_c
/// ∂L_c/∂p_c,k = (1 − 2 t_c,k) (J_c,k − J_c,k−1)
/// ```
///
/// A class that no label names does not count: its index is no more than whether it was seen
/// anywhere. [`all_classes`](LovaszSoftmax::all_classes) lets it count. The mean is that of the
/// classes that count. Since a class has one index over the batch, batches of few images are rough.
///
/// | | |
/// |---|---|
/// | shapes | logits `[batch, class, …]`, labels without the class axis; terms are `[class]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::lovasz_softmax;
/// let tape = Tape::f64();
/// let z = tape.variable([[3.0_f64.ln(), 0.0], [0.0, 0.0]]); // softmax: ¾ ¼, ½ ½
/// let loss = lovasz_softmax(z, tape.labels(&[0, 1]));
/// // Class 0: errors ½ off the mask, ¼ on it, J = ½, 1. Class 1: ½ on it, ¼ off it, J = 1, 1.
/// assert!(loss.unreduced().value()?.allclose(&[0.375, 0.5].into(), 1e-15, 0.0));
/// let slope = loss.sum().backward()?.of(z).unwrap().clone();
/// // ∂/∂p is −½ and 0 at the first pixel, ½ and −1 at the second.
/// let expected = [[-0.09375, 0.09375], [0.375, -0.375]];
/// assert!(slope.allclose(&expected.into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels of another shape than the scores without their classes, or outside of the classes.
///
/// # Source
/// Berman et al., The Lovász-Softmax Loss, 2018.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LovaszSoftmaxLoss")]
pub struct LovaszSoftmax {
    /// Counts classes that no label names, too.
    pub all_classes: bool,
    /// The label of pixels that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for LovaszSoftmax {
    fn default() -> LovaszSoftmax {
        LovaszSoftmax { all_classes: false, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`LovaszSoftmax`] with its defaults.
#[track_caller]
pub fn lovasz_softmax<'t>(logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    LovaszSoftmax::default().forward(logits, labels)
}

impl LovaszSoftmax {
    /// The terms, one for each class.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("lovasz_softmax", || {
            let LovaszSoftmax { ignore_index, axis, .. } = *self;
            let labels =
                match Labels::new("lovasz_softmax", axis, ("logits", logits), labels, ignore_index)
                {
                    Ok(labels) => labels,
                    Err(fault) => return Terms::new(fault),
                };
            let t = labels.one_hot(logits);
            let p = capped(labels.counted_scores(logits)).softmax(labels.axis);
            let errors = labels.counted_scores((t - p).abs());
            let [errors, t] = [errors, t].map(|x| class_by_class(x, labels.axis));
            let terms = Terms::new(extension(errors, t));
            if self.all_classes { terms } else { terms.masked(t.sum(1)) }
        })
    }
}

/// `[…, class, …]` to `[class, pixel]`.
#[track_caller]
fn class_by_class(x: Var<'_>, axis: isize) -> Var<'_> {
    let classes = x.dim(axis);
    x.transpose(0, axis).reshape([classes, x.len() / classes.max(1)])
}

pub(crate) static ROW: Loss = Loss {
    name: "lovasz_softmax",
    aliases: &["LovaszSoftmaxLoss", "lovasz_softmax_loss", "LovaszLoss"],
    summary: "A surrogate of one less the mean overlap of classes.",
    formula: "Σ eₖ (Jₖ − Jₖ₋₁), with the errors e = |one_hot(label) − softmax(z)| of a class in descending order",
    latex: r"\sum_k e_k \left( J_k - J_{k-1} \right) \quad e = \lvert \operatorname{onehot} - \operatorname{softmax}(z) \rvert",
    letters: &[("J", "the Jaccard loss if the k pixels with the largest errors are wrong")],
    shapes: "logits: [batch, class, …]; labels: without the class axis; terms: [class]",
    range: "[0, 1]",
    source: "Berman et al., 2018",
    inputs: &[
        input("logits", &[2, C, 3], Domain::Logits),
        input("labels", &[2, 3], Domain::Labels(C)),
    ],
    options: &[
        flag("all_classes", "counts classes that no label names"),
        integer("ignore_index", -100, "the label of pixels that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "all_classes", "ignore_index=1"],
    invariances: &[Invariance::Order(&["logits", "labels"])],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        LovaszSoftmax { all_classes: x.flag("all_classes"), ignore_index, axis: x.axis() }
            .forward(x.var("logits"), x.var("labels"))
    },
    naive: |x| {
        let (z, labels) = (x.of("logits"), x.of("labels"));
        let pixels = labels.len() / 2;
        let logit = |at: usize, c: usize| z[(at / pixels * C + c) * pixels + at % pixels];
        let p = |at: usize, c: usize| {
            logit(at, c).exp() / (0..C).map(|k| logit(at, k).exp()).sum::<f64>()
        };
        let counted: Vec<usize> =
            (0..labels.len()).filter(|&at| labels[at] != x.number("ignore_index")).collect();
        let term = |c: usize| {
            let foreground: Vec<bool> = counted.iter().map(|&at| labels[at] == c as f64).collect();
            let errors: Vec<f64> = counted
                .iter()
                .zip(&foreground)
                .map(|(&at, &there)| if there { 1.0 - p(at, c) } else { p(at, c) })
                .collect();
            let counts = x.flag("all_classes") || foreground.contains(&true);
            if counts { naive(&errors, &foreground) } else { 0.0 }
        };
        (0..C).map(term).collect()
    },
    ..FAMILY
};
