//! A convex surrogate of the overlap of masks.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lovasz::{extension, naive};
use crate::catalogue::{Domain, Invariance, Loss, N, flag, input, integer};
use crate::check::{Unequal, holds, named_pair};
use crate::labels::IGNORED;
use crate::terms::Terms;

/// The Lovász extension of Jaccard's loss at the hinges of the pixels: the tightest convex surrogate
/// of `1 − IoU` of binary masks.
///
/// ```text
/// eᵢ = 1 − zᵢ (2 tᵢ − 1)                     from the largest to the smallest
/// Jₖ = 1 − (G − Σ_{i≤k} tᵢ) / (G + Σ_{i≤k} (1 − tᵢ)),  G = Σ t
/// L = Σₖ max(0, eₖ) (Jₖ − Jₖ₋₁)
/// ∂L/∂zₖ = (1 − 2 tₖ) (Jₖ − Jₖ₋₁) where eₖ > 0, else 0
/// ```
///
/// `Jₖ` is `1 − IoU` if exactly the first `k` pixels were wrong, so the slope of a pixel is what it
/// matters to the index. The loss is piecewise linear; of equal errors, the first pixel comes first.
/// Logits are to be above 1 on the mask and below −1 off it.
///
/// | | |
/// |---|---|
/// | shapes | logits and target alike, `[batch, …]`; terms are `[batch]`, or one `[]` of the whole batch |
/// | unit | the logits' |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::lovasz_hinge;
/// let tape = Tape::f64();
/// let z = tape.variable([[-1.0, 2.0, 0.0]]); // errors 2, −1, 1: J is ½, then 1 − 1/3
/// let gradients = lovasz_hinge(z, tape.constant([[1.0, 1.0, 0.0]])).mean().backward()?;
/// assert!((gradients.loss() - 7.0 / 6.0).abs() < 1e-15); // 2 · 1/2 + 1 · 1/6
/// let slope = [[-0.5, 0.0, 1.0 / 6.0]];
/// assert!(gradients.of(z).unwrap().allclose(&slope.into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a single number per image; a target that is data and neither 0, 1 nor
/// `ignore_index`.
///
/// # Source
/// Berman et al., The Lovász-Softmax Loss, 2018; Yu and Blaschko, The Lovász Hinge, 2015.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LovaszHingeLoss")]
pub struct LovaszHinge {
    /// The overlap of all images together, not of each: small objects weigh less.
    pub whole_batch: bool,
    /// The target of pixels that do not count.
    pub ignore_index: i64,
}

impl Default for LovaszHinge {
    fn default() -> LovaszHinge {
        LovaszHinge { whole_batch: false, ignore_index: IGNORED }
    }
}

/// [`LovaszHinge`] of each image.
#[track_caller]
pub fn lovasz_hinge<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    LovaszHinge::default().forward(logits, target)
}

impl LovaszHinge {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("lovasz_hinge", || {
            let ignore = self.ignore_index as f64;
            let known = |t: f64| t == 0.0 || t == 1.0 || t == ignore;
            let target = holds("lovasz_hinge", "target", "0 or 1", known, target);
            let (z, t) =
                named_pair("lovasz_hinge", ("logits", logits), ("target", target), Unequal::Refuse);
            if z.is_faulty() {
                return Terms::new(z);
            }
            let counted = t.ne(ignore);
            let t = counted.select(t, 0.0);
            let errors = counted.select(1.0 - z * (2.0 * t - 1.0), 0.0);
            let images = if self.whole_batch { 1 } else { z.dim(0) };
            let shape = [images, z.len() / images.max(1)];
            let each = extension(errors.reshape(shape), t.reshape(shape));
            Terms::new(if self.whole_batch { each.squeeze(0) } else { each })
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "lovasz_hinge",
    aliases: &["LovaszHingeLoss", "lovasz_hinge_loss"],
    summary: "The tightest convex surrogate of one less the overlap of binary masks.",
    formula: "Σ max(0, eₖ) (Jₖ − Jₖ₋₁), with the errors e = 1 − z (2 t − 1) in descending order",
    latex: r"\sum_k \max(0, e_k) \left( J_k - J_{k-1} \right) \quad e = 1 - z (2 t - 1)",
    letters: &[("J", "the Jaccard loss if the k pixels with the largest errors are wrong")],
    shapes: "logits, target: [batch, …]; terms: [batch], or [] of the whole batch",
    unit: "the logits'",
    range: "[0, ∞)",
    source: "Berman et al., 2018; Yu and Blaschko, 2015",
    inputs: &[
        input("logits", &[N, 5], Domain::Logits),
        input("target", &[N, 5], Domain::Labels(2)),
    ],
    options: &[
        flag("whole_batch", "the overlap of all images together"),
        integer("ignore_index", -100, "the target of pixels that do not count"),
    ],
    grid: &["", "whole_batch", "ignore_index=1"],
    invariances: &[Invariance::Order(&["logits", "target"])],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        LovaszHinge { whole_batch: x.flag("whole_batch"), ignore_index }
            .forward(x.var("logits"), x.var("target"))
    },
    naive: |x| {
        let term = |z: &[f64], t: &[f64]| {
            let counted = z.iter().zip(t).filter(|(_, t)| **t != x.number("ignore_index"));
            let (errors, foreground): (Vec<f64>, Vec<bool>) = counted
                .map(|(z, t)| if *t == 1.0 { (1.0 - z, true) } else { (1.0 + z, false) })
                .unzip();
            naive(&errors, &foreground)
        };
        if x.flag("whole_batch") {
            return vec![term(x.of("logits"), x.of("target"))];
        }
        let images = x.rows("logits").into_iter().zip(x.rows("target"));
        images.map(|(z, t)| term(z, t)).collect()
    },
    edges: &[("all times 1e-10", "the kink is one rounding away")],
    ..FAMILY
};
