//! Pictures whose structure agrees, near and from afar.

use lossgraph_autograd::{Pool, Var};

use super::FAMILY;
use super::structure::{Comparison, Plane};
use crate::catalogue::{INNER, Invariance, Loss, Task, count, input, list, number};
use crate::check::{Unequal, demand, pair};
use crate::terms::Terms;

/// One less the structural similarity of two pictures over several scales, each half as fine as the
/// one before.
///
/// ```text
/// L = 1 − Π_{j<M} max(0, mean cs_j)^{w_j} · max(0, mean (l_M cs_M))^{w_M}
/// ∂L = −(1 − L) Σ_j w_j ∂ ln(…)
/// ```
///
/// `l` and `cs` are those of [`Ssim`](crate::Ssim), whose means are over all windows of a scale; the
/// luminance counts at the last scale only. A scale is the means of 2 × 2 pixels of the one before;
/// an odd row or column at the end is left out. A scale whose structures run against each other
/// makes the term 1, with slope 0: as a loss it needs a prediction that is not too far, or
/// [`Ssim`](crate::Ssim) first.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, channel, height, width]`; terms are `[batch, channel]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::MsSsim;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.5, 0.5], [0.5, 0.5]]);
/// // Flat pictures: cs is 1 at both scales, and l = (2 · ½ · 1 + c) / (¼ + 1 + c) at the last.
/// let loss = MsSsim { weights: vec![0.5, 0.5], window: 1, k1: 0.5, ..MsSsim::default() };
/// let (picture, target) = (p.reshape([1, 1, 2, 2]), tape.fill([1, 1, 2, 2], 1.0));
/// let gradients = loss.forward(picture, target).mean().backward()?;
/// let similarity = (1.25_f64 / 1.5).sqrt();
/// assert!((gradients.loss() - (1.0 - similarity)).abs() < 1e-15);
/// // −½ · similarity / (5/6) times that of l, 7/9, a quarter for each of four pixels.
/// let slope = -0.5 * similarity / (5.0 / 6.0) * (7.0 / 9.0) / 4.0;
/// assert!(gradients.of(p).unwrap().allclose(&[[slope; 2]; 2].into(), 1e-12, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or other than four axes; no weights, or one not above 0; pictures whose last scale
/// is smaller than a window; a `sigma`, `data_range`, `k1` or `k2` that is not above 0.
///
/// # Source
/// Wang et al., Multi-Scale Structural Similarity for Image Quality Assessment, 2003.
#[derive(Clone, Debug)]
#[doc(alias = "MultiScaleStructuralSimilarity")]
pub struct MsSsim {
    /// The weight of each scale, the finest first. The five of the paper want pictures of at least
    /// 176 pixels a side.
    pub weights: Vec<f64>,
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

const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

impl Default for MsSsim {
    fn default() -> MsSsim {
        let weights = WEIGHTS.to_vec();
        MsSsim { weights, window: 11, sigma: 1.5, data_range: 1.0, k1: 0.01, k2: 0.03 }
    }
}

/// [`MsSsim`] of pictures with a range of pixels.
#[doc(alias = "multiscale_structural_similarity")]
#[track_caller]
pub fn ms_ssim<'t>(prediction: Var<'t>, target: Var<'t>, data_range: f64) -> Terms<'t> {
    MsSsim { data_range, ..MsSsim::default() }.forward(prediction, target)
}

impl MsSsim {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("ms_ssim", || {
            let MsSsim { ref weights, window, sigma, data_range, k1, k2 } = *self;
            let comparison = Comparison { window, sigma, data_range, k1, k2 };
            let (p, t) = pair("ms_ssim", prediction, target, Unequal::Refuse);
            let fit = !weights.is_empty() && weights.iter().all(|&w| w > 0.0 && w.is_finite());
            let why = || format!("weights are {weights:?}, expected numbers above 0");
            let p = demand("ms_ssim", fit, why, p);
            let p = comparison.fitting("ms_ssim", weights.len().saturating_sub(1), p);
            if p.is_faulty() {
                return Terms::new(p);
            }
            let (mut p, mut t) = (p, t);
            let mut similarity = p.tape().fill([p.dim(0), p.dim(1)], 1.0);
            for (scale, &weight) in weights.iter().enumerate() {
                let (luminance, structure) = comparison.of(p, t);
                let last = scale + 1 == weights.len();
                let each = if last { luminance * structure } else { structure };
                similarity *= each.mean([2, 3]).relu().root(weight);
                if !last {
                    [p, t] = [p, t].map(|x| x.avg_pool2d(Pool::new([2, 2])));
                }
            }
            Terms::new(1.0 - similarity)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "ms_ssim",
    aliases: &[
        "MSSSIMLoss",
        "ms_ssim_loss",
        "MultiScaleStructuralSimilarityIndexMeasure",
        "multiscale_structural_similarity",
    ],
    summary: "One less the structural similarity of two pictures over several scales.",
    formula: "1 − Π max(0, mean cs)^w · max(0, mean (l cs))^w of the last scale",
    latex: r"1 - \prod_{j < M} \overline{cs}_j^{\,w_j} \cdot \overline{l_M cs_M}^{\,w_M}",
    letters: &[
        ("l, cs", "luminance, and contrast with structure, of a scale"),
        ("M", "the number of scales"),
        ("w", "the weight of a scale"),
    ],
    shapes: "prediction, target: [batch, channel, height, width]; terms: [batch, channel]",
    range: "[0, 1]",
    source: "Wang et al., 2003",
    tasks: &[Task::Pictures.set("window=3 weights=0.3,0.3,0.4")],
    inputs: &[input("prediction", SHAPE, INNER), input("target", SHAPE, INNER)],
    options: &[
        list("weights", &WEIGHTS, "the weight of each scale, the finest first"),
        count("window", 11, "the side of a window, in pixels"),
        number("sigma", 1.5, "the deviation of its Gaussian, in pixels"),
        number("data_range", 1.0, "the largest value of a pixel less the smallest"),
        number("k1", 0.01, "how dark a window has to be not to count"),
        number("k2", 0.03, "how flat a window has to be not to count"),
    ],
    // The samples are too small for the default, which the test below looks at.
    grid: &[
        "weights=0.4,0.6 window=3 k2=1",
        "weights=0.7,0.4 window=2 sigma=0.7 data_range=2 k1=0.1 k2=0.5",
    ],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        let [sigma, data_range] = ["sigma", "data_range"].map(|name| x.number(name));
        let (window, k1, k2) = (x.count("window"), x.number("k1"), x.number("k2"));
        MsSsim { weights: x.list("weights"), window, sigma, data_range, k1, k2 }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let comparison = Comparison::set(x);
        let weights = x.list("weights");
        let term = |(p, t): (Plane, Plane)| {
            let (mut p, mut t, mut similarity) = (p, t, 1.0);
            for (scale, weight) in weights.iter().enumerate() {
                let windows = comparison.naive(&p, &t);
                let last = scale + 1 == weights.len();
                let each = windows.iter().map(|[l, cs]| if last { l * cs } else { *cs });
                let mean = each.sum::<f64>() / windows.len() as f64;
                similarity *= mean.max(0.0).powf(*weight);
                (p, t) = (p.halved(), t.halved());
            }
            1.0 - similarity
        };
        let planes = |name: &str| Plane::all(x.shape(name), x.of(name));
        planes("prediction").into_iter().zip(planes("target")).map(term).collect()
    },
    ..FAMILY
};

const SHAPE: &[usize] = &[2, 1, 6, 7];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Numbers, Sample};
    use lossgraph_autograd::Tape;

