//! Activations, most of them composed of other ops.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use lossgraph_tensor::{IntoAxis, map1, map2};

use super::Kink;
use super::binary::Binary;
use super::facts::Notation;
use super::table::{
    AROUND, CUBE, Row,
    Sample::{self, Floats},
    one, op,
};
use super::unary::{Unary, unary};
use crate::record::fault::Fault;
use crate::record::var::Var;

unary! {
    /// The logistic function, `σ(x) = 1/(1 + e⁻ˣ)`; slope `σ(x) σ(−x)`.
    ///
    /// The slope is not written as `y (1 − y)`, which is 0 as soon as `y` rounds to 1.
    #[doc(alias = "expit")]
    fn sigmoid() = SIGMOID {
        formula: "1/(1 + e⁻ˣ)",
        value: |x, _p| x.sigmoid(),
        vjp: Some(|g, x, y, _| g * (y * (-x).sigmoid())),
        domain: [-4.0, 4.0],
        facts: positive().zero_by_underflow().written(Notation::Call("σ")),
    }
}

unary! {
    /// `ln(1 + eˣ)`, without overflow; slope `σ(x)`. The smooth relu.
    fn softplus() = SOFTPLUS {
        formula: "ln(1 + eˣ)",
        value: |x, _p| x.softplus(),
        vjp: Some(|g, x, _, _| g * x.sigmoid()),
        domain: [-4.0, 4.0],
        facts: positive().zero_by_underflow(),
    }
}

/// `e^(−|x|)`, which [`SIGMOID`] and [`SOFTPLUS`] have in common. Plans compute it once for both,
/// by [`SIGMOID_BY`](super::binary::SIGMOID_BY) and [`SOFTPLUS_BY`](super::binary::SOFTPLUS_BY);
/// no tape records it.
pub(crate) static EXP_NEG_ABS: Unary =
    Unary::new("exp_neg_abs", "e^(−|x|)", map1!(|x, _p| x.exp_neg_abs()))
        .domain(-4.0, 4.0)
        .positive();

unary! {
    /// The rectifier, `max(x, 0)`; slope 1 above 0, and 0 at 0 and below. NaN stays NaN, with
    /// slope 1.
    fn relu() = RELU {
        formula: "max(x, 0)",
        // Written so that NaN stays NaN.
        value: |x, _p| if x < T::ZERO { T::ZERO } else { x },
        // Where the output is not 0, NaN included.
        vjp: Some(|g, _, y, _| g * y.ne(0.0)),
        domain: [-3.0, 3.0],
        facts: positive_of_positive().cheap().integers(|x, _| x.max(0)).zero_slope(&["its input is {x}, and relu is flat there"]),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.0, "the left slope",
    }
}

unary! {
    /// `x` above 0, `slope · x` at 0 and below.
    fn leaky_relu(slope) = LEAKY_RELU {
        formula: "x if x > 0, else s·x",
        value: |x, p| if x > T::ZERO { x } else { x * p[0] },
        vjp: Some(|g, x, _, [slope, _]| g * x.gt(0.0).select(1.0, slope)),
        domain: [-3.0, 3.0],
        sample: [0.2, 0.0],
        facts: cheap(),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.2, "the left slope s",
    }
}

unary! {
    /// `x` above 0, `alpha · (eˣ − 1)` at 0 and below; slope `alpha · eˣ` there, with all digits far
    /// below 0 as well.
    fn elu(alpha) = ELU {
        formula: "x if x > 0, else α(eˣ − 1)",
        value: |x, p| if x > T::ZERO { x } else { x.exp_m1() * p[0] },
        vjp: Some(|g, x, _, [alpha, _]| g * x.gt(0.0).select(1.0, x.exp() * alpha)),
        domain: [-3.0, 3.0],
        sample: [0.7, 0.0],
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.7, "the left slope α",
    }
}

