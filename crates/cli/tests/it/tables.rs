//! A table of one's own: from a CSV file to a trained model and its predictions.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// A folder of one test with a table of penguins, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("lossgraph-tables-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let penguins = include_str!("../../../data/data/penguins.csv");
        fs::write(path.join("birds.csv"), penguins).unwrap();
        Folder(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
        command.current_dir(&self.0).args(arguments).output().unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The figures on the last line.
    fn figures(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && !text.contains("panicked"), "{arguments:?}: {text}");
        text
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn two_commands_lead_from_a_csv_file_to_predictions() {
    let folder = Folder::new("classes");
    let train = ["train", "--data", "birds.csv", "--target", "species", "--epochs", "20"];
    let figures = folder.figures(&train);
    assert_eq!(figures["task"], "classifier");
    assert!(figures["test_accuracy"].as_f64().unwrap() > 0.95, "{figures}");
    let checkpoint = "out/birds-classifier.safetensors";
    // The target may be there or not; missing values are filled in as in training.
    let rows = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n\
                Torgersen,39.1,18.7,181,3750,male,2007\n\
                Biscoe,46.1,13.2,211,4500,,2007\n";
    fs::write(folder.0.join("new.csv"), rows).unwrap();
    let predictions = folder.text(&["predict", checkpoint, "new.csv"]);
    let lines: Vec<&str> = predictions.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "species,confidence"));
    assert!(lines[1].starts_with("Adelie,") && lines[2].starts_with("Gentoo,"), "{predictions}");
    let evaluated = folder.figures(&["evaluate", checkpoint]);
    assert_eq!(evaluated["test_accuracy"], figures["test_accuracy"]);
    let all = folder.figures(&["evaluate", checkpoint, "birds.csv"]);
    assert_eq!(all["examples"], 344);
}

#[test]
fn predictions_are_written_over_nothing_that_was_read() {
    let folder = Folder::new("over");
    folder.text(&["train", "--data", "birds.csv", "--target", "species", "--epochs", "1"]);
    let model = "out/birds-classifier.safetensors";
    fs::copy(folder.0.join(model), folder.0.join("model.csv")).unwrap();
    let read = |path: &str| fs::read(folder.0.join(path)).unwrap();
    let before = ["birds.csv", model].map(read);
    let mut places = vec!["birds.csv", "out/../birds.csv", "model.csv"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("birds.csv", folder.0.join("link.csv")).unwrap();
        places.push("link.csv");
    }
    for place in places {
        let told = folder.refused(&["predict", "model.csv", "birds.csv", "--out", place]);
        assert!(
            told.contains("it would be written over: name another place for what"),
            "{place}: {told}"
        );
    }
    let told = folder.refused(&["predict", model, "birds.csv", "--out", model]);
    assert!(told.contains("a CSV file is written: --out FILE.csv"), "{told}");
    assert!(["birds.csv", model].map(read) == before);
    // What was predicted before gives way, as pictures and reports do.
    for _ in 0..2 {
        let told = folder.text(&["predict", model, "birds.csv", "--out", "kinds.csv"]);
        assert_eq!(told, "wrote kinds.csv\n");
    }
    let told = folder.refused(&["predict", "out/birds-classifier", "birds.csv"]);
    assert!(told.contains("whose best model is out/birds-classifier/best.safetensors"), "{told}");
}

#[test]
fn a_loss_of_amounts_above_0_is_told_of_numbers_below() {
    let folder = Folder::new("signs");
    let rows: String = (0..40).map(|i| format!("{i},{}\n", i % 7 - 3)).collect();
    fs::write(folder.0.join("t.csv"), format!("x,y\n{rows}")).unwrap();
    let train = ["train", "--data", "t.csv", "--target", "y", "--epochs", "1", "--loss"];
    for (loss, expected) in [("tweedie", "numbers from 0"), ("poisson_nll", "counts from 0")] {
        let told = folder.refused(&[&train[..], &[loss]].concat());
        let about = format!("--loss {loss}: the column `y` goes from -3 to 3");
        assert!(told.contains(&about) && told.contains(expected), "{told}");
    }
    for (loss, is_odd) in [("msle", true), ("mse", false)] {
        let told = folder.run(&[&train[..], &[loss]].concat()).stderr;
        let told = String::from_utf8(told).unwrap();
        assert_eq!(told.contains("is made for numbers above 0"), is_odd, "{told}");
    }
}

