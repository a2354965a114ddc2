//! No output is lost in silence, no option is ignored, and bad input is told with its cause.

use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("lossgraph-output-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
        command.current_dir(&self.0).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What the program says when it refuses: never a panic, never a line of its source.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {output:?}");
        assert!(!told.contains("panicked") && !told.contains(".rs:"), "{arguments:?}: {told}");
        told
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every command that prints.
const PRINTING: [&[&str]; 12] = [
    &["losses"],
    &["losses", "mse", "--json"],
    &["check", "mse", "--order", "1"],
    &["check", "mse", "--order", "1", "--json"],
    &["check", "mse", "--order", "1", "--junit", "-"],
    &["explain", "mse"],
    &["explain", "mse", "--out", "-"],
    &["explain", "mse", "--format", "listing"],
    &["plot", "mse"],
    &["plot", "mse", "--out", "mse.svg"],
    &["train", "--epochs", "1"],
    &["--help"],
];

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_of_every_command() {
    let folder = Folder::new("full");
    for arguments in PRINTING {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = folder.command(arguments).stdout(full).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("standard output cannot be written"), "{arguments:?}: {told}");
        // Nor does it help to have nobody to tell.
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = folder.command(arguments).stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn a_closed_pipe_ends_every_command_quietly() {
    let folder = Folder::new("closed");
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_by_any_name_is_written_through() {
    let folder = Folder::new("through");
    std::os::unix::fs::symlink("/dev/stdout", folder.0.join("link")).unwrap();
    std::os::unix::fs::symlink("/proc/self/fd", folder.0.join("descriptors")).unwrap();
    for out in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "descriptors/1"] {
        let arguments = ["explain", "mse", "--format", "json", "--out", out];
        let printed = folder.run(&arguments).stdout;
        assert!(serde_json::from_slice::<serde_json::Value>(&printed).is_ok(), "{out}");
        // A regular file that others write to as well.
        let path = folder.0.join("shared");
        fs::write(&path, "before\n").unwrap();
        let shared = OpenOptions::new().append(true).open(&path).unwrap();
        assert!(folder.command(&arguments).stdout(shared).status().unwrap().success(), "{out}");
        let whole = fs::read_to_string(&path).unwrap();
        assert!(whole.starts_with("before\n{") && whole.ends_with("}\n"), "{out}: {whole}");
    }
    assert!(fs::symlink_metadata(folder.0.join("link")).unwrap().is_symlink());
    let names = fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(names, 3, "nothing stays beside");
}

#[test]
fn the_name_of_a_file_says_what_is_written() {
    let folder = Folder::new("names");
    let starts = [
        ("html", "<!"),
        ("svg", "<svg"),
        ("json", "{"),
        ("txt", ""),
        ("dot", "digraph"),
        ("mmd", "flowchart"),
        #[cfg(feature = "png")]
        ("png", "\u{fffd}PNG"),
    ];
    for (end, start) in starts {
        let file = format!("picture.{end}");
        let output = folder.run(&["explain", "mse", "--out", &file]);
        assert!(output.status.success(), "{end}: {}", text(&output.stderr));
        let written = text(&fs::read(folder.0.join(&file)).unwrap());
        assert!(written.starts_with(start), "{end}: {written:.40}");
    }
    let told = folder.refused(&["explain", "mse", "--out", "a.docx"]);
    assert!(told.contains("expected a name in one of .html"), "{told}");
    let told = folder.refused(&["explain", "mse", "--out", "a.html", "--format", "svg"]);
    assert!(told.contains("another format"), "{told}");
    let told = folder.refused(&["plot", "mse", "--out", "a.docx"]);
    assert!(told.contains("expected a name in .svg, .png or .txt"), "{told}");
    assert!(folder.run(&["plot", "mse", "--out", "a.txt"]).status.success());
    assert!(fs::read_to_string(folder.0.join("a.txt")).unwrap().contains("mse"));
}

#[test]
fn an_option_that_would_be_ignored_is_refused() {
    let folder = Folder::new("ignored");
    for arguments in [
        &["explain", "mse", "--depth", "1"][..],
        &["explain", "mse", "--depth", "1", "--format", "listing"],
        &["explain", "mse", "--format", "listing", "--open"],
        &["explain", "--all", "--format", "svg"],
        &["explain", "--all", "--depth", "1"],
        &["plot", "mse", "--out", "a.svg", "--width", "100"],
        &["plot", "mse", "--surface", "--steps", "3"],
        &["plot", "mse", "--surface", "--lr", "3"],
        &["plot", "mse", "--optimizer", "sgd"],
        &["check", "--self-test", "--order", "1"],
        &["check", "--self-test", "--full"],
        &["check", "--self-test", "--method", "full"],
        &["check", "--self-test", "--seeds", "2"],
        &["check", "mse", "--json", "--junit", "-"],
    ] {
        folder.refused(arguments);
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn nothing_checked_is_no_success() {
    let folder = Folder::new("nothing");
    let last = u64::MAX.to_string();
    let told = folder.refused(&["check", "mse", "--seed", &last, "--seeds", "2"]);
    assert!(told.contains("seeds end at 18446744073709551615"), "{told}");
    folder.refused(&["check", "mse", "--seeds", "0"]);
    let output = folder.run(&["check", "mse", "--order", "1", "--seed", &last]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("PASS"), "{}", text(&output.stdout));
}

#[test]
fn losses_that_cannot_share_their_inputs_are_not_compared() {
    let folder = Folder::new("versus");
    for (first, other, expected) in [
        ("triplet_margin", "cross_entropy", "triplet_margin takes anchor, positive, negative"),
        ("mse", "cross_entropy", "cross_entropy takes logits, labels"),
        ("log_softmax", "mse", "mse takes prediction, target"),
        ("bce_with_logits", "mse", "bce_with_logits takes logits, target"),
    ] {
        let told = folder.refused(&["explain", first, "--versus", other]);
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn odd_files_of_inputs_are_refused_with_the_cause() {
    let folder = Folder::new("json");
    let deep = format!(r#"{{"prediction": {}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for (content, expected) in [
        (r#"{"prediction": [], "target": []}"#.as_bytes(), "`prediction` is empty"),
        (br#"{"prediction": [[], []], "target": [[], []]}"#, "`prediction` is empty"),
        (br#"{"prediction": [1], "prediction": [2], "target": [0]}"#, "is there twice"),
        (br#"{"prediction": [1e400], "target": [0]}"#, "number out of range"),
        (br#"{"prediction": [one], "target": [0]}"#, "no JSON"),
        (br#"{"prediction": [null], "target": [0]}"#, "null is no number"),
        (br#"{"prediction": "1", "target": [0]}"#, "is no number"),
        (br#"{"prediction": {"a": 1}, "target": [0]}"#, "is no number"),
        (b"", "no JSON"),
        (b"[]", "expected an object of inputs"),
        (b"\xff\xfe{}", "cannot be read"),
        (b"{}", "the input `prediction` is missing"),
        (deep.as_bytes(), "recursion limit"),
    ] {
        fs::write(folder.0.join("own.json"), content).unwrap();
        let told = folder.refused(&["explain", "mse", "--inputs", "own.json"]);
        assert!(told.contains(expected), "{expected}: {told}");
    }
    fs::write(folder.0.join("own.json"), br#"{"logits": [[1, 2]], "labels": [1e300]}"#).unwrap();
    let told = folder.refused(&["explain", "cross_entropy", "--inputs", "own.json"]);
    assert!(told.contains("expected whole numbers"), "{told}");
    // Nor are they written over.
    let before = fs::read(folder.0.join("own.json")).unwrap();
    let program = ["check", "--program", "false", "--inputs", "own.json"];
    for arguments in [
        &["explain", "cross_entropy", "--inputs", "own.json", "--out", "own.json"][..],
        &[&program[..], &["--junit", "own.json"]].concat(),
        &[&program[..], &["--html", "./own.json"]].concat(),
    ] {
        let told = folder.refused(arguments);
        assert!(told.contains("own.json: it would be written over"), "{arguments:?}: {told}");
    }
    assert!(fs::read(folder.0.join("own.json")).unwrap() == before);
    let told = folder.refused(&["explain", "mse", "--inputs", "."]);
    assert!(told.contains("cannot be read"), "{told}");
}

#[test]
fn numbers_that_an_option_cannot_hold_are_refused() {
    let folder = Folder::new("numbers");
    for (loss, setting) in [
        ("ctc", "blank=0.5"),
        ("ctc", "blank=-1"),
        ("ctc", "blank=1e30"),
        ("ctc", "blank=18446744073709551616"),
        ("cross_entropy", "ignore_index=0.5"),
        ("cross_entropy", "ignore_index=99999999999999999999"),
        ("huber", "delta=nan"),
        ("huber", "delta=1e400"),
    ] {
        for command in ["check", "explain", "plot"] {
            let told = folder.refused(&[command, loss, "--set", setting]);
            let (name, value) = setting.split_once('=').unwrap();
            assert!(told.contains(&format!("{name} is `{value}`, expected")), "{told}");
        }
    }
}

#[test]
fn a_name_of_no_loss_is_answered_alike_by_every_command() {
    let folder = Folder::new("unknown");
    for arguments in [&["check"][..], &["explain"], &["plot"], &["losses"], &["train", "--loss"]] {
        let told = folder.refused(&[arguments, &["hubre"]].concat());
        assert!(told.contains("there is no loss `hubre`; the nearest is `huber`"), "{told}");
        assert!(told.contains("for a loss of your own, "), "{told}");
    }
}

#[test]
fn an_error_of_a_loss_shows_its_operands_and_no_line_of_ours() {
    let folder = Folder::new("lines");
    fs::write(folder.0.join("own.json"), r#"{"prediction": [1, 2], "target": [0]}"#).unwrap();
    let told = folder.refused(&["explain", "huber", "--inputs", "own.json"]);
    assert!(told.contains("prediction") && told.contains("[2]"), "{told}");
}

#[cfg(unix)]
#[test]
fn arguments_and_places_that_make_no_sense_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new("places");
    let odd = OsStr::from_bytes(b"\xff");
    for command in ["check", "explain", "plot", "losses"] {
        let output = folder.command(&[command]).arg(odd).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(!text(&output.stderr).contains("panicked"), "{command}");
    }
    let output = folder.command(&["explain", "mse", "--out"]).arg(odd).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    fs::create_dir(folder.0.join("a.html")).unwrap();
    let told = folder.refused(&["explain", "mse", "--out", "a.html"]);
    assert!(told.contains("it is a folder"), "{told}");
    folder.refused(&["explain", "mse", "--out", "none/a.html"]);
    for command in ["explain", "plot"] {
        let told = folder.refused(&[command, "--all", "--out", "-"]);
        assert!(told.contains("several files are written"), "{told}");
    }
    folder.refused(&["train", "--out", "-"]);
    folder.refused(&["explain", "--all", "--out", "/dev/null"]);
    folder.refused(&["plot", "--all", "--out", "/dev/null"]);
    folder.refused(&["check", "mse", "--junit", "none/a.xml"]);
    folder.refused(&["plot", "mse", "--element", "18446744073709551615"]);
    folder.refused(&["plot", "mse", "--range", "0..1e400"]);
    File::create(folder.0.join("file")).unwrap();
    folder.refused(&["train", "--out", "file/out"]);
    let status = folder.command(&["losses"]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
}
