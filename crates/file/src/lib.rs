//! Atomic file writing: a file is there as a whole, or as it was before.
//!
//! ```
//! let path = std::env::temp_dir().join(format!("lossgraph-file-{}.txt", std::process::id()));
//! lossgraph_file::write_atomically(&path, "all of it")?;
//! assert_eq!(std::fs::read_to_string(&path)?, "all of it");
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod abandoned;
mod kind;
mod stream;

pub use kind::kind;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that could not be written. What stood there before still does.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {failed}: {source}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What failed, with the path that it was done to.
    pub failed: String,
    /// What the operating system says.
    pub source: io::Error,
}

/// Writes a file so that nobody ever sees half of it: to a temporary file beside it, which takes
/// its name once all of it is on the disk.
///
/// - On every failure the old file stays, and the temporary one is removed.
/// - A file that is replaced keeps its permissions and its owner; one that may not be written to is
///   not replaced. A symbolic link stays a link: its target is replaced.
/// - What is no regular file, such as a pipe, a socket or `/dev/stdout`, is written to instead, and
///   never replaced.
/// - Writers at the same time, in one process or several, write to temporary files of their own;
///   the last one to finish wins.
/// - What a killed process left half-written beside the file is removed by the next one that writes
///   into that folder, a minute later or more.
///
/// # Errors
/// A folder that does not exist or cannot be written to, a full disk, a folder in the place of the
/// file. The error names the path and the step that failed.
pub fn write_atomically(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<(), Error> {
    let (path, content) = (path.as_ref(), content.as_ref());
    let written = match Destination::of(path) {
        Ok(Destination::File(target)) => replace(&target, |file| file.write_all(content)),
        Ok(Destination::Stream) => stream::write(path, content),
        Err(failure) => Err(failure),
    };
    written.map_err(|Failure(failed, source)| Error { path: path.to_owned(), failed, source })
}

/// Whether a file could be written by [`write_atomically`], as far as one can see before; nothing is
/// changed. Who computes for hours asks first.
///
/// # Errors
/// As for [`write_atomically`].
pub fn check_writable(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let checked = match Destination::of(path) {
        Ok(Destination::File(target)) => prepare(&target).map(|_| ()),
        Ok(Destination::Stream) => Ok(()),
        Err(failure) => Err(failure),
    };
    checked.map_err(|Failure(failed, source)| Error { path: path.to_owned(), failed, source })
}

/// Whether a path leads to what is no regular file, nor will be one: a pipe, a device, a descriptor
/// of a process.
pub fn is_stream(path: impl AsRef<Path>) -> bool {
    matches!(Destination::of(path.as_ref()), Ok(Destination::Stream))
}

/// Whether two paths lead to the same regular file, be it there or yet to be written.
pub fn is_same(a: impl AsRef<Path>, b: impl AsRef<Path>) -> bool {
    let place = |path: &Path| {
        let Ok(Destination::File(target)) = Destination::of(path) else { return None };
        Some(folder_of(&target).canonicalize().ok()?.join(target.file_name()?))
    };
    place(a.as_ref()).is_some_and(|a| place(b.as_ref()) == Some(a))
}

/// A step that failed, and what the operating system says.
struct Failure(String, io::Error);

/// Says which step it is that fails.
fn failed(step: &str, path: &Path) -> impl Fn(io::Error) -> Failure {
    let step = format!("{step} {}", path.display());
    move |source| Failure(step.clone(), source)
}

/// What a path leads to.
enum Destination {
    /// A regular file, or none yet, at the end of all symbolic links.
    File(PathBuf),
    /// Anything else that takes bytes: a pipe, a device, a descriptor of a process.
    Stream,
}

impl Destination {
    fn of(path: &Path) -> Result<Destination, Failure> {
        // As many links in a row as Linux follows.
        const LINKS: usize = 40;
        let mut target = path.to_owned();
        for _ in 0..LINKS {
            if is_of_a_process(&target) {
                return Ok(Destination::Stream);
            }
            match fs::symlink_metadata(&target) {
                Ok(metadata) if metadata.is_symlink() => {
                    let link =
                        fs::read_link(&target).map_err(failed("reading the link", &target))?;
                    // A relative link starts at the folder in which it stands.
                    target = folder_of(&target).join(link);
                }
                Ok(metadata) if metadata.is_file() => return Ok(Destination::File(target)),
                Ok(metadata) if metadata.is_dir() => {
                    let folder = io::Error::new(ErrorKind::IsADirectory, "it is a folder");
                    return Err(failed("looking for a file at", &target)(folder));
                }
                Ok(_) => return Ok(Destination::Stream),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(Destination::File(target));
                }
                Err(error) => return Err(failed("looking at", &target)(error)),
            }
        }
        let circle = io::Error::other(format!("more than {LINKS} links in a row"));
        Err(failed("following the links of", path)(circle))
    }
}

