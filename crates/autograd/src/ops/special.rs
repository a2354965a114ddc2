//! Special functions: of the gamma function and its logarithm, of the normal distribution, and of
//! information theory.

use lossgraph_tensor::map1;

use super::arithmetic::flat_square;
use super::table::{CUBE, Row, Sample::Floats, one, op};
use super::unary::{Unary, unary};
use crate::record::fault::Fault;
use crate::record::operand::Operand;
use crate::record::var::Var;

/// `1/√(2π)`.
const DENSITY: f64 = 0.398_942_280_401_432_7;

unary! {
    /// `ln |Γ(x)|`; slope [`digamma`](Var::digamma). At the poles, 0, −1, −2, …, it is ∞; below 0 they
    /// are maxima, with slope 0.
    #[doc(alias = "gammaln")]
    fn lgamma() = LGAMMA {
        formula: "ln |Γ(x)|",
        value: |x, _p| x.lgamma(), where x > T::ZERO => x.lgamma_of_positive(),
        vjp: Some(|g, x, y, _| {
            let is_pole = x.lt(0.0) * y.eq(f64::INFINITY);
            is_pole.select(0.0, g * x.digamma())
        }),
        domain: [0.3, 4.0],
    }
}

unary! {
    /// `ψ(x)`, the slope of [`lgamma`](Var::lgamma); its own is `polygamma(1)`. At 0 it is −∞, at −0 ∞,
    /// and NaN at the other poles, −1, −2, …
    #[doc(alias = "psi")]
    fn digamma() = DIGAMMA {
        formula: "Γ′(x)/Γ(x)",
        value: |x, _p| x.digamma(), where x > T::ZERO => x.digamma_of_positive(),
        vjp: Some(|g, x, _, _| g * x.polygamma(1)),
        domain: [0.3, 4.0],
    }
}

/// `trigamma`: ψ′(x). [`Var::polygamma`] records it for the order 1.
pub static TRIGAMMA: Unary = Unary::new(
    "trigamma",
    "ψ′(x)",
    map1!(|x, _p| x.trigamma(), where x > T::ZERO => x.trigamma_of_positive()),
)
.vjp(|g, x, _, _| g * x.polygamma(2))
.domain(0.3, 4.0)
.positive();

/// `polygamma`: ψ⁽ⁿ⁾(x). [`Var::polygamma`] records it for orders from 2 on.
pub static POLYGAMMA: Unary = Unary::new(
    "polygamma",
    "ψ⁽ⁿ⁾(x)",
    map1!(|x, p| x.polygamma(p[0]), where x > T::ZERO => x.polygamma_of_positive(p[0])),
)
.vjp(|g, x, _, [n, _]| g * x.polygamma(n as u32 + 1))
.domain(0.3, 4.0)
.sample([2.0, 0.0]);

unary! {
    /// The inverse of [`erf`](Var::erf); slope `√π/2 e^(y²)`. At ±1 it is ±∞, and beyond NaN.
    #[doc(alias = "erf_inv")]
    fn erfinv() = ERFINV {
        formula: "erf⁻¹(x)",
        value: |x, _p| x.erfinv(),
        vjp: Some(|g, _, y, _| g * (y.square().exp() * 0.886_226_925_452_758)),
        domain: [-0.9, 0.9],
    }
}

unary! {
    /// The normal distribution function, `Φ(x) = ½ erfc(−x/√2)`, accurate in the left tail; slope
    /// `φ(x) = e^(−x²/2)/√(2π)`.
    #[doc(alias = "cdf")]
    fn ndtr() = NDTR {
        formula: "Φ(x)",
        value: |x, _p| x.ndtr(),
        vjp: Some(|g, x, _, _| g * ((flat_square(x) * -0.5).exp() * DENSITY)),
        domain: [-3.0, 3.0],
        facts: positive().zero_by_underflow(),
    }
}

unary! {
    /// The quantile of the normal distribution, the inverse of [`ndtr`](Var::ndtr); slope
    /// `√(2π) e^(y²/2)`. At 0 and 1 it is −∞ and ∞, and NaN beyond.
    #[doc(alias = "icdf")]
    #[doc(alias = "probit")]
    fn ndtri() = NDTRI {
        formula: "Φ⁻¹(x)",
        value: |x, _p| x.ndtri(),
        vjp: Some(|g, _, y, _| g * ((y.square() * 0.5).exp() / DENSITY)),
        domain: [0.05, 0.95],
    }
}

unary! {
    /// `ln Φ(x)` with the normal distribution function [`ndtr`](Var::ndtr), accurate in both tails;
    /// slope `φ(x)/Φ(x)`, which goes like −x to the left.
    fn log_ndtr() = LOG_NDTR {
        formula: "ln Φ(x)",
        value: |x, _p| x.log_ndtr(),
        vjp: Some(|g, x, _, _| g * x.unary(&LOG_NDTR_SLOPE, [0.0; 2])),
        domain: [-4.0, 3.0],
    }
}

