//! What a run is made of, as its checkpoints say it: the options that lead to the same bits again.

use std::path::{Path, PathBuf};

use lossgraph_losses::find;
use lossgraph_nn::Checkpoint;
use lossgraph_nn::fit::LAST;
use serde::Serialize;

use super::goal::{Choice, Goal};
use super::options::{MissingValues, OUT, Options};
use super::tasks::Defaults;
use crate::names::nearest;
use crate::output::quoted;

/// The key of a checkpoint's metadata under which the recipe stands.
pub const KEY: &str = "options";

/// The options that a run that goes on may have otherwise.
const MAY_DIFFER: [&str; 3] = ["epochs", "early-stop", "save-every"];

/// Options by their long names, as a TOML file has them.
pub type Table = toml::Table;

/// The options as they are once everything that was left open is decided.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Recipe<'a> {
    task: String,
    loss: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    set: &'a [String],
    data: Option<&'a str>,
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    ignore: &'a [String],
    missing: Option<MissingValues>,
    net: Option<&'a str>,
    #[serde(skip_serializing_if = "<[usize]>::is_empty")]
    hidden: &'a [usize],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    batch_norm: bool,
    epochs: u64,
    batch: usize,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    optimizer: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    schedule: &'a [String],
    lr: Option<f64>,
    seed: u64,
    shards: usize,
    early_stop: Option<usize>,
    save_every: Option<u64>,
}

/// The recipe of a run.
///
/// # Errors
/// A number that TOML does not have, such as a seed beyond 2⁶³.
pub fn of(
    options: &Options,
    choice: &Choice,
    plan: Defaults,
    shards: usize,
) -> Result<Table, String> {
    let recipe = Recipe {
        task: choice.goal.name(),
        loss: choice.loss.name,
        set: options.setting.words(),
        data: options.data.as_deref(),
        target: options.target.as_deref(),
        ignore: &options.ignore,
        missing: options.missing,
        net: options.net.as_deref(),
        hidden: &options.hidden,
        batch_norm: options.batch_norm,
        epochs: plan.epochs,
        batch: plan.batch,
        optimizer: &options.optimizer,
        schedule: &options.schedule,
        lr: options.lr,
        seed: options.seed,
        shards,
        early_stop: options.early_stop,
        save_every: options.save_every,
    };
    Table::try_from(recipe).map_err(|_| {
        "--epochs, --batch or --seed: a checkpoint holds numbers up to 2⁶³ − 1".to_owned()
    })
}

/// As text of a checkpoint.
pub fn text(recipe: &Table) -> Result<String, String> {
    serde_json::to_string(recipe).map_err(|error| format!("the options cannot be saved: {error}"))
}

/// The recipe that a checkpoint has.
///
/// # Errors
/// A file that is no checkpoint, or none of a run.
pub fn read(path: &Path) -> Result<Table, String> {
    let checkpoint = Checkpoint::read(path).map_err(|error| error.to_string())?;
    let text = checkpoint.metadata.get(KEY).ok_or_else(|| {
        let what = "it does not say the options of a run, as those that `lossgraph train` wrote do";
        format!("{}: {what}", path.display())
    })?;
    serde_json::from_str(text)
        .map_err(|error| format!("{}: its options cannot be read: {error}", path.display()))
}

/// What the options alone say of a run: its task, its loss and its data, where they are named.
pub fn said(options: &Options) -> Table {
    // By its first name; one that there is not is told by whoever looks for it.
    let loss = options.loss.as_ref().and_then(|name| find(name).ok());
    let loss = loss.map(|loss| loss.name.to_owned());
    let said =
        [("task", options.task.map(Goal::name)), ("loss", loss), ("data", options.data.clone())];
    let named = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    named.collect()
}

/// `Ok` if what is said of a run is so in the one that it goes on with.
///
/// # Errors
/// An option that a run that goes on cannot have otherwise.
pub fn agrees(said: &Table, before: &Table, path: &Path) -> Result<(), String> {
    said.keys().try_for_each(|name| same(name, said, before, path))
}

/// `Ok` if a run goes on with another one.
///
/// # Errors
/// As [`agrees`], of all options.
pub fn goes_on(given: &Table, before: &Table, path: &Path) -> Result<(), String> {
    given.keys().chain(before.keys()).try_for_each(|name| same(name, given, before, path))
}

