//! `lossgraph train`: any loss of the catalogue, on the data that its task takes.

pub mod config;
mod every_loss;
mod files;
mod find_rate;
pub mod goal;
pub mod interrupt;
mod log;
pub mod model;
mod net;
pub mod objective;
mod optimizer;
mod options;
mod recipe;
pub mod restored;
mod run;
pub mod source;
mod sparkline;
pub mod tasks;
mod training;

pub use options::Options;

use std::error::Error;
use std::path::{Path, PathBuf};

use lossgraph_nn::parallel::{self, Communicator, DataParallel};

use files::Files;
use goal::chosen;
use model::Model;
use objective::Objective;
use optimizer::Descent;
use recipe::Before;
use run::Run;
use tasks::{Defaults, Problem};
use training::Training;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Trains, reports, and writes the results, as one of the processes that a launcher started.
pub fn run(options: &Options) -> Result<()> {
    #[cfg(feature = "mpi")]
    if parallel::launched() {
        return parallel::mpi::run(|world| train(options, world, DataParallel::SHARDS));
    }
    #[cfg(not(feature = "mpi"))]
    refuse_processes()?;
    train(options, &parallel::Local::alone(), 1)
}

/// Without MPI, processes know nothing of each other, and each would write the same files.
#[cfg(not(feature = "mpi"))]
fn refuse_processes() -> Result<()> {
    match parallel::is_one_of_several() {
        true => {
            Err("a launcher started several processes, and this program was built without MPI: \
                     `cargo install lossgraph-cli --features mpi`"
                .into())
        }
        false => Ok(()),
    }
}

/// Trains as one of some processes. Whatever can be wrong is found before the time is spent.
fn train(options: &Options, world: &dyn Communicator, shards: usize) -> Result<()> {
    let parallel = DataParallel::new(world, options.shards.unwrap_or(shards))?;
    if options.every_loss {
        return every_loss::run(options, parallel);
    }
    let before = Before::of(options)?;
    let load = |goal| {
        let named = options.data.as_ref();
        named.map(|name| source::load(name, &options.table(goal))).transpose()
    };
    let mut choice = chosen(options.task, options.loss.as_deref(), &load)?;
    let (goal, loss, fit) = (choice.goal, choice.loss, choice.fit);
    let mut notes = choice.source.as_ref().map_or_else(Vec::new, |source| source.notes.clone());
    let setting = options.setting.text()?;
    loss.setting(&objective::tensors_apart(loss, &setting)?.0)?;
    let (problem, model) = model::problem(options, goal, (loss, fit), choice.source.take())?;
    let objective = Objective::new(loss, fit, &setting, problem.sizes(), options.seed)?;
    let plan = plan(options, &*problem)?;
    let name = name(&*problem, model.as_ref(), &goal.name());
    let training = Training { parallel, problem, objective, plan, seed: options.seed };
    let trained = training.trained();
    parallel.broadcast(&trained)?;
    let words = [&options.optimizer[..], &options.schedule];
    let descent = Descent::new(&trained, words, (options.lr, plan.lr), plan.epochs)?;
    if let Some(encoder) = model.as_ref().and_then(|model| model.encoder.as_ref()) {
        notes.extend(training.check_targets(&encoder.target)?);
    }
    training.check()?;
    if options.find_rate {
        return find_rate::run(options, &training, descent);
    }
    let recipe = recipe::of(options, &choice, plan, parallel.shards())?;
    if let Some(before) = &before {
        recipe::goes_on(&recipe, &before.recipe, &before.checkpoint)?;
        let cure = "begin anew, without --resume";
        if let (Some(was), Some(now)) = (Model::load(&before.checkpoint)?.0, &model)
            && let Some(fingerprint) = &now.fingerprint
        {
            was.check_examples(fingerprint, cure)?;
        }
    }
    let resumed = before.as_ref().map(|before| before.checkpoint.as_path());
    let (task, files) = (goal.name(), Files::of(&options.out, &name, resumed));
    Run { options, training, model, task, notes, recipe, files, before }.all(descent)
}

/// How long to train.
fn plan(options: &Options, problem: &dyn Problem) -> Result<Defaults> {
    let defaults = problem.defaults();
    let plan = Defaults {
        epochs: options.epochs.unwrap_or(defaults.epochs),
        batch: options.batch.unwrap_or(defaults.batch),
        lr: options.lr.unwrap_or(defaults.lr),
    };
    match plan.batch {
        0 => Err(lossgraph_data::Error::BatchSize.into()),
        _ => Ok(plan),
    }
}

/// The name of a run's files: after the data and the task; after the task alone, if it has no other
/// data.
fn name(problem: &dyn Problem, model: Option<&Model>, task: &str) -> String {
    let data = match model {
        Some(model) => Some(Path::new(&model.data).with_extension("")),
        None => problem.data().map(PathBuf::from),
    };
    let data = data.as_ref().and_then(|path| path.file_name());
    let data = data.map_or_else(String::new, |name| format!("{}-", name.to_string_lossy()));
    format!("{data}{task}")
}
