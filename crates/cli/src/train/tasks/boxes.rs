//! Boxes: where the shape on a canvas is.

use lossgraph_autograd::{Module, Tape, Var, concat};
use lossgraph_nn::{Activation, Layer, Mlp, Mode};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::canvas::{Canvas, SIDE};
use super::{Answers, Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

/// A net that gives center and size of a box.
pub struct Boxes {
    split: Split,
    model: Mlp,
}

impl Boxes {
    pub fn new(seed: u64) -> Result<Boxes> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Mlp::with(&[SIDE * SIDE, 64, 4], Activation::Relu, None, &mut rng)?;
        let split = Split { train: Canvas::located(512, 1)?, test: Canvas::located(128, 2)? };
        Ok(Boxes { split, model })
    }

    /// `[x1, y1, x2, y2]`, from center and size.
    fn predict<'t>(&self, pictures: Var<'t>, mode: Mode) -> Var<'t> {
        let parts = self.model.forward_in(pictures, mode).sigmoid();
        let (center, half) = (parts.narrow(1, 0, 2), parts.narrow(1, 2, 2) / 2.0);
        concat(&[center - half, center + half], 1)
    }
}

impl Problem for Boxes {
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
        [0, 4]
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let prediction = self.predict(tape.constant(examples.inputs()), mode);
        let target = tape.constant(examples.targets());
        Ok(vec![Box::new(move |_, sample| match sample.name {
            "prediction" => Some(prediction),
            "target" => Some(target),
            _ => None,
        })])
    }

    fn takes(&self) -> Option<[usize; 3]> {
        Some([1, SIDE, SIDE])
    }

    /// The box of each picture, from 0 to 1 of its width and height.
    fn answers(&self, pictures: &Tensor) -> Result<Answers> {
        let rows = pictures.reshape([pictures.shape()[0], SIDE * SIDE])?;
        let tape = Tape::new();
        let boxes = self.predict(tape.constant(rows), Mode::Evaluate).value()?;
        Ok(Answers::rows("x1,y1,x2,y2".to_owned(), &boxes, 4))
    }

    fn metric(&self) -> &'static str {
        "test_iou"
    }

    /// The mean of what both boxes cover of what either does.
    fn score(&self, _: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let predicted =
            self.predict(tape.constant(self.split.test.inputs()), Mode::Evaluate).value()?;
        let (predicted, target) = (predicted.to_f64s(), self.split.test.targets().to_f64s());
        let area = |x: [f64; 4]| (x[2] - x[0]).max(0.0) * (x[3] - x[1]).max(0.0);
        let of = |(p, t): (&[f64; 4], &[f64; 4])| {
            let both = area([p[0].max(t[0]), p[1].max(t[1]), p[2].min(t[2]), p[3].min(t[3])]);
            both / (area(*p) + area(*t) - both).max(f64::MIN_POSITIVE)
        };
        let (predicted, target) = (predicted.as_chunks().0, target.as_chunks().0);
        Ok(predicted.iter().zip(target).map(of).sum::<f64>() / self.split.test.len() as f64)
    }
}
