//! Reads the golden files, runs their cases, and reports.

pub mod case;
pub mod compare;
mod e2e;
pub mod function;
pub mod losses;
pub mod ops;
mod optim;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::Value;

/// The folders of golden files, in the order of the report.
const FOLDERS: [&str; 5] = ["ops", "losses", "losses_more", "optim", "e2e"];

/// Differences that do not count: Hessian-vector products at kinks, boundaries and extremes.
pub type Advice = Vec<String>;

/// Which part of a case fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Invalid input is accepted.
    Refusal,
    Output,
    Gradient,
    SecondDerivative,
    /// A step of an optimizer, a schedule or a training.
    Trajectory,
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub part: Part,
    pub text: String,
}

/// Why a case does not pass.
#[derive(Clone, Debug)]
pub enum Stop {
    Failed(Vec<Failure>),
    /// The function, or one of its options, does not exist yet.
    Unsupported(String),
}

impl Stop {
    pub fn failed(part: Part, text: impl Into<String>) -> Stop {
        Stop::Failed(vec![Failure { part, text: text.into() }])
    }

    pub fn unsupported(why: impl Into<String>) -> Stop {
        Stop::Unsupported(why.into())
    }
}

/// A difference in a trajectory, with `?`.
impl From<String> for Stop {
    fn from(text: String) -> Stop {
        Stop::failed(Part::Trajectory, text)
    }
}

/// A case in which we differ from the recorded library on purpose. Only the named part may.
struct Deviation {
    file: &'static str,
    case: &'static str,
    part: Part,
    because: &'static str,
}

/// Where we do better than what is recorded.
const DEVIATIONS: &[Deviation] = &[
    Deviation {
        file: "ops/slice",
        case: "error_negative_step",
        part: Part::Refusal,
        because: "a step may be negative, as in NumPy: it is a view without a copy",
    },
    Deviation {
        file: "losses/multi_margin_loss",
        case: "error_p3",
        part: Part::Refusal,
        because: "the formula has a meaning and slopes for every p of 1 and more",
    },
];

/// The results of a file.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    unsupported: usize,
    deviating: usize,
    /// Why the first unsupported case is.
    why: Option<String>,
}

/// What is printed below the table, one line each.
#[derive(Default)]
struct Notes {
    failures: Vec<String>,
    deviations: Vec<String>,
    advice: Vec<String>,
}

pub fn main() -> ExitCode {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = arguments.iter().filter(|each| !each.starts_with('-')).collect();
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str()));
    let has = |flag: &str| arguments.iter().any(|each| each == flag);
    let root = match std::env::var_os("LOSSGRAPH_GOLDEN") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
    };
    let files = find(&root);
    if files.is_empty() {
        eprintln!("no golden files in {}", root.display());
        return ExitCode::FAILURE;
    }
    let files: Vec<_> = files.into_iter().filter(|(name, _)| wanted(name)).collect();
    if has("--list") {
        files.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} golden files of {}", files.len(), root.display());
    remember_panics();
    let (mut total, mut notes) = (Tally::default(), Notes::default());
    if !files.is_empty() {
        println!("\n{:<52} passed  failed  unsupported", "file");
    }
    for (name, path) in &files {
        let tally = run_file(name, path, &mut notes);
        row(name, &tally);
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.unsupported += tally.unsupported;
        total.deviating += tally.deviating;
    }
    if files.len() > 1 {
        row("total", &total);
    }
    print_all("failed", &notes.failures);
    print_all("deviating on purpose", &notes.deviations);
    if has("--advice") {
        print_all("advisory", &notes.advice);
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        if total.failed == 0 { "ok" } else { "FAILED" },
        total.passed,
        total.failed,
        total.unsupported + total.deviating,
        0,
        started.elapsed().as_secs_f64()
    );
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every golden file with its name, `folder/stem`, sorted within its folder.
fn find(root: &Path) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        files.extend(paths.into_iter().filter_map(|path| {
            let stem = path.file_stem()?.to_str()?.to_owned();
            Some((format!("{folder}/{stem}"), path))
        }));
    }
    files
}

fn row(name: &str, tally: &Tally) {
    let mark = if tally.failed > 0 { "  ✗" } else { "" };
    let why = tally.why.as_ref().map_or(String::new(), |why| format!("  {why}"));
    let deviating = match tally.deviating {
        0 => String::new(),
        count => format!("  {count} deviating"),
    };
    println!(
        "{name:<52} {:>6}  {:>6}  {:>11}{mark}{deviating}{why}",
        tally.passed, tally.failed, tally.unsupported
    );
}

fn print_all(title: &str, lines: &[String]) {
    if !lines.is_empty() {
        println!("\n{title}:");
        lines.iter().for_each(|line| println!("    {line}"));
    }
}

fn run_file(name: &str, path: &Path, notes: &mut Notes) -> Tally {
    let mut tally = Tally::default();
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let file = read
        .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    let file = match file {
        Ok(file) => file,
        Err(error) => {
            notes.failures.push(format!("{name}: {error}"));
            tally.failed += 1;
            return tally;
        }
    };
    for case in file["cases"].as_array().into_iter().flatten() {
        let case_name = case["name"].as_str().unwrap_or("?");
        let result = catch_unwind(AssertUnwindSafe(|| run_case(name, &file, case)));
        let result = result.unwrap_or_else(|_| {
            Err(Stop::failed(Part::Output, format!("panicked: {}", last_panic())))
        });
        match result {
            Ok(advice) => {
                tally.passed += 1;
                notes
                    .advice
                    .extend(advice.iter().map(|text| format!("{name}, {case_name}: {text}")));
            }
            Err(Stop::Unsupported(why)) => {
                tally.unsupported += 1;
                tally.why.get_or_insert(why);
            }
            Err(Stop::Failed(failures)) => {
                let known = |failure: &Failure| {
                    DEVIATIONS
                        .iter()
                        .find(|d| d.file == name && d.case == case_name && d.part == failure.part)
                };
                if failures.iter().all(|failure| known(failure).is_some()) {
                    tally.deviating += 1;
                } else {
                    tally.failed += 1;
                }
                for failure in failures {
                    let text = &failure.text;
                    match known(&failure) {
                        Some(d) => notes
                            .deviations
                            .push(format!("{name}, {case_name}: {text}; {}", d.because)),
                        None => notes.failures.push(format!("{name}, {case_name}: {text}")),
                    }
                }
            }
        }
    }
    tally
}

/// Runs a case by the kind of its file.
fn run_case(name: &str, file: &Value, case: &Value) -> Result<Advice, Stop> {
    let stem = name.split('/').next_back().unwrap_or(name);
    match file["kind"].as_str() {
        Some(kind @ ("op" | "loss")) => {
            let adapter = if kind == "op" { ops::find(stem) } else { losses::find(stem) };
            match adapter {
                Some(adapter) => function::run(stem, case, adapter),
                None => Err(Stop::unsupported(format!("there is no {stem}"))),
            }
        }
        Some("optim" | "clip" | "scheduler") => optim::run(file, case).map(|()| Advice::new()),
        Some("e2e") => e2e::run(file, case).map(|()| Advice::new()),
        kind => Err(Stop::unsupported(format!("there is no kind {kind:?}"))),
    }
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says for the report, and off the screen.
fn remember_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string().replace('\n', " ");
        PANIC.with(|last| *last.borrow_mut() = text);
    }));
}

fn last_panic() -> String {
    PANIC.with(|last| last.take())
}
