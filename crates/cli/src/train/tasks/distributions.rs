//! Distributions: a small student learns what a larger teacher says of the digits.

use lossgraph_autograd::{Module, Tape};
use lossgraph_data::Dataset;
use lossgraph_losses::{Domain, Loss, Task};
use lossgraph_nn::{Activation, AdamW, Layer, Mlp, UpdateRule, accuracy};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

/// How soft the teacher's distribution is.
const TEMPERATURE: f64 = 2.0;
const TEACHER_EPOCHS: u64 = 8;

/// A student, and what a teacher says: logits for all examples.
pub struct Distributions {
    split: Split,
    logits: [Tensor; 2],
    student: Mlp,
}

impl Distributions {
    pub fn new(_: &'static Loss, seed: u64) -> Result<Distributions> {
        let split = Split::digits()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let teacher = Mlp::new(&[64, 96, 10], &mut rng)?;
        teach(&teacher, &split.train, seed)?;
        let says = |part: &Dataset| -> Result<Tensor> {
            let tape = Tape::new();
            Ok(teacher.forward(tape.constant(part.inputs())).value()?)
        };
        let logits = [says(&split.train)?, says(&split.test)?];
        let student = Mlp::with(&[64, 16, 10], Activation::Relu, None, &mut rng)?;
        Ok(Distributions { split, logits, student })
    }
}

/// Trains the teacher with the loss that classes are trained with by default.
fn teach(teacher: &Mlp, train: &Dataset, seed: u64) -> Result<()> {
    let Some((loss, fit)) = Task::Classes.default_loss() else {
        return Err("no loss trains classes by default".into());
    };
    let objective = Objective::new(loss, fit, "", [10, 10], seed)?;
    let mut optimizer = AdamW { lr: 3e-3, ..AdamW::default() }.over(teacher)?;
    for epoch in 0..TEACHER_EPOCHS {
        for batch in train.batches(32, seed, epoch)? {
            let tape = Tape::new();
            let scores = teacher.forward_train(tape.constant(&batch.inputs));
            let labels = tape.constant(&batch.labels);
            let operands: Operands<'_> = Box::new(move |i, sample| match i {
                0 => sample.domain.of_scores(scores),
                _ => sample.domain.of_labels(labels, 10),
            });
            optimizer.step(&objective.value(&tape, &[operands])?.backward()?)?;
        }
    }
    Ok(())
}

impl Problem for Distributions {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        let (train, test) = (self.split.train.len(), self.split.test.len());
        format!("{train} digits to learn from a teacher on, {test} to test with")
    }

    fn model(&self) -> &dyn Module {
        &self.student
    }

    fn sizes(&self) -> [usize; 2] {
        [10, 10]
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let logits = &self.logits[step.part as usize];
        let told = Dataset::pairs(logits, logits)?.select(&step.indices)?;
        let scores = self.student.forward_in(tape.constant(examples.inputs()), mode);
        let labels = tape.constant(examples.targets());
        let teacher = tape.constant(told.inputs());
        Ok(vec![Box::new(move |i, sample| match (sample.name, sample.domain) {
            _ if i == 0 => sample.domain.of_scores(scores),
            ("labels", _) => Some(labels),
            (_, Domain::Logits) => Some(teacher),
            (_, Domain::LogProbabilities) => Some((teacher / TEMPERATURE).log_softmax(-1)),
            (_, Domain::Probabilities) => Some((teacher / TEMPERATURE).softmax(-1)),
            _ => None,
        })])
    }

    fn metric(&self) -> &'static str {
        "test_agreement"
    }

    /// The share of digits that the student calls what the teacher does.
    fn score(&self, _: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let scores = self.student.forward(tape.constant(self.split.test.inputs())).value()?;
        let teacher = self.logits[1].to_f64s();
        let largest = |row: &[f64]| {
            (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
        };
        let told: Vec<usize> = teacher.chunks(10).map(largest).collect();
        Ok(accuracy(&scores, &told)?)
    }
}
