//! What is explained: a loss of the catalogue in a setting, or a program of a lesson.

use lossgraph_autograd::{Tape, Var};
use lossgraph_explain::{Page, page};
use lossgraph_losses::{Domain, Loss, find};
use lossgraph_tensor::Tensor;

use super::Result;
use super::inputs::Inputs;
use super::latex::mathml;
use super::lessons::{self, Program};

/// A loss with its options.
#[derive(Clone)]
pub struct Subject {
    source: Source,
    setting: String,
}

#[derive(Clone, Copy)]
enum Source {
    Loss(&'static Loss),
    Program(&'static Program),
}

/// An input that a subject takes.
pub struct Takes {
    pub name: &'static str,
    /// What it is where nothing else is given.
    pub sample: Tensor,
    pub is_whole: bool,
    is_variable: bool,
}

impl Subject {
    /// The loss with a name, in a setting such as `delta=2 weight`.
    pub fn new(name: &str, setting: &str) -> Result<Subject> {
        if let Some(program) = lessons::program(name) {
            return match setting.trim() {
                "" => Ok(Subject { source: Source::Program(program), setting: String::new() }),
                _ => Err(format!("{name} has no options, and is given `{setting}`").into()),
            };
        }
        let loss = find(name).map_err(|nearest| {
            format!(
                "explain {name}: there is no such loss; the nearest is {nearest}; \
                 `lossgraph losses` lists all"
            )
        })?;
        match setting.trim() {
            "" => Ok(Subject::of(loss)),
            setting => {
                loss.setting(setting)?;
                Ok(Subject { source: Source::Loss(loss), setting: setting.to_owned() })
            }
        }
    }

    /// A loss in the first setting that it is checked in, since its samples fit that one.
    pub fn of(loss: &'static Loss) -> Subject {
        let setting = loss.grid.first().copied().unwrap_or_default().to_owned();
        Subject { source: Source::Loss(loss), setting }
    }

    pub fn name(&self) -> &'static str {
        match self.source {
            Source::Loss(loss) => loss.name,
            Source::Program(program) => program.name,
        }
    }

    /// Takes a tensor that is an option, if it is one.
    pub fn give(&mut self, name: &str) {
        let Source::Loss(loss) = self.source else { return };
        let is_option = loss.inputs.iter().any(|sample| sample.optional && sample.name == name);
        if is_option && !self.takes().iter().any(|takes| takes.name == name) {
            self.setting = format!("{} {name}", self.setting).trim().to_owned();
        }
    }

    /// The inputs that it takes in its setting.
    pub fn takes(&self) -> Vec<Takes> {
        match self.source {
            Source::Loss(loss) => loss
                .setting(&self.setting)
                .map(|setting| loss.given(&setting))
                .unwrap_or_default()
                .into_iter()
                .map(|sample| Takes {
                    name: sample.name,
                    sample: sample.draw(0),
                    is_whole: matches!(sample.domain, Domain::Labels(_) | Domain::Integers(_)),
                    is_variable: sample.is_differentiable(),
                })
                .collect(),
            Source::Program(program) => program
                .inputs
                .iter()
                .map(|&(name, shape, numbers)| Takes {
                    name,
                    sample: lessons::tensor(shape, numbers),
                    is_whole: name == "labels",
                    is_variable: name != "labels",
                })
                .collect(),
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
        let loss = match self.source {
            Source::Loss(loss) => loss.record(tape, &vars, &self.setting).mean(),
            Source::Program(program) => {
                let inputs: Vec<Var<'t>> = vars.iter().map(|(_, var)| *var).collect();
                tape.scope(program.name, || (program.record)(&inputs)).mean(..)
            }
        };
        Ok((vars, loss))
    }

    /// The page of the loss.
    pub fn page<'t>(&self, tape: &'t Tape, inputs: &Inputs) -> Result<Page<'t>> {
        let (vars, loss) = self.record(tape, inputs)?;
        let (summary, latex) = match self.source {
            Source::Loss(loss) => (loss.summary, loss.latex),
            Source::Program(program) => (program.summary, program.latex),
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
        let Source::Loss(loss) = self.source else { return "the mean of all terms".to_owned() };
        let set = |name: &str| {
            self.setting.split_whitespace().find_map(|word| match word.split_once('=') {
                Some((each, value)) => (each == name).then(|| value.to_owned()),
                None => (word == name).then(|| "true".to_owned()),
            })
        };
        let each = loss.options.iter().map(|choice| {
            let value = set(choice.name).unwrap_or_else(|| choice.kind.to_string());
            format!("{} = {value}", choice.name)
        });
        let texts: Vec<String> = each.chain(["the mean of all terms".to_owned()]).collect();
        texts.join(", ")
    }
}
