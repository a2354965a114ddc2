//! Data sets by name, and files of one's own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use lossgraph_data::{
    Columns, Dataset, Encoding, FASHION_MNIST_CLASSES, FASHION_MNIST_FOLDER, Feature, Missing,
    Table, TableEncoder, Target, TargetKind, fashion_mnist, fashion_mnist_2000, generate, mnist,
    penguins, png_folder,
};

use super::Result;
use super::tasks::Split;
use crate::names::named;

/// Examples to train on and to test with, and what is known of them.
pub struct Source {
    /// What an example is, as a plural: `digits`.
    pub what: String,
    /// The name that leads to them again.
    pub name: String,
    pub split: Split,
    /// The names of the classes; numbers have none.
    pub classes: Vec<String>,
    /// How a table is encoded.
    pub encoder: Option<TableEncoder>,
    /// What numbers of a file are divided by.
    pub scale: f64,
    /// What is left out, or was not expected, a sentence each.
    pub notes: Vec<String>,
}

/// Which columns of a table are learned from, and how.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    pub target: Option<String>,
    pub ignore: Vec<String>,
    pub missing: Missing,
    pub kind: TargetKind,
}

/// What is known of a data set.
struct Row {
    name: &'static str,
    aliases: &'static [&'static str],
    load: fn(&TableOptions) -> Result<Source>,
}

/// Points of a data set that is drawn, their noise, and the seed.
const DRAWN: usize = 1000;
const NOISE: f64 = 0.1;
const SEED: u64 = 0;
/// The name of the table that comes with the program.
const PENGUINS: &str = "penguins";

const ALL: &[Row] = &[
    Row { name: "digits", aliases: &["handwritten-digits"], load: |_| of_digits() },
    Row { name: "fashion-mnist", aliases: &["fashion", "clothes"], load: |_| of_fashion() },
    Row { name: PENGUINS, aliases: &["palmerpenguins"], load: of_penguins },
    Row {
        name: "moons",
        aliases: &["make_moons"],
        load: |_| points("moons", generate::moons(DRAWN, NOISE, SEED)?),
    },
    Row {
        name: "rings",
        aliases: &["circles", "make_circles"],
        load: |_| points("rings", generate::rings(DRAWN, 2, NOISE, SEED)?),
    },
    Row {
        name: "spirals",
        aliases: &["spiral"],
        load: |_| points("spirals", generate::spirals(DRAWN, 3, NOISE / 5.0, SEED)?),
    },
    Row {
        name: "blobs",
        aliases: &["clouds", "make_blobs"],
        load: |_| points("blobs", generate::blobs(DRAWN, 3, 3.0 * NOISE, SEED)?),
    },
    Row {
        name: "xor",
        aliases: &["exclusive-or"],
        load: |_| points("xor", generate::xor(DRAWN, 3.0 * NOISE, SEED)?),
    },
    Row {
        name: "sine",
        aliases: &["sinus"],
        load: |_| points("sine", generate::sine(DRAWN, NOISE, SEED)?),
    },
];

/// The names of the data sets, for help.
pub fn names() -> String {
    ALL.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// The data set of a name, or from a CSV file, a folder with the files of MNIST or its relatives, or
/// a folder of folders of PNG files.
pub fn load(name: &str, options: &TableOptions) -> Result<Source> {
    let path = Path::new(name);
    if path.is_file() {
        return of_table(read_table(path)?, name, options);
    }
    if path.is_dir() {
        return of_folder(path, name);
    }
    (row(name)?.load)(options)
}

/// `Ok` if there are data of a name.
///
/// # Errors
/// Neither a data set nor a file has it.
pub fn check(name: &str) -> Result<()> {
    match Path::new(name).exists() {
        true => Ok(()),
        false => row(name).map(|_| ()),
    }
}

/// The data set of a name.
fn row(name: &str) -> Result<&'static Row> {
    let names = |row: &'static Row| [&[row.name], row.aliases].concat();
    match named("data set", name, ALL, names) {
        Ok(row) => Ok(row),
        Err(_) if name.contains(['/', '\\', '.']) => {
            Err(format!("{name}: there is no such file or folder").into())
        }
        Err(why) => {
            Err(format!("{why}\nor the path of a CSV file or of a folder of pictures").into())
        }
    }
}

