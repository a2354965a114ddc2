//! Rankings: which documents answer a query best.

use lossgraph_autograd::{Module, Tape};
use lossgraph_data::{Dataset, Rows};
use lossgraph_nn::{Activation, Layer, Mlp};
use lossgraph_tensor::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Defaults, Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

const DOCUMENTS: usize = 8;
const FEATURES: usize = 5;
const GRADES: f32 = 4.0;

/// A net that gives a score for each document of a query.
pub struct Rankings {
    split: Split,
    model: Mlp,
}

impl Rankings {
    pub fn new(seed: u64) -> Result<Rankings> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Mlp::with(&[FEATURES, 24, 1], Activation::Relu, None, &mut rng)?;
        let split = Split { train: queries(256, 1)?, test: queries(64, 2)? };
        Ok(Rankings { split, model })
    }
}

/// Documents `[queries, documents, features]` with grades from 0 to 3, which follow from the features
/// by a curved function, and by chance.
fn queries(count: usize, seed: u64) -> Result<Dataset> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut features, mut grades) = (Vec::new(), Vec::new());
    for _ in 0..count * DOCUMENTS {
        let x: [f32; FEATURES] = std::array::from_fn(|_| rng.random());
        let merit = 0.6 * x[0] + 0.5 * x[1] * x[2] + 0.4 * (1.0 - (2.0 * x[3] - 1.0).abs());
        let grade = (GRADES * (merit / 1.1 + 0.1 * (rng.random::<f32>() - 0.5))).floor();
        features.extend(x);
        grades.push(grade.clamp(0.0, GRADES - 1.0));
    }
    let features = Tensor::new([count, DOCUMENTS, FEATURES], features)?;
    Ok(Dataset::pairs(features, Rows::from(Tensor::new([count, DOCUMENTS], grades)?))?)
}

/// Places of two documents of each query, in all queries one after the other, the first of which has
/// the higher grade, or for every second query the lower one; and the sign of their difference.
fn pairs(grades: &Tensor) -> Result<[Tensor; 3]> {
    let (mut first, mut second, mut signs) = (Vec::new(), Vec::new(), Vec::new());
    for (query, grades) in grades.to_f64s().chunks(DOCUMENTS).enumerate() {
        for i in 0..DOCUMENTS {
            for j in i + 1..DOCUMENTS {
                if grades[i] != grades[j] {
                    first.push((query * DOCUMENTS + i) as i64);
                    second.push((query * DOCUMENTS + j) as i64);
                    signs.push((grades[i] - grades[j]).signum() as f32);
                }
            }
        }
    }
    Ok([Tensor::from(first), Tensor::from(second), Tensor::from(signs)])
}

impl Problem for Rankings {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        self.split.about(&format!("queries of {DOCUMENTS} documents"))
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [DOCUMENTS, 1]
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 40, batch: 8, lr: 1e-2 }
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let scores = self.model.forward_in(tape.constant(examples.inputs()), mode).squeeze(-1);
        let relevance = tape.constant(examples.targets());
        let [first, second, signs] = pairs(examples.targets())?.map(|each| tape.constant(each));
        let all = scores.reshape([-1]);
        Ok(vec![Box::new(move |_, sample| match sample.name {
            "scores" => Some(scores),
            "relevance" => Some(relevance),
            "first" => Some(all.index_select(0, first)),
            "second" => Some(all.index_select(0, second)),
            "target" => Some(signs),
            _ => None,
        })])
    }

    fn metric(&self) -> &'static str {
        "test_ndcg"
    }

    /// The discounted gain of the documents in the order of their scores, of the greatest there is.
    fn score(&self, _: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let scores = self.model.forward(tape.constant(self.split.test.inputs())).value()?.to_f64s();
        let grades = self.split.test.targets().to_f64s();
        let gain = |order: &[usize], grades: &[f64]| -> f64 {
            let ranked = order.iter().enumerate();
            ranked.map(|(rank, &i)| (grades[i].exp2() - 1.0) / (rank as f64 + 2.0).log2()).sum()
        };
        let by = |keys: &[f64]| {
            let mut order: Vec<usize> = (0..keys.len()).collect();
            order.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]));
            order
        };
        let of = |(scores, grades): (&[f64], &[f64])| {
            let best = gain(&by(grades), grades);
            if best > 0.0 { gain(&by(scores), grades) / best } else { 1.0 }
        };
        let queries = scores.chunks(DOCUMENTS).zip(grades.chunks(DOCUMENTS));
        Ok(queries.map(of).sum::<f64>() / self.split.test.len() as f64)
    }
}
