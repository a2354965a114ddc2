//! Every loss is given what it has to refuse. Whatever error comes names the line that called the
//! loss, and the loss or a part that it is made of.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lossgraph_autograd::{Error, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

use super::row::{Choice, OptionKind};
use super::{ALL, Args, Case, Loss};
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
