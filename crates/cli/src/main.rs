//! The `lossgraph` program.

mod check;
mod evaluate;
mod explain;
mod losses;
mod names;
mod output;
mod pca;
mod plot;
#[cfg(feature = "png")]
mod png;
mod predict;
mod scatter;
mod subject;
mod train;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use output::Closed;

/// Train small models, and see how their losses work.
#[derive(Parser)]
#[command(name = "lossgraph", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a net with any loss, on data that come with the program or a file of one's own.
    Train(Box<train::Options>),
    /// Say how good a checkpoint is on data with their targets.
    Evaluate(evaluate::Options),
    /// Print what a checkpoint predicts for the rows of a file.
    Predict(predict::Options),
    /// Check the derivatives of losses against finite differences. Exits with 1 if one is wrong, or
    /// if nothing could be checked.
    Check(check::Options),
    /// Write a page on which a loss opens into its ops and is stepped through, forward and backward.
    Explain(explain::Options),
    /// List the losses, or show one of them with its formula and options.
    Losses(losses::Options),
    /// Draw a loss and its slope, or lines of equal loss, as a picture or as text.
    Plot(plot::Options),
}

fn main() -> ExitCode {
    let arguments = match train::config::expanded(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(why) => {
            output::complain(format_args!("error: {why}"));
            return ExitCode::FAILURE;
        }
    };
    let done = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => run(&arguments.command),
        // Help and version are no errors.
        Err(usage) if !usage.use_stderr() => output::print(usage.to_string()).map(|()| true),
        Err(usage) => {
            output::complain(usage.to_string().trim_end());
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(format_args!("error: {}", message(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command, and says whether all is well.
fn run(command: &Command) -> Result<bool, Box<dyn Error>> {
    match command {
        Command::Train(options) => train::run(options).map(|()| true),
        Command::Evaluate(options) => evaluate::run(options).map(|()| true),
        Command::Predict(options) => predict::run(options).map(|()| true),
        Command::Check(options) => check::run(options),
        Command::Explain(options) => explain::run(options).map(|()| true),
        Command::Losses(options) => losses::run(options).map(|()| true),
        Command::Plot(options) => plot::run(options).map(|()| true),
    }
}

/// The message of an error: of a recorded program with its operands and the cure, but not with the
/// lines of ours that recorded it; else a line.
fn message(error: &(dyn Error + 'static)) -> String {
    let of_training = match error.downcast_ref() {
        Some(lossgraph_nn::Error::Program(fault)) => Some(fault),
        _ => None,
    };
    match error.downcast_ref::<lossgraph_autograd::Error>().or(of_training) {
        Some(fault) => fault.without_locations(),
        None => error.to_string(),
    }
}
