//! Losses of the order of scores.

mod approx_ndcg;
mod lambda_rank;
mod list_mle;
mod list_net;
mod lists;
mod rank_net;
mod ranking_softmax;

pub use approx_ndcg::{ApproxNdcg, approx_ndcg};
pub use lambda_rank::{LambdaRank, lambda_rank};
pub use list_mle::{ListMle, list_mle};
pub use list_net::{ListNet, list_net};
pub use rank_net::{RankNet, rank_net};
pub use ranking_softmax::{RankingSoftmax, ranking_softmax};

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss { family: "ranking", tasks: &[Task::Rankings.fit()], ..Loss::BASE };

pub(crate) const ROWS: &[&Loss] = &[
    &rank_net::ROW,
    &lambda_rank::ROW,
    &list_net::ROW,
    &list_mle::ROW,
    &ranking_softmax::ROW,
    &approx_ndcg::ROW,
];
