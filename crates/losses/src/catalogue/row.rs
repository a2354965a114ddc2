//! A row of the table: what tests, docs and programs know of a loss.

use std::fmt;
use std::panic::Location;

use lossgraph_autograd::{Fault, Tape, Var};

use super::figure::Figure;
use super::sample::{Domain, Sample};
use super::setting::{Args, BadSetting, Numbers, Setting};
use super::task::{Fit, Task};
use crate::terms::Terms;

/// A loss as tests, docs and programs see it.
#[derive(Debug)]
pub struct Loss {
    /// Its name: that of the function.
    pub name: &'static str,
    /// Other names in use.
    pub aliases: &'static [&'static str],
    /// What kind of loss it is: the name of its folder.
    pub family: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// The formula of a term, as text.
    pub formula: &'static str,
    /// The formula of a term, as LaTeX.
    pub latex: &'static str,
    /// What other letters of that formula stand for than inputs and options.
    pub letters: &'static [(&'static str, &'static str)],
    /// The shapes of its inputs and terms.
    pub shapes: &'static str,
    /// The unit of a term.
    pub unit: &'static str,
    /// Where a term can lie.
    pub range: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Its inputs, tensor options included, with samples of what they hold.
    pub inputs: &'static [Sample],
    /// Its other options.
    pub options: &'static [Choice],
    /// The settings that checks run, as [`Loss::setting`] reads them.
    pub grid: &'static [&'static str],
    /// What leaves it as it is.
    pub invariances: &'static [Invariance],
    /// Edges where it or a slope is NaN, or has no digits, and why: names of edges with ` | ` between
    /// them, each for one option if it says so (`weights of 0 with weight`). A family's go for its
    /// losses that list none.
    pub edges: &'static [(&'static str, &'static str)],
    /// The tasks that it can train; the first is what it is made for.
    pub tasks: &'static [Fit],
    /// An option and the values that a picture shows, `delta=0.5,1,2`; nothing for one setting alone.
    pub over: &'static str,
    /// Records the loss.
    pub run: for<'t> fn(&Args<'t>) -> Terms<'t>,
    /// The terms once more, as a plain function on numbers.
    pub naive: fn(&Numbers<'_>) -> Vec<f64>,
    /// The slope in closed form, where readers know it by heart.
    pub slope: Option<Slope>,
    /// Scores and labels, where a term is −ln of the softmax of the scores at the label.
    pub softmax_nll: Option<[&'static str; 2]>,
    /// What the loss is about, where a curve over one number says little of it; `None` of numbers that
    /// do not go together.
    pub figure: Option<fn(&Numbers<'_>) -> Option<Figure>>,
}

/// The slope of the mean of all terms in one input, in closed form: what the steps of the chain rule
/// arrive at.
#[derive(Clone, Copy, Debug)]
pub struct Slope {
    /// The input.
    pub input: &'static str,
    /// The formula, as text in the symbols of the loss's own; `n` counts terms.
    pub formula: &'static str,
    /// The options that it depends on; with any other option set, it is not the slope.
    pub options: &'static [&'static str],
    /// The same as a plain function on numbers.
    pub naive: fn(&Numbers<'_>) -> Vec<f64>,
}

/// An option that is no tensor.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Its name: that of the field.
    pub name: &'static str,
    /// What it can be, the default included.
    pub kind: OptionKind,
    /// What it does, in a few words.
    pub about: &'static str,
}

/// What an option can be. Displayed, it is the default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptionKind {
    /// A number, with its default.
    Number(f64),
    /// A whole number, such as a label, with its default.
    Integer(i64),
    /// A number of things, 0 or more, with its default.
    Count(usize),
    /// On or off; off by default.
    Flag,
    /// One of some words, the first by default.
    Word(&'static [&'static str]),
    /// A list of numbers, with its default: `2,5`.
    List(&'static [f64]),
}

/// As a setting says it: `1`, `false`, `mean`, `2,5`.
impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nobody counts the zeros of 0.0000001.
            OptionKind::Number(default) if *default != 0.0 && default.abs() < 1e-4 => {
                write!(f, "{default:e}")
            }
            OptionKind::Number(default) => write!(f, "{default}"),
            OptionKind::Integer(default) => write!(f, "{default}"),
            OptionKind::Count(default) => write!(f, "{default}"),
            OptionKind::Flag => f.write_str("false"),
            OptionKind::Word(words) => f.write_str(words.first().copied().unwrap_or("")),
            OptionKind::List(default) => {
                let numbers: Vec<String> = default.iter().map(f64::to_string).collect();
                f.write_str(&numbers.join(","))
            }
        }
    }
}

/// A change of the inputs after which a loss is what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Invariance {
    /// A number added to all scores of an example, along the last axis of an input.
    Shift(&'static str),
    /// Each vector along the last axis of an input times a positive number.
    Scale(&'static str),
    /// The rows along the first axis of these inputs in another order. A loss of one term stays
    /// as it is; terms of examples are permuted with them.
    Order(&'static [&'static str]),
}

/// An input that a loss always has.
pub(crate) const fn input(name: &'static str, shape: &'static [usize], domain: Domain) -> Sample {
    let (about, optional, detached, partly, padded) = ("", false, false, false, false);
    let (still, range, learned) = (None, None, None);
    Sample { name, about, shape, domain, optional, detached, partly, padded, still, range, learned }
}

/// A tensor that is an option, and what it does: a setting gives it by its name.
pub(crate) const fn option(
    name: &'static str,
    shape: &'static [usize],
    domain: Domain,
    about: &'static str,
) -> Sample {
    Sample { about, optional: true, ..input(name, shape, domain) }
}

