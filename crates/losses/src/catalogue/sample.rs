//! Sample inputs of losses, for checks and pictures.

use std::fmt;

use lossgraph_tensor::{DType, Shape, Tensor};

use super::task::Sizes;

/// An input of a loss, as the catalogue's samples have it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The name of the input.
    pub name: &'static str,
    /// What it does, in a few words, if it is an option.
    pub about: &'static str,
    /// Its shape.
    pub shape: &'static [usize],
    /// What it holds.
    pub domain: Domain,
    /// Whether it is an option: given where a setting names it.
    pub optional: bool,
    /// Whether no gradient flows through it, or through some of its uses, on purpose.
    pub detached: bool,
    /// Whether, of one that is detached, that is so of some uses alone: a gradient flows through the
    /// others, which is no derivative of the value.
    pub partly: bool,
    /// Whether an element that is −∞ is padding: in no term, and of slope 0.
    pub padded: bool,
    /// Where an element of it stays in a picture, if not where its domain suggests.
    pub still: Option<f64>,
    /// From where to where it moves in a picture, if not as far as its domain goes.
    pub range: Option<(f64, f64)>,
    /// Of which shape it is in a training, if it is learned with the model.
    pub learned: Option<fn(&Sizes<'_>) -> Vec<usize>>,
}

/// What the numbers of an input are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// Any float, drawn from an interval.
    Between(f64, f64),
    /// Scores of any size, drawn from −3 to 3; a loss of them is finite at ±100, too.
    Logits,
    /// Log-probabilities along the last axis.
    LogProbabilities,
    /// Probabilities along the last axis.
    Probabilities,
    /// Class numbers below a bound.
    Labels(usize),
    /// −1 or 1.
    Signs,
    /// 0 or 1.
    Bits,
    /// These floats, whatever the seed.
    Floats(&'static [f64]),
    /// These integers, whatever the seed.
    Integers(&'static [i64]),
}

impl Domain {
    /// Whether the numbers can move a little, so that there is a derivative in them.
    pub fn is_continuous(self) -> bool {
        !matches!(self, Domain::Labels(_) | Domain::Signs | Domain::Bits | Domain::Integers(_))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Between(low, high) => write!(f, "floats, such as those from {low} to {high}"),
            Domain::Logits => f.write_str("scores of any size"),
            Domain::LogProbabilities => f.write_str("log-probabilities along the last axis"),
            Domain::Probabilities => f.write_str("probabilities along the last axis"),
            Domain::Labels(classes) => write!(f, "class numbers below {classes}"),
            Domain::Signs => f.write_str("signs, −1 or 1"),
            Domain::Bits => f.write_str("0 or 1"),
            Domain::Floats(_) => f.write_str("floats"),
            Domain::Integers(_) => f.write_str("integers"),
        }
    }
}

/// An input as plain numbers, row by row.
#[derive(Clone, Debug)]
pub struct Plain {
    /// The name of the input.
    pub name: &'static str,
    /// The shape.
    pub shape: Vec<usize>,
    /// The numbers; labels too.
    pub numbers: Vec<f64>,
}

impl Sample {
    /// This input with the number at which an element of it stays in a picture, since more can be
    /// seen there: how negatives count, where a margin ends, errors that are not divided by 0.
    pub(crate) const fn pictured_at(self, still: f64) -> Sample {
        Sample { still: Some(still), ..self }
    }

    /// This input with the range over which it moves in a picture: a logarithm of a rate may be
    /// negative, though its sample is not.
    pub(crate) const fn pictured_over(self, low: f64, high: f64) -> Sample {
        Sample { range: Some((low, high)), ..self }
    }

    /// This input as one that is learned with the model, of the shape that a function gives.
    pub(crate) const fn learned(self, shape: fn(&Sizes<'_>) -> Vec<usize>) -> Sample {
        Sample { learned: Some(shape), ..self }
    }

    /// This input, which is detached, as one that a gradient flows into all the same.
    pub(crate) const fn partly(self) -> Sample {
        Sample { partly: true, ..self }
    }

    /// This input as one of which −∞ is padding.
    pub(crate) const fn padded(self) -> Sample {
        Sample { padded: true, ..self }
    }

    /// Whether a loss has a gradient in this input, which is the derivative of its value.
    pub fn is_differentiable(&self) -> bool {
        self.domain.is_continuous() && !self.detached
    }

    /// Whether a gradient flows into this input.
    pub fn has_gradient(&self) -> bool {
        self.domain.is_continuous() && (!self.detached || self.partly)
    }

    /// A tensor as plain numbers of this input.
    pub fn plain(&self, tensor: &Tensor) -> Plain {
        Plain { name: self.name, shape: tensor.shape().to_vec(), numbers: tensor.to_f64s() }
    }

    /// Numbers for this input: a pure function of the seed.
    pub fn draw(&self, seed: u64) -> Tensor {
        let len = Shape::from(self.shape).numel();
        let name: u64 = self.name.bytes().map(u64::from).sum();
        // SplitMix64, so that samples need no generator of their own.
        let unit = |i: usize| {
            let mut x = seed
                .wrapping_mul(0x1000)
                .wrapping_add(name * 0x100_0000 + i as u64 + 1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((x ^ x >> 31) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let drawn = |scale: f64, shift: f64| (0..len).map(|i| unit(i) * scale + shift).collect();
        let classes = self.shape.last().copied().unwrap_or(1);
        let softmax = || -> Vec<f64> {
            let z: Vec<f64> = drawn(4.0, -2.0);
            z.chunks(classes.max(1))
                .flat_map(|row| {
                    let sum: f64 = row.iter().map(|z| z.exp()).sum();
                    row.iter().map(move |z| z.exp() / sum)
                })
                .collect()
        };
        let numbers = match self.domain {
            Domain::Between(low, high) => drawn(high - low, low),
            Domain::Logits => drawn(6.0, -3.0),
            Domain::Probabilities => softmax(),
            Domain::LogProbabilities => softmax().into_iter().map(f64::ln).collect(),
            Domain::Labels(classes) => {
                drawn(classes as f64, 0.0).into_iter().map(f64::floor).collect()
            }
            Domain::Signs => drawn(2.0, -1.0).into_iter().map(f64::signum).collect(),
            Domain::Bits => drawn(2.0, 0.0).into_iter().map(f64::floor).collect(),
            Domain::Floats(numbers) => numbers.to_vec(),
            Domain::Integers(numbers) => numbers.iter().map(|&number| number as f64).collect(),
        };
        let tensor = Tensor::new(self.shape, numbers).unwrap_or_else(|_| Tensor::from(0.0));
        match self.domain {
            Domain::Labels(_) | Domain::Integers(_) => tensor.to_dtype(DType::I64),
            _ => tensor,
        }
    }
}
