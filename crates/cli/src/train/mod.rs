//! `lossgraph train`: any loss of the catalogue, on the data that its task takes.

pub mod config;
mod every_loss;
pub mod goal;
pub mod model;
mod net;
pub mod objective;
mod optimizer;
mod run;
pub mod source;
mod sparkline;
pub mod tasks;

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use lossgraph_data::{Missing, TargetKind};
use lossgraph_nn::parallel::{self, Communicator, DataParallel};

use crate::subject::Setting;
use goal::{Goal, chosen};
use objective::Objective;
use run::Run;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What to train, and how.
#[derive(Args, Clone)]
#[command(args_override_self = true)]
pub struct Options {
    /// What to train [default: what the loss is for; without a loss, a classifier]
    #[arg(long, value_enum)]
    task: Option<Goal>,
    /// The loss, by any of its names; `lossgraph losses` lists all [default: that of the task]
    #[arg(long)]
    loss: Option<String>,
    #[command(flatten)]
    setting: Setting,
    #[arg(long, value_name = "NAME or PATH", help = format!(
        "The data: {}; or a CSV file with a header, a folder with the files of MNIST or \
         Fashion-MNIST, or a folder with a folder of PNG files for each class [default: what the \
         task is made for]", source::names()
    ))]
    data: Option<String>,
    /// The column of a table that is learned: classes if it has words, numbers if it has numbers.
    /// `--task classifier` takes numbers for classes.
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Columns of a table that are left out, such as the numbers of its rows.
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    ignore: Vec<String>,
    /// What becomes of missing values of a table: the mean of the column, the same with one more
    /// column that flags them, or the row is dropped.
    #[arg(long, value_enum, default_value = "mean")]
    missing: MissingValues,
    #[arg(long, default_value = "mlp", help = format!(
        "The net of a classifier, an embedding or numbers: {}",
        net::ALL.iter().map(|row| format!("{} ({})", row.name, row.about)).collect::<Vec<_>>().join(", ")
    ))]
    net: String,
    /// The sizes of the net's hidden layers.
    #[arg(long, value_name = "SIZE", num_args = 1.., default_values_t = [128])]
    hidden: Vec<usize>,
    /// How often to see every example [default: 60, or what the task takes]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    #[arg(long, num_args = 1.., value_names = ["NAME", "OPTION=VALUE"], help = format!(
        "The optimizer, and options of it: {} [default: {}]", optimizer::optimizers(), optimizer::DEFAULT
    ))]
    optimizer: Vec<String>,
    #[arg(long, num_args = 1.., value_names = ["NAME", "OPTION=VALUE"], help = format!(
        "How the rate changes from epoch to epoch: {} [default: it falls to 0 along half a cosine]",
        optimizer::schedules()
    ))]
    schedule: Vec<String>,
    /// The learning rate at the start [default: that of the optimizer; of adamw 0.003, or what the
    /// task takes]
    #[arg(long)]
    lr: Option<f64>,
    /// Examples a step [default: 32, or what the task takes]
    #[arg(long)]
    batch: Option<usize>,
    /// The seed of the first parameters, of dropout, and of the order of examples.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Batch normalization behind each hidden layer.
    #[arg(long)]
    batch_norm: bool,
    /// The parts that each batch is cut into, for several processes (`mpirun -n 4 lossgraph train`):
    /// a multiple of their number, on which the bits depend, as they do not on that of the processes
    /// [default: 1, or 8 if a launcher such as mpirun started the program]
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    shards: Option<usize>,
    /// Write the checkpoint after every so many epochs, too, and not only at the end.
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u64).range(1..))]
    save_every: Option<u64>,
    /// The folder for the checkpoint, and for the picture of an embedding.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Train with every loss of the catalogue, on what it is made for, and write a table.
    #[arg(long, conflicts_with_all = ["loss", "task", "data"])]
    every_loss: bool,
    /// A TOML file with these options, by their long names: `loss = "huber"`. Options of the command
    /// line come before those of the file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the final figures as one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// What becomes of missing values, by word.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum MissingValues {
    Mean,
    Flag,
    Drop,
}

impl Options {
    fn table(&self, goal: Goal) -> source::TableOptions {
        source::TableOptions {
            target: self.target.clone(),
            ignore: self.ignore.clone(),
            missing: match self.missing {
                MissingValues::Mean => Missing::Mean,
                MissingValues::Flag => Missing::Flag,
                MissingValues::Drop => Missing::Drop,
            },
            kind: match (self.task, goal) {
                (Some(Goal::Classifier), _) => TargetKind::Classes,
                (_, Goal::Numbers) => TargetKind::Numbers,
                _ => TargetKind::AsFound,
            },
        }
    }
}

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

/// Trains as one of some processes.
fn train(options: &Options, world: &dyn Communicator, shards: usize) -> Result<()> {
    let parallel = DataParallel::new(world, options.shards.unwrap_or(shards))?;
    if options.every_loss {
        return every_loss::run(options, parallel);
    }
    // Whatever can be wrong is found before the time is spent.
    let load = |goal| {
        let named = options.data.as_ref();
        named.map(|name| source::load(name, &options.table(goal))).transpose()
    };
    let choice = chosen(options.task, options.loss.as_deref(), &load)?;
    let goal::Choice { goal, loss, fit, source } = choice;
    loss.setting(&options.setting.text())?;
    let (problem, model) = model::problem(options, goal, (loss, fit), source)?;
    let objective =
        Objective::new(loss, fit, &options.setting.text(), problem.sizes(), options.seed)?;
    Run::new(options, parallel, problem, objective, (goal.name(), model))?.all()
}
