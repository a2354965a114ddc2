//! Pages of all losses, with an index.

use std::path::{Path, PathBuf};

use lossgraph_autograd::Tape;
use lossgraph_losses::{ALL, Loss};

use super::Result;
use super::inputs::Inputs;
use super::latex::mathml;
use super::subject::Subject;
use crate::check::progress;
use crate::output;

/// Writes a page for each loss of the catalogue into a folder; returns the path of the index.
pub fn write(folder: &Path) -> Result<PathBuf> {
    output::make_folder(folder)?;
    let bar = progress(ALL.len() as u64);
    for loss in ALL {
        bar.set_message(loss.name);
        let tape = Tape::f64();
        let subject = Subject::of(loss)?;
        let inputs = Inputs::samples(std::slice::from_ref(&subject))?;
        let file = folder.join(format!("{}.html", loss.name));
        output::write(&file, subject.page(&tape, &inputs)?.to_html()?)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let index = folder.join("index.html");
    output::write(&index, page()?)?;
    Ok(index)
}

/// The index, by families.
fn page() -> Result<String> {
    let mut body = String::new();
    let mut family = "";
    for loss in ALL {
        if loss.family != family {
            family = loss.family;
            body += &format!("<h2>{}</h2>\n", family.replace('_', " "));
        }
        body += &row(loss)?;
    }
    Ok(include_str!("index.html").replace("{losses}", &body))
}

fn row(loss: &Loss) -> Result<String> {
    let Loss { name, summary, latex, .. } = loss;
    let summary = summary.replace('&', "&amp;").replace('<', "&lt;");
    let formula = mathml(latex)?;
    Ok(format!("<p><a href=\"{name}.html\">{name}</a> {summary}<br>{formula}</p>\n"))
}
