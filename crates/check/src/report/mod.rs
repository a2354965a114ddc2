//! The report of a check.

mod json;
pub(crate) mod number;
mod page;
mod text;

pub use page::Page;

use crate::blame::Blame;
use crate::check::Check;
use crate::compared::Compared;
use crate::diagnosis::Diagnosis;
use crate::slopes::Estimate;
use crate::smallest::Smallest;

/// Why a derivative is skipped that there is none of.
pub const INTEGERS: &str = "it holds integers";

/// Why a second derivative is skipped: the row of the first one fails.
pub(crate) const WRONG_ALREADY: &str = "the gradient is wrong already";

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

    /// Whether the derivative was not compared though there should be one: it is missing, or lost in
    /// noise. That of integers is none, one that stops on purpose neither, and where the first one is
    /// wrong, its row says so.
    pub fn is_unchecked(&self) -> bool {
        let known = [INTEGERS, STOPS_ON_PURPOSE, WRONG_ALREADY];
        match self {
            Verdict::Skipped(why) => !known.contains(&&**why),
            Verdict::Noise => true,
            Verdict::Pass | Verdict::Fail | Verdict::Kink => false,
        }
    }

    /// The more severe of two verdicts.
    pub(crate) fn or_more_severe(self, other: Verdict) -> Verdict {
        if other.severity() > self.severity() { other } else { self }
    }

    /// How bad it is.
    pub(crate) fn severity(&self) -> u8 {
        match self {
            Verdict::Skipped(_) => 0,
            Verdict::Pass => 1,
            Verdict::Kink => 2,
            Verdict::Noise => 3,
            Verdict::Fail => 4,
        }
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
    /// is within. At a kink, that to the nearer one of both slopes; with [`Method::Taylor`](crate::Method::Taylor),
    /// 1.5 over the order in which the error shrinks.
    ///
    /// ```text
    /// |analytic − numeric| / tolerance
    /// ```
    pub margin: f64,
    /// How many digits agree at least, of those of the derivative as a whole: from 0 to 16.
    ///
    /// ```text
    /// −log₁₀(|analytic − numeric| / size of the derivative)
    /// ```
    pub digits: f64,
    /// Where the kink is, for [`Verdict::Kink`].
    pub kink: Option<KinkPoint>,
    /// What is wrong, for [`Verdict::Fail`].
    pub failure: Option<Failure>,
    /// What differences had to say, for [`Verdict::Noise`].
    pub tried: Option<Tried>,
    /// The function along the direction that gave the verdict, where that is not
    /// [`Verdict::Pass`].
    pub line: Option<Line>,
}

/// The most uncertain estimate of a slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    /// The longest step of its ladder: how far the element that moves most was moved.
    pub step: f64,
    /// The slope along the direction by differences.
    pub numeric: Estimate,
    /// The slope along the direction by rules.
    pub analytic: f64,
}

impl Tried {
    pub(crate) fn of(compared: &Compared) -> Tried {
        Tried {
            step: compared.first * compared.length,
            numeric: compared.slopes.central,
            analytic: compared.analytic,
        }
    }
}

/// A function along a direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// How far along the direction, and the value there.
    pub points: Vec<(f64, f64)>,
    /// The slope at 0 by rules.
    pub analytic: f64,
    /// The slope at 0 by differences.
    pub numeric: Estimate,
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
    /// Whether it is that of a black box, whose ops nobody can look at.
    pub opaque: bool,
    /// Of a second derivative, the op at which the graph of the gradient ends.
    pub end: Option<Blame>,
    /// The same failure at inputs from which nothing can be left out.
    pub smallest: Option<Smallest>,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Single {
    /// The loss, in units in the last place of `f32`.
    pub loss: f64,
    /// The worst element of all gradients, in units in the last place of the largest element of
    /// its gradient.
    pub gradient: f64,
    /// The op that loses most digits, where few are left.
    pub loses: Option<Loses>,
}

/// An op that loses digits in single precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Loses {
    /// The op.
    pub op: Blame,
    /// How many digits what it reads has, and how many what it gives.
    pub digits: (f64, f64),
}

impl Report {
    /// A report without rows.
    pub(crate) fn new(check: &Check, loss: f64) -> Report {
        Report {
            title: check.title.clone(),
            loss,
            rows: Vec::new(),
            single: None,
            seed: check.seed,
            runs: 0,
        }
    }

    /// The inputs whose gradients were compared, by number.
    pub(crate) fn smooth(&self) -> Vec<usize> {
        let compared = |row: &Finding| !matches!(row.verdict, Verdict::Skipped(_));
        (0..self.rows.len()).filter(|&which| compared(&self.rows[which])).collect()
    }

    /// Whether something was compared, and nothing failed: a report of nothing but skipped rows and
    /// noise is no pass.
    pub fn passed(&self) -> bool {
        self.compared() && self.rows.iter().all(|row| row.verdict != Verdict::Fail)
    }

    /// Whether anything is known of the gradients: neither was each skipped, nor was all else noise. What
    /// is known of second derivatives alone says nothing of them.
    pub fn compared(&self) -> bool {
        let known = |verdict: &Verdict| !matches!(verdict, Verdict::Skipped(_) | Verdict::Noise);
        self.rows.iter().any(|row| row.order == 1 && known(&row.verdict))
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
            let of_failure = |failure: &mut Failure| {
                let ops = [failure.blame.as_mut(), failure.end.as_mut()];
                ops.into_iter().flatten().for_each(|op| op.location = None);
            };
            kink.into_iter().for_each(|op| op.location = None);
            row.failure.iter_mut().for_each(of_failure);
        }
        if let Some(loses) = self.single.as_mut().and_then(|single| single.loses.as_mut()) {
            loses.op.location = None;
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