/// `h = φ(x)/Φ(x)`, the inverse of Mills' ratio; slope `−h (h + x)`.
pub(crate) static LOG_NDTR_SLOPE: Unary =
    Unary::new("log_ndtr_slope", "φ(x)/Φ(x)", map1!(|x, _p| x.log_ndtr_slope()))
        .vjp(|g, x, _, _| -g * x.unary(&LOG_NDTR_BEND, [0.0; 2]))
        .domain(-4.0, 3.0)
        .positive();

/// `w = h (h + x)`, which goes to 1 to the left, where its formula cancels all digits; slope
/// `h (1 − w) − w (h + x)`, and like 2/x³ far to the left.
pub(crate) static LOG_NDTR_BEND: Unary =
    Unary::new("log_ndtr_bend", "h (h + x), h = φ(x)/Φ(x)", map1!(|x, _p| x.log_ndtr_bend()))
        .vjp(|g, x, w, _| {
            let h = x.unary(&LOG_NDTR_SLOPE, [0.0; 2]);
            let near = h * (1.0 - w) - w * (h + x);
            g * x.lt(-1e4).select(x.powi(-3) * 2.0, near)
        })
        .domain(-4.0, 3.0)
        .positive();

/// `logit`: ln(x/(1 − x)), accurate near ½ as well. [`Var::logit`] records it.
pub static LOGIT: Unary = Unary::new(
    "logit",
    "ln(x/(1 − x))",
    map1!(|x, _p| {
        let s = x + x - T::ONE;
        let middle = ((s + s) / (T::ONE - s)).ln_1p();
        let outside = (x / (T::ONE - x)).ln();
        if s.abs() < T::of(0.5) { middle } else { outside }
    }),
)
.vjp(|g, x, _, _| {
    // The formula has a value outside of the domain, too; it has no meaning there.
    let outside = x.lt(0.0) + x.gt(1.0);
    g * outside.select(f64::NAN, x.recip() + (1.0 - x).recip())
})
.domain(0.1, 0.9);

unary! {
    /// The normalized `sin πx / πx`, and 1 at 0; smooth, and so are its derivatives. At infinity it
    /// is NaN, as in PyTorch.
    fn sinc() = SINC {
        formula: "sin πx / πx",
        value: |x, _p| x.sinc(),
        vjp: Some(|g, x, _, _| g * x.unary(&SINC_SLOPE, [0.0; 2])),
        domain: [-3.0, 3.0],
    }
}

/// The slope of [`SINC`], by itself since that is needed most.
pub(crate) static SINC_SLOPE: Unary =
    Unary::new("sinc_slope", "(cos πx − sinc x)/x", map1!(|x, _p| x.sinc_slope(T::ONE)))
        .vjp(|g, x, _, _| g * x.unary(&SINC_DERIVATIVE, [2.0, 0.0]));

/// The derivative of [`SINC`] of an order n.
pub(crate) static SINC_DERIVATIVE: Unary =
    Unary::new("sinc_derivative", "sinc⁽ⁿ⁾ x", map1!(|x, p| x.sinc_slope(p[0])))
        .vjp(|g, x, _, [n, _]| g * x.unary(&SINC_DERIVATIVE, [n + 1.0, 0.0]))
        .sample([2.0, 0.0]);

unary! {
    /// The entropy of one probability, `−x ln x`, in nats: 0 at 0, and −∞ below; slope `−ln x − 1`.
    fn entr() = ENTR {
        formula: "−x ln x",
        value: |x, _p| {
            let y = if x == T::ZERO { T::ZERO } else { -(x * x.ln()) };
            if x < T::ZERO { T::NEG_INFINITY } else { y }
        },
        vjp: Some(|g, x, _, _| x.lt(0.0).select(0.0, g * (-x.ln() - 1.0))),
        domain: [0.1, 3.0],
    }
}

