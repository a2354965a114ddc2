//! What the program tells of the catalogue of losses.

use std::process::{Command, Output};

use lossgraph_losses::ALL;
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
    command.arg("losses").args(arguments).output().unwrap()
}

fn shown(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn read(arguments: &[&str]) -> Value {
    serde_json::from_str(&shown(arguments)).unwrap()
}

#[test]
fn the_list_has_every_loss_once_with_its_line_and_names() {
    let list = shown(&[]);
    for loss in ALL {
        let start = format!("  {} ", loss.name);
        let lines: Vec<&str> = list.lines().filter(|line| line.starts_with(&start)).collect();
        assert_eq!(lines.len(), 1, "{}", loss.name);
        let first = loss.summary.split(' ').next().unwrap();
        assert!(lines[0].contains(first), "{}", lines[0]);
        for alias in loss.aliases {
            assert!(list.contains(alias), "{alias}");
        }
    }
    let families: Vec<&str> = list.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(families.contains(&"classification") && families.contains(&"regression"));
}

#[test]
fn no_line_is_longer_than_100_columns_and_summaries_begin_in_one_column() {
    for text in std::iter::once(shown(&[])).chain(ALL.iter().map(|loss| shown(&[loss.name]))) {
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
    let list = shown(&[]);
    let column = |loss: &&lossgraph_losses::Loss| {
        let line = list.lines().find(|line| line.starts_with(&format!("  {} ", loss.name)));
        line?.find(&format!("  {}", loss.summary.split(' ').next()?))
    };
    let columns: Vec<Option<usize>> = ALL.iter().map(column).collect();
    assert!(columns[0].is_some() && columns.iter().all(|each| *each == columns[0]), "{columns:?}");
}

#[test]
fn a_loss_is_shown_with_its_formula_inputs_and_options() {
    let page = shown(&["huber"]);
    for expected in [
        "huber  Squared near 0, linear beyond delta.",
        "formula  d²/2 if |d| < δ, else δ (|d| − δ/2), with d = p − t",
        "unit     the target's, squared",
        "range    [0, ∞)",
        "source   Huber, 1964; PyTorch HuberLoss",
        "prediction  [4, 3]  floats, such as those from -3 to 3",
        "weight      [4, 3]  floats, such as those from 0.2 to 2; optional: a weight for each element",
        "delta      where the branches meet; default 1",
    ] {
        assert!(page.contains(expected), "{expected}:\n{page}");
    }
}

#[test]
fn any_name_of_a_loss_finds_it() {
    for (name, expected) in [
        ("CrossEntropyLoss", "cross_entropy"),
        ("nn.BCELoss", "bce"),
        ("torch.nn.MultiLabelMarginLoss", "multilabel_margin"),
        ("optax.sigmoid_binary_cross_entropy", "bce_with_logits"),
        ("multi-margin", "multi_margin"),
    ] {
        assert_eq!(read(&[name, "--json"])["name"], expected, "{name}");
    }
}

#[test]
fn json_says_what_the_pages_say() {
    let list = read(&["--json"]);
    assert_eq!(list.as_array().unwrap().len(), ALL.len());
    for (entry, loss) in list.as_array().unwrap().iter().zip(ALL) {
        assert_eq!(entry["name"], loss.name);
        let one = read(&[loss.name, "--json"]);
        for key in ["name", "aliases", "family", "summary"] {
            assert_eq!(one[key], entry[key], "{}", loss.name);
        }
        assert_eq!(one["formula"], loss.formula);
        assert_eq!(one["inputs"].as_array().unwrap().len(), loss.inputs.len());
        assert_eq!(one["options"].as_array().unwrap().len(), loss.options.len());
    }
    let smoothing = &read(&["cross_entropy", "--json"])["options"][1];
    assert_eq!(smoothing["name"], "label_smoothing");
    assert_eq!(smoothing["default"], 0.0);
}

#[test]
fn an_unknown_name_is_an_error_that_suggests_the_nearest() {
    let output = run(&["croos_entropy"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("there is no loss `croos_entropy`; the nearest is `cross_entropy`"),
        "{told}"
    );
    assert!(output.stdout.is_empty());
}
