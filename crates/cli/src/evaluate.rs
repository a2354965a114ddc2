//! `lossgraph evaluate`: how good a checkpoint is on data with their targets.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use lossgraph_data::Dataset;
use serde_json::json;

use crate::output;
use crate::train::model::Model;
use crate::train::source;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Which checkpoint, and on what.
#[derive(Args)]
pub struct Options {
    /// A checkpoint of a classifier or of numbers, as `lossgraph train` writes it.
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
    let (model, checkpoint) = Model::load(&options.checkpoint)?;
    let (name, data) = examples(&model, options.data.as_deref())?;
    let count = data.len();
    let (problem, objective) = model.restored(&checkpoint, "examples", data)?;
    let score = problem.score(&objective)?;
    output::print(format!("{} of {name}: {count} examples\n", model.net))?;
    output::print(problem.conclusion(score, Path::new(""))?)?;
    match options.json {
        true => print_json(&model, &name, count, problem.metric(), score),
        false => Ok(()),
    }
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
        let all = encoder.examples(&source::table(name)?)?;
        return Ok(match data {
            Some(_) => (name.to_owned(), all),
            None => (test_part, source::split(&all)?.1),
        });
    }
    let test = source::load(name, &source::TableOptions::default())?.test;
    let (given, expected) = (test.classes(), model.classes.len());
    match given == expected {
        true => Ok((test_part, test)),
        false => Err(format!("{name}: it has {given} classes, and the model {expected}").into()),
    }
}
