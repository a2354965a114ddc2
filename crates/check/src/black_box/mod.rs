//! Checking a function that gives value and gradient by itself, however it computes them.

mod outside;
mod symmetry;

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use lossgraph_autograd::Result;
use lossgraph_tensor::{DType, Tensor};

use crate::check::Check;
use crate::differentiable::meanwhile;
use crate::function::{converted, moved};
use crate::gradient::Gradient;
use crate::joint::Joint;
use crate::progress::Progress;
use crate::report::{Finding, Report, Verdict, WRONG_ALREADY};
use crate::rust_test::rust_test;
use crate::smallest::{Smallest, named, smallest, worst, wrong};
use outside::{Outside, SlopeOutside};
use symmetry::symmetric;

/// What a black box answers, or why it does not.
pub type Answer<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The value of a function with its gradients.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The value.
    pub value: f64,
    /// The gradient in each input, in its shape; `None` where the function gives none, which counts
    /// as 0. Of inputs of integers none is looked at.
    pub gradients: Vec<Option<Tensor>>,
}

/// What a function may give to [`check_function`]: value and gradients, a gradient for each input,
/// or an error instead.
pub trait IntoEvaluation {
    /// The evaluation.
    ///
    /// # Errors
    /// That of the function.
    fn into_evaluation(self) -> Answer<Evaluation>;
}

impl IntoEvaluation for (f64, Vec<Tensor>) {
    fn into_evaluation(self) -> Answer<Evaluation> {
        let (value, gradients) = self;
        Ok(Evaluation { value, gradients: gradients.into_iter().map(Some).collect() })
    }
}

impl IntoEvaluation for Evaluation {
    fn into_evaluation(self) -> Answer<Evaluation> {
        Ok(self)
    }
}

impl<E: IntoEvaluation, F: Into<Box<dyn Error + Send + Sync>>> IntoEvaluation
    for std::result::Result<E, F>
{
    fn into_evaluation(self) -> Answer<Evaluation> {
        self.map_err(Into::into)?.into_evaluation()
    }
}

/// A function of tensors with a gradient, computed by somebody else: by hand, by another library, or
/// by another program. Floats come as `f64`, integers as they are.
pub trait BlackBox: Sync {
    /// Value and gradients at some inputs.
    ///
    /// # Errors
    /// Whatever keeps the function from answering; the check ends with it.
    fn evaluate(&self, inputs: &[Tensor]) -> Answer<Evaluation>;

    /// The values with the inputs moved by each of `multiples` of their steps; an input without a step
    /// stays. Of its own where values alone, or many of them, are cheaper.
    ///
    /// # Errors
    /// As for [`evaluate`](BlackBox::evaluate).
    fn values(
        &self,
        inputs: &[Tensor],
        steps: &[Option<Tensor>],
        multiples: &[f64],
    ) -> Answer<Vec<f64>> {
        each_value(self, inputs, steps, multiples)
    }

    /// Hessian-vector products: the gradients of the slope along `direction` of input `which`.
    ///
    /// # Errors
    /// As for [`evaluate`](BlackBox::evaluate).
    fn products(&self, inputs: &[Tensor], which: usize, direction: &Tensor) -> Answer<Products> {
        let _ = (inputs, which, direction);
        Ok(Products::ByDifferences)
    }

    /// A case as a test to paste; in Rust, if it does not say.
    fn test(&self, case: &[(String, Tensor)]) -> Option<String> {
        let _ = case;
        None
    }
}

/// What a black box knows of its second derivative.
#[derive(Clone, Debug)]
pub enum Products {
    /// Nothing: the Hessian is made of differences of gradients, and has to be symmetric.
    ByDifferences,
    /// It should have one and has none, for this reason: where the graph of the gradient ends.
    Missing(String),
    /// The products, as [`Evaluation::gradients`] are.
    Gradients(Vec<Option<Tensor>>),
}

/// The values of a black box along steps, from an evaluation of each: what [`BlackBox::values`] is
/// without one of its own.
///
/// # Errors
/// As for [`BlackBox::evaluate`].
pub fn each_value(
    black_box: &(impl BlackBox + ?Sized),
    inputs: &[Tensor],
    steps: &[Option<Tensor>],
    multiples: &[f64],
) -> Answer<Vec<f64>> {
    let moving =
        steps.iter().enumerate().filter_map(|(i, step)| Some((i, step.as_ref()?.to_f64s())));
    let moving: Vec<(usize, Vec<f64>)> = moving.collect();
    let steps: Vec<(usize, &[f64])> = moving.iter().map(|(i, step)| (*i, &step[..])).collect();
    let value = |&t: &f64| Ok(black_box.evaluate(&moved(inputs, &steps, t)?)?.value);
    multiples.iter().map(value).collect()
}

