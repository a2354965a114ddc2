//! Cases of functions, the kinds "op" and "loss": value, gradients, Hessian-vector products, and
//! inputs that must be refused.

use lossgraph_autograd::{Tape, Var};
use serde_json::Value;

use super::case::{Adapter, Golden, Inputs, Reply, has_tag, tensors};
use super::compare::{FIRST, SECOND, compare};
use super::{Advice, Failure, Part, Stop};

/// Runs a case of a golden file. Gives the differences that are only advisory.
pub fn run(stem: &str, case: &Value, adapter: Adapter) -> Result<Advice, Stop> {
    let tape = Tape::f64();
    let inputs = Inputs::record(&tape, case);
    let outputs = call(stem, adapter, &inputs)?;
    check(case, &inputs, &outputs)
}

/// Compares what an adapter gave with what a case has.
pub fn check(
    case: &Value,
    inputs: &Inputs<'_>,
    outputs: &[(String, Var<'_>)],
) -> Result<Advice, Stop> {
    if case["error"] == true {
        return refused(inputs.tape(), outputs);
    }
    let mut failures = Vec::new();
    let mut advice = Advice::new();
    check_outputs(case, outputs, &mut failures);
    if case.get("grads").is_some() {
        check_gradients(case, inputs, outputs, &mut failures, &mut advice);
    }
    if failures.is_empty() { Ok(advice) } else { Err(Stop::Failed(failures)) }
}

/// What an adapter gives.
pub fn outputs<'t>(adapter: Adapter, inputs: &Inputs<'t>) -> Result<Vec<(String, Var<'t>)>, Stop> {
    match adapter(inputs) {
        Reply::One(var) => Ok(vec![("output".to_owned(), var)]),
        Reply::Many(outputs) => Ok(outputs),
        Reply::Unsupported(why) => Err(Stop::Unsupported(why)),
    }
}

/// Any value of an option.
const ANY: &str = "";

const COSINE: &str = r#"{"type":"CosineSimilarity"}"#;
const UNIT: &str = r#"{"type":"LpDistance","p":2,"power":1,"normalize_embeddings":true}"#;
const MEAN: &str = r#"{"type":"MeanReducer"}"#;

/// Options that an adapter need not read, by file: the value that it stands for, or [`ANY`] where the
/// option says what the inputs say as well, or matters in another mode alone.
const BUILT_IN: &[(&str, &[(&str, &str)])] = &[
    ("batch_norm", &[("momentum", ANY)]),
    ("max", &[("keepdim", ANY)]),
    ("min", &[("keepdim", ANY)]),
    ("pad", &[("value", ANY)]),
    (
        "adaptive_log_softmax_with_loss",
        &[("div_value", ANY), ("in_features", ANY), ("n_classes", ANY), ("head_bias", ANY)],
    ),
    ("pml_AngularLoss", &[("distance", UNIT)]),
    ("pml_ArcFaceLoss", CLASSES),
    ("pml_CosFaceLoss", CLASSES),
    ("pml_InstanceLoss", &[("distance", COSINE)]),
    ("pml_LargeMarginSoftmaxLoss", CLASSES),
    ("pml_MarginLoss", &[("nu", "0.0"), ("triplets_per_anchor", r#""all""#)]),
    ("pml_NormalizedSoftmaxLoss", CLASSES),
    ("pml_PNPLoss", &[("b", ANY), ("alpha", ANY), ("distance", COSINE), ("reducer", MEAN)]),
    ("pml_ProxyAnchorLoss", CLASSES),
    ("pml_ProxyNCALoss", CLASSES),
    ("pml_SmoothAPLoss", &[("distance", COSINE)]),
    ("pml_SoftTripleLoss", CLASSES),
    ("pml_SphereFaceLoss", CLASSES),
    ("pml_SubCenterArcFaceLoss", CLASSES),
    ("pml_ThresholdConsistentMarginLoss", &[("distance", COSINE), ("reducer", MEAN)]),
    ("pml_TripletMarginLoss", &[("triplets_per_anchor", r#""all""#)]),
    ("pml_TupletMarginLoss", &[("distance", COSINE)]),
];

/// Losses with a vector for each class, whose number and length are those of the input.
const CLASSES: &[(&str, &str)] =
    &[("distance", COSINE), ("num_classes", ANY), ("embedding_size", ANY)];

/// What the adapter of a file gives. With an option that it does not read, it is not the function of
/// the case.
pub fn call<'t>(
    stem: &str,
    adapter: Adapter,
    inputs: &Inputs<'t>,
) -> Result<Vec<(String, Var<'t>)>, Stop> {
    let outputs = outputs(adapter, inputs)?;
    let built_in = BUILT_IN.iter().find(|(file, _)| *file == stem).map_or(&[][..], |(_, all)| all);
    let is_known = |(name, value): &(&str, &Value)| {
        let value = value.to_string();
        built_in.iter().any(|(option, fixed)| option == name && (*fixed == ANY || *fixed == value))
    };
    // Where the inputs are refused, options were not looked at.
    let is_faulty = outputs.iter().any(|(_, output)| output.is_faulty());
    match inputs.unread().into_iter().find(|option| !is_known(option)) {
        Some((name, value)) if !is_faulty => {
            Err(Stop::unsupported(format!("the option {name} of {value} is not read")))
        }
        _ => Ok(outputs),
    }
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
