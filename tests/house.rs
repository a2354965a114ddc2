//! What is known of a loss or an op stands in its row, and nowhere else; and no file of tests is left out.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use lossgraph::autograd::ops;
use lossgraph::losses::{ALL, Loss};

/// The crates that know losses by the catalogue alone.
const CRATES: [&str; 9] =
    ["tensor", "autograd", "explain", "engine", "plot", "check", "cli", "nn", "data"];

/// Files that name a loss, and why they may.
const MAY: [(&str, &str); 5] = [
    ("crates/autograd/src/ops/distance.rs", "a similarity of two vectors is no loss"),
    ("crates/autograd/src/ops/clamp.rs", "`clip` is NumPy's name of a clamp"),
    ("crates/engine/src/lessons.rs", "a lesson is about the losses that it was written for"),
    ("crates/check/src/report/json.rs", "`margin` is a figure of the checker there"),
    ("crates/autograd/src/ops/quantile.rs", "`quantile` is an op there"),
];

/// The names by which a loss is found.
fn names(loss: &'static Loss) -> impl Iterator<Item = &'static str> {
    std::iter::once(loss.name).chain(loss.aliases.iter().copied())
}

#[test]
fn no_row_is_listed_twice_and_no_name_is_used_twice() {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for loss in ALL {
        for name in names(loss) {
            let before = owners.insert(name, loss.name);
            assert_eq!(before, None, "`{name}` is a name of {}, too", loss.name);
        }
    }
}

#[test]
fn no_file_outside_of_the_catalogue_names_a_loss() {
    let mut found = Vec::new();
    for file in
        CRATES.into_iter().flat_map(|name| sources(&root().join("crates").join(name).join("src")))
    {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        if MAY.iter().any(|(may, _)| *may == path) {
            continue;
        }
        for (number, line) in code(&fs::read_to_string(&file).unwrap()) {
            let literals = literals(&line);
            let named = ALL.iter().copied().flat_map(names).filter(|name| literals.contains(name));
            found.extend(named.map(|name| format!("{path}:{number}: \"{name}\"")));
        }
    }
    let cure = "say it in the row of the loss, and ask the row";
    assert!(found.is_empty(), "a loss is named in\n{}\n{cure}", found.join("\n"));
}

#[test]
fn a_file_that_may_name_a_loss_does() {
    for (path, _) in MAY {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let names_one = code(&text).any(|(_, line)| {
            let literals = literals(&line);
            ALL.iter().copied().flat_map(names).any(|name| literals.contains(&name))
        });
        assert!(names_one, "{path} names no loss: take it off the list");
    }
}

/// The crates that know ops by their rows alone.
const ASK: [&str; 4] = ["autograd", "explain", "check", "cli"];

/// The file that has names of ops for another reason, and which.
const TITLES: (&str, &str) =
    ("crates/explain/src/teaching.rs", "its groups are called what readers call them");

/// The files that name rows of ops, and why.
const TABLES: [(&str, &str); 4] = [
    ("crates/autograd/src/plan/rewrite/table.rs", "the table of rewrites"),
    ("crates/autograd/src/plan/peephole.rs", "the table of superinstructions"),
    ("crates/autograd/src/plan/lower.rs", "it negates an operand"),
    ("crates/autograd/src/record/operand.rs", "the operators"),
];

/// The files of the crates that ask rows, without the rows themselves.
fn askers() -> impl Iterator<Item = (String, String)> {
    let files =
        ASK.into_iter().flat_map(|name| sources(&root().join("crates").join(name).join("src")));
    let named = files.map(|file| {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        (path, fs::read_to_string(&file).unwrap())
    });
    named.filter(|(path, _)| !path.starts_with("crates/autograd/src/ops/"))
}

#[test]
fn no_op_is_listed_twice() {
    let mut names: Vec<&str> = ops::all().map(|row| row.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a row of `ops::all` is listed twice");
}

#[test]
fn no_file_outside_of_the_ops_lists_their_names() {
    let mut found = Vec::new();
    for (path, text) in askers() {
        // An attribute names options of the command line.
        let is_code = |line: &String| !line.trim_start().starts_with("#[");
        let lines: Vec<String> = code(&text).map(|(_, line)| line).filter(is_code).collect();
        let all: Vec<&str> = lines.iter().flat_map(|line| literals(line)).collect();
        let named: Vec<&str> =
            ops::all().map(|row| row.name).filter(|name| all.contains(name)).collect();
        // One name may be a word for something else; two are a list.
        if named.len() > 1 && path != TITLES.0 {
            found.push(format!("{path}: {}", named.join(", ")));
        }
    }
    let cure = "say it in the rows of the ops (ops/facts.rs), and ask them";
    assert!(found.is_empty(), "ops are listed in\n{}\n{cure}", found.join("\n"));
}

#[test]
fn rows_of_ops_are_named_in_the_planners_tables_only() {
    let names_rows = |text: &str| {
        let code: String = code(text).map(|(_, line)| line + "\n").collect();
        let imports = code
            .split("use crate::ops::")
            .skip(1)
            .filter(|import| import.starts_with("unary::") || import.starts_with("binary::"));
        let is_row =
            |word: &str| word.len() > 1 && word.chars().all(|c| c.is_uppercase() || c == '_');
        let mut words = imports.flat_map(|import| {
            let list = import.split(';').next().unwrap_or_default();
            list.split(|c: char| !c.is_alphanumeric() && c != '_').collect::<Vec<_>>()
        });
        words.any(is_row)
    };
    let naming: Vec<String> =
        askers().filter(|(_, text)| names_rows(text)).map(|(path, _)| path).collect();
    let expected: Vec<&str> = TABLES.iter().map(|(path, _)| *path).collect();
    let more: Vec<&String> =
        naming.iter().filter(|path| !expected.contains(&path.as_str())).collect();
    assert!(more.is_empty(), "{more:?} name rows of ops: ask their facts instead");
    let fewer: Vec<&&str> =
        expected.iter().filter(|path| !naming.iter().any(|name| name == **path)).collect();
    assert!(fewer.is_empty(), "{fewer:?} name no rows any more: take them off the list");
}

#[test]
fn a_literal_is_found_and_a_comment_or_a_test_is_not() {
    let text = "let a = [\"mse\", \"l1\"]; // \"huber\"\n/// \"hinge\"\n#[cfg(test)]\n\"wing\"\n";
    let lines: Vec<_> = code(text).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(literals(&lines[0].1), ["mse", "l1"]);
}

#[test]
fn every_file_of_integration_tests_is_part_of_their_program() {
    for folder in fs::read_dir(root().join("crates")).unwrap() {
        let tests = folder.unwrap().path().join("tests/it");
        let Ok(main) = fs::read_to_string(tests.join("main.rs")) else { continue };
        for entry in fs::read_dir(&tests).unwrap() {
            let path = entry.unwrap().path();
            let is_module = path.is_file() || path.join("mod.rs").exists();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_named = name == "main" || main.contains(&format!("\nmod {name};"));
            assert!(is_named || !is_module, "{} is not named in main.rs", path.display());
        }
    }
}

#[test]
fn no_test_stands_in_a_library_that_is_not_compiled_for_tests() {
    let mut without = 0;
    for folder in fs::read_dir(root().join("crates")).unwrap() {
        let folder = folder.unwrap().path();
        // That of the root package has its manifest there.
        let is_root = folder.ends_with("lossgraph");
        let manifest = if is_root { root().join("Cargo.toml") } else { folder.join("Cargo.toml") };
        let Ok(manifest) = fs::read_to_string(manifest) else { continue };
        if manifest.lines().any(|line| line == "test = false") {
            without += 1;
            let src = if is_root { folder } else { folder.join("src") };
            for file in sources(&src) {
                let text = fs::read_to_string(&file).unwrap();
                assert!(!text.contains("#[test]"), "{} has a test: see Cargo.toml", file.display());
            }
        }
    }
    assert!(without > 0, "no manifest says `test = false`");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source files in a folder.
fn sources(of: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![of.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(end) if end == "rs" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The lines of a file with their numbers, without comments and the tests at its end.
fn code(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    let bare = lines.map(|line| line.split("//").next().unwrap_or_default().to_owned());
    bare.enumerate().map(|(i, line)| (i + 1, line)).filter(|(_, line)| !line.trim().is_empty())
}

/// What stands between the quotes of a line.
fn literals(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}