impl Source {
    /// Whether classes are learned, and no numbers.
    pub fn has_classes(&self) -> bool {
        self.split.train.has_classes()
    }
}

fn of_digits() -> Result<Source> {
    let split = Split::digits()?;
    let classes = (0..10).map(|digit: usize| digit.to_string()).collect();
    Ok(Source { scale: 16.0, ..source("digits", "digits", split, classes) })
}

fn of_fashion() -> Result<Source> {
    let split = match Path::new(FASHION_MNIST_FOLDER).is_dir() {
        true => {
            let (train, test) = fashion_mnist()?;
            Split { train, test }
        }
        false => Split::of_all(&fashion_mnist_2000()?)?,
    };
    let classes = FASHION_MNIST_CLASSES.map(str::to_owned).to_vec();
    Ok(Source { scale: 255.0, ..source("pictures of clothes", "fashion-mnist", split, classes) })
}

fn of_penguins(options: &TableOptions) -> Result<Source> {
    let target = match options.kind {
        TargetKind::Numbers => "body_mass_g",
        _ => "species",
    };
    let target = options.target.clone().or(Some(target.to_owned()));
    let table = of_table(penguins()?, PENGUINS, &TableOptions { target, ..options.clone() })?;
    Ok(Source { what: "penguins".to_owned(), ..table })
}

/// The table of a name, or from a CSV file.
pub fn table(name: &str) -> Result<Table> {
    match Path::new(name).is_file() {
        true => read_table(Path::new(name)),
        false if name == PENGUINS => Ok(penguins()?),
        false if Path::new(name).is_dir() => {
            Err(format!("{name}: it is a folder, expected a CSV file").into())
        }
        false => Err(format!("{name}: there is no such file").into()),
    }
}

/// The table of a CSV file, gzipped or not.
///
/// # Errors
/// A file of another kind, by its kind.
fn read_table(path: &Path) -> Result<Table> {
    Table::read(path).map_err(|error| {
        let mut begin = Vec::new();
        let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut begin));
        match lossgraph_file::kind(&begin).filter(|what| read.is_ok() && !is_of_table(what)) {
            None => error.into(),
            Some(what) => {
                let path = path.display();
                format!("{path}: it is {what}, expected a CSV file or a folder of pictures").into()
            }
        }
    })
}

/// Whether a table may be in a file of a kind.
fn is_of_table(kind: &str) -> bool {
    ["text", "a gzipped file"].contains(&kind)
}

fn of_table(table: Table, name: &str, options: &TableOptions) -> Result<Source> {
    let Some(target) = options.target.clone() else {
        let names = table.columns().iter().map(|column| &*column.name).collect::<Vec<_>>();
        let names = names.join(", ");
        return Err(
            format!("{name}: which column is to be learned? --target NAME, of {names}").into()
        );
    };
    let TableOptions { ignore, missing, kind, .. } = options.clone();
    let read = || -> Result<Source> {
        let encoder = TableEncoder::fit(&table, &Columns { target, ignore, missing, kind })?;
        let classes = match &encoder.target {
            Target::Class { classes, .. } => classes.clone(),
            Target::Number { .. } => Vec::new(),
        };
        let split = split_of(name, &encoder.examples(&table)?, &classes)?;
        let constant = constant_target(&split, &encoder);
        let notes =
            [table.notes(), encoder.notes(&table)?, names_of_rows(&table, &encoder), constant];
        let notes = notes.concat();
        Ok(Source { encoder: Some(encoder), notes, ..source("rows", name, split, classes) })
    };
    // What is odd in the table may be why it is refused.
    read().map_err(|error| {
        let lines = std::iter::once(error.to_string()).chain(table.notes());
        lines.collect::<Vec<_>>().join("\n").into()
    })
}

