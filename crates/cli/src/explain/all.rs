//! Pages of all losses, with an index.

use std::path::{Path, PathBuf};

use lossgraph_autograd::Tape;
use lossgraph_engine::{Inputs, Subject};
use lossgraph_explain::Engine;
use lossgraph_losses::{ALL, Loss};

use super::latex::mathml;
use super::{ENGINE, Result, page_of};
use crate::check::progress;
use crate::output;
use crate::plot::picture;

/// The engine of all pages in the folder: each by itself would take ten times as much.
const SHARED: &str = "engine.js";

/// Writes a page for each loss of the catalogue into a folder, with the engine that they share; returns
/// the path of the index.
pub fn write(folder: &Path) -> Result<PathBuf> {
    output::make_folder(folder)?;
    output::write(&folder.join(SHARED), Engine::script(ENGINE))?;
    let bar = progress(ALL.len() as u64);
    for loss in ALL {
        bar.set_message(loss.name);
        let tape = Tape::f64();
        let subject = Subject::of(loss)?;
        let inputs = Inputs::samples(std::slice::from_ref(&subject))?;
        let file = folder.join(format!("{}.html", loss.name));
        output::write(
            &file,
            page_of(&subject, &tape, &inputs, Engine::Beside(SHARED))?.to_html()?,
        )?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let index = folder.join("index.html");
    output::write(&index, page()?)?;
    Ok(index)
}

/// The index: links to the families, a card for each loss, and a field that searches them.
fn page() -> Result<String> {
    let mut body = String::new();
    let mut families = String::new();
    for family in ALL.chunk_by(|a, b| a.family == b.family) {
        let id = family[0].family;
        let (title, count) = (id.replace('_', " "), family.len());
        families += &format!("<a href=\"#{id}\">{title} ({count})</a>\n");
        body += &format!("<section><h2 id=\"{id}\">{title}</h2>\n<ul>\n");
        for loss in family {
            body += &card(loss)?;
        }
        body += "</ul></section>\n";
    }
    Ok(include_str!("index.html").replace("{families}", &families).replace("{losses}", &body))
}

/// A loss with its picture and its formula; it is found by its names, too.
fn card(loss: &'static Loss) -> Result<String> {
    let Loss { name, aliases, family, summary, latex, .. } = loss;
    let [summary, words] =
        [(*summary).to_owned(), format!("{name} {} {family} {summary}", aliases.join(" "))]
            .map(|text| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"));
    let words = words.to_lowercase();
    let formula = mathml(latex)?;
    let picture = in_attribute(&picture(loss)?);
    Ok(format!(
        "<li data-words=\"{words}\"><a href=\"{name}.html\"><img src=\"data:image/svg+xml,{picture}\" \
         alt=\"\" loading=\"lazy\">{name}</a> <span>{summary}</span> {formula}</li>\n"
    ))
}

/// SVG as it can stand behind `data:image/svg+xml,` in an attribute.
fn in_attribute(svg: &str) -> String {
    let mut text = String::with_capacity(svg.len());
    for letter in svg.chars() {
        match letter {
            '%' | '#' | '"' | '<' | '>' | '&' | '\n' => {
                text += &format!("%{:02X}", u32::from(letter));
            }
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_in_an_attribute_has_no_letter_that_ends_it() {
        assert_eq!(in_attribute("<a b=\"#1\">\n50%</a>"), "%3Ca b=%22%231%22%3E%0A50%25%3C/a%3E");
    }

    #[test]
    fn the_index_has_a_card_for_each_loss_and_a_section_for_each_family() {
        let page = page().unwrap();
        let families = ALL.chunk_by(|a, b| a.family == b.family).count();
        assert_eq!(page.matches("<section>").count(), families);
        assert_eq!(page.matches("<a href=\"#").count(), families);
        assert_eq!(page.matches("<li data-words").count(), ALL.len());
        assert_eq!(page.matches("src=\"data:image/svg+xml,%3Csvg").count(), ALL.len());
    }
}
