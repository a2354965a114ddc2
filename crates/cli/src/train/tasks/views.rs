//! Two views of the same digits, moved and with noise, which are to agree.

use std::cell::RefCell;

use lossgraph_autograd::{Module, Tape, Var};
use lossgraph_data::{Augmentation, Dataset};
use lossgraph_nn::{Activation, BatchNorm, Layer, Linear, Sequential, module};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

const FEATURES: usize = 16;
const CHANGES: [Augmentation; 2] =
    [Augmentation::Shift { pixels: 1 }, Augmentation::Noise { deviation: 0.1 }];

/// A net that gives a point for each view, and one that predicts the point of the other view.
struct Twins {
    projection: Sequential,
    predictor: Sequential,
}

module!(Twins { projection, predictor });

pub struct Views {
    split: Split,
    model: Twins,
    /// Two views of every digit of the training part, drawn anew in each epoch, and of the other.
    views: RefCell<[[Tensor; 2]; 2]>,
}

impl Views {
    pub fn new(seed: u64) -> Result<Views> {
        let split = Split::digits()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut linear = |inputs, outputs| Linear::new(inputs, outputs, &mut rng);
        let mut net = |[inputs, hidden, outputs]: [usize; 3]| -> Result<Sequential> {
            let (first, last) = (linear(inputs, hidden)?, linear(hidden, outputs)?);
            let net = Sequential::new().then(first).then(BatchNorm::new(hidden)?);
            Ok(net.then(Activation::Relu).then(last))
        };
        // Normalized over the batch, as the nets of these losses are: points that are all the same
        // would have no direction.
        let projection = net([64, 64, FEATURES])?.then(BatchNorm::new(FEATURES)?);
        let model = Twins { projection, predictor: net([FEATURES, 32, FEATURES])? };
        let views = RefCell::new([two_views(&split.train, 0, 0)?, two_views(&split.test, 0, 0)?]);
        Ok(Views { split, model, views })
    }
}

fn two_views(data: &Dataset, seed: u64, epoch: u64) -> Result<[Tensor; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch + 1);
    let pictures = data.inputs().reshape([data.len(), 1, 8, 8])?;
    let mut view = || -> Result<Tensor> {
        let mut changed = pictures.clone();
        for change in CHANGES {
            changed = change.apply(&changed, &mut rng)?;
        }
        Ok(changed.reshape([data.len(), 64])?)
    };
    Ok([view()?, view()?])
}

impl Problem for Views {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        let (train, test) = (self.split.train.len(), self.split.test.len());
        format!("two views of each of {train} digits to train on, and of {test} to test with")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [0, FEATURES]
    }

    fn begin(&self, seed: u64, epoch: u64) -> Result<()> {
        self.views.borrow_mut()[0] = two_views(&self.split.train, seed, epoch)?;
        Ok(())
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let mode = step.mode;
        let [first, second] = &self.views.borrow()[step.part as usize];
        let views = Dataset::pairs(first, second)?.select(&step.indices)?;
        let project = |view: &Tensor| self.model.projection.forward_in(tape.constant(view), mode);
        let z: [Var<'t>; 2] = [project(views.inputs()), project(views.targets())];
        // Recorded for losses that ask for it alone.
        let predictor = self.model.predictor.clone();
        Ok(vec![Box::new(move |_, sample| match sample.name {
            "z1" | "query" => Some(z[0]),
            "z2" | "positive" => Some(z[1]),
            "prediction" | "p1" => Some(predictor.forward_in(z[0], mode)),
            "p2" => Some(predictor.forward_in(z[1], mode)),
            // What is predicted stands still, or all points would become one.
            "target" => Some(z[1].detach()),
            _ => None,
        })])
    }

    fn metric(&self) -> &'static str {
        "test_agreement"
    }

    /// The mean cosine of the points of two views of a digit, less that of views of different digits.
    fn score(&self, _: &Objective) -> Result<f64> {
        let points = |view: &Tensor| -> Result<Vec<f64>> {
            let tape = Tape::new();
            let points = self.model.projection.forward(tape.constant(view)).value()?.to_f64s();
            let unit = |row: &[f64]| {
                let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.iter().map(|x| x / length.max(f64::MIN_POSITIVE)).collect::<Vec<f64>>()
            };
            Ok(points.chunks(FEATURES).flat_map(unit).collect())
        };
        let [_, [first, second]] = &*self.views.borrow();
        let [first, second] = [points(first)?, points(second)?];
        let count = self.split.test.len() as f64;
        let own: f64 = first.iter().zip(&second).map(|(a, b)| a * b).sum();
        // The cosines of all pairs are the product of both sums.
        let sum = |all: &[f64], at: usize| all.iter().skip(at).step_by(FEATURES).sum::<f64>();
        let all: f64 = (0..FEATURES).map(|at| sum(&first, at) * sum(&second, at)).sum();
        Ok(own / count - (all - own) / (count * (count - 1.0)))
    }
}
