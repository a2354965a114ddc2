//! Checking a whole model: every parameter of it, and every input.

use std::panic::Location;
use std::sync::Mutex;

use lossgraph_autograd::{Module, Parameter, Result, Tape, Var, concat};
use lossgraph_tensor::{DType, Tensor};

use crate::blame::program;
use crate::check::{Check, cut};
use crate::function::{Function, Program, converted};
use crate::progress::Progress;
use crate::report::{Finding, Report, Verdict};
use crate::{ends, rounding, single};

/// Checks the gradient of a loss in every parameter of a model and in every input, and the Hessian
/// along one direction of all of them. The report names layers and parameters, those that are most
/// wrong first. All of them move at once as long as that shows their gradients to be right: some tens
/// of runs of the model then are enough, however many parameters it has.
///
/// `loss` records the loss of a batch; it says whether the model trains. In training, what dropout
/// drops is drawn anew for the check and then stays the same, and the statistics of batch
/// normalization are those of the batch, with their own derivatives.
///
/// ```
/// use lossgraph_autograd::{Module, Parameter, Var};
/// use lossgraph_check::check_model;
/// use lossgraph_tensor::Tensor;
///
/// struct Line {
///     weight: Parameter,
///     bias: Parameter,
/// }
///
/// impl Module for Line {
///     fn children(&self) -> Vec<(String, &dyn Module)> {
///         vec![("weight".into(), &self.weight), ("bias".into(), &self.bias)]
///     }
/// }
///
/// let line = Line { weight: Parameter::new("weight", 2.0), bias: Parameter::new("bias", 0.5) };
/// let batch = [Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0])];
/// let report = check_model(
///     &line,
///     |line, x| {
///         let tape = x[0].tape();
///         (x[0] * tape.parameter(&line.weight) + tape.parameter(&line.bias) - x[1]).square().mean(..)
///     },
///     &batch,
/// )?;
/// assert!(report.passed(), "{report}");
/// assert!(report.rows.iter().any(|row| row.input == "bias"));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`check`](crate::check()).
#[track_caller]
pub fn check_model<M: Module + Sync + ?Sized>(
    model: &M,
    loss: impl for<'t> Fn(&M, &[Var<'t>]) -> Var<'t> + Sync,
    batch: &[Tensor],
) -> Result<Report> {
    Check { title: "model".to_owned(), progress: true, ..Check::default() }
        .run_model(model, loss, batch)
}