#[test]
fn numbers_are_predicted_in_their_own_unit() {
    let folder = Folder::new("numbers");
    let train = ["train", "--data", "birds.csv", "--target", "body_mass_g", "--missing", "drop"];
    let figures = folder.figures(&[&train[..], &["--epochs", "30"]].concat());
    assert_eq!((&figures["task"], &figures["loss"]), (&"numbers".into(), &"mse".into()));
    assert!(figures["test_r2"].as_f64().unwrap() > 0.7, "{figures}");
    let checkpoint = "out/birds-numbers.safetensors";
    let output = folder.run(&["predict", checkpoint, "birds.csv"]);
    let predictions = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = predictions.split('\n').collect();
    // A line for each row, also for readers that pass over empty ones, and an empty field where a value
    // is missing, which is told.
    assert_eq!((lines.len(), lines[0], lines[4]), (346, "body_mass_g", "\"\""));
    let grams: f64 = lines[1].parse().unwrap();
    assert!((3000.0..5000.0).contains(&grams), "{grams}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("have no prediction: 11"), "{told}");
    // A loss of amounts above 0.
    let loss = [&train[..], &["--loss", "tweedie", "--epochs", "30"]].concat();
    assert!(folder.figures(&loss)["test_r2"].as_f64().unwrap() > 0.5);
}

#[test]
fn what_is_wrong_with_a_table_is_told() {
    let folder = Folder::new("wrong");
    fs::write(folder.0.join("short.csv"), "a,b\n1,2\n3\n").unwrap();
    fs::write(folder.0.join("same.csv"), "a,b\n1,7\n3,7\n5,7\n").unwrap();
    fs::write(folder.0.join("rare.csv"), "a,b\n1,x\n2,x\n3,y\n4,x\n").unwrap();
    fs::write(folder.0.join("odd.csv"), "a,b\n1,2.5\n2,1.5?\n3,3.5\n4,5.5\n").unwrap();
    fs::write(folder.0.join("one.csv"), "a,b\n1,2.5\n").unwrap();
    for (arguments, expected) in [
        (&["--data", "birds.csv"][..], "which column is to be learned? --target NAME, of species"),
        (&["--data", "birds.csv", "--target", "spices"], "there is no column `spices`"),
        (&["--data", "short.csv", "--target", "b"], "line 3: fields: 1, expected 2"),
        (&["--data", "birds.csv", "--target", "species", "--task", "numbers"], "expected numbers"),
        (&["--data", "same.csv", "--target", "b"], "the column `b` is 7 in every row"),
        (
            &["--data", "rare.csv", "--target", "b"],
            "rare.csv: examples of the class `y`: 1, expected 2 or more",
        ),
        (&["--data", "one.csv", "--target", "b"], "one.csv: examples: 1, expected 2 or more"),
        // What is odd in it is why there are classes.
        (&["--data", "odd.csv", "--target", "b"], "`1.5?` in line 3"),
    ] {
        let told = folder.refused(&[&["train"], arguments].concat());
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    let told = folder.refused(&["predict", "birds.csv", "birds.csv"]);
    assert!(told.contains("birds.csv: it is no safetensors checkpoint, but text"), "{told}");
    fs::write(folder.0.join("net.pt"), b"PK\x03\x04 of a net").unwrap();
    let told = folder.refused(&["predict", "net.pt", "birds.csv"]);
    assert!(
        told.contains("but a ZIP file") && told.contains("safetensors.torch.save_file"),
        "{told}"
    );
    fs::write(folder.0.join("a.png"), b"\x89PNG\r\n\x1a\n\xff").unwrap();
    let told = folder.refused(&["train", "--data", "a.png", "--target", "b"]);
    assert!(told.contains("a.png: it is a PNG file, expected a CSV file"), "{told}");
    let train = ["train", "--data", "birds.csv", "--target", "species", "--epochs", "1"];
    folder.text(&train);
    fs::write(folder.0.join("narrow.csv"), "island,year\nBiscoe,2007\n").unwrap();
    let told = folder.refused(&["predict", "out/birds-classifier.safetensors", "narrow.csv"]);
    assert!(told.contains("there is no column `bill_length_mm`"), "{told}");
}

#[test]
fn what_is_left_out_of_a_table_and_what_is_odd_in_it_is_told() {
    let folder = Folder::new("told");
    let rows: String = (0..40)
        .map(|i| match i {
            5 => "5,n/a?,1,a,\n".to_owned(),
            7 => "7,3.5,,b,\n".to_owned(),
            9 => "9,3.5,2,,\n".to_owned(),
            _ => format!("{i},{}.5,{},{},\n", i % 4, i % 3, ["a", "b"][i % 2]),
        })
        .collect();
    fs::write(folder.0.join("odd.csv"), format!(",mass,size,kind,empty\n{rows}")).unwrap();
    let train = ["train", "--data", "odd.csv", "--target", "kind", "--missing", "drop"];
    let output = folder.run(&[&train[..], &["--epochs", "1"]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    for note in [
        "column `mass` has 1 cell that is no number, `n/a?` in line 7: all its values are taken for words",
        "columns without a name, which are left out: 1",
        "columns without a value, which are left out: empty",
        "rows without `kind`, which are left out: 1 of 40",
        "rows with missing values, which are left out: 1 of 40",
    ] {
        assert!(told.contains(note), "{note}: {told}");
    }
    let told =
        folder.refused(&["train", "--data", "odd.csv", "--target", "mass", "--task", "numbers"]);
    assert!(told.contains("line 7: the column `mass` has words such as `n/a?`"), "{told}");
}

#[test]
fn data_of_another_kind_than_the_model_takes_is_told_with_what_it_takes() {
    let folder = Folder::new("kinds");
    folder.text(&["train", "--data", "birds.csv", "--target", "species", "--epochs", "1"]);
    folder.text(&["train", "--epochs", "1"]);
    fs::create_dir(folder.0.join("empty")).unwrap();
    fs::create_dir(folder.0.join("loose")).unwrap();
    fs::write(folder.0.join("loose/a.png"), "").unwrap();
    let [birds, digits] =
        ["birds", "digits"].map(|name| format!("out/{name}-classifier.safetensors"));
    let columns = "takes a CSV file with island, bill_length_mm";
    let pixels = "takes a CSV file of 64 columns of numbers, or a PNG or IDX file";
    for (arguments, why, expected) in [
        (["predict", &birds, "empty"], "empty: ", columns),
        (["predict", &birds, "loose/a.png"], "loose/a.png: ", columns),
        (["predict", &digits, "empty"], "empty: it is a folder, expected a file", pixels),
        (["predict", &digits, "birds.csv"], "birds.csv: the column `species` has words", pixels),
        (["evaluate", &birds, "loose"], "loose: it is a folder, expected a CSV file", columns),
        (
            ["evaluate", &digits, "birds.csv"],
            "birds.csv: it is a file, expected a folder of pictures",
            "the checkpoint is of the task classifier, trained on digits",
        ),
        (
            ["evaluate", &digits, "empty"],
            "empty: it is empty, expected a folder of PNG files for each class",
            "it is measured on a folder of pictures",
        ),
        (
            ["train", "--data", "loose"],
            "loose: its PNG files are of no class, expected a folder of PNG files for each class",
            "",
        ),
    ] {
        let told = folder.refused(&arguments);
        assert!(told.contains(why) && told.contains(expected), "{arguments:?}: {told}");
    }
}

#[test]
fn a_figure_that_is_not_defined_is_called_so_and_why() {
    let folder = Folder::new("constant");
    // Which rows are to test with does not depend on what is in them.
    let table = |targets: &dyn Fn(usize) -> f64| {
        let rows: Vec<String> = (0..20).map(|i| format!("{i},{}\n", targets(i))).collect();
        format!("x,y\n{}", rows.concat())
    };
    let constant_but = |odd: usize| move |i: usize| if i == odd { 5.0 } else { 3.0 };
    let told: Vec<String> = (0..20)
        .map(|odd| {
            fs::write(folder.0.join("t.csv"), table(&constant_but(odd))).unwrap();
            let output =
                folder.run(&["train", "--data", "t.csv", "--target", "y", "--epochs", "1"]);
            let text = [output.stdout, output.stderr].concat();
            String::from_utf8(text).unwrap()
        })
        .filter(|told| told.contains("column `y` is the same in all rows to test with"))
        .collect();
    assert_eq!(told.len(), 16, "four of twenty rows are to test with");
    for told in told {
        assert!(told.contains("\ntest r2 not defined\n") && !told.contains("inf"), "{told}");
    }
}

#[test]
fn columns_of_names_are_told() {
    let folder = Folder::new("names");
    let row = |i: usize| format!("who{i},2024-01-{:02},{},{}\n", i + 1, i % 3, ["a", "b"][i % 2]);
    let rows: String = (0..20).map(row).collect();
    fs::write(folder.0.join("people.csv"), format!("name,day,size,kind\n{rows}")).unwrap();
    let train = ["train", "--data", "people.csv", "--target", "kind", "--epochs", "1"];
    let told = String::from_utf8(folder.run(&train).stderr).unwrap();
    assert!(told.contains("column `name` has 20 different words in 20 rows"), "{told}");
    assert!(told.contains("column `day` has 20 different words"), "{told}");
    let told = folder.run(&[&train[..], &["--ignore", "name", "day"]].concat()).stderr;
    assert!(!String::from_utf8(told).unwrap().contains("different words"));
}

#[test]
fn a_table_of_many_thousand_columns_is_read() {
    let folder = Folder::new("wide");
    let line = |of: &dyn Fn(usize) -> String| {
        (0..30_000).map(of).collect::<Vec<String>>().join(",") + "\n"
    };
    let rows: String =
        (0..8).map(|row| line(&|i| ((i * 7 + row * row) % 11).to_string())).collect();
    let text = line(&|i| format!("c{i}")) + &rows;
    fs::write(folder.0.join("wide.csv"), text).unwrap();
    // With a quadratic look-up it would take minutes.
    let train = ["train", "--data", "wide.csv", "--target", "c29999", "--net", "linear"];
    let figures = folder.figures(&[&train[..], &["--epochs", "1"]].concat());
    assert_eq!(figures["task"], "numbers");
}
