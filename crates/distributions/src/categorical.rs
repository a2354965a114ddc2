//! The categorical distribution.

use lossgraph_autograd::{Fault, Operand, Result, Tape, Var};
use lossgraph_tensor::{DType, Shape, Tensor, keep};
use rand::{Rng, RngExt};
use rand_distr::StandardUniform;

use crate::parameters::{broadcast, epsilon};
use crate::sampling::{joined, refused, tensor};
use crate::{Distribution, Entropy};

/// The categorical distribution: a class number, of the probabilities along the last axis.
///
/// ```text
/// log_prob = logit[value]                       logit = ln p, normalized
/// entropy  = −Σ p logit
/// ```
///
/// Values are integers, and the samples are. As in PyTorch, a probability is held within `[ε, 1 − ε]`
/// where its logarithm is taken, mean and variance are NaN, and what is given is normalized.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_distributions::{Categorical, Distribution};
/// let tape = Tape::f64();
/// let die = Categorical::new(tape.constant([1.0, 1.0, 2.0]));
/// let log_prob = die.log_prob(tape.labels(&[0, 2, 3])).value()?.to_f64s();
/// assert_eq!(log_prob, [0.25_f64.ln(), 0.5_f64.ln(), f64::NEG_INFINITY]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Parameters without an axis, a probability below 0; values that are floats.
#[derive(Clone, Copy, Debug)]
pub struct Categorical<'t> {
    given: Given<'t>,
}

#[derive(Clone, Copy, Debug)]
enum Given<'t> {
    /// Normalized.
    Probs(Var<'t>),
    /// Normalized.
    Logits(Var<'t>),
}

impl<'t> Categorical<'t> {
    /// The distribution of probabilities, or of numbers that are in proportion to them: `[…, class]`.
    #[track_caller]
    pub fn new(probs: Var<'t>) -> Categorical<'t> {
        let probs = along_classes("probs", probs);
        let negative = probs.data().and_then(|data| data.find(|p| p < 0.0));
        if let Some(p) = negative {
            let why = format!("a probability is {p}, expected 0 or more");
            let fault = Fault::new("Categorical", why).operand("probs", probs);
            let fault = fault.cure("Categorical::from_logits, of logarithms of probabilities");
            return Categorical { given: Given::Probs(probs.tape().fault(fault)) };
        }
        let sum = if probs.is_faulty() { probs } else { probs.sum(keep(-1)) };
        Categorical { given: Given::Probs(probs / sum) }
    }

    /// The distribution of logarithms of probabilities, up to a number that is added to all:
    /// `[…, class]`.
    #[track_caller]
    pub fn from_logits(logits: Var<'t>) -> Categorical<'t> {
        let logits = along_classes("logits", logits);
        let normalized = if logits.is_faulty() { logits } else { logits.log_softmax(-1) };
        Categorical { given: Given::Logits(normalized) }
    }

    /// The probability of each class.
    #[track_caller]
    pub fn probs(&self) -> Var<'t> {
        match self.given {
            Given::Probs(probs) => probs,
            Given::Logits(logits) => logits.softmax(-1),
        }
    }

    /// The logarithm of the probability of each class.
    #[track_caller]
    pub fn logits(&self) -> Var<'t> {
        match self.given {
            Given::Probs(probs) => probs.clamp(epsilon(probs), 1.0 - epsilon(probs)).ln(),
            Given::Logits(logits) => logits,
        }
    }

    fn parameter(&self) -> Var<'t> {
        match self.given {
            Given::Probs(parameter) | Given::Logits(parameter) => parameter,
        }
    }

    /// NaN for each distribution: a class number has no size.
    #[track_caller]
    fn nameless(&self) -> Var<'t> {
        match self.parameter() {
            faulty if faulty.is_faulty() => faulty,
            parameter => parameter.tape().fill(self.batch_shape(), f64::NAN),
        }
    }
}

/// Parameters with an axis of classes.
#[track_caller]
fn along_classes<'t>(name: &str, parameter: Var<'t>) -> Var<'t> {
    let [parameter] = broadcast("Categorical", [(name, parameter)]);
    if parameter.is_faulty() || parameter.rank() > 0 {
        return parameter;
    }
    let fault = Fault::new("Categorical", "the last axis counts the classes, and there is none");
    parameter.tape().fault(fault.operand(name, parameter))
}

impl<'t> Distribution<'t> for Categorical<'t> {
    fn tape(&self) -> &'t Tape {
        self.parameter().tape()
    }

    fn batch_shape(&self) -> Shape {
        let shape = self.parameter().shape();
        shape[..shape.rank().saturating_sub(1)].into()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        const NAME: &str = "Categorical.log_prob";
        let parameter = self.parameter();
        let tape = parameter.tape();
        tape.named_call(NAME, || {
            let value = value.beside(parameter);
            if let Some(faulty) = [parameter, value].into_iter().find(|var| var.is_faulty()) {
                return faulty;
            }
            if value.dtype() != DType::I64 {
                let fault = Fault::new(NAME, "a value is a class number, an integer");
                return tape.fault(fault.operand("value", value).cure("tape.labels(…)"));
            }
            let Some(batch) = self.batch_shape().broadcast(&value.shape()) else {
                let fault = Fault::new(NAME, "the shapes do not broadcast");
                return tape.fault(fault.operand("parameters", parameter).operand("value", value));
            };
            let classes = parameter.dim(-1);
            if classes == 0 {
                return tape.fill(batch, f64::NEG_INFINITY);
            }
            let value = value.expand(batch.clone());
            let outside = value.lt(0) + value.ge(classes);
            let class = value.clamp(0.0, (classes - 1) as f64).unsqueeze(-1);
            let logits = self.logits().expand(joined([&batch, &[classes].into()]));
            outside.select(f64::NEG_INFINITY, logits.gather(-1, class).squeeze(-1))
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.nameless()
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        self.nameless()
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        const NAME: &str = "Categorical.sample";
        let probs = self.probs().value()?;
        let (classes, batch) = (self.parameter().dim(-1), self.batch_shape());
        let mut cumulative = probs.to_f64s();
        for row in cumulative.chunks_mut(classes.max(1)) {
            if let Some(p) = row.iter().find(|p| !(0.0..=1.0).contains(*p)) {
                return Err(refused(NAME, format!("a probability is {p}, expected 0 to 1")));
            }
            let mut total = 0.0;
            row.iter_mut().for_each(|p| {
                total += *p;
                *p = total;
            });
        }
        let rows = batch.numel();
        let drawn = tensor(joined([&shape.into(), &batch]), |i| {
            let row = &cumulative[i % rows * classes..][..classes];
            let total = row.last().copied().ok_or("there are no classes")?;
            let u = rng.sample::<f64, _>(StandardUniform) * total;
            // What is rounded up to the total belongs to the last class that has a probability.
            let class = row.partition_point(|&sum| sum <= u);
            Ok(class.min(row.partition_point(|&sum| sum < total)) as f64)
        });
        match drawn {
            Ok(drawn) => Ok(drawn.to_dtype(DType::I64)),
            Err(why) => Err(refused(NAME, why)),
        }
    }
}

impl<'t> Entropy<'t> for Categorical<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Categorical.entropy", || {
            // The least finite number, so that 0 times the logarithm of 0 is 0.
            let least = match self.parameter().dtype() {
                DType::F32 => f64::from(f32::MIN),
                _ => f64::MIN,
            };
            -(self.probs() * self.logits().clamp(least, f64::INFINITY)).sum(-1)
        })
    }
}
