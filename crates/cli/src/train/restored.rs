//! A model of a task that has data of its own, made again from the options that its checkpoint says.

use std::path::Path;

use clap::Parser;
use lossgraph_autograd::Module;
use lossgraph_nn::Checkpoint;
use lossgraph_tensor::Tensor;

use super::goal::{Goal, chosen};
use super::model;
use super::objective::{Objective, Trained};
use super::tasks::Problem;
use super::{Options, Result, config, recipe};

/// Options as the command line has them.
#[derive(Parser)]
struct Words {
    #[command(flatten)]
    options: Options,
}

/// A problem with the parameters of a checkpoint, and what trained it.
pub struct Restored {
    pub task: String,
    pub problem: Box<dyn Problem>,
    pub objective: Objective,
}

impl Restored {
    /// From a checkpoint of `lossgraph train`.
    ///
    /// # Errors
    /// A file that is none, or is damaged.
    pub fn read(path: &Path) -> Result<Restored> {
        let checkpoint = Checkpoint::read(path)?;
        let fail = |why: String| format!("{}: its options cannot be read: {why}", path.display());
        let words = config::words(&recipe::read(path)?).map_err(fail)?;
        let words = std::iter::once("train".to_owned()).chain(words);
        let options = Words::try_parse_from(words).map_err(|error| fail(error.to_string()))?;
        let options = options.options;
        let choice = chosen(options.task, options.loss.as_deref(), &|_| Ok(None))?;
        if choice.goal == Goal::Embedding {
            let has: usize = checkpoint.tensors.values().map(Tensor::len).sum();
            model::check_size(&options, has)?;
        }
        let (loss, fit, setting) = (choice.loss, choice.fit, options.setting.text()?);
        let (problem, _) = model::problem(&options, choice.goal, (loss, fit), None)?;
        let objective = Objective::new(loss, fit, &setting, problem.sizes(), options.seed)?;
        checkpoint
            .load(&Trained { model: problem.model(), objective: &objective } as &dyn Module)?;
        Ok(Restored { task: choice.goal.name(), problem, objective })
    }
}
