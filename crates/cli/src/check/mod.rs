//! `lossgraph check`: the derivatives of losses, or of any program, against finite differences.

mod junit;
mod page;
mod program;
mod self_test;
mod timed;

use std::error::Error;
use std::io::IsTerminal;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use lossgraph_check::{Check, Method, Report, Verdict};
use lossgraph_losses::{ALL, BadSetting, Case, Loss};
use lossgraph_tensor::Tensor;
use serde_json::json;

use crate::output;
use crate::subject::{Setting, named};
use program::{Host, Limits, Program};
use timed::{Subject, Timed};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a loss is checked that is not of the catalogue.
const OWN: &str = "check it in a program or a test: `check(|tape, x| my_loss(x[0], x[1]), &[p, t])` \
                   (README, \"A loss of your own\"), or in any language: `lossgraph check --host torch`";

/// The forms of the command, since options of one do not go with another.
const USAGE: &str = "lossgraph check [OPTIONS] [LOSSES]... [--set <NAME=VALUE>...]
       lossgraph check [OPTIONS] --program <COMMAND> --inputs <FILE>
       lossgraph check [OPTIONS] --program <COMMAND> --draw <SHAPES>
       lossgraph check --host <HOST>
       lossgraph check --self-test [--seed <SEED>] [--json]";

/// How many seconds a program may take for an answer, if it is not said.
const TIMEOUT: &str = "60";

/// What to check, and how.
#[derive(Args)]
#[command(override_usage = USAGE)]
pub struct Options {
    /// The losses, by any of their names; all of the catalogue if none is named.
    losses: Vec<String>,
    #[command(flatten)]
    setting: Setting,
    /// A program that gives value and gradients of a loss: "python my_loss.py". It is asked in lines
    /// of JSON (docs/protocol.md).
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["losses", "set"])]
    program: Option<String>,
    /// Print such a program, to be filled in with a loss of yours.
    #[arg(long, value_enum, conflicts_with_all = ["losses", "set", "program"])]
    host: Option<Host>,
    /// The inputs of the program, from a file of JSON: {"logits": [[2.0, 1.0]], "labels": [0]}.
    #[arg(long, value_name = "FILE", requires = "program", conflicts_with = "draw")]
    inputs: Option<PathBuf>,
    /// The inputs of the program, drawn: "logits: [8, 10], labels: 8 of 0..10".
    #[arg(long, value_name = "SHAPES", requires = "program")]
    draw: Option<String>,
    /// Inputs of the program whose gradient stops on purpose, by name.
    #[arg(long, value_name = "NAME", requires = "program", value_delimiter = ',')]
    skip: Vec<String>,
    /// How many seconds the program may take for an answer.
    #[arg(long, value_name = "SECONDS", default_value = TIMEOUT, value_parser = seconds, requires = "program")]
    timeout: Duration,
    /// How many seconds it may take for its greeting, and for its first answer: libraries are loaded
    /// and compiled until then. Twice --timeout, if it is not given.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "program")]
    start_timeout: Option<Duration>,
    /// Fail, too, where a derivative that should be there could not be compared, as a second one that is
    /// missing: SKIPPED and NOISE count as FAIL, but for integers and what stops on purpose.
    #[arg(long)]
    strict: bool,
    /// 1 for gradients alone, 2 for Hessians as well.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    order: u8,
    /// Along random directions, element by element, or by Taylor's theorem.
    #[arg(long, default_value = Method::default().name(), value_parser = methods())]
    method: Method,
    /// Element by element: the same as `--method full`.
    #[arg(long, conflicts_with = "method")]
    full: bool,
    /// The seed of inputs and directions.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds to check with, from `--seed` on.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Print all results as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the results as JUnit XML to this file, too; `-` prints them instead.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a page of the results to this file, too; `-` prints it instead.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Inject faults of many kinds and sizes, and print which are found, and how often a right
    /// derivative is blamed.
    #[arg(long, conflicts_with_all = ["losses", "set", "junit", "html", "order", "method", "full", "seeds", "program", "host", "strict"])]
    self_test: bool,
}

/// The methods of the checker, by their names.
fn methods() -> impl TypedValueParser<Value = Method> {
    let named = |name: String| Method::ALL.into_iter().find(|method| method.name() == name);
    PossibleValuesParser::new(Method::ALL.map(Method::name))
        .map(move |name| named(name).unwrap_or_default())
}

/// A time limit in seconds.
fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or_else(|| "expected a number of seconds above 0".to_owned())
}

/// What results are printed as.
#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
}

/// Checks the mean of a loss on the inputs of a case.
pub(crate) fn check(case: &Case, method: Method, orders: usize) -> Result<Report> {
    let names = case.names().map(str::to_owned).collect();
    let skip = (0..case.samples.len()).filter(|&i| case.samples[i].detached).collect();
    let (title, seed) = (case.title(), case.seed);
    let check = Check { title, names, method, orders, seed, skip, ..Check::default() };
    let report = check.run(|tape, x| case.record(tape, x).mean(), &case.inputs)?;
    Ok(report.without_locations())
}

