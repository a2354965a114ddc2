//! What a program prints: lines, and the bytes that a line says follow it.

use std::io::{BufRead, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lossgraph_engine::json;
use serde_json::{Map, Value};

/// A greeting, or an error with its traceback, is shorter than that.
pub const LONGEST: usize = 1 << 20;

/// A line, with the bytes that follow it.
pub struct Message {
    pub line: String,
    /// The line as JSON, if it is an object.
    pub fields: Option<Map<String, Value>>,
    pub bytes: Vec<u8>,
}

impl Message {
    /// The next message, or what is wrong with it; `None` at the end. Neither the line nor its bytes
    /// are more than `longest`.
    pub fn read(
        stdout: &mut impl BufRead,
        longest: &AtomicUsize,
    ) -> Option<Result<Message, String>> {
        let line = line(stdout, longest)?;
        Some(line.and_then(|line| {
            let fields = match json::parse::<Value>(&line) {
                Ok(Value::Object(fields)) => Some(fields),
                _ => None,
            };
            let bytes = match fields.as_ref().and_then(|fields| fields.get("bytes")) {
                Some(count) => bytes(stdout, count, longest)?,
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
    longest: &AtomicUsize,
) -> Result<Vec<u8>, String> {
    let most = longest.load(Relaxed);
    let count = announced.as_u64().and_then(|count| usize::try_from(count).ok());
    let Some(count) = count.filter(|count| *count <= most) else {
        return Err(format!(
            "it announces {announced} bytes after a line, expected a number up to {most}"
        ));
    };
    let mut bytes = vec![0; count];
    match stdout.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(format!("{count} bytes were to follow its line, and did not: {error}")),
    }
}

/// The next line, or what is wrong with it; `None` at the end.
fn line(stdout: &mut impl BufRead, longest: &AtomicUsize) -> Option<Result<String, String>> {
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
        let most = longest.load(Relaxed);
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
    Some(
        String::from_utf8(line).map_err(|error| {
            format!("it printed what is no text: {}", excerpt(&error.to_string()))
        }),
    )
}

/// The beginning of what a program printed.
pub fn excerpt(text: &str) -> String {
    let text = text.trim_end();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
