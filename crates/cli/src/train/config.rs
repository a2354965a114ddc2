//! Options from a TOML file, and from the checkpoint of a run that goes on.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args, Command};
use lossgraph_losses::find;
use lossgraph_nn::fit::LAST;
use toml::{Spanned, Table, Value};

use super::{Options, net, objective, optimizer, recipe, source};
use crate::names::named;
use crate::subject::Setting;
use crate::{message, output};

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

/// A file of options, with the names that the command line has for them. A value that an option does
/// not take is an error, even where the command line says another one.
fn read(path: &Path) -> Result<Table, String> {
    let fail = |why: String| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(format!("it cannot be read: {error}")))?;
    let table: BTreeMap<Spanned<String>, Value> =
        toml::from_str(&text).map_err(|error| fail(format!("it is no TOML: {error}")))?;
    let (mut options, mut lines) = (Table::new(), BTreeMap::new());
    let command = Options::augment_args(Command::new("train"));
    let known: Vec<(Vec<&str>, &Arg)> =
        command.get_arguments().filter_map(|option| Some((names(option)?, option))).collect();
    for (name, value) in table {
        let line = text[..name.span().start].matches('\n').count() + 1;
        let fail = |why: String| fail(format!("line {line}: {why}"));
        let (names, arg) =
            named("option", name.get_ref(), &known, |(names, _)| names.clone()).map_err(fail)?;
        let name = names[0];
        let words = option(name, &value).map_err(fail)?;
        let taken = taken(&command, &words);
        if !takes(arg, &value) || taken.is_err() {
            let why = taken.err().flatten().map_or(String::new(), |why| format!(": {why}"));
            let given = match &value {
                // JSON has no word for NaN.
                Value::Float(number) => number.to_string(),
                value => serde_json::to_string(value).unwrap_or_default(),
            };
            let expected = expected(arg);
            return Err(fail(format!("`{name}` is {given}, expected {expected}{why}")));
        }
        let known = CHECKS.iter().find(|(option, _)| *option == name);
        if let Some((_, check)) = known {
            check(&values(&words)).map_err(|why| fail(format!("`{name}`: {}", message(&*why))))?;
        }
        if value.as_array().is_some_and(Vec::is_empty) {
            let why = "expected one or more: leave it out for the default";
            return Err(fail(format!("`{name}` is [], {why}")));
        }
        lines.insert(name, line);
        if options.insert(name.to_owned(), value).is_some() {
            return Err(fail(format!("`{name}` is said twice")));
        }
    }
    check_setting(&options)
        .map_err(|why| fail(format!("line {}: `set`: {}", lines["set"], message(&*why))))?;
    Ok(options)
}

/// `Ok` if the words of an option are values of it.
type Check = fn(&[String]) -> super::Result<()>;

/// Options that the command line knows no more of than that they are words, and who does.
const CHECKS: [(&str, Check); 5] = [
    ("loss", |words| words.iter().try_for_each(|name| Ok(find(name).map(|_| ())?))),
    ("net", |words| words.iter().try_for_each(|name| net::kind(name).map(|_| ()))),
    ("data", |words| words.iter().try_for_each(|name| source::check(name))),
    ("optimizer", optimizer::check_optimizer),
    ("schedule", optimizer::check_schedule),
];

/// `Ok` if the loss of a file, where it names one, has the options that it sets, in their ranges.
fn check_setting(options: &Table) -> super::Result<()> {
    let (Some(set), Some(loss)) = (options.get("set"), options.get("loss").and_then(Value::as_str))
    else {
        return Ok(());
    };
    let (loss, setting) = (find(loss)?, Setting::of(values(&option("set", set)?)).text()?);
    objective::check_setting(loss, &setting)
}

/// The values of an option, without its name: those of `--hidden 64 32` or `--lr=0.1`.
fn values(words: &[String]) -> Vec<String> {
    match words {
        [one] => one.split_once('=').map(|(_, value)| value.to_owned()).into_iter().collect(),
        words => words.iter().skip(1).cloned().collect(),
    }
}

/// `Ok` if the command line takes an option, as it would be alone; else why not, if there is more to
/// say.
fn taken(command: &Command, words: &[String]) -> Result<(), Option<String>> {
    let words = std::iter::once("train").chain(words.iter().map(String::as_str));
    let matches = command.clone().try_get_matches_from(words);
    matches.map(|_| ()).map_err(|error| error.source().map(ToString::to_string))
}

/// Whether a value is of the type that an option has; one is a list of one.
fn takes(option: &Arg, value: &Value) -> bool {
    let is_word = |value: &Value| match type_of(option) {
        Type::Flag => value.is_bool(),
        Type::Integer => value.is_integer(),
        Type::Float => value.is_integer() || value.is_float(),
        Type::Text => value.is_str(),
    };
    match value {
        Value::Array(values) => is_list(option) && values.iter().all(is_word),
        Value::Table(_) => has_pairs(option),
        value => is_word(value),
    }
}

/// What an option takes, in words.
fn expected(option: &Arg) -> String {
    let words: Vec<String> = option
        .get_possible_values()
        .iter()
        .map(|word| format!("\"{}\"", word.get_name()))
        .collect();
    let one = match type_of(option) {
        Type::Flag => "true or false".to_owned(),
        Type::Integer => "a whole number in its range".to_owned(),
        Type::Float => "a number".to_owned(),
        Type::Text if !words.is_empty() => format!("one of {}", words.join(", ")),
        Type::Text => "a text in quotes".to_owned(),
    };
    match (has_pairs(option), is_list(option)) {
        (true, _) => "a table such as { delta = 2 }, or a list such as [\"delta=2\"]".to_owned(),
        (_, true) => format!("a list, each of it {one}"),
        _ => one,
    }
}

