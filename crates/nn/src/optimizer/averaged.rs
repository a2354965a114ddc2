//! Averages of the parameters of a model over its steps.

use lossgraph_autograd::{Module, Parameter};
use lossgraph_tensor::{DType, Float, Tensor};

use super::rule::in_range;
use crate::checkpoint::{Checkpoint, Stateful};
use crate::error::{Error, Result};
use crate::module::all;

/// How parameters are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Average {
    /// `a ← d a + (1 − d) p`, with a decay `d` such as 0.999.
    #[doc(alias = "EMA")]
    Exponential(f64),
    /// `a ← a + (p − a) / n`: the mean of all that were seen.
    #[doc(alias = "SWA")]
    Equal,
}

/// The averages of a model's parameters and buffers, such as the running statistics of batch norm:
/// often a better model than that of the last step. The first update copies.
///
/// ```
/// use lossgraph_autograd::Parameter;
/// use lossgraph_nn::optimizer::{Average, Averaged};
/// use lossgraph_tensor::Tensor;
///
/// let p = Parameter::new("p", [0.0]);
/// let mut averaged = Averaged::of(&p, Average::Exponential(0.75))?;
/// for x in [1.0, 5.0] {
///     p.set(Tensor::from([x]))?; // a step
///     averaged.update()?;
/// }
/// assert_eq!(averaged.with(|| p.value().to_f64s()), [2.0]);
/// assert_eq!(p.value().to_f64s(), [5.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Polyak and Juditsky, 1992; Izmailov et al., Averaging Weights Leads to Wider Optima, 2018.
/// PyTorch's `AveragedModel` with `use_buffers=True`.
#[doc(alias = "AveragedModel")]
#[derive(Debug)]
pub struct Averaged {
    average: Average,
    /// How many updates there were.
    count: usize,
    /// The model's parameters by name, and their averages.
    pairs: Vec<(String, Parameter, Tensor)>,
}

const NAME: &str = "average";

impl Averaged {
    /// The averages of a model, which begin as its values.
    ///
    /// # Errors
    /// A decay that is not from 0 to 1.
    pub fn of(model: &(impl Module + ?Sized), average: Average) -> Result<Averaged> {
        if let Average::Exponential(decay) = average {
            let holds = (0.0..=1.0).contains(&decay);
            in_range(NAME, "decay", decay, holds, "a number from 0 to 1")?;
        }
        let mut seen = std::collections::HashSet::new();
        let parameters = all(model).into_iter().filter(|(_, p)| seen.insert(p.id()));
        let pairs = parameters.map(|(name, p)| (name, p.clone(), p.value())).collect();
        Ok(Averaged { average, count: 0, pairs })
    }

    /// Takes the values as they are after a step.
    ///
    /// # Errors
    /// A parameter that changed its shape or type.
    pub fn update(&mut self) -> Result<()> {
        for (name, parameter, average) in &self.pairs {
            let value = parameter.value();
            if (value.shape(), value.dtype()) != (average.shape(), average.dtype()) {
                let of = |tensor: &Tensor| (tensor.shape().clone(), tensor.dtype());
                let (parameter, given, expected) = (name.as_str(), of(&value), of(average));
                return Err(Error::State { parameter: parameter.into(), given, expected });
            }
        }
        let weight = match self.average {
            _ if self.count == 0 => 1.0,
            Average::Exponential(decay) => 1.0 - decay,
            Average::Equal => 1.0 / (self.count + 1) as f64,
        };
        self.count += 1;
        for (_, parameter, average) in &mut self.pairs {
            let value = parameter.value();
            match value.dtype() {
                // The first is the value itself, not rounded.
                _ if weight == 1.0 => *average = value,
                DType::F32 => approach::<f32>(average, &value, weight),
                DType::F64 => approach::<f64>(average, &value, weight),
                // Of counts there is no average.
                DType::I64 => *average = value,
            }
        }
        Ok(())
    }

    /// Calls a function while the model has the averages: to evaluate or to save it.
    pub fn with<R>(&mut self, call: impl FnOnce() -> R) -> R {
        self.exchange();
        let result = call();
        self.exchange();
        result
    }

    /// Exchanges the model's values and their averages.
    pub(crate) fn exchange(&mut self) {
        for (_, parameter, average) in &mut self.pairs {
            parameter.update(|value| std::mem::swap(value, average));
        }
    }
}

/// `average ← average + weight · (value − average)`
fn approach<T: Float>(average: &mut Tensor, value: &Tensor, weight: f64) {
    let (weight, value) = (T::of(weight), value.contiguous());
    let (Some(average), Some(value)) = (average.as_mut_slice::<T>(), value.as_slice::<T>()) else {
        return;
    };
    average.iter_mut().zip(value).for_each(|(a, &x)| *a = *a + weight * (x - *a));
}

impl Stateful for Averaged {
    fn state_dict(&self) -> Checkpoint {
        let mut state = Checkpoint::default();
        for (at, (name, _, average)) in self.pairs.iter().enumerate() {
            state.tensors.insert(format!("{at}.{name}"), average.clone());
        }
        state.tensors.insert("count".to_owned(), Tensor::from(self.count as i64));
        state
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        let fail = |why: String| Error::StateDict { subject: NAME, why };
        let count = state.tensors.get("count").and_then(|count| count.item().ok());
        let count = count.ok_or_else(|| fail("it is no state of an average".to_owned()))?;
        let mut averages = Vec::new();
        for (at, (name, _, average)) in self.pairs.iter().enumerate() {
            let key = format!("{at}.{name}");
            let found = state.tensors.get(&key);
            let found = found.ok_or_else(|| fail(format!("`{key}` is missing")))?;
            if (found.shape(), found.dtype()) != (average.shape(), average.dtype()) {
                let [given, expected] =
                    [found, average].map(|t| format!("{} {}", t.shape(), t.dtype()));
                return Err(fail(format!("`{key}` is {given}, expected {expected}")));
            }
            averages.push(found.clone());
        }
        if state.tensors.len() != averages.len() + 1 {
            return Err(fail("it is that of another model".to_owned()));
        }
        self.count = count as usize;
        for ((_, _, average), found) in self.pairs.iter_mut().zip(averages) {
            *average = found;
        }
        Ok(())
    }
}
