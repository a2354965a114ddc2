//! A loss on inputs that are drawn for it: what checks, pictures and explanations begin with.

use lossgraph_autograd::{Tape, Var};
use lossgraph_tensor::Tensor;

use super::figure::Figure;
use super::row::{Loss, Slope};
use super::sample::{Plain, Sample};
use super::setting::{BadSetting, Numbers};
use crate::terms::Terms;

/// A loss in a setting, on inputs that are drawn from a seed.
///
/// ```
/// # use lossgraph_autograd::{Tape, Var};
/// # use lossgraph_losses::{Case, find};
/// let case = Case::new(find("huber").unwrap(), "delta=2 weight", 0)?;
/// assert_eq!(case.title(), "huber delta=2 weight");
/// assert_eq!(case.names().collect::<Vec<_>>(), ["prediction", "target", "weight"]);
/// let tape = Tape::f64();
/// let inputs: Vec<Var> = case.inputs.iter().map(|input| tape.constant(input)).collect();
/// assert_eq!(case.record(&tape, &inputs).unreduced().shape()[..], [4, 3]);
/// # Ok::<(), lossgraph_losses::BadSetting>(())
/// ```
#[derive(Clone, Debug)]
pub struct Case {
    /// The loss.
    pub loss: &'static Loss,
    /// Its options, as [`Loss::setting`] reads them.
    pub setting: String,
    /// The inputs that it takes in this setting.
    pub samples: Vec<&'static Sample>,
    /// Numbers for each of them.
    pub inputs: Vec<Tensor>,
    /// What they are drawn from.
    pub seed: u64,
}

impl Case {
    /// The inputs are a pure function of the seed.
    ///
    /// # Errors
    /// A setting that the loss cannot have.
    pub fn new(loss: &'static Loss, setting: &str, seed: u64) -> Result<Case, BadSetting> {
        let samples = loss.inputs_in(&loss.setting(setting)?);
        let inputs = samples.iter().map(|sample| sample.draw(seed)).collect();
        Ok(Case { loss, setting: setting.to_owned(), samples, inputs, seed })
    }

    /// A loss in every setting of its grid.
    ///
    /// # Errors
    /// A setting of the grid that the loss cannot have, which tests rule out.
    pub fn grid(loss: &'static Loss, seed: u64) -> Result<Vec<Case>, BadSetting> {
        loss.grid.iter().map(|setting| Case::new(loss, setting, seed)).collect()
    }

    /// As the command line would name it: `huber delta=2 weight`.
    pub fn title(&self) -> String {
        format!("{} {}", self.loss.name, self.setting).trim_end().to_owned()
    }

    /// The names of the inputs.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.samples.iter().map(|sample| sample.name)
    }

    /// The index of an input.
    pub fn index_of(&self, input: &str) -> Option<usize> {
        self.names().position(|name| name == input)
    }

    /// The same inputs in another setting, which has to take as many of them.
    pub fn in_setting(&self, setting: &str) -> Case {
        Case { setting: setting.to_owned(), ..self.clone() }
    }

    /// The slope of the mean of all terms in closed form, where the loss has one in this setting, and
    /// its numbers at some inputs.
    pub fn closed_slope(&self, inputs: &[Tensor]) -> Option<(&'static Slope, Vec<f64>)> {
        let slope = self.loss.slope.as_ref()?;
        let names = self.setting.split_whitespace().map(|word| word.split('=').next());
        let mut others = names.flatten().filter(|name| !slope.options.contains(name));
        let setting = self.loss.setting(&self.setting).ok()?;
        if others.next().is_some() || inputs.len() != self.samples.len() {
            return None;
        }
        let plain = self.plain(inputs);
        let numbers = (slope.naive)(&Numbers { inputs: &plain, setting: &setting });
        let moved = plain.iter().find(|each| each.name == slope.input)?;
        (numbers.len() == moved.numbers.len()).then_some((slope, numbers))
    }

    /// Scores and labels, where a term is −ln of the softmax of the scores at the label: with any option
    /// set, it is something else.
    pub fn softmax_nll(&self) -> Option<[&'static str; 2]> {
        self.loss.softmax_nll.filter(|_| self.setting.trim().is_empty())
    }

    /// What the loss is about at some inputs, where its row draws that; `None`, too, of inputs that do
    /// not go together.
    pub fn figure(&self, inputs: &[Tensor]) -> Option<Figure> {
        let setting = self.loss.setting(&self.setting).ok()?;
        (inputs.len() == self.samples.len()).then_some(())?;
        self.loss.figure?(&Numbers { inputs: &self.plain(inputs), setting: &setting })
    }

    /// Inputs as plain numbers.
    fn plain(&self, inputs: &[Tensor]) -> Vec<Plain> {
        self.samples.iter().zip(inputs).map(|(sample, input)| sample.plain(input)).collect()
    }

    /// Records the loss on variables in the order of its inputs: its own, or others of these kinds.
    #[track_caller]
    pub fn record<'t>(&self, tape: &'t Tape, inputs: &[Var<'t>]) -> Terms<'t> {
        let named: Vec<(&str, Var<'t>)> = self.names().zip(inputs.iter().copied()).collect();
        self.loss.record(tape, &named, &self.setting)
    }
}