/// A share of the examples to test with.
///
/// # Errors
/// A class without an example for both sides, by its name.
fn split_of(name: &str, data: &Dataset, classes: &[String]) -> Result<Split> {
    Split::of_all(data).map_err(|error| match error.downcast_ref() {
        Some(lossgraph_data::Error::TooFew { class, given, expected, .. }) => {
            let class = classes.get(*class).map(|class| format!(" of the class `{class}`"));
            let class = class.unwrap_or_default();
            let why = "one to train on and another one to test with";
            format!("{name}: examples{class}: {given}, expected {expected} or more, {why}").into()
        }
        _ => error,
    })
}

/// That there is nothing to measure a model of numbers by, where those to test with are all equal.
fn constant_target(split: &Split, encoder: &TableEncoder) -> Vec<String> {
    let targets = split.test.targets().to_f64s();
    let is_constant = targets.iter().all(|target| *target == targets[0]);
    match &encoder.target {
        Target::Number { name, .. } if is_constant => vec![format!(
            "column `{name}` is the same in all rows to test with: which part of its variance is \
             explained, r2, is not defined"
        )],
        _ => Vec::new(),
    }
}

/// The columns of words that seem to be names of rows: of these, nothing follows for another row.
fn names_of_rows(table: &Table, encoder: &TableEncoder) -> Vec<String> {
    let of = |feature: &Feature| match &feature.encoding {
        Encoding::OneHot(words) if 2 * words.len() > table.len() => Some(format!(
            "column `{}` has {} different words in {} rows, as names have: --ignore leaves it out",
            feature.name,
            words.len(),
            table.len()
        )),
        _ => None,
    };
    encoder.features.iter().filter_map(of).collect()
}

fn of_folder(path: &Path, name: &str) -> Result<Source> {
    let entries: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(|error| format!("{name}: it cannot be read: {error}"))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let is_png =
        |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"));
    let why = match &entries[..] {
        [] => Some("it is empty"),
        files if files.iter().all(|path| path.is_file() && is_png(path)) => {
            Some("its PNG files are of no class")
        }
        _ => None,
    };
    if let Some(why) = why {
        return Err(format!(
            "{name}: {why}, expected a folder of PNG files for each class, or the four files of MNIST \
             or its relatives"
        )
        .into());
    }
    if entries.iter().any(|path| path.is_dir()) {
        let (data, classes) = png_folder(path)?;
        let split = split_of(name, &data, &classes)?;
        return Ok(Source { scale: 255.0, ..source("pictures", name, split, classes) });
    }
    let (train, test) = mnist(path)?;
    let classes = (0..train.classes()).map(|class| class.to_string()).collect();
    let notes = unknown_classes(&train, &test).into_iter().collect();
    let split = Split { train, test };
    Ok(Source { scale: 255.0, notes, ..source("pictures", name, split, classes) })
}

/// That the test part has classes of which there is nothing to learn from, if it has.
fn unknown_classes(train: &Dataset, test: &Dataset) -> Option<String> {
    let known: BTreeSet<&usize> = train.labels().iter().collect();
    let tested: BTreeSet<&usize> = test.labels().iter().collect();
    let unknown: Vec<String> = tested.difference(&known).map(|class| class.to_string()).collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "classes to test with that there are no examples of to train on: {}",
            unknown.join(", ")
        )
    })
}

fn points(name: &str, data: Dataset) -> Result<Source> {
    let classes = (0..data.classes()).map(|class| class.to_string()).collect();
    Ok(source("points", name, Split::of_all(&data)?, classes))
}

fn source(what: &str, name: &str, split: Split, classes: Vec<String>) -> Source {
    let (what, name) = (what.to_owned(), name.to_owned());
    Source { what, name, split, classes, encoder: None, scale: 1.0, notes: Vec::new() }
}