/// A closure as a black box, called by one thread at a time.
struct Closure<F>(Mutex<F>);

impl<F: FnMut(&[Tensor]) -> E + Send, E: IntoEvaluation> BlackBox for Closure<F> {
    fn evaluate(&self, inputs: &[Tensor]) -> Answer<Evaluation> {
        let mut function = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        function(inputs).into_evaluation()
    }
}

/// Checks a function that gives value and gradients by itself, however it computes them: written by
/// hand, by another library, behind a foreign interface. `f` takes the inputs, floats as `f64`, and
/// gives a number and a gradient for each input, or an error.
///
/// Verdicts are those of [`check`](crate::check()), and so is the diagnosis; no op is blamed, since none
/// can be seen. The second order compares what differences of the gradients say: the Hessian has to
/// be symmetric.
///
/// ```text
/// ∂(v·∂f/∂a)/∂b · w  =  ∂(w·∂f/∂b)/∂a · v
/// ```
///
/// ```
/// use lossgraph_check::{Diagnosis, Verdict, check_function};
/// use lossgraph_tensor::Tensor;
///
/// // The mean of squares; whoever wrote the gradient forgot to divide.
/// let report = check_function(
///     |x: &[Tensor]| {
///         let x = x[0].to_f64s();
///         let value = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
///         (value, vec![Tensor::from(x.iter().map(|x| 2.0 * x).collect::<Vec<f64>>())])
///     },
///     &[[1.0, -2.0, 3.0].into()],
/// )?;
/// assert_eq!(report.rows[0].verdict, Verdict::Fail);
/// assert_eq!(report.rows[0].failure.as_ref().unwrap().diagnosis, Diagnosis::TooLargeBy(3));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// An error of `f`; gradients of other shapes than the inputs, or another number of them; a value
/// that is not finite; no inputs, or one without elements.
#[track_caller]
pub fn check_function<E: IntoEvaluation>(
    f: impl FnMut(&[Tensor]) -> E + Send,
    inputs: &[Tensor],
) -> Result<Report> {
    Check::default().run_function(f, inputs)
}

impl Check {
    /// Checks a function that gives value and gradients by itself: see [`check_function`].
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn run_function<E: IntoEvaluation>(
        &self,
        f: impl FnMut(&[Tensor]) -> E + Send,
        inputs: &[Tensor],
    ) -> Result<Report> {
        self.run_black_box(&Closure(Mutex::new(f)), inputs)
    }

    /// Checks a black box.
    ///
    /// # Errors
    /// As for [`check_function`].
    #[track_caller]
    pub fn run_black_box(&self, black_box: &dyn BlackBox, inputs: &[Tensor]) -> Result<Report> {
        let location = Location::caller();
        self.refuse_nothing(inputs, location)?;
        let inputs = &converted(inputs, DType::F64);
        let progress = Progress::new(self, self.derivatives(inputs.len()));
        let outside = Outside::new(self, black_box, inputs, &progress, location);
        progress.together(inputs.len());
        let checked: Vec<usize> =
            (0..inputs.len()).filter(|&i| self.skipped(inputs, i).is_none()).collect();
        let numbers = inputs.iter().map(Tensor::len).sum();
        let whole = || Joint::new(&outside, checked, self.seed, 0);
        let (evaluation, whole) = meanwhile(numbers, || outside.evaluation(), whole);
        let loss = evaluation?.value;
        if !loss.is_finite() {
            return Err(outside.refuse(format!(
                "the value is {loss} at these inputs, expected a finite number: choose inputs within \
                 its domain"
            )));
        }
        let mut report = Report::new(self, loss);
        report.runs += 1;
        let at_0 = (loss, 0.0);
        let mut right = self.right_of_joint(whole, at_0, &mut report.runs)?;
        for which in 0..inputs.len() {
            progress.next(&self.name(which));
            let row = match (right.remove(&which), self.skipped(inputs, which)) {
                (Some(row), _) | (_, Some(row)) => row,
                _ => self.compare(Gradient::new(&outside, which, at_0)?, &mut report.runs)?,
            };
            report.rows.push(Finding { input: self.name(which), ..row });
        }
        // What is right along steps needs no second look; all else may be what a function draws or counts.
        let closest = report.rows.iter().filter_map(|row| match row.verdict {
            Verdict::Kink => Some(1e-10),
            // Threads that add up in any order, in single precision, are not meant.
            Verdict::Noise | Verdict::Fail => Some(1e-5),
            Verdict::Pass | Verdict::Skipped(_) => None,
        });
        if let Some(tolerance) = closest.reduce(f64::min) {
            report.runs += 1;
            outside.check_repeatable(loss, tolerance)?;
        }
        if self.orders >= 2 {
            let smooth = report.smooth();
            for (at, &first) in smooth.iter().enumerate() {
                let rows = self.hessians_outside(&outside, first, &smooth[at..], &mut report)?;
                report.rows.extend(rows);
            }
        }
        // At the end, since smaller inputs may be more than a black box survives.
        let rows = report.rows.iter_mut().take(inputs.len()).enumerate();
        for (which, failure) in rows.filter_map(|(i, row)| Some((i, row.failure.as_mut()?))) {
            if self.shrink {
                failure.smallest = self.smallest_outside(&outside, which).ok().flatten();
            }
        }
        Ok(report)
    }

