//! The pictures of losses, as a user asks for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lossgraph_losses::ALL;

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("lossgraph-plot-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The file that a command line writes.
    fn written(&self, arguments: &[&str], file: &str) -> Vec<u8> {
        let path = self.0.join(file);
        shown(&[arguments, &["--out", path.to_str().unwrap()]].concat());
        fs::read(path).unwrap()
    }

    fn svg(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.written(arguments, "picture.svg")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lossgraph")).arg("plot").args(arguments).output().unwrap()
}

fn shown(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The files of a folder by name.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    };
    let mut files: Vec<(String, String)> = entries.map(named).collect();
    files.sort();
    files
}

/// Whether two texts differ in nothing but the last place of coordinates, which are given in tenths
/// of a pixel: a number between two tenths goes one way or the other by the last bit of a loss.
fn look_alike(a: &str, b: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split_inclusive(|c| !is_number(c));
        parts.map(str::to_owned).collect()
    };
    let near = |a: &str, b: &str| {
        let [(x, after_x), (y, after_y)] = [a, b].map(|part| {
            let end = part.find(|c| !is_number(c)).unwrap_or(part.len());
            part.split_at(end)
        });
        let close = || Some((x.parse::<f64>().ok()? - y.parse::<f64>().ok()?).abs() < 0.11);
        after_x == after_y && (x == y || close().unwrap_or(false))
    };
    let (a, b) = (parts(a), parts(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| near(a, b))
}

#[test]
fn the_pictures_in_the_docs_are_those_that_the_command_makes() {
    let folder = Folder::new("all");
    shown(&["--all", "--out", folder.0.to_str().unwrap()]);
    let (made, mut kept) =
        (files(&folder.0), files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/losses")));
    // That one is made by `lossgraph train --every-loss`.
    kept.retain(|(name, _)| name != "training.md");
    let names = |files: &[(String, String)]| -> Vec<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&made), names(&kept));
    for ((name, made), (_, kept)) in made.iter().zip(&kept) {
        assert!(
            look_alike(made, kept),
            "{name} differs: `lossgraph plot --all --out docs/losses` makes it anew"
        );
    }
    assert_eq!(made.len(), ALL.len() + 1);
}

#[test]
fn pictures_are_small_and_have_no_number_that_is_none() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/losses");
    for (name, text) in files(&folder).iter().filter(|(name, _)| name.ends_with(".svg")) {
        assert!(text.len() < 15_000, "{name} has {} bytes", text.len());
        assert!(!text.contains("NaN") && !text.contains("inf,"), "{name}");
        let has_figure = text.contains("at the catalogue&apos;s sample");
        assert!(has_figure || text.contains("class=\"c0\" d=\"M"), "{name} has no curve");
    }
}

#[test]
fn a_picture_shows_loss_and_slope_of_every_member() {
    let svg = Folder::new("members").svg(&["HuberLoss", "--over", "delta=0.25,3"]);
    for label in [">delta=0.25<", ">delta=3<"] {
        assert_eq!(svg.matches(label).count(), 2, "{svg}");
    }
    for curve in ["class=\"c0\"", "class=\"c0 d\"", "class=\"c1\"", "class=\"c1 d\""] {
        assert_eq!(svg.matches(curve).count(), 1, "{curve}");
    }
    assert!(svg.contains("one element of prediction moves; target = 0"));
    assert!(svg.contains("prefers-color-scheme:dark"));
}

#[test]
fn a_loss_with_a_figure_is_drawn_as_that_and_as_curves_if_one_asks_for_a_number() {
    let folder = Folder::new("figure");
    for loss in ALL.iter().filter(|loss| loss.figure.is_some() && loss.over.is_empty()) {
        let svg = folder.svg(&[loss.name]);
        assert!(svg.contains("at the catalogue&apos;s sample"), "{}: {svg}", loss.name);
        assert!(!svg.contains("class=\"c0\""), "{}", loss.name);
        assert!(folder.svg(&[loss.name, "--element", "1"]).contains("class=\"c0\" d=\"M"));
        // A terminal shows curves.
        assert!(shown(&[loss.name]).contains("slope"), "{}", loss.name);
    }
}

#[test]
fn as_many_curves_are_drawn_as_can_be_told_apart() {
    let values = |count: i32| (1..=count).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let over = |count: i32| format!("delta={}", values(count));
    let svg = Folder::new("many").svg(&["huber", "--over", &over(12)]);
    assert_eq!(svg.matches(">delta=12<").count(), 2);
    let output = run(&["huber", "--over", &over(13)]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("13 curves cannot be told apart: expected at most 12 values"), "{told}");
}

#[test]
fn a_kink_is_a_ring_on_both_sides_and_a_dot_between_them() {
    let svg = Folder::new("kink").svg(&["l1"]);
    // One on the loss, where both sides meet, and two on the slope.
    assert_eq!(svg.matches("class=\"c0 r\"").count(), 3, "{svg}");
    assert_eq!(svg.matches("class=\"t0 p\"").count(), 1, "{svg}");
    let mse = Folder::new("smooth").svg(&["mse"]);
    assert_eq!(mse.matches("<circle").count(), 0, "{mse}");
}