/// An input through which no gradient flows, on purpose.
pub(crate) const fn detached(
    name: &'static str,
    shape: &'static [usize],
    domain: Domain,
) -> Sample {
    Sample { detached: true, ..input(name, shape, domain) }
}

/// An option that is a number.
pub(crate) const fn number(name: &'static str, default: f64, about: &'static str) -> Choice {
    Choice { name, kind: OptionKind::Number(default), about }
}

/// An option that is a whole number.
pub(crate) const fn integer(name: &'static str, default: i64, about: &'static str) -> Choice {
    Choice { name, kind: OptionKind::Integer(default), about }
}

/// An option that says how many, or counts from 0.
pub(crate) const fn count(name: &'static str, default: usize, about: &'static str) -> Choice {
    Choice { name, kind: OptionKind::Count(default), about }
}

/// An option that is on or off.
pub(crate) const fn flag(name: &'static str, about: &'static str) -> Choice {
    Choice { name, kind: OptionKind::Flag, about }
}

/// An option that is one of some words, the first by default.
pub(crate) const fn word(
    name: &'static str,
    words: &'static [&'static str],
    about: &'static str,
) -> Choice {
    Choice { name, kind: OptionKind::Word(words), about }
}

/// An option that is a list of numbers.
pub(crate) const fn list(
    name: &'static str,
    default: &'static [f64],
    about: &'static str,
) -> Choice {
    Choice { name, kind: OptionKind::List(default), about }
}

/// Numbers on both sides of 0.
pub(crate) const WIDE: Domain = Domain::Between(-3.0, 3.0);
/// Numbers above 0, such as weights.
pub(crate) const POSITIVE: Domain = Domain::Between(0.2, 2.0);
/// Probabilities, each by itself.
pub(crate) const INNER: Domain = Domain::Between(0.05, 0.95);
/// Examples of the samples.
pub(crate) const N: usize = 4;
/// Classes or features of the samples.
pub(crate) const C: usize = 3;

/// What most regressions take: a prediction, a target, and perhaps a weight for each element.
pub(crate) const PAIR: [Sample; 3] = [
    input("prediction", &[N, C], WIDE),
    input("target", &[N, C], WIDE),
    option("weight", &[N, C], POSITIVE, "a weight for each element"),
];

/// A prediction and a target.
pub(crate) const TWO: [Sample; 2] = [PAIR[0], PAIR[1]];

/// Where scores count classes: after the batch by default.
pub(crate) const CLASS_AXIS: Choice = integer("axis", 1, "the axis that counts classes");

/// Where scores count classes, in losses whose last axis does so by default.
pub(crate) const LAST_AXIS: Choice = integer("axis", -1, "the axis that counts classes");

/// What most regressions can do with unequal shapes.
pub(crate) const BROADCAST: Choice =
    flag("broadcast", "lets prediction and target broadcast to a common shape");

impl Loss {
    /// What a row is where it says nothing: `Loss { name: …, ..Loss::BASE }`. A family says more of
    /// it for all of its rows.
    pub(crate) const BASE: Loss = Loss {
        name: "",
        aliases: &[],
        family: "",
        summary: "",
        formula: "",
        latex: "",
        letters: &[],
        shapes: "",
        unit: "none",
        range: "",
        source: "",
        inputs: &[],
        options: &[],
        grid: &[""],
        invariances: &[],
        edges: &[],
        tasks: &[],
        over: "",
        run: |x| Terms::new(x.var("…")),
        naive: |_| Vec::new(),
        slope: None,
        softmax_nll: None,
        figure: None,
    };

    /// How it trains a task, if it can.
    pub fn fit(&self, task: Task) -> Option<&'static Fit> {
        self.tasks.iter().find(|fit| fit.task == task)
    }

    /// Reads a setting: options as `name=value`, flags and tensor options by their name alone, with
    /// spaces between them.
    ///
    /// ```
    /// use lossgraph_losses::find;
    ///
    /// let huber = find("huber").unwrap();
    /// assert_eq!(huber.setting("delta=2 weight")?.number("delta"), 2.0);
    /// let error = huber.setting("detla=2").unwrap_err().to_string();
    /// assert!(error.ends_with("perhaps `delta`"));
    /// # Ok::<(), lossgraph_losses::BadSetting>(())
    /// ```
    ///
    /// # Errors
    /// Options that the loss does not have, and values that an option cannot have.
    pub fn setting(&'static self, text: &str) -> Result<Setting, BadSetting> {
        Setting::read(self, text)
    }

    /// Records the loss on inputs by name, in a setting.
    ///
    /// # Errors
    /// Recorded as faults: an input that the loss does not have, and what [`setting`](Loss::setting)
    /// refuses.
    #[track_caller]
    pub fn record<'t>(
        &'static self,
        tape: &'t Tape,
        inputs: &[(&str, Var<'t>)],
        setting: &str,
    ) -> Terms<'t> {
        let location = Location::caller();
        let refuse = |why: String| {
            let fault = || tape.fault(Fault::new(self.name, why));
            Terms::new(tape.attributed_to(location, fault))
        };
        let mut known = Vec::new();
        for (name, var) in inputs {
            match self.inputs.iter().find(|sample| sample.name == *name) {
                Some(sample) => known.push((sample.name, *var)),
                None => return refuse(format!("there is no input `{name}`")),
            }
        }
        match self.setting(setting) {
            Ok(setting) => {
                tape.attributed_to(location, || (self.run)(&Args::new(tape, known, setting)))
            }
            Err(error) => refuse(error.why),
        }
    }

    /// The inputs of a setting: those that are no options, and those that it names.
    pub fn inputs_in(&'static self, setting: &Setting) -> Vec<&'static Sample> {
        self.inputs.iter().filter(|each| !each.optional || setting.gives(each.name)).collect()
    }
}