/// Checks, reports, and says by the exit code whether anything failed.
pub fn run(options: &Options) -> Result<bool> {
    let format = if options.json { Format::Json } else { Format::Text };
    if options.self_test {
        return self_test::run(options.seed, format);
    }
    if let Some(host) = options.host {
        return conclude(host.text().to_owned(), true);
    }
    let files = [&options.junit, &options.html].into_iter().flatten();
    let (printed, written): (Vec<_>, Vec<_>) = files.partition(|file| output::is_stdout(file));
    let printing = printed.len();
    if printing + usize::from(options.json) > 1 {
        return Err(
            "--junit -, --html - and --json all print: only one of them can, the others need a \
                    file"
                .into(),
        );
    }
    if let [first, second] = written[..]
        && lossgraph_file::is_same(first, second)
    {
        let file = first.display();
        return Err(
            format!("--junit and --html are both {file}: each needs a file of its own").into()
        );
    }
    // Before the time is spent: no result is lost because of a folder that is not there.
    for file in written {
        output::refuse_inputs(&options.inputs, file)?;
        lossgraph_file::check_writable(file)?;
    }
    let seeds = options.seeds()?;
    let started = Instant::now();
    let losses = if options.program.is_some() { Vec::new() } else { chosen(&options.losses)? };
    let results = match &options.program {
        Some(command) => of_program(command, options, seeds)?,
        None => of_losses(&losses, options, seeds)?,
    };
    let nothing = results.iter().find(|timed| !timed.compared());
    if nothing.is_some() || results.is_empty() {
        let title = nothing.map_or("nothing", |timed| &timed.report.title);
        let all_integers = nothing.is_some_and(Timed::is_of_integers);
        let cure =
            if all_integers { format!("\nperhaps: {}", program::TYPES) } else { String::new() };
        output::complain(format_args!(
            "error: {title}: nothing was checked: each derivative was skipped, or lost in noise{cure}"
        ));
    }
    let passed = !results.is_empty() && results.iter().all(Timed::passed);
    if let Some(file) = &options.junit {
        unless_closed(output::write(file, junit::suite(&results)?))?;
    }
    if let Some(file) = &options.html {
        unless_closed(output::write(file, page::of(&results)?))?;
    }
    let text = match format {
        _ if printing > 0 => String::new(),
        Format::Json => {
            let reports: Vec<_> = results.iter().map(Timed::to_json).collect();
            format!("{}\n", json!({ "passed": passed, "reports": reports }))
        }
        Format::Text if options.losses.is_empty() && options.program.is_none() => {
            summary(&losses, &results, started.elapsed())
        }
        Format::Text => results.iter().map(|timed| show(&timed.report)).collect(),
    };
    conclude(text, passed)
}

impl Options {
    fn seeds(&self) -> Result<RangeInclusive<u64>> {
        let last = self.seed.checked_add(self.seeds - 1).ok_or_else(|| {
            let (seed, seeds) = (self.seed, self.seeds);
            format!("--seed {seed} --seeds {seeds}: seeds end at {}", u64::MAX)
        })?;
        Ok(self.seed..=last)
    }

    fn limits(&self) -> Limits {
        let start = self.start_timeout.unwrap_or(self.timeout.saturating_mul(2));
        Limits { start, answer: self.timeout }
    }

    /// What a smaller case of a program is checked with, where it is not the default.
    fn of_smaller_cases(&self) -> String {
        let mut options = String::new();
        if self.order != 2 {
            options += &format!(" --order {}", self.order);
        }
        if seconds(TIMEOUT) != Ok(self.timeout) {
            options += &format!(" --timeout {}", self.timeout.as_secs_f64());
        }
        if let Some(start) = self.start_timeout {
            options += &format!(" --start-timeout {}", start.as_secs_f64());
        }
        options
    }

    /// A report, as strict as it is to be.
    fn judged(&self, timed: Timed) -> Timed {
        if self.strict { timed.strict() } else { timed }
    }

    fn method(&self) -> Method {
        if self.full { Method::Full } else { self.method }
    }
}

