//! Pictures whose structure agrees.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::structure::{Comparison, Plane};
use crate::catalogue::{INNER, Invariance, Loss, count, input, number};
use crate::check::{Unequal, pair};
use crate::terms::Terms;

/// One less the structural similarity of two pictures, for every window.
///
/// ```text
/// L = 1 − l · cs
/// l  = (2 μ_p μ_t + c₁) / (μ_p² + μ_t² + c₁)        c₁ = (k₁ R)²
/// cs = (2 σ_pt + c₂) / (σ_p² + σ_t² + c₂)           c₂ = (k₂ R)²
/// ∂L = −(cs ∂l + l ∂cs)
/// ```
///
/// Means `μ` and (co)variances `σ` are those of a window with Gaussian weights, each channel by
/// itself. The windows lie inside the picture, as in the paper, so there are fewer of them than
/// pixels. The mean is one less the similarity of pictures that is usually told. The range `R` of
/// pixels is 1 for floats and 255 for bytes; with a wrong one the constants swallow everything.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, channel, height, width]`; terms are `[batch, channel, height − window + 1, width − window + 1]` |
/// | unit | none |
/// | range | 0 to 2 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Ssim;
/// let tape = Tape::f64();
/// let p = tape.variable(0.5);
/// // One pixel has no structure: cs is 1, and l = (2 · ½ · 1 + c) / (¼ + 1 + c).
/// let ssim = Ssim { window: 1, k1: 0.5, ..Ssim::default() }; // c = ¼
/// let [picture, target] = [p, tape.constant(1.0)].map(|x| x.reshape([1, 1, 1, 1]));
/// let gradients = ssim.forward(picture, target).mean().backward()?;
/// assert!((gradients.loss() - 1.0 / 6.0).abs() < 1e-15); // 1 − 1.25/1.5
/// let slope = gradients.of(p).unwrap().item()?; // −(2 · 1.5 − 1.25 · 2 · ½) / 1.5²
/// assert!((slope + 7.0 / 9.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Unequal shapes, or other than four axes; a window that is larger than the picture, or 0; a
/// `sigma`, `data_range`, `k1` or `k2` that is not above 0.
///
/// # Source
/// Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "StructuralSimilarity")]
pub struct Ssim {
    /// The side of a window, in pixels.
    pub window: usize,
    /// The deviation of its Gaussian, in pixels.
    pub sigma: f64,
    /// The largest value of a pixel less the smallest.
    pub data_range: f64,
    /// How dark a window has to be for its luminance not to count, as a part of the range.
    pub k1: f64,
    /// How flat a window has to be for its structure not to count, as a part of the range.
    pub k2: f64,
}

impl Default for Ssim {
    fn default() -> Ssim {
        Ssim { window: 11, sigma: 1.5, data_range: 1.0, k1: 0.01, k2: 0.03 }
    }
}

/// [`Ssim`] of pictures with a range of pixels.
#[doc(alias = "structural_similarity")]
#[track_caller]
pub fn ssim<'t>(prediction: Var<'t>, target: Var<'t>, data_range: f64) -> Terms<'t> {
    Ssim { data_range, ..Ssim::default() }.forward(prediction, target)
}

impl Ssim {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("ssim", || {
            let Ssim { window, sigma, data_range, k1, k2 } = *self;
            let comparison = Comparison { window, sigma, data_range, k1, k2 };
            let (p, t) = pair("ssim", prediction, target, Unequal::Refuse);
            let p = comparison.fitting("ssim", 0, p);
            if p.is_faulty() {
                return Terms::new(p);
            }
            let (luminance, structure) = comparison.of(p, t);
            Terms::new(1.0 - luminance * structure)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "ssim",
    aliases: &[
        "SSIMLoss",
        "ssim_loss",
        "structural_similarity",
        "StructuralSimilarityIndexMeasure",
    ],
    summary: "One less the structural similarity of two pictures, for every window.",
    formula: "1 − (2 μ_p μ_t + c₁)(2 σ_pt + c₂) / ((μ_p² + μ_t² + c₁)(σ_p² + σ_t² + c₂))",
    latex: r"1 - \frac{(2 \mu_p \mu_t + c_1)(2 \sigma_{pt} + c_2)}{(\mu_p^2 + \mu_t^2 + c_1)(\sigma_p^2 + \sigma_t^2 + c_2)}",
    letters: &[
        ("μ, σ", "mean and standard deviation in a window; σₚₜ: covariance"),
        ("c₁, c₂", "(k1 R)² and (k2 R)², where R is data_range"),
    ],
    shapes: "prediction, target: [batch, channel, height, width]; terms: one for each window",
    range: "[0, 2]",
    source: "Wang et al., 2004",
    inputs: &[input("prediction", SHAPE, INNER), input("target", SHAPE, INNER)],
    options: &[
        count("window", 11, "the side of a window, in pixels"),
        number("sigma", 1.5, "the deviation of its Gaussian, in pixels"),
        number("data_range", 1.0, "the largest value of a pixel less the smallest"),
        number("k1", 0.01, "how dark a window has to be not to count"),
        number("k2", 0.03, "how flat a window has to be not to count"),
    ],
    // The samples are too small for the default window, which the test below looks at.
    grid: &["window=3", "window=3 sigma=0.7 data_range=2 k1=0.1 k2=0.2"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        let [sigma, data_range] = ["sigma", "data_range"].map(|name| x.number(name));
        let window = x.count("window");
        Ssim { window, sigma, data_range, k1: x.number("k1"), k2: x.number("k2") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let comparison = Comparison::set(x);
        let planes = |name: &str| Plane::all(x.shape(name), x.of(name));
        let pairs = planes("prediction").into_iter().zip(planes("target"));
        pairs.flat_map(|(p, t)| comparison.naive(&p, &t)).map(|[l, cs]| 1.0 - l * cs).collect()
    },
    figure: Some(|x| Comparison::set(x).figure(x)),
    ..FAMILY
};

const SHAPE: &[usize] = &[2, 1, 4, 5];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Numbers, Sample};
    use lossgraph_autograd::Tape;

    #[test]
    fn the_default_window_is_that_of_the_paper() {
        let samples: [Sample; 2] =
            ["prediction", "target"].map(|name| input(name, &[1, 2, 12, 13], INNER));
        let data = samples.map(|sample| sample.draw(0));
        let tape = Tape::f64();
        let terms = ssim(tape.constant(&data[0]), tape.constant(&data[1]), 1.0);
        let inputs = [0, 1].map(|i| samples[i].plain(&data[i]));
        let setting = &ROW.setting("").unwrap();
        let naive = (ROW.naive)(&Numbers { inputs: &inputs, setting });
        let got = terms.unreduced().value().unwrap();
        assert_eq!(got.shape()[..], [1, 2, 2, 3]);
        for (got, naive) in got.to_f64s().into_iter().zip(naive) {
            assert!((got - naive).abs() < 1e-12, "{got} {naive}");
        }
    }

    #[test]
    fn a_window_larger_than_the_picture_is_refused_with_the_one_that_fits() {
        let tape = Tape::f64();
        let p = tape.fill([1, 1, 8, 9], 0.5);
        let error = ssim(p, p, 1.0).mean().item().unwrap_err();
        assert!(
            error.to_string().contains("a window of 11 does not fit into a side of 8"),
            "{error}"
        );
        assert!(format!("{error:?}").ends_with("perhaps: window: 7"), "{error:?}");
    }
}
