//! `lossgraph plot`: a loss and its slope as a picture.

mod figure;
mod gallery;
mod landscape;
mod scene;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use lossgraph_losses::Loss;
use lossgraph_plot::{DISTINCT, Ink, Member, Picture};

use self::landscape::{Descent, Optimizer, landscape};
use self::scene::{Framing, Scene, VariedRequest};
use crate::output;
use crate::subject::{Setting, named};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a picture is drawn that is not of the catalogue.
const OWN: &str = "draw it from a program: `explain::curve` samples it, and `plot::Picture` draws the \
                   curve (README, \"A loss of your own\")";

/// The forms of the command.
const USAGE: &str = "lossgraph plot [OPTIONS] <NAME>
       lossgraph plot [OPTIONS] <NAME> --surface [--optimizer <OPTIMIZER>...]
       lossgraph plot --all --out <FOLDER>";

/// What to draw, and where to.
#[derive(Args)]
#[command(override_usage = USAGE)]
pub struct Options {
    /// The loss, by any of its names.
    #[arg(required_unless_present = "all")]
    name: Option<String>,
    /// An option and the values to show it with: delta=0.5,1,2.
    #[arg(long, value_name = "OPTION=VALUES", conflicts_with = "surface")]
    over: Option<String>,
    #[command(flatten)]
    setting: Setting,
    /// The input that moves; by default the first that can.
    #[arg(long)]
    input: Option<String>,
    /// The element of it that moves, counted row by row, with the catalogue's sample around it.
    #[arg(long)]
    element: Option<usize>,
    /// From where to where it moves: -3..3.
    #[arg(long, value_parser = range, allow_hyphen_values = true)]
    range: Option<Range<f64>>,
    /// Draw lines of equal loss over two numbers: a line fitted to points where that makes sense,
    /// else two elements of the sample.
    #[arg(long)]
    surface: bool,
    /// Optimizers whose path down the surface is shown: sgd,adam.
    #[arg(long, value_enum, value_delimiter = ',', requires = "surface")]
    optimizer: Vec<Optimizer>,
    /// How many steps they take.
    #[arg(long, default_value_t = 40, requires = "optimizer",
        value_parser = clap::value_parser!(u64).range(..=10_000))]
    steps: u64,
    /// Their learning rate.
    #[arg(long, default_value_t = 0.1, requires = "optimizer", allow_hyphen_values = true)]
    lr: f64,
    /// Write a picture to this file, .svg, .png or .txt; with --all, the folder. Without it, or to
    /// `-`, the picture is printed as text.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How wide it is: pixels of a PNG (1280), or columns of text (80).
    #[arg(long, value_parser = clap::value_parser!(u32).range(40..=10_000))]
    width: Option<u32>,
    /// Draw every loss of the catalogue into the folder of --out, with a page that shows them.
    #[arg(long, requires = "out",
        conflicts_with_all = ["name", "over", "set", "input", "element", "range", "surface", "width"])]
    all: bool,
}

/// What a picture of curves is to show, beside the loss.
#[derive(Default)]
struct CurvesRequest<'a> {
    over: Option<&'a str>,
    set: &'a str,
    varied: VariedRequest,
}

/// Draws what is requested.
pub fn run(options: &Options) -> Result<()> {
    if let (true, Some(folder)) = (options.all, &options.out) {
        return gallery::run(folder);
    }
    let name = options.name.as_deref().unwrap_or_default();
    let loss = named(name, OWN)?;
    let file = options.out.as_deref().unwrap_or(Path::new("-"));
    let format = Format::of(file)?;
    if options.width.is_some() && format == Format::Svg {
        return Err("--width is for .png and text: an .svg has no pixels".into());
    }
    let request = VariedRequest {
        input: options.input.clone(),
        element: options.element,
        range: options.range.clone(),
    };
    let set = &options.setting.text()?;
    let columns = options.width.unwrap_or(80) as usize;
    let is_terminal = output::is_stdout(file) && io::stdout().is_terminal();
    let ink = if is_terminal { Ink::Colored } else { Ink::Plain };
    let drawn = if options.surface {
        let descent = Descent {
            optimizers: &options.optimizer,
            steps: options.steps as usize,
            lr: options.lr,
        };
        let landscape = landscape(loss, &setting(loss, set), &request, &descent)?;
        match format {
            Format::Text => landscape.text(columns, ink),
            _ => landscape.svg(),
        }
    } else {
        let over = options.over.as_deref();
        let asks_nothing = over.is_none() && set.is_empty() && request.is_empty();
        if asks_nothing && format != Format::Text {
            let bytes = format.bytes(picture(loss)?, options.width.unwrap_or(1280))?;
            return output::write_and_report(file, bytes);
        }
        let picture = curves(loss, &CurvesRequest { over, set, varied: request })?;
        match format {
            Format::Text => picture.text(columns, ink),
            _ => picture.svg(),
        }
    };
    output::write_and_report(file, format.bytes(drawn, options.width.unwrap_or(1280))?)
}