enum Type {
    Flag,
    Integer,
    Float,
    Text,
}

fn type_of(option: &Arg) -> Type {
    let of = option.get_value_parser().type_id();
    match option.get_action() {
        ArgAction::SetTrue => Type::Flag,
        _ if of == TypeId::of::<u64>() || of == TypeId::of::<usize>() => Type::Integer,
        _ if of == TypeId::of::<f64>() => Type::Float,
        _ => Type::Text,
    }
}

fn is_list(option: &Arg) -> bool {
    option.get_num_args().is_some_and(|count| count.max_values() > 1)
}

/// Whether each of its words is a name with a value.
fn has_pairs(option: &Arg) -> bool {
    let names = option.get_value_names().unwrap_or_default();
    is_list(option) && names.iter().all(|name| name.as_str() == "NAME=VALUE")
}

/// The long name of an option, and its others.
fn names(option: &Arg) -> Option<Vec<&str>> {
    let others = option.get_all_aliases().unwrap_or_default();
    Some([vec![option.get_long()?], others].concat())
}

/// The folder of a run's files, where its checkpoint stands in the folder of the run: it is the last one,
/// or beside it.
fn out_of(checkpoint: &Path) -> Option<PathBuf> {
    let of_run = checkpoint.parent()?;
    if checkpoint.file_name()? != LAST && !of_run.join(LAST).is_file() {
        return None;
    }
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
                Value::Array(values) => {
                    let words: Vec<String> =
                        values.iter().map(|value| word(key, value)).collect::<Result<_, _>>()?;
                    Ok(format!("{key}={}", words.join(",")))
                }
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
        assert_eq!(words("set = { weight = [1, 2.5] }"), ["--set", "weight=1,2.5"]);
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
    fn what_is_wrong_in_a_file_is_told_with_its_line_and_what_is_expected() {
        let name = format!("lossgraph-wrong-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).unwrap_err()
        };
        for (text, expected) in [
            ("lr = 0.1\nepochs = 0.5\n", "line 2: `epochs` is 0.5, expected a whole number"),
            ("epochs = 0", "line 1: `epochs` is 0, expected a whole number in its range"),
            ("lr = \"fast\"", "line 1: `lr` is \"fast\", expected a number"),
            ("json = \"yes\"", "line 1: `json` is \"yes\", expected true or false"),
            (
                "\n\nhidden = [8, \"x\"]",
                "line 3: `hidden` is [8,\"x\"], expected a list, each of it",
            ),
            (
                "epochs = 0",
                "line 1: `epochs` is 0, expected a whole number in its range: 0 is not in 1..",
            ),
            (
                "batch = 0",
                "line 1: `batch` is 0, expected a whole number in its range: 0 is not in",
            ),
            ("lr = -1", "line 1: `lr` is -1, expected a number: lr is -1, expected 0 or more"),
            ("lr = nan", "line 1: `lr` is NaN, expected a number: lr is NaN, expected 0 or more"),
            ("hidden = []", "line 1: `hidden` is [], expected one or more"),
            ("schedule = []", "line 1: `schedule` is [], expected one or more"),
            ("data = \"nope\"", "line 1: `data`: there is no data set `nope`"),
            (
                "\noptimizer = [\"adamw\", \"betas=0.9\"]",
                "line 2: `optimizer`: adamw: betas is `0.9`, expected",
            ),
            (
                "schedule = [\"step\", \"gamma=-1\"]",
                "line 1: `schedule`: step: gamma is -1, expected 0 or more",
            ),
            ("schedule = [\"step\", \"gamme=1\"]", "line 1: `schedule`: step: there is no option"),
            (
                "loss = \"cross_entropy\"\nset = { weight = [1, -2] }",
                "line 2: `set`: --set weight=1,-2: -2 is none of",
            ),
            (
                "loss = \"cross_entropy\"\nset = { label_smoothing = 7 }",
                "line 2: `set`: cross_entropy: label_smoothing is 7, expected 0 to 1",
            ),
            (
                "set = { delta = 2 }\nloss = \"mse\"",
                "line 1: `set`: mse: there is no option `delta`",
            ),
            ("task = \"sort\"", "line 1: `task` is \"sort\", expected one of \"classifier\", "),
            ("loss = [\"mse\"]", "line 1: `loss` is [\"mse\"], expected a text in quotes"),
            ("set = 2", "line 1: `set` is 2, expected a table such as { delta = 2 }"),
            ("optimizer = 1", "line 1: `optimizer` is 1, expected a list, each of it a text"),
            ("\nloss = \"hubre\"", "line 2: `loss`: there is no loss `hubre`; perhaps `huber`"),
            ("net = \"mlpp\"", "line 1: `net`: there is no net `mlpp`; the nearest is `mlp`"),
            (
                "optimizer = \"sgdd\"",
                "line 1: `optimizer`: optimizer: there is no optimizer `sgdd`",
            ),
            (
                "schedule = \"step gamma=1\"",
                "line 1: `schedule`: `step gamma=1`: a name and its options are words of their own",
            ),
            ("# lr\nepoch = 3", "line 2: there is no option `epoch`; the nearest is `epochs`"),
            ("lr = 1\nlr = 2", "it is no TOML"),
        ] {
            let told = told(text);
            assert!(told.starts_with(&format!("{}: {expected}", path.display())), "{told}");
        }
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
