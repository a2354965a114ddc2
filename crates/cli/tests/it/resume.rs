//! Trainings that are interrupted, killed, resumed or stopped early, and what they leave.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use lossgraph_nn::Checkpoint;
use serde_json::Value;

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("lossgraph-resume-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
        command.current_dir(&self.0).arg("train").args(arguments.split_whitespace());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a training prints, and what it tells.
    fn train(&self, arguments: &str) -> [String; 2] {
        let output = self.run(arguments);
        let [printed, told] = [output.stdout, output.stderr].map(text);
        assert!(output.status.success(), "{arguments}: {told}");
        [printed, told]
    }

    fn refused(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let told = text(output.stderr);
        assert!(!output.status.success(), "{arguments} is accepted");
        assert!(!told.contains("panicked"), "{arguments}: {told}");
        told
    }

    /// A training that has printed so many epochs.
    fn started(&self, arguments: &str, epochs: usize) -> Child {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_epoch = |line: &String| line.starts_with("epoch ");
        let seen = lines.by_ref().map(Result::unwrap).filter(is_epoch).take(epochs).count();
        assert_eq!(seen, epochs, "it ended by itself");
        // Nobody reads its lines any more, which does not end it.
        child
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A net with all that has a state.
const NET: &str = "--batch-norm --hidden 16 --optimizer nadam --schedule one_cycle";
const MODEL: &str = "out/digits-classifier.safetensors";
const LAST: &str = "out/digits-classifier/last.safetensors";

#[test]
fn a_run_that_is_killed_loses_at_most_an_epoch_and_ends_as_one_that_is_not() {
    let whole = Folder::new("whole");
    whole.train(&format!("{NET} --epochs 30"));
    let folder = Folder::new("killed");
    let mut arguments = format!("{NET} --epochs 30");
    for kill in [2, 3, 1] {
        let mut child = folder.started(&arguments, kill);
        child.kill().unwrap();
        child.wait().unwrap();
        // Both are whole files, and the model is not there before the end.
        Checkpoint::read(folder.0.join(LAST)).unwrap();
        Checkpoint::read(folder.0.join("out/digits-classifier/best.safetensors")).unwrap();
        assert!(!folder.0.join(MODEL).exists());
        arguments = format!("--resume {LAST}");
    }
    let [printed, _] = folder.train(&arguments);
    assert!(!printed.contains("epoch  1/30") && printed.contains("epoch 30/30"), "{printed}");
    assert!(folder.bytes(MODEL) == whole.bytes(MODEL));
    assert!(folder.bytes(LAST) == whole.bytes(LAST));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_within_an_epoch_and_leaves() {
    let whole = Folder::new("through");
    whole.train(&format!("{NET} --epochs 6"));
    let folder = Folder::new("interrupted");
    let mut child = folder.started(&format!("{NET} --epochs 6"), 2);
    let number = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &number]).status().unwrap().success());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    let cure = format!("lossgraph train --resume {LAST}");
    assert!(told.contains("interrupted in epoch") && told.contains(&cure), "{told}");
    // By the folder of the run as well.
    folder.train("--resume out/digits-classifier");
    assert!(folder.bytes(MODEL) == whole.bytes(MODEL));
}

#[test]
fn a_finished_run_goes_on_to_more_epochs() {
    let folder = Folder::new("more");
    let plain = "--hidden 16 --schedule exponential --seed 3";
    folder.train(&format!("{plain} --epochs 4 --out whole"));
    folder.train(&format!("{plain} --epochs 2"));
    // By its model as well; its files stay where they are.
    folder.train(&format!("--resume {MODEL} --epochs 4"));
    assert!(folder.bytes(MODEL) == folder.bytes("whole/digits-classifier.safetensors"));
    folder.train(&format!("--resume {LAST} --epochs 4 --out other"));
    assert!(folder.bytes(MODEL) == folder.bytes("other/digits-classifier.safetensors"));
}

