//! Numbers: how heavy a penguin is, or a column of a table.

use lossgraph_autograd::{Module, Tape, Var};
use lossgraph_data::{Columns, TableEncoder, Target, penguins};
use lossgraph_losses::Domain;
use lossgraph_nn::{Activation, Layer, Mlp};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Defaults, Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

/// A net that gives a number, and how far it may be off.
///
/// What the net gives is standardized; a loss sees it in the unit of the target.
pub struct Numbers {
    what: String,
    split: Split,
    model: Box<dyn Layer>,
    mean: f64,
    deviation: f64,
}

impl Numbers {
    /// Examples with standardized targets `[examples, 1]`, and a net that gives two numbers.
    pub fn new(
        what: &str,
        split: Split,
        model: Box<dyn Layer>,
        [mean, deviation]: [f64; 2],
    ) -> Numbers {
        Numbers { what: what.to_owned(), split, model, mean, deviation }
    }

    /// The body mass of penguins, in tens of kilograms: between 0 and 1, as some losses demand.
    pub fn penguins(seed: u64) -> Result<Numbers> {
        let table = penguins()?;
        let encoder = TableEncoder::fit(&table, &Columns::target("body_mass_g"))?;
        let data = encoder.examples(&table)?;
        let [mean, deviation] = match encoder.target {
            Target::Number { mean, deviation, .. } => [mean / 1e4, deviation / 1e4],
            Target::Class { .. } => [0.0, 1.0],
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Mlp::with(&[encoder.inputs_len(), 16, 2], Activation::Relu, None, &mut rng)?;
        let split = Split::of_all(&data)?;
        Ok(Numbers::new("penguins", split, Box::new(model), [mean, deviation]))
    }

    fn in_unit<'t>(&self, standardized: Var<'t>) -> Var<'t> {
        standardized * self.deviation + self.mean
    }
}

impl Problem for Numbers {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        self.split.about(&self.what)
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [0, 2]
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 60, batch: 32, lr: 1e-2 }
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let outputs = self.model.forward_in(tape.constant(examples.inputs()), mode);
        let prediction = self.in_unit(outputs.narrow(1, 0, 1));
        let spread = outputs.narrow(1, 1, 1).softplus() * self.deviation;
        // Data, so that a loss refuses what it does not take.
        let unit = |target: f64| target * self.deviation + self.mean;
        let target = tape.constant(examples.targets().map(unit));
        let model = self.model.parameters();
        let weights = model.first().map(|(_, weight)| tape.parameter(weight));
        Ok(vec![Box::new(move |_, sample| match sample.name {
            "prediction" => match sample.domain {
                Domain::Between(low, _) if low > 0.0 => Some(prediction.clamp_min(1e-3)),
                _ => Some(prediction),
            },
            "target" => Some(target),
            "var" => Some(spread.square()),
            "weights" => weights,
            _ => None,
        })])
    }

    fn metric(&self) -> &'static str {
        "test_r2"
    }

    fn outputs(&self, _: &Objective) -> Result<Tensor> {
        let tape = Tape::new();
        Ok(self.model.forward(tape.constant(self.split.test.inputs())).value()?)
    }

    /// The part of the variance that is explained, R².
    fn score(&self, objective: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let operands = self.operands(&tape, &self.split.test_step())?;
        let value = |name: &str| -> Result<Option<Tensor>> {
            let sample =
                objective.loss().inputs.iter().enumerate().find(|(_, each)| each.name == name);
            let var = sample.and_then(|(i, sample)| operands[0](i, sample));
            Ok(var.map(|var| var.value()).transpose()?)
        };
        let (prediction, target) = match (value("prediction")?, value("target")?) {
            (Some(prediction), Some(target)) => (prediction.to_f64s(), target.to_f64s()),
            // A penalty sees neither.
            _ => {
                let outputs =
                    self.model.forward(tape.constant(self.split.test.inputs())).value()?;
                let first = outputs.to_f64s().into_iter().step_by(2);
                (first.collect(), self.split.test.targets().to_f64s())
            }
        };
        let mean = target.iter().sum::<f64>() / target.len() as f64;
        let total: f64 = target.iter().map(|t| (t - mean) * (t - mean)).sum();
        let left: f64 = prediction.iter().zip(&target).map(|(p, t)| (p - t) * (p - t)).sum();
        Ok(1.0 - left / total)
    }
}