/// The curves of a loss: over the requested values of an option, or those of its row.
fn curves(loss: &'static Loss, request: &CurvesRequest<'_>) -> Result<Picture> {
    let base = setting(loss, request.set);
    let over = match (request.over, request.set) {
        (Some(over), _) => Some(over.to_owned()),
        // Who sets an option wants to see that setting.
        (None, "") if !loss.over.is_empty() => Some(loss.over.to_owned()),
        _ => None,
    };
    // What the members differ in is no part of the title.
    let option = over.as_deref().and_then(|over| over.split('=').next());
    let common = base.split(' ').filter(|word| word.split('=').next() != option);
    let title = std::iter::once(loss.name).chain(common).collect::<Vec<_>>().join(" ");
    let settings = match &over {
        None => vec![(String::new(), base.clone())],
        Some(over) => distinct(members(over)?)?
            .into_iter()
            .map(|member| (member.replace('-', "−"), format!("{base} {member}")))
            .collect(),
    };
    let scene = Scene::of(loss, &settings[0].1, &request.varied)?;
    let member = |(label, setting): (String, String)| -> Result<Member> {
        loss.setting(&setting)?;
        Ok(Member { label, curve: scene.curve(&setting)? })
    };
    Ok(Picture {
        members: settings.into_iter().map(member).collect::<Result<_>>()?,
        title: title.trim_end().to_owned(),
        has_current: scene.framing == Framing::Sample,
        range: scene.along.range,
        axis: scene.axis,
        note: scene.note,
    })
}

/// The setting that a picture begins with: the first that the catalogue checks, since samples are
/// made for it, and what the user sets.
fn setting(loss: &Loss, set: &str) -> String {
    let first = loss.grid.first().copied().unwrap_or_default();
    format!("{first} {set}").trim().to_owned()
}

/// `delta=0.5,1` as `delta=0.5` and `delta=1`.
fn members(over: &str) -> Result<Vec<String>> {
    match over.split_once('=') {
        Some((option, values))
            if !option.is_empty() && values.split(',').all(|v| !v.is_empty()) =>
        {
            Ok(values.split(',').map(|value| format!("{option}={value}")).collect())
        }
        _ => {
            let why = "expected an option and its values, such as delta=0.5,1,2";
            Err(format!("--over {over}: {why}").into())
        }
    }
}

/// As many members as can be told apart.
fn distinct(members: Vec<String>) -> Result<Vec<String>> {
    match members.len() {
        count if count > DISTINCT => {
            let why =
                format!("{count} curves cannot be told apart: expected at most {DISTINCT} values");
            Err(format!("--over: {why}").into())
        }
        _ => Ok(members),
    }
}

/// `-3..3` as a range.
fn range(text: &str) -> std::result::Result<Range<f64>, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    let ends = text.split_once("..").and_then(|(a, b)| Some((number(a)?, number(b)?)));
    match ends {
        Some((start, end)) if start < end => Ok(start..end),
        Some(_) => Err("the first number has to be the smaller one".to_owned()),
        None => Err("expected two numbers, such as -3..3".to_owned()),
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
    Text,
}

impl Format {
    /// By the end of its name.
    fn of(file: &Path) -> Result<Format> {
        let end = file.extension().and_then(|end| end.to_str()).map(str::to_lowercase);
        match end.as_deref() {
            Some("svg") => Ok(Format::Svg),
            Some("png") => Ok(Format::Png),
            Some("txt") => Ok(Format::Text),
            None if output::is_stdout(file) || lossgraph_file::is_stream(file) => Ok(Format::Text),
            _ => {
                let why = "expected a name in .svg, .png or .txt";
                Err(format!("--out {}: {why}", file.display()).into())
            }
        }
    }

    fn bytes(self, drawn: String, width: u32) -> Result<Vec<u8>> {
        match self {
            Format::Svg | Format::Text => Ok(drawn.into_bytes()),
            Format::Png => png(&drawn, Some(width)),
        }
    }
}

/// The picture of a loss as the gallery has it, as SVG: what it is about, or its curves.
pub(crate) fn picture(loss: &'static Loss) -> Result<String> {
    match figure::figure(loss)? {
        Some(found) => Ok(figure::svg(loss, &found)),
        None => Ok(curves(loss, &CurvesRequest::default())?.svg()),
    }
}

/// A picture as PNG, so many pixels wide or in twice its size.
#[cfg(feature = "png")]
pub(crate) fn png(svg: &str, width: Option<u32>) -> Result<Vec<u8>> {
    crate::png::render(svg, width)
}

/// A picture as PNG, which this program was built without.
#[cfg(not(feature = "png"))]
pub(crate) fn png(_: &str, _: Option<u32>) -> Result<Vec<u8>> {
    let cure = "write an .svg, or run it with `cargo run --release --features png -- …`";
    Err(format!("this program was built without its feature `png`: {cure}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_losses::ALL;

    #[test]
    fn what_a_picture_varies_by_default_can_be_seen() {
        for loss in ALL.iter().filter(|loss| !loss.over.is_empty()) {
            let name = loss.name;
            let picture = curves(loss, &CurvesRequest::default()).unwrap();
            for pair in picture.members.windows(2) {
                assert!(pair[0].curve != pair[1].curve, "{name}: {}", pair[1].label);
            }
        }
    }

    #[test]
    fn a_range_is_two_numbers_the_smaller_first() {
        assert_eq!(range("-3..3"), Ok(-3.0..3.0));
        assert_eq!(range("0.5..1e2"), Ok(0.5..100.0));
        for bad in ["3", "3..-3", "1..1", "a..b", "..", "0..inf", "nan..1"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_of_a_family_are_settings() {
        assert_eq!(members("delta=0.5,-1").unwrap(), ["delta=0.5", "delta=-1"]);
        for bad in ["delta", "=1", "delta=", "delta=1,,2"] {
            assert!(members(bad).is_err(), "{bad}");
        }
    }
}
