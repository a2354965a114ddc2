//! Has the cases made, runs them, and prints a table of all entries.

mod calls;
mod differences;
mod left_out;
mod rows;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use lossgraph_autograd::Tape;
use serde_json::Value;

use crate::golden_runner::case::{Adapter, Inputs};
use crate::golden_runner::{Part, Stop, function, losses, ops};

/// How an entry of PyTorch's tables is called here.
pub struct Row {
    entry: &'static str,
    call: Call,
    differs: &'static [Difference],
    /// Why PyTorch's numbers are right to six digits only, where they are.
    rough: Option<&'static str>,
}

enum Call {
    /// As the golden file of that name.
    Golden(&'static str),
    Here(Adapter),
}

/// What is different on purpose.
pub struct Difference {
    part: Part,
    /// In which cases.
    when: fn(&Value) -> bool,
    because: &'static str,
}

/// What became of the cases of an entry.
#[derive(Default)]
struct Tally {
    equal: usize,
    different: Vec<&'static str>,
    unsupported: Vec<String>,
    failures: Vec<String>,
}

pub fn main() -> ExitCode {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|each| each == "--ignored" || each == "--include-ignored") {
        println!("\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n");
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|each| !each.starts_with('-')).collect();
    let folder = match folder(&wanted) {
        Ok(folder) => folder,
        Err(why) => {
            println!("{why}");
            return ExitCode::SUCCESS;
        }
    };
    let entries = match read(&folder.join("entries.json")) {
        Ok(Value::Object(entries)) => entries,
        Ok(_) => return complain("entries.json is not what it was"),
        Err(error) => return complain(&error),
    };
    // Panics are caught, and told with their case.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut failures, mut counts) = (Vec::new(), [0; 5]);
    println!("{:<44} {:>5}  what became of it", "entry", "equal");
    for (entry, made) in &entries {
        if !wanted.is_empty() && !wanted.iter().any(|part| entry.contains(part.as_str())) {
            continue;
        }
        let row = rows::ROWS.iter().find(|row| row.entry == entry);
        let (kind, equal, said) = match (row, left_out::reason(entry)) {
            (Some(_), Some(_)) => (4, 0, "has a row and a reason to be left out".to_owned()),
            (None, None) => (4, 0, "has no row, and no reason to be left out".to_owned()),
            (None, Some(reason)) => (3, 0, format!("left out: {reason}")),
            (Some(row), None) => {
                let tally = run(row, made, &folder);
                let mut said = said(&tally, made);
                if let Some(why) = row.rough {
                    said = format!("to six digits: {why}; {said}");
                }
                let kind = match &tally {
                    t if !t.failures.is_empty() => 4,
                    t if !t.unsupported.is_empty() => 2,
                    t if !t.different.is_empty() => 1,
                    _ => 0,
                };
                failures.extend(tally.failures.iter().map(|why| format!("{entry}, {why}")));
                (kind, tally.equal, said)
            }
        };
        if kind == 4 && row.is_none() {
            failures.push(format!("{entry}: {said}"));
        }
        counts[kind] += 1;
        println!("{entry:<44} {equal:>5}  {said}");
    }
    if wanted.is_empty() {
        let stale = |name: &str| !entries.contains_key(name);
        let rows = rows::ROWS.iter().map(|row| row.entry).filter(|name| stale(name));
        failures.extend(rows.map(|name| format!("{name}: there is no such entry any more")));
    }
    if !failures.is_empty() {
        println!("\nfailures:");
        failures.iter().for_each(|why| println!("    {why}"));
    }
    let [equal, different, partly, left_out, failed] = counts;
    println!(
        "\n{equal} entries equal; {different} equal but for differences on purpose; {partly} with options \
         that we lack; {left_out} left out; {failed} failed; {} failures; {:.0} s",
        failures.len(),
        started.elapsed().as_secs_f64()
    );
    println!(
        "\ntest result: {}. {} passed; {failed} failed; {left_out} ignored; 0 measured; 0 filtered out\n",
        if failures.is_empty() { "ok" } else { "FAILED" },
        equal + different + partly
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The folder of cases: that of the environment, or a new one; or why there is none.
fn folder(wanted: &[&String]) -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("LOSSGRAPH_OPINFO") {
        return Ok(PathBuf::from(folder));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("opinfo");
    let python = std::env::var_os("LOSSGRAPH_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/opinfo.py");
    let mut command = Command::new(&python);
    command.arg(script).arg(&folder);
    // An entry is found by its name without the variant.
    command.args(wanted.iter().filter(|part| !part.contains('.')));
    match command.status() {
        Err(error) => Err(format!("opinfo did not run: {}: {error}", python.display())),
        Ok(status) if status.success() => Ok(folder),
        Ok(status) if status.code() == Some(3) => Err("there is no torch to compare with".into()),
        Ok(status) => Err(format!("opinfo did not run: the script ended with {status}")),
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn complain(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// Runs the cases of an entry.
fn run(row: &Row, made: &Value, folder: &Path) -> Tally {
    let mut tally = Tally::default();
    let last = row.entry.rsplit('.').next().unwrap_or(row.entry);
    let adapter = match row.call {
        Call::Here(adapter) => Some(adapter),
        Call::Golden(file) => {
            let file = if file.is_empty() { last } else { file };
            ops::find(file).or_else(|| losses::find(file))
        }
    };
    let Some(adapter) = adapter else {
        tally.failures.push("its row names no golden file".to_owned());
        return tally;
    };
    if made["cases"] == 0 {
        return tally;
    }
    let path = folder.join(format!("{}.json", row.entry.replace('/', "_")));
    let file = match read(&path) {
        Ok(file) => file,
        Err(why) => {
            tally.failures.push(why);
            return tally;
        }
    };
    for case in file["cases"].as_array().into_iter().flatten() {
        let name = case["name"].as_str().unwrap_or("?");
        let mut case = case.clone();
        if row.rough.is_some() {
            case["tags"] = serde_json::json!(["extreme"]);
        }
        let case = &case;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let tape = Tape::f64();
            let inputs = Inputs::record(&tape, case);
            function::check(case, &inputs, &function::outputs(adapter, &inputs)?)
        }));
        match outcome {
            Ok(Ok(_)) => tally.equal += 1,
            Ok(Err(Stop::Unsupported(why))) => tally.unsupported.push(why),
            Ok(Err(Stop::Failed(failures))) => {
                let known = |part: Part| {
                    row.differs.iter().find(|each| each.part == part && (each.when)(case))
                };
                for failure in failures {
                    match known(failure.part) {
                        Some(difference) => tally.different.push(difference.because),
                        None => tally.failures.push(format!("{name}: {}", failure.text)),
                    }
                }
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?");
                tally.failures.push(format!("{name}: panicked: {text}"));
            }
        }
    }
    tally
}

/// What the table says of an entry.
fn said(tally: &Tally, made: &Value) -> String {
    let mut parts = Vec::new();
    let mut reasons = tally.different.clone();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let count = tally.different.iter().filter(|each| **each == reason).count();
        parts.push(format!("{count} differ: {reason}"));
    }
    let mut missing = tally.unsupported.clone();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        parts.push(format!("{} missing: {}", tally.unsupported.len(), missing.join(", ")));
    }
    if !tally.failures.is_empty() {
        parts.push(format!("{} FAILED", tally.failures.len()));
    }
    if made["cases"] == 0 {
        let why = made["left_out"].as_object().and_then(|why| why.keys().next().cloned());
        parts.push(format!("no cases: {}", why.unwrap_or("they are large".to_owned())));
    }
    parts.join("; ")
}
