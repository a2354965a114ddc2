//! What stands within `<script>` and `<style>`.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// The scripts of the page, in the order of their dependencies.
pub(super) const SCRIPTS: [&str; 19] = [
    include_str!("numbers.js"),
    include_str!("tensor.js"),
    include_str!("graph.js"),
    include_str!("zoom.js"),
    include_str!("steps.js"),
    include_str!("element.js"),
    include_str!("engine.js"),
    include_str!("paste.js"),
    include_str!("controls.js"),
    include_str!("descend.js"),
    include_str!("surface.js"),
    include_str!("points.js"),
    include_str!("family.js"),
    include_str!("symbols.js"),
    include_str!("share.js"),
    include_str!("page.js"),
    include_str!("live.js"),
    include_str!("print.js"),
    include_str!("main.js"),
];

/// A script or a style without comments and indentation: its readers are here, and each page carries
/// it. Comments have lines of their own.
pub(super) fn squeezed(text: &str) -> String {
    let mut squeezed = String::with_capacity(text.len());
    let mut is_comment = false;
    for line in text.lines().map(str::trim) {
        is_comment |= line.starts_with("/*");
        if !is_comment && !line.is_empty() && !line.starts_with("//") {
            squeezed += line;
            squeezed.push('\n');
        }
        is_comment &= !line.ends_with("*/");
    }
    squeezed
}

/// JSON as it can stand within `<script>`: nothing in it ends the element, or a line of JavaScript.
pub(super) fn in_script(data: &impl Serialize) -> String {
    let mut text = Vec::new();
    let written = data.serialize(&mut Serializer::with_formatter(&mut text, InScript));
    written.expect("a key is a text, and memory takes all that is written");
    String::from_utf8(text).expect("JSON is written as UTF-8")
}

/// Writes as `\u003c` and the like what has a meaning there.
struct InScript;

impl Formatter for InScript {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut start = 0;
        for (at, found) in fragment.match_indices(['<', '\u{2028}', '\u{2029}']) {
            writer.write_all(&fragment.as_bytes()[start..at])?;
            found.chars().try_for_each(|c| write!(writer, "\\u{:04x}", u32::from(c)))?;
            start = at + found.len();
        }
        writer.write_all(&fragment.as_bytes()[start..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_stay_out_of_pages() {
        let text =
            "/** What\n * it does. */\n/* This, too. */\nif (a) {\n  // Aside.\n  b(\"//c\");\n}\n";
        assert_eq!(squeezed(text), "if (a) {\nb(\"//c\");\n}\n");
    }
}