    fn smallest_outside(&self, outside: &Outside<'_>, which: usize) -> Result<Option<Smallest>> {
        let is_wrong = |inputs: &[Tensor]| {
            let here = outside.at(inputs);
            // At inputs that fit each other, all gradients have the shapes of theirs.
            let float = |i: &usize| inputs[*i].dtype().is_float();
            (0..inputs.len()).filter(float).try_for_each(|i| here.gradient(i).map(drop))?;
            Ok(wrong(&here, which, (here.evaluation()?.value, 0.0))?.is_some())
        };
        let (inputs, panic) = smallest(outside.inputs, outside.inputs.len(), &is_wrong);
        let here = outside.at(&inputs);
        let found = worst(&here, which, (here.evaluation()?.value, 0.0))?;
        Ok(found.map(|element| {
            let (inputs, input) = (named(&inputs, &|i| self.name(i)), self.name(which));
            let test = outside.black_box.test(&inputs).unwrap_or_else(|| {
                let location = outside.location;
                format!("// The function that is checked at {location}, as `function`.\n")
                    + &rust_test(&element, &input, "function: function", &inputs)
            });
            Smallest { inputs, input, element, test, panic }
        }))
    }

    /// The Hessian between one input and each of some: by the function's own products, or else by
    /// differences alone.
    fn hessians_outside(
        &self,
        outside: &Outside<'_>,
        first: usize,
        seconds: &[usize],
        report: &mut Report,
    ) -> Result<Vec<Finding>> {
        let is_wrong = |which: usize| report.rows[which].verdict == Verdict::Fail;
        outside.progress.together(seconds.len());
        let judged: Vec<usize> = seconds
            .iter()
            .copied()
            .filter(|&second| !is_wrong(first) && !is_wrong(second))
            .collect();
        let along = |of: usize, number: usize| self.direction(&outside.inputs[of], number);
        let slope = SlopeOutside::new(outside, first, along(first, first + 2 * first)?);
        let mut right = BTreeMap::new();
        if !judged.is_empty() && matches!(slope.products()?, Products::Gradients(_)) {
            let at_0 = (slope.value()?, 0.0);
            right = self.right_jointly(&slope, &judged, at_0, &mut report.runs)?;
        }
        let row = |&second: &usize| {
            let input = format!("{} × {}", self.name(first), self.name(second));
            outside.progress.next(&input);
            let found = match right.remove(&second) {
                _ if !judged.contains(&second) => Finding::skipped(WRONG_ALREADY.to_owned()),
                Some(found) => found,
                None => self.hessian_outside(outside, &slope, (first, second), report)?,
            };
            Ok(Finding { input, order: 2, ..found })
        };
        seconds.iter().map(row).collect()
    }

    /// The Hessian between two inputs, given the slope along a direction of the first.
    fn hessian_outside(
        &self,
        outside: &Outside<'_>,
        slope: &SlopeOutside<'_>,
        (first, second): (usize, usize),
        report: &mut Report,
    ) -> Result<Finding> {
        match slope.products()? {
            Products::Gradients(_) => {
                let at_0 = (slope.value()?, 0.0);
                self.compare(Gradient::new(slope, second, at_0)?, &mut report.runs)
            }
            Products::Missing(why) => {
                // Of a gradient that does not change, none is missing: it is 0.
                let at_0 = (slope.value()?, 0.0);
                let zeros = self.compare(Gradient::new(slope, second, at_0)?, &mut report.runs)?;
                Ok(match zeros.verdict {
                    Verdict::Pass => zeros,
                    _ => Finding::skipped(format!("the second derivative is missing: {why}")),
                })
            }
            Products::ByDifferences => {
                let number = second + 2 * first + outside.inputs.len();
                let w = self.direction(&outside.inputs[second], number)?;
                let other = SlopeOutside::new(outside, second, w);
                symmetric((slope, first), (&other, second), report.loss, &mut report.runs)
            }
        }
    }
}
