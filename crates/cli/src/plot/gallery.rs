//! The pictures of all losses, and the page that shows them.

use std::error::Error;
use std::path::Path;

use lossgraph_losses::{ALL, Loss};

use super::{figure, picture};
use crate::check::progress;
use crate::output;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Draws every loss into a folder, and writes a page with all of them.
pub fn run(folder: &Path) -> Result<()> {
    output::make_folder(folder)?;
    let bar = progress(ALL.len() as u64);
    let mut page = PREFACE.to_owned();
    let mut family = "";
    for loss in ALL {
        bar.set_message(loss.name);
        output::write(&folder.join(format!("{}.svg", loss.name)), picture(loss)?)?;
        if loss.family != family {
            page += &format!("\n## {}\n", capital(&loss.family.replace('_', " ")));
            family = loss.family;
        }
        page += &entry(loss)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    output::write(&folder.join("README.md"), page)?;
    let (count, folder) = (ALL.len(), folder.display());
    output::print(format!("wrote {count} pictures and README.md to {folder}\n"))
}

const PREFACE: &str = "\
# All losses

Every loss of the catalogue over one of its numbers: its value above, its slope below, as `grad` gives it. Rings are where the slope jumps; a filled dot between them is the slope that `grad` gives at that very place. Below each title stands what moves and what stays; where that is the catalogue's sample, a dot on the curve marks it. Where a curve says little of what a loss is about, its picture shows that instead, at the catalogue's sample: alignments, ranked lists, masks, pictures, distances. `lossgraph plot NAME` draws one of them with other options, over another input, or in the terminal.

This page and its pictures are made by `lossgraph plot --all --out docs/losses`.

[Every loss trains](training.md) is a table of what each does on the data that it is made for.
";

fn entry(loss: &'static Loss) -> Result<String> {
    let Loss { name, summary, formula, .. } = loss;
    let found = figure::figure(loss)?;
    let (shown, about) = found.map_or(("loss and slope", String::new()), |figure| {
        (figure.title, format!("\n{}\n", figure.about))
    });
    Ok(format!(
        "\n### {name}\n\n{summary}\n\n```text\n{formula}\n```\n\n![{name}: {shown}]({name}.svg)\n{about}"
    ))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
