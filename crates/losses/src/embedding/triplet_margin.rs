//! Anchors, positives and negatives.

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use super::distance::Distance;
use super::triplets::Triplets;
use crate::catalogue::{BROADCAST, C, Invariance, Loss, N, Task, WIDE, flag, input, number};
use crate::check::{above_zero, repeating, vectors};
use crate::terms::Terms;

/// An anchor should be nearer to a positive than to a negative, by a margin.
///
/// ```text
/// Lᵢ = max(0, d(aᵢ, pᵢ) − d(aᵢ, nᵢ) + margin)
/// ∂Lᵢ = ∂d(aᵢ, pᵢ) − ∂d(aᵢ, nᵢ)   where Lᵢ > 0, else 0
/// ```
///
/// With `swap`, the negative's distance is the smaller of those from the anchor and from the
/// positive, so that the harder of both counts; a tie is shared. With `smooth`, `softplus` takes
/// the place of `max(0, ·)`: triplets never stop to count. For a similarity, the difference has the
/// other sign.
///
/// [`forward`](TripletMargin::forward) takes three rows of vectors,
/// [`over`](TripletMargin::over) all or mined [`Triplets`] of a batch.
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
///
/// // Of a batch: 0 and 2 are of one class, at the distance 2; 1 lies between them.
/// # use lossgraph_losses::{Pairs, Reduction, Triplets};
/// let points = tape.variable([[0.0], [1.0], [2.0]]);
/// let triplets = Triplets::of(Pairs::of(points, tape.labels(&[0, 1, 0])));
/// assert_eq!(loss.over(&triplets).reduce(Reduction::NonZeroMean).item()?, 2.0); // 2 − 1 + 1
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](TripletMargin::broadcast); scalars; integers; a margin that is not above 0.
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
    /// Takes `softplus` instead of `max(0, ·)`.
    pub smooth: bool,
    /// Lets the three broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for TripletMargin {
    fn default() -> TripletMargin {
        TripletMargin {
            margin: 1.0,
            distance: Distance::default(),
            swap: false,
            smooth: false,
            broadcast: false,
        }
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
    /// The terms of rows of vectors.
    #[track_caller]
    pub fn forward<'t>(&self, anchor: Var<'t>, positive: Var<'t>, negative: Var<'t>) -> Terms<'t> {
        anchor.tape().named_call("triplet_margin", || {
            let [a, positive, negative] = self.three(anchor, positive, negative);
            let a = self.checked(a);
            let near = self.distance.between(a, positive);
            let far = self.distance.between(a, negative);
            self.terms(near, far, || self.distance.between(positive, negative))
        })
    }

    /// The terms of triplets of a batch, `[triplets]`. Over none of them, the mean is NaN:
    /// [`Reduction::MeanOrZero`](crate::Reduction::MeanOrZero) and the usual
    /// [`Reduction::NonZeroMean`](crate::Reduction::NonZeroMean) are 0.
    #[track_caller]
    pub fn over<'t>(&self, triplets: &Triplets<'t>) -> Terms<'t> {
        triplets.embeddings.tape().named_call("triplet_margin", || {
            let embeddings = self.checked(triplets.embeddings);
            let triplets = Triplets { embeddings, ..triplets.clone() };
            let sides = triplets.sides(self.distance);
            self.terms(sides.positive, sides.negative, || triplets.across(self.distance))
        })
    }

    /// The three, if they are vectors of one shape, or a fault in the place of the first.
    #[track_caller]
    fn three<'t>(&self, a: Var<'t>, p: Var<'t>, n: Var<'t>) -> [Var<'t>; 3] {
        let three = [("anchor", a), ("positive", p), ("negative", n)];
        let [a, p, n] = vectors("triplet_margin", three);
        let common = a.shape().broadcast(&p.shape()).and_then(|ap| ap.broadcast(&n.shape()));
        match common.filter(|shape| shape.rank() > 0) {
            _ if [a, p, n].iter().any(|var| var.is_faulty()) => [a, p, n],
            Some(shape) if [a, p, n].iter().all(|var| var.shape() == shape) => [a, p, n],
            Some(shape) if self.broadcast => [a, p, n].map(|var| var.expand(shape.clone())),
            common => {
                let fault = Fault::new("triplet_margin", "the three are vectors of one shape");
                let fault = fault.operand("anchor", a).operand("positive", p);
                let fault = repeating(fault.operand("negative", n), common.is_some());
                [a.tape().fault(fault), p, n]
            }
        }
    }

    #[track_caller]
    fn checked<'t>(&self, var: Var<'t>) -> Var<'t> {
        above_zero("triplet_margin", "margin", self.margin, var)
    }

    fn terms<'t>(
        &self,
        near: Var<'t>,
        far: Var<'t>,
        across: impl FnOnce() -> Var<'t>,
    ) -> Terms<'t> {
        let far = match self.swap {
            true if self.distance.is_similarity() => far.maximum(across()),
            true => far.minimum(across()),
            false => far,
        };
        let violation = (near - far) * self.distance.sign() + self.margin;
        Terms::new(if self.smooth { violation.softplus() } else { violation.relu() })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "triplet_margin",
    aliases: &[
        "TripletMarginLoss",
        "triplet_margin_loss",
        "TripletMarginWithDistanceLoss",
        "triplet",
    ],
    summary: "An anchor nearer to a positive than to a negative, by a margin.",
    formula: "max(0, d(a, p) − d(a, n) + margin)",
    latex: r"\max \left( 0, d(a, p) - d(a, n) + m \right)",
    letters: &[("d", "the distance, in the p-norm")],
    shapes: "anchor, positive, negative: [batch, features] or [features]; terms: [batch]",
    unit: "the distance's",
    range: "[0, ∞)",
    source: "Balntas et al., 2016; PyTorch TripletMarginLoss",
    tasks: &[Task::Triplets.set("swap").by_default()],
    over: "margin=0.5,1,2",
    inputs: &[
        input("anchor", &[N, C], WIDE),
        input("positive", &[N, C], WIDE),
        input("negative", &[N, C], WIDE),
    ],
    options: &[
        number("margin", 1.0, "how much nearer, in the distance's unit"),
        number("p", 2.0, "the order of the norm"),
        number("eps", 1e-6, "what is added to each difference"),
        flag("swap", "also looks from the positive to the negative"),
        flag("smooth", "takes softplus instead of max(0, ·)"),
        BROADCAST,
    ],
    grid: &["", "margin=3", "p=1 margin=4", "p=3 swap margin=5", "smooth swap"],
    invariances: &[Invariance::Order(&["anchor", "positive", "negative"])],
    run: |x| {
        let (p, eps) = (x.number("p"), x.number("eps"));
        let margin = x.number("margin");
        let distance = Distance::Lp { p, eps };
        let [swap, smooth, broadcast] = ["swap", "smooth", "broadcast"].map(|name| x.flag(name));
        TripletMargin { margin, distance, swap, smooth, broadcast }.forward(
            x.var("anchor"),
            x.var("positive"),
            x.var("negative"),
        )
    },
    naive: |x| {
        let (p, eps) = (x.number("p"), x.number("eps"));
        let distance = |a: &str, b: &str, i: usize| -> f64 {
            let (a, b) = (x.of(a), x.of(b));
            let sum: f64 = (i * C..(i + 1) * C).map(|k| (a[k] - b[k] + eps).abs().powf(p)).sum();
            sum.powf(1.0 / p)
        };
        let term = |i: usize| {
            let mut far = distance("anchor", "negative", i);
            if x.flag("swap") {
                far = far.min(distance("positive", "negative", i));
            }
            let violation = distance("anchor", "positive", i) - far + x.number("margin");
            if x.flag("smooth") { violation.exp().ln_1p() } else { violation.max(0.0) }
        };
        (0..N).map(term).collect()
    },
    edges: &[
        ("+∞ | −∞", "an infinite vector has no direction, and infinite distances no difference"),
        ("all times 1e-20", "the distances are those of eps: a tie"),
        ("all times 1e20 | 1e20 | −1e20 | 1e30 | −1e30", "squares overflow beyond 10¹⁹ in f32"),
    ],
    ..FAMILY
};
