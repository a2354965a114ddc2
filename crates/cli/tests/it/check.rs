//! `lossgraph check` as a user runs it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lossgraph")).arg("check").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_loss_is_checked_in_all_of_its_settings() {
    let output = check(&["HuberLoss", "--order", "1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert_eq!(printed.matches("huber").count(), 3, "{printed}");
    assert_eq!(printed.matches("PASS").count(), 7, "{printed}");
}

#[test]
fn the_catalogue_passes_and_says_so_as_json() {
    let output = check(&["--json", "--seed", "3"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["passed"], true);
    let reports = json["reports"].as_array().unwrap();
    assert!(reports.iter().any(|report| report["title"] == "cross_entropy"));
    assert!(reports.iter().all(|report| report["seed"] == 3));
}

#[test]
fn results_are_written_as_junit_xml() {
    let file = std::env::temp_dir().join(format!("lossgraph-check-{}.xml", std::process::id()));
    let path = file.to_str().unwrap();
    assert!(check(&["nll", "--junit", path]).status.success());
    let xml = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(xml.contains("<testcase classname=\"nll weight\" name=\"gradient in log_p\""), "{xml}");
    assert!(xml.contains("<skipped message=\"it holds integers\"/>"), "{xml}");
    let output = check(&["nll", "--junit", path, "--html", path]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("each needs a file of its own"), "{told}");
    let output = check(&["nll", "--junit", "/nowhere/at/all.xml"]);
    assert!(text(&output.stderr).contains("cannot be written"), "{}", text(&output.stderr));
}

#[test]
fn an_unknown_loss_is_answered_with_the_nearest() {
    let output = check(&["cros_entropy"]);
    assert!(!output.status.success());
    let told = text(&output.stderr);
    assert!(told.contains("the nearest is `cross_entropy`"), "{told}");
    assert!(
        told.contains("for a loss of your own, check it in a program or a test: `check("),
        "{told}"
    );
}

#[test]
fn a_loss_is_checked_in_the_setting_that_is_given() {
    let output = check(&["huber", "--order", "1", "--set", "delta=2", "weight"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("huber delta=2 weight"), "{}", text(&output.stdout));
    let refused = check(&["huber", "--set", "detla=2"]);
    assert!(text(&refused.stderr).contains("perhaps `delta`"), "{}", text(&refused.stderr));
    let refused = check(&["--set", "delta=2"]);
    assert!(text(&refused.stderr).contains("lossgraph check LOSS --set"));
}

#[test]
fn a_method_is_one_of_those_of_the_library() {
    for method in ["quick", "full", "taylor"] {
        let output = check(&["mse", "--order", "1", "--method", method]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let output = check(&["mse", "--method", "slow"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("possible values: quick, full, taylor"));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_before_anything_is_checked() {
    for option in ["--junit", "--html"] {
        let folder = std::env::temp_dir().join("lossgraph-no-such-folder");
        let file = folder.join("results").display().to_string();
        // The program would hang: it is not started.
        let output = check(&["--program", "cat", "--draw", "a: [2]", option, &file]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("does not exist"), "{told}");
    }
}

#[test]
fn usage_lines_show_what_goes_together() {
    let told = text(&check(&["huber", "--host", "torch"]).stderr);
    assert!(told.contains("Usage: lossgraph check [OPTIONS] [LOSSES]..."), "{told}");
    assert!(told.contains("       lossgraph check --host <HOST>\n"), "{told}");
    for (arguments, form) in [
        (&["explain"][..], "lossgraph explain --all [--out <FOLDER>]"),
        (&["plot"], "lossgraph plot --all --out <FOLDER>"),
        (&["train", "--every-loss", "--data", "x"], "lossgraph train [OPTIONS] --find-rate"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
        let told = text(&command.args(arguments).output().unwrap().stderr);
        assert!(told.contains(form), "{told}");
    }
}

#[test]
fn a_self_test_says_what_it_does_where_no_bar_is_seen() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
    command.args(["check", "--self-test"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(running.stderr.take().unwrap()).read_line(&mut line).unwrap();
    // All of it would take minutes.
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(line, "planting 390 faults, and running 1000 honest checks\n");
}
