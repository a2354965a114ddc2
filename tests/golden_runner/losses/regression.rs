//! Golden files of the family `regression`.

use lossgraph_autograd::Var;
use lossgraph_losses::{
    AdaptiveWing, Cauchy, Charbonnier, ElasticNet, GaussianNll, GemanMcClure, Huber, L1, LogCosh,
    Mape, Mse, Msle, PoissonNll, Quantile, Smape, SmoothL1, TukeyBiweight, Wing,
};

use super::super::case::{Adapter, Inputs, Reply};
use super::{broadcasts, reduced};

pub const FILES: &[(&str, Adapter)] = &[
    ("mse_loss", |x| {
        let loss = Mse { weight: x.tensor("weight"), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("l1_loss", |x| {
        let loss = L1 { weight: x.tensor("weight"), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("smooth_l1_loss", |x| {
        let beta = x.number("beta").unwrap_or(1.0);
        let loss = SmoothL1 { beta, weight: None, broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("huber_loss", |x| {
        let delta = x.number("delta").unwrap_or(1.0);
        let loss = Huber { delta, weight: x.tensor("weight"), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("poisson_nll_loss", |x| {
        let log_input = x.option("log_input").is_none_or(|log| log == true);
        let eps = x.number("eps").unwrap_or(1e-8);
        let loss = PoissonNll { log_input, full: x.flag("full"), eps, broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("gaussian_nll_loss", |x| {
        let eps = x.number("eps").unwrap_or(1e-6);
        let var = match x.number("var") {
            Some(var) => x.tape().constant(var),
            None => x.var("var"),
        };
        let loss = GaussianNll { full: x.flag("full"), eps, broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target"), var))
    }),
    ("log_cosh_loss", |x| {
        let loss = LogCosh { broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("quantile_loss", |x| {
        let quantile = x.number("quantile").unwrap_or(0.5);
        let loss = Quantile { quantile, broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("mean_absolute_percentage_error", |x| {
        let loss = Mape { eps: x.number("eps").unwrap_or(f64::EPSILON), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("smape_loss", |x| {
        let loss = Smape { broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("mean_squared_log_error", |x| {
        let loss = Msle { broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("charbonnier_loss", |x| {
        let loss = Charbonnier { eps: x.number("eps").unwrap_or(1e-3), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("cauchy_loss", |x| {
        let loss = Cauchy { c: x.number("c").unwrap_or(1.0), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("geman_mcclure_loss", |x| {
        let loss = GemanMcClure { c: x.number("c").unwrap_or(1.0), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("tukey_biweight_loss", |x| {
        let loss = TukeyBiweight { c: x.number("c").unwrap_or(4.685), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("wing_loss", |x| {
        let (w, epsilon) = (x.number("w").unwrap_or(10.0), x.number("epsilon").unwrap_or(2.0));
        let loss = Wing { w, epsilon, broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("adaptive_wing_loss", |x| {
        let given = |name, default| x.number(name).unwrap_or(default);
        let loss = AdaptiveWing {
            omega: given("omega", 14.0),
            theta: given("theta", 0.5),
            epsilon: given("epsilon", 1.0),
            alpha: given("alpha", 2.1),
            broadcast: broadcasts(x),
        };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("elastic_net_penalty", |x| {
        let given = |name, default| x.number(name).unwrap_or(default);
        let loss = ElasticNet { alpha: given("alpha", 1.0), l1_ratio: given("l1_ratio", 0.5) };
        loss.forward(x.tape(), &x.series("w")).sum().into()
    }),
    ("optax_squared_error", |x| {
        Mse::default().forward(x.var("predictions"), targets(x)).unreduced().into()
    }),
    ("optax_l2_loss", |x| -> Reply<'_> {
        (Mse::default().forward(x.var("predictions"), targets(x)).unreduced() * 0.5).into()
    }),
    ("optax_huber_loss", |x| {
        let loss = Huber { delta: x.number("delta").unwrap_or(1.0), ..Huber::default() };
        loss.forward(x.var("predictions"), targets(x)).unreduced().into()
    }),
    ("optax_log_cosh", |x| {
        LogCosh::default().forward(x.var("predictions"), targets(x)).unreduced().into()
    }),
];

/// Without targets, optax takes zeros.
fn targets<'t>(x: &Inputs<'t>) -> Var<'t> {
    x.maybe("targets").unwrap_or_else(|| x.tape().fill(x.var("predictions").shape(), 0.0))
}
