//! `lossgraph predict`: what a checkpoint says of the rows of a file, or makes of pictures.

mod pictures;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use lossgraph_data::{Dataset, Table, Target, Values};
use lossgraph_tensor::{DType, Tensor};

use crate::output;
use crate::train::model::Model;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Which checkpoint, and for what.
#[derive(Args)]
pub struct Options {
    /// A checkpoint of a classifier, of numbers, masks, boxes, sequences or pictures, as `lossgraph train`
    /// writes it.
    checkpoint: PathBuf,
    /// A CSV file with the columns that the model was trained on, the target apart; or for nets that look
    /// at pictures a PNG file, or an IDX file of many. A net that makes pictures takes PNG files of any
    /// size, as many as are named, or a folder of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The CSV file for the predictions, one a row in the order of the file; of pictures, the PNG file
    /// for one, or the folder for several; `-` for standard output. Never a file that is read; another
    /// one is replaced.
    #[arg(long, default_value = "-")]
    out: PathBuf,
}

impl Options {
    /// The one file.
    ///
    /// # Errors
    /// There are several.
    fn one_file(&self) -> Result<&Path> {
        match &self.files[..] {
            [file] => Ok(file),
            [_, second, ..] => Err(format!(
                "{}: predictions are those of one file, and a model of pictures alone takes several",
                second.display()
            )
            .into()),
            [] => Err("there is no file to predict".into()),
        }
    }

    /// `Ok` if a place is neither the checkpoint nor one of some files that are read.
    fn refuse_inputs(&self, files: &[PathBuf], place: &Path) -> Result<()> {
        output::refuse_inputs(files.iter().chain([&self.checkpoint]), place)
    }

    /// `Ok` if predictions of a file may be written as CSV.
    ///
    /// # Errors
    /// A place of another ending; a file that is read.
    fn check_out(&self, file: &Path) -> Result<()> {
        check_ending(&self.out, "csv")?;
        self.refuse_inputs(&[file.to_owned()], &self.out)
    }
}

/// `Ok` if a place is not called as a file of another kind than the one that is written.
fn check_ending(out: &Path, ending: &str) -> Result<()> {
    match out.extension().is_some_and(|other| !other.eq_ignore_ascii_case(ending)) {
        true => Err(not_for(out, ending)),
        false => Ok(()),
    }
}

/// That a place does not take a file of a kind.
fn not_for(out: &Path, ending: &str) -> Box<dyn Error> {
    let (out, kind) = (out.display(), ending.to_uppercase());
    format!("--out {out}: a {kind} file is written: --out FILE.{ending}").into()
}

/// Reads model and file, and prints a prediction for each row.
pub fn run(options: &Options) -> Result<()> {
    let (model, checkpoint) = match Model::load(&options.checkpoint)? {
        (Some(model), checkpoint) => (model, checkpoint),
        (None, _) => return pictures::run(options),
    };
    let file = options.one_file()?;
    options.check_out(file)?;
    let (inputs, rows, count) = inputs(&model, file).map_err(|error| {
        let (checkpoint, takes) = (options.checkpoint.display(), model.takes());
        format!("{error}\n{checkpoint} is {takes}")
    })?;
    let mut lines = vec![String::new(); count];
    let target = model.encoder.as_ref().map(|encoder| &encoder.target);
    let name = target.map_or("prediction", |target| target.name());
    let header = match model.classes.is_empty() {
        true => field(name),
        false => format!("{},confidence", field(name)),
    };
    if !rows.is_empty() {
        // No target is asked for; any will do.
        let data = match model.classes.len() {
            0 => Dataset::pairs(&inputs, Tensor::zeros([rows.len(), 1], DType::F32)?)?,
            classes => Dataset::new(inputs, vec![0; rows.len()], classes)?,
        };
        let (problem, objective) = model.restored(&checkpoint, "rows", data)?;
        let outputs = problem.outputs(&objective)?;
        let width = outputs.shape()[1];
        for (row, outputs) in rows.into_iter().zip(outputs.to_f64s().chunks(width)) {
            if let Some(odd) = outputs.iter().find(|x| !x.is_finite()) {
                let file = file.display();
                let why = "its numbers are too large, or the model's parameters are not finite";
                return Err(format!("{file}: row {}: the model gives {odd}: {why}", row + 1).into());
            }
            lines[row] = match (target, model.classes.is_empty()) {
                (Some(Target::Number { mean, deviation, .. }), _) => {
                    (mean + deviation * outputs[0]).to_string()
                }
                (_, true) => outputs[0].to_string(),
                (_, false) => {
                    let (best, confidence) = surest(outputs);
                    format!("{},{confidence:.4}", field(&model.classes[best]))
                }
            };
        }
    }
    // A line without anything would be no row to those who read the file.
    let nothing = if model.classes.is_empty() { "\"\"" } else { "," };
    let without: Vec<usize> = (0..count).filter(|&row| lines[row].is_empty()).collect();
    if let Some(first) = without.first() {
        output::complain(format_args!(
            "rows with missing values, which the model was trained without, have no prediction: {}, the \
             first of them row {}",
            without.len(),
            first + 1
        ));
    }
    without.into_iter().for_each(|row| lines[row].push_str(nothing));
    output::write_and_report(&options.out, format!("{header}\n{}\n", lines.join("\n")))
}

/// The examples of a file, the rows that they are, and how many rows there are.
fn inputs(model: &Model, file: &Path) -> Result<(Tensor, Vec<usize>, usize)> {
    let all = |inputs: Tensor| {
        let count = inputs.shape()[0];
        (inputs, (0..count).collect(), count)
    };
    if let Some(encoder) = &model.encoder {
        let table = Table::read(file)?;
        let (inputs, rows) = encoder.inputs(&table)?;
        let notes = [table.notes(), encoder.unknown_words(&table, &rows)?].concat();
        notes.iter().for_each(output::remark);
        return Ok((inputs, rows, table.len()));
    }
    if file.extension().is_some_and(|given| given.eq_ignore_ascii_case("csv")) {
        return Ok(all(numbers(&Table::read(file)?, model.scale)?));
    }
    Ok(all(pictures::read(file, model.scale)?))
}

/// A table whose columns are the numbers of an example.
fn numbers(table: &Table, scale: f64) -> Result<Tensor> {
    let columns = table.columns();
    let mut rows = vec![0.0_f32; table.len() * columns.len()];
    for (at, column) in columns.iter().enumerate() {
        let name = &column.name;
        let Values::Numbers(numbers) = &column.values else {
            let why = "and the model takes numbers of each column";
            return Err(format!("{}: the column `{name}` has words, {why}", table.name()).into());
        };
        for (row, number) in numbers.iter().enumerate() {
            let Some(number) = number else {
                return Err(
                    format!("{}: row {}: `{name}` is missing", table.name(), row + 1).into()
                );
            };
            rows[row * columns.len() + at] = (number / scale) as f32;
        }
    }
    Ok(Tensor::new([table.len(), columns.len()], rows)?)
}

/// The largest score, and its part of the softmax.
fn surest(scores: &[f64]) -> (usize, f64) {
    let best = (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
    let sum: f64 = scores.iter().map(|score| (score - scores[best]).exp()).sum();
    (best, 1.0 / sum)
}

/// A word as a field of a CSV file.
fn field(word: &str) -> String {
    match word.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", word.replace('"', "\"\"")),
        false => word.to_owned(),
    }
}
