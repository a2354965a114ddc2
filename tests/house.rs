//! What is known of a loss stands in its row, and nowhere else.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use lossgraph::losses::{ALL, Loss};

/// The crates that know losses by the catalogue alone.
const CRATES: [&str; 8] = ["tensor", "autograd", "explain", "plot", "check", "cli", "nn", "data"];

/// Files that name a loss, and why they may.
const MAY: [(&str, &str); 2] = [
    ("crates/cli/src/explain/lessons.rs", "a lesson is about the losses that it was written for"),
    ("crates/check/src/json.rs", "`margin` is a figure of the checker there"),
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
    for file in CRATES.into_iter().flat_map(|name| sources(&root().join("crates").join(name))) {
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

#[test]
fn a_literal_is_found_and_a_comment_or_a_test_is_not() {
    let text = "let a = [\"mse\", \"l1\"]; // \"huber\"\n/// \"hinge\"\n#[cfg(test)]\n\"wing\"\n";
    let lines: Vec<_> = code(text).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(literals(&lines[0].1), ["mse", "l1"]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source files of a crate.
fn sources(of: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![of.join("src")];
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
