//! What is explained: a loss of the catalogue in a setting, or a program of a lesson.

use lossgraph_autograd::{Tape, Var};
use lossgraph_explain::{Page, page};
use lossgraph_losses::{Case, Domain, Loss};
use lossgraph_tensor::Tensor;

use super::Result;
use super::inputs::Inputs;
use super::latex::mathml;
use super::lessons::{self, Program};
use crate::subject::named;

/// How a page is made that is not of the catalogue.
const OWN: &str = "write its page from a program: `explain::page(&tape, loss).write(\"loss.html\")` \
                   (README, \"A loss of your own\")";

/// A loss with its options, or a program.
#[derive(Clone)]
pub enum Subject {
    Loss(Case),
    Program(&'static Program),
}

/// An input that a subject takes.
pub struct Takes {
    pub name: &'static str,
    /// What it is where nothing else is given.
    pub sample: Tensor,
    pub domain: Domain,
    pub is_whole: bool,
    is_variable: bool,
}

impl Subject {
    /// The loss with a name, in a setting such as `delta=2 weight`.
    pub fn new(name: &str, setting: &str) -> Result<Subject> {
        if let Some(program) = lessons::program(name) {
            return match setting.trim() {
                "" => Ok(Subject::Program(program)),
                _ => Err(format!("{name} has no options, and is given `{setting}`").into()),
            };
        }
        let loss = named(name, OWN)?;
        match setting.trim() {
            "" => Subject::of(loss),
            setting => Ok(Subject::Loss(Case::new(loss, setting, 0)?)),
        }
    }

    /// A loss in the first setting that it is checked in, since its samples fit that one.
    pub fn of(loss: &'static Loss) -> Result<Subject> {
        let setting = loss.grid.first().copied().unwrap_or_default();
        Ok(Subject::Loss(Case::new(loss, setting, 0)?))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Subject::Loss(case) => case.loss.name,
            Subject::Program(program) => program.name,
        }
    }

    /// Takes a tensor that is an option, if it is one.
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
                    is_whole: matches!(sample.domain, Domain::Labels(_) | Domain::Integers(_)),
                    is_variable: sample.is_differentiable(),
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
    pub fn record<'t>(
        &self,
        tape: &'t Tape,
        inputs: &Inputs,
    ) -> Result<(Vec<(&'static str, Var<'t>)>, Var<'t>)> {
        let mut vars = Vec::new();
        for takes in self.takes() {
            let tensor = inputs.of(self.name(), &takes)?;
            let var = if takes.is_variable { tape.variable(tensor) } else { tape.constant(tensor) };
            vars.push((takes.name, var));
        }
        let inputs: Vec<Var<'t>> = vars.iter().map(|(_, var)| *var).collect();
        let loss = match self {
            Subject::Loss(case) => case.record(tape, &inputs).mean(),
            Subject::Program(program) => {
                tape.scope(program.name, || (program.record)(&inputs)).mean(..)
            }
        };
        Ok((vars, loss))
    }

    /// The page of the loss.
    pub fn page<'t>(&self, tape: &'t Tape, inputs: &Inputs) -> Result<Page<'t>> {
        let (vars, loss) = self.record(tape, inputs)?;
        let (summary, latex) = match self {
            Subject::Loss(case) => (case.loss.summary, case.loss.latex),
            Subject::Program(program) => (program.summary, program.latex),
        };
        let mut page = page(tape, loss)
            .title(self.name())
            .formula(mathml(latex)?)
            .note(summary)
            .note(self.options());
        for (name, var) in vars {
            page = page.name(var, name);
        }
        Ok(page)
    }

    /// Its options with their values, the mean included.
    fn options(&self) -> String {
        let Subject::Loss(case) = self else { return "the mean of all terms".to_owned() };
        let set = |name: &str| {
            case.setting.split_whitespace().find_map(|word| match word.split_once('=') {
                Some((each, value)) => (each == name).then(|| value.to_owned()),
                None => (word == name).then(|| "true".to_owned()),
            })
        };
        let each = case.loss.options.iter().map(|choice| {
            let value = set(choice.name).unwrap_or_else(|| choice.kind.to_string());
            format!("{} = {value}", choice.name)
        });
        let texts: Vec<String> = each.chain(["the mean of all terms".to_owned()]).collect();
        texts.join(", ")
    }
}
