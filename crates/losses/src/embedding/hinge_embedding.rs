//! Small distances for similar pairs, large ones for others.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, C, Domain, Invariance, Loss, N, Task, WIDE, input, number};
use crate::check::{Unequal, demand, named_pair, signs};
use crate::terms::Terms;

/// The prediction is a distance: small for similar pairs, beyond a margin for others.
///
/// ```text
/// Lᵢ = dᵢ                    if yᵢ = 1
///      max(0, margin − dᵢ)   if yᵢ = −1
/// ∂Lᵢ/∂dᵢ = 1, or −1 where dᵢ < margin
/// ```
///
/// The prediction is not a score: it is small where a pair is similar, and it should not be
/// negative, since nothing holds it from below where `y = 1`. For another target than ±1 both
/// branches are added, as in PyTorch.
///
/// | | |
/// |---|---|
/// | shapes | distance and target alike; terms have that shape |
/// | unit | the distance's |
/// | range | 0 and above, for distances |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::hinge_embedding;
/// let tape = Tape::f64();
/// let distance = tape.variable([0.5, 0.25, 2.0]);
/// let target = tape.constant([1.0, -1.0, -1.0]);
/// let gradients = hinge_embedding(distance, target, 1.0).sum().backward()?;
/// assert_eq!(gradients.loss(), 0.5 + 0.75);
/// assert_eq!(gradients.of(distance).unwrap().to_f64s(), [1.0, -1.0, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](HingeEmbedding::broadcast); a margin that is NaN.
///
/// # Source
/// PyTorch's `HingeEmbeddingLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "HingeEmbeddingLoss")]
pub struct HingeEmbedding {
    /// How far apart dissimilar pairs should be.
    pub margin: f64,
    /// Lets distance and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for HingeEmbedding {
    fn default() -> HingeEmbedding {
        HingeEmbedding { margin: 1.0, broadcast: false }
    }
}

/// [`HingeEmbedding`] with a margin.
#[doc(alias = "hinge_embedding_loss")]
#[track_caller]
pub fn hinge_embedding<'t>(distance: Var<'t>, target: Var<'t>, margin: f64) -> Terms<'t> {
    HingeEmbedding { margin, ..HingeEmbedding::default() }.forward(distance, target)
}

impl HingeEmbedding {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, distance: Var<'t>, target: Var<'t>) -> Terms<'t> {
        distance.tape().named_call("hinge_embedding", || {
            let margin = self.margin;
            let unequal = Unequal::broadcast_if(self.broadcast);
            let target = signs("hinge_embedding", "target", target);
            let (d, y) =
                named_pair("hinge_embedding", ("distance", distance), ("target", target), unequal);
            let d = demand("hinge_embedding", !margin.is_nan(), || "margin is NaN".to_owned(), d);
            let near = y.ne(-1.0).select(d, 0.0);
            let far = y.ne(1.0).select((margin - d).relu(), 0.0);
            // Of a target that is NaN, neither comparison holds.
            Terms::new(near + far + y * 0.0)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "hinge_embedding",
    aliases: &["HingeEmbeddingLoss", "hinge_embedding_loss"],
    summary: "Small distances for similar pairs, beyond a margin for others.",
    formula: "d if y = 1, max(0, margin − d) if y = −1",
    latex: r"\begin{cases} d & y = 1 \\ \max(0, m - d) & y = -1 \end{cases}",
    shapes: "distance, target: alike; terms: alike",
    unit: "the distance's",
    range: "[0, ∞) for distances",
    source: "PyTorch HingeEmbeddingLoss",
    tasks: &[Task::Pairs.fit()],
    over: "margin=0.5,1,2",
    inputs: &[
        input("distance", &[N, C], WIDE),
        input("target", &[N, C], Domain::Signs).pictured_at(-1.0),
    ],
    options: &[number("margin", 1.0, "how far apart dissimilar pairs should be"), BROADCAST],
    grid: &["", "margin=0.4"],
    invariances: &[Invariance::Order(&["distance", "target"])],
    run: |x| {
        HingeEmbedding { margin: x.number("margin"), broadcast: x.flag("broadcast") }
            .forward(x.var("distance"), x.var("target"))
    },
    naive: |x| {
        let pairs = x.of("distance").iter().zip(x.of("target"));
        pairs.map(|(d, y)| if *y == 1.0 { *d } else { (x.number("margin") - d).max(0.0) }).collect()
    },
    ..FAMILY
};
