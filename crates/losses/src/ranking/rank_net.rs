//! Ranking by pairs.

use lossgraph_autograd::Var;

use super::lists::{LISTS, Lists, differences};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// The more relevant item of each pair should have the higher score.
///
/// ```text
/// Lᵢⱼ = softplus(−σ (sᵢ − sⱼ))    for all i, j of a list with relevanceᵢ > relevanceⱼ
/// ∂Lᵢⱼ/∂sᵢ = −σ sigmoid(−σ (sᵢ − sⱼ)) = −∂Lᵢⱼ/∂sⱼ
/// ```
///
/// The mean is that of all such pairs, of all lists together; NaN if there are none.
///
/// | | |
/// |---|---|
/// | shapes | scores, relevance: `[…, item]`; terms: `[…, item, item]`, 0 for other pairs |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::rank_net;
/// let tape = Tape::f64();
/// let scores = tape.variable([0.0, 0.0, 0.0]);
/// let relevance = tape.constant([2.0, 1.0, 1.0]); // two pairs, both undecided
/// let gradients = rank_net(scores, relevance).mean().backward()?;
/// assert_eq!(gradients.loss(), 2.0_f64.ln());
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [-0.5, 0.25, 0.25]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a single number; a mask of another shape; a `sigma` that is not above 0.
///
/// # Source
/// Burges et al., Learning to Rank using Gradient Descent, 2005.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "RankNetLoss")]
pub struct RankNet<'t> {
    /// How steep the preference is.
    pub sigma: f64,
    /// 1 for items that count, 0 for others, as padding is: of the scores' shape.
    pub mask: Option<Var<'t>>,
}

impl Default for RankNet<'_> {
    fn default() -> Self {
        RankNet { sigma: 1.0, mask: None }
    }
}

/// [`RankNet`] with its defaults.
#[track_caller]
pub fn rank_net<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    RankNet::default().forward(scores, relevance)
}

impl<'t> RankNet<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().scope("rank_net", || {
            let scores = above_zero("rank_net", "sigma", self.sigma, scores);
            let lists = Lists::new("rank_net", scores, relevance, self.mask);
            let each = (differences(lists.scores) * -self.sigma).softplus();
            Terms::new(each).masked(lists.preferred())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "rank_net",
    aliases: &["RankNetLoss", "ranknet_loss", "pairwise_logistic"],
    family: "ranking",
    summary: "The more relevant item of each pair should have the higher score.",
    formula: "softplus(−σ (sᵢ − sⱼ)) for relevanceᵢ > relevanceⱼ",
    latex: r"\log \left( 1 + e^{-\sigma (s_i - s_j)} \right) \quad y_i > y_j",
    shapes: "scores, relevance: […, item]; terms: […, item, item]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Burges et al., 2005",
    inputs: &LISTS,
    options: &[number("sigma", 1.0, "how steep the preference is")],
    grid: &["", "sigma=2", "mask"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "mask", "weight"]),
    ],
    run: |x| {
        RankNet { sigma: x.number("sigma"), mask: x.maybe("mask") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        let (scores, relevance) = (x.rows("scores"), x.rows("relevance"));
        let term = |list: usize, i: usize, j: usize| {
            let counts = |item: usize| x.weight("mask", list * scores[list].len() + item) != 0.0;
            let [s, y] = [&scores, &relevance].map(|of| (of[list][i], of[list][j]));
            let preferred = y.0 > y.1 && counts(i) && counts(j);
            if preferred { (-x.number("sigma") * (s.0 - s.1)).exp().ln_1p() } else { 0.0 }
        };
        let pairs = |list: usize| {
            let items = 0..scores[list].len();
            items.clone().flat_map(move |i| items.clone().map(move |j| (list, i, j)))
        };
        (0..scores.len()).flat_map(pairs).map(|(list, i, j)| term(list, i, j)).collect()
    },
};
