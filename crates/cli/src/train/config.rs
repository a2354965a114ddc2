//! Options from a TOML file, and from the checkpoint of a run that goes on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, Args, Command};
use lossgraph_nn::fit::LAST;
use toml::{Table, Value};

use super::{Options, recipe};
use crate::names::named;
use crate::output;

/// Arguments with the options of the file that `--config` names, and of the checkpoint that
/// `--resume` names, in front of those of the command line. What the command line says comes before
/// what the file says, and that before what the checkpoint says; of a list as well, nothing is left
/// of what gives way.
pub fn expanded(arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let [_, command, rest @ ..] = &arguments[..] else { return Ok(arguments) };
    if command != "train" {
        return Ok(arguments);
    }
    let mut table = Table::new();
    if let Some(file) = value_of("config", rest) {
        table = read(Path::new(&file))?;
        if table.is_empty() {
            let file = Path::new(&file).display();
            output::complain(format_args!("{file}: it says nothing, so the defaults hold"));
        }
    }
    let in_file = table.get("resume").and_then(Value::as_str).map(OsString::from);
    let mut before = Table::new();
    if let Some(named) = value_of("resume", rest).or(in_file) {
        let path = recipe::checkpoint(Path::new(&named))?;
        before = recipe::read(&path)?;
        if let Some(out) = out_of(&path).and_then(|out| Some(out.to_str()?.to_owned())) {
            before.insert("out".to_owned(), Value::String(out));
        }
    }
    before.extend(table);
    let is_said = |name: &str| rest.iter().any(|argument| is_option(argument, name));
    before.retain(|name, _| !is_said(name));
    let options: Vec<OsString> = words(&before)?.into_iter().map(OsString::from).collect();
    let (command, rest) = arguments.split_at(2);
    Ok([command, &options, rest].concat())
}

/// Options as the command line has them.
pub fn words(table: &Table) -> Result<Vec<String>, String> {
    let each = table.iter().map(|(name, value)| option(name, value));
    Ok(each.collect::<Result<Vec<_>, String>>()?.concat())
}

/// A file of options, with the names that the command line has for them.
fn read(path: &Path) -> Result<Table, String> {
    let fail = |why: String| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(format!("it cannot be read: {error}")))?;
    let table: Table = text.parse().map_err(|error| fail(format!("it is no TOML: {error}")))?;
    let mut options = Table::new();
    let known = Options::augment_args(Command::new("train"));
    let known: Vec<Vec<&str>> = known.get_arguments().filter_map(names).collect();
    for (name, value) in table {
        let name = named("option", &name, &known, Vec::clone).map_err(fail)?[0].to_owned();
        option(&name, &value).map_err(fail)?;
        if options.insert(name.clone(), value).is_some() {
            return Err(fail(format!("`{name}` is said twice")));
        }
    }
    Ok(options)
}

/// The long name of an option, and its others.
fn names(option: &Arg) -> Option<Vec<&str>> {
    let others = option.get_all_aliases().unwrap_or_default();
    Some([vec![option.get_long()?], others].concat())
}

/// The folder of a run's files, where its checkpoint stands in the folder of the run.
fn out_of(checkpoint: &Path) -> Option<PathBuf> {
    if checkpoint.file_name()? != LAST {
        return None;
    }
    let of_run = checkpoint.parent()?;
    match of_run.file_name() {
        Some(_) => of_run.parent().map(|out| match out.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => out.to_owned(),
        }),
        None => std::path::absolute(of_run).ok()?.parent().map(Path::to_owned),
    }
}

/// Whether an argument is the option of a name, `--name` or `--name=value`.
fn is_option(argument: &OsString, name: &str) -> bool {
    let argument = argument.to_string_lossy();
    let Some(given) = argument.strip_prefix("--") else { return false };
    given.split('=').next() == Some(name)
}