unary! {
    /// `x · hardsigmoid(x)`; slope `x/3 + ½` between −3 and 3, 0 at −3 and 1 at 3.
    ///
    /// # Source
    /// Howard et al., Searching for MobileNetV3, 2019.
    fn hardswish() = HARDSWISH {
        formula: "x hardsigmoid(x)",
        value: specialized: |x, _p| {
            let y = x * (x + T::of(3.0)) / T::of(6.0);
            let y = if x <= T::of(-3.0) { T::ZERO } else { y };
            if x >= T::of(3.0) { x } else { y }
        },
        vjp: Some(|g, x, _, _| g.binary(&HARDSWISH_SLOPE, x)),
        domain: [-5.0, 5.0],
        kink: "x = −3", |[x, _], _| x == -3.0, -3.0, 0.0, "the left slope",
        kink: "x = 3", |[x, _], _| x == 3.0, 3.0, 1.0, "the right slope",
    }
}

/// `g (x/3 + ½)` between −3 and 3, 0 at −3 and below, g at 3 and above: not `0 · g`, which may be
/// infinite.
static HARDSWISH_SLOPE: Binary =
    Binary::new("hardswish_slope", "0 if x ≤ −3, g if x ≥ 3, else g (x/3 + ½)", {
        map2!(specialized: |g, x| {
            // The quotient by 3, rounded as by a division, which takes longer: ⅓ in two parts. Numbers
            // of which the second part is lost, and infinite ones, do not reach the result.
            let third = T::of(1.0 / 3.0);
            let rest = third.mul_add(T::of(-3.0), T::ONE) / T::of(3.0);
            let y = g * (x.mul_add(third, x * rest) + T::of(0.5));
            let y = if x <= T::of(-3.0) { T::ZERO } else { y };
            if x >= T::of(3.0) { g } else { y }
        })
    })
    .vjp(
        |c, _, x, _| c.binary(&HARDSWISH_SLOPE, x),
        |c, g, x, _| x.abs().lt(3.0).select(c * g / 3.0, 0.0),
    )
    .domain(-5.0, 5.0);

/// `x − λ sign x`, or 0 where `|x| ≤ λ`.
pub static SOFTSHRINK: Unary = Unary {
    // With gradual underflow, no difference of two numbers that differ is 0.
    vjp: Some(|g, _, y, _| y.eq(0.0).select(0.0, g)),
    domain: [-3.0, 3.0],
    sample: [0.5, 0.0],
    kinks: &[Kink {
        at: "x = ±λ",
        here: |[x, _], [lambda, _]| x.abs() == lambda,
        input: [0.5, 0.0],
        slope: [0.0, 0.0],
        because: "the slope inside",
    }],
    ..Unary::new(
        "softshrink",
        "x − λ sign x, or 0 where |x| ≤ λ",
        map1!(specialized: |x, p| {
            let y = if x > T::ZERO { x - p[0] } else { x + p[0] };
            if x.abs() <= p[0] { T::ZERO } else { y }
        }),
    )
};

