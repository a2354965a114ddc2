//! Scores of classes.

use std::path::Path;

use lossgraph_autograd::{Module, Tape};
use lossgraph_data::Dataset;
use lossgraph_losses::Loss;
use lossgraph_nn::parallel::DataParallel;
use lossgraph_nn::{Activation, ConfusionMatrix, Layer, Mlp, accuracy};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Defaults, Figures, Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

/// A net that gives a score for each class, or features from which a loss makes them.
pub struct Classes {
    what: String,
    split: Split,
    /// What the classes are called.
    names: Vec<String>,
    model: Box<dyn Layer>,
    outputs: usize,
}

impl Classes {
    /// Examples of classes, and a net that gives so many numbers for each.
    pub fn new(
        what: &str,
        split: Split,
        names: &[String],
        model: Box<dyn Layer>,
        outputs: usize,
    ) -> Classes {
        Classes { what: what.to_owned(), split, names: names.to_vec(), model, outputs }
    }

    /// The digits, and a small net; it gives features to a loss that learns the last layer.
    pub fn of_loss(loss: &'static Loss, seed: u64) -> Result<Classes> {
        let split = Split::digits()?;
        let learns = loss.inputs.iter().any(|sample| sample.learned.is_some());
        let outputs = if learns { 24 } else { split.train.classes() };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Mlp::with(&[64, 48, outputs], Activation::Relu, None, &mut rng)?;
        let names: Vec<String> =
            (0..split.train.classes()).map(|class| class.to_string()).collect();
        Ok(Classes::new("digits", split, &names, Box::new(model), outputs))
    }

    /// What the net makes of all examples of a part.
    fn outputs_of(&self, inputs: &Tensor) -> Result<Tensor> {
        let tape = Tape::new();
        Ok(self.model.forward(tape.constant(inputs)).value()?)
    }

    /// Scores of the test part: those of the net, or what the loss of each class is below 0.
    fn scores(&self, objective: &Objective) -> Result<Tensor> {
        let classes = self.split.test.classes();
        if self.outputs == classes {
            return self.outputs_of(self.split.test.inputs());
        }
        let features = self.outputs_of(self.split.test.inputs())?;
        let count = self.split.test.len();
        let mut scores = vec![0.0; count * classes];
        for class in 0..classes {
            let tape = Tape::new();
            let labels = tape.labels(&vec![class; count][..]);
            let features = tape.constant(&features);
            let terms = objective.terms(&tape, &operands(features, labels, classes))?;
            for (row, term) in terms.unreduced().value()?.to_f64s().into_iter().enumerate() {
                scores[row * classes + class] = -term;
            }
        }
        Ok(Tensor::new([count, classes], scores)?)
    }
}

/// The net's numbers are the first input of the loss, and the classes are its target.
fn operands<'t>(
    outputs: lossgraph_autograd::Var<'t>,
    labels: lossgraph_autograd::Var<'t>,
    classes: usize,
) -> Operands<'t> {
    Box::new(move |i, sample| match sample.name {
        "labels" => Some(labels),
        "target" => sample.domain.of_labels(labels, classes),
        _ if i == 0 => sample.domain.of_scores(outputs),
        _ => None,
    })
}

impl Problem for Classes {
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
        [self.split.train.classes(), self.outputs]
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 60, batch: 32, lr: 3e-3 }
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let outputs = self.model.forward_in(tape.constant(examples.inputs()), mode);
        let labels = tape.constant(examples.targets());
        Ok(vec![operands(outputs, labels, examples.classes())])
    }

    fn metric(&self) -> &'static str {
        "test_accuracy"
    }

    fn score(&self, objective: &Objective) -> Result<f64> {
        Ok(accuracy(&self.scores(objective)?, self.split.test.labels())?)
    }

    fn outputs(&self, objective: &Objective) -> Result<Tensor> {
        self.scores(objective)
    }

    fn figures(&self, objective: &Objective, parallel: &DataParallel<'_>) -> Result<Figures> {
        if self.outputs != self.split.train.classes() {
            let score = self.score(objective)?;
            return Ok(Figures { score, text: format!("test {:6.2} %", 100.0 * score) });
        }
        // Each example is counted by the process that has it.
        let share = |part: &Dataset| -> Result<[f64; 2]> {
            let [right] = parallel.sum(part.len(), |shard| {
                let tape = Tape::new();
                let inputs = tape.constant(shard.of(part.inputs())?);
                let labels = &part.labels()[shard.rows()];
                let scores = self.model.forward(inputs).value()?;
                Ok([(accuracy(&scores, labels)? * labels.len() as f64).round()])
            })?;
            Ok([right / part.len() as f64, 100.0 * right / part.len() as f64])
        };
        let ([_, train], [score, test]) = (share(&self.split.train)?, share(&self.split.test)?);
        Ok(Figures { score, text: format!("train {train:6.2} %  test {test:6.2} %") })
    }

    fn conclusion(&self, score: f64, _: &Path) -> Result<String> {
        let matrix = match self.outputs == self.split.test.classes() {
            true => {
                let scores = self.outputs_of(self.split.test.inputs())?;
                let matrix = ConfusionMatrix::new(&scores, self.split.test.labels())?;
                matrix.with_names(&self.names).to_string()
            }
            false => String::new(),
        };
        Ok(format!("\n{matrix}\ntest accuracy {:.2} %\n", 100.0 * score))
    }
}
