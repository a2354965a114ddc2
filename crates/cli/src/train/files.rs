//! The files of a run: its model, and a folder with the checkpoints to go on from.

use std::path::{Path, PathBuf};

use lossgraph_nn::fit::{BEST, LAST};

use super::Result;
use super::recipe::{self, Table};
use crate::output;

/// Where a run leaves its files. Those of another run are not written over.
pub struct Files {
    out: PathBuf,
    /// The model, to use: `out/digits-classifier.safetensors`.
    pub model: PathBuf,
    /// The checkpoints, to go on from: `out/digits-classifier`.
    pub folder: PathBuf,
}

impl Files {
    /// Files of a name.
    pub fn new(out: &Path, name: &str) -> Files {
        let (model, folder) = (out.join(format!("{name}.safetensors")), out.join(name));
        Files { out: out.to_owned(), model, folder }
    }

    /// The checkpoint to go on from.
    pub fn last(&self) -> PathBuf {
        self.folder.join(LAST)
    }

    /// The checkpoint of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.folder.join(BEST)
    }

    /// Makes the folders, before the time is spent on what cannot be written. Checkpoints of another
    /// run make room; where a run goes on in another folder, its best epoch comes along.
    ///
    /// # Errors
    /// A place that cannot be written to.
    pub fn prepare(&self, run: &Table, resumed: Option<&Path>) -> Result<()> {
        output::make_folder(&self.out)?;
        lossgraph_file::check_writable(&self.model)?;
        let goes_on = resumed.and_then(Path::parent).is_some_and(|of| is_same(of, &self.folder));
        if !goes_on && self.folder.exists() {
            self.make_room(&self.folder, &self.last(), run)?;
        }
        output::make_folder(&self.folder)?;
        lossgraph_file::check_writable(self.last())?;
        let best = resumed.filter(|_| !goes_on).map(|path| path.with_file_name(BEST));
        if let Some(best) = best.filter(|best| best.is_file()) {
            lossgraph_file::write_atomically(self.best(), std::fs::read(best)?)?;
        }
        Ok(())
    }

    /// Moves the model of another run aside, which would be written over.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn make_room_for_model(&self, run: &Table, goes_on: bool) -> Result<()> {
        let stays = || {
            let other = recipe::read(&self.model);
            goes_on && other.is_ok_and(|other| recipe::goes_on(run, &other, &self.model).is_ok())
        };
        match self.model.exists() && !lossgraph_file::is_stream(&self.model) && !stays() {
            true => self.make_room(&self.model, &self.model, run),
            false => Ok(()),
        }
    }

    /// Moves what stands in a place aside, unless it is of the same run: `digits-classifier.1`.
    fn make_room(&self, place: &Path, checkpoint: &Path, run: &Table) -> Result<()> {
        if recipe::read(checkpoint).is_ok_and(|other| recipe::is_same(&other, run)) {
            return Ok(());
        }
        let kept = (1..).map(|number| numbered(place, number)).find(|path| !path.exists());
        let Some(kept) = kept else { return Ok(()) };
        std::fs::rename(place, &kept).map_err(|error| {
            let why = format!("it is of another run, and cannot be moved aside: {error}");
            format!("{}: {why}", place.display())
        })?;
        output::remark(format_args!(
            "{} was of another run: it is {} now",
            place.display(),
            kept.display()
        ));
        Ok(())
    }
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
