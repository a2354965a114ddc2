//! Classes in an order: the digits, of which 3 is nearer to 4 than to 9.

use lossgraph_autograd::{Module, Tape};
use lossgraph_data::{Dataset, digits};
use lossgraph_nn::{Activation, Layer, Mlp, Mode};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::classes::{SPLIT_SEED, TEST_SHARE};
use super::{Operands, Part, Problem};
use crate::train::Result;
use crate::train::objective::Objective;

/// A net that gives a logit for each border between two digits.
pub struct OrderedClasses {
    train: Dataset,
    test: Dataset,
    model: Mlp,
}

impl OrderedClasses {
    pub fn new(seed: u64) -> Result<OrderedClasses> {
        let (train, test) = digits()?.split(TEST_SHARE, SPLIT_SEED)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let borders = train.classes() - 1;
        let model = Mlp::with(&[64, 48, borders], Activation::Relu, None, &mut rng)?;
        Ok(OrderedClasses { train, test, model })
    }
}

impl Problem for OrderedClasses {
    fn about(&self) -> String {
        let (train, test) = (self.train.len(), self.test.len());
        format!("{train} digits in their order to train on, {test} to test with")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn examples(&self) -> usize {
        self.train.len()
    }

    fn sizes(&self) -> [usize; 2] {
        [self.train.classes(), self.train.classes() - 1]
    }

    fn operands<'t>(
        &self,
        tape: &'t Tape,
        part: Part,
        indices: &[usize],
        mode: Mode,
    ) -> Result<Vec<Operands<'t>>> {
        let examples = part.of(&self.train, &self.test).select(indices)?;
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
        let logits = self.model.forward(tape.constant(self.test.inputs())).value()?.to_f64s();
        let predicted = logits.chunks(self.test.classes() - 1);
        let predicted = predicted.map(|row| row.iter().filter(|logit| **logit > 0.0).count());
        let right = predicted.zip(self.test.labels()).filter(|(a, b)| a == *b).count();
        Ok(right as f64 / self.test.len() as f64)
    }
}
