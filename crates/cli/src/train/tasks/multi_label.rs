//! Several classes for each example: what is true of a digit.

use lossgraph_autograd::{Module, Tape};
use lossgraph_losses::Domain;
use lossgraph_nn::{Activation, Layer, Mlp};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

/// Even, prime, above 4, written with a closed loop, written in one stroke.
const TRUE_OF: [&[usize]; 5] =
    [&[0, 2, 4, 6, 8], &[2, 3, 5, 7], &[5, 6, 7, 8, 9], &[0, 6, 8, 9], &[0, 1, 2, 3, 6, 7, 8, 9]];

/// A net that gives a score for each of some statements about a digit.
pub struct MultiLabel {
    split: Split,
    model: Mlp,
}

impl MultiLabel {
    pub fn new(seed: u64) -> Result<MultiLabel> {
        let split = Split::digits()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Mlp::with(&[64, 48, TRUE_OF.len()], Activation::Relu, None, &mut rng)?;
        Ok(MultiLabel { split, model })
    }
}

fn is_true(statement: usize, digit: usize) -> bool {
    TRUE_OF[statement].contains(&digit)
}

/// 1 where a statement is true of a digit, `[examples, statements]`.
fn bits(digits: &[usize]) -> Result<Tensor> {
    let of =
        |&digit: &usize| (0..TRUE_OF.len()).map(move |at| f32::from(u8::from(is_true(at, digit))));
    Ok(Tensor::new(
        [digits.len(), TRUE_OF.len()],
        digits.iter().flat_map(of).collect::<Vec<f32>>(),
    )?)
}

/// The statements that are true of a digit, a list that −1 fills up.
fn lists(digits: &[usize]) -> Result<Tensor> {
    let mut numbers = Vec::new();
    for &digit in digits {
        let end = numbers.len() + TRUE_OF.len();
        numbers.extend((0..TRUE_OF.len()).filter(|&at| is_true(at, digit)).map(|at| at as i64));
        numbers.resize(end, -1);
    }
    Ok(Tensor::new([digits.len(), TRUE_OF.len()], numbers)?)
}

impl Problem for MultiLabel {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        let (train, test, each) = (self.split.train.len(), self.split.test.len(), TRUE_OF.len());
        format!("{train} digits to train on, {test} to test with, {each} statements about each")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [TRUE_OF.len(); 2]
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let scores = self.model.forward_in(tape.constant(examples.inputs()), mode);
        let bits = tape.constant(bits(examples.labels())?);
        let lists = tape.constant(lists(examples.labels())?);
        let first = |digit: &usize| (0..TRUE_OF.len()).find(|&at| is_true(at, *digit)).unwrap_or(0);
        let first = tape.labels(&examples.labels().iter().map(first).collect::<Vec<usize>>());
        Ok(vec![Box::new(move |i, sample| match (sample.name, sample.domain) {
            _ if i == 0 => sample.domain.of_scores(scores),
            ("target" | "signs", Domain::Signs) => Some(bits * 2.0 - 1.0),
            ("target", _) => Some(bits),
            // One label each is not enough; a loss that is given signs does not look at it.
            ("labels", Domain::Labels(_)) => Some(first),
            ("labels", _) => Some(lists),
            _ => None,
        })])
    }

    fn metric(&self) -> &'static str {
        "test_accuracy"
    }

    /// The share of statements that are told right, by the threshold that does best for each. What a
    /// score of 0 means differs from loss to loss, and some compare scores alone.
    fn score(&self, _: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let scores = self.model.forward(tape.constant(self.split.test.inputs())).value()?.to_f64s();
        let count = self.split.test.len();
        let best = |statement: usize| {
            let score = |row: usize| scores[row * TRUE_OF.len() + statement];
            let mut ranked: Vec<usize> = (0..count).collect();
            ranked.sort_by(|&a, &b| score(a).total_cmp(&score(b)));
            let truth = |row: usize| is_true(statement, self.split.test.labels()[row]);
            let mut right = (0..count).filter(|&row| truth(row)).count();
            // The threshold moves up over one example after another.
            let each = ranked.into_iter().map(|row| {
                if truth(row) {
                    right -= 1
                } else {
                    right += 1
                }
                right
            });
            each.max().unwrap_or(0)
        };
        let right: usize = (0..TRUE_OF.len()).map(best).sum();
        Ok(right as f64 / (count * TRUE_OF.len()) as f64)
    }
}
