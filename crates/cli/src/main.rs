//! The `lossgraph` program.

mod check;
mod explain;
mod losses;
mod pca;
mod plot;
mod scatter;
mod subject;
mod train;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train small models, and see how their losses work.
#[derive(Parser)]
#[command(name = "lossgraph", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a classifier or an embedding net on handwritten digits.
    Train(train::Options),
    /// Check the derivatives of losses against finite differences. Exits with 1 if one is wrong.
    Check(check::Options),
    /// Write a page on which a loss opens into its ops and is stepped through, forward and backward.
    Explain(explain::Options),
    /// List the losses, or show one of them with its formula and options.
    Losses(losses::Options),
    /// Draw a loss and its slope, or lines of equal loss, as a picture or as text.
    Plot(plot::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(options) => train::run(&options).map(|()| true),
        Command::Check(options) => check::run(&options),
        Command::Explain(options) => explain::run(&options).map(|()| true),
        Command::Losses(options) => losses::run(&options).map(|()| true),
        Command::Plot(options) => plot::run(&options).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", message(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The message of an error: of a recorded program with its operands and the cure, else a line.
fn message(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<lossgraph_autograd::Error>() {
        Some(fault) => format!("{fault:?}"),
        None => error.to_string(),
    }
}
