//! The tables of kinks and of slopes in `docs/conventions.md` are made from the op table. This test
//! compares them, and with `LOSSGRAPH_BLESS=1` rewrites the tables.

#[path = "support/snapshot.rs"]
mod snapshot;

use std::fs;
use std::path::Path;

use lossgraph::autograd::{Tape, ops};
use snapshot::assert_snapshot;

const KINKS: [&str; 2] =
    ["<!-- kinks: made from the op table by tests/conventions.rs -->\n", "<!-- end of kinks -->\n"];
const SLOPES: [&str; 2] = [
    "<!-- slopes: made from the op table by tests/conventions.rs -->\n",
    "<!-- end of slopes -->\n",
];

/// The kinks of all ops, a row each.
fn table() -> String {
    let mut lines = vec![
        "| op | formula | kink | slope there | why |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for row in ops::all() {
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

/// The first and the second slope of the functions of one number, where something may be special.
fn slopes() -> String {
    let points = [f64::NEG_INFINITY, -1.0, 0.0, 1.0, f64::INFINITY];
    let mut lines = vec![
        format!("| op | formula | {} |", points.map(|x| format!("at {}", number(x))).join(" | ")),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for row in ops::all().filter(|row| row.family == "unary") {
        let tape = Tape::f64();
        let x = tape.variable(points);
        let y = (row.record)(&[x]);
        let first = tape.grad(y.sum(..), &[x])[0];
        let second = tape.grad(first.sum(..), &[x])[0];
        let values = tape.eval(&[y, first, second]).unwrap();
        let [y, first, second] = [0, 1, 2].map(|i| values[i].to_f64s());
        let cells = (0..points.len()).map(|i| match y[i].is_nan() {
            true => "–".to_owned(),
            false => format!("{}; {}", number(first[i]), number(second[i])),
        });
        let formula = row.formula.replace('|', "\\|");
        let cells: Vec<String> = cells.collect();
        lines.push(format!("| `{}` | {formula} | {} |", row.name, cells.join(" | ")));
    }
    lines.join("\n") + "\n"
}

/// At most four digits after the point, without zeros that say nothing.
fn number(x: f64) -> String {
    if x.is_infinite() {
        return if x > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let text = format!("{:.4}", x + 0.0);
    let text = text.trim_end_matches('0').trim_end_matches('.').replace('-', "−");
    if text == "−0" { "0".to_owned() } else { text }
}

#[test]
fn the_tables_of_kinks_and_slopes_are_those_of_the_ops() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conventions.md");
    let mut text = fs::read_to_string(&path).unwrap();
    for ([begin, end], table) in [(KINKS, table()), (SLOPES, slopes())] {
        let (before, rest) = text.split_once(begin).expect("the marker before the table");
        let (_, after) = rest.split_once(end).expect("the marker after the table");
        text = format!("{before}{begin}\n{table}\n{end}{after}");
    }
    assert_snapshot(&path, &text);
}
