//! `lossgraph check`: the derivatives of losses against finite differences.

mod junit;
mod self_test;

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
use serde_json::json;

use crate::output;
use crate::subject::{Setting, named};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a loss is checked that is not of the catalogue.
const OWN: &str = "check it in a program or a test: `check(|tape, x| my_loss(x[0], x[1]), &[p, t])` \
                   (README, \"A loss of your own\")";

/// What to check, and how.
#[derive(Args)]
pub struct Options {
    /// The losses, by any of their names; all of the catalogue if none is named.
    losses: Vec<String>,
    #[command(flatten)]
    setting: Setting,
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
    /// Inject faults of many kinds and sizes, and print which are found, and how often a right
    /// derivative is blamed.
    #[arg(long, conflicts_with_all = ["losses", "set", "junit", "order", "method", "full", "seeds"])]
    self_test: bool,
}

/// The methods of the checker, by their names.
fn methods() -> impl TypedValueParser<Value = Method> {
    let named = |name: String| Method::ALL.into_iter().find(|method| method.name() == name);
    PossibleValuesParser::new(Method::ALL.map(Method::name))
        .map(move |name| named(name).unwrap_or_default())
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

/// A report with the time that it took.
pub(crate) struct Timed {
    report: Report,
    loss: &'static Loss,
    took: Duration,
}

/// Checks, reports, and says by the exit code whether anything failed.
pub fn run(options: &Options) -> Result<bool> {
    let format = if options.json { Format::Json } else { Format::Text };
    if options.self_test {
        return self_test::run(options.seed, format);
    }
    let losses = chosen(&options.losses)?;
    if !options.setting.is_empty() && options.losses.is_empty() {
        return Err(
            "--set goes with the losses that it is for: lossgraph check LOSS --set …".into()
        );
    }
    let xml_alone = options.junit.as_deref().is_some_and(output::is_stdout);
    if xml_alone && options.json {
        return Err("--junit - and --json both print: one of them needs a file".into());
    }
    let last = options.seed.checked_add(options.seeds - 1);
    let last = last.ok_or_else(|| {
        let (seed, seeds) = (options.seed, options.seeds);
        format!("--seed {seed} --seeds {seeds}: seeds end at {}", u64::MAX)
    })?;
    let settings: usize = losses.iter().map(|loss| settings(loss, &options.setting).len()).sum();
    let method = if options.full { Method::Full } else { options.method };
    let started = Instant::now();
    let bar = progress((settings as u64).saturating_mul(options.seeds));
    let mut results = Vec::new();
    for case in cases(&losses, &options.setting, options.seed..=last) {
        let case = case?;
        bar.set_message(case.title());
        let started = Instant::now();
        let report = check(&case, method, options.order.into())?;
        results.push(Timed { report, loss: case.loss, took: started.elapsed() });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let nothing = results.iter().find(|timed| !timed.report.compared());
    if nothing.is_some() || results.is_empty() {
        let title = nothing.map_or("nothing", |timed| &timed.report.title);
        output::complain(format_args!("error: {title}: nothing was checked, so nothing is right"));
    }
    let passed = !results.is_empty() && results.iter().all(|timed| timed.report.passed());
    if let Some(file) = &options.junit {
        unless_closed(output::write(file, junit::suite(&results)?))?;
    }
    let text = match format {
        _ if xml_alone => String::new(),
        Format::Json => {
            let reports: Vec<_> = results.iter().map(|timed| timed.report.to_json()).collect();
            format!("{}\n", json!({ "passed": passed, "reports": reports }))
        }
        Format::Text if options.losses.is_empty() => summary(&losses, &results, started.elapsed()),
        Format::Text => results.iter().map(|timed| show(&timed.report)).collect(),
    };
    conclude(text, passed)
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
fn settings(loss: &Loss, setting: &Setting) -> Vec<String> {
    match setting.is_empty() {
        true => loss.grid.iter().map(|text| (*text).to_owned()).collect(),
        false => vec![setting.text()],
    }
}

/// The losses in their settings, with every seed.
fn cases(
    losses: &[&'static Loss],
    setting: &Setting,
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
        let of_loss = || results.iter().filter(|timed| std::ptr::eq(timed.loss, *loss));
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
    let failed = results.iter().filter(|timed| !timed.report.passed());
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
