//! What a program prints: lines, and the bytes that a line says follow it.

use std::fmt;
use std::io::{BufRead, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use lossgraph_engine::json;
use serde_json::{Map, Value};

/// A greeting, or an error with its traceback, is shorter than that.
pub const LONGEST: usize = 1 << 20;

/// What bounds and follows the reading of messages, for whoever waits for them.
pub struct Reading {
    /// The most bytes that a line may have, or that may follow it.
    pub longest: AtomicUsize,
    /// How many of the bytes that a line announced have come, while some are missing.
    pub partial: Mutex<Option<Partial>>,
}

/// Bytes of which more are to come.
#[derive(Clone, Copy)]
pub struct Partial {
    pub announced: usize,
    pub received: usize,
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Partial { announced, received } = self;
        write!(f, "{announced} bytes were to follow its line, and {received} came")
    }
}

impl Reading {
    pub fn new() -> Reading {
        Reading { longest: AtomicUsize::new(LONGEST), partial: Mutex::new(None) }
    }

    fn longest(&self) -> usize {
        self.longest.load(Relaxed)
    }

    /// The bytes that some are missing of.
    pub fn partial(&self) -> Option<Partial> {
        *self.partial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_partial(&self, partial: Option<Partial>) {
        *self.partial.lock().unwrap_or_else(PoisonError::into_inner) = partial;
    }
}

/// A line, with the bytes that follow it.
pub struct Message {
    pub line: String,
    /// The line as JSON, if it is an object.
    pub fields: Option<Map<String, Value>>,
    pub bytes: Vec<u8>,
}

impl Message {
    /// The next message, or what is wrong with it; `None` at the end. Neither the line nor its bytes
    /// are more than the longest that is read.
    pub fn read(stdout: &mut impl BufRead, reading: &Reading) -> Option<Result<Message, String>> {
        let line = line(stdout, reading)?;
        Some(line.and_then(|line| {
            let fields = match json::parse::<Value>(&line) {
                Ok(Value::Object(fields)) => Some(fields),
                _ => None,
            };
            let bytes = match fields.as_ref().and_then(|fields| fields.get("bytes")) {
                Some(count) => bytes(stdout, count, reading)?,
                None => Vec::new(),
            };
            Ok(Message { line, fields, bytes })
        }))
    }
}

/// The bytes after a line that says how many they are.
fn bytes(
    stdout: &mut impl BufRead,
    announced: &Value,
    reading: &Reading,
) -> Result<Vec<u8>, String> {
    let most = reading.longest();
    let count = announced.as_u64().and_then(|count| usize::try_from(count).ok());
    let Some(count) = count.filter(|count| *count <= most) else {
        return Err(format!(
            "it announces {announced} bytes after a line, expected a number up to {most}"
        ));
    };
    let mut bytes = vec![0; count];
    let mut partial = Partial { announced: count, received: 0 };
    while partial.received < count {
        reading.is_partial(Some(partial));
        match stdout.read(&mut bytes[partial.received..]) {
            Ok(0) => return Err(partial.to_string()),
            Ok(more) => partial.received += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("{partial}: {error}")),
        }
    }
    reading.is_partial(None);
    Ok(bytes)
}

/// The next line, or what is wrong with it; `None` at the end.
fn line(stdout: &mut impl BufRead, reading: &Reading) -> Option<Result<String, String>> {
    let mut line = Vec::new();
    loop {
        let printed = match stdout.fill_buf() {
            Ok(printed) => printed,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Some(Err(format!("what it prints cannot be read: {error}"))),
        };
        let end = printed.iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(printed.len(), |end| end + 1);
        line.extend_from_slice(&printed[..taken]);
        stdout.consume(taken);
        // What was asked meanwhile may allow for more.
        let most = reading.longest();
        if line.len() > most {
            let begins = excerpt(&String::from_utf8_lossy(&line[..LONGEST.min(most)]));
            return Some(Err(format!(
                "it prints a line of more than {most} bytes, which is longer than any answer to this: \
                 `{begins}`"
            )));
        }
        match (end, taken) {
            (None, 1..) => {}
            (None, 0) if line.is_empty() => return None,
            _ => break,
        }
    }
    Some(String::from_utf8(line).map_err(|error| {
        let why = excerpt(&error.to_string());
        format!("it printed what is no text ({why}): more bytes than a line announced, perhaps")
    }))
}

/// The beginning of what a program printed.
pub fn excerpt(text: &str) -> String {
    let text = text.trim_end();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
