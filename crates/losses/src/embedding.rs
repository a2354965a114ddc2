//! Losses of distances between embeddings.

use lossgraph_autograd::{Fault, Var};

use crate::check::demand;
use crate::distance::Distance;
use crate::terms::Terms;

/// An anchor should be nearer to a positive than to a negative, by a margin.
///
/// ```text
/// Lᵢ = max(0, d(aᵢ, pᵢ) − d(aᵢ, nᵢ) + margin)
/// ∂Lᵢ = ∂d(aᵢ, pᵢ) − ∂d(aᵢ, nᵢ)   where Lᵢ > 0, else 0
/// ```
///
/// With `swap`, the negative's distance is the smaller of those from the anchor and from the
/// positive, so that the harder of both counts; a tie is shared.
///
/// | | |
/// |---|---|
/// | shapes | three times `[batch, features]`, or `[features]`; terms are `[batch]` |
/// | unit | the distance's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Distance, TripletMargin};
/// let tape = Tape::f64();
/// let anchor = tape.variable([[0.0, 0.0]]);
/// let [positive, negative] = [[3.0, 4.0], [0.0, 5.0]].map(|x| tape.constant([x]));
/// let loss = TripletMargin { distance: Distance::Lp { p: 2.0, eps: 0.0 }, ..Default::default() };
/// let gradients = loss.forward(anchor, positive, negative).mean().backward()?;
/// assert_eq!(gradients.loss(), 1.0); // 5 − 5 + 1
/// assert!((gradients.of(anchor).unwrap().get(&[0, 0])? + 0.6).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Unequal shapes, or scalars; a margin that is not above 0.
///
/// # Source
/// Balntas et al., Learning Local Feature Descriptors with Triplets, 2016. PyTorch's
/// `TripletMarginLoss` and `TripletMarginWithDistanceLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "TripletMarginLoss")]
#[doc(alias = "TripletMarginWithDistanceLoss")]
pub struct TripletMargin {
    /// How much nearer, in the distance's unit.
    pub margin: f64,
    /// The distance.
    pub distance: Distance,
    /// Also looks from the positive to the negative.
    pub swap: bool,
}

impl Default for TripletMargin {
    fn default() -> TripletMargin {
        TripletMargin { margin: 1.0, distance: Distance::default(), swap: false }
    }
}

/// [`TripletMargin`] with a margin and the Euclidean distance.
#[doc(alias = "triplet_margin_loss")]
#[track_caller]
pub fn triplet_margin<'t>(
    anchor: Var<'t>,
    positive: Var<'t>,
    negative: Var<'t>,
    margin: f64,
) -> Terms<'t> {
    TripletMargin { margin, ..TripletMargin::default() }.forward(anchor, positive, negative)
}

impl TripletMargin {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, anchor: Var<'t>, positive: Var<'t>, negative: Var<'t>) -> Terms<'t> {
        let margin = self.margin;
        let fits = margin > 0.0;
        let why = || format!("margin is {margin}, expected more than 0");
        let a = demand("triplet_margin", fits, why, vectors(anchor, positive, negative));
        a.tape().scope("triplet_margin", || {
            let near = self.distance.between(a, positive);
            let far = self.distance.between(a, negative);
            let far = if self.swap {
                far.minimum(self.distance.between(positive, negative))
            } else {
                far
            };
            Terms::new((near - far + margin).relu())
        })
    }
}

/// The anchor, if all three are vectors of one shape.
#[track_caller]
fn vectors<'t>(anchor: Var<'t>, positive: Var<'t>, negative: Var<'t>) -> Var<'t> {
    let shape = anchor.shape();
    let fits = shape.rank() > 0 && positive.shape() == shape && negative.shape() == shape;
    if fits || [anchor, positive, negative].iter().any(|var| var.is_faulty()) {
        return anchor;
    }
    anchor.tape().fault(
        Fault::new("triplet_margin", "the three are vectors of one shape")
            .operand("anchor", anchor)
            .operand("positive", positive)
            .operand("negative", negative),
    )
}

/// Similar pairs should point in one direction, others should not, by a margin.
///
/// ```text
/// cᵢ = aᵢ·bᵢ / √((aᵢ·aᵢ + ε)(bᵢ·bᵢ + ε)),   ε = 10⁻¹²
/// Lᵢ = 1 − cᵢ               if yᵢ = 1
///      max(0, cᵢ − margin)  if yᵢ = −1
/// ∂Lᵢ/∂cᵢ = −1, or 1 where cᵢ > margin
/// ```
///
/// The `ε` gives zero vectors a cosine of 0 and a slope. Other targets than ±1 give 0.
///
/// | | |
/// |---|---|
/// | shapes | a and b: `[batch, features]`, target `[batch]`; or `[features]` and `[]` |
/// | unit | none: cosines |
/// | range | 0 to 2 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::cosine_embedding;
/// let tape = Tape::f64();
/// let a = tape.variable([[1.0, 0.0]]);
/// let b = tape.constant([[0.0, 2.0]]);
/// let gradients = cosine_embedding(a, b, tape.constant([1.0]), 0.0).mean().backward()?;
/// assert_eq!(gradients.loss(), 1.0); // a right angle
/// assert!((gradients.of(a).unwrap().get(&[0, 1])? + 1.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; a margin that is NaN.
///
/// # Source
/// PyTorch's `CosineEmbeddingLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "CosineEmbeddingLoss")]
pub struct CosineEmbedding {
    /// The cosine that dissimilar pairs may have, from −1 to 1.
    pub margin: f64,
}

/// [`CosineEmbedding`] with a margin.
#[doc(alias = "cosine_embedding_loss")]
#[track_caller]
pub fn cosine_embedding<'t>(a: Var<'t>, b: Var<'t>, target: Var<'t>, margin: f64) -> Terms<'t> {
    CosineEmbedding { margin }.forward(a, b, target)
}

impl CosineEmbedding {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, a: Var<'t>, b: Var<'t>, target: Var<'t>) -> Terms<'t> {
        const EPS: f64 = 1e-12;
        let margin = self.margin;
        let a = demand("cosine_embedding", !margin.is_nan(), || "margin is NaN".to_owned(), a);
        let a = pairs(a, b, target);
        a.tape().scope("cosine_embedding", || {
            // Two roots, since the product of two squared lengths overflows at 10⁹ in f32.
            let shrink = |x: Var<'t>| (x.square().sum(-1) + EPS).rsqrt();
            let cosine = (a * b).sum(-1) * shrink(a) * shrink(b);
            let apart = target.eq(-1.0).select((cosine - margin).relu(), 0.0);
            Terms::new(target.eq(1.0).select(1.0 - cosine, apart))
        })
    }
}

/// `a`, if it is vectors of the shape of `b`, with a target for each.
#[track_caller]
fn pairs<'t>(a: Var<'t>, b: Var<'t>, target: Var<'t>) -> Var<'t> {
    let (shape, rank) = (a.shape(), a.rank());
    let fits =
        (1..=2).contains(&rank) && b.shape() == shape && target.shape()[..] == shape[..rank - 1];
    if fits || [a, b, target].iter().any(|var| var.is_faulty()) {
        return a;
    }
    a.tape().fault(
        Fault::new("cosine_embedding", "two times [batch, features], and a target for each pair")
            .operand("a", a)
            .operand("b", b)
            .operand("target", target),
    )
}