impl Check {
    /// Checks every parameter of a model, and every input: see [`check_model`]. [`Check::names`]
    /// are those of the batch; parameters have their own.
    ///
    /// # Errors
    /// As for [`check`](crate::check()).
    #[track_caller]
    pub fn run_model<M: Module + Sync + ?Sized>(
        &self,
        model: &M,
        loss: impl for<'t> Fn(&M, &[Var<'t>]) -> Var<'t> + Sync,
        batch: &[Tensor],
    ) -> Result<Report> {
        let location = Location::caller();
        let (names, parameters): (Vec<String>, Vec<Parameter>) =
            model.parameters().into_iter().unzip();
        let values = parameters.iter().map(Parameter::value);
        let inputs: Vec<Tensor> = batch.iter().cloned().chain(values).collect();
        self.refuse_nothing(&inputs, location)?;
        let inputs = &converted(&inputs, DType::F64);
        let batch_names = (0..batch.len()).map(|i| self.name(i));
        let check = Check { names: batch_names.chain(names).collect(), ..self.clone() };
        let generators = Generators::of(model);
        let orders = self.orders.clamp(1, 2);
        let progress = Progress::new(&check, orders * inputs.len());
        let program = program(|tape, x| {
            progress.run();
            let (data, substitutes) = x.split_at(batch.len());
            let substitutes: Vec<(&Parameter, Var<'_>)> =
                parameters.iter().zip(substitutes.iter().copied()).collect();
            generators.rewound(|| tape.with_parameters(&substitutes, || loss(model, data)))
        });
        let function = Function {
            program: &program,
            inputs,
            injector: self.injector.as_ref(),
            dtype: DType::F64,
            weights: None,
            location,
        };
        let mut report = check.gradients(&function, batch.len(), &progress)?;
        if orders == 2 {
            check.hessians(&function, &mut report, &progress)?;
        }
        report.single = single::compared(&function)?;
        // Those that are most wrong first; the order is that of the model among equals.
        report.rows.sort_by(|a, b| {
            let severity = b.verdict.severity().cmp(&a.verdict.severity());
            let wrong = |row: &Finding| if row.verdict == Verdict::Fail { row.margin } else { 0.0 };
            severity.then(wrong(b).total_cmp(&wrong(a)))
        });
        Ok(report)
    }

    /// The Hessian between one direction of everything and each input: as many rows as inputs, where
    /// pairs of them would be their square.
    fn hessians(
        &self,
        function: &Function<'_>,
        report: &mut Report,
        progress: &Progress,
    ) -> Result<()> {
        let right = |which: &usize| report.rows[*which].verdict != Verdict::Fail;
        let all: Vec<usize> = report.smooth().into_iter().filter(right).collect();
        let all: Vec<usize> =
            all.into_iter().filter(|&which| cut(function, which).is_none()).collect();
        if all.is_empty() {
            return Ok(());
        }
        let mut direction = Vec::new();
        for &which in &all {
            direction.extend(self.direction(&function.inputs[which], which)?.to_f64s());
        }
        let direction = Tensor::from(direction);
        progress.together(all.len());
        let slopes = slopes_of(function.program, &all);
        let slope = Function { program: &slopes, weights: Some(&direction), ..*function };
        let at_0 = (slope.value()?, rounding::of_value(&slope)?);
        let mut right = self.right_of(&slope, &all, at_0, &mut report.runs)?;
        for &which in &all {
            let input = format!("all × {}", self.name(which));
            progress.next(&input);
            let found = match right.remove(&which) {
                Some(found) => found,
                None => self.gradient(&slope, which, at_0, &mut report.runs)?,
            };
            let mut row = Finding { input, order: 2, ..found };
            if let Some(failure) = &mut row.failure {
                failure.end = ends::of_gradient(function, &slope);
            }
            report.rows.push(row);
        }
        Ok(())
    }
}

/// The program of the gradients in some inputs, one after the other as one vector.
fn slopes_of<'a>(
    of: &'a Program<'a>,
    inputs: &'a [usize],
) -> impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + Sync + 'a {
    program(move |tape, x| {
        let wanted: Vec<Var<'_>> = inputs.iter().map(|&which| x[which]).collect();
        let slopes = tape.grad(of(tape, x), &wanted);
        let flat: Vec<Var<'_>> =
            slopes.into_iter().map(|slope| slope.reshape([slope.len()])).collect();
        concat(&flat, 0)
    })
}

/// The random generators of a model, in the state that they had when the check began, so that all
/// runs draw the same.
struct Generators(Mutex<Vec<(Parameter, Tensor)>>);

impl Generators {
    fn of<M: Module + ?Sized>(model: &M) -> Generators {
        let all = model.generators().into_iter();
        Generators(Mutex::new(all.map(|(_, state)| (state.clone(), state.value())).collect()))
    }

    /// Records with all generators as they were, and one thread at a time: what is drawn is drawn
    /// while recording.
    fn rewound<R>(&self, record: impl FnOnce() -> R) -> R {
        let states = match self.0.lock() {
            Ok(states) => states,
            Err(poisoned) => poisoned.into_inner(),
        };
        if states.is_empty() {
            drop(states);
            return record();
        }
        let rewind = || {
            states
                .iter()
                .for_each(|(generator, state)| generator.update(|now| *now = state.clone()))
        };
        rewind();
        let recorded = record();
        rewind();
        recorded
    }
}