/// Checks losses of the catalogue, in their settings.
fn of_losses(
    losses: &[&'static Loss],
    options: &Options,
    seeds: RangeInclusive<u64>,
) -> Result<Vec<Timed>> {
    if !options.setting.is_empty() && options.losses.is_empty() {
        return Err(
            "--set goes with the losses that it is for: lossgraph check LOSS --set …".into()
        );
    }
    let setting = options.setting.text()?;
    let settings: usize = losses.iter().map(|loss| settings(loss, &setting).len()).sum();
    let bar = progress((settings as u64).saturating_mul(options.seeds));
    let mut results = Vec::new();
    for case in cases(losses, &setting, seeds) {
        let case = case?;
        bar.set_message(case.title());
        let started = Instant::now();
        let report = check(&case, options.method(), options.order.into())?;
        let took = started.elapsed();
        results.push(options.judged(Timed::of(report, Subject::Loss(case), took)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(results)
}

/// Checks a program, once for each seed.
fn of_program(command: &str, options: &Options, seeds: RangeInclusive<u64>) -> Result<Vec<Timed>> {
    let mut results = Vec::new();
    let mut started: Option<Program> = None;
    for seed in seeds {
        let drawn = program::inputs(options.inputs.as_deref(), options.draw.as_deref(), seed)?;
        let (names, inputs): (Vec<String>, Vec<Tensor>) = drawn.into_iter().unzip();
        let skipped = |name: &String| {
            names.iter().position(|each| each == name).ok_or_else(|| {
                format!("--skip {name}: there is no such input; there are {}", names.join(", "))
            })
        };
        let skip = options.skip.iter().map(skipped).collect::<std::result::Result<_, _>>()?;
        let program = match started.take() {
            Some(program) => program,
            None => Program::start(command, names.clone(), options.limits())?
                .with_options(options.of_smaller_cases()),
        };
        let (method, orders) = (options.method(), options.order.into());
        let title = command.to_owned();
        let check =
            Check { title, names, method, orders, seed, skip, progress: true, ..Check::default() };
        let clock = Instant::now();
        let report = check.run_black_box(&program, &inputs)?;
        results.push(options.judged(Timed::of(report, Subject::Program, clock.elapsed())));
        started = Some(program);
    }
    Ok(results)
}

/// Prints the last of what there is to say. Whether all is well does not depend on who reads it.
fn conclude(text: String, passed: bool) -> Result<bool> {
    unless_closed(output::print(text))?;
    Ok(passed)
}

/// A closed pipe is no failure of what is printed.
fn unless_closed(printed: Result<()>) -> Result<()> {
    match printed {
        Err(error) if error.is::<output::Closed>() => Ok(()),
        printed => printed,
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Loss>> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    names.iter().map(|name| Ok(named(name, OWN)?)).collect()
}

/// The setting that is given, or every one that a loss is checked in.
fn settings(loss: &Loss, setting: &str) -> Vec<String> {
    match setting.is_empty() {
        true => loss.grid.iter().map(|text| (*text).to_owned()).collect(),
        false => vec![setting.to_owned()],
    }
}

/// The losses in their settings, with every seed.
fn cases(
    losses: &[&'static Loss],
    setting: &str,
    seeds: RangeInclusive<u64>,
) -> impl Iterator<Item = std::result::Result<Case, BadSetting>> {
    losses.iter().flat_map(move |loss| {
        let seeds = seeds.clone();
        settings(loss, setting)
            .into_iter()
            .flat_map(move |text| seeds.clone().map(move |seed| Case::new(loss, &text, seed)))
    })
}

pub(crate) fn progress(len: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
    let bar = ProgressBar::new(len);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A report, with colors if a person reads it.
fn show(report: &Report) -> String {
    match std::io::stdout().is_terminal() {
        true => format!("{}\n", report.colored()),
        false => format!("{report}\n"),
    }
}

/// A line for each loss, and what failed in full.
fn summary(losses: &[&'static Loss], results: &[Timed], took: Duration) -> String {
    let width = losses.iter().map(|loss| loss.name.len()).max().unwrap_or(0).max(4);
    let mut text = format!(
        "{:<width$}  settings  derivatives  pass  kink  noise  fail  skipped  digits at least\n",
        "loss"
    );
    let mut all = [0; 5];
    for loss in losses {
        let of_loss = || results.iter().filter(|timed| timed.is_of(loss));
        let rows = || of_loss().flat_map(|timed| &timed.report.rows);
        let count = |name: &str| rows().filter(|row| row.verdict.name() == name).count();
        let counts = ["PASS", "KINK", "NOISE", "FAIL", "SKIPPED"].map(count);
        let passed = rows().filter(|row| row.verdict == Verdict::Pass);
        let digits = passed.map(|row| row.digits).fold(16.0, f64::min);
        let [pass, kink, noise, fail, skipped] = counts;
        text += &format!(
            "{:<width$}  {:>8}  {:>11}  {pass:>4}  {kink:>4}  {noise:>5}  {fail:>4}  {skipped:>7}  {digits:>6.1}\n",
            loss.name,
            of_loss().count(),
            rows().count() - skipped,
        );
        all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let failed = results.iter().filter(|timed| !timed.passed());
    failed.for_each(|timed| text += &format!("\n{}", show(&timed.report)));
    let [pass, kink, noise, fail, skipped] = all;
    let runs: usize = results.iter().map(|timed| timed.report.runs).sum();
    text + &format!(
        "\n{pass} pass, {kink} kink, {noise} noise, {fail} fail, {skipped} skipped; {} losses in {} \
         settings, {runs} runs in {:.1} s\n",
        losses.len(),
        results.len(),
        took.as_secs_f64(),
    )
}