/// The value of an option of the command line: the last one.
fn value_of(name: &str, rest: &[OsString]) -> Option<OsString> {
    let (at, argument) =
        rest.iter().enumerate().rev().find(|(_, argument)| is_option(argument, name))?;
    match argument.to_str().and_then(|text| text.split_once('=')) {
        Some((_, value)) => Some(value.into()),
        None => rest.get(at + 1).cloned(),
    }
}

/// An option as the command line has it: `lr = 0.1` is `--lr=0.1`, `json = true` is `--json`, and
/// `set = { delta = 2 }` is `--set delta=2`.
fn option(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let flag = format!("--{}", name.replace('_', "-"));
    if flag == "--config" {
        return Err("a file of options does not name another one".to_owned());
    }
    Ok(match value {
        Value::Boolean(true) => vec![flag],
        Value::Boolean(false) => Vec::new(),
        Value::Array(values) => {
            let words: Vec<String> =
                values.iter().map(|value| word(name, value)).collect::<Result<_, _>>()?;
            if words.is_empty() { Vec::new() } else { [vec![flag], words].concat() }
        }
        Value::Table(table) => {
            let pair = |(key, value): (&String, &Value)| match value {
                Value::Boolean(true) => Ok(key.clone()),
                value => Ok(format!("{key}={}", word(key, value)?)),
            };
            let words: Vec<String> = table.iter().map(pair).collect::<Result<_, String>>()?;
            if words.is_empty() { Vec::new() } else { [vec![flag], words].concat() }
        }
        value => vec![format!("{flag}={}", word(name, value)?)],
    })
}

fn word(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        _ => Err(format!("`{name}` is {}, expected a word or a number", value.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let table: Table = text.parse().unwrap();
        super::words(&table).unwrap()
    }

    #[test]
    fn a_file_says_options_as_the_command_line_does() {
        let text = "loss = \"huber\"\nlr = 0.1\nepochs = 3\njson = true\nbatch_norm = false\n";
        assert_eq!(words(text), ["--epochs=3", "--json", "--loss=huber", "--lr=0.1"]);
        assert_eq!(words("hidden = [64, 32]"), ["--hidden", "64", "32"]);
        assert_eq!(words("set = { delta = 2, weight = true }"), ["--set", "delta=2", "weight"]);
    }

    #[test]
    fn other_commands_have_no_file() {
        let arguments = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let check = arguments("lossgraph check --config x");
        assert_eq!(expanded(check.clone()).unwrap(), check);
        for command in ["lossgraph train --config no.toml", "lossgraph train --config=no.toml"] {
            let error = expanded(arguments(command)).unwrap_err();
            assert!(error.starts_with("no.toml: it cannot be read"), "{error}");
        }
        let error = expanded(arguments("lossgraph train --resume no/such")).unwrap_err();
        assert!(error.contains("--resume no/such: there is no such checkpoint"), "{error}");
    }

    #[test]
    fn what_the_command_line_says_leaves_nothing_of_what_a_file_says() {
        let name = format!("lossgraph-config-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = "hidden = [64, 32]\nbatch_norm = true\nset = [\"delta=2\"]\nlr = 0.5\n";
        std::fs::write(&path, text).unwrap();
        let file = path.to_str().unwrap();
        let said = ["--config", file, "--hidden", "8", "--lr=0.1"];
        let all = ["lossgraph", "train"].iter().chain(&said).map(OsString::from).collect();
        let given = expanded(all).unwrap();
        let expected = ["lossgraph", "train", "--batch-norm", "--set", "delta=2"];
        let expected: Vec<OsString> = expected.iter().chain(&said).map(OsString::from).collect();
        assert_eq!(given, expected);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_folder_of_a_run_says_where_its_files_are() {
        let out = |path: &str| out_of(Path::new(path));
        assert_eq!(out("a/run/last.safetensors"), Some("a".into()));
        assert_eq!(out("run/last.safetensors"), Some(".".into()));
        assert_eq!(out("a/run/kept.safetensors"), None);
    }
}
