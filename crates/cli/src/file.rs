//! Files that the program writes.

use std::error::Error;
use std::fs;
use std::path::Path;

/// Writes a file beside its place and renames it, so that it is never half there. What is no file,
/// such as `/dev/stdout`, is written to as it is.
pub fn write(file: &Path, content: impl AsRef<[u8]>) -> Result<(), Box<dyn Error>> {
    let unwritten = |error| format!("{} cannot be written: {error}", file.display()).into();
    if file.exists() && !file.is_file() {
        return fs::write(file, content).map_err(unwritten);
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, file));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        unwritten(error)
    })
}
