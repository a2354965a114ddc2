//! What a reader can change of a loss: its inputs and its options.

use lossgraph_losses::{Choice, Domain, OptionKind};
use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

use crate::Result;
use crate::descent;
use crate::figure;
use crate::inputs::{Inputs, exact, json_of, remark};
use crate::subject::Subject;

/// The state of a page's controls: the loss, its inputs with their numbers, its options with their
/// values and ranges, and the optimizers that descend.
///
/// # Errors
/// Inputs that the loss cannot have.
pub fn controls(subject: &Subject, inputs: &Inputs) -> Result<Value> {
    let mut tensors = Vec::new();
    let (mut shown, mut remarks) = (Vec::new(), Vec::new());
    for takes in subject.takes() {
        let tensor = inputs.of(subject.name(), &takes)?;
        remarks.extend(remark(&takes, &tensor));
        let (low, high) = bounds(takes.domain);
        shown.push(json!({
            "name": takes.name,
            "shape": tensor.shape().to_vec(),
            "whole": takes.is_whole || matches!(takes.domain, Domain::Signs | Domain::Bits),
            "moves": takes.is_variable,
            "padded": takes.is_padded,
            "symbol": subject.symbol(takes.name),
            "holds": takes.domain.to_string(),
            "low": low,
            "high": high,
        }));
        tensors.push((takes.name, tensor));
    }
    let options: Vec<Value> = match subject {
        Subject::Loss(case) => {
            let set = |choice: &Choice| subject.value_of(choice);
            let tensors = case.loss.inputs.iter().filter(|each| each.optional).map(|each| {
                let on = case.index_of(each.name).is_some();
                json!({ "name": each.name, "kind": "tensor", "value": on, "about": each.about })
            });
            case.loss
                .options
                .iter()
                .map(|each| option(each, &set(each), subject.symbol(each.name)))
                .chain(tensors)
                .collect()
        }
        Subject::Program(_) => Vec::new(),
    };
    Ok(json!({
        "loss": subject.name(),
        "family": subject.family(),
        "inputs": shown,
        "remarks": remarks,
        "numbers": json_of(&tensors),
        "options": options,
        "letters": subject.letters(),
        "closed": closed(subject, &tensors),
        "softmaxNll": softmax_nll(subject),
        "figure": figure(subject, &tensors),
        "optimizers": descent::OPTIMIZERS.map(|each| each.name),
    }))
}

/// The slope in closed form, where the loss has one.
fn closed(subject: &Subject, tensors: &[(&'static str, Tensor)]) -> Value {
    let Subject::Loss(case) = subject else { return Value::Null };
    let inputs: Vec<Tensor> = tensors.iter().map(|(_, tensor)| tensor.clone()).collect();
    let Some((slope, numbers)) = case.closed_slope(&inputs) else { return Value::Null };
    let numbers: Vec<Value> = numbers.into_iter().map(exact).collect();
    json!({ "input": slope.input, "formula": slope.formula, "numbers": numbers })
}

/// The scores and the labels of a loss that is −ln of the softmax of the one at the other.
fn softmax_nll(subject: &Subject) -> Value {
    let Subject::Loss(case) = subject else { return Value::Null };
    case.softmax_nll()
        .map_or(Value::Null, |[scores, labels]| json!({ "scores": scores, "labels": labels }))
}

/// What the loss is about, drawn, where its row says so.
fn figure(subject: &Subject, tensors: &[(&'static str, Tensor)]) -> Value {
    let Subject::Loss(case) = subject else { return Value::Null };
    let inputs: Vec<Tensor> = tensors.iter().map(|(_, tensor)| tensor.clone()).collect();
    case.figure(&inputs).map_or(Value::Null, |found| figure::json_of(&found))
}

/// Where the numbers of an input lie, as far as that is known.
fn bounds(domain: Domain) -> (Option<f64>, Option<f64>) {
    match domain {
        Domain::Labels(classes) => (Some(0.0), Some(classes.saturating_sub(1) as f64)),
        Domain::Signs => (Some(-1.0), Some(1.0)),
        Domain::Bits | Domain::Probabilities => (Some(0.0), Some(1.0)),
        Domain::LogProbabilities => (None, Some(0.0)),
        _ => (None, None),
    }
}

/// An option, with the range of its slider.
fn option(choice: &Choice, value: &str, symbol: Option<String>) -> Value {
    let (kind, range) = match choice.kind {
        OptionKind::Number(default) => ("number", Some(range(default))),
        OptionKind::Integer(_) => ("integer", None),
        OptionKind::Count(_) => ("count", None),
        OptionKind::Flag => ("flag", None),
        OptionKind::Word(_) => ("word", None),
        OptionKind::List(_) => ("list", None),
    };
    let words = match choice.kind {
        OptionKind::Word(words) => words,
        _ => &[],
    };
    json!({
        "name": choice.name,
        "kind": kind,
        "value": value,
        "default": choice.kind.to_string(),
        "about": choice.about,
        "symbol": symbol,
        "words": words,
        "low": range.map(|[low, _]| low),
        "high": range.map(|[_, high]| high),
    })
}

/// The range of a slider: most options are scales or margins around the size of their default. What
/// lies beyond can be typed.
fn range(default: f64) -> [f64; 2] {
    let reach = match default.abs() {
        size if size.is_finite() && size > 0.0 => 4.0 * size,
        _ => 2.0,
    };
    if default < 0.0 { [-reach, reach] } else { [0.0, reach] }
}
