//! What `lossgraph explain` writes, and what it says to bad input.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use lossgraph_losses::ALL;
use miniz_oxide::inflate::decompress_to_vec_zlib;
use serde_json::Value;

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("lossgraph-explain-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
        command.current_dir(&self.0).arg("explain").args(arguments).output().unwrap()
    }

    fn told(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the program says when it refuses.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// What a page that was written knows of its losses.
    fn sides(&self, file: &str) -> Vec<Value> {
        let page = fs::read_to_string(self.0.join(file)).unwrap();
        let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
        let end = start + page[start..].find("</script>").unwrap();
        let data: Value = serde_json::from_slice(&unpacked(&page[start..end])).unwrap();
        data["sides"].as_array().unwrap().clone()
    }
}

/// What a page has compressed, in the letters that the script of pages names.
fn unpacked(text: &str) -> Vec<u8> {
    let script = include_str!("../../../explain/src/page/unpack.js");
    let digits = script.split("DIGITS = \"").nth(1).unwrap().split('"').next().unwrap();
    let mut bytes = Vec::new();
    for letters in text.as_bytes().chunks(5) {
        let all = letters.iter().chain([&b'~'; 5]).take(5);
        let digit = |letter: u8| digits.bytes().position(|each| each == letter).unwrap() as u32;
        let word = all.fold(0u32, |word, x| word.wrapping_mul(85).wrapping_add(digit(*x)));
        bytes.extend(&word.to_be_bytes()[..letters.len() - 1]);
    }
    decompress_to_vec_zlib(&bytes).unwrap()
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_page_stands_alone_and_has_the_formula_drawn() {
    let folder = Folder::new("page");
    assert_eq!(folder.told(&["CrossEntropyLoss"]), "wrote cross_entropy.html\n");
    let page = fs::read_to_string(folder.0.join("cross_entropy.html")).unwrap();
    for from_outside in ["src=\"http", "href=\"http", "@import", "url(http"] {
        assert!(!page.contains(from_outside), "{from_outside}");
    }
    let side = &folder.sides("cross_entropy.html")[0];
    assert!(side["formula"].as_str().unwrap().starts_with("<math"));
    assert_eq!(side["title"], "cross_entropy");
}

#[test]
fn the_largest_pages_are_small_enough_to_be_sent() {
    let folder = Folder::new("size");
    for loss in ["ms_ssim", "ssim", "lifted_structure"] {
        folder.told(&[loss]);
        let size = fs::metadata(folder.0.join(format!("{loss}.html"))).unwrap().len();
        assert!(size <= 1_200_000, "{loss}: {size}");
    }
}

#[test]
fn ones_own_numbers_and_options_are_what_is_shown() {
    let folder = Folder::new("own");
    let text = r#"{"prediction": [0.5, 4], "target": [0, 0], "weight": [1, 3]}"#;
    fs::write(folder.0.join("own.json"), text).unwrap();
    folder.told(&["huber", "--inputs", "own.json", "--set", "delta=2", "--out", "my.html"]);
    let side = &folder.sides("my.html")[0];
    assert!(side["notes"].to_string().contains("delta = 2"), "{}", side["notes"]);
    // 0.5²/2 and 3 · 2 (4 − 1), divided by two terms.
    let loss = side["nodes"].as_array().unwrap().last().unwrap();
    assert_eq!(loss["value"]["numbers"][0], (0.125 + 18.0) / 2.0);
}

#[test]
fn bad_numbers_shapes_and_names_are_errors_that_say_where() {
    let folder = Folder::new("bad");
    let with = |text: &str| {
        fs::write(folder.0.join("bad.json"), text).unwrap();
        folder.refused(&["huber", "--inputs", "bad.json"])
    };
    for (text, told) in [
        (
            r#"{"prediction": [1, "x"], "target": [0, 0]}"#,
            "bad.json: prediction[1]: \"x\" is no number",
        ),
        (
            r#"{"prediction": [[1], [2, 3]], "target": [0]}"#,
            "prediction[1] has shape [2], and [0] has [1]",
        ),
        (r#"{"prediction": [1]}"#, "huber: the input `target` is missing"),
        (
            r#"{"predictions": [1], "target": [0]}"#,
            "there is no input `predictions`; expected one of prediction, target",
        ),
        (r#"{"prediction": [1, 2], "target": [0]}"#, "huber: the shapes differ"),
        ("{", "bad.json: no JSON"),
    ] {
        let error = with(text);
        assert!(error.contains(told), "{text}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    }
    assert!(
        folder.refused(&["huber", "--inputs", "none.json"]).contains("none.json cannot be read")
    );
    assert!(folder.refused(&["huber", "--set", "detla=2"]).contains("perhaps `delta`"));
    assert!(folder.refused(&["nan", "--set", "delta=2"]).contains("nan has no options"));
    assert!(
        folder.refused(&["nan", "--format", "svg"]).contains("a picture shows one loss, not 2")
    );
    let unknown = folder.refused(&["hubre"]);
    assert!(unknown.contains("the nearest is `huber`"), "{unknown}");
    assert!(unknown.contains("for a loss of your own, write its page from a program"), "{unknown}");
    assert!(
        folder.refused(&["huber", "--out", "no/such/folder.html"]).contains("cannot be written")
    );
}

#[test]
fn losses_side_by_side_share_their_inputs() {
    let folder = Folder::new("versus");
    let told = folder.told(&["l1", "--versus", "huber delta=2", "--versus", "mse"]);
    assert_eq!(told, "wrote l1-versus-huber-versus-mse.html\n");
    let sides = folder.sides("l1-versus-huber-versus-mse.html");
    let input = |side: &Value| side["nodes"][0]["value"].clone();
    assert_eq!(sides.len(), 3);
    assert!(sides.iter().all(|side| input(side) == input(&sides[0])));
}

#[test]
fn losses_that_share_no_input_are_not_shown_side_by_side() {
    let folder = Folder::new("strangers");
    let told = folder.refused(&["triplet_margin", "--versus", "cross_entropy"]);
    let expected = "triplet_margin takes anchor, positive, negative, and cross_entropy takes \
                    logits, labels: losses are compared on the same inputs";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn the_lessons_show_what_they_are_about() {
    let folder = Folder::new("lessons");
    let gradients = |lesson: &str| -> Vec<Vec<f64>> {
        folder.told(&[lesson]);
        let numbers = |side: &Value| {
            let all = side["nodes"][0]["gradient"]["numbers"].as_array().unwrap().clone();
            all.iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
        };
        folder.sides(&format!("{lesson}.html")).iter().map(numbers).collect()
    };
    // The first example is taken for another class, and surely so.
    let vanishing = gradients("vanishing");
    assert!(vanishing[0][0].abs() < 1e-3 && vanishing[1][0].abs() > 0.4, "{vanishing:?}");
    let nan = gradients("nan");
    assert!(nan[0][0].is_nan() && nan[1].iter().all(|x| x.is_finite()), "{nan:?}");
    // How much the outlier pulls, beside the largest of the others.
    let pull = |gradient: &[f64]| gradient[3] / gradient[1].abs();
    let outlier = gradients("outlier");
    assert!(pull(&outlier[0]) > 20.0, "mse");
    assert_eq!(pull(&outlier[1]), 1.0, "l1");
    assert!((3.0..4.0).contains(&pull(&outlier[2])), "huber");
}

#[test]
fn every_loss_has_a_page_and_a_line_in_the_index() {
    let folder = Folder::new("all");
    assert_eq!(
        folder.told(&["--all", "--out", "pages"]),
        format!("wrote {}\n", PathBuf::from("pages").join("index.html").display())
    );
    let index = fs::read_to_string(folder.0.join("pages/index.html")).unwrap();
    for loss in ALL {
        let file = format!("{}.html", loss.name);
        assert!(index.contains(&format!("href=\"{file}\"")), "{file}");
        // Each reads the engine that they share.
        let page = fs::read_to_string(folder.0.join("pages").join(&file)).unwrap();
        assert!(page.contains("src=\"engine.js\""), "{file}");
        assert!(page.len() < 700_000, "{file} has {} bytes", page.len());
    }
    assert!(folder.0.join("pages/engine.js").exists());
}

#[test]
fn a_value_that_an_option_cannot_have_is_named_with_what_it_can_be() {
    let folder = Folder::new("option");
    for (arguments, told) in [
        (&["huber", "--set", "delta=-1"][..], "huber: delta is -1, expected a number above 0"),
        (&["huber", "--set", "delta=x"], "huber: delta is `x`, expected a number"),
        (&["mse", "--versus", "huber delta=-1"], "huber: delta is -1, expected a number above 0"),
    ] {
        let refused = folder.refused(arguments);
        assert!(refused.contains(told), "{refused}");
        assert!(!refused.contains("--inputs") && !refused.contains(".rs"), "{refused}");
    }
}

#[test]
fn an_error_of_inputs_calls_them_as_the_loss_does() {
    let folder = Folder::new("names");
    fs::write(folder.0.join("in.json"), r#"{"scores": [[1, 2]], "relevance": [[1, 2, NaN]]}"#)
        .unwrap();
    let refused = folder.refused(&["list_net", "--inputs", "in.json"]);
    assert!(refused.contains("list_net: the shapes differ\n    scores "), "{refused}");
    assert!(!refused.contains("prediction") && !refused.contains(".rs"), "{refused}");
}
