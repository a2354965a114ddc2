//! The engine of a live page, as elements of HTML.

use miniz_oxide::deflate::compress_to_vec_zlib;

use super::script::{SCRIPTS, squeezed};
use crate::svg::escaped;

/// How much time is spent to make data small, from 0 to 10.
const LEVEL: u8 = 9;

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

    /// The element of the data, which are JSON. A page that carries an engine is large, and a browser
    /// that starts it can unpack: there data and program are compressed, to a fifth and a third.
    pub(super) fn data_element(self, data: &str) -> String {
        match self {
            Engine::Carried([_, ..]) => packed("data", data),
            _ => format!(r#"<script type="application/json" id="data">{data}</script>"#),
        }
    }

    /// The elements of the program of a page.
    pub(super) fn program_element(self) -> String {
        let script = |scripts: &[&str]| {
            let text: String = scripts.iter().copied().map(squeezed).collect();
            format!("\"use strict\";\n{text}")
        };
        let run = |text: String| format!("<script>\n{text}</script>");
        match self {
            Engine::Carried([_, ..]) => {
                packed("program", &script(&SCRIPTS)) + &run(script(&[UNPACK, START]))
            }
            _ => run(script(&[&[UNPACK], &SCRIPTS[..]].concat())),
        }
    }
}

/// What unpacks, and what starts a program that is packed.
const UNPACK: &str = include_str!("unpack.js");
const START: &str = include_str!("start.js");

/// An element that holds a text compressed.
fn packed(id: &str, text: &str) -> String {
    let packed = base85(&compress_to_vec_zlib(text.as_bytes(), LEVEL));
    format!(r#"<script type="text/plain" id="{id}">{packed}</script>"#)
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
    use miniz_oxide::inflate::decompress_to_vec_zlib;

    use super::*;

    /// The bytes of a text in base 85, whose last letters may say fewer than four.
    fn bytes_of(text: &str) -> Vec<u8> {
        let digit = |letter: u8| DIGITS.iter().position(|each| *each == letter).unwrap() as u32;
        let mut bytes = Vec::new();
        for letters in text.as_bytes().chunks(5) {
            let all = letters.iter().chain([&b'~'; 5]).take(5);
            let word =
                all.fold(0u32, |word, letter| word.wrapping_mul(85).wrapping_add(digit(*letter)));
            bytes.extend(&word.to_be_bytes()[..letters.len() - 1]);
        }
        bytes
    }

    #[test]
    fn data_beside_an_engine_are_small_and_whole() {
        let data = r#"{"numbers":[0.08333333333333333,0.08333333333333333]}"#.repeat(200);
        let element = Engine::Carried(b"Man").data_element(&data);
        assert!(element.len() < data.len() / 5, "{}", element.len());
        let text = element.split(['<', '>']).nth(2).unwrap();
        assert_eq!(decompress_to_vec_zlib(&bytes_of(text)).unwrap(), data.as_bytes());
        // Without one, or where it lies beside the page, they are text that anybody can read.
        for engine in [Engine::Carried(&[]), Engine::Beside("engine.js")] {
            assert!(engine.data_element(&data).contains(&data));
        }
    }

    #[test]
    fn an_engine_is_text_of_85_letters() {
        let texts =
            [("", ""), ("M", "O#"), ("Man", "O,`^"), ("Man ", "O,`^z"), ("Man s", "O,`^za{")];
        for (bytes, text) in texts {
            assert_eq!(base85(bytes.as_bytes()), text);
        }
    }
}
