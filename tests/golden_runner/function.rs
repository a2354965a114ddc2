//! Cases of functions, the kinds "op" and "loss": value, gradients, Hessian-vector products, and
//! inputs that must be refused.

use lossgraph_autograd::{Tape, Var};
use serde_json::Value;

use super::case::{Adapter, Golden, Inputs, Reply, has_tag, tensors};
use super::compare::{FIRST, SECOND, compare};
use super::{Advice, Failure, Part, Stop};

/// Runs a case. Gives the differences that are only advisory.
pub fn run(case: &Value, adapter: Adapter) -> Result<Advice, Stop> {
    let tape = Tape::f64();
    let inputs = Inputs::record(&tape, case);
    let outputs = match adapter(&inputs) {
        Reply::One(var) => vec![("output".to_owned(), var)],
        Reply::Many(outputs) => outputs,
        Reply::Unsupported(why) => return Err(Stop::Unsupported(why)),
    };
    if case["error"] == true {
        return refused(&tape, &outputs);
    }
    let mut failures = Vec::new();
    let mut advice = Advice::new();
    check_outputs(case, &outputs, &mut failures);
    if case.get("grads").is_some() {
        check_gradients(case, &inputs, &outputs, &mut failures, &mut advice);
    }
    if failures.is_empty() { Ok(advice) } else { Err(Stop::Failed(failures)) }
}

/// Invalid input must be refused with an error.
fn refused(tape: &Tape, outputs: &[(String, Var<'_>)]) -> Result<Advice, Stop> {
    let vars: Vec<Var<'_>> = outputs.iter().map(|(_, var)| *var).collect();
    match tape.eval(&vars) {
        Err(_) => Ok(Advice::new()),
        Ok(values) => {
            let given = values.first().map_or(String::new(), |value| format!(", gives {value}"));
            Err(Stop::failed(Part::Refusal, format!("invalid input is accepted{given}")))
        }
    }
}

fn check_outputs(case: &Value, outputs: &[(String, Var<'_>)], failures: &mut Vec<Failure>) {
    let one = case.get("output").and_then(Golden::read).map(|g| ("output".to_owned(), g));
    for (name, expected) in one.into_iter().chain(tensors(case, "outputs")) {
        let result = match outputs.iter().find(|(each, _)| *each == name) {
            None => Err(format!("there is no output `{name}`")),
            Some((_, var)) => match var.value() {
                Err(error) => Err(format!("{name}: {error}")),
                Ok(got) => compare(&name, &expected, &got, FIRST.of(case)),
            },
        };
        failures.extend(result.err().map(|text| Failure { part: Part::Output, text }));
    }
}

fn check_gradients(
    case: &Value,
    inputs: &Inputs<'_>,
    outputs: &[(String, Var<'_>)],
    failures: &mut Vec<Failure>,
    advice: &mut Advice,
) {
    let tape = inputs.tape();
    let expected = tensors(case, "grads");
    let Some(objective) = objective(case, tape, outputs) else {
        let text = "a cotangent is recorded for an output that there is not".to_owned();
        failures.push(Failure { part: Part::Gradient, text });
        return;
    };
    let xs: Vec<Var<'_>> = expected.iter().map(|(name, _)| inputs.var(name)).collect();
    let gradients = tape.grad(objective, &xs);
    let trained = objective.backward();
    for (((name, golden), gradient), x) in expected.iter().zip(&gradients).zip(&xs) {
        let recorded = gradient.value().map_err(|error| format!("gradient of {name}: {error}"));
        let recorded = recorded
            .and_then(|got| compare(&format!("gradient of {name}"), golden, &got, FIRST.of(case)));
        // The other way to a gradient; it leaves out what the loss does not depend on.
        let trained = match &trained {
            Err(error) => Err(format!("backward: {error}")),
            Ok(gradients) => match gradients.of(*x) {
                None if golden.values.iter().all(|&slope| slope == 0.0) => Ok(()),
                None => Err(format!("backward has no gradient of {name}")),
                Some(got) => {
                    compare(&format!("backward's gradient of {name}"), golden, got, FIRST.of(case))
                }
            },
        };
        let text = recorded.and(trained).err();
        failures.extend(text.map(|text| Failure { part: Part::Gradient, text }));
    }
    let Some(hvp) = case.get("hvp").filter(|hvp| !hvp.is_null()) else { return };
    let differences = check_second(case, hvp, inputs, &xs, &gradients);
    if ["kink", "boundary", "extreme"].iter().any(|tag| has_tag(case, tag)) {
        advice.extend(differences);
    } else {
        let failure = |text| Failure { part: Part::SecondDerivative, text };
        failures.extend(differences.into_iter().map(failure));
    }
}

/// `Σ over outputs of Σ cotangent · output`.
fn objective<'t>(case: &Value, tape: &'t Tape, outputs: &[(String, Var<'t>)]) -> Option<Var<'t>> {
    let one = case.get("cotangent").and_then(Golden::read).map(|g| ("output".to_owned(), g));
    let terms = one.into_iter().chain(tensors(case, "cotangents")).map(|(name, cotangent)| {
        let (_, output) = outputs.iter().find(|(each, _)| *each == name)?;
        Some((*output * tape.constant(cotangent.tensor())).sum(..))
    });
    let terms: Option<Vec<Var<'t>>> = terms.collect();
    terms?.into_iter().reduce(|sum, term| sum + term)
}

/// The gradient of `Σ gradient · v`, over all inputs jointly, is the Hessian times `v`.
fn check_second(
    case: &Value,
    hvp: &Value,
    inputs: &Inputs<'_>,
    xs: &[Var<'_>],
    gradients: &[Var<'_>],
) -> Vec<String> {
    let tape = inputs.tape();
    let along = tensors(hvp, "v");
    let names: Vec<String> = tensors(case, "grads").into_iter().map(|(name, _)| name).collect();
    let terms = along.iter().filter_map(|(name, v)| {
        let at = names.iter().position(|each| each == name)?;
        Some((gradients[at] * tape.constant(v.tensor())).sum(..))
    });
    let Some(slope) = terms.reduce(|sum, term| sum + term) else { return Vec::new() };
    let products = tape.grad(slope, xs);
    // A NaN in the source's double backward of something finite is no value to reproduce.
    let finite = ["output", "outputs", "grads"].iter().all(|key| {
        let single = case.get(*key).and_then(Golden::read).into_iter();
        single.chain(tensors(case, key).into_iter().map(|(_, g)| g)).all(|g| g.is_finite())
    });
    let mut differences = Vec::new();
    for (name, mut expected) in tensors(hvp, "out") {
        let what = format!("Hessian-vector product of {name}");
        let Some(at) = names.iter().position(|each| *each == name) else { continue };
        let result = products[at].value().map_err(|error| format!("{what}: {error}"));
        differences.extend(
            result
                .and_then(|got| {
                    if finite && expected.values.len() == got.len() {
                        let ours = got.to_f64s();
                        for (recorded, ours) in expected.values.iter_mut().zip(ours) {
                            *recorded = if recorded.is_finite() { *recorded } else { ours };
                        }
                    }
                    compare(&what, &expected, &got, SECOND.of(case))
                })
                .err(),
        );
    }
    differences
}