    #[test]
    fn the_default_scales_are_those_of_the_paper() {
        let samples: [Sample; 2] =
            ["prediction", "target"].map(|name| input(name, &[1, 1, 176, 179], INNER));
        let noise = samples.map(|sample| sample.draw(0).to_f64s());
        let ramp = |i: usize| (i % 179) as f64 / 179.0;
        // The same ramp with a little noise each, so that they have structure in common.
        let data = noise.map(|noise| {
            let pixels = noise.iter().enumerate().map(|(i, x)| ramp(i) + 0.2 * x).collect();
            lossgraph_tensor::Tensor::new([1, 1, 176, 179], pixels).unwrap()
        });
        let tape = Tape::f64();
        let terms = ms_ssim(tape.constant(&data[0]), tape.constant(&data[1]), 1.0);
        let inputs = [0, 1].map(|i| samples[i].plain(&data[i]));
        let setting = &ROW.setting("").unwrap();
        let naive = (ROW.naive)(&Numbers { inputs: &inputs, setting });
        let got = terms.mean().item().unwrap();
        assert!(got > 0.01 && got < 0.99, "{got}");
        assert!((got - naive[0]).abs() < 1e-11, "{got} {}", naive[0]);
    }

    #[test]
    fn pictures_too_small_for_the_last_scale_are_refused_with_the_size_that_fits() {
        let tape = Tape::f64();
        let p = tape.fill([1, 1, 100, 100], 0.5);
        let error = ms_ssim(p, p, 1.0).mean().item().unwrap_err();
        assert!(
            format!("{error:?}").ends_with("perhaps: pictures of 176 pixels, or fewer weights")
        );
    }
}
