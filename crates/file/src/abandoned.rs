//! Temporary files that nobody will rename any more: their process was killed while it wrote.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// Names of temporary files begin and end so, with the number of the process between.
pub const PREFIX: &str = ".lossgraph-";
pub const SUFFIX: &str = ".part";

/// A file that is younger may have been made just now, and be locked in a moment.
const YOUNG: Duration = Duration::from_secs(60);

/// Removes the abandoned files of a folder. What cannot be looked at or removed stays: whoever writes
/// does not fail for it.
pub fn remove(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) && is_abandoned(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether nobody holds the lock that a writer has until the file has its name. Not whether the
/// process still runs: that may be one of another machine, which has numbers of its own.
fn is_abandoned(file: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(file) else { return false };
    let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
    metadata.is_file()
        && age.is_some_and(|age| age > YOUNG)
        && File::open(file).is_ok_and(|file| file.try_lock().is_ok())
}
