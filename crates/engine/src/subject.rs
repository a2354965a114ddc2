//! What is explained: a loss of the catalogue in a setting, or a program of a lesson.

use lossgraph_autograd::{Tape, Var};
use lossgraph_explain::{Page, page};
use lossgraph_losses::{Case, Choice, Domain, Loss, UnknownLoss, find};
use lossgraph_tensor::Tensor;

use crate::Result;
use crate::inputs::Inputs;
use crate::lessons::{self, Program};

/// How a page is made that is not of the catalogue.
const OWN: &str = "write its page from a program: `explain::page(&tape, loss).write(\"loss.html\")` \
                   (README, \"A loss of your own\")";

/// A loss with its options, or a program.
#[derive(Clone)]
pub enum Subject {
    /// A loss of the catalogue.
    Loss(Case),
    /// A program of a lesson.
    Program(&'static Program),
}

/// An input that a subject takes.
pub struct Takes {
    /// Its name.
    pub name: &'static str,
    /// What it is where nothing else is given.
    pub sample: Tensor,
    /// What it holds.
    pub domain: Domain,
    /// Whether −∞ is padding there.
    pub is_padded: bool,
    /// Whether that are whole numbers.
    pub is_whole: bool,
    /// Whether it has a gradient.
    pub is_variable: bool,
}

impl Subject {
    /// The loss with a name, in a setting such as `delta=2 weight`.
    ///
    /// # Errors
    /// There is no such loss, or it cannot have the setting.
    pub fn new(name: &str, setting: &str) -> Result<Subject> {
        if let Some(program) = lessons::program(name) {
            return match setting.trim() {
                "" => Ok(Subject::Program(program)),
                _ => Err(format!("{name} has no options, and is given `{setting}`").into()),
            };
        }
        let loss = find(name).map_err(|UnknownLoss { nearest, .. }| {
            let near = nearest.map(|nearest| format!("; the nearest is `{nearest}`, and"));
            let near = near.unwrap_or_else(|| ":".to_owned());
            format!(
                "there is no loss `{name}`{near} `lossgraph losses` lists all\n\
                 for a loss of your own, {OWN}"
            )
        })?;
        match setting.trim() {
            "" => Subject::of(loss),
            setting => Ok(Subject::Loss(Case::new(loss, setting, 0)?)),
        }
    }

    /// A loss in the first setting that it is checked in, since its samples fit that one.
    ///
    /// # Errors
    /// None that tests do not rule out.
    pub fn of(loss: &'static Loss) -> Result<Subject> {
        let setting = loss.grid.first().copied().unwrap_or_default();
        Ok(Subject::Loss(Case::new(loss, setting, 0)?))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Subject::Loss(case) => case.loss.name,
            Subject::Program(program) => program.name,
        }
    }

    /// Takes a tensor that is an option, if it is one.
    ///
    /// # Errors
    /// None: the setting was read before.
    pub fn give(&mut self, name: &str) -> Result<()> {
        let Subject::Loss(case) = self else { return Ok(()) };
        let is_option = case.loss.inputs.iter().any(|each| each.optional && each.name == name);
        if is_option && case.index_of(name).is_none() {
            *case = Case::new(case.loss, format!("{} {name}", case.setting).trim(), case.seed)?;
        }
        Ok(())
    }

    /// The inputs that it takes in its setting.
    pub fn takes(&self) -> Vec<Takes> {
        match self {
            Subject::Loss(case) => {
                let inputs = case.samples.iter().zip(&case.inputs);
                let takes = inputs.map(|(sample, input)| Takes {
                    name: sample.name,
                    sample: input.clone(),
                    domain: sample.domain,
                    is_padded: sample.padded,
                    is_whole: matches!(sample.domain, Domain::Labels(_) | Domain::Integers(_)),
                    is_variable: sample.has_gradient(),
                });
                takes.collect()
            }
            Subject::Program(program) => program
                .inputs
                .iter()
                .map(|&(name, shape, numbers)| Takes {
                    name,
                    sample: lessons::tensor(shape, numbers),
                    domain: match name {
                        "labels" => Domain::Labels(3),
                        _ => Domain::Logits,
                    },
                    is_padded: false,
                    is_whole: name == "labels",
                    is_variable: name != "labels",
                })
                .collect(),
        }
    }

