//! Activations, most of them composed of other ops.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use lossgraph_tensor::{IntoAxis, map1};

use super::Kink;
use super::unary::{Unary, unary};
use crate::record::fault::Fault;
use crate::record::var::Var;

unary! {
    /// `x · hardsigmoid(x)`; slope `x/3 + ½` between −3 and 3, 0 at −3 and 1 at 3.
    ///
    /// # Source
    /// Howard et al., Searching for MobileNetV3, 2019.
    fn hardswish() = HARDSWISH {
        formula: "x hardsigmoid(x)",
        value: |x, _p| {
            let y = x * (x + T::of(3.0)) / T::of(6.0);
            let y = if x <= T::of(-3.0) { T::ZERO } else { y };
            if x >= T::of(3.0) { x } else { y }
        },
        vjp: Some(|g, x, _, _| g * x.unary(&HARDSWISH_SLOPE, [0.0; 2])),
        domain: [-5.0, 5.0],
        kink: "x = −3", |[x, _], _| x == -3.0, -3.0, 0.0, "the left slope",
        kink: "x = 3", |[x, _], _| x == 3.0, 3.0, 1.0, "the right slope",
    }
}

/// The slope of [`HARDSWISH`].
static HARDSWISH_SLOPE: Unary = Unary::new(
    "hardswish_slope",
    "x/3 + ½ where |x| < 3, else 0 or 1",
    map1!(|x, _p| {
        let y = x / T::of(3.0) + T::of(0.5);
        let y = if x <= T::of(-3.0) { T::ZERO } else { y };
        if x >= T::of(3.0) { T::ONE } else { y }
    }),
)
.vjp(|g, x, _, _| x.abs().lt(3.0).select(g / 3.0, 0.0))
.domain(-2.9, 2.9);

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
    #[track_caller]
    pub fn softshrink(self, lambda: f64) -> Var<'t> {
        let _call = self.tape().call("softshrink");
        self.abs().le(lambda).select(0.0, self - self.signum() * lambda)
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