/// The folder in which a file stands.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether a path stands for what a process has open, whatever folders and links lead there. That
/// may be a regular file on which others write as well: theirs would be lost with the file if it were
/// replaced.
fn is_of_a_process(path: &Path) -> bool {
    let folder = fs::canonicalize(folder_of(path)).unwrap_or_else(|_| folder_of(path).to_owned());
    let standard = ["stdin", "stdout", "stderr"].map(|name| Path::new("/dev").join(name));
    let path = folder.join(path.file_name().unwrap_or_default());
    folder.starts_with("/proc") || folder.starts_with("/dev/fd") || standard.contains(&path)
}

/// Replaces a regular file, or makes one, with what `fill` writes.
fn replace(target: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Failure> {
    // Before anything is written: the disk may be full of them.
    abandoned::remove(folder_of(target));
    let (temporary, mut file) = prepare(target)?;
    fill(&mut file).map_err(failed("writing to", &temporary.path))?;
    // A name that is on the disk before its content would lead to an empty file after a crash.
    file.sync_all().map_err(failed("syncing", &temporary.path))?;
    // Windows renames no file that is open.
    drop(file);
    temporary.rename(target)?;
    sync_folder(folder_of(target));
    Ok(())
}

/// A temporary file beside a regular one, with its owner and permissions.
fn prepare(target: &Path) -> Result<(Temporary, File), Failure> {
    if target.file_name().is_none() {
        let error = io::Error::new(ErrorKind::InvalidInput, "expected the name of a file");
        return Err(failed("looking for a name in the path", target)(error));
    }
    let (temporary, file) = Temporary::new(folder_of(target))?;
    if let Ok(old) = fs::metadata(target) {
        // Who may not write to a file does not get around that by replacing it.
        OpenOptions::new().append(true).open(target).map_err(failed("opening", target))?;
        keep_owner(&file, &old).map_err(failed("keeping the owner of", target))?;
        file.set_permissions(old.permissions())
            .map_err(failed("keeping the permissions of", target))?;
    }
    Ok((temporary, file))
}

/// Gives a new file to the owner and the group of the old one.
#[cfg(unix)]
fn keep_owner(new: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let metadata = new.metadata()?;
    match (metadata.uid(), metadata.gid()) == (old.uid(), old.gid()) {
        true => Ok(()),
        false => fchown(new, Some(old.uid()), Some(old.gid())),
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// A file that is removed unless it is renamed.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn new(folder: &Path) -> Result<(Temporary, File), Failure> {
        // Other names than these are taken by what killed processes of our number left behind.
        const TRIES: u64 = 1000;
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut tries = 0;
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name =
                format!("{}{}-{count}{}", abandoned::PREFIX, process::id(), abandoned::SUFFIX);
            let path = folder.join(name);
            // `create_new` fails where a file is: nobody else writes to this one.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Says that somebody is writing to it. Where there are no locks, it is never
                    // taken for abandoned either.
                    let _ = file.try_lock();
                    return Ok((Temporary { path }, file));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < TRIES => {
                    tries += 1;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let step = format!("the folder {} does not exist", folder.display());
                    return Err(Failure(step, error));
                }
                Err(error) => return Err(failed("making a file in", folder)(error)),
            }
        }
    }

    fn rename(self, target: &Path) -> Result<(), Failure> {
        fs::rename(&self.path, target).map_err(failed("renaming the new file to", target))?;
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // That it is gone already, or cannot be removed, is no news beside the failure itself.
        let _ = fs::remove_file(&self.path);
    }
}

/// Brings the new name to the disk. Some file systems sync no folders; the file is whole without it.
fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests;
