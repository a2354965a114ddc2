//! Masks: which pixels of a canvas are a disc, and which a square.

use lossgraph_autograd::{Conv, Module, Padding, Tape};
use lossgraph_losses::Domain;
use lossgraph_nn::{Activation, Conv2d, Layer, Sequential};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::canvas::{CLASSES, Canvas, SIDE};
use super::{Answers, Defaults, Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

/// A net of convolutions that gives a logit for each class and pixel.
pub struct Masks {
    split: Split,
    model: Sequential,
}

impl Masks {
    pub fn new(seed: u64) -> Result<Masks> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let same = Conv { padding: Padding::Same, ..Conv::default() };
        let mut layer = |inputs, outputs| Conv2d::with(inputs, outputs, [5, 5], same, &mut rng);
        let model = Sequential::new()
            .then(layer(1, 8)?)
            .then(Activation::Relu)
            .then(layer(8, 8)?)
            .then(Activation::Relu)
            .then(layer(8, CLASSES)?);
        let split = Split { train: Canvas::masks(256, 1)?, test: Canvas::masks(64, 2)? };
        Ok(Masks { split, model })
    }
}

/// 1 where a pixel `[batch, height, width]` is of a class: integers `[batch, class, height, width]`.
fn one_hot(labels: &Tensor) -> Result<Tensor> {
    let (count, pixels) = (labels.shape()[0], SIDE * SIDE);
    let labels = labels.to_vec::<i64>()?;
    let of = |picture: &[i64]| {
        let is = |class: usize| picture.iter().map(move |&label| i64::from(label == class as i64));
        (0..CLASSES).flat_map(is).collect::<Vec<i64>>()
    };
    let masks = labels.chunks(pixels).flat_map(of).collect::<Vec<i64>>();
    Ok(Tensor::new([count, CLASSES, SIDE, SIDE], masks)?)
}

impl Problem for Masks {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        self.split.about("canvases with a shape")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [CLASSES; 2]
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 32, batch: 16, lr: 1e-2 }
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let logits = self.model.forward_in(tape.constant(examples.inputs()), mode);
        let labels = tape.constant(examples.targets());
        let masks = tape.constant(one_hot(examples.targets())?);
        Ok(vec![Box::new(move |i, sample| match (sample.name, sample.domain) {
            _ if i == 0 => sample.domain.of_scores(logits),
            ("labels", _) => Some(labels),
            ("target", Domain::Labels(_)) => Some(masks),
            ("target", _) => Some(masks.to_float()),
            _ => None,
        })])
    }

    fn takes(&self) -> Option<[usize; 3]> {
        Some([1, SIDE, SIDE])
    }

    /// The class of each pixel, row by row.
    fn answers(&self, pictures: &Tensor) -> Result<Answers> {
        let tape = Tape::new();
        let classes = self.model.forward(tape.constant(pictures)).argmax(1).value()?;
        let pixel = |at: usize| format!("y{}x{}", at / SIDE, at % SIDE);
        let header = (0..SIDE * SIDE).map(pixel).collect::<Vec<_>>().join(",");
        Ok(Answers::rows(header, &classes, SIDE * SIDE))
    }

    fn metric(&self) -> &'static str {
        "test_iou"
    }

    /// The mean over the classes of what is right of all pixels that are, or are called, of the class.
    fn score(&self, _: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let logits = self.model.forward(tape.constant(self.split.test.inputs()));
        let predicted = logits.argmax(1).value()?.to_f64s();
        let labels = self.split.test.targets().to_f64s();
        let of_class = |class: usize| {
            let is = |x: f64| x == class as f64;
            let pairs = || predicted.iter().zip(&labels);
            let both = pairs().filter(|(p, t)| is(**p) && is(**t)).count();
            let either = pairs().filter(|(p, t)| is(**p) || is(**t)).count();
            both as f64 / either.max(1) as f64
        };
        Ok((0..CLASSES).map(of_class).sum::<f64>() / CLASSES as f64)
    }
}
