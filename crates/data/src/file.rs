//! Reading files that may be compressed, truncated, or not what they say.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// An error about a file.
pub(crate) fn fail<T>(path: &Path, why: impl Into<String>) -> Result<T> {
    Err(Error::Read { path: path.to_owned(), why: why.into() })
}

/// Opens a file; one that begins like gzip is unpacked, whatever its name.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>> {
    let cannot = |error: std::io::Error| Error::Read {
        path: path.to_owned(),
        why: format!("it cannot be read: {error}"),
    };
    let mut file = File::open(path).map_err(cannot)?;
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic).map_err(cannot)?;
    let whole = std::io::Cursor::new(magic.clone()).chain(file);
    Ok(match magic[..] {
        [0x1f, 0x8b] => Box::new(MultiGzDecoder::new(whole)),
        _ => Box::new(whole),
    })
}

/// All of a text file.
pub(crate) fn text(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    if let Err(error) = open(path)?.read_to_end(&mut bytes) {
        return fail(path, format!("it cannot be read: {error}"));
    }
    utf8(bytes).or_else(|why| fail(path, why))
}

/// Text, without the mark that some programs begin UTF-8 with.
pub(crate) fn utf8(bytes: Vec<u8>) -> std::result::Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        format!("line {line} is no UTF-8 text; save the file as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