#[test]
fn settings_inputs_elements_and_ranges_are_the_users() {
    let folder = Folder::new("asked");
    let svg = folder.svg(&["quantile", "--set", "quantile=0.9", "--range", "-10..10"]);
    assert!(svg.contains(">quantile quantile=0.9<"), "{svg}");
    assert!(svg.contains(">−10<") && svg.contains(">10<"), "{svg}");
    assert!(folder.svg(&["mse", "--input", "target"]).contains("one element of target moves"));
    assert!(folder.svg(&["mse", "--element", "5"]).contains(">prediction[1, 2]<"));
}

#[test]
#[cfg(feature = "png")]
fn a_png_is_as_wide_as_it_is_asked_to_be() {
    let png = Folder::new("png").written(&["huber", "--width", "320"], "picture.png");
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), (320, 220));
}

#[test]
fn without_a_file_the_picture_is_text_with_axes() {
    let text = shown(&["hinge"]);
    for expected in
        ["hinge\n", "target = 1", "  loss\n", " slope\n", "margin=0.5", "┤", "└", "prediction"]
    {
        assert!(text.contains(expected), "{expected}:\n{text}");
    }
    assert!(text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)));
    assert!(!text.contains('\u{1b}'), "colors are for terminals alone");
    for (arguments, widest) in [(vec!["hinge"], 80), (vec!["hinge", "--width", "120"], 120)] {
        let text = shown(&arguments);
        let width = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(width <= widest && width > widest - 12, "{width}:\n{text}");
    }
}

#[test]
fn optimizers_go_down_a_surface() {
    let arguments = ["mse", "--surface", "--optimizer", "sgd,adam", "--steps"];
    let loss = |steps: &str, optimizer: &str| -> f64 {
        let text = shown(&[&arguments[..], &[steps]].concat());
        let told = text.lines().find_map(|line| line.strip_prefix(optimizer)).unwrap();
        told.trim_start_matches(": loss ").parse().unwrap()
    };
    for optimizer in ["sgd", "adam"] {
        assert!(loss("50", optimizer) < 0.2 * loss("0", optimizer), "{optimizer}");
    }
    let folder = Folder::new("surface");
    let svg = folder.svg(&[&arguments[..], &["40"]].concat());
    // The start and 40 steps of each, and a ring around the start.
    assert_eq!(svg.matches("<circle").count(), 2 * 41 + 1);
    assert!(svg.contains(">slope<") && svg.contains(">height<"));
    let sample = folder.svg(&["triplet_margin", "--surface"]);
    assert!(sample.contains(">anchor[0, 0]<") && sample.contains(">anchor[0, 1]<"));
}

#[test]
fn what_cannot_be_drawn_is_refused_with_a_reason() {
    for (arguments, reason) in [
        (vec!["hubr"], "there is no loss `hubr`; the nearest is `huber`"),
        (vec!["huber", "--set", "dleta=2"], "there is no option `dleta`; perhaps `delta`"),
        (vec!["huber", "--over", "dleta=1,2"], "there is no option `dleta`; perhaps `delta`"),
        (vec!["huber", "--over", "delta=1,a"], "delta is `a`, expected a number"),
        (vec!["huber", "--over", "delta"], "expected an option and its values"),
        (vec!["huber", "--over", "delta=-1"], "delta is -1, expected a number above 0"),
        (vec!["huber", "--range", "3..1"], "the first number has to be the smaller one"),
        (vec!["huber", "--range", "3"], "expected two numbers, such as -3..3"),
        (vec!["huber", "--element", "99"], "`prediction` has 12 elements, there is no element 99"),
        (
            vec!["huber", "--input", "targt"],
            "there is no input `targt`; there are prediction, target",
        ),
        (vec!["nll", "--input", "labels"], "`labels` holds no numbers that can move"),
        (vec!["huber", "--out", "/nowhere/at/all.svg"], "cannot be written"),
        (vec!["huber", "--out", "huber.gif"], "expected a name in .svg, .png or .txt"),
        #[cfg(not(feature = "png"))]
        (vec!["huber", "--out", "huber.png"], "`cargo run --release --features png -- …`"),
        (vec!["mse", "--surface", "--optimizer", "sdg"], "invalid value 'sdg'"),
        (vec!["mse", "--surface", "--optimizer", "sgd", "--lr=-1"], "lr is -1"),
        (vec!["mse", "--optimizer", "sgd"], "--surface"),
        (vec!["--all"], "--out"),
        (vec![], "<NAME>"),
    ] {
        let output = run(&arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?} is accepted");
        assert!(told.contains(reason), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty() && !told.contains("panicked"), "{arguments:?}: {told}");
    }
}
