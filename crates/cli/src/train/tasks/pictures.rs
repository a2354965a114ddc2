//! Pictures: the noise is taken out of parts of a photograph.

use lossgraph_autograd::{Conv, Module, Padding, Tape, Var};
use lossgraph_data::{Augmentation, Dataset, camera};
use lossgraph_losses::Domain;
use lossgraph_nn::{Activation, Conv2d, Layer, Mode, Sequential};
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Defaults, Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

const SIDE: usize = 32;
const NOISE: f64 = 0.1;

/// A net of convolutions that says what to add to a noisy picture.
pub struct Pictures {
    split: Split,
    model: Sequential,
}

impl Pictures {
    pub fn new(seed: u64) -> Result<Pictures> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let same = Conv { padding: Padding::Same, ..Conv::default() };
        let mut layer = |inputs, outputs| Conv2d::with(inputs, outputs, [3, 3], same, &mut rng);
        let model = Sequential::new()
            .then(layer(1, 8)?)
            .then(Activation::Relu)
            .then(layer(8, 8)?)
            .then(Activation::Relu)
            .then(layer(8, 1)?);
        let (train, test) = tiles()?.split(0.25, 0)?;
        Ok(Pictures { split: Split { train, test }, model })
    }

    fn denoise<'t>(&self, noisy: Var<'t>, mode: Mode) -> Var<'t> {
        noisy + self.model.forward_in(noisy, mode)
    }
}

/// The photograph cut into squares, noisy and as they are.
fn tiles() -> Result<Dataset> {
    let photograph = camera()?;
    let across = photograph.shape()[2] / SIDE;
    let mut pixels: Vec<f32> = Vec::new();
    for tile in 0..across * across {
        let (row, column) = (tile / across * SIDE, tile % across * SIDE);
        let part = photograph.narrow(1, row, SIDE)?.narrow(2, column, SIDE)?;
        pixels.extend(part.to_vec::<f32>()?);
    }
    let clean = Tensor::new([across * across, 1, SIDE, SIDE], pixels)?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let noisy = Augmentation::Noise { deviation: NOISE }.apply(&clean, &mut rng)?;
    Ok(Dataset::pairs(noisy, clean)?)
}

impl Problem for Pictures {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        self.split.about("noisy parts of a photograph")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [0, 1]
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 12, batch: 16, lr: 1e-2 }
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (examples, mode) = (&step.examples, step.mode);
        let pictures = self.denoise(tape.constant(examples.inputs()), mode);
        let target = tape.constant(examples.targets());
        // Losses of rates and logarithms take no picture with a pixel of 0 or less.
        let above_0 = |domain: Domain| matches!(domain, Domain::Between(low, high) if low > 0.0 && high > 1.0);
        Ok(vec![Box::new(move |_, sample| match sample.name {
            "prediction" | "target" if above_0(sample.domain) => {
                let all = if sample.name == "target" { target } else { pictures };
                Some(all.clamp_min(1e-3))
            }
            "prediction" | "pictures" => Some(pictures),
            "target" => Some(target),
            _ => None,
        })])
    }

    fn restores(&self) -> bool {
        true
    }

    /// Channel by channel: the net knows grey pictures.
    fn restored(&self, picture: &Tensor) -> Result<Tensor> {
        let tape = Tape::new();
        let channels = tape.constant(picture).unsqueeze(1);
        Ok(self.denoise(channels, Mode::Evaluate).squeeze(1).value()?)
    }

    fn metric(&self) -> &'static str {
        "test_psnr"
    }

    /// The ratio of peak signal to noise, in decibels.
    fn score(&self, _: &Objective) -> Result<f64> {
        let tape = Tape::new();
        let pictures =
            self.denoise(tape.constant(self.split.test.inputs()), Mode::Evaluate).value()?;
        let (pictures, target) = (pictures.to_f64s(), self.split.test.targets().to_f64s());
        let squares = pictures.iter().zip(&target).map(|(p, t)| (p - t) * (p - t));
        Ok(-10.0 * (squares.sum::<f64>() / target.len() as f64).log10())
    }
}
