//! The options of `lossgraph train`, and which of them a training has no use for.

use std::path::PathBuf;

use clap::Args;
use lossgraph_data::{Missing, TargetKind};

use super::goal::Goal;
use super::{Result, net, optimizer, source};
use crate::subject::Setting;

/// The folder for what runs leave, where nobody says another one.
pub const OUT: &str = "out";

/// The forms of the command.
const USAGE: &str = "lossgraph train [OPTIONS]
       lossgraph train --resume <CHECKPOINT> [--epochs <EPOCHS>]
       lossgraph train [OPTIONS] --find-rate
       lossgraph train [OPTIONS] --every-loss";

/// What to train, and how.
#[derive(Args, Clone)]
#[command(args_override_self = true, override_usage = USAGE)]
pub struct Options {
    /// What to train [default: what the loss is for; without a loss, a classifier]
    #[arg(long, value_enum)]
    pub task: Option<Goal>,
    /// The loss, by any of its names; `lossgraph losses` lists all [default: that of the task]
    #[arg(long)]
    pub loss: Option<String>,
    #[command(flatten)]
    pub setting: Setting,
    #[arg(long, value_name = "NAME or PATH", help = format!(
        "The data: {}; or a CSV file with a header, a folder with the files of MNIST or \
         Fashion-MNIST, or a folder with a folder of PNG files for each class [default: what the \
         task is made for]", source::names()
    ))]
    pub data: Option<String>,
    /// The column of a table that is learned: classes if it has words, numbers if it has numbers.
    /// `--task classifier` takes numbers for classes.
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Columns of a table that are left out, such as the numbers of its rows.
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    pub ignore: Vec<String>,
    /// What becomes of missing values of a table: the mean of the column, the same with one more
    /// column that flags them, or the row is dropped [default: mean]
    #[arg(long, value_enum)]
    pub missing: Option<MissingValues>,
    #[arg(long, help = format!(
        "The net of a classifier, an embedding or numbers: {} [default: {}]",
        net::ALL.iter().map(|row| format!("{} ({})", row.name, row.about)).collect::<Vec<_>>().join(", "),
        net::DEFAULT
    ))]
    pub net: Option<String>,
    /// The sizes of the net's hidden layers [default: 128]
    #[arg(long, value_name = "SIZE", num_args = 1..,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub hidden: Vec<usize>,
    /// How often to see every example [default: 60, or what the task takes]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: Option<u64>,
    #[arg(long, num_args = 1.., value_names = ["NAME", "OPTION=VALUE"], help = format!(
        "The optimizer, and options of it: {} [default: {}]", optimizer::optimizers(), optimizer::DEFAULT
    ))]
    pub optimizer: Vec<String>,
    #[arg(long, num_args = 1.., value_names = ["NAME", "OPTION=VALUE"], help = format!(
        "How the rate changes from epoch to epoch: {}; reduce_on_plateau observes the loss of training \
         [default: it falls to 0 along half a cosine]",
        optimizer::schedules()
    ))]
    pub schedule: Vec<String>,
    /// The learning rate at the start [default: that of the optimizer; of adamw 0.003, or what the
    /// task takes]
    #[arg(long, allow_negative_numbers = true, value_parser = rate)]
    pub lr: Option<f64>,
    /// Examples a step [default: 32, or what the task takes]
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub batch: Option<usize>,
    /// The seed of the first parameters, of dropout, and of the order of examples.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Batch normalization behind each hidden layer.
    #[arg(long)]
    pub batch_norm: bool,
    /// The parts that each batch is cut into, for several processes (`mpirun -n 4 lossgraph train`):
    /// a multiple of their number, on which the bits depend, as they do not on that of the processes
    /// [default: 1, or 8 if a launcher such as mpirun started the program]
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub shards: Option<usize>,
    /// Stop when the figure of the test part was not better than the best for so many epochs, and
    /// keep the best.
    #[arg(long, value_name = "EPOCHS", alias = "patience",
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub early_stop: Option<usize>,
    /// Go on with a run that was interrupted or killed, or that is to see more epochs, from
    /// `last.safetensors` of its folder: it ends with the bits of one that ran through. Its options
    /// are those that it began with. With more epochs, a schedule that is as long as the training goes
    /// on as the longer one, and that is told.
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
    /// Write the model after every so many epochs, too, and not only at the end.
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u64).range(1..))]
    pub save_every: Option<u64>,
    /// The folder for the model, for the checkpoints to go on from, and for the picture of an
    /// embedding.
    #[arg(long, default_value = OUT)]
    pub out: PathBuf,
    /// Train for some steps with rates from very low to very high, and say which is a good one.
    /// Nothing is written.
    #[arg(long, conflicts_with_all = ["every_loss", "resume", "early_stop", "save_every", "epochs",
        "schedule", "lr"])]
    pub find_rate: bool,
    /// Train with every loss of the catalogue, on what it is made for, and write a table.
    #[arg(long, conflicts_with_all = ["loss", "set", "task", "data", "target", "ignore", "missing",
        "net", "hidden", "batch_norm", "early_stop", "resume", "save_every"])]
    pub every_loss: bool,
    /// A TOML file with these options, by their long names: `loss = "huber"`. Options of the command
    /// line come before those of the file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the final figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// A learning rate.
