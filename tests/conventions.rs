//! The table of kinks in `docs/conventions.md` is made from the op table. This test compares both,
//! and with `LOSSGRAPH_BLESS=1` rewrites the table.

#[path = "support/snapshot.rs"]
mod snapshot;

use std::fs;
use std::path::Path;

use lossgraph::autograd::ops;
use snapshot::assert_snapshot;

const BEGIN: &str = "<!-- kinks: made from the op table by tests/conventions.rs -->\n";
const END: &str = "<!-- end of kinks -->\n";

/// The kinks of all ops, a row each.
fn table() -> String {
    let mut lines = vec![
        "| op | formula | kink | slope there | why |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for row in ops::ALL {
        // A bar would end the cell.
        let formula = row.formula.replace('|', "\\|");
        for kink in row.kinks {
            let slopes = if row.family == "unary" { &kink.slope[..1] } else { &kink.slope[..] };
            let slopes: Vec<String> = slopes.iter().map(|&slope| number(slope)).collect();
            lines.push(format!(
                "| `{}` | {formula} | {} | {} | {} |",
                row.name,
                kink.at,
                slopes.join(" and "),
                kink.because
            ));
        }
    }
    lines.join("\n") + "\n"
}

/// At most four digits after the point, without zeros that say nothing.
fn number(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn the_table_of_kinks_is_that_of_the_ops() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conventions.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the marker before the table");
    let (_, after) = rest.split_once(END).expect("the marker after the table");
    assert_snapshot(&path, &format!("{before}{BEGIN}\n{}\n{END}{after}", table()));
}
