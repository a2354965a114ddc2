//! The engine of a live page, as elements of HTML.

use crate::svg::escaped;

/// Where a page has the engine from that computes it anew when its reader changes a number: a module
/// of WebAssembly, compressed by gzip.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    /// The page carries it, and needs no other file.
    Carried(&'static [u8]),
    /// A script of this name in the folder of the page, which many pages share:
    /// [`Engine::script`].
    Beside(&'static str),
}

impl Engine {
    /// The text of the script that pages share.
    pub fn script(module: &[u8]) -> String {
        format!("document.currentScript.textContent = \"{}\";\n", base85(module))
    }

    /// Whether there is one: a build without an engine has pages that stand still.
    pub(super) fn is_there(self) -> bool {
        !matches!(self, Engine::Carried([]))
    }

    /// The element of a page.
    pub(super) fn element(self) -> String {
        match self {
            Engine::Carried(module) => {
                format!(r#"<script type="text/plain" id="engine">{}</script>"#, base85(module))
            }
            Engine::Beside(name) => {
                format!(r#"<script id="engine" src="{}"></script>"#, escaped(name))
            }
        }
    }
}

/// The digits of base 85: no letter has a meaning in HTML or in a string of JavaScript.
const DIGITS: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

/// Bytes as text in base 85, a sixteenth shorter than in base 64: four bytes are five letters, and fewer
/// at the end one letter more than they are.
fn base85(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(4) * 5);
    for chunk in bytes.chunks(4) {
        let mut four = [0; 4];
        four[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes(four);
        let letters = [85u32.pow(4), 85u32.pow(3), 85u32.pow(2), 85, 1]
            .map(|unit| DIGITS[(word / unit % 85) as usize] as char);
        text.extend(&letters[..=chunk.len()]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_text_of_85_letters() {
        let texts =
            [("", ""), ("M", "O#"), ("Man", "O,`^"), ("Man ", "O,`^z"), ("Man s", "O,`^za{")];
        for (bytes, text) in texts {
            assert_eq!(base85(bytes.as_bytes()), text);
        }
    }
}
