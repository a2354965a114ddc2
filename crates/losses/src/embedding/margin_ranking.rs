//! Which of two scores should be larger.

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use crate::catalogue::{BROADCAST, Domain, Invariance, Loss, N, Task, WIDE, input, number};
use crate::check::{demand, repeating, signs, vectors};
use crate::terms::Terms;

/// The first score should be larger than the second by a margin where `y = 1`, smaller where
/// `y = −1`.
///
/// ```text
/// Lᵢ = max(0, −yᵢ (aᵢ − bᵢ) + margin)
/// ∂Lᵢ/∂aᵢ = −yᵢ where Lᵢ > 0, else 0;   ∂Lᵢ/∂bᵢ = yᵢ there
/// ```
///
/// | | |
/// |---|---|
/// | shapes | first, second and target alike; terms have that shape |
/// | unit | the scores' |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::margin_ranking;
/// let tape = Tape::f64();
/// let a = tape.variable([2.0, 0.0]);
/// let b = tape.constant([1.0, 1.0]);
/// let gradients = margin_ranking(a, b, tape.constant([1.0, 1.0]), 0.5).sum().backward()?;
/// assert_eq!(gradients.loss(), 1.5); // 0 + (1 + 0.5)
/// assert_eq!(gradients.of(a).unwrap().to_f64s(), [0.0, -1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// A ranking with one right answer can be taught by the best wrong one alone: whatever stands
/// behind it is behind the right one, too. It costs a maximum, and its gradient goes to two scores
/// of each row.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::margin_ranking;
/// let tape = Tape::f64();
/// let scores = tape.variable([[2.0, 1.5, -1.0], [0.0, 3.0, 1.0]]);
/// let answer = tape.labels(&[0, 2]);
/// let right = scores.gather(1, answer.unsqueeze(1)).squeeze(1);
/// let best_wrong = answer.one_hot(3).select(f64::NEG_INFINITY, scores).max(1);
/// let loss = margin_ranking(right, best_wrong, tape.constant([1.0, 1.0]), 1.0);
/// assert_eq!(loss.unreduced().value()?.to_f64s(), [0.5, 3.0]);
/// let gradients = loss.sum().backward()?;
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [-1.0, 1.0, 0.0, 0.0, 1.0, -1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](MarginRanking::broadcast), which asks for equal ranks; a
/// margin that is NaN.
///
/// # Source
/// PyTorch's `MarginRankingLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MarginRankingLoss")]
pub struct MarginRanking {
    /// How much larger.
    pub margin: f64,
    /// Lets the three broadcast to a common shape.
    pub broadcast: bool,
}

/// [`MarginRanking`] with a margin.
#[doc(alias = "margin_ranking_loss")]
#[track_caller]
pub fn margin_ranking<'t>(
    first: Var<'t>,
    second: Var<'t>,
    target: Var<'t>,
    margin: f64,
) -> Terms<'t> {
    MarginRanking { margin, ..MarginRanking::default() }.forward(first, second, target)
}

impl MarginRanking {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, first: Var<'t>, second: Var<'t>, target: Var<'t>) -> Terms<'t> {
        first.tape().named_call("margin_ranking", || {
            let margin = self.margin;
            let target = signs("margin_ranking", "target", target);
            let a = self.fitting(first, second, target);
            let a = demand("margin_ranking", !margin.is_nan(), || "margin is NaN".to_owned(), a);
            Terms::new((margin - target * (a - second)).relu())
        })
    }

    /// The first, if all three have one shape, or one rank and broadcast where the option says so.
    fn fitting<'t>(&self, first: Var<'t>, second: Var<'t>, target: Var<'t>) -> Var<'t> {
        let [first, second] = vectors("margin_ranking", [("first", first), ("second", second)]);
        let [a, b, y] = [first, second, target].map(|var| var.shape());
        let common = a.broadcast(&b).and_then(|shape| shape.broadcast(&y));
        let repeat = common.is_some() && a.rank() == b.rank() && b.rank() == y.rank();
        let fits = match self.broadcast {
            true => repeat,
            false => a == b && b == y,
        };
        if fits || [first, second, target].iter().any(|var| var.is_faulty()) {
            return first;
        }
        let fault = Fault::new("margin_ranking", "two scores and a target of one shape")
            .operand("first", first)
            .operand("second", second)
            .operand("target", target);
        first.tape().fault(repeating(fault, !self.broadcast && repeat))
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "margin_ranking",
    aliases: &["MarginRankingLoss", "margin_ranking_loss"],
    summary: "One of two scores larger than the other, by a margin.",
    formula: "max(0, −y (a − b) + margin)",
    latex: r"\max(0, -y (a - b) + m)",
    shapes: "first, second, target: alike; terms: alike",
    unit: "the scores'",
    range: "[0, ∞)",
    source: "PyTorch MarginRankingLoss",
    tasks: &[Task::Rankings.fit()],
    over: "margin=0,0.5,1",
    inputs: &[
        input("first", &[N], WIDE),
        input("second", &[N], WIDE),
        input("target", &[N], Domain::Signs),
    ],
    options: &[number("margin", 0.0, "how much larger"), BROADCAST],
    grid: &["", "margin=0.5"],
    invariances: &[Invariance::Order(&["first", "second", "target"])],
    run: |x| {
        MarginRanking { margin: x.number("margin"), broadcast: x.flag("broadcast") }.forward(
            x.var("first"),
            x.var("second"),
            x.var("target"),
        )
    },
    naive: |x| {
        let (a, b, y) = (x.of("first"), x.of("second"), x.of("target"));
        (0..N).map(|i| (x.number("margin") - y[i] * (a[i] - b[i])).max(0.0)).collect()
    },
    ..FAMILY
};
