//! Activations composed of other ops.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use crate::record::var::Var;

impl<'t> Var<'t> {
    /// `ln σ(x) = −softplus(−x)`; slope `σ(−x)`.
    #[doc(alias = "logsigmoid")]
    #[track_caller]
    pub fn log_sigmoid(self) -> Var<'t> {
        -(-self).softplus()
    }

    /// `x σ(x)`, also called swish.
    #[doc(alias = "swish")]
    #[track_caller]
    pub fn silu(self) -> Var<'t> {
        self * self.sigmoid()
    }

    /// `x Φ(x)`, with the normal distribution function `Φ(x) = ½ erfc(−x/√2)`, which unlike
    /// `½ (1 + erf(x/√2))` stays accurate in the left tail.
    #[track_caller]
    pub fn gelu(self) -> Var<'t> {
        self * 0.5 * (self * -FRAC_1_SQRT_2).erfc()
    }

    /// The approximation `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))` of [`gelu`](Var::gelu).
    #[track_caller]
    pub fn gelu_tanh(self) -> Var<'t> {
        let inner = (self + self.powi(3) * 0.044715) * (FRAC_2_SQRT_PI / SQRT_2);
        self * 0.5 * (inner.tanh() + 1.0)
    }
}
