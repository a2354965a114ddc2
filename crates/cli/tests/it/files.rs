//! Models on files of one's own: pictures by the names of their classes, pictures that are made of others,
//! and checkpoints that lie.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use lossgraph_data::read_png;
use lossgraph_nn::Checkpoint;
use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("lossgraph-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
        command.current_dir(&self.0).args(arguments.split_whitespace()).output().unwrap()
    }

    fn text(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {text}");
        assert!(!text.contains("panicked"), "{arguments}: {text}");
        text
    }

    /// A grey PNG file of one shade, made by hand: stored blocks need no compression.
    fn picture(&self, name: &str, [width, height]: [u32; 2], shade: u8) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let row = [&[0][..], &vec![shade; width as usize]].concat();
        let raw = row.repeat(height as usize);
        let length = u16::try_from(raw.len()).unwrap();
        let mut data = vec![0x78, 0x01, 0x01];
        data.extend(length.to_le_bytes());
        data.extend((!length).to_le_bytes());
        data.extend(&raw);
        data.extend(adler(&raw).to_be_bytes());
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, content) in [(b"IHDR", header), (b"IDAT", data), (b"IEND", Vec::new())] {
            file.extend((content.len() as u32).to_be_bytes());
            let chunk = [&kind[..], &content].concat();
            file.extend(&chunk);
            file.extend(crc(&chunk).to_be_bytes());
        }
        fs::write(path, file).unwrap();
    }
}

