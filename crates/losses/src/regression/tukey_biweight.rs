//! Errors that count nothing beyond a threshold.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, TWO, number};
use crate::check::{Unequal, above_zero, pair};
use crate::terms::Terms;

/// Half the square of small errors, and the same for all errors beyond `c`, which do not pull at all.
///
/// ```text
/// uᵢ = (pᵢ − tᵢ) / c
/// Lᵢ = c²/6 · (1 − (1 − uᵢ²)³)   if |uᵢ| ≤ 1
///      c²/6                       else
/// ∂Lᵢ/∂pᵢ = c uᵢ (1 − uᵢ²)²     if |uᵢ| ≤ 1, else 0
/// ```
///
/// With `c = 4.685` deviations, the default for errors of deviation 1, it is 95 % as good as the
/// squared error where errors are normal. A prediction that is far off stays there: start from a
/// fit that is near.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's, squared |
/// | range | 0 to `c²/6` |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::tukey_biweight;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 6.0]);
/// let gradients = tukey_biweight(p, tape.constant([0.0, 0.0]), 2.0).sum().backward()?;
/// assert!((gradients.loss() - (2.0 / 3.0) * (37.0 / 64.0 + 1.0)).abs() < 1e-15); // 1 − (¾)³
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [0.5625, 0.0]); // (¾)²
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](TukeyBiweight::broadcast); a `c` that is not above 0.
///
/// # Source
/// Beaton and Tukey, The Fitting of Power Series, 1974.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "TukeyBiweightLoss")]
pub struct TukeyBiweight {
    /// From where on errors count alike, in the target's unit.
    pub c: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for TukeyBiweight {
    fn default() -> TukeyBiweight {
        TukeyBiweight { c: 4.685, broadcast: false }
    }
}

/// [`TukeyBiweight`] with its `c`.
#[doc(alias = "bisquare")]
#[track_caller]
pub fn tukey_biweight<'t>(prediction: Var<'t>, target: Var<'t>, c: f64) -> Terms<'t> {
    TukeyBiweight { c, ..TukeyBiweight::default() }.forward(prediction, target)
}

impl TukeyBiweight {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("tukey_biweight", || {
            let c = self.c;
            let (p, t) =
                pair("tukey_biweight", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("tukey_biweight", "c", c, p);
            let u = (p - t) / c;
            let v = u.abs().gt(1.0).select(1.0, u).square();
            // 1 − (1 − v)³, multiplied out: near 0 nothing cancels.
            Terms::new(v * (3.0 - v * (3.0 - v)) * (c * c / 6.0))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "tukey_biweight",
    aliases: &["TukeyBiweightLoss", "tukey_biweight_loss", "tukey", "bisquare", "biweight"],
    summary: "The same for all errors beyond a threshold.",
    formula: "c²/6 · (1 − (1 − ((p − t)/c)²)³) if |p − t| ≤ c, else c²/6",
    latex: r"\begin{cases} \frac{c^2}{6} \left( 1 - \left( 1 - \left( \frac{p - t}{c} \right)^2 \right)^3 \right) & \lvert p - t \rvert \le c \\ \frac{c^2}{6} & \text{else} \end{cases}",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's, squared",
    range: "[0, c²/6]",
    source: "Beaton and Tukey, 1974",
    over: "c=1,2,4.685",
    inputs: &TWO,
    options: &[number("c", 4.685, "from where on errors count alike"), BROADCAST],
    grid: &["", "c=1.5 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        TukeyBiweight { c: x.number("c"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let c = x.number("c");
        x.residuals(|d| {
            let inside = (1.0 - d * d / (c * c)).max(0.0);
            c * c / 6.0 * (1.0 - inside.powi(3))
        })
    },
    edges: &[],
    ..FAMILY
};
