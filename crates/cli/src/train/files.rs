//! The files of a run: its model, and a folder with the checkpoints to go on from.

use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use lossgraph_nn::fit::{BEST, LAST};

use super::Result;
use super::recipe::{self, Table};
use crate::output;

/// Where a run leaves its files. Those of a run before are moved aside, never written over.
pub struct Files {
    out: PathBuf,
    /// The model, to use: `out/digits-classifier.safetensors`.
    pub model: PathBuf,
    /// The checkpoints, to go on from: `out/digits-classifier`.
    pub folder: PathBuf,
    /// The number by which a model that is not of this run is moved aside, until it is.
    aside: Cell<Option<u64>>,
}

/// Keeps other runs out of the folder of one, until it is dropped or the process ends, however it ends.
#[must_use = "another run may write to the folder once it is dropped"]
#[derive(Default)]
pub struct Lock(Vec<File>);

impl Lock {
    /// Locks a folder as well.
    ///
    /// # Errors
    /// Another process holds it.
    fn add(&mut self, folder: &Path) -> Result<()> {
        // Not every system opens folders, and not every file system has locks: there is none, then.
        let Ok(open) = File::open(folder) else { return Ok(()) };
        if let Err(TryLockError::WouldBlock) = open.try_lock() {
            return Err(format!(
                "{}: another run is writing to it now: wait for its end, or name another folder with \
                 --out",
                folder.display()
            )
            .into());
        }
        self.0.push(open);
        Ok(())
    }
}

impl Files {
    /// Files of a name.
    pub fn new(out: &Path, name: &str) -> Files {
        let (model, folder) = (out.join(format!("{name}.safetensors")), out.join(name));
        Files { out: out.to_owned(), model, folder, aside: Cell::new(None) }
    }

    /// Those of a run that goes on, if its folder is there and is in its place, whatever its name has
    /// become; else files of a name.
    pub fn of(out: &Path, name: &str, resumed: Option<&Path>) -> Files {
        let of_run = resumed.and_then(Path::parent).filter(|of| of.join(LAST).is_file());
        let of_run = of_run.and_then(|of| of.canonicalize().ok());
        let own = of_run.filter(|of| of.parent().is_some_and(|parent| is_same(parent, out)));
        match own.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()) {
            Some(own) => Files::new(out, own),
            None => Files::new(out, name),
        }
    }

    /// The checkpoint to go on from.
    pub fn last(&self) -> PathBuf {
        self.folder.join(LAST)
    }

    /// The checkpoint of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.folder.join(BEST)
    }

    /// Makes the folders, before the time is spent on what cannot be written. Checkpoints of a run
    /// before make room; where a run goes on in another folder, its best epoch comes along.
    ///
    /// # Errors
    /// A place that cannot be written to, or that another run is writing to.
    pub fn prepare(&self, run: &Table, resumed: Option<&Path>) -> Result<Lock> {
        output::make_folder(&self.out)?;
        lossgraph_file::check_writable(&self.model)?;
        let mut lock = Lock::default();
        lock.add(&self.folder)?;
        let goes_on = resumed.and_then(Path::parent).is_some_and(|of| is_same(of, &self.folder));
        if !(goes_on && self.is_model_of(run)) {
            let is_free = |number: &u64| {
                [&self.model, &self.folder].iter().all(|place| !numbered(place, *number).exists())
            };
            self.aside.set((1..).find(is_free));
        }
        // An empty folder, as a run leaves it that ends before its first checkpoint, is locked already.
        if !goes_on && !is_empty(&self.folder) {
            // The old folder stays locked, lest a run that was about to lock it moves the new one.
            if let Some(number) = self.aside.get() {
                make_room(&self.folder, number)?;
            }
            output::make_folder(&self.folder)?;
            lock.add(&self.folder)?;
        }
        lossgraph_file::check_writable(self.last())?;
        let best = resumed.filter(|_| !goes_on).map(|path| path.with_file_name(BEST));
        if let Some(best) = best.filter(|best| best.is_file()) {
            lossgraph_file::write_atomically(self.best(), std::fs::read(best)?)?;
        }
        Ok(lock)
    }

    /// Moves a model that is not of this run aside, when the first one of this run is written.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn make_room_for_model(&self) -> Result<()> {
        match self.aside.take() {
            Some(number) => make_room(&self.model, number),
            None => Ok(()),
        }
    }

    /// Whether the model in its place is of a run that goes on.
    fn is_model_of(&self, run: &Table) -> bool {
        let before = recipe::read(&self.model);
        before.is_ok_and(|before| recipe::goes_on(run, &before, &self.model).is_ok())
    }
}

/// Moves what stands in a place aside: `digits-classifier.1`.
fn make_room(place: &Path, number: u64) -> Result<()> {
    if !place.exists() || lossgraph_file::is_stream(place) {
        return Ok(());
    }
    let kept = numbered(place, number);
    std::fs::rename(place, &kept).map_err(|error| {
        let why = format!("it is of another run, and cannot be moved aside: {error}");
        format!("{}: {why}", place.display())
    })?;
    let (place, kept) = (place.display(), kept.display());
    output::remark(format_args!("{place} was of another run: it is {kept} now"));
    Ok(())
}

/// Whether a folder has nothing in it.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// The name with a number, in front of the ending of a file.
fn numbered(place: &Path, number: u64) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = match name.strip_suffix(".safetensors") {
        Some(stem) => format!("{stem}.{number}.safetensors"),
        None => format!("{name}.{number}"),
    };
    place.with_file_name(name)
}

fn is_same(a: &Path, b: &Path) -> bool {
    let a = if a.as_os_str().is_empty() { Path::new(".") } else { a };
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_room_keeps_its_ending() {
        let of = |path: &str| numbered(Path::new(path), 2);
        assert_eq!(of("out/a.b.safetensors"), Path::new("out/a.b.2.safetensors"));
        assert_eq!(of("out/a.b"), Path::new("out/a.b.2"));
    }
}