fn adler(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SHADES: [(&str, u8); 3] = [("black", 10), ("grey", 120), ("white", 240)];

/// A model that tells shades apart.
fn shades(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (class, shade) in SHADES {
        (0..10).for_each(|i| folder.picture(&format!("shades/{class}/{i}.png"), [4, 4], shade + i));
    }
    folder.text("train --data shades --epochs 60 --lr 0.02 --net mlp --hidden 8");
    folder
}

const MODEL: &str = "out/shades-classifier.safetensors";

#[test]
fn pictures_are_compared_by_the_names_of_their_classes() {
    let folder = shades("names");
    // Without black: by their places, grey would be black.
    for (class, shade) in &SHADES[1..] {
        (0..10).for_each(|i| folder.picture(&format!("some/{class}/{i}.png"), [4, 4], shade + i));
    }
    let told = folder.text(&format!("evaluate {MODEL} some"));
    let rows = || told.lines().filter(|line| !line.ends_with("recall"));
    let row = |class: &str| rows().find(|line| line.trim().starts_with(class)).unwrap();
    // The table says what they are called, and no picture is black.
    assert!(row("black").ends_with('–'), "{told}");
    assert!(!row("grey").ends_with('–') && !row("white").ends_with('–'), "{told}");
    folder.picture("some/yellow/0.png", [4, 4], 200);
    folder.picture("some/yellow/1.png", [4, 4], 200);
    let told = folder.refused(&format!("evaluate {MODEL} some"));
    assert!(told.contains("the class `yellow`, and the model has black, grey, white"), "{told}");
}

#[test]
fn a_picture_of_another_shape_is_refused_however_many_pixels_it_has() {
    let folder = shades("shapes");
    folder.picture("right.png", [4, 4], 250);
    assert!(folder.text(&format!("predict {MODEL} right.png")).contains("white,"));
    folder.picture("wide.png", [8, 2], 250);
    let told = folder.refused(&format!("predict {MODEL} wide.png"));
    assert!(told.contains("1 × 2 × 8, and the net takes a picture of 1 × 4 × 4"), "{told}");
    // Nor is a net of rows of pixels.
    folder.text("train --epochs 1 --hidden 8");
    folder.picture("digit.png", [8, 8], 0);
    folder.text("predict out/digits-classifier.safetensors digit.png");
    folder.picture("narrow.png", [4, 16], 0);
    let told = folder.refused("predict out/digits-classifier.safetensors narrow.png");
    assert!(told.contains("1 × 16 × 4, and the net takes 64 numbers"), "{told}");
}

#[test]
fn a_checkpoint_that_lies_about_its_net_is_refused() {
    let folder = Folder::new("lies");
    folder.text("train --epochs 1 --hidden 8");
    let path = folder.0.join("out/digits-classifier.safetensors");
    let whole = Checkpoint::read(&path).unwrap();
    let model: Value = serde_json::from_str(&whole.metadata["model"]).unwrap();
    fs::write(folder.0.join("rows.csv"), "a,b\n1,2\n").unwrap();
    let huge = 1_u64 << 62;
    let lies: [(&str, Value); 12] = [
        ("/net/input", json!([huge, huge])),
        ("/net/input", json!([])),
        ("/net/input", json!([0])),
        ("/net/outputs", json!(huge)),
        ("/net/outputs", json!(0)),
        ("/net/hidden", json!([huge, huge, huge])),
        ("/net/hidden", json!([1_000_000_000])),
        ("/net/kind", json!("cnn")),
        ("/net/dropout", json!(7)),
        ("/classes", json!([])),
        ("/classes", json!(["one"])),
        ("/scale", json!(0)),
    ];
    for (place, lie) in lies {
        let mut model = model.clone();
        *model.pointer_mut(place).unwrap() = lie.clone();
        let metadata = BTreeMap::from([("model".to_owned(), model.to_string())]);
        let checkpoint = Checkpoint { tensors: whole.tensors.clone(), metadata };
        checkpoint.write(folder.0.join("lie.safetensors")).unwrap();
        for command in ["predict lie.safetensors rows.csv", "evaluate lie.safetensors"] {
            let output = folder.run(command);
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(matches!(output.status.code(), Some(0 | 1)), "{place} {lie}: {told}");
            assert!(!told.contains("panicked"), "{place} {lie}: {told}");
        }
    }
    let mut cnn = model.clone();
    cnn["net"]["kind"] = json!("cnn");
    cnn["net"]["input"] = json!([huge, 8, 8]);
    let metadata = BTreeMap::from([("model".to_owned(), cnn.to_string())]);
    let tensors = BTreeMap::from([("a".to_owned(), Tensor::from([1.0]))]);
    Checkpoint { tensors, metadata }.write(folder.0.join("lie.safetensors")).unwrap();
    let told = folder.refused("predict lie.safetensors rows.csv");
    assert!(told.contains("the checkpoint is damaged"), "{told}");
}

#[test]
fn classes_that_only_the_test_part_has_are_told() {
    let folder = Folder::new("unknown");
    fs::create_dir_all(folder.0.join("pixels")).unwrap();
    for (part, labels) in [("train", [0, 1, 0, 1]), ("t10k", [0, 1, 4, 2])] {
        let write = |name: &str, header: &[u8], content: &[u8]| {
            let path = folder.0.join(format!("pixels/{part}-{name}-ubyte"));
            fs::write(path, [header, content].concat()).unwrap();
        };
        let four = [0, 0, 0, 4];
        write("images-idx3", &[[0, 0, 8, 3], four, four, four].concat(), &[100; 64]);
        write("labels-idx1", &[[0, 0, 8, 1], four].concat(), &labels);
    }
    let output = folder.run("train --data pixels --epochs 1 --hidden 4");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no examples of to train on: 2, 4"), "{told}");
}

#[test]
fn masks_boxes_and_sequences_are_predicted_from_pictures_and_others_say_who_is() {
    let folder = Folder::new("kinds");
    folder.picture("canvas.png", [16, 16], 0);
    folder.picture("string.png", [24, 8], 0);
    for (task, picture, header, columns) in [
        ("masks", "canvas.png", "y0x0,y0x1,", 256),
        ("boxes", "canvas.png", "x1,y1,x2,y2", 4),
        ("sequences", "string.png", "digits", 1),
    ] {
        let trained = folder.text(&format!("train --task {task} --epochs 1 --seed 5 --json"));
        let model = format!("out/{task}.safetensors");
        let predicted = folder.text(&format!("predict {model} {picture}"));
        let lines: Vec<&str> = predicted.lines().collect();
        assert!(lines.len() == 2 && lines[0].starts_with(header), "{predicted}");
        assert_eq!(lines[1].split(',').count(), columns, "{predicted}");
        // It is the net that was trained: its figure is the same.
        let figures =
            |text: &str| -> Value { serde_json::from_str(text.lines().last().unwrap()).unwrap() };
        let evaluated = folder.text(&format!("evaluate {model} --json"));
        let metric = if task == "sequences" { "test_symbols_right" } else { "test_iou" };
        assert_eq!(figures(&evaluated)[metric], figures(&trained)[metric], "{evaluated}");
        folder.picture("other.png", [4, 4], 0);
        let told = folder.refused(&format!("predict {model} other.png"));
        assert!(told.contains("resize them"), "{told}");
    }
    folder.text("train --task rankings --epochs 1");
    let told = folder.refused("predict out/rankings.safetensors canvas.png");
    assert!(
        told.contains("those of classifier, numbers, masks, boxes, sequences and pictures are"),
        "{told}"
    );
    assert!(folder.text("evaluate out/rankings.safetensors").contains("test ndcg"));
    let told = folder.refused("evaluate out/rankings.safetensors digits");
    assert!(told.contains("has data of its own"), "{told}");
    folder.text("train --task embedding --epochs 1 --hidden 8");
    assert!(folder.text("evaluate out/digits-embedding.safetensors").contains("recall@1"));
}

#[test]
fn pictures_are_made_of_png_files_and_written_as_such() {
    let folder = Folder::new("restored");
    folder.text("train --task denoising --epochs 1");
    let model = "out/pictures.safetensors";
    folder.picture("noisy/a.png", [40, 24], 100);
    folder.picture("noisy/b.png", [9, 7], 200);
    let restored = |path: &str| read_png(folder.0.join(path)).unwrap();
    folder.text(&format!("predict {model} noisy/a.png --out a.png"));
    let shape = restored("a.png").shape().to_vec();
    assert_eq!(shape, [1, 24, 40]);
    // In the middle of one shade, it is one shade, near to the one that it was.
    let middle = restored("a.png").narrow(1, 8, 8).unwrap().narrow(2, 8, 8).unwrap().to_f64s();
    assert!(middle.iter().all(|&pixel| pixel == middle[0]), "{middle:?}");
    assert!((middle[0] - 100.0 / 255.0).abs() < 0.2, "{middle:?}");
    // A folder, or some files; the same picture becomes the same.
    let printed = folder.text(&format!("predict {model} noisy --out clean"));
    assert_eq!(printed.lines().count(), 2, "{printed}");
    folder.text(&format!("predict {model} noisy/a.png noisy/b.png --out some"));
    for path in ["clean/a.png", "some/a.png"] {
        assert_eq!(restored(path), restored("a.png"), "{path}");
    }
    assert_eq!(restored("clean/b.png"), restored("some/b.png"));
    // To a reader of standard output.
    let bytes = folder.run(&format!("predict {model} noisy/a.png")).stdout;
    assert!(bytes == fs::read(folder.0.join("a.png")).unwrap());
    fs::create_dir_all(folder.0.join("empty")).unwrap();
    fs::write(folder.0.join("no.png"), "GIF89a").unwrap();
    folder.picture("more/a.png", [4, 4], 0);
    for (arguments, told) in [
        ("noisy", "several pictures are written: --out FOLDER"),
        ("noisy --out noisy", "it would be written over"),
        ("noisy/a.png --out noisy", "it would be written over"),
        ("noisy/a.png --out noisy/a.png", "it would be written over"),
        ("noisy/a.png --out a.csv", "a PNG file is written"),
        ("noisy/a.png more/a.png --out two", "two pictures would have this place"),
        ("empty --out two", "there is no PNG file in it"),
        ("no.png --out b.png", "no PNG file, or a damaged one"),
        ("missing.png --out b.png", "it cannot be read"),
    ] {
        let error = folder.refused(&format!("predict {model} {arguments}"));
        assert!(error.contains(told), "{arguments}: {error}");
    }
    assert!(!folder.0.join("b.png").exists() && !folder.0.join("a.csv").exists());
}

/// Rows of a table of two cities, in which the class follows from x.
fn rows(count: usize) -> Vec<String> {
    let row = |i: usize| {
        let (x, city) = (i * 37 % 100, if i.is_multiple_of(2) { "Bern" } else { "Basel" });
        format!("{x},{city},{}", if x < 50 { "low" } else { "high" })
    };
    (0..count).map(row).collect()
}

fn table(rows: &[String]) -> String {
    format!("x,city,class\n{}\n", rows.join("\n"))
}

#[test]
fn a_table_that_has_changed_is_neither_a_test_part_nor_gone_on_with() {
    let folder = Folder::new("changed");
    let write = |rows: &[String]| fs::write(folder.0.join("t.csv"), table(rows)).unwrap();
    let mut all = rows(60);
    write(&all);
    folder.text("train --data t.csv --target class --epochs 2");
    let model = "out/t-classifier.safetensors";
    let [evaluate, resume] =
        [format!("evaluate {model}"), "train --resume out/t-classifier --epochs 3".to_owned()];
    assert!(folder.text(&evaluate).contains("the test part of t.csv: 12 examples"));
    let changed = "its examples are no longer those that the model was trained on";
    // The same rows in another order, other rows, and fewer.
    all.reverse();
    let mut other = rows(60);
    other[3] = "99,Bern,low".to_owned();
    for rows in [&all, &other, &rows(40)] {
        write(rows);
        let told = folder.refused(&evaluate);
        assert!(told.contains(changed) && told.contains("name a file"), "{told}");
        let told = folder.refused(&resume);
        assert!(told.contains(changed) && told.contains("without --resume"), "{told}");
        // All rows of a file that is named count.
        let every = format!("of t.csv: {} examples", rows.len());
        assert!(folder.text(&format!("{evaluate} t.csv")).contains(&every));
    }
    write(&rows(60));
    folder.text(&evaluate);
    folder.text(&resume);
}

#[test]
fn words_that_training_did_not_have_are_told() {
    let folder = Folder::new("unknown");
    fs::write(folder.0.join("t.csv"), table(&rows(60))).unwrap();
    folder.text("train --data t.csv --target class --epochs 1");
    let new = "x,city,class\n1,Bern,low\n2,Genf,low\n3,Genf,low\n";
    fs::write(folder.0.join("new.csv"), new).unwrap();
    for command in ["predict", "evaluate"] {
        let output = folder.run(&format!("{command} out/t-classifier.safetensors new.csv"));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        let unknown =
            "column `city` has words that training did not have, such as `Genf` in line 3";
        assert!(told.contains(unknown) && told.contains("2 of 3 rows"), "{told}");
    }
}

#[test]
fn numbers_with_a_comma_are_told() {
    let folder = Folder::new("commas");
    let rows: Vec<String> = (0..40).map(|i| format!("\"{i},5\",\"{},25\"", 2 * i)).collect();
    fs::write(folder.0.join("t.csv"), format!("x,y\n{}\n", rows.join("\n"))).unwrap();
    let output = folder.run("train --data t.csv --target y --epochs 1");
    let told = String::from_utf8(output.stderr).unwrap();
    for (name, field, number) in [("x", "0,5", "0.5"), ("y", "0,25", "0.25")] {
        let comma = format!(
            "column `{name}` has numbers with a comma, such as `{field}` in line 2: all its values are \
             taken for words; write {number} with a point"
        );
        assert!(told.contains(&comma), "{told}");
    }
    // What the comma is may not be known: the number is not changed.
    for (field, cure) in [
        ("1,000", "write 1000 if it stands between thousands, or else 1.000"),
        ("1,000,000", "write 1000000, with none between thousands"),
        ("1,000.5", "write 1000.5, with none between thousands"),
    ] {
        let row = |i: usize| format!("{i},\"{}\"", if i.is_multiple_of(2) { field } else { "2" });
        let rows: Vec<String> = (0..40).map(row).collect();
        fs::write(folder.0.join("t.csv"), format!("x,y\n{}\n", rows.join("\n"))).unwrap();
        let output = folder.run("train --data t.csv --target y --epochs 1");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(&format!("`{field}` in line 2")) && told.contains(cure), "{told}");
    }
}
