//! Points for digits, near to those of their class: from all pairs of a batch, from pairs that are
//! drawn, or from triplets.

use std::cell::RefCell;
use std::path::Path;

use lossgraph_autograd::{Module, Tape, Var};
use lossgraph_data::{Dataset, Triplets, triplets};
use lossgraph_losses::{Distance, Task};
use lossgraph_nn::{Activation, Layer, Mlp, recall_at_k};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Defaults, Operands, Problem, Split, Step, words};
use crate::train::Result;
use crate::train::objective::Objective;
use crate::{pca, scatter};

/// A net that gives a point for each digit.
pub struct Embeddings {
    split: Split,
    model: Box<dyn Layer>,
    features: usize,
    task: Task,
    /// One triplet for each digit that is trained on, drawn anew in each epoch.
    drawn: RefCell<Triplets>,
}

impl Embeddings {
    /// The digits in some shape, and a net that gives points of so many features.
    pub fn new(
        task: Task,
        shape: &[usize],
        model: Box<dyn Layer>,
        features: usize,
    ) -> Result<Embeddings> {
        let split = Split::digits()?.reshaped(shape)?;
        let drawn = RefCell::new(triplets(split.train.labels(), 0, 0)?);
        Ok(Embeddings { split, model, features, task, drawn })
    }

    /// With few features, in which digits do not lie apart by themselves.
    pub fn small(task: Task, seed: u64) -> Result<Embeddings> {
        const FEATURES: usize = 4;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Mlp::with(&[64, 64, FEATURES], Activation::Relu, None, &mut rng)?;
        Embeddings::new(task, &[64], Box::new(model), FEATURES)
    }

    fn points(&self) -> Result<Tensor> {
        let tape = Tape::new();
        Ok(self.model.forward(tape.constant(self.split.test.inputs())).value()?)
    }
}

impl Problem for Embeddings {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        self.split.about("digits")
    }

    fn data(&self) -> Option<&'static str> {
        Some("digits")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [self.split.train.classes(), self.features]
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 60, batch: 32, lr: 3e-3 }
    }

    fn begin(&self, seed: u64, epoch: u64) -> Result<()> {
        *self.drawn.borrow_mut() = triplets(self.split.train.labels(), seed, epoch)?;
        Ok(())
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let embed = |chosen: &Dataset| -> Var<'t> {
            self.model.forward_in(tape.constant(chosen.inputs()), step.mode)
        };
        if self.task == Task::Embeddings {
            let embeddings = embed(&step.examples);
            let labels = tape.constant(step.examples.targets());
            return Ok(vec![Box::new(move |_, sample| match sample.name {
                "embeddings" => Some(embeddings),
                "labels" => Some(labels),
                _ => None,
            })]);
        }
        let of = |drawn: &[usize]| -> Result<Var<'t>> {
            let chosen: Vec<usize> = step.indices.iter().map(|&i| drawn[i]).collect();
            Ok(embed(&self.split.of(step.part).select(&chosen)?))
        };
        let Triplets { anchors, positives, negatives } = &*self.drawn.borrow();
        let anchor = of(anchors)?;
        let positive = of(positives)?;
        let negative = of(negatives)?;
        if self.task == Task::Triplets {
            return Ok(vec![Box::new(move |_, sample| match sample.name {
                "anchor" => Some(anchor),
                "positive" => Some(positive),
                "negative" => Some(negative),
                _ => None,
            })]);
        }
        let pair = |other: Var<'t>, sign: f64| -> Operands<'t> {
            Box::new(move |_, sample| match sample.name {
                "a" => Some(anchor),
                "b" => Some(other),
                "distance" => Some(Distance::default().between(anchor, other)),
                "target" => Some(tape.fill([anchor.dim(0)], sign)),
                _ => None,
            })
        };
        Ok(vec![pair(positive, 1.0), pair(negative, -1.0)])
    }

    fn metric(&self) -> &'static str {
        "recall_at_1"
    }

    fn score(&self, _: &Objective) -> Result<f64> {
        Ok(recall_at_k(&self.points()?, self.split.test.labels(), 1)?)
    }

    fn conclusion(&self, score: f64, out: &Path) -> Result<String> {
        let picture = out.join("digits-embedding.svg");
        scatter::write(&picture, &pca::plane(&self.points()?)?, self.split.test.labels())?;
        let what = words(self.metric());
        Ok(format!("\n{what} on the test part {score:.4}\nwrote {}\n", picture.display()))
    }
}
