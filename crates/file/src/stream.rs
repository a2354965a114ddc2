//! Writing to what is no regular file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::{Failure, failed};

/// Writes to a pipe, a device, a socket, or what a process has open.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let written = match standard(path) {
        Some(Standard::Output) => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(content).and_then(|()| stdout.flush())
        }
        Some(Standard::Error) => io::stderr().lock().write_all(content),
        None if is_socket(path) => to_socket(path, content),
        None => {
            let mut stream =
                OpenOptions::new().append(true).open(path).map_err(failed("opening", path))?;
            stream.write_all(content)
        }
    };
    written.map_err(failed("writing to", path))
}

/// A stream that this process has open anyway, and which may be of a kind that cannot be opened
/// again, such as a socket.
enum Standard {
    Output,
    Error,
}

fn standard(path: &Path) -> Option<Standard> {
    match path.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some(Standard::Output),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some(Standard::Error),
        _ => None,
    }
}

#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

#[cfg(unix)]
fn to_socket(path: &Path, content: &[u8]) -> io::Result<()> {
    std::os::unix::net::UnixStream::connect(path)?.write_all(content)
}

#[cfg(not(unix))]
fn is_socket(_: &Path) -> bool {
    false
}

#[cfg(not(unix))]
fn to_socket(_: &Path, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
