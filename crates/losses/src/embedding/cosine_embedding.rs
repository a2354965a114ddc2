//! Pairs in one direction, or not.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::Shape;

use super::FAMILY;
use crate::catalogue::{BROADCAST, C, Domain, Invariance, Loss, N, Task, WIDE, input, number};
use crate::check::{demand, repeating, signs, vectors};
use crate::terms::Terms;

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
/// Shapes other than the table's, unless [`broadcast`](CosineEmbedding::broadcast) makes them so;
/// vectors or targets that are class numbers; a margin that is NaN.
///
/// # Source
/// PyTorch's `CosineEmbeddingLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "CosineEmbeddingLoss")]
pub struct CosineEmbedding {
    /// The cosine that dissimilar pairs may have, from −1 to 1.
    pub margin: f64,
    /// Lets the vectors, and the targets with their pairs, broadcast to a common shape.
    pub broadcast: bool,
}

/// [`CosineEmbedding`] with a margin.
#[doc(alias = "cosine_embedding_loss")]
#[track_caller]
pub fn cosine_embedding<'t>(a: Var<'t>, b: Var<'t>, target: Var<'t>, margin: f64) -> Terms<'t> {
    CosineEmbedding { margin, ..CosineEmbedding::default() }.forward(a, b, target)
}

impl CosineEmbedding {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, a: Var<'t>, b: Var<'t>, target: Var<'t>) -> Terms<'t> {
        a.tape().named_call("cosine_embedding", || {
            const EPS: f64 = 1e-12;
            let margin = self.margin;
            let a = demand("cosine_embedding", !margin.is_nan(), || "margin is NaN".to_owned(), a);
            let [a, b, target] = self.pairs(a, b, signs("cosine_embedding", "target", target));
            // Two roots, since the product of two squared lengths overflows at 10⁹ in f32.
            let shrink = |x: Var<'t>| (x.square().sum(-1) + EPS).rsqrt();
            let cosine = (a * b).sum(-1) * shrink(a) * shrink(b);
            // Of another target nothing is asked, and one that is NaN shows.
            let apart = target.eq(-1.0).select((cosine - margin).relu(), target * 0.0);
            Terms::new(target.eq(1.0).select(1.0 - cosine, apart))
        })
    }

    /// Vectors of one shape with a target for each pair, or a fault in the place of the first.
    #[track_caller]
    fn pairs<'t>(&self, a: Var<'t>, b: Var<'t>, target: Var<'t>) -> [Var<'t>; 3] {
        let [a, b] = vectors("cosine_embedding", [("a", a), ("b", b)]);
        let fitting = |shape: Shape| {
            let batch = Shape::from(shape.get(..shape.rank().checked_sub(1)?)?);
            let each = batch.broadcast(&target.shape()).filter(|each| *each == batch)?;
            (1..=2).contains(&shape.rank()).then_some((shape, each))
        };
        let common = a.shape().broadcast(&b.shape()).and_then(fitting);
        let alike = |(shape, each): &(Shape, Shape)| {
            a.shape() == *shape && b.shape() == *shape && target.shape() == *each
        };
        let faulty = [a, b, target].iter().any(|var| var.is_faulty());
        match common {
            _ if faulty => [a, b, target.to_float()],
            Some(common) if alike(&common) => [a, b, target.to_float()],
            Some((shape, each)) if self.broadcast => {
                [a.expand(shape.clone()), b.expand(shape), target.to_float().expand(each)]
            }
            common => {
                let why = "two times [batch, features], and a target for each pair";
                let fault = Fault::new("cosine_embedding", why).operand("a", a).operand("b", b);
                let fault = repeating(fault.operand("target", target), common.is_some());
                [a.tape().fault(fault), b, target.to_float()]
            }
        }
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "cosine_embedding",
    aliases: &["CosineEmbeddingLoss", "cosine_embedding_loss"],
    summary: "Similar pairs in one direction, others not, by a margin.",
    formula: "1 − cos(a, b) if y = 1, max(0, cos(a, b) − margin) if y = −1",
    latex: r"\begin{cases} 1 - \cos(a, b) & y = 1 \\ \max(0, \cos(a, b) - m) & y = -1 \end{cases}",
    shapes: "a, b: [batch, features] or [features]; target and terms: [batch] or []",
    range: "[0, 2]",
    source: "PyTorch CosineEmbeddingLoss",
    tasks: &[Task::Pairs.set("margin=0.3").by_default()],
    over: "margin=-0.5,0,0.5",
    inputs: &[
        input("a", &[N, C], WIDE),
        input("b", &[N, C], WIDE),
        input("target", &[N], Domain::Signs),
    ],
    options: &[number("margin", 0.0, "the cosine that dissimilar pairs may have"), BROADCAST],
    grid: &["", "margin=-0.5"],
    invariances: &[Invariance::Order(&["a", "b", "target"])],
    run: |x| {
        CosineEmbedding { margin: x.number("margin"), broadcast: x.flag("broadcast") }.forward(
            x.var("a"),
            x.var("b"),
            x.var("target"),
        )
    },
    naive: |x| {
        let dot = |a: &[f64], b: &[f64], i: usize| -> f64 {
            (i * C..(i + 1) * C).map(|k| a[k] * b[k]).sum()
        };
        let (a, b) = (x.of("a"), x.of("b"));
        let term = |i: usize| {
            let cosine = dot(a, b, i) / (dot(a, a, i) * dot(b, b, i)).sqrt();
            match x.of("target")[i] {
                1.0 => 1.0 - cosine,
                _ => (cosine - x.number("margin")).max(0.0),
            }
        };
        (0..N).map(term).collect()
    },
    edges: &[
        ("+∞ | −∞", "an infinite vector has no direction"),
        ("all times 1e20 | 1e20 | −1e20 | 1e30 | −1e30", "squares overflow beyond 10¹⁹ in f32"),
    ],
    ..FAMILY
};