impl<'t> Var<'t> {
    /// `ln σ(x) = −softplus(−x)`; slope `σ(−x)`.
    #[doc(alias = "logsigmoid")]
    #[track_caller]
    pub fn log_sigmoid(self) -> Var<'t> {
        let _call = self.tape().call("log_sigmoid");
        -(-self).softplus()
    }

    /// `x σ(x)`, also called swish.
    #[doc(alias = "swish")]
    #[track_caller]
    pub fn silu(self) -> Var<'t> {
        let _call = self.tape().call("silu");
        self * self.sigmoid()
    }

    /// `x Φ(x)`, with the normal distribution function `Φ(x) = ½ erfc(−x/√2)`, which unlike
    /// `½ (1 + erf(x/√2))` stays accurate in the left tail.
    #[track_caller]
    pub fn gelu(self) -> Var<'t> {
        let _call = self.tape().call("gelu");
        self * 0.5 * (self * -FRAC_1_SQRT_2).erfc()
    }

    /// The approximation `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))` of [`gelu`](Var::gelu).
    #[track_caller]
    pub fn gelu_tanh(self) -> Var<'t> {
        let _call = self.tape().call("gelu_tanh");
        let inner = (self + self.powi(3) * 0.044715) * (FRAC_2_SQRT_PI / SQRT_2);
        self * 0.5 * (inner.tanh() + 1.0)
    }

    /// `x · tanh(softplus(x))`.
    ///
    /// # Source
    /// Misra, Mish: A Self Regularized Non-Monotonic Activation Function, 2019.
    #[track_caller]
    pub fn mish(self) -> Var<'t> {
        let _call = self.tape().call("mish");
        self * self.softplus().tanh()
    }

    /// `λ · elu(x, α)` with the constants that keep mean 0 and variance 1.
    ///
    /// # Source
    /// Klambauer et al., Self-Normalizing Neural Networks, 2017.
    #[track_caller]
    pub fn selu(self) -> Var<'t> {
        let _call = self.tape().call("selu");
        self.elu(1.673_263_242_354_377_2) * 1.050_700_987_355_480_5
    }

    /// `x` above 0, else `α (e^(x/α) − 1)`: an [`elu`](Var::elu) with slope 1 at 0 for every α.
    ///
    /// # Errors
    /// Recorded as a fault: an `alpha` of 0.
    #[track_caller]
    pub fn celu(self, alpha: f64) -> Var<'t> {
        let _call = self.tape().call("celu");
        if alpha == 0.0 {
            let fault = Fault::new("celu", "alpha is 0, and x/alpha has no value");
            return self.tape().fault(fault.operand("input", self));
        }
        self.gt(0.0).select(self, (self / alpha).elu(1.0) * alpha)
    }

    /// `x / (1 + |x|)`.
    #[track_caller]
    pub fn softsign(self) -> Var<'t> {
        let _call = self.tape().call("softsign");
        self / (self.abs() + 1.0)
    }

    /// `x − tanh x`.
    #[track_caller]
    pub fn tanhshrink(self) -> Var<'t> {
        let _call = self.tape().call("tanhshrink");
        self - self.tanh()
    }

    /// `x`, but `low` at and below `low`, and `high` at and above `high`. Its slope at the ends is 0,
    /// where that of [`clamp`](Var::clamp) is 1.
    #[track_caller]
    pub fn hardtanh(self, low: f64, high: f64) -> Var<'t> {
        let _call = self.tape().call("hardtanh");
        self.ge(high).select(high, self.le(low).select(low, self))
    }

    /// `hardtanh` between 0 and 6.
    #[track_caller]
    pub fn relu6(self) -> Var<'t> {
        let _call = self.tape().call("relu6");
        self.hardtanh(0.0, 6.0)
    }

    /// `x/6 + ½`, held between 0 and 1.
    #[track_caller]
    pub fn hardsigmoid(self) -> Var<'t> {
        let _call = self.tape().call("hardsigmoid");
        self.ge(3.0).select(1.0, self.le(-3.0).select(0.0, self / 6.0 + 0.5))
    }

    /// `x`, but 0 where `|x| ≤ λ`.
    #[track_caller]
    pub fn hardshrink(self, lambda: f64) -> Var<'t> {
        let _call = self.tape().call("hardshrink");
        self.abs().le(lambda).select(0.0, self)
    }

    /// `x` moved towards 0 by `λ`: 0 where `|x| ≤ λ`.
    ///
    /// # Errors
    /// Recorded as a fault: a `λ` below 0, or NaN.
    #[track_caller]
    pub fn softshrink(self, lambda: f64) -> Var<'t> {
        let _call = self.tape().call("softshrink");
        if lambda.is_nan() || lambda < 0.0 {
            let why = format!("λ is {lambda}, expected 0 or more");
            return self.tape().fault(Fault::new("softshrink", why).operand("input", self));
        }
        self.unary(&SOFTSHRINK, [lambda, 0.0])
    }

    /// `x` above the threshold, else `value`.
    #[track_caller]
    pub fn threshold(self, threshold: f64, value: f64) -> Var<'t> {
        let _call = self.tape().call("threshold");
        self.le(threshold).select(value, self)
    }

    /// `x` above 0, else `weight · x`, with one weight in all or one for each channel (axis 1).
    ///
    /// # Errors
    /// Recorded as a fault: another number of weights.
    ///
    /// # Source
    /// He et al., Delving Deep into Rectifiers, 2015.
    #[track_caller]
    pub fn prelu(self, weight: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("prelu");
        let channels = if self.rank() > 1 { self.dim(1) } else { 1 };
        if weight.len() != 1 && (weight.rank() != 1 || weight.len() != channels) {
            let fault =
                Fault::new("prelu", "there is one weight, or one for each channel (axis 1)")
                    .operand("input", self)
                    .operand("weight", weight);
            return self.tape().fault(fault);
        }
        let mut dims = vec![1; self.rank()];
        if weight.len() != 1 {
            dims[1] = channels;
        }
        let x = self.to_float();
        x.gt(0.0).select(x, weight.reshape(dims) * x)
    }

    /// The first half of an axis, times the sigmoid of the second: a gated linear unit.
    ///
    /// # Errors
    /// Recorded as a fault: an axis of odd length.
    ///
    /// # Source
    /// Dauphin et al., Language Modeling with Gated Convolutional Networks, 2017.
    #[track_caller]
    pub fn glu(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("glu");
        let axis = axis.into_axis();
        let Some(at) = self.shape().axis(axis) else { return self.no_axis("glu", axis) };
        let len = self.dim(at);
        if len % 2 == 1 {
            let why = format!("axis {axis} has length {len}, which has no halves");
            return self.tape().fault(Fault::new("glu", why).operand("input", self));
        }
        self.slice(at, ..len / 2) * self.slice(at, len / 2..).sigmoid()
    }
}

