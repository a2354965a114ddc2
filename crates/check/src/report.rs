//! The report of a check.

use std::fmt;

use crate::blame::Blame;
use crate::diagnosis::Diagnosis;
use crate::slopes::Estimate;

/// Why a derivative is skipped that a `detach` cuts off.
pub(crate) const STOPS_ON_PURPOSE: &str = "its gradient stops on purpose";

/// What a check says of the derivative in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The analytic derivative agrees with the numeric one within its estimated error.
    Pass,
    /// It does not.
    Fail,
    /// The point is not differentiable; the analytic derivative lies between the slopes of both
    /// sides.
    Kink,
    /// The numeric derivative is too uncertain to tell.
    Noise,
    /// Not checked, with the reason.
    Skipped(String),
}

impl Verdict {
    /// Its name, as reports show it: `PASS`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Kink => "KINK",
            Verdict::Noise => "NOISE",
            Verdict::Skipped(_) => "SKIPPED",
        }
    }

    /// The more severe of two verdicts.
    pub(crate) fn or_more_severe(self, other: Verdict) -> Verdict {
        let severity = |verdict: &Verdict| match verdict {
            Verdict::Skipped(_) => 0,
            Verdict::Pass => 1,
            Verdict::Kink => 2,
            Verdict::Noise => 3,
            Verdict::Fail => 4,
        };
        if severity(&other) > severity(&self) { other } else { self }
    }
}

/// All that a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was checked.
    pub title: String,
    /// The value of the loss.
    pub loss: f64,
    /// A row for each input and order.
    pub rows: Vec<Finding>,
    /// How far the loss and its gradient in `f32` are from those in `f64`.
    pub single: Option<Single>,
    /// The seed of the directions: the same seed makes the same check.
    pub seed: u64,
    /// How often the program was run.
    pub runs: usize,
}

/// What was found about one derivative.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The input; of a second derivative both, as `logits × weight`.
    pub input: String,
    /// 1 for the gradient, 2 for the Hessian.
    pub order: usize,
    /// The verdict.
    pub verdict: Verdict,
    /// The largest difference between analytic and numeric, in units of its tolerance: below 1 it
    /// is within.
    pub margin: f64,
    /// How many digits agree at least, of those of the derivative as a whole.
    pub digits: f64,
    /// Where the kink is, for [`Verdict::Kink`].
    pub kink: Option<KinkPoint>,
    /// What is wrong, for [`Verdict::Fail`].
    pub failure: Option<Failure>,
}

/// Where a program is not differentiable.
#[derive(Clone, Debug, PartialEq)]
pub struct KinkPoint {
    /// The index of the element of the input, where it could be found.
    pub element: Option<Vec<usize>>,
    /// The slopes of both sides, along the element or else a direction.
    pub slopes: (f64, f64),
    /// The op that has it: name, node number, line.
    pub op: Option<Blame>,
}

/// What is wrong with a derivative.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The worst elements, those most wrong first.
    pub worst: Vec<Element>,
    /// How many elements are wrong, of how many that were looked at one by one.
    pub wrong: (usize, usize),
    /// How many elements the input has.
    pub elements: usize,
    /// What the ratios say.
    pub diagnosis: Diagnosis,
    /// The first op whose own rule is wrong at its own inputs.
    pub blame: Option<Blame>,
}

/// One element of a derivative.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Its index.
    pub index: Vec<usize>,
    /// The number in the input.
    pub value: f64,
    /// The derivative by the rules.
    pub analytic: f64,
    /// The derivative by differences, with its estimated error.
    pub numeric: Estimate,
}

/// How far single precision is from double.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Single {
    /// The loss, in units in the last place of `f32`.
    pub loss: f64,
    /// The worst element of all gradients, in units in the last place of the largest element of
    /// its gradient.
    pub gradient: f64,
}

impl Report {
    /// Whether something was compared, and nothing failed.
    pub fn passed(&self) -> bool {
        self.compared() && self.rows.iter().all(|row| row.verdict != Verdict::Fail)
    }

    /// Whether anything is known: not every derivative was skipped, but for a gradient that stops on
    /// purpose, which differences cannot see.
    pub fn compared(&self) -> bool {
        let known = |verdict: &Verdict| match verdict {
            Verdict::Skipped(why) => why == STOPS_ON_PURPOSE,
            _ => true,
        };
        self.rows.iter().any(|row| known(&row.verdict))
    }

