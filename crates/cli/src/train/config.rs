//! Options from a TOML file.

use std::ffi::OsString;
use std::path::Path;

use toml::Value;

/// Arguments with the options of the file that `--config` names put in front of those of the command
/// line, which so override them.
pub fn expanded(arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let Some(file) = file(&arguments) else { return Ok(arguments) };
    let path = Path::new(&file);
    let fail = |why: String| Err(format!("{}: {why}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return fail(format!("it cannot be read: {error}")),
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return fail(format!("it is no TOML: {error}")),
    };
    let mut options = Vec::new();
    for (name, value) in &table {
        match option(name, value) {
            Ok(given) => options.extend(given.into_iter().map(OsString::from)),
            Err(why) => return fail(why),
        }
    }
    let (command, rest) = arguments.split_at(2.min(arguments.len()));
    Ok([command, &options, rest].concat())
}

/// The file of `lossgraph train --config FILE`.
fn file(arguments: &[OsString]) -> Option<OsString> {
    let [_, command, rest @ ..] = arguments else { return None };
    if command != "train" {
        return None;
    }
    rest.iter().enumerate().find_map(|(at, argument)| match argument.to_str()? {
        "--config" => rest.get(at + 1).cloned(),
        text => text.strip_prefix("--config=").map(OsString::from),
    })
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
        let table: toml::Table = text.parse().unwrap();
        table.iter().flat_map(|(name, value)| option(name, value).unwrap()).collect()
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
        assert_eq!(file(&arguments("lossgraph check --config x")), None);
        assert_eq!(file(&arguments("lossgraph train --config=x")), Some("x".into()));
        let error = expanded(arguments("lossgraph train --config no.toml")).unwrap_err();
        assert!(error.starts_with("no.toml: it cannot be read"), "{error}");
    }
}
