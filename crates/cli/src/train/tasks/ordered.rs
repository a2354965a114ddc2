//! Classes in an order: the digits, of which 3 is nearer to 4 than to 9.

use lossgraph_autograd::{Module, Tape};
use lossgraph_nn::{Activation, Layer, Mlp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

/// A net that gives a logit for each border between two digits.
pub struct OrderedClasses {
    split: Split,
    model: Mlp,
}

impl OrderedClasses {
    pub fn new(seed: u64) -> Result<OrderedClasses> {
        let split = Split::digits()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let borders = split.train.classes() - 1;
        let model = Mlp::with(&[64, 48, borders], Activation::Relu, None, &mut rng)?;
        Ok(OrderedClasses { split, model })
    }
}

impl Problem for OrderedClasses {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        self.split.about("digits in their order")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [self.split.train.classes(), self.split.train.classes() - 1]
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let logits = self.model.forward_in(tape.constant(examples.inputs()), mode);
        let labels = tape.constant(examples.targets());
        Ok(vec![Box::new(move |i, sample| match sample.name {
            "labels" => Some(labels),
            _ if i == 0 => sample.domain.of_scores(logits),
            _ => None,
        })])
    }

    fn metric(&self) -> &'static str {
        "test_accuracy"
    }

    /// A digit is as many as there are borders that it is above.
    fn score(&self, _: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let logits = self.model.forward(tape.constant(self.split.test.inputs())).value()?.to_f64s();
        let predicted = logits.chunks(self.split.test.classes() - 1);
        let predicted = predicted.map(|row| row.iter().filter(|logit| **logit > 0.0).count());
        let right = predicted.zip(self.split.test.labels()).filter(|(a, b)| a == *b).count();
        Ok(right as f64 / self.split.test.len() as f64)
    }
}