    /// The most severe verdict.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.rows.iter().map(|row| row.verdict.clone());
        verdicts
            .reduce(Verdict::or_more_severe)
            .unwrap_or(Verdict::Skipped("there are no inputs".into()))
    }

    /// The report without the lines that recorded ops: for users of a program who do not know its
    /// source.
    pub fn without_locations(mut self) -> Report {
        for row in &mut self.rows {
            let kink = row.kink.as_mut().and_then(|kink| kink.op.as_mut());
            let blame = row.failure.as_mut().and_then(|failure| failure.blame.as_mut());
            kink.into_iter().chain(blame).for_each(|op| op.location = None);
        }
        self
    }

    /// The report with ANSI colors, for a terminal.
    #[doc(alias = "coloured")]
    pub fn colored(&self) -> Colored<'_> {
        Colored(self)
    }
}

/// A report that shows its verdicts in ANSI colors: see [`Report::colored`].
pub struct Colored<'a>(&'a Report);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, |verdict| format!("{:<7}", verdict.name()))
    }
}

impl fmt::Display for Colored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, |verdict| {
            let color = match verdict {
                Verdict::Pass => 32,
                Verdict::Fail => 31,
                Verdict::Kink | Verdict::Noise => 33,
                Verdict::Skipped(_) => 90,
            };
            format!("\x1b[{color}m{:<7}\x1b[0m", verdict.name())
        })
    }
}

impl Report {
    fn write(&self, f: &mut fmt::Formatter<'_>, word: impl Fn(&Verdict) -> String) -> fmt::Result {
        writeln!(
            f,
            "{}: loss {}, seed {}, {} runs",
            self.title,
            number(self.loss),
            self.seed,
            self.runs
        )?;
        let width = self.rows.iter().map(|row| row.input.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "  order  {:<width$}  verdict  digits  margin", "input")?;
        for row in &self.rows {
            write!(f, "  {:>5}  {:<width$}  {}", row.order, row.input, word(&row.verdict))?;
            match &row.verdict {
                Verdict::Skipped(why) => writeln!(f, "  {why}")?,
                _ => writeln!(f, "  {:>6.1}  {}", row.digits, margin(row.margin))?,
            }
            if let Some(kink) = &row.kink {
                write!(f, "{kink}")?;
            }
            if let Some(failure) = &row.failure {
                write!(f, "{failure}")?;
            }
        }
        match self.single {
            Some(Single { loss, gradient }) => writeln!(
                f,
                "  in f32: the loss is {} ulp off, the gradient {}",
                ulps(loss),
                ulps(gradient)
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for KinkPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self
            .element
            .as_ref()
            .map_or("along a direction".to_owned(), |element| format!("at {element:?}"));
        if self.slopes.1.is_infinite() {
            write!(f, "           the value jumps {at}")?;
        } else {
            let (left, right) = (number(self.slopes.0), number(self.slopes.1));
            write!(f, "           a kink {at}: slope {left} on the left, {right} on the right")?;
        }
        match &self.op {
            Some(op) => writeln!(f, "; from {op}"),
            None => writeln!(f),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.worst.is_empty() {
            return writeln!(f, "           diagnosis: {}", self.diagnosis);
        }
        let (wrong, checked) = self.wrong;
        writeln!(
            f,
            "           {} wrong of {checked} looked at, of {}",
            match wrong {
                1 => "1 element is".to_owned(),
                _ => format!("{wrong} elements are"),
            },
            self.elements
        )?;
        let header = ["element", "value", "analytic", "numeric", "± error"];
        let rows = self.worst.iter().map(|element| {
            [
                format!("{:?}", element.index),
                number(element.value),
                number(element.analytic),
                number(element.numeric.value),
                format!("{:.0e}", element.numeric.error),
            ]
        });
        let rows: Vec<[String; 5]> =
            std::iter::once(header.map(str::to_owned)).chain(rows).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        for row in &rows {
            write!(f, "          ")?;
            for (column, cell) in row.iter().enumerate() {
                write!(f, " {cell:>width$} ", width = width(column))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "           diagnosis: {}", self.diagnosis)?;
        match &self.blame {
            Some(blame) => writeln!(f, "           blame: the rule of {blame}"),
            None => writeln!(f, "           blame: the rule of each op by itself is right"),
        }
    }
}

/// Six digits, in the shorter notation.
pub(crate) fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e6).contains(&size) => format!("{x:.6}"),
        _ => format!("{x:.5e}"),
    }
}

fn margin(margin: f64) -> String {
    if margin < 1e3 { format!("{margin:.2}") } else { format!("{margin:.0e}") }
}

fn ulps(ulps: f64) -> String {
    if ulps < 1e4 { format!("{ulps:.1}") } else { format!("{ulps:.0e}") }
}
