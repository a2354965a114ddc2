//! Pairs in one direction, or not.

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use crate::catalogue::{C, Domain, Invariance, Loss, N, Task, WIDE, input, number};
use crate::check::demand;
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
        a.tape().named_call("cosine_embedding", || {
            const EPS: f64 = 1e-12;
            let margin = self.margin;
            let a = demand("cosine_embedding", !margin.is_nan(), || "margin is NaN".to_owned(), a);
            let a = pairs(a, b, target);
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

pub(crate) static ROW: Loss = Loss {
    name: "cosine_embedding",
    aliases: &["CosineEmbeddingLoss", "cosine_embedding_loss"],
    summary: "Similar pairs in one direction, others not, by a margin.",
    formula: "1 − cos(a, b) if y = 1, max(0, cos(a, b) − margin) if y = −1",
    latex: r"\begin{cases} 1 - \cos(a, b) & y = 1 \\ \max(0, \cos(a, b) - m) & y = -1 \end{cases}",
    shapes: "a, b: [batch, features] or [features]; target and terms: [batch] or []",
    range: "[0, 2]",
    source: "PyTorch CosineEmbeddingLoss",
    tasks: &[Task::Pairs.set("margin=0.3")],
    over: "margin=-0.5,0,0.5",
    inputs: &[
        input("a", &[N, C], WIDE),
        input("b", &[N, C], WIDE),
        input("target", &[N], Domain::Signs),
    ],
    options: &[number("margin", 0.0, "the cosine that dissimilar pairs may have")],
    grid: &["", "margin=-0.5"],
    invariances: &[Invariance::Order(&["a", "b", "target"])],
    run: |x| {
        CosineEmbedding { margin: x.number("margin") }.forward(
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
    ..FAMILY
};