///
/// # Errors
/// One that no optimizer has.
fn rate(text: &str) -> std::result::Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match rate >= 0.0 && rate.is_finite() {
        true => Ok(rate),
        false => Err(format!("lr is {rate}, expected 0 or more, and finite")),
    }
}

/// What becomes of missing values, by word.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingValues {
    Mean,
    Flag,
    Drop,
}

impl Options {
    /// How a table is read for a goal.
    pub fn table(&self, goal: Goal) -> source::TableOptions {
        source::TableOptions {
            target: self.target.clone(),
            ignore: self.ignore.clone(),
            missing: match self.missing {
                None | Some(MissingValues::Mean) => Missing::Mean,
                Some(MissingValues::Flag) => Missing::Flag,
                Some(MissingValues::Drop) => Missing::Drop,
            },
            kind: match (self.task, goal) {
                (Some(Goal::Classifier), _) => TargetKind::Classes,
                (Some(Goal::Numbers), _) => TargetKind::Numbers,
                // A loss of numbers picks the column; one that is named is what it is.
                (_, Goal::Numbers) if self.target.is_none() => TargetKind::Numbers,
                _ => TargetKind::AsFound,
            },
        }
    }

    /// The name of the net.
    pub fn net(&self) -> &str {
        self.net.as_deref().unwrap_or(net::DEFAULT)
    }

    /// The sizes of its hidden layers.
    pub fn hidden(&self) -> Vec<usize> {
        if self.hidden.is_empty() { vec![net::HIDDEN] } else { self.hidden.clone() }
    }

    /// `Ok` if nothing was said about a table where there is none.
    ///
    /// # Errors
    /// The first option that would be ignored.
    pub fn check_for_no_table(&self, data: &str) -> Result<()> {
        let given = [
            ("--target", self.target.is_some()),
            ("--ignore", !self.ignore.is_empty()),
            ("--missing", self.missing.is_some()),
        ];
        refuse(given, &format!("{data} are no table, which it is about"))
    }

    /// `Ok` if nothing was said about a net that the task does not choose.
    ///
    /// # Errors
    /// The first option that would be ignored.
    pub fn check_for_own_net(&self, goal: Goal) -> Result<()> {
        let given = [
            ("--net", self.net.is_some()),
            ("--hidden", !self.hidden.is_empty()),
            ("--batch-norm", self.batch_norm),
        ];
        refuse(given, &format!("the task {} has a net of its own", goal.name()))
    }

    /// `Ok` if nothing was said about layers that a kind of net does not have.
    ///
    /// # Errors
    /// The first option that would be ignored.
    pub fn check_for_net(&self, kind: &net::Row) -> Result<()> {
        let given = [("--hidden", !self.hidden.is_empty()), ("--batch-norm", self.batch_norm)];
        match kind.is_deep {
            true => Ok(()),
            false => refuse(given, &format!("the net {} has no hidden layers", kind.name)),
        }
    }
}

fn refuse<const N: usize>(given: [(&str, bool); N], why: &str) -> Result<()> {
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(format!("{option}: {why}: leave it out").into()),
    }
}
