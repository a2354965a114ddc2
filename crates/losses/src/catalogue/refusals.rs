//! Every loss is given what it has to refuse. Whatever error comes names the line that called the
//! loss, and the loss or a part that it is made of.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lossgraph_autograd::{Error, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

use super::row::{Choice, OptionKind};
use super::{ALL, Args, Case, Domain, INNER, Loss};
use crate::terms::{Reduction, Terms};

/// Parts that are called before the loss, and refuse in their own name.
const PARTS: [&str; 3] = ["pairs", "distance", "miner"];

/// Inputs of a case with one of them changed, and what was done to it.
fn wrong_inputs(case: &Case) -> Vec<(String, Vec<Tensor>)> {
    let mut all = Vec::new();
    for (at, (name, tensor)) in case.names().zip(&case.inputs).enumerate() {
        let mut add = |what: &str, other: Tensor| {
            let mut inputs = case.inputs.clone();
            inputs[at] = other;
            all.push((format!("{name} {what}"), inputs));
        };
        let dims = tensor.shape().to_vec();
        let zeros = |dims: &[usize]| Tensor::zeros(dims, tensor.dtype()).unwrap();
        add("of rank 0", zeros(&[]));
        add("of one more axis", zeros(&[&dims[..], &[1]].concat()));
        if dims.len() > 1 {
            add("without its last axis", zeros(&dims[..dims.len() - 1]));
        }
        for axis in 0..dims.len() {
            for change in [-1, 1, 5] {
                let mut dims = dims.clone();
                dims[axis] = dims[axis].saturating_add_signed(change);
                add(&format!("with {change} more along {axis}"), zeros(&dims));
            }
            let mut dims = dims.clone();
            dims[axis] = 0;
            add(&format!("with nothing along {axis}"), zeros(&dims));
        }
        match tensor.dtype() {
            DType::I64 => {
                add("as floats", tensor.to_dtype(DType::F64));
                add("of −7", Tensor::new(&dims[..], vec![-7_i64; tensor.len()]).unwrap());
                add("of 1000", Tensor::new(&dims[..], vec![1000_i64; tensor.len()]).unwrap());
            }
            _ => {
                add("as integers", tensor.to_dtype(DType::I64));
                add("of −7", Tensor::new(&dims[..], vec![-7.0; tensor.len()]).unwrap());
            }
        }
    }
    all
}

/// Settings with a value that most options cannot have.
fn wrong_settings(case: &Case) -> Vec<String> {
    let values = |choice: &Choice| -> Vec<&str> {
        match choice.kind {
            OptionKind::Number(_) => vec!["NaN", "-1", "0", "inf", "-inf", "2.5", "1e300", "x"],
            OptionKind::Integer(_) | OptionKind::Count(_) => {
                vec!["-1", "0", "-9", "1000", "0.5", "1e3", "NaN", "18446744073709551615", "x"]
            }
            OptionKind::Flag => vec!["true", "perhaps"],
            OptionKind::Word(_) => vec!["nonsense", ""],
            OptionKind::List(_) => vec!["", "0", "-1", "NaN", "3,2", "1,1,1,1,1,1,1", "x"],
        }
    };
    let set = |choice: &Choice| {
        let settings = values(choice).into_iter();
        settings
            .map(|value| format!("{} {}={value}", case.setting, choice.name))
            .collect::<Vec<_>>()
    };
    case.loss.options.iter().flat_map(set).collect()
}

/// The error of terms, however they are reduced.
fn error_of(terms: Terms<'_>) -> Option<Error> {
    let reductions = [Reduction::None, Reduction::Mean, Reduction::NonZeroMean];
    reductions.into_iter().find_map(|reduction| terms.reduce(reduction).value().err())
}

fn names(error: &Error, loss: &Loss) -> bool {
    let text = error.to_string();
    let own = error.operation() == loss.name || text.contains(&format!(" in {} (", loss.name));
    own || PARTS.contains(&error.operation())
}

/// Calls `each` with every loss in every setting that is tested, and something wrong about it.
fn walk(mut each: impl FnMut(&Case, &str, &[Tensor])) {
    for loss in ALL {
        for case in Case::grid(loss, 0).unwrap() {
            for (what, inputs) in wrong_inputs(&case) {
                each(&case, &what, &inputs);
            }
            for setting in wrong_settings(&case) {
                let inputs = case.inputs.clone();
                each(&case.in_setting(&setting), &setting, &inputs);
            }
        }
    }
}

fn recorded<'t>(tape: &'t Tape, inputs: &[Tensor]) -> Vec<Var<'t>> {
    inputs.iter().map(|input| tape.constant(input)).collect()
}

