//! `lossgraph explain`: pages and other views of losses.

mod all;
mod inputs;
mod latex;
mod lessons;
mod subject;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lossgraph_autograd::Tape;
use lossgraph_explain::{Graph, Page, PageError};

use crate::subject::Setting;
use inputs::Inputs;
use subject::Subject;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What to show of which loss.
#[derive(Args)]
pub struct Options {
    /// A loss, by any of its names, or a lesson: vanishing, nan, outlier.
    #[arg(required_unless_present = "all")]
    loss: Option<String>,
    /// A loss to compare it with on the same inputs, perhaps with options: "huber delta=2". Can be
    /// repeated.
    #[arg(long, value_name = "LOSS")]
    versus: Vec<String>,
    #[command(flatten)]
    setting: Setting,
    /// A file of JSON with your own numbers: {"logits": [[2, 1, 0]], "labels": [0]}.
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
    /// A page, or a view of the same graph.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// To which nesting depth groups are expanded in a picture; all by default.
    #[arg(long)]
    depth: Option<usize>,
    /// The file to write; for a page LOSS.html by default. With --all, the folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Open the page in the browser.
    #[arg(long)]
    open: bool,
    /// Pages of all losses of the catalogue, with an index.
    #[arg(long, conflicts_with_all = ["loss", "versus", "set", "inputs"])]
    all: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Html,
    Listing,
    Dot,
    Mermaid,
    Svg,
    Json,
}

/// Writes what is requested.
pub fn run(options: &Options) -> Result<()> {
    if options.all {
        let folder = options.out.clone().unwrap_or_else(|| PathBuf::from("explained"));
        return report(&all::write(&folder)?, options);
    }
    let (subjects, inputs) = requested(options)?;
    match options.format {
        Format::Html => {
            let file = options.out.clone().unwrap_or_else(|| file_name(options, &subjects).into());
            let tapes: Vec<Tape> = subjects.iter().map(|_| Tape::f64()).collect();
            let pages =
                subjects.iter().zip(&tapes).map(|(subject, tape)| subject.page(tape, &inputs));
            let mut pages = pages.collect::<Result<Vec<_>>>()?.into_iter();
            if let Some(first) = pages.next() {
                write(&pages.fold(first, Page::versus), &file)?;
            }
            report(&file, options)
        }
        format if format != Format::Listing && subjects.len() > 1 => Err(format!(
            "a picture shows one loss, not {}; a page or a listing shows all",
            subjects.len()
        )
        .into()),
        format => {
            let texts =
                subjects.iter().map(|subject| view(subject, &inputs, format, options.depth));
            emit(&texts.collect::<Result<Vec<String>>>()?.join("\n"), options)
        }
    }
}

/// A loss as text or picture.
fn view(
    subject: &Subject,
    inputs: &Inputs,
    format: Format,
    depth: Option<usize>,
) -> Result<String> {
    let tape = Tape::f64();
    let (vars, loss) = subject.record(&tape, inputs)?;
    let named = |graph: Graph, (name, var): (&str, _)| graph.name(var, name);
    let graph = vars.into_iter().fold(Graph::of(loss)?, named);
    let depth = depth.unwrap_or(usize::MAX);
    Ok(match format {
        Format::Html | Format::Listing => graph.listing().to_string(),
        Format::Dot => graph.dot(depth),
        Format::Mermaid => graph.mermaid(depth),
        Format::Svg => graph.svg(depth),
        Format::Json => format!("{:#}\n", graph.json(depth)),
    })
}

/// Writes a page; an error of the program is reported with its operands and its cure.
fn write(page: &Page<'_>, file: &Path) -> Result<()> {
    match page.write(file) {
        Err(PageError::Loss(fault)) => Err(fault.into()),
        written => Ok(written?),
    }
}

/// The requested losses, and their inputs.
fn requested(options: &Options) -> Result<(Vec<Subject>, Inputs)> {
    let name = options.loss.as_deref().unwrap_or_default();
    let read = options.inputs.as_deref().map(inputs::read).transpose()?;
    let (mut subjects, inputs) = match lessons::find(name) {
        Some(_) if !options.setting.is_empty() => {
            return Err(format!("the lesson {name} has no options").into());
        }
        Some(lesson) => (lesson.subjects()?, read.or(Some(lesson.inputs()?))),
        None => (vec![Subject::new(name, &options.setting.text())?], read),
    };
    for other in &options.versus {
        let (name, setting) = other.split_once(' ').unwrap_or((other, ""));
        subjects.push(Subject::new(name, setting)?);
    }
    let inputs = inputs.unwrap_or_else(|| Inputs::samples(&subjects));
    inputs.give(&mut subjects)?;
    Ok((subjects, inputs))
}

/// The default file name of a page.
fn file_name(options: &Options, subjects: &[Subject]) -> String {
    let names: Vec<&str> = match &options.loss {
        Some(lesson) if lessons::find(lesson).is_some() => vec![lesson],
        _ => subjects.iter().map(Subject::name).collect(),
    };
    format!("{}.html", names.join("-versus-"))
}

/// Reports the file that was written, and opens it if that is requested.
fn report(file: &Path, options: &Options) -> Result<()> {
    println!("wrote {}", file.display());
    if options.open {
        open::that(file)
            .map_err(|error| format!("{} cannot be opened: {error}", file.display()))?;
    }
    Ok(())
}

/// Writes a view to its file, or prints it.
fn emit(text: &str, options: &Options) -> Result<()> {
    match &options.out {
        Some(file) => {
            lossgraph_file::write_atomically(file, text)?;
            report(file, options)
        }
        None => match io::stdout().write_all(text.as_bytes()) {
            // A reader such as `head` may close the pipe early, which is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        },
    }
}
