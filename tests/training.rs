//! The tables of docs/training.md are those of the rows.

use std::fmt::Write as _;

use lossgraph::nn::{optimizer, schedule};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/training.md");

/// A table between its marks, as rows say it.
fn table(
    what: &str,
    rows: impl Iterator<Item = (&'static str, &'static [&'static str], &'static str, String)>,
) -> String {
    let mut table = format!(
        "<!-- {what} -->\n| name | other names | what it does | options |\n|---|---|---|---|\n"
    );
    for (name, aliases, summary, options) in rows {
        let aliases = aliases.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        writeln!(table, "| `{name}` | {aliases} | {summary} | {options} |").unwrap();
    }
    table + &format!("<!-- end of {what} -->")
}

fn options(options: Vec<(&'static str, String)>) -> String {
    options.iter().map(|(name, value)| format!("`{name}={value}`")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_tables_of_optimizers_and_schedules_are_those_of_the_rows() {
    let optimizers = table(
        "optimizers",
        optimizer::ALL
            .iter()
            .map(|row| (row.name, row.aliases, row.summary, options(row.options()))),
    );
    let schedules = table(
        "schedules",
        schedule::ALL
            .iter()
            .map(|row| (row.name, row.aliases, row.summary, options(row.options()))),
    );
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut written = page.clone();
    for (what, table) in [("optimizers", optimizers), ("schedules", schedules)] {
        let (begin, end) = (format!("<!-- {what} -->"), format!("<!-- end of {what} -->"));
        let from = written.find(&begin).expect("the page has the mark");
        let to = written.find(&end).expect("the page has the mark") + end.len();
        written.replace_range(from..to, &table);
    }
    if std::env::var_os("LOSSGRAPH_BLESS").is_some() {
        std::fs::write(PAGE, &written).unwrap();
        return;
    }
    let cure = "LOSSGRAPH_BLESS=1 cargo test --workspace --test training";
    assert!(page == written, "docs/training.md is not what the rows say: {cure}");
}