#[test]
fn an_error_has_the_line_that_recorded_a_row() {
    let mut count = 0;
    let mut wrong = Vec::new();
    walk(|case, what, inputs| {
        let tape = Tape::f64();
        let inputs = recorded(&tape, inputs);
        let here = format!("{}:{}", file!(), line!() + 1);
        let record = || error_of(case.record(&tape, &inputs));
        let error = match catch_unwind(AssertUnwindSafe(record)) {
            Ok(None) => return,
            Ok(Some(error)) => error,
            Err(_) => return wrong.push(format!("{}: {what}: it panics", case.title())),
        };
        count += 1;
        if error.location().as_ref() != Some(&here) || !names(&error, case.loss) {
            wrong.push(format!("{}: {what}: {error}", case.title()));
        }
    });
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 5000, "{count}");
}

#[test]
fn an_option_that_is_whole_takes_no_other_number() {
    for loss in ALL {
        for choice in loss.options {
            let setting = |value: &str| loss.setting(&format!("{}={value}", choice.name));
            let refused: &[&str] = match choice.kind {
                OptionKind::Integer(_) => &["0.5", "1e3", "NaN", "inf", "9223372036854775808", ""],
                OptionKind::Count(_) => &["0.5", "-1", "1e3", "NaN", "18446744073709551616", ""],
                OptionKind::Number(_) => &["NaN", "1e400", "-1e400", "x", ""],
                OptionKind::List(_) => &["1,NaN", "1e400", "1,,2", "1,x", ","],
                OptionKind::Flag => &["2", "yes", ""],
                OptionKind::Word(_) => &["nonsense", ""],
            };
            for value in refused {
                let told = setting(value).err().map(|error| error.to_string()).unwrap_or_default();
                let start = format!("{}: {} is `{value}`, expected ", loss.name, choice.name);
                assert!(told.starts_with(&start), "{} {value}: {told}", choice.name);
            }
        }
    }
}

/// As a program that calls the function of a loss: here it is the row, which does nothing else.
#[test]
fn an_error_has_the_line_that_called_the_loss() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    let mut wrong = Vec::new();
    walk(|case, what, inputs| {
        let tape = Tape::f64();
        let Ok(setting) = case.loss.setting(&case.setting) else { return };
        let named = case.names().zip(recorded(&tape, inputs)).collect();
        let args = Args::new(&tape, named, setting);
        let record = || (case.loss.run)(&args).unreduced().value().err();
        let Ok(Some(error)) = catch_unwind(AssertUnwindSafe(record)) else { return };
        count += 1;
        let location = error.location().unwrap();
        let (file, line) = location.rsplit_once(':').unwrap();
        let text = fs::read_to_string(root.join("../..").join(file)).unwrap();
        let row = text.lines().position(|line| line.starts_with("pub(crate) static ROW"));
        // What the rows of embeddings share stands among their samples.
        let is_shared = file.ends_with("embedding/sample.rs");
        let in_row = row.is_some_and(|row| line.parse::<usize>().unwrap() > row);
        if !(in_row || is_shared) || !names(&error, case.loss) {
            wrong.push(format!("{}: {what}: {error}", case.title()));
        }
    });
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 5000, "{count}");
}

/// The names of operands that are given, not computed, as an error lists them, a line each.
fn operands(error: &Error) -> Vec<String> {
    let text = error.without_locations();
    let lines = text.lines().filter(|line| line.starts_with("    ") && line.contains("constant"));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn an_error_calls_the_inputs_by_their_names() {
    let mut count = 0;
    let mut wrong = Vec::new();
    walk(|case, what, inputs| {
        let tape = Tape::f64();
        let inputs = recorded(&tape, inputs);
        let record = || error_of(case.record(&tape, &inputs));
        let Ok(Some(error)) = catch_unwind(AssertUnwindSafe(record)) else { return };
        for name in operands(&error) {
            count += 1;
            if !case.loss.inputs.iter().any(|input| input.name == name) {
                wrong.push(format!("{}: {what}: {name}: {error}", case.title()));
            }
        }
    });
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 2000, "{count}");
}

/// Whether a case reads an input in its setting: then one of a shape that nothing has is refused.
fn reads(case: &Case, at: usize) -> bool {
    let mut inputs = case.inputs.clone();
    inputs[at] = Tensor::zeros([2, 3, 2, 3, 2, 3, 2], inputs[at].dtype()).unwrap();
    given(case, &inputs).is_err()
}

