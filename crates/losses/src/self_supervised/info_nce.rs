//! A key told from others by its query.

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use super::views;
use crate::catalogue::{Invariance, Loss, WIDE, flag, input, number, option};
use crate::check::{above_zero, floats};
use crate::embedding::normalized;
use crate::terms::Terms;

/// Cross-entropy of telling the positive of a query from other keys, by cosine.
///
/// ```text
/// sᵢⱼ = cos(queryᵢ, keyⱼ) / T
/// Lᵢ = ln Σⱼ exp(sᵢⱼ) − sᵢᵢ                        the keys are the positives of the batch
/// Lᵢ = ln(exp(sᵢ) + Σ_m exp(sᵢₘ)) − sᵢ            the keys are its positive and the negatives
/// ∂Lᵢ/∂sᵢⱼ = softmax(sᵢ)ⱼ − [i = j]
/// ```
///
/// With `symmetric`, a term is the mean of that of a query among keys and that of its key among
/// queries, as CLIP has it for pictures and texts.
///
/// | | |
/// |---|---|
/// | shapes | query and positive `[batch, features]`, negatives `[keys, features]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::info_nce;
/// let tape = Tape::f64();
/// let query = tape.variable([[1.0, 0.0], [0.0, 1.0]]);
/// let positive = tape.constant([[3.0, 0.0], [0.0, 2.0]]);
/// let gradients = info_nce(query, positive, 1.0).mean().backward()?;
/// assert!((gradients.loss() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15); // 1 against 0
/// let push = 0.5 / (1.0 + 1.0_f64.exp());
/// assert!((gradients.of(query).unwrap().get(&[0, 1])? - push).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Query and positive that are not matrices of one shape; negatives of other features, or together
/// with `symmetric`; a temperature that is not above 0.
///
/// # Source
/// van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018; symmetric:
/// Radford et al., CLIP, 2021.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "InfoNCE")]
#[doc(alias = "clip_loss")]
pub struct InfoNce<'t> {
    /// What cosines are divided by.
    pub temperature: f64,
    /// Also tells the query of a key.
    pub symmetric: bool,
    /// Keys that are no query's positive, instead of those of the batch.
    pub negatives: Option<Var<'t>>,
}

impl Default for InfoNce<'_> {
    fn default() -> Self {
        InfoNce { temperature: 0.1, symmetric: false, negatives: None }
    }
}

/// [`InfoNce`] with a temperature, among the keys of the batch.
#[track_caller]
pub fn info_nce<'t>(query: Var<'t>, positive: Var<'t>, temperature: f64) -> Terms<'t> {
    InfoNce { temperature, ..InfoNce::default() }.forward(query, positive)
}

impl<'t> InfoNce<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, query: Var<'t>, positive: Var<'t>) -> Terms<'t> {
        query.tape().named_call("info_nce", || {
            let InfoNce { temperature, symmetric, negatives } = *self;
            let q = above_zero("info_nce", "temperature", temperature, query);
            let [q, k] = [views("info_nce", [("query", q), ("positive", positive)]), positive]
                .map(|x| normalized(x, 2.0));
            let right = (q * k).sum(-1) / temperature;
            let among = |q: Var<'t>, keys: Var<'t>| q.matmul(keys.t()) / temperature;
            let each = match negatives {
                Some(negatives) => {
                    let n = normalized(self.fitting(negatives, query), 2.0);
                    (among(q, n).log_sum_exp(-1) - right).softplus()
                }
                None if symmetric => {
                    let s = among(q, k);
                    (s.log_sum_exp(1) + s.log_sum_exp(0)) * 0.5 - right
                }
                None => among(q, k).log_sum_exp(-1) - right,
            };
            Terms::new(each)
        })
    }

    fn fitting(&self, negatives: Var<'t>, query: Var<'t>) -> Var<'t> {
        let negatives = floats("info_nce", "negatives", negatives);
        let fits = negatives.rank() == 2 && negatives.dim(1) == query.dim(-1);
        let why = match fits {
            _ if negatives.is_faulty() || query.is_faulty() => return negatives,
            true if !self.symmetric => return negatives,
            true => "negatives have no queries, so that it cannot be symmetric",
            false => "negatives are [keys, features]",
        };
        let fault = Fault::new("info_nce", why).operand("query", query);
        negatives.tape().fault(fault.operand("negatives", negatives))
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "info_nce",
    aliases: &["InfoNCE", "clip", "clip_loss"],
    summary: "The positive of a query told from other keys, by cosine.",
    formula: "ln Σ exp(cos(q, k)/T) − cos(q, k₊)/T",
    latex: r"-\log \frac{e^{\cos(q, k_+) / T}}{\sum_k e^{\cos(q, k) / T}}",
    letters: &[("k", "the keys: the positive k₊ and the negatives")],
    shapes: "query, positive: [batch, features]; negatives: [keys, features]; terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "van den Oord et al., 2018; Radford et al., 2021",
    over: "temperature=0.1,0.5,1",
    inputs: &[
        input("query", &[5, 3], WIDE),
        input("positive", &[5, 3], WIDE),
        option("negatives", &[4, 3], WIDE, "keys of no query, instead of those of the batch"),
    ],
    options: &[
        number("temperature", 0.1, "what cosines are divided by"),
        flag("symmetric", "also tells the query of a key"),
    ],
    grid: &["", "symmetric temperature=0.5", "negatives", "negatives temperature=1"],
    invariances: &[
        Invariance::Order(&["query", "positive"]),
        Invariance::Scale("query"),
        Invariance::Scale("positive"),
    ],
    run: |x| {
        InfoNce {
            temperature: x.number("temperature"),
            symmetric: x.flag("symmetric"),
            negatives: x.maybe("negatives"),
        }
        .forward(x.var("query"), x.var("positive"))
    },
    naive: |x| {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let s = |a: &[f64], b: &[f64]| {
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt() / x.number("temperature")
        };
        let told = |of: &[f64], right: &[f64], among: &[&[f64]]| {
            among.iter().map(|each| s(of, each).exp()).sum::<f64>().ln() - s(of, right)
        };
        let (queries, keys) = (x.rows("query"), x.rows("positive"));
        let term = |i: usize| match x.maybe("negatives") {
            Some(_) => {
                let mut among = x.rows("negatives");
                among.push(keys[i]);
                told(queries[i], keys[i], &among)
            }
            None if x.flag("symmetric") => {
                let back = told(keys[i], queries[i], &queries);
                (told(queries[i], keys[i], &keys) + back) / 2.0
            }
            None => told(queries[i], keys[i], &keys),
        };
        (0..5).map(term).collect()
    },
    ..FAMILY
};
