//! The noise of pictures, in decibels.

use std::f64::consts::LN_10;

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{INNER, Invariance, Loss, input, number};
use crate::check::{Unequal, above_zero, demand, pair};
use crate::size::size;
use crate::terms::Terms;

/// The peak signal-to-noise ratio of each picture, in decibels and with its sign changed, so that
/// less is better.
///
/// ```text
/// L = −10 log₁₀(R² / mse) = 10/ln 10 · (ln mse − 2 ln R)
/// ∂L/∂pᵢ = 10/ln 10 · 2 (pᵢ − tᵢ) / (n mse)
/// ```
///
/// It orders pictures as the squared error does, but its slope grows as the error falls: each
/// picture of a batch is to be bettered by the same part. A perfect picture has −∞ decibels of
/// noise, with slope 0.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, …]`; terms are `[batch]` |
/// | unit | decibels |
/// | range | any number; usual pictures lie between −50 and −20 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::psnr;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.1, 0.0]]);
/// let t = tape.constant([[0.0, 0.1]]); // mse = 0.01
/// let gradients = psnr(p, t, 1.0).mean().backward()?;
/// assert!((gradients.loss() + 20.0).abs() < 1e-12);
/// let slope = 100.0 / 10.0_f64.ln(); // 10/ln 10 · 2 · 0.1 / (2 · 0.01)
/// assert!(gradients.of(p).unwrap().allclose(&[[slope, -slope]].into(), 1e-12, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or a single number; a `data_range` that is not above 0.
///
/// # Source
/// Huynh-Thu and Ghanbari, Scope of Validity of PSNR, 2008.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "PSNRLoss")]
pub struct Psnr {
    /// The largest value of a pixel less the smallest: `R`.
    pub data_range: f64,
}

impl Default for Psnr {
    fn default() -> Psnr {
        Psnr { data_range: 1.0 }
    }
}

/// [`Psnr`] of pictures with a range of pixels.
#[doc(alias = "peak_signal_noise_ratio")]
#[track_caller]
pub fn psnr<'t>(prediction: Var<'t>, target: Var<'t>, data_range: f64) -> Terms<'t> {
    Psnr { data_range }.forward(prediction, target)
}

impl Psnr {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("psnr", || {
            let range = self.data_range;
            let (p, t) = pair("psnr", prediction, target, Unequal::Refuse);
            let p = above_zero("psnr", "data_range", range, p);
            let p = demand("psnr", p.rank() > 0, || "pictures have a batch axis".to_owned(), p);
            let inner: Vec<isize> = (1..p.rank() as isize).collect();
            let d = (p - t) / range;
            let size = size(d, &inner[..]);
            let mse = (d / size).square().mean(&inner[..]);
            let perfect = mse.eq(0.0);
            let ln_mse = perfect.select(1.0, mse).ln() + size.reshape(mse.shape()).ln() * 2.0;
            let decibels = ln_mse * (10.0 / LN_10);
            Terms::new(perfect.select(f64::NEG_INFINITY, decibels))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "psnr",
    aliases: &["PSNRLoss", "psnr_loss", "peak_signal_noise_ratio", "PeakSignalNoiseRatio"],
    summary: "The peak signal-to-noise ratio of each picture, with its sign changed.",
    formula: "−10 log₁₀(R² / mean (p − t)²)",
    latex: r"-10 \log_{10} \frac{R^2}{\frac{1}{n} \sum_i (p_i - t_i)^2}",
    shapes: "prediction, target: [batch, …]; terms: [batch]",
    unit: "decibels",
    range: "(−∞, ∞)",
    source: "Huynh-Thu and Ghanbari, 2008",
    inputs: &[input("prediction", &[2, 3, 2, 2], INNER), input("target", &[2, 3, 2, 2], INNER)],
    options: &[number("data_range", 1.0, "the largest value of a pixel less the smallest")],
    grid: &["", "data_range=255"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        Psnr { data_range: x.number("data_range") }.forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let (p, t) = (x.of("prediction"), x.of("target"));
        let term = |(p, t): (&[f64], &[f64])| {
            let sum: f64 = p.iter().zip(t).map(|(p, t)| (p - t).powi(2)).sum();
            -10.0 * (x.number("data_range").powi(2) / (sum / p.len() as f64)).log10()
        };
        p.chunks(12).zip(t.chunks(12)).map(term).collect()
    },
    ..FAMILY
};