fn given(case: &Case, inputs: &[Tensor]) -> Result<Tensor, Error> {
    let tape = Tape::f64();
    case.record(&tape, &recorded(&tape, inputs)).unreduced().value()
}

/// Every input that is read, of every loss in every setting that is tested, with what it becomes
/// as another kind: floats as integers, or integers as floats.
fn of_another_kind(mut each: impl FnMut(&Case, usize, Vec<Tensor>)) {
    for case in ALL.iter().flat_map(|loss| Case::grid(loss, 0).unwrap()) {
        for at in (0..case.inputs.len()).filter(|&at| reads(&case, at)) {
            let mut inputs = case.inputs.clone();
            let kind = if inputs[at].dtype().is_float() { DType::I64 } else { DType::F64 };
            inputs[at] = inputs[at].to_dtype(kind);
            each(&case, at, inputs);
        }
    }
}

#[test]
fn scores_vectors_and_distributions_are_no_integers() {
    let mut accepted = Vec::new();
    let mut count = 0;
    of_another_kind(|case, at, inputs| {
        let sample = case.samples[at];
        let is_scores = matches!(
            sample.domain,
            Domain::Logits | Domain::LogProbabilities | Domain::Probabilities
        );
        let is_vectors = ["embedding", "self_supervised"].contains(&case.loss.family)
            && matches!(sample.domain, Domain::Between(..))
            && sample.name != "distance";
        if !sample.domain.is_continuous() || !(at == 0 || is_scores || is_vectors) {
            return;
        }
        count += 1;
        match given(case, &inputs) {
            Ok(_) => accepted.push(format!("{}: {}", case.title(), sample.name)),
            Err(error) => assert!(names(&error, case.loss), "{}: {error}", case.title()),
        }
    });
    assert!(accepted.is_empty(), "{} of {count}:\n{}", accepted.len(), accepted.join("\n"));
    assert!(count > 200, "{count}");
}

#[test]
fn what_is_given_as_another_kind_is_refused_or_means_the_same() {
    let mut count = 0;
    of_another_kind(|case, at, inputs| {
        let Ok(got) = given(case, &inputs) else { return };
        let mut same = case.inputs.clone();
        // The numbers that are left, as the kind that is meant.
        same[at] = inputs[at].to_dtype(same[at].dtype());
        let expected = given(case, &same).unwrap();
        let what = format!("{}: {}", case.title(), case.samples[at].name);
        assert!(got.allclose(&expected, 0.0, 0.0), "{what}:\n{got}\nnot\n{expected}");
        count += 1;
    });
    assert!(count > 50, "{count}");
}

#[test]
fn class_numbers_are_no_signs_and_no_bits() {
    let mut count = 0;
    for case in ALL.iter().flat_map(|loss| Case::grid(loss, 0).unwrap()) {
        for at in (0..case.inputs.len()).filter(|&at| reads(&case, at)) {
            let sample = case.samples[at];
            let coded = sample.domain == Domain::Signs || sample.domain == Domain::Bits;
            // The target of a sigmoid is drawn between 0 and 1, and may be either.
            let is_share = sample.domain == INNER
                && sample.name == "target"
                && ["classification", "segmentation"].contains(&case.loss.family);
            if !coded && !is_share {
                continue;
            }
            let len = case.inputs[at].len() as i64;
            let classes: Vec<i64> = (0..len).map(|i| i % 3).collect();
            let mut inputs = case.inputs.clone();
            inputs[at] = Tensor::new(inputs[at].shape().clone(), classes).unwrap();
            let error = given(&case, &inputs).map(|_| case.title()).unwrap_err().to_string();
            assert!(error.contains("target holds ") || error.contains("class"), "{error}");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn one_number_for_each_example_is_no_vector_and_one_hot_is_no_class_number() {
    for case in ALL.iter().flat_map(|loss| Case::grid(loss, 0).unwrap()) {
        for at in (0..case.inputs.len()).filter(|&at| reads(&case, at)) {
            let (sample, input) = (case.samples[at], &case.inputs[at]);
            let mut inputs = case.inputs.clone();
            inputs[at] = match sample.domain {
                Domain::Labels(_) if sample.name == "labels" => {
                    let shape = [&input.shape()[..], &[3]].concat();
                    Tensor::zeros(shape, DType::I64).unwrap()
                }
                Domain::Between(..) | Domain::Logits if at == 0 && input.rank() > 1 => {
                    Tensor::zeros(&input.shape()[..1], DType::I64).unwrap()
                }
                _ => continue,
            };
            assert!(given(&case, &inputs).is_err(), "{}: {}", case.title(), sample.name);
        }
    }
}
