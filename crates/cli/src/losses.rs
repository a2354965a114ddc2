//! `lossgraph losses`: the catalogue, or one loss of it.

use std::error::Error;

use clap::Args;
use lossgraph_losses::{ALL, Choice, Loss, OptionKind, Sample};
use serde_json::{Value, json};

use crate::output;
use crate::subject::named;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What there is to read about a loss that is not of the catalogue.
const OWN: &str = "write it as a function of `Var`s (README, \"A loss of your own\")";

/// How wide lines may get; words that are longer alone are not broken.
const WIDTH: usize = 100;

/// What to show of the catalogue, and how.
#[derive(Args)]
pub struct Options {
    /// A loss, by any of its names: cross_entropy, CrossEntropyLoss, nn.BCELoss. Without one, all.
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the catalogue, or a loss of it.
pub fn run(options: &Options) -> Result<()> {
    let text = match (&options.name, options.json) {
        (None, false) => listing(),
        (None, true) => pretty(&ALL.iter().map(|loss| summary(loss)).collect())?,
        (Some(name), json) => {
            let loss = named(name, OWN)?;
            if json { pretty(&description(loss))? } else { page(loss) }
        }
    };
    output::print(text)
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Every loss with its line and its other names, by families.
fn listing() -> String {
    let widest = ALL.iter().map(|loss| loss.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut family = "";
    for loss in ALL {
        if loss.family != family {
            let gap = if family.is_empty() { "" } else { "\n" };
            text += &format!("{gap}{}\n", loss.family.replace('_', " "));
            family = loss.family;
        }
        text += &row(2, widest, loss.name, loss.summary);
        if !loss.aliases.is_empty() {
            text += &row(2, widest, "", &format!("also {}", loss.aliases.join(", ")));
        }
    }
    text + "\n`lossgraph losses NAME` shows a loss, by any of its names.\n"
}

/// All that the catalogue says of a loss.
fn page(loss: &Loss) -> String {
    let mut text = row(0, 0, loss.name, loss.summary) + "\n";
    let aliases = loss.aliases.join(", ");
    for (name, said) in [
        ("also", aliases.as_str()),
        ("family", loss.family),
        ("formula", loss.formula),
        ("shapes", loss.shapes),
        ("unit", loss.unit),
        ("range", loss.range),
        ("source", loss.source),
    ] {
        if !said.is_empty() {
            text += &row(0, "formula".len(), name, said);
        }
    }
    let inputs = loss.inputs.iter().map(|each| (each.name, about_input(each)));
    text += &section("inputs, with the shapes of the samples", inputs.collect());
    let options = loss.options.iter().map(|each| (each.name, about_option(each)));
    text += &section("options", options.collect());
    text
}

/// A title with rows below it, or nothing where there are none.
fn section(title: &str, rows: Vec<(&str, String)>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let rows: String = rows.iter().map(|(name, about)| row(2, widest, name, about)).collect();
    format!("\n{title}\n{rows}")
}

fn about_input(sample: &Sample) -> String {
    let about =
        if sample.optional { format!("; optional: {}", sample.about) } else { String::new() };
    let detached = match (sample.detached, sample.partly) {
        (false, _) => "",
        (true, false) => "; no gradient flows through it",
        (true, true) => "; no gradient flows through some of its uses",
    };
    format!("{:?}  {}{about}{detached}", sample.shape, sample.domain)
}

fn about_option(choice: &Choice) -> String {
    let words = match choice.kind {
        OptionKind::Word(words) => format!("; one of {}", words.join(", ")),
        _ => String::new(),
    };
    format!("{}; default {}{words}", choice.about, choice.kind)
}

/// A name in a column of its own, and what is said of it beside it, in as many lines as it takes.
fn row(indent: usize, column: usize, name: &str, said: &str) -> String {
    let column = column.max(name.chars().count());
    let margin = indent + column + 2;
    let mut text = format!("{:indent$}{name:column$}", "");
    let mut at = margin;
    let mut gap = 2;
    for word in said.split(' ') {
        let width = word.chars().count();
        if at + 1 + width > WIDTH && at > margin {
            text += "\n";
            (at, gap) = (margin, margin);
        }
        text += &format!("{:gap$}{word}", "");
        at += width + usize::from(gap == 1);
        gap = 1;
    }
    text + "\n"
}

/// What the list says of a loss.
fn summary(loss: &Loss) -> Value {
    json!({
        "name": loss.name,
        "aliases": loss.aliases,
        "family": loss.family,
        "summary": loss.summary,
    })
}

/// What the page says of a loss.
fn description(loss: &Loss) -> Value {
    let mut value = summary(loss);
    value["formula"] = json!(loss.formula);
    value["latex"] = json!(loss.latex);
    value["letters"] = json!(loss.letters);
    value["shapes"] = json!(loss.shapes);
    value["unit"] = json!(loss.unit);
    value["range"] = json!(loss.range);
    value["source"] = json!(loss.source);
    value["inputs"] = loss.inputs.iter().map(input).collect();
    value["options"] = loss.options.iter().map(option).collect();
    value
}

fn input(sample: &Sample) -> Value {
    json!({
        "name": sample.name,
        "shape": sample.shape,
        "domain": sample.domain.to_string(),
        "optional": sample.optional,
        "about": sample.about,
        "detached": sample.detached,
    })
}

fn option(choice: &Choice) -> Value {
    let (kind, default) = match choice.kind {
        // JSON has no infinity; the word is what a setting reads.
        OptionKind::Number(default) if !default.is_finite() => {
            ("number", json!(default.to_string()))
        }
        OptionKind::Number(default) => ("number", json!(default)),
        OptionKind::Integer(default) => ("integer", json!(default)),
        OptionKind::Count(default) => ("count", json!(default)),
        OptionKind::Flag => ("flag", json!(false)),
        OptionKind::Word(words) => ("word", json!(words.first())),
        OptionKind::List(default) => ("list", json!(default)),
    };
    let mut value = json!({
        "name": choice.name,
        "kind": kind,
        "default": default,
        "about": choice.about,
    });
    if let OptionKind::Word(words) = choice.kind {
        value["words"] = json!(words);
    }
    value
}
