//! Errors with a variance of their own.

use std::f64::consts::PI;

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use crate::catalogue::{
    BROADCAST, C, Invariance, Loss, N, POSITIVE, Task, WIDE, flag, input, number, option,
};
use crate::check::{Unequal, demand, floats, holds, pair};
use crate::terms::Terms;

/// The negative log-likelihood of normal errors, whose variance is predicted as well.
///
/// ```text
/// vᵢ = max(varᵢ, ε)
/// Lᵢ = ½ (ln vᵢ + (pᵢ − tᵢ)² / vᵢ)       + ½ ln 2π with full
/// ∂Lᵢ/∂pᵢ = (pᵢ − tᵢ) / vᵢ
/// ∂Lᵢ/∂varᵢ = ½ (1 − (pᵢ − tᵢ)² / vᵢ) / vᵢ
/// ```
///
/// The clamp does not show in the gradient: a variance below `ε` has the slope of one that is `ε`,
/// as in PyTorch, so that it can grow again. A model gives a variance by ending in `softplus` or
/// `exp`. One number for all is a variance of shape `[]`: `tape.fill((), 0.7)`.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; var likewise, or with axes of length 1, or without the last axis, or `[]`; terms as the prediction |
/// | unit | nats |
/// | range | above `½ ln ε` |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::gaussian_nll;
/// let tape = Tape::f64();
/// let (p, var) = (tape.variable([3.0, 0.0]), tape.variable([1.0, 1.0]));
/// let gradients = gaussian_nll(p, tape.constant([1.0, 0.0]), var).sum().backward()?;
/// assert_eq!(gradients.loss(), 2.0); // ½ (0 + 4) + 0
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [2.0, 0.0]);
/// assert_eq!(gradients.of(var).unwrap().to_f64s(), [-1.5, 0.5]); // ½ (1 − 4), ½ (1 − 0)
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](GaussianNll::broadcast); a variance of another shape, or
/// with a number below 0 if it is data; an `eps` below 0.
///
/// # Source
/// Nix and Weigend, Estimating the Mean and Variance of the Target Probability Distribution, 1994.
/// PyTorch's `GaussianNLLLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "GaussianNLLLoss")]
pub struct GaussianNll {
    /// Adds `½ ln 2π`, which does not depend on anything.
    pub full: bool,
    /// The least variance.
    pub eps: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for GaussianNll {
    fn default() -> GaussianNll {
        GaussianNll { full: false, eps: 1e-6, broadcast: false }
    }
}

/// [`GaussianNll`] with its defaults.
#[doc(alias = "gaussian_nll_loss")]
#[track_caller]
pub fn gaussian_nll<'t>(prediction: Var<'t>, target: Var<'t>, var: Var<'t>) -> Terms<'t> {
    GaussianNll::default().forward(prediction, target, var)
}

impl GaussianNll {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>, var: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("gaussian_nll", || {
            let GaussianNll { full, eps, broadcast } = *self;
            let (p, t) = pair("gaussian_nll", prediction, target, Unequal::broadcast_if(broadcast));
            let why = || format!("eps is {eps}, expected a number from 0");
            let p = demand("gaussian_nll", eps >= 0.0 && eps.is_finite(), why, p);
            let var = floats("gaussian_nll", "var", var);
            let var = holds("gaussian_nll", "var", "variances from 0", |var| var >= 0.0, var);
            let var = laid_out(var, p);
            // What the clamp adds is a constant, through which no slope flows.
            let v = var + (var.clamp(eps, f64::INFINITY) - var).detach();
            let d = p - t;
            let each = (v.ln() + d * (d / v)) * 0.5;
            Terms::new(if full { each + (2.0 * PI).sqrt().ln() } else { each })
        })
    }
}

/// The variance against the prediction: alike, broadcasting, without the last axis, or one number.
#[track_caller]
fn laid_out<'t>(var: Var<'t>, p: Var<'t>) -> Var<'t> {
    let (given, shape) = (var.shape(), p.shape());
    let broadcasts = given.broadcast(&shape).as_ref() == Some(&shape);
    if var.rank() == 0 || p.is_faulty() || (broadcasts && var.rank() == p.rank()) {
        return var;
    }
    if given[..] == shape[..shape.rank().saturating_sub(1)] {
        return var.unsqueeze(-1);
    }
    let why = "var is like the prediction, without its last axis, or a single number";
    let fault = Fault::new("gaussian_nll", why).operand("prediction", p).operand("var", var);
    var.tape().fault(fault)
}

pub(crate) static ROW: Loss = Loss {
    name: "gaussian_nll",
    aliases: &["GaussianNLLLoss", "gaussian_nll_loss"],
    summary: "The negative log-likelihood of normal errors with a predicted variance.",
    formula: "½ (ln v + (p − t)²/v), with v = max(var, ε)",
    latex: r"\frac{1}{2} \left( \log v + \frac{(p - t)^2}{v} \right) \quad v = \max(\sigma^2, \varepsilon)",
    letters: &[("σ²", "var")],
    shapes: "prediction, target: alike; var: alike, or with axes of length 1, or without the last, or []; terms: alike",
    unit: "nats",
    range: "[½ ln ε, ∞)",
    source: "Nix and Weigend, 1994; PyTorch GaussianNLLLoss",
    tasks: &[Task::Numbers.fit()],
    inputs: &[
        input("prediction", &[N, C], WIDE),
        input("target", &[N, C], WIDE),
        input("var", &[N, C], POSITIVE),
        option("var_of_row", &[N], POSITIVE, "one variance for each row"),
        option("var_of_all", &[], POSITIVE, "one variance for all elements"),
    ],
    options: &[flag("full", "adds ½ ln 2π"), number("eps", 1e-6, "the least variance"), BROADCAST],
    grid: &["", "full", "var_of_row eps=0.1", "var_of_all broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target", "var", "var_of_row"])],
    run: |x| {
        let var = x.maybe("var_of_row").or(x.maybe("var_of_all"));
        GaussianNll { full: x.flag("full"), eps: x.number("eps"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"), var.unwrap_or_else(|| x.var("var")))
    },
    naive: |x| {
        let (p, t) = (x.of("prediction"), x.of("target"));
        let var = |i: usize| match (x.maybe("var_of_row"), x.maybe("var_of_all")) {
            (Some(row), _) => row[i / C],
            (_, Some(all)) => all[0],
            _ => x.of("var")[i],
        };
        // The logarithm of the density itself.
        let density =
            |i: usize| (-(p[i] - t[i]).powi(2) / (2.0 * var(i))).exp() / (2.0 * PI * var(i)).sqrt();
        let rest = if x.flag("full") { 0.0 } else { (2.0 * PI).ln() / 2.0 };
        (0..N * C).map(|i| -density(i).ln() - rest).collect()
    },
    ..FAMILY
};
