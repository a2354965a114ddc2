//! Scores of classes.

use std::path::Path;

use lossgraph_autograd::{Module, Tape};
use lossgraph_data::{Dataset, digits};
use lossgraph_losses::Loss;
use lossgraph_nn::parallel::DataParallel;
use lossgraph_nn::{Activation, ConfusionMatrix, Layer, Mlp, Mode, accuracy};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Defaults, Operands, Part, Problem};
use crate::train::Result;
use crate::train::objective::Objective;

/// The share of the digits that tests, and the seed that says which.
pub const TEST_SHARE: f64 = 0.2;
pub const SPLIT_SEED: u64 = 0;

/// A net that gives a score for each class, or features from which a loss makes them.
pub struct Classes {
    what: String,
    train: Dataset,
    test: Dataset,
    model: Box<dyn Layer>,
    outputs: usize,
}

impl Classes {
    /// Examples of classes, and a net that gives so many numbers for each.
    pub fn new(
        what: &str,
        (train, test): (Dataset, Dataset),
        model: Box<dyn Layer>,
        outputs: usize,
    ) -> Classes {
        Classes { what: what.to_owned(), train, test, model, outputs }
    }

    /// The digits, and a small net; it gives features to a loss that learns the last layer.
    pub fn of_loss(loss: &'static Loss, seed: u64) -> Result<Classes> {
        let parts = digits()?.split(TEST_SHARE, SPLIT_SEED)?;
        let learns = loss.inputs.iter().any(|sample| sample.learned.is_some());
        let outputs = if learns { 24 } else { parts.0.classes() };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Mlp::with(&[64, 48, outputs], Activation::Relu, None, &mut rng)?;
        Ok(Classes::new("digits", parts, Box::new(model), outputs))
    }

    fn part(&self, part: Part) -> &Dataset {
        match part {
            Part::Train => &self.train,
            Part::Test => &self.test,
        }
    }

    /// What the net makes of all examples of a part.
    fn outputs_of(&self, inputs: &Tensor) -> Result<Tensor> {
        let tape = Tape::new();
        Ok(self.model.forward(tape.constant(inputs)).value()?)
    }

    /// Scores of the test part: those of the net, or what the loss of each class is below 0.
    fn scores(&self, objective: &Objective) -> Result<Tensor> {
        let classes = self.test.classes();
        if self.outputs == classes {
            return self.outputs_of(self.test.inputs());
        }
        let features = self.outputs_of(self.test.inputs())?;
        let count = self.test.len();
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
    fn about(&self) -> String {
        let (train, test) = (self.train.len(), self.test.len());
        format!("{train} {} to train on, {test} to test with", self.what)
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn examples(&self) -> usize {
        self.train.len()
    }

    fn sizes(&self) -> [usize; 2] {
        [self.train.classes(), self.outputs]
    }

    fn labels(&self) -> &[usize] {
        self.train.labels()
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 60, batch: 32, lr: 3e-3 }
    }

    fn operands<'t>(
        &self,
        tape: &'t Tape,
        part: Part,
        indices: &[usize],
        mode: Mode,
    ) -> Result<Vec<Operands<'t>>> {
        let examples = self.part(part).select(indices)?;
        let outputs = self.model.forward_in(tape.constant(examples.inputs()), mode);
        let labels = tape.constant(examples.targets());
        Ok(vec![operands(outputs, labels, examples.classes())])
    }

    fn metric(&self) -> &'static str {
        "test_accuracy"
    }

    fn score(&self, objective: &Objective) -> Result<f64> {
        Ok(accuracy(&self.scores(objective)?, self.test.labels())?)
    }

    fn outputs(&self, objective: &Objective) -> Result<Tensor> {
        self.scores(objective)
    }

    fn figures(&self, objective: &Objective, parallel: &DataParallel<'_>) -> Result<String> {
        if self.outputs != self.train.classes() {
            return Ok(format!("test {:6.2} %", 100.0 * self.score(objective)?));
        }
        // Each example is counted by the process that has it.
        let share = |part: &Dataset| -> Result<f64> {
            let [right] = parallel.sum(part.len(), |shard| {
                let tape = Tape::new();
                let inputs = tape.constant(shard.of(part.inputs())?);
                let labels = &part.labels()[shard.rows()];
                let scores = self.model.forward(inputs).value()?;
                Ok([(accuracy(&scores, labels)? * labels.len() as f64).round()])
            })?;
            Ok(100.0 * right / part.len() as f64)
        };
        Ok(format!("train {:6.2} %  test {:6.2} %", share(&self.train)?, share(&self.test)?))
    }

    fn conclusion(&self, score: f64, _: &Path) -> Result<String> {
        let matrix = match self.outputs == self.test.classes() {
            true => {
                let scores = self.outputs_of(self.test.inputs())?;
                ConfusionMatrix::new(&scores, self.test.labels())?.to_string()
            }
            false => String::new(),
        };
        Ok(format!("\n{matrix}\ntest accuracy {:.2} %\n", 100.0 * score))
    }
}
