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
    let (mut rest, mut in_string) = (text, false);
    'text: while let Some(first) = rest.chars().next() {
        for name in ["NaN", "-Infinity", "Infinity", "-nan", "nan", "-inf", "inf"] {
            if let (false, Some(after)) = (in_string, rest.strip_prefix(name)) {
                quoted += &format!("\"{name}\"");
                rest = after;
                continue 'text;
            }
        }
        // What follows a backslash ends no string.
        let escaped = in_string && first == '\\';
        in_string ^= first == '"';
        let taken = rest.chars().take(1 + usize::from(escaped)).map(char::len_utf8).sum();
        quoted += &rest[..taken];
        rest = &rest[taken..];
    }
    quoted
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
    }
}
