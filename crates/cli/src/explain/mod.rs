//! `lossgraph explain`: pages and other views of losses.

mod all;
mod latex;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lossgraph_autograd::Tape;
use lossgraph_engine::{Inputs, Subject, controls, have_common_names, parse};
use lossgraph_explain::{Engine, Graph, Page};
use lossgraph_losses::Case;

use crate::output;
use crate::subject::Setting;
use latex::mathml;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The engine that pages carry: `crates/engine/build` makes it.
const ENGINE: &[u8] = include_bytes!("engine.wasm.gz");

/// The forms of the command.
const USAGE: &str = "lossgraph explain [OPTIONS] <LOSS>
       lossgraph explain --all [--out <FOLDER>] [--open]";

/// What to show of which loss.
#[derive(Args)]
#[command(override_usage = USAGE)]
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
    /// A page, or a view of the same graph; by default what the name of the file says, else a page.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// To which nesting depth groups are expanded in a picture or JSON; all by default.
    #[arg(long)]
    depth: Option<usize>,
    /// The file to write, `-` for standard output; for a page LOSS.html by default. With --all, the
    /// folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Open the file that was written in the browser.
    #[arg(long)]
    open: bool,
    /// A page for a slide or a notebook: one view, and nothing around it.
    #[arg(long)]
    embed: bool,
    /// Pages of all losses of the catalogue, with an index.
    #[arg(long, conflicts_with_all = ["loss", "versus", "set", "inputs", "format", "depth", "embed"])]
    all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Html,
    Listing,
    Dot,
    Mermaid,
    Svg,
    Png,
    Json,
}

/// Which format a file has, by the end of its name.
const ENDINGS: [(&str, Format); 9] = [
    ("html", Format::Html),
    ("htm", Format::Html),
    ("txt", Format::Listing),
    ("dot", Format::Dot),
    ("gv", Format::Dot),
    ("mmd", Format::Mermaid),
    ("svg", Format::Svg),
    ("png", Format::Png),
    ("json", Format::Json),
];

impl Format {
    /// The requested format, or that of the file. A name without an end says nothing.
    fn of(options: &Options) -> Result<Format> {
        let file = options.out.as_deref().unwrap_or(Path::new(""));
        let Some(end) = file.extension() else { return Ok(options.format.unwrap_or(Format::Html)) };
        let end = end.to_string_lossy().to_lowercase();
        let by_name = ENDINGS.iter().find(|(each, _)| *each == end).map(|(_, format)| *format);
        match (options.format, by_name) {
            (Some(requested), Some(by_name)) if requested != by_name => Err(format!(
                "--out {} is the name of another format than that of --format",
                file.display()
            )
            .into()),
            (Some(format), _) | (None, Some(format)) => Ok(format),
            (None, None) => {
                let known = ENDINGS.map(|(end, _)| format!(".{end}")).join(", ");
                let out = file.display();
                Err(format!("--out {out}: expected a name in one of {known}, or a --format").into())
            }
        }
    }
}

/// Writes what is requested.
pub fn run(options: &Options) -> Result<()> {
    if options.all {
        let folder = options.out.clone().unwrap_or_else(|| PathBuf::from("explained"));
        let index = all::write(&folder)?;
        output::print(format!("wrote {}\n", index.display()))?;
        return open(&index, options);
    }
    let format = Format::of(options)?;
    if options.depth.is_some() && matches!(format, Format::Html | Format::Listing) {
        return Err("--depth is for svg, png, dot, mermaid and json: a page is opened group by \
                    group, and a listing has no groups"
            .into());
    }
    if options.embed && format != Format::Html {
        return Err("--embed is for a page: the other formats have nothing around them".into());
    }
    let (subjects, inputs) = requested(options)?;
    let default = (format == Format::Html).then(|| file_name(options, &subjects).into());
    let file = options.out.clone().or(default).unwrap_or_else(|| PathBuf::from("-"));
    output::refuse_inputs(&options.inputs, &file)?;
    if options.open && output::is_stdout(&file) {
        return Err("--open is for a file: name one by --out".into());
    }
    if !matches!(format, Format::Html | Format::Listing) && subjects.len() > 1 {
        let count = subjects.len();
        let why = format!("a picture shows one loss, not {count}; a page or a listing shows all");
        return Err(why.into());
    }
    let content = match format {
        Format::Html => page(&subjects, &inputs, options)?.into_bytes(),
        _ => {
            let views =
                subjects.iter().map(|subject| view(subject, &inputs, format, options.depth));
            views.collect::<Result<Vec<_>>>()?.join(&b"\n"[..])
        }
    };
    output::write_and_report(&file, content)?;
    open(&file, options)
}

