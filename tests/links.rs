//! Links of the pages lead somewhere, on GitHub as in rustdoc.

use std::fs;
use std::path::{Path, PathBuf};

/// What an absolute link to a page of ours begins with.
const REPOSITORY: &str = "https://github.com/lossgraph/lossgraph/blob/main/";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files of a folder.
fn pages(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of the links and images of a page, outside of its code.
fn targets(text: &str) -> Vec<String> {
    let mut fenced = false;
    let prose = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let of_line = |line: &str| -> Vec<String> {
        // Every second piece stands between backticks.
        let plain: String = line.split('`').step_by(2).collect();
        let behind = plain.split("](").skip(1);
        behind.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
    };
    prose.flat_map(of_line).collect()
}

#[test]
fn every_link_leads_to_a_file_or_to_another_site() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for page in ["", "docs", "docs/losses", "tests/golden"].into_iter().flat_map(pages) {
        let text = fs::read_to_string(&page).unwrap();
        for target in targets(&text) {
            seen += 1;
            let path = target.split('#').next().unwrap_or_default();
            let leads = match path.strip_prefix(REPOSITORY) {
                Some(file) => root().join(file).exists(),
                None if path.is_empty() || path.starts_with("https://") => true,
                None => page.parent().unwrap().join(path).exists(),
            };
            if !leads {
                broken.push(format!("{}: {target}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(seen > 100, "only {seen} links were found");
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn pages_of_the_guide_name_each_other_by_links_that_hold_in_rustdoc() {
    for page in pages("docs") {
        let text = fs::read_to_string(&page).unwrap();
        for target in targets(&text).iter().filter(|target| !target.ends_with(".svg")) {
            assert!(target.starts_with("https://"), "{}: {target}", page.display());
        }
    }
}

#[test]
fn links_are_told_from_code() {
    let text = "a [b](c.md) `[d](e)` ![f](g.svg)\n```\n[h](i)\n```\n[j](https://k#l)";
    assert_eq!(targets(text), ["c.md", "g.svg", "https://k#l"]);
}