impl<'t> Var<'t> {
    /// The derivative of [`digamma`](Var::digamma) of an order `n`; that of order 0 is `digamma`. Slope
    /// `polygamma(n + 1)`.
    ///
    /// At the poles, 0, −1, −2, …, it is ∞ for odd orders and −∞ for even ones.
    ///
    /// # Errors
    /// Recorded as a fault: an order above 170, whose factorial overflows.
    #[track_caller]
    pub fn polygamma(self, order: u32) -> Var<'t> {
        let _call = self.tape().call("polygamma");
        match order {
            0 => self.digamma(),
            1 => self.unary(&TRIGAMMA, [0.0; 2]),
            2..=170 => self.unary(&POLYGAMMA, [order.into(), 0.0]),
            _ => {
                let fault = Fault::new("polygamma", format!("{order}! overflows"));
                self.tape().fault(fault.operand("input", self).cure("an order up to 170"))
            }
        }
    }

    /// `ln(x/(1 − x))`, the inverse of [`sigmoid`](Var::sigmoid); slope `1/(x (1 − x))`.
    ///
    /// With an `eps`, as in `x.logit(1e-6)`, what lies below `eps` or above `1 − eps` is replaced by
    /// that, and has slope 0. If `eps` is above ½, the lower bound is looked at first. With `None`, it is
    /// ±∞ at 1 and 0; outside, value and slope are NaN.
    #[track_caller]
    pub fn logit(self, eps: impl Into<Option<f64>>) -> Var<'t> {
        let _call = self.tape().call("logit");
        let x = self.to_float();
        let held = |eps: f64| {
            let low = x.lt(eps);
            low.select(eps, x.gt(1.0 - eps).select(1.0 - eps, x))
        };
        eps.into().map_or(x, held).unary(&LOGIT, [0.0; 2])
    }

    /// `x ln y`, and 0 where x is 0, unless y is NaN: for sums over probabilities. Slopes `ln y` and
    /// `x/y`; where x is 0 and y is 0, below or infinite, both are 0.
    #[track_caller]
    pub fn xlogy(self, y: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("xlogy");
        let y = y.beside(self).to_float();
        self.times_finite(y, y.le(0.0), y.ln())
    }

    /// `x ln(1 + y)`, exact for small y, and 0 where x is 0, unless y is NaN. Slopes `ln(1 + y)` and
    /// `x/(1 + y)`; where x is 0 and y is −1, below or infinite, both are 0.
    #[track_caller]
    pub fn xlog1py(self, y: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("xlog1py");
        let y = y.beside(self).to_float();
        self.times_finite(y, y.le(-1.0), y.ln_1p())
    }

    /// `x · logarithm`, but 0 where x is 0 and y, of which the logarithm is, outside of its domain.
    #[track_caller]
    fn times_finite(self, y: Var<'t>, outside: Var<'t>, logarithm: Var<'t>) -> Var<'t> {
        let nothing = self.eq(0) * (outside + y.eq(f64::INFINITY));
        nothing.select(0.0, self.to_float() * logarithm)
    }
}

unary! {
    /// The error function, `2/√π ∫₀ˣ e^(−t²) dt`; slope `2/√π e^(−x²)`.
    fn erf() = ERF {
        formula: "2/√π ∫₀ˣ e^(−t²) dt",
        value: |x, _p| x.erf(),
        vjp: Some(|g, x, _, _| g * ((-flat_square(x)).exp() * std::f64::consts::FRAC_2_SQRT_PI)),
        domain: [-2.0, 2.0],
    }
}

unary! {
    /// `1 − erf(x)`, accurate in the right tail; slope `−2/√π e^(−x²)`.
    fn erfc() = ERFC {
        formula: "1 − erf x",
        value: |x, _p| x.erfc(),
        vjp: Some(|g, x, _, _| g * ((-flat_square(x)).exp() * -std::f64::consts::FRAC_2_SQRT_PI)),
        domain: [-2.0, 2.0],
        facts: positive().zero_by_underflow(),
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    one(&ERF, &[Floats(&[2, 3], ERF.domain)], |x| x[0].erf()),
    one(&ERFC, &[Floats(&[2, 3], ERFC.domain)], |x| x[0].erfc()),
    one(&LGAMMA, &[Floats(&[2, 3], LGAMMA.domain)], |x| x[0].lgamma())
        .torch("lgamma, special.gammaln"),
    one(&DIGAMMA, &[Floats(&[2, 3], DIGAMMA.domain)], |x| x[0].digamma())
        .torch("digamma, special.psi"),
    one(&TRIGAMMA, &[Floats(&[2, 3], TRIGAMMA.domain)], |x| x[0].polygamma(1))
        .torch("polygamma(1)"),
    one(&POLYGAMMA, &[Floats(&[2, 3], POLYGAMMA.domain)], |x| x[0].polygamma(2)),
    one(&ERFINV, &[Floats(&[2, 3], ERFINV.domain)], |x| x[0].erfinv()),
    one(&NDTR, &[Floats(&[2, 3], NDTR.domain)], |x| x[0].ndtr()).torch("special.ndtr"),
    one(&NDTRI, &[Floats(&[2, 3], NDTRI.domain)], |x| x[0].ndtri()).torch("special.ndtri"),
    one(&LOG_NDTR, &[Floats(&[2, 3], LOG_NDTR.domain)], |x| x[0].log_ndtr())
        .torch("special.log_ndtr"),
    one(&LOGIT, &[Floats(&[2, 3], LOGIT.domain)], |x| x[0].logit(None)),
    one(&SINC, &[Floats(&[2, 3], SINC.domain)], |x| x[0].sinc()),
    one(&ENTR, &[Floats(&[2, 3], ENTR.domain)], |x| x[0].entr()).torch("special.entr"),
    op(
        "xlogy",
        "composed",
        "x ln y, and 0 where x = 0",
        &[CUBE, Floats(&[3, 1], [0.2, 3.0])],
        |x| x[0].xlogy(x[1]),
    ),
    op(
        "xlog1py",
        "composed",
        "x ln(1 + y), and 0 where x = 0",
        &[CUBE, Floats(&[3, 1], [-0.6, 3.0])],
        |x| x[0].xlog1py(x[1]),
    )
    .torch("special.xlog1py"),
];