#[test]
fn a_run_goes_on_with_the_options_that_it_began_with() {
    let folder = Folder::new("options");
    folder.train("--hidden 8 --lr 0.01 --epochs 1");
    for (option, told) in [
        ("--lr 0.1", "--lr is 0.1, and was 0.01 in the run of"),
        ("--hidden 16", "--hidden is [16], and was [8]"),
        ("--optimizer sgd", "--optimizer is [\"sgd\"], and was none"),
        ("--loss nll", "--loss is \"nll\""),
        ("--seed 4", "--seed is 4, and was 0"),
        ("--task embedding", "--task is \"embedding\", and was \"classifier\""),
        ("--loss triplet_margin", "--loss is \"triplet_margin\", and was \"cross_entropy\""),
        ("--data penguins", "--data is \"penguins\", and was none"),
    ] {
        let error = folder.refused(&format!("--resume {LAST} {option}"));
        assert!(error.contains(told) && error.contains("--epochs"), "{error}");
    }
    // Nothing of another name leads to the run.
    for named in ["out/digits-classifier.7", "out/digits-classifier.svg"] {
        let error = folder.refused(&format!("--resume {named} --epochs 2"));
        let cure = "perhaps: --resume out/digits-classifier\n";
        assert!(error.contains("there is no such checkpoint") && error.ends_with(cure), "{error}");
    }
    fs::copy(folder.0.join(MODEL), folder.0.join("alone.safetensors")).unwrap();
    let error = folder.refused("--resume alone.safetensors");
    assert!(error.contains("a model to use, and no checkpoint to go on from"), "{error}");
    fs::write(folder.0.join("out/x.svg"), "<svg/>").unwrap();
    let error = folder.refused("--resume out/x.svg");
    assert!(error.contains("no safetensors checkpoint, but an SVG file"), "{error}");
    let error = folder.refused("--resume no/such.safetensors");
    assert!(error.contains("--resume no/such.safetensors: there is no such checkpoint"), "{error}");
    fs::write(folder.0.join("damaged"), "half of a").unwrap();
    assert!(folder.refused("--resume damaged").contains("damaged"));
}

#[test]
fn a_run_goes_on_in_its_own_folder_by_whatever_it_is_named() {
    let folder = Folder::new("own");
    folder.train("--epochs 1 --out runs");
    fs::rename(folder.0.join("runs/digits-classifier"), folder.0.join("runs/mine")).unwrap();
    for (named, epochs) in
        [("runs/mine", 2), ("runs/mine/last.safetensors", 3), ("runs/mine/best.safetensors", 4)]
    {
        let [printed, _] = folder.train(&format!("--resume {named} --epochs {epochs}"));
        assert!(printed.contains("and checkpoints to runs/mine\n"), "{printed}");
    }
    let [printed, _] = folder.train("--resume runs/mine --epochs 5 --out other");
    assert!(printed.contains("and checkpoints to other/digits-classifier\n"), "{printed}");
    assert!(!folder.0.join("out").exists());
}

#[test]
fn a_run_that_is_not_there_is_answered_with_those_that_are() {
    let folder = Folder::new("none");
    let told = folder.refused("--resume k9");
    assert!(told.contains("--resume k9: there is no such checkpoint"), "{told}");
    assert!(!told.contains("perhaps"), "{told}");
    folder.train("--epochs 1");
    folder.train("--epochs 1 --data penguins");
    for named in ["out/digit-clasifier", "digits-classifier", "out/digits.safetensors"] {
        let told = folder.refused(&format!("--resume {named}"));
        assert!(told.ends_with("perhaps: --resume out/digits-classifier\n"), "{told}");
    }
    fs::create_dir_all(folder.0.join("zoo")).unwrap();
    fs::rename(folder.0.join("out/penguins-classifier"), folder.0.join("zoo/birds")).unwrap();
    let told = folder.refused("--resume zoo/k9");
    assert!(
        told.ends_with("perhaps: --resume zoo/birds, or --resume out/digits-classifier\n"),
        "{told}"
    );
    fs::rename(folder.0.join("zoo/birds"), folder.0.join("out/penguins-classifier")).unwrap();
    let both = "perhaps: --resume out/digits-classifier, or --resume out/penguins-classifier\n";
    for named in ["out", "k9", "out/k9"] {
        let told = folder.refused(&format!("--resume {named}"));
        assert!(told.ends_with(both), "{named}: {told}");
    }
}

