//! What a training minimizes: a loss in a setting, with what it learns beside the model.

use lossgraph_autograd::{Fault, Module, Parameter, Tape, Var};
use lossgraph_losses::{Case, Domain, Fit, Loss, OptionKind, Sample, Sizes, Terms};
use lossgraph_tensor::{DType, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Result;
use super::tasks::Operands;

/// A loss in a setting, for a task. A penalty is added to the default loss of the task.
pub struct Objective {
    loss: &'static Loss,
    fit: &'static Fit,
    setting: String,
    /// The tensors that the setting gives, by name.
    given: Vec<(&'static str, Tensor)>,
    /// What the loss learns beside the model.
    learned: Vec<(String, Parameter)>,
}

/// A setting whose tensors are named alone, and those that it gives as lists, one number for each
/// class: `weight=1,2.5,1`.
///
/// # Errors
/// A list that has something else than numbers in it, or numbers that the input cannot have.
pub fn tensors_apart(
    loss: &'static Loss,
    setting: &str,
) -> Result<(String, Vec<(&'static str, Tensor)>)> {
    let (mut words, mut tensors) = (Vec::new(), Vec::new());
    for word in setting.split_whitespace() {
        let input = word.split_once('=').and_then(|(name, list)| {
            let input = loss.inputs.iter().find(|each| each.optional && each.name == name)?;
            Some((input, list))
        });
        let Some((Sample { name, domain, .. }, list)) = input else {
            words.push(word);
            continue;
        };
        let numbers = list.trim_start_matches('[').trim_end_matches(']').split(',');
        let numbers: std::result::Result<Vec<f32>, _> = numbers.map(str::parse).collect();
        let numbers = numbers.map_err(|_| {
            format!(
                "--set {word}: expected a number for each class, with commas between: {name}=1,2.5"
            )
        })?;
        check_weights(word, *domain, &numbers)?;
        words.push(name);
        tensors.push((*name, Tensor::from(numbers)));
    }
    Ok((words.join(" "), tensors))
}

/// `Ok` if a loss has the options of a setting, and takes those that are numbers: what range they have
/// does not depend on the data, so that its sample tells it.
///
/// # Errors
/// What the loss refuses.
pub fn check_setting(loss: &'static Loss, setting: &str) -> Result<()> {
    let (setting, _) = tensors_apart(loss, setting)?;
    loss.setting(&setting)?;
    let is_number = |word: &&str| {
        let name = word.split('=').next();
        let mut options = loss.options.iter();
        options.any(|each| name == Some(each.name) && matches!(each.kind, OptionKind::Number(_)))
    };
    // In the first setting that is tested, which fits the sample.
    let first = loss.grid.iter().copied().take(1);
    let words: Vec<&str> = first.chain(setting.split_whitespace().filter(is_number)).collect();
    let case = Case::new(loss, &words.join(" "), 0)?;
    let tape = Tape::f64();
    let inputs: Vec<Var<'_>> = case.inputs.iter().map(|input| tape.constant(input)).collect();
    case.record(&tape, &inputs).unreduced().value()?;
    Ok(())
}

/// `Ok` if numbers are finite, and where they are weights, 0 or more and not all 0.
fn check_weights(word: &str, domain: Domain, numbers: &[f32]) -> Result<()> {
    let are_weights = matches!(domain, Domain::Between(low, _) if low >= 0.0);
    let fits = |x: &f32| x.is_finite() && (*x >= 0.0 || !are_weights);
    let (expected, all_zero) = match are_weights {
        true => ("finite numbers of 0 or more", numbers.iter().all(|x| *x == 0.0)),
        false => ("finite numbers", false),
    };
    if let Some(bad) = numbers.iter().find(|x| !fits(x)) {
        return Err(format!("--set {word}: {bad} is none of {expected}").into());
    }
    match all_zero {
        true => Err(format!("--set {word}: all are 0, expected one above 0 at least").into()),
        false => Ok(()),
    }
}

impl Objective {
    /// A loss for data of so many classes, and a net that gives so many numbers.
    pub fn new(
        loss: &'static Loss,
        fit: &'static Fit,
        setting: &str,
        [classes, features]: [usize; 2],
        seed: u64,
    ) -> Result<Objective> {
        let (setting, given) = tensors_apart(loss, &format!("{} {setting}", fit.setting))?;
        if let Some((name, tensor)) = given.iter().find(|(_, tensor)| tensor.len() != classes) {
            let count = tensor.len();
            return Err(match classes {
                0 => format!("--set {name}: it has a number for each class, and there are none"),
                _ => format!(
                    "--set {name}: numbers: {count}, expected {classes}, one for each class"
                ),
            }
            .into());
        }
        let read = loss.setting(&setting)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // A stream of its own, so that the model is drawn as without it.
        rng.set_stream(1);
        let sizes = Sizes { classes, features, setting: &read };
        let mut learned = Vec::new();
        for sample in loss.inputs_in(&read) {
            let Some(shape) = sample.learned.map(|shape| shape(&sizes)) else { continue };
            let initial = match (shape.last(), sample.domain) {
                // One number begins in the middle of what it can be.
                (None, Domain::Between(low, high)) => Tensor::from(0.5 * (low + high)),
                (None, _) => Tensor::from(0.0),
                (Some(&width), _) => {
                    let deviation = 1.0 / (width.max(1) as f64).sqrt();
                    Tensor::normal(shape, 0.0, deviation, DType::F64, &mut rng)?
                }
            };
            let parameter = Parameter::new(sample.name, initial.to_dtype(DType::F32));
            learned.push((sample.name.to_owned(), parameter));
        }
        Ok(Objective { loss, fit, setting, given, learned })
    }

    pub fn fit(&self) -> &'static Fit {
        self.fit
    }

    pub fn loss(&self) -> &'static Loss {
        self.loss
    }

    /// The terms of the loss on what a step has.
    pub fn terms<'t>(&self, tape: &'t Tape, operands: &Operands<'t>) -> Result<Terms<'t>> {
        self.terms_of(self.loss, &self.setting, tape, operands)
    }

    fn terms_of<'t>(
        &self,
        loss: &'static Loss,
        setting: &str,
        tape: &'t Tape,
        operands: &Operands<'t>,
    ) -> Result<Terms<'t>> {
        let read = loss.setting(setting)?;
        let mut inputs = Vec::new();
        for (i, sample) in loss.inputs_in(&read).into_iter().enumerate() {
            let learned = self.learned.iter().find(|(name, _)| name == sample.name);
            let given = self.given.iter().find(|(name, _)| *name == sample.name);
            let input = match (learned, given) {
                (Some((_, parameter)), _) => Some(tape.parameter(parameter)),
                (None, Some((_, tensor))) => Some(tape.constant(tensor)),
                (None, None) => operands(i, sample),
            };
            let Some(input) = input else {
                let (loss, name) = (loss.name, sample.name);
                let why = "in this setting it takes what a training does not have";
                let cure =
                    format!("--set {name}=1,2.5,… gives a number for each class, if it has that");
                return Err(format!("{loss} {setting}: {why}: `{name}`\nperhaps: {cure}").into());
            };
            inputs.push((sample.name, input));
        }
        Ok(loss.record(tape, &inputs, setting))
    }

    /// The number that is minimized.
    pub fn value<'t>(&self, tape: &'t Tape, operands: &[Operands<'t>]) -> Result<Var<'t>> {
        let mut sum: Option<Var<'t>> = None;
        for operands in operands {
            let own = self.terms(tape, operands)?.reduce(self.fit.reduction);
            let own = match self.fit.penalty {
                None => own,
                Some(weight) => self.main(tape, operands)? + own * weight,
            };
            sum = Some(sum.map_or(own, |sum| sum + own));
        }
        Ok(sum.unwrap_or_else(|| tape.fault(Fault::new(self.loss.name, "there are no operands"))))
    }

    /// The default loss of the task, to which a penalty is added.
    fn main<'t>(&self, tape: &'t Tape, operands: &Operands<'t>) -> Result<Var<'t>> {
        match self.fit.task.default_loss() {
            Some((loss, fit)) => {
                Ok(self.terms_of(loss, fit.setting, tape, operands)?.reduce(fit.reduction))
            }
            None => Err(format!("{}: its task has no default loss", self.loss.name).into()),
        }
    }
}

/// A model with what its loss learns, as an optimizer takes them.
pub struct Trained<'a> {
    pub model: &'a dyn Module,
    pub objective: &'a Objective,
}

impl Module for Trained<'_> {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        let learned = self.objective.learned.iter();
        let named =
            learned.map(|(name, parameter)| (format!("loss.{name}"), parameter as &dyn Module));
        self.model.children().into_iter().chain(named).collect()
    }

    fn parameters(&self) -> Vec<(String, Parameter)> {
        let learned = self.objective.learned.iter();
        let named = learned.map(|(name, parameter)| (format!("loss.{name}"), parameter.clone()));
        self.model.parameters().into_iter().chain(named).collect()
    }

    fn buffers(&self) -> Vec<(String, Parameter)> {
        self.model.buffers()
    }

    fn generators(&self) -> Vec<(String, Parameter)> {
        self.model.generators()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_the_catalogue_tests_are_taken() {
        for loss in lossgraph_losses::ALL {
            for setting in loss.grid {
                let taken = check_setting(loss, setting);
                assert!(taken.is_ok(), "{} {setting}: {}", loss.name, taken.unwrap_err());
            }
        }
    }
}