/// The page of some losses, side by side.
fn page(subjects: &[Subject], inputs: &Inputs, options: &Options) -> Result<String> {
    let tapes: Vec<Tape> = subjects.iter().map(|_| Tape::f64()).collect();
    let engine = Engine::Carried(ENGINE);
    let page = |(subject, tape)| page_of(subject, tape, inputs, engine);
    let pages = subjects.iter().zip(&tapes).map(page);
    let page = pages.collect::<Result<Vec<_>>>()?.into_iter().reduce(Page::versus);
    let page = page.ok_or("there is no loss to explain")?;
    let page = if options.embed { page.embed() } else { page };
    Ok(page.to_html()?)
}

/// The page of a loss, with its formula, and with the engine that makes it live.
fn page_of<'t>(
    subject: &Subject,
    tape: &'t Tape,
    inputs: &Inputs,
    engine: Engine,
) -> Result<Page<'t>> {
    let (_, page) = subject.page(tape, inputs)?;
    let page = page.formula(mathml(subject.latex())?);
    Ok(page.live(engine, controls(subject, inputs)?))
}

/// Reads a file of inputs.
fn read(file: &Path) -> Result<Inputs> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// The page of a case of a loss, on its inputs.
pub(crate) fn html_of(case: &Case) -> Result<String> {
    let subject = Subject::Loss(case.clone());
    let inputs = Inputs::samples(std::slice::from_ref(&subject))?;
    let tape = Tape::f64();
    let (_, page) = subject.page(&tape, &inputs)?;
    Ok(page.to_html()?)
}

/// A loss as text or picture.
fn view(
    subject: &Subject,
    inputs: &Inputs,
    format: Format,
    depth: Option<usize>,
) -> Result<Vec<u8>> {
    let tape = Tape::f64();
    let (vars, loss) = subject.record(&tape, inputs)?;
    let named = |graph: Graph, (name, var): (&str, _)| graph.name(var, name);
    let graph = vars.into_iter().fold(Graph::of(loss)?, named);
    let depth = depth.unwrap_or(usize::MAX);
    let text = match format {
        Format::Html | Format::Listing => graph.listing().to_string(),
        Format::Dot => graph.dot(depth),
        Format::Mermaid => graph.mermaid(depth),
        Format::Json => format!("{:#}\n", graph.json(depth)),
        Format::Svg => graph.svg(depth),
        Format::Png => return crate::plot::png(&graph.svg(depth), None),
    };
    Ok(text.into_bytes())
}

/// The requested losses, and their inputs.
fn requested(options: &Options) -> Result<(Vec<Subject>, Inputs)> {
    let name = options.loss.as_deref().unwrap_or_default();
    let given = options.inputs.as_deref().map(read).transpose()?;
    let (mut subjects, inputs) = match lossgraph_engine::lesson(name) {
        Some(_) if !options.setting.is_empty() => {
            return Err(format!("the lesson {name} has no options").into());
        }
        Some(lesson) => (lesson.subjects()?, given.or(Some(lesson.inputs()?))),
        None => (vec![Subject::new(name, &options.setting.text()?)?], given),
    };
    for other in &options.versus {
        let (name, setting) = other.split_once(' ').unwrap_or((other, ""));
        subjects.push(Subject::new(name, setting)?);
    }
    have_common_names(&subjects)?;
    let inputs = match inputs {
        Some(inputs) => inputs,
        None => Inputs::samples(&subjects)?,
    };
    inputs.give(&mut subjects)?;
    Ok((subjects, inputs))
}

/// The default file name of a page.
fn file_name(options: &Options, subjects: &[Subject]) -> String {
    let names: Vec<&str> = match &options.loss {
        Some(lesson) if lossgraph_engine::lesson(lesson).is_some() => vec![lesson],
        _ => subjects.iter().map(Subject::name).collect(),
    };
    format!("{}.html", names.join("-versus-"))
}

/// Opens a file that was written, if that is requested.
fn open(file: &Path, options: &Options) -> Result<()> {
    if options.open {
        open::that(file)
            .map_err(|error| format!("{} cannot be opened: {error}", file.display()))?;
    }
    Ok(())
}