/// `Ok` if an option of a run that goes on is what it was, or may differ.
fn same(name: &str, given: &Table, before: &Table, path: &Path) -> Result<(), String> {
    if MAY_DIFFER.contains(&name) || given.get(name) == before.get(name) {
        return Ok(());
    }
    let words = |table: &Table| match table.get(name) {
        Some(value) => serde_json::to_string(value).unwrap_or_default(),
        None => "none".to_owned(),
    };
    Err(format!(
        "--{name} is {}, and was {} in the run of {}, which goes on with the options that it began \
         with: leave it out; --{} alone may differ",
        words(given),
        words(before),
        path.display(),
        MAY_DIFFER.join(", --")
    ))
}

/// A run that another one goes on with.
pub struct Before {
    /// The checkpoint to go on from.
    pub checkpoint: PathBuf,
    pub recipe: Table,
}

impl Before {
    /// The run that `--resume` names, if it does.
    ///
    /// # Errors
    /// There is none, or options say another one.
    pub fn of(options: &Options) -> Result<Option<Before>, String> {
        let Some(named) = &options.resume else { return Ok(None) };
        let checkpoint = checkpoint(named)?;
        let recipe = read(&checkpoint)?;
        agrees(&said(options), &recipe, &checkpoint)?;
        Ok(Some(Before { checkpoint, recipe }))
    }

    /// How many epochs it was to see.
    pub fn epochs(&self) -> Option<u64> {
        self.recipe.get("epochs")?.as_integer()?.try_into().ok()
    }
}

/// The checkpoint to go on from, of a run that is named by it, by its folder or by its model. Nothing
/// that is not there leads to another one.
///
/// # Errors
/// There is none.
pub fn checkpoint(named: &Path) -> Result<PathBuf, String> {
    let of_named = |why: String| format!("--resume {}: {why}", named.display());
    let fail = |why: String| Err(of_named(why));
    let exact = if named.is_dir() { named.join(LAST) } else { named.to_owned() };
    if !exact.is_file() {
        return fail(format!(
            "there is no such checkpoint; a run leaves `{LAST}` in a folder of its own, such as \
             out/digits-classifier{}",
            perhaps(named)
        ));
    }
    let Checkpoint { tensors, metadata } =
        Checkpoint::read(&exact).map_err(|error| of_named(error.to_string()))?;
    let is_of_training = tensors.keys().any(|name| name.starts_with("lossgraph/parts/"));
    if is_of_training || !metadata.contains_key(KEY) {
        return Ok(exact);
    }
    let beside = exact.with_extension("").join(LAST);
    match beside.is_file() {
        true => Ok(beside),
        false => fail(format!(
            "it is a model to use, and no checkpoint to go on from, which is `{LAST}` of its run{}",
            perhaps(named)
        )),
    }
}

/// The runs that may be meant: those in a folder, or else those beside it and then those where runs are
/// by default, of which the one with the nearest name counts if there is one.
fn perhaps(named: &Path) -> String {
    let mut runs = runs_in(named);
    if runs.is_empty() {
        runs = runs_in(named.parent().unwrap_or(Path::new("")));
        let by_default = runs_in(Path::new(OUT)).into_iter();
        runs.extend(by_default.filter(|run| !runs.contains(run)).collect::<Vec<_>>());
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<String> = runs.iter().map(|run| name(run)).collect();
        let names = runs.iter().zip(names.iter().map(String::as_str));
        if let Some(near) = nearest(&name(&named.with_extension("")), names).cloned() {
            runs = vec![near];
        }
    }
    const MOST: usize = 4;
    let each = runs.iter().take(MOST).map(|run| format!("--resume {}", quoted(run)));
    let each: Vec<String> = each.collect();
    if each.is_empty() { String::new() } else { format!("\nperhaps: {}", each.join(", or ")) }
}

/// The folders in a folder that have a checkpoint to go on from, by name.
fn runs_in(folder: &Path) -> Vec<PathBuf> {
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let each = entries.map(|entry| folder.join(entry.file_name()));
    let mut runs: Vec<PathBuf> = each.filter(|run| run.join(LAST).is_file()).collect();
    runs.sort();
    runs
}