    /// The names of the inputs that it takes in every setting.
    pub fn needs(&self) -> Vec<&'static str> {
        match self {
            Subject::Loss(case) => {
                let needed = case.loss.inputs.iter().filter(|sample| !sample.optional);
                needed.map(|sample| sample.name).collect()
            }
            Subject::Program(program) => program.inputs.iter().map(|(name, ..)| *name).collect(),
        }
    }

    /// Records the loss, as the mean of its terms, on its inputs.
    ///
    /// # Errors
    /// Inputs that it cannot have.
    pub fn record<'t>(&self, tape: &'t Tape, inputs: &Inputs) -> Result<(Named<'t>, Var<'t>)> {
        let mut vars = Vec::new();
        for takes in self.takes() {
            let tensor = inputs.of(self.name(), &takes)?;
            let var = if takes.is_variable { tape.variable(tensor) } else { tape.constant(tensor) };
            vars.push((takes.name, var));
        }
        let inputs: Vec<Var<'t>> = vars.iter().map(|(_, var)| *var).collect();
        let loss = self.mean_of(tape, &inputs);
        Ok((vars, loss))
    }

    /// Records the mean of the terms on variables in the order of its inputs.
    #[track_caller]
    pub fn mean_of<'t>(&self, tape: &'t Tape, inputs: &[Var<'t>]) -> Var<'t> {
        match self {
            Subject::Loss(case) => case.record(tape, inputs).mean(),
            Subject::Program(program) => {
                tape.scope(program.name, || (program.record)(inputs)).mean(..)
            }
        }
    }

    /// The page of the loss, without its formula drawn; and its inputs on the tape.
    ///
    /// # Errors
    /// Inputs that it cannot have.
    pub fn page<'t>(&self, tape: &'t Tape, inputs: &Inputs) -> Result<(Named<'t>, Page<'t>)> {
        let (vars, loss) = self.record(tape, inputs)?;
        let summary = match self {
            Subject::Loss(case) => case.loss.summary,
            Subject::Program(program) => program.summary,
        };
        let page = page(tape, loss).title(self.name()).note(summary).note(self.options());
        // The lines that recorded it are those of this crate.
        let mut page = page.without_locations();
        for (name, var) in &vars {
            page = page.name(*var, name);
        }
        Ok((vars, page))
    }

    /// Its formula as LaTeX.
    pub fn latex(&self) -> &'static str {
        match self {
            Subject::Loss(case) => case.loss.latex,
            Subject::Program(program) => program.latex,
        }
    }

    /// The family of the loss.
    pub(crate) fn family(&self) -> &'static str {
        match self {
            Subject::Loss(case) => case.loss.family,
            Subject::Program(_) => "",
        }
    }

    /// What its formula calls an input or an option, as LaTeX.
    pub(crate) fn symbol(&self, name: &str) -> Option<String> {
        match self {
            Subject::Loss(case) => case.loss.symbol(name),
            Subject::Program(_) => None,
        }
    }

    /// What other letters of its formula stand for.
    pub(crate) fn letters(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Subject::Loss(case) => case.loss.letters,
            Subject::Program(_) => &[],
        }
    }

    /// Numbers for its inputs from a seed. A program of a lesson has one sample.
    ///
    /// # Errors
    /// None: the setting was read before.
    pub(crate) fn drawn(&self, seed: u64) -> Result<Vec<(&'static str, Tensor)>> {
        let drawn = match self {
            Subject::Loss(case) => {
                Subject::Loss(Case::new(case.loss, &case.setting, seed)?).takes()
            }
            Subject::Program(_) => self.takes(),
        };
        Ok(drawn.into_iter().map(|takes| (takes.name, takes.sample)).collect())
    }

    /// The value of an option, as a setting says it.
    pub(crate) fn value_of(&self, choice: &Choice) -> String {
        let Subject::Loss(case) = self else { return choice.kind.to_string() };
        // The last one counts.
        let set =
            case.setting.split_whitespace().rev().find_map(|word| match word.split_once('=') {
                Some((each, value)) => (each == choice.name).then(|| value.to_owned()),
                None => (word == choice.name).then(|| "true".to_owned()),
            });
        set.unwrap_or_else(|| choice.kind.to_string())
    }

    /// Its options with their values, the mean included.
    fn options(&self) -> String {
        let Subject::Loss(case) = self else { return "the mean of all terms".to_owned() };
        let each = case
            .loss
            .options
            .iter()
            .map(|choice| format!("{} = {}", choice.name, self.value_of(choice)));
        let texts: Vec<String> = each.chain(["the mean of all terms".to_owned()]).collect();
        texts.join(", ")
    }
}

/// Inputs on a tape, by name.
pub type Named<'t> = Vec<(&'static str, Var<'t>)>;
