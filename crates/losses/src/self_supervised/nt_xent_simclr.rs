//! Each example told from a batch by its other view.

use lossgraph_autograd::{Var, concat};
use lossgraph_tensor::{DType, Tensor};

use super::{FAMILY, VIEWS, views};
use crate::catalogue::{Invariance, Loss, Task, number};
use crate::check::above_zero;
use crate::embedding::{log_sum_exp_of, normalized};
use crate::terms::Terms;

/// Cross-entropy of telling the other view of an example from all others of both views, by cosine.
///
/// ```text
/// Lᵢ = ln Σ_{k ≠ i} exp(cos(i, k)/T) − cos(i, i′)/T,  i′ the other view of i
/// ∂Lᵢ/∂cos(i, k) = (softmaxₖ − [k = i′]) / T
/// ```
///
/// It is [`nt_xent`](crate::nt_xent()) with the number of the example as label, where each anchor has
/// one positive. The first half of the terms are those of the first view.
///
/// | | |
/// |---|---|
/// | shapes | two views `[batch, features]`; terms are `[2 · batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::nt_xent_simclr;
/// let tape = Tape::f64();
/// // Four right angles: the other view is one of three.
/// let z1 = tape.variable([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]);
/// let z2 = tape.constant([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]);
/// let gradients = nt_xent_simclr(z1, z2, 1.0).mean().backward()?;
/// assert!((gradients.loss() - 3.0_f64.ln()).abs() < 1e-15);
/// // (⅓ − 1) from both ends, in a mean of four.
/// assert!((gradients.of(z1).unwrap().get(&[0, 2])? + 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Views that are not matrices of one shape; a temperature that is not above 0.
///
/// # Source
/// Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, 2020.
#[derive(Clone, Copy, Debug)]
pub struct NtXentSimclr {
    /// What cosines are divided by.
    pub temperature: f64,
}

impl Default for NtXentSimclr {
    fn default() -> NtXentSimclr {
        NtXentSimclr { temperature: 0.5 }
    }
}

/// [`NtXentSimclr`] with a temperature.
#[track_caller]
pub fn nt_xent_simclr<'t>(z1: Var<'t>, z2: Var<'t>, temperature: f64) -> Terms<'t> {
    NtXentSimclr { temperature }.forward(z1, z2)
}

impl NtXentSimclr {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, z1: Var<'t>, z2: Var<'t>) -> Terms<'t> {
        let tape = z1.tape();
        tape.named_call("nt_xent_simclr", || {
            let first = views("nt_xent_simclr", [("z1", z1), ("z2", z2)]);
            let first = above_zero("nt_xent_simclr", "temperature", self.temperature, first);
            let [first, second] = [first, z2].map(|z| normalized(z, 2.0));
            let z = concat(&[first, second], 0);
            let s = z.matmul(z.t()) / self.temperature;
            let others = 1.0 - tape.constant(Tensor::eye(z.dim(0), DType::F64));
            let own = (first * second).sum(-1) / self.temperature;
            Terms::new(log_sum_exp_of(others, s).squeeze(-1) - concat(&[own, own], 0))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "nt_xent_simclr",
    aliases: &["simclr"],
    summary: "The other view of an example told from all others, by cosine.",
    formula: "ln Σ exp(cos(i, k)/T) − cos(i, i′)/T",
    latex: r"-\log \frac{e^{\cos(z_i, z_{i'}) / T}}{\sum_{k \ne i} e^{\cos(z_i, z_k) / T}}",
    letters: &[("z", "the embeddings of both views"), ("i′", "the other view of i")],
    shapes: "z1, z2: [batch, features]; terms: [2 batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Chen et al., 2020",
    over: "temperature=0.07,0.5,2",
    tasks: &[Task::Views.fit().by_default()],
    inputs: &VIEWS,
    options: &[number("temperature", 0.5, "what cosines are divided by")],
    grid: &["", "temperature=0.07"],
    invariances: &[Invariance::Scale("z1"), Invariance::Scale("z2")],
    run: |x| {
        NtXentSimclr { temperature: x.number("temperature") }.forward(x.var("z1"), x.var("z2"))
    },
    naive: |x| {
        let rows: Vec<&[f64]> = x.rows("z1").into_iter().chain(x.rows("z2")).collect();
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let s = |i: usize, k: usize| {
            let lengths = (dot(rows[i], rows[i]) * dot(rows[k], rows[k])).sqrt();
            dot(rows[i], rows[k]) / lengths / x.number("temperature")
        };
        let term = |i: usize| {
            let all: f64 = (0..10).filter(|&k| k != i).map(|k| s(i, k).exp()).sum();
            all.ln() - s(i, (i + 5) % 10)
        };
        (0..10).map(term).collect()
    },
    ..FAMILY
};
