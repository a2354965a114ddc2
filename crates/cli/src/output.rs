//! Where everything goes that commands print and write: no output is lost in silence.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use lossgraph_file::write_atomically;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A reader, such as `head`, has seen enough and closed the pipe. A command that meets it ends, and
/// has not failed.
#[derive(Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl Error for Closed {}

/// Prints to standard output, all of it or an error.
pub fn print(content: impl AsRef<[u8]>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(content.as_ref()).and_then(|()| stdout.flush());
    printed.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Closed.into(),
        _ => format!("standard output cannot be written: {error}").into(),
    })
}

/// Writes what was requested, to standard output if the file is `-`.
pub fn write(file: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if is_stdout(file) {
        return print(content);
    }
    write_atomically(file, content).map_err(|error| match error.source.kind() {
        ErrorKind::BrokenPipe => Closed.into(),
        _ => error.into(),
    })
}

/// Writes to a file and says so, unless that would stand within what was written.
pub fn write_and_report(file: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    write(file, content)?;
    match is_stdout(file) || lossgraph_file::is_stream(file) {
        true => Ok(()),
        false => print(format!("wrote {}\n", file.display())),
    }
}

/// `Ok` if a place is none of some files that are read, be it by a link: they would be written over.
pub fn refuse_inputs<'a>(read: impl IntoIterator<Item = &'a PathBuf>, place: &Path) -> Result<()> {
    match read.into_iter().find(|file| lossgraph_file::is_same(file, place)) {
        None => Ok(()),
        Some(file) => {
            let why = "it would be written over: name another place for what is written";
            Err(format!("{}: {why}", file.display()).into())
        }
    }
}

/// Makes a folder to write files into.
pub fn make_folder(folder: &Path) -> Result<()> {
    if is_stdout(folder) {
        return Err(
            "--out -: several files are written, which standard output has no room for".into()
        );
    }
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("the folder {} cannot be made: {error}", folder.display()).into())
}

/// Whether a file stands for standard output.
pub fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// A path as a shell takes it for one word.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/\\._-+,:=@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Tells who watches what is done, beside what was requested.
pub fn remark(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Tells what went wrong. Where nobody can be told, the exit code says it.
pub fn complain(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_of_a_shell() {
        let of = |path: &str| quoted(Path::new(path));
        assert_eq!(of("out/digits-classifier.1"), "out/digits-classifier.1");
        assert_eq!(of("my runs/a"), "'my runs/a'");
        assert_eq!(of("it's"), r"'it'\''s'");
        assert_eq!(of("a$b"), "'a$b'");
    }
}