#[test]
fn a_run_that_stops_early_keeps_its_best_epoch() {
    let folder = Folder::new("early");
    let arguments = "--hidden 4 --lr 0.2 --epochs 300 --early-stop 3 --json";
    let [printed, told] = folder.train(arguments);
    let figures: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let best = figures["epochs"].as_u64().unwrap() as usize;
    let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("epoch ")).collect();
    assert_eq!(lines.len(), best + 3, "{printed}");
    assert!(told.contains("stopped early, behind epoch"), "{told}");
    // What it says of that epoch is what the model is like.
    let accuracy = format!("test {:6.2} %", 100.0 * figures["test_accuracy"].as_f64().unwrap());
    assert!(lines[best - 1].contains(&accuracy), "{printed}");
    let model = Checkpoint::read(folder.0.join(MODEL)).unwrap();
    let path = folder.0.join("out/digits-classifier/best.safetensors");
    let best = Checkpoint::read(path).unwrap();
    for (name, tensor) in &model.tensors {
        assert_eq!(tensor, &best.tensors[name], "{name}");
    }
}

#[test]
fn a_reader_that_leaves_does_not_end_a_training() {
    let folder = Folder::new("head");
    let mut command = folder.command("--epochs 3 --hidden 8");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("1438 digits"), "{line}");
    assert!(child.wait().unwrap().success());
    let epochs = &Checkpoint::read(folder.0.join(MODEL)).unwrap().metadata["epochs"];
    assert_eq!(epochs, "3");
}

#[test]
fn a_place_that_cannot_be_written_to_is_found_before_the_time_is_spent() {
    let folder = Folder::new("places");
    fs::create_dir_all(folder.0.join(MODEL)).unwrap();
    // So many epochs end tomorrow.
    let told = folder.refused("--epochs 1000000");
    assert!(told.contains("it is a folder"), "{told}");
    fs::remove_dir(folder.0.join(MODEL)).unwrap();
    fs::write(folder.0.join("out/digits-classifier"), "a file").unwrap();
    folder.train("--epochs 1");
    assert_eq!(folder.bytes("out/digits-classifier.1"), b"a file");
    fs::write(folder.0.join("file"), "").unwrap();
    assert!(folder.refused("--epochs 1000000 --out file/out").contains("cannot be made"));
}

#[test]
fn runs_do_not_write_over_each_other() {
    let folder = Folder::new("runs");
    folder.train("--epochs 1 --hidden 8");
    let places = |number: &str| {
        let place = format!("out/digits-classifier{number}");
        [format!("{place}.safetensors"), format!("{place}/last.safetensors")]
    };
    let bytes = |number| places(number).map(|path| folder.bytes(&path));
    let first = bytes("");
    // Also the same options may lead to another model: of a file that has changed, for one.
    let [_, told] = folder.train("--epochs 1 --hidden 8");
    assert!(told.contains("was of another run: it is out/digits-classifier.1 now"), "{told}");
    assert!(first == bytes("") && first == bytes(".1"));
    folder.train("--epochs 1 --hidden 8 --seed 1");
    assert!(first != bytes("") && first == bytes(".2"));
    // A number is that of a model and of its checkpoints.
    fs::remove_file(folder.0.join(MODEL)).unwrap();
    folder.train("--epochs 1 --hidden 8 --seed 2");
    folder.train("--epochs 1 --hidden 8 --seed 3");
    let seed = |path: &str| Checkpoint::read(folder.0.join(path)).unwrap().metadata["seed"].clone();
    assert_eq!(places(".4").map(|path| seed(&path)), ["2", "2"]);
    // It goes on where it is now.
    folder.train("--resume out/digits-classifier.1 --epochs 2 --out again");
    assert!(Path::new(&folder.0).join("again/digits-classifier.safetensors").exists());
}

