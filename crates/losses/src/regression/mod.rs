//! Losses of a distance between numbers.

mod adaptive_wing;
mod cauchy;
mod charbonnier;
mod elastic_net;
mod gaussian_nll;
mod geman_mcclure;
mod huber;
mod l1;
mod log_cosh;
mod mape;
mod mse;
mod msle;
mod poisson_nll;
mod pseudo_huber;
mod quantile;
mod rmse;
mod smape;
mod smooth_l1;
mod tukey_biweight;
mod tweedie;
mod welsch;
mod wing;

pub use adaptive_wing::{AdaptiveWing, adaptive_wing};
pub use cauchy::{Cauchy, cauchy};
pub use charbonnier::{Charbonnier, charbonnier};
pub use elastic_net::{ElasticNet, elastic_net};
pub use gaussian_nll::{GaussianNll, gaussian_nll};
pub use geman_mcclure::{GemanMcClure, geman_mcclure};
pub use huber::{Huber, huber};
pub use l1::{L1, l1};
pub use log_cosh::{LogCosh, log_cosh};
pub use mape::{Mape, mape};
pub use mse::{Mse, mse};
pub use msle::{Msle, msle};
pub use poisson_nll::{PoissonNll, poisson_nll};
pub use pseudo_huber::{PseudoHuber, pseudo_huber};
pub use quantile::{Quantile, quantile};
pub use rmse::{Rmse, rmse};
pub use smape::{Smape, smape};
pub use smooth_l1::{SmoothL1, smooth_l1};
pub use tukey_biweight::{TukeyBiweight, tukey_biweight};
pub use tweedie::{Tweedie, tweedie};
pub use welsch::{Welsch, welsch};
pub use wing::{Wing, wing};

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss {
    family: "regression",
    tasks: &[Task::Numbers.fit(), Task::Classes.fit(), Task::Pictures.fit()],
    edges: &[("+∞ | −∞", "an infinite error has ∞/∞ or ∞ − ∞ for a slope")],
    ..Loss::BASE
};

pub(crate) const ROWS: &[&Loss] = &[
    &mse::ROW,
    &rmse::ROW,
    &l1::ROW,
    &smooth_l1::ROW,
    &huber::ROW,
    &pseudo_huber::ROW,
    &charbonnier::ROW,
    &log_cosh::ROW,
    &quantile::ROW,
    &mape::ROW,
    &smape::ROW,
    &msle::ROW,
    &cauchy::ROW,
    &geman_mcclure::ROW,
    &welsch::ROW,
    &tukey_biweight::ROW,
    &wing::ROW,
    &adaptive_wing::ROW,
    &tweedie::ROW,
    &poisson_nll::ROW,
    &gaussian_nll::ROW,
    &elastic_net::ROW,
];
