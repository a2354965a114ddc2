//! `lossgraph evaluate`: how good a checkpoint is on data with their targets.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use lossgraph_data::Dataset;
use serde_json::json;

use crate::output;
use crate::train::model::Model;
use crate::train::restored::Restored;
use crate::train::source::{self, Source};
use crate::train::tasks::{Split, figure, words};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Which checkpoint, and on what.
#[derive(Args)]
pub struct Options {
    /// A checkpoint, as `lossgraph train` writes it.
    checkpoint: PathBuf,
    /// A CSV file with the target, or data as `lossgraph train --data` takes them, of which the test
    /// part counts [default: the test part of what the model was trained on]
    data: Option<String>,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// Reads the model, and says how good it is.
pub fn run(options: &Options) -> Result<()> {
    let (model, checkpoint) = match Model::load(&options.checkpoint)? {
        (Some(model), checkpoint) => (model, checkpoint),
        (None, _) => return on_its_own(options),
    };
    let (name, data) = examples(&model, options.data.as_deref())?;
    let count = data.len();
    let (problem, objective) = model.restored(&checkpoint, "examples", data)?;
    let score = problem.score(&objective)?;
    output::print(format!("{} of {name}: {count} examples\n", model.about()))?;
    output::print(problem.conclusion(score, Path::new(""))?)?;
    match options.json {
        true => print_json(&model, &name, count, problem.metric(), score),
        false => Ok(()),
    }
}

/// A task that has data of its own is measured on their test part.
fn on_its_own(options: &Options) -> Result<()> {
    let Restored { task, problem, objective } = Restored::read(&options.checkpoint)?;
    if let Some(data) = &options.data {
        return Err(format!(
            "{data}: the task {task} has data of its own, and is measured on their test part; classifier \
             and numbers take others"
        )
        .into());
    }
    let (score, count) = (problem.score(&objective)?, problem.split().test.len());
    let metric = problem.metric();
    let told = figure(&words(metric), score);
    output::print(format!("{task} on {count} examples: {told}\n"))?;
    if !options.json {
        return Ok(());
    }
    let mut object = json!({ "task": task, "loss": objective.loss().name, "examples": count });
    object[metric] = json!(score);
    output::print(format!("{object}\n"))
}

fn print_json(model: &Model, data: &str, examples: usize, metric: &str, score: f64) -> Result<()> {
    let Model { task, loss, .. } = model;
    let mut object = json!({ "task": task, "loss": loss, "data": data, "examples": examples });
    object[metric] = json!(score);
    output::print(format!("{object}\n"))
}

/// All rows of a table that was named; of what the model was trained on, or what is no table, the test
/// part.
fn examples(model: &Model, data: Option<&str>) -> Result<(String, Dataset)> {
    let name = data.unwrap_or(&model.data);
    let test_part = format!("the test part of {name}");
    if let Some(encoder) = &model.encoder {
        let table = source::table(name).map_err(|error| {
            format!("{error}\nthe checkpoint is {}, and {}", model.takes(), encoder.target.name())
        })?;
        let notes = [table.notes(), encoder.notes(&table)?].concat();
        notes.iter().for_each(output::remark);
        let all = encoder.examples(&table)?;
        if data.is_some() {
            return Ok((name.to_owned(), all));
        }
        let split = Split::of_all(&all)?;
        let cure = "name a file, all of whose rows count";
        model.check_examples(&split.fingerprint(), cure)?;
        return Ok((test_part, split.test));
    }
    let fail = |why: String| {
        let (task, data) = (&model.task, source::names());
        format!(
            "{why}\nthe checkpoint is of the task {task}, trained on {}: it is measured on a folder of \
             pictures, or on {data}",
            model.data
        )
    };
    if Path::new(name).is_file() {
        return Err(fail(format!("{name}: it is a file, expected a folder of pictures")).into());
    }
    let source = source::load(name, &source::TableOptions::default())
        .map_err(|error| fail(error.to_string()))?;
    if data.is_none() {
        model.check_examples(&source.split.fingerprint(), "name the data to measure on")?;
    }
    Ok((test_part, with_classes_of(model, source)?))
}

/// The test part with the class numbers of the model: classes are the same if they are called the same.
/// Where one side has numbers for names, as files of MNIST's kind do, they are the places of the other
/// one's.
fn with_classes_of(model: &Model, source: Source) -> Result<Dataset> {
    let Source { name, split, classes, .. } = source;
    let test = split.test;
    if model.classes.is_empty() || !test.has_classes() {
        return match model.classes.is_empty() != test.has_classes() {
            true => Ok(test),
            false => {
                let [given, expected] = match test.has_classes() {
                    true => ["classes", "numbers"],
                    false => ["numbers", "classes"],
                };
                Err(format!("{name}: its targets are {given}, and the model gives {expected}")
                    .into())
            }
        };
    }
    let are_numbers =
        |names: &[String]| names.iter().enumerate().all(|(i, name)| *name == i.to_string());
    let by_place = are_numbers(&classes) || are_numbers(&model.classes);
    let place = |(i, class): (usize, &String)| match by_place {
        true => (i < model.classes.len()).then_some(i),
        false => model.classes.iter().position(|known| known == class),
    };
    let places: Vec<Option<usize>> = classes.iter().enumerate().map(place).collect();
    if let Some(unknown) = places.iter().position(Option::is_none) {
        let (class, known) = (&classes[unknown], model.classes.join(", "));
        return Err(format!(
            "{name}: it has the class `{class}`, and the model has {known}: leave its pictures out, or \
             train with it"
        )
        .into());
    }
    let labels = test.labels().iter().filter_map(|&label| places[label]).collect();
    Ok(Dataset::new(test.inputs().clone(), labels, model.classes.len())?)
}
