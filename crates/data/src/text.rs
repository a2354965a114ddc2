//! Text as numbers of characters, for models that learn what comes next.

use std::path::Path;

use lossgraph_tensor::Tensor;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::file;

/// A text, and the characters that occur in it: a model that predicts the next one learns from it.
///
/// ```
/// use lossgraph_data::Text;
///
/// let text = Text::new("hello hello")?;
/// assert_eq!(text.characters().len(), 5); // space, e, h, l, o
/// let ids = text.encode("hole")?;
/// assert_eq!(text.decode(&ids), "hole");
/// // Five characters each, and the five that come next.
/// let data = text.sequences(5)?;
/// assert_eq!(data.inputs().shape()[..], [2, 5]);
/// # Ok::<(), lossgraph_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    characters: Vec<char>,
    ids: Vec<i64>,
}

impl Text {
    /// A text.
    ///
    /// # Errors
    /// A text without characters.
    pub fn new(text: &str) -> Result<Text> {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        if characters.is_empty() {
            return Err(Error::Dataset { why: "the text is empty".to_owned() });
        }
        let mut text_of = Text { characters, ids: Vec::new() };
        text_of.ids = text_of.encode(text)?;
        Ok(text_of)
    }

    /// A text from a file of UTF-8, gzipped or not.
    ///
    /// # Errors
    /// A file that cannot be read, is empty, or is no UTF-8.
    pub fn read(path: impl AsRef<Path>) -> Result<Text> {
        let path = path.as_ref();
        Text::new(&file::text(path)?)
            .map_err(|error| Error::Read { path: path.to_owned(), why: error.to_string() })
    }

    /// The characters that occur, in order: a number stands for its place.
    #[doc(alias = "vocabulary")]
    pub fn characters(&self) -> &[char] {
        &self.characters
    }

    /// The numbers of all characters of the text.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The numbers of the characters of another text.
    ///
    /// # Errors
    /// A character that does not occur in this one.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let id = |c: char| match self.characters.binary_search(&c) {
            Ok(at) => Ok(at as i64),
            Err(_) => {
                Err(Error::Dataset { why: format!("the character {c:?} is not in the text") })
            }
        };
        text.chars().map(id).collect()
    }

    /// The text of numbers; those that stand for no character are `\u{fffd}`.
    pub fn decode(&self, ids: &[i64]) -> String {
        let of = |id: &i64| usize::try_from(*id).ok().and_then(|id| self.characters.get(id));
        ids.iter().map(|id| of(id).copied().unwrap_or('\u{fffd}')).collect()
    }

    /// The text cut into sequences of some characters, integers `[sequences, length]`; the targets
    /// are the characters that follow each, of the same shape.
    ///
    /// # Errors
    /// A length of 0, or a text that is not longer than it.
    pub fn sequences(&self, length: usize) -> Result<Dataset> {
        let count = (self.ids.len() - 1).checked_div(length).unwrap_or(0);
        if count == 0 {
            let why = format!(
                "sequences of {length} from a text of {} characters, expected 1 or more, and a \
                 longer text",
                self.ids.len()
            );
            return Err(Error::Dataset { why });
        }
        let part = |start: usize| {
            Tensor::new([count, length], self.ids[start..start + count * length].to_vec())
        };
        Dataset::pairs(part(0)?, part(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_what_comes_next() {
        let text = Text::new("abcdefg").unwrap();
        let data = text.sequences(3).unwrap();
        assert_eq!(data.inputs().to_f64s(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(data.targets().to_f64s(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(text.sequences(7).is_err() && text.sequences(0).is_err());
    }

    #[test]
    fn what_does_not_occur_is_refused() {
        let text = Text::new("ab").unwrap();
        assert!(text.encode("abc").unwrap_err().to_string().contains("'c' is not in the text"));
        assert_eq!(text.decode(&[0, 7, -1]), "a\u{fffd}\u{fffd}");
        assert!(Text::new("").is_err());
    }
}