#[test]
fn a_run_that_ended_before_its_first_checkpoint_keeps_nobody_out() {
    let folder = Folder::new("early");
    let told = folder.refused("--lr 1e30 --epochs 1");
    assert!(told.contains("not finite"), "{told}");
    let left = folder.0.join("out/digits-classifier");
    assert_eq!(fs::read_dir(&left).unwrap().count(), 0);
    let [_, told] = folder.train("--epochs 1 --hidden 8");
    assert!(!told.contains("another run"), "{told}");
    // One that somebody made.
    fs::create_dir_all(folder.0.join("made/digits-classifier")).unwrap();
    folder.train("--epochs 1 --hidden 8 --out made");
}

#[cfg(unix)]
#[test]
fn two_runs_at_once_do_not_share_a_folder() {
    let folder = Folder::new("at-once");
    let mut first = folder.started("--epochs 100000 --hidden 8", 1);
    let told = folder.refused("--epochs 1 --seed 1");
    assert!(told.contains("another run is writing to it now"), "{told}");
    assert!(told.contains("--out"), "{told}");
    let told = folder.refused(&format!("--resume {LAST} --epochs 200000"));
    assert!(told.contains("another run is writing to it now"), "{told}");
    folder.train("--epochs 1 --seed 1 --out other");
    // However it ends, nobody is kept out any more.
    first.kill().unwrap();
    first.wait().unwrap();
    folder.train("--epochs 1 --seed 1");
    // What the kill may have left half-written is none of them.
    let names = fs::read_dir(folder.0.join("out/digits-classifier.1")).unwrap();
    let names = names.map(|entry| entry.unwrap().path());
    let kept = names.filter(|path| path.extension().is_some_and(|end| end == "safetensors"));
    assert_eq!(kept.count(), 2);
}

#[test]
fn more_epochs_go_on_by_the_longer_schedule_and_fewer_are_refused() {
    let folder = Folder::new("lengths");
    let [_, told] = folder.train("--hidden 8 --epochs 3");
    assert!(!told.contains("the rates of epochs before"), "{told}");
    let [_, told] = folder.train(&format!("--resume {LAST}"));
    assert!(told.contains("all of its 3 epochs are done"), "{told}");
    let [_, told] = folder.train(&format!("--resume {LAST} --epochs 5"));
    assert!(told.contains("those of a run of 3, and are now those of one of 5"), "{told}");
    let before = folder.bytes(MODEL);
    let told = folder.refused(&format!("--resume {LAST} --epochs 4"));
    assert!(told.contains("is to see 4 epochs in all, and the checkpoint has seen 5"), "{told}");
    assert!(!told.contains("the rates of epochs before"), "{told}");
    assert!(folder.bytes(MODEL) == before);
    // What does not depend on the length says nothing.
    folder.train("--hidden 8 --epochs 1 --schedule step step_size=1 --out step");
    let [_, told] = folder.train("--resume step/digits-classifier --epochs 2");
    assert!(!told.contains("the rates of epochs before"), "{told}");
}

#[test]
fn a_rate_is_found_and_nothing_is_written() {
    let folder = Folder::new("rate");
    let [printed, _] = folder.train("--find-rate --json");
    let figures: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let rate = figures["lr"].as_f64().unwrap();
    assert!((1e-4..0.5).contains(&rate), "{printed}");
    assert!(printed.contains("a good rate is") && printed.contains('▁'), "{printed}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    assert!(folder.refused("--find-rate --lr 0.1").contains("cannot be used with"));
}
