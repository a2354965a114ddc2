//! JSON with the floats that it has no numbers for.

use serde::de::DeserializeOwned;

/// Reads JSON of which floats may be written as Python and C write them: `NaN`, `-Infinity`, `inf`. They
/// become strings.
///
/// # Errors
/// What is no JSON all the same, or not of the type.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(&quoted(text))
}

/// The text with bare names of floats in quotes, outside of strings.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (outside, string) = rest.split_at(rest.find('"').unwrap_or(rest.len()));
        quote_names(outside, &mut quoted);
        let (string, after) = string.split_at(end_of_string(string));
        quoted += string;
        rest = after;
    }
    quoted
}

/// Appends a piece of JSON without strings, with names of floats in quotes.
fn quote_names(piece: &str, quoted: &mut String) {
    let mut rest = piece;
    while let Some(at) = rest.find(['N', 'I', 'n', 'i']) {
        let (before, from) = rest.split_at(at);
        let name =
            ["NaN", "Infinity", "nan", "inf"].into_iter().find(|name| from.starts_with(name));
        let Some(name) = name else {
            let (other, after) = rest.split_at(at + 1);
            *quoted += other;
            rest = after;
            continue;
        };
        let minus = if before.ends_with('-') { "-" } else { "" };
        *quoted += before.strip_suffix(minus).unwrap_or(before);
        *quoted += &format!("\"{minus}{name}\"");
        rest = &from[name.len()..];
    }
    *quoted += rest;
}

/// How long the string is that a text begins with, if it does.
fn end_of_string(text: &str) -> usize {
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(['"', '\\'])) {
        at += found + 1;
        if text[..at].ends_with('"') {
            return at;
        }
        // What follows a backslash ends no string.
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn names_of_floats_are_read_as_python_writes_them_and_not_within_strings() {
        let read: Value =
            super::parse(r#"{"a": [NaN, -Infinity, inf, 1.5], "b": "a \" NaN"}"#).unwrap();
        assert_eq!(read["a"], json!(["NaN", "-Infinity", "inf", 1.5]));
        assert_eq!(read["b"], "a \" NaN");
        let read: Value = super::parse(r#"{"é\\":nan,"":-inf,"i":[null,true,[-1e5]]}"#).unwrap();
        assert_eq!(read, json!({ "é\\": "nan", "": "-inf", "i": [null, true, [-1e5]] }));
        for cut in [r#"{"a": ["#, r#""a"#, r#""a\"#, "-", "", "nan"] {
            assert_eq!(super::parse::<Value>(cut).is_ok(), cut == "nan", "{cut}");
        }
    }
}