const WIDE: Sample = Floats(&[2, 3, 4], [-5.0, 5.0]);

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    one(&SIGMOID, &[Floats(&[2, 3], SIGMOID.domain)], |x| x[0].sigmoid())
        .torch("sigmoid, special.expit"),
    one(&SOFTPLUS, &[Floats(&[2, 3], SOFTPLUS.domain)], |x| x[0].softplus()),
    one(&RELU, &[Floats(&[2, 3], RELU.domain)], |x| x[0].relu()),
    one(&LEAKY_RELU, &[Floats(&[2, 3], LEAKY_RELU.domain)], |x| x[0].leaky_relu(0.2)),
    one(&ELU, &[Floats(&[2, 3], ELU.domain)], |x| x[0].elu(0.7)),
    op("log_sigmoid", "composed", "ln σ(x)", &[CUBE], |x| x[0].log_sigmoid()).torch("logsigmoid"),
    op("silu", "composed", "x σ(x)", &[CUBE], |x| x[0].silu()),
    op("gelu", "composed", "x Φ(x)", &[CUBE], |x| x[0].gelu()),
    op("gelu_tanh", "composed", "½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))", &[CUBE], |x| {
        x[0].gelu_tanh()
    })
    .torch(r#"gelu(approximate="tanh")"#),
    op("mish", "composed", "x tanh(softplus x)", &[CUBE], |x| x[0].mish()),
    op("selu", "composed", "λ elu(x, α)", &[CUBE], |x| x[0].selu()),
    op("celu", "composed", "x, or α (e^(x/α) − 1) below 0", &[CUBE], |x| x[0].celu(0.7)),
    op("softsign", "composed", "x / (1 + |x|)", &[CUBE], |x| x[0].softsign()),
    op("tanhshrink", "composed", "x − tanh x", &[CUBE], |x| x[0].tanhshrink()),
    op("hardtanh", "composed", "x, held between two numbers", &[CUBE], |x| {
        x[0].hardtanh(-1.0, 1.5)
    }),
    op("relu6", "composed", "x, held between 0 and 6", &[Floats(&[2, 3], [-2.0, 8.0])], |x| {
        x[0].relu6()
    }),
    op("hardsigmoid", "composed", "x/6 + ½, held between 0 and 1", &[WIDE], |x| {
        x[0].hardsigmoid()
    }),
    one(&HARDSWISH, &[WIDE], |x| x[0].hardswish()),
    op("hardshrink", "composed", "x, or 0 where |x| ≤ λ", &[CUBE], |x| x[0].hardshrink(0.5)),
    one(&SOFTSHRINK, &[CUBE], |x| x[0].softshrink(0.5)),
    op("threshold", "composed", "x above a number, else another", &[CUBE], |x| {
        x[0].threshold(0.3, -1.0)
    }),
    op("prelu", "composed", "x, or w x below 0", &[CUBE, Floats(&[3], AROUND)], |x| {
        x[0].prelu(x[1])
    }),
    op("glu", "composed", "a σ(b), of the halves a and b", &[CUBE], |x| x[0].glu(-1)),
];
