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
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use output::Closed;
use train::interrupt::{self, Interrupted};

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
    /// Check the derivatives of losses, or of any program, against finite differences.
    ///
    /// Exits with 0 if all that was compared is right; with 1 if a derivative is wrong, if nothing
    /// could be compared, or if a program does not answer as it should; with 2 if the command line is
    /// wrong.
    Check(check::Options),
    /// Write a page on which a loss opens into its ops and is stepped through, forward and backward.
    Explain(explain::Options),
    /// List the losses, or show one of them with its formula and options.
    Losses(losses::Options),
    /// Draw a loss and its slope, or lines of equal loss, as a picture or as text.
    Plot(plot::Options),
}

fn main() -> ExitCode {
    if let Some(told) = std::env::var_os(THREADS).and_then(|given| unread(&given)) {
        output::remark(told);
    }
    let arguments = match train::config::expanded(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(why) => {
            output::complain(format_args!("error: {why}"));
            return ExitCode::FAILURE;
        }
    };
    let done = match parse(arguments) {
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
        Err(error) if error.is::<Interrupted>() => {
            output::complain(error);
            ExitCode::from(interrupt::STATUS)
        }
        Err(error) => {
            output::complain(format_args!("error: {}", message(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// The variable that says how many threads compute.
const THREADS: &str = "LOSSGRAPH_THREADS";

/// That the number of threads is that of the cores, if what is given is no number of them.
fn unread(given: &OsStr) -> Option<String> {
    let count = given.to_str().and_then(|text| text.parse::<usize>().ok());
    match count.is_some_and(|count| count > 0) {
        true => None,
        false => Some(format!(
            "{THREADS} is `{}`, expected 1 or more: there is a thread for each core",
            given.display()
        )),
    }
}

/// The arguments. Help is as wide as the terminal, or 80 columns where there is none.
fn parse(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let command = match std::io::stdout().is_terminal() || std::env::var_os("COLUMNS").is_some() {
        true => Arguments::command(),
        false => Arguments::command().term_width(80),
    };
    Arguments::from_arg_matches(&command.try_get_matches_from(arguments)?)
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
    use lossgraph_nn::Error::{Fit, Metric, NanLoss, NotFinite, Program};
    match (error.downcast_ref(), error.downcast_ref::<lossgraph_autograd::Error>()) {
        (_, Some(fault)) | (Some(Program(fault)), _) => without_code(&fault.without_locations()),
        (Some(NotFinite { parameter, .. }), _) => format!(
            "the gradient of `{parameter}` is not finite; the last checkpoint is as it was\n\
             perhaps: a lower --lr, which --find-rate finds, or numbers of the data that are far too large"
        ),
        (Some(NanLoss), _) => "the loss is NaN; the last checkpoint is as it was\n\
             perhaps: a larger --batch where --set weight leaves out all of its classes, or a loss that \
             takes such data"
            .to_owned(),
        (Some(Metric { subject, why }), _) => match why.split_once(": `tape.") {
            None => error.to_string(),
            Some((why, _)) => {
                format!("{subject}: {why}: the model's parameters, or its data, are not all finite")
            }
        },
        (Some(Fit { epoch, batch, source }), _) => {
            format!("epoch {}, batch {}: {}", epoch + 1, batch + 1, message(&**source))
        }
        _ => error.to_string(),
    }
}

/// A message without those of its cures that take a tape: they help nobody who wrote no program.
fn without_code(text: &str) -> String {
    const CURE: &str = "perhaps: ";
    let plain = |line: &str| match line.strip_prefix(CURE) {
        None => Some(line.to_owned()),
        Some(cures) => {
            let cures: Vec<&str> =
                cures.split("; ").filter(|cure| !cure.contains("tape.")).collect();
            (!cures.is_empty()).then(|| CURE.to_owned() + &cures.join("; "))
        }
    };
    text.lines().filter_map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_threads_that_is_none_is_told() {
        for bad in ["abc", "0", "-1", "", "2.5"] {
            assert!(
                unread(OsStr::new(bad)).is_some_and(|told| told.contains("1 or more")),
                "{bad}"
            );
        }
        assert_eq!(unread(OsStr::new("8")), None);
    }

    #[test]
    fn what_a_metric_does_not_take_is_told_without_a_tape() {
        let nan = lossgraph_tensor::Tensor::from([[f64::NAN, 0.0]]);
        let error = lossgraph_nn::accuracy(&nan, &[0]).unwrap_err();
        let told = message(&error);
        assert!(told.starts_with("accuracy: a score of example 0 is NaN: the model's"), "{told}");
    }

    #[test]
    fn cures_for_programs_are_left_out_and_others_stay() {
        let text = "a: it holds integers\nperhaps: 2.0 instead of 2; tape.constant(…) for labels";
        assert_eq!(without_code(text), "a: it holds integers\nperhaps: 2.0 instead of 2");
        let text = "commit: it is not finite\nperhaps: tape.find_nan(loss) names the op";
        assert_eq!(without_code(text), "commit: it is not finite");
    }
}
