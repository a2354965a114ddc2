//! `lossgraph check --program`: programs that answer, and programs that do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lossgraph")).arg("check").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder of one test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lossgraph-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a program is there; says so if a test is skipped for it.
fn has(program: &str, arguments: &[&str]) -> bool {
    let found =
        Command::new(program).args(arguments).output().is_ok_and(|run| run.status.success());
    if !found {
        println!("skipped: `{program} {}` does not run here", arguments.join(" "));
    }
    found
}

fn host(name: &str) -> Vec<u8> {
    let printed = check(&["--host", name]);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    printed.stdout
}

const PAIR: &str = "prediction: [3, 4], target: [3, 4]";

/// Checks the loss of a host as it is printed, and with a mistake in it.
fn honest_and_wrong(folder: &Folder, name: &str, run: impl Fn(&Path) -> Option<String>) {
    let file = folder.0.join(if name == "c" { "host.c" } else { "host.py" });
    let text_of = text(&host(name));
    for (wrong, passes) in [(false, true), (true, false)] {
        let content = match wrong {
            true => text_of.replacen("/ off.size,", "/ off.size * 1.001,", 1).replacen(
                "2 * off / n[0],",
                "2.002 * off / n[0],",
                1,
            ),
            false => text_of.clone(),
        };
        assert_eq!(content != text_of, wrong, "nothing was planted in {name}");
        fs::write(&file, content).unwrap();
        let Some(command) = run(&file) else { return };
        let output = check(&["--program", &command, "--draw", PAIR, "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(json["passed"], passes, "{json:#}");
        assert_eq!(output.status.success(), passes);
        let rows = json["reports"][0]["rows"].as_array().unwrap();
        let verdict = |name: &str| {
            let row = rows.iter().find(|row| row["input"] == name && row["order"] == 1);
            row.unwrap()["verdict"].clone()
        };
        assert_eq!(verdict("target"), "PASS");
        assert_eq!(verdict("prediction"), if passes { "PASS" } else { "FAIL" });
    }
}

#[test]
fn the_host_of_numpy_runs_as_it_is_and_a_mistake_in_it_is_found() {
    if has("python3", &["-c", "import numpy"]) {
        let folder = Folder::new("numpy");
        honest_and_wrong(&folder, "numpy", |file| Some(format!("python3 {}", file.display())));
    }
}

#[test]
fn the_host_in_c_runs_as_it_is_and_a_mistake_in_it_is_found() {
    if has("cc", &["--version"]) {
        let folder = Folder::new("c");
        honest_and_wrong(&folder, "c", |file| {
            let out = file.with_extension("out");
            let built =
                Command::new("cc").arg(file).arg("-o").arg(&out).arg("-lm").status().unwrap();
            assert!(built.success());
            Some(out.display().to_string())
        });
    }
}

#[test]
fn the_host_in_c_refuses_inputs_that_it_has_no_room_for() {
    if has("cc", &["--version"]) {
        let folder = Folder::new("room");
        let few = text(&host("c")).replacen("1 << 20", "11", 1);
        let (file, out) = (folder.file("host.c", few), folder.0.join("host"));
        let built = Command::new("cc").arg(file).arg("-o").arg(&out).arg("-lm").status().unwrap();
        assert!(built.success());
        for shapes in [PAIR, "prediction: 3"] {
            let output = check(&["--program", out.to_str().unwrap(), "--draw", shapes]);
            let told = text(&output.stderr);
            assert!(told.contains("host.c takes 2 inputs of at most 11 numbers"), "{told}");
        }
    }
}

/// A host of a loss of two inputs that moves one of them at a time, as hosts did before `points`.
const OLDER: &str = r#"
import json, sys
print('{"lossgraph": 1, "features": ["values"]}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    a, b = [each["data"] for each in asked["inputs"]]
    def value(t=0.0):
        moved = [list(a), list(b)]
        if t:
            step = asked["step"]["data"]
            moved[asked["move"]] = [x + t * s for x, s in zip(moved[asked["move"]], step)]
        return sum(x * x * y for x, y in zip(*moved))
    if asked["request"] == "values":
        answer = {"values": [value(t) for t in asked["multiples"]]}
    else:
        slopes = [[2 * x * y for x, y in zip(a, b)], [FACTOR * x * x for x in a]]
        answer = {"value": value(), "gradients": slopes}
    print(json.dumps({"id": asked["id"], **answer}), flush=True)
"#;

#[test]
fn an_older_host_that_moves_one_input_at_a_time_is_checked_as_well() {
    if !has("python3", &["--version"]) {
        return;
    }
    let folder = Folder::new("older");
    for (factor, passes) in [("1", true), ("1.001", false)] {
        let file = folder.file("host.py", OLDER.replace("FACTOR", factor));
        let output = check(&[
            "--program",
            &format!("python3 {file}"),
            "--draw",
            "a: 3, b: 3",
            "--order",
            "1",
        ]);
        let told = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.success(), passes, "{told}");
        assert_eq!(told.contains("FAIL"), !passes, "{told}");
    }
}

#[test]
fn silence_is_shown_on_a_terminal() {
    // `script` runs a command on a terminal of its own.
    if !has("script", &["--version"]) {
        return;
    }
    let lossgraph = env!("CARGO_BIN_EXE_lossgraph");
    let folder = Folder::new("silence");
    let slow = shell(&folder, &format!("if [ $id = 1 ]; then {CONSTANT}; else sleep 300; fi"));
    let cases = [
        ("cat", "--start-timeout 2.5", "waiting for the program's first line, 1 s of 2.5"),
        (&slow, "--timeout 2.5", "waiting for the value and its gradients, 1 s of 2.5"),
    ];
    at_the_same_time(cases, |(program, limits, shown)| {
        let command = format!("{lossgraph} check --program '{program}' --draw 'x: 2' {limits}");
        let output = Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
        assert!(text(&output.stdout).contains(shown), "{}", text(&output.stdout));
        assert!(!output.status.success());
    });
}

/// Tries cases that wait, each on a thread of its own.
fn at_the_same_time<C: Send, const N: usize>(cases: [C; N], test: impl Fn(C) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

/// A host that reads and writes tensors as base64, as hosts did before `bytes`.
const BASE64: &str = r#"
import base64, json, struct, sys
print('{"lossgraph": 1, "features": ["base64"]}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    raw = base64.b64decode(asked["inputs"][0]["data"])
    x = struct.unpack(f"<{len(raw) // 8}d", raw)
    slopes = base64.b64encode(struct.pack(f"<{len(x)}d", *[FACTOR * each for each in x])).decode()
    answer = {"value": sum(each * each for each in x), "gradients": [{"data": slopes}]}
    print(json.dumps({"id": asked["id"], **answer}), flush=True)
"#;

#[test]
fn an_older_host_that_reads_base64_is_checked_as_well() {
    if !has("python3", &["--version"]) {
        return;
    }
    let folder = Folder::new("base64");
    for (factor, passes) in [("2", true), ("2.002", false)] {
        let file = folder.file("host.py", BASE64.replace("FACTOR", factor));
        let program = format!("python3 {file}");
        let output = check(&["--program", &program, "--draw", "x: [2, 3]", "--order", "1"]);
        let told = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.success(), passes, "{told}");
        assert_eq!(told.contains("FAIL"), !passes, "{told}");
    }
}

#[test]
fn the_hosts_of_torch_and_jax_are_programs_of_python() {
    for name in ["torch", "jax"] {
        let program = text(&host(name));
        assert!(program.contains("\"lossgraph\": 1"), "{program}");
        assert!(program.lines().count() <= 36, "{name} is no short program any more");
        if has("python3", &["--version"]) {
            let folder = Folder::new(name);
            let file = folder.file("host.py", &program);
            assert!(has("python3", &["-m", "py_compile", &file]), "{program}");
        }
    }
}

/// A program of the shell that speaks the protocol: `answer` is what it does with each request.
fn shell(folder: &Folder, answer: &str) -> String {
    let script = format!(
        "echo '{{\"lossgraph\": 1}}'\nwhile read -r line; do\n  id=${{line#*:}}; id=${{id%%,*}}\n  {answer}\ndone\n"
    );
    format!("sh {}", folder.file("host.sh", script))
}

fn refused(command: &str, more: &[&str]) -> String {
    let output = check(&[&["--program", command, "--draw", "x: 2"], more].concat());
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn a_program_that_does_not_answer_says_what_it_did_instead() {
    let folder = Folder::new("refused");
    let told = refused("echo Traceback >&2; exit 3", &[]);
    assert!(told.contains("it ended (exit status: 3) without an answer"), "{told}");
    assert!(told.contains("Traceback"), "{told}");
    let told = refused("no-such-program-at-all", &[]);
    assert!(told.contains("not found"), "{told}");
    let told = refused("echo hello", &[]);
    assert!(told.contains("it did not greet: its first line is `hello`"), "{told}");
    let told = refused("echo '{\"lossgraph\": 2}'", &[]);
    assert!(told.contains("it speaks version 2 of the protocol, expected 1"), "{told}");
    let told = refused(&shell(&folder, "echo training step 1"), &[]);
    assert!(told.contains("it printed `training step 1` instead of an answer"), "{told}");
    let told = refused(&shell(&folder, "echo '{\"id\": 99}'"), &[]);
    assert!(told.contains("it answered with id 99 to the request 1"), "{told}");
    let told =
        refused(&shell(&folder, "echo \"{\\\"id\\\": $id, \\\"error\\\": \\\"no GPU\\\"}\""), &[]);
    assert!(told.contains("it failed: no GPU"), "{told}");
    let told = refused(&shell(&folder, "echo \"{\\\"id\\\": $id, \\\"value\\\": 1}\""), &[]);
    assert!(told.contains("there is no `gradients`"), "{told}");
    let shape =
        "echo \"{\\\"id\\\": $id, \\\"value\\\": 1, \\\"gradients\\\": [[1.0, 2.0, 3.0]]}\"";
    let told = refused(&shell(&folder, shape), &[]);
    assert!(told.contains("the gradient in x has shape [3], expected [2]"), "{told}");
    let echo = "printf '%s\\n' \"$line\"";
    let told = refused(&shell(&folder, echo), &[]);
    assert!(told.contains("it repeats the request instead of answering it"), "{told}");
    let bytes = "echo \"{\\\"id\\\": $id, \\\"value\\\": 1, \\\"bytes\\\": COUNT, \\\"gradients\\\": [{\\\"offset\\\": 0}]}\"; printf 12345678; exit";
    let told = refused(&shell(&folder, &bytes.replace("COUNT", "-8")), &[]);
    assert!(
        told.contains("it announces -8 bytes after a line, expected a number up to 1048"),
        "{told}"
    );
    let told = refused(&shell(&folder, &bytes.replace("COUNT", "99999999")), &[]);
    assert!(told.contains("it announces 99999999 bytes after a line"), "{told}");
    let told = refused(&shell(&folder, &bytes.replace("COUNT", "16")), &[]);
    assert!(told.contains("16 bytes were to follow its line, and 8 came"), "{told}");
    let told = refused(&shell(&folder, &bytes.replace("COUNT", "8")), &[]);
    assert!(told.contains("its shape is [2] of float64 at offset 0, and 8 bytes follow"), "{told}");
    let infinite =
        "echo \"{\\\"id\\\": $id, \\\"value\\\": Infinity, \\\"gradients\\\": [[1.0, 2.0]]}\"";
    let told = refused(&shell(&folder, infinite), &[]);
    assert!(told.contains("the value is inf at these inputs"), "{told}");
}

#[test]
fn a_program_that_hangs_is_ended_in_time_with_all_that_it_started() {
    let folders = ["hangs", "hangs-asked", "hangs-later", "hangs-escaped"].map(Folder::new);
    let [greeting, asked, later, escaped] = folders.each_ref();
    let pid = |folder: &Folder| folder.0.join("pid");
    let sleeper = |folder| format!("sleep 300 & echo $! > {}; wait", pid(folder).display());
    let second = format!("if [ $id = 1 ]; then {CONSTANT}; else {}; fi", sleeper(later));
    // What starts a session of its own leaves the group of the program.
    let session = format!("setsid sleep 300 & echo $! > {}; sleep 300", pid(escaped).display());
    let silent = "it did not greet within 5 s, with a line such as {\"lossgraph\": 1}";
    let cases = [
        (greeting, sleeper(greeting), silent),
        (
            asked,
            shell(asked, &sleeper(asked)),
            "it gave no answer within 5 s: --start-timeout gives it longer",
        ),
        (later, shell(later, &second), "it gave no answer within 2 s: --timeout gives it longer"),
        (escaped, session, silent),
    ];
    at_the_same_time(cases, |(folder, command, late)| {
        let started = Instant::now();
        let told = refused(&command, &["--timeout", "2", "--start-timeout", "5"]);
        assert!(told.contains(late), "{told}");
        assert!(started.elapsed().as_secs() < 60);
        let child = fs::read_to_string(pid(folder)).unwrap();
        let status = Path::new("/proc").join(child.trim()).join("status");
        // A signal that was sent is not one that was obeyed: the system takes its time.
        let until = Instant::now() + Duration::from_secs(20);
        let gone = || {
            let state = fs::read_to_string(&status).unwrap_or_default();
            state.is_empty() || state.contains("State:\tZ") || state.contains("State:\tX")
        };
        while !gone() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(gone(), "{child} is left behind");
    });
    let told = refused("true", &["--timeout", "0"]);
    assert!(told.contains("expected a number of seconds above 0"), "{told}");
}

#[test]
fn a_program_may_take_longer_to_start_than_to_answer() {
    let folder = Folder::new("starts");
    let slow = format!("sleep 1; exec {}", shell(&folder, "sleep 300"));
    let told = refused(&slow, &["--timeout", "0.1", "--start-timeout", "4"]);
    assert!(
        told.contains("it gave no answer within 4 s: --start-timeout gives it longer"),
        "{told}"
    );
}

#[test]
fn a_line_that_is_longer_than_any_answer_is_not_read_to_its_end() {
    let folder = Folder::new("long");
    let endless = "yes 0123456789 | tr -d '\\n'";
    for command in [endless.to_owned(), shell(&folder, endless)] {
        let told = refused(&command, &[]);
        assert!(told.contains("it prints a line of more than 1048"), "{told}");
        assert!(told.contains("`01234567890123") && told.len() < 1000, "{told}");
    }
}

/// A host of Σx² that has no second derivative, and says so with addresses in memory.
const ONCE: &str = r#"
import json, sys
print('{"lossgraph": 1, "features": ["products"]}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    x = asked["inputs"][0]["data"]
    if asked["request"] == "products":
        answer = {"missing": f"it ends at {(lambda: 0)} and {object()}"}
    else:
        answer = {"value": sum(each**2 for each in x), "gradients": [[2 * each for each in x]]}
    print(json.dumps({"id": asked["id"], **answer}), flush=True)
"#;

#[test]
fn a_missing_second_derivative_fails_a_strict_check_and_is_told_alike_each_time() {
    if !has("python3", &["--version"]) {
        return;
    }
    let folder = Folder::new("once");
    let program = format!("python3 {}", folder.file("host.py", ONCE));
    let why = "it ends at <function <lambda>> and <object object>";
    let arguments = ["--program", &program, "--draw", "x: 3"];
    let lax = check(&arguments);
    assert!(lax.status.success(), "{}", text(&lax.stderr));
    let told = text(&lax.stdout);
    assert!(told.contains(&format!("{why} (with --strict, a failure)\n")), "{told}");
    let strict = check(&[&arguments[..], &["--strict", "--json"]].concat());
    assert_eq!(strict.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&strict.stdout).unwrap();
    assert_eq!(json["passed"], false);
    let strict = check(&[&arguments[..], &["--strict", "--junit", "-"]].concat());
    let xml = text(&strict.stdout);
    assert!(xml.contains("failures=\"1\" skipped=\"0\""), "{xml}");
    // The first order is all there.
    assert!(check(&[&arguments[..], &["--strict", "--order", "1"]].concat()).status.success());
}

#[test]
fn integers_and_what_stops_on_purpose_pass_a_strict_check() {
    let folder = Folder::new("strict");
    let both = CONSTANT.replace("[[0.0, 0.0]]", "[[0.0, 0.0], null, null]");
    let command = shell(&folder, &both);
    let draw = "x: 2, labels: 2 of 0..3, off: 1";
    let arguments = ["--program", &command, "--draw", draw, "--skip", "off", "--strict"];
    let output = check(&arguments);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(check(&["cross_entropy", "circle", "--strict"]).status.success());
}

#[test]
fn integers_where_floats_are_meant_are_told_with_the_cure() {
    let folder = Folder::new("types");
    let cure = "floats are 2.0 in a file, and `of 0.0..10.0` in --draw";
    let slope = shell(&folder, &CONSTANT.replace("0.0, 0.0", "1.0, 2.0"));
    let output = check(&["--program", &slope, "--draw", "x: 2 of 0..9"]);
    let told = text(&output.stderr);
    assert!(told.contains("input 0 holds integers, and has a gradient all the same"), "{told}");
    assert!(told.contains(cure), "{told}");
    let flat = shell(&folder, CONSTANT);
    let output = check(&["--program", &flat, "--draw", "x: 2 of 0..9"]);
    let told = text(&output.stderr);
    assert!(told.contains("nothing was checked") && told.contains(cure), "{told}");
    let failing = "echo \"{\\\"id\\\": $id, \\\"error\\\": \\\"expected Long\\\"}\"";
    let output = check(&["--program", &shell(&folder, failing), "--draw", "x: 2, labels: [3]"]);
    let told = text(&output.stderr);
    assert!(told.contains("it failed: expected Long"), "{told}");
    assert!(
        told.contains("it was given x: float64 [2], labels: float64 [3]; floats are"),
        "{told}"
    );
}

#[test]
fn bytes_that_do_not_come_are_counted() {
    let folder = Folder::new("short");
    let answer = "echo \"{\\\"id\\\": $id, \\\"value\\\": 1, \\\"bytes\\\": 16, \\\"gradients\\\": [{\\\"offset\\\": 0}]}\"; printf 12345678";
    let told = refused(&shell(&folder, answer), &["--start-timeout", "1"]);
    assert!(told.contains("16 bytes were to follow its line, and 8 came within 1 s"), "{told}");
    let told = refused(&shell(&folder, &format!("{answer}; exit")), &["--start-timeout", "60"]);
    assert!(told.contains("16 bytes were to follow its line, and 8 came\n"), "{told}");
}

#[test]
fn a_check_that_compares_nothing_does_not_pass() {
    let folder = Folder::new("nothing");
    let told = refused(&shell(&folder, CONSTANT), &["--skip", "x"]);
    assert!(told.contains("nothing was checked"), "{told}");
    // A slope of 3 beside 10¹⁵ is lost: no difference shows it, nor that it is wrong.
    let large = CONSTANT.replace("2.5", "1e15").replace("0.0, 0.0", "3.0, 3.0");
    let told = refused(&shell(&folder, &large), &[]);
    assert!(told.contains("nothing was checked"), "{told}");
}

/// x² of two elements, as a program of the shell cannot compute it: a constant with slope 0.
const CONSTANT: &str =
    "echo \"{\\\"id\\\": $id, \\\"value\\\": 2.5, \\\"gradients\\\": [[0.0, 0.0]]}\"";

#[test]
fn a_program_is_reported_as_text_json_junit_and_page() {
    let folder = Folder::new("reports");
    let command = shell(&folder, CONSTANT);
    let (xml, html) = (folder.file("a.xml", ""), folder.file("a.html", ""));
    let arguments =
        ["--program", &command, "--draw", "x: 2 of -1.0..1.0", "--junit", &xml, "--html", &html];
    let output = check(&arguments);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("loss 2.500000"), "{}", text(&output.stdout));
    assert!(fs::read_to_string(xml).unwrap().contains("name=\"gradient in x\""));
    assert!(fs::read_to_string(html).unwrap().contains("<td class=\"PASS\">PASS</td>"));
    let json = check(&["--program", &command, "--draw", "x: 2", "--json", "--seeds", "2"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["reports"].as_array().unwrap().len(), 2);
    assert!(json["reports"][0]["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn inputs_come_from_a_file_and_some_stop_on_purpose() {
    let folder = Folder::new("inputs");
    let both = CONSTANT.replace("[[0.0, 0.0]]", "[[0.0, 0.0], [0, 0], [[9.0]]]");
    let command = shell(&folder, &both);
    let inputs = r#"{"x": [0.5, NaN], "labels": [0, 1], "off": [[1.5]]}"#;
    let file = folder.file("inputs.json", inputs.replace("NaN", "-1.5"));
    let output = check(&["--program", &command, "--inputs", &file, "--skip", "off"]);
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}{}", text(&output.stderr));
    assert!(told.contains("it holds integers"), "{told}");
    assert!(told.contains("its gradient stops on purpose"), "{told}");
    let output = check(&["--program", &command, "--inputs", &file]);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("lossgraph check --program"), "{}", text(&output.stdout));
    let output = check(&["--program", &command, "--inputs", &file, "--skip", "y"]);
    assert!(text(&output.stderr).contains("there is no such input; there are x, labels, off"));
    let output = check(&["--program", &command]);
    assert!(text(&output.stderr).contains("--program needs inputs"), "{}", text(&output.stderr));
    let twice = folder.file("twice.json", r#"{"x": [1.0], "x": [2.0]}"#);
    let output = check(&["--program", &command, "--inputs", &twice]);
    assert!(text(&output.stderr).contains("`x` is there twice"), "{}", text(&output.stderr));
}

#[test]
fn a_second_derivative_that_is_missing_since_it_is_0_is_compared() {
    if !has("python3", &["--version"]) {
        return;
    }
    let folder = Folder::new("linear");
    let linear = ONCE.replace("each**2", "3 * each").replace("2 * each", "3.0");
    let program = format!("python3 {}", folder.file("host.py", linear));
    let output = check(&["--program", &program, "--draw", "x: 3", "--strict"]);
    let told = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && !told.contains("missing"), "{told}");
}

/// A host whose value hides what its second input does to it.
const HIDDEN: &str = r#"
import json, sys
print('{"lossgraph": 1}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    a, b = [each["data"] for each in asked["inputs"]]
    value = 1e9 * sum(e * e for e in a) + 1e-4 * sum(e * e for e in b)
    slopes = [[2e9 * e for e in a], [2e-4 * e for e in b]]
    print(json.dumps({"id": asked["id"], "value": value, "gradients": slopes}), flush=True)
"#;

#[test]
fn what_noise_hides_fails_a_strict_check() {
    if !has("python3", &["--version"]) {
        return;
    }
    let folder = Folder::new("hidden");
    let program = format!("python3 {}", folder.file("host.py", HIDDEN));
    let arguments = ["--program", &program, "--draw", "a: 3, b: 3", "--order", "1"];
    let lax = check(&arguments);
    let told = text(&lax.stdout);
    assert!(lax.status.success() && told.contains("NOISE") && told.contains("PASS"), "{told}");
    let strict = check(&[&arguments[..], &["--strict", "--junit", "-"]].concat());
    let xml = text(&strict.stdout);
    assert_eq!(strict.status.code(), Some(1));
    assert!(xml.contains("<failure message=\"lost in noise\"/>"), "{xml}");
}

#[test]
fn greetings_and_bytes_that_fit_no_protocol_are_told() {
    let folder = Folder::new("greetings");
    for (greeting, told) in [
        (r#"{"lossgraph": "1"}"#, r#"it speaks version "1" of the protocol, expected 1, a number"#),
        (
            r#"{"lossgraph": 1, "features": "bytes"}"#,
            r#"its features are "bytes", expected a list"#,
        ),
    ] {
        let script = folder.file("host.sh", format!("echo '{greeting}'; cat > /dev/null"));
        let error = refused(&format!("sh {script}"), &[]);
        assert!(error.contains(told), "{error}");
    }
    if has("python3", &["--version"]) {
        let more = ONCE.replace("[\"products\"]", "[]").replace(
            "**answer}), flush=True)",
            "**answer}) + chr(10) + chr(0) * 8, end=\"\", flush=True)",
        );
        let error = refused(&format!("python3 {}", folder.file("host.py", more)), &[]);
        assert!(error.contains("bytes follow its last answer that no line announces"), "{error}");
    }
}

#[test]
fn a_smaller_case_is_checked_as_the_whole_one_was() {
    if !has("python3", &["--version"]) {
        return;
    }
    let folder = Folder::new("options");
    let wrong = ONCE.replace("2 * each", "3 * each");
    let program = format!("python3 {}", folder.file("host.py", wrong));
    let limits = ["--order", "1", "--timeout", "7", "--start-timeout", "9.5"];
    let output = check(&[&["--program", &program, "--draw", "x: 3"], &limits[..]].concat());
    let told = text(&output.stdout);
    assert!(told.contains(&format!("--inputs smallest.json {}", limits.join(" "))), "{told}");
}
