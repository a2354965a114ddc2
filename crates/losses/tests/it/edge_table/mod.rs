//! Every loss of the table, in every setting of its grid, at the edges of its inputs. What comes
//! out is stated in `docs/edges.md`, which these tests compare, and with `LOSSGRAPH_BLESS=1` write.

mod inputs;
#[path = "../../../../../tests/support/snapshot.rs"]
mod snapshot;

use std::path::Path;

use inputs::{EDGES, Edge};
use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{ALL, Case};
use lossgraph_tensor::{DType, Tensor};
use snapshot::assert_snapshot;

/// What a loss gives: its mean, its slopes, and second derivatives along a vector.
struct Outcome {
    mean: f64,
    slope: Vec<f64>,
    second: Vec<f64>,
}

impl Outcome {
    fn parts(&self) -> [&[f64]; 3] {
        [std::slice::from_ref(&self.mean), &self.slope, &self.second]
    }

    fn has_nan(&self) -> bool {
        self.parts().concat().iter().any(|x| x.is_nan())
    }

    /// Whether nothing counts: the mean of nothing is NaN, and has slope 0.
    fn is_of_nothing(&self) -> bool {
        let [_, slope, second] = self.parts();
        self.mean.is_nan() && largest(slope) == 0.0 && largest(second) == 0.0
    }
}

/// What a loss gives on a tape, or the first line of its refusal.
fn outcome(case: &Case, tape: &Tape, data: &[Tensor]) -> Result<Outcome, String> {
    let var = |data: &Tensor| match data.dtype().is_float() {
        true => tape.variable(data),
        false => tape.constant(data),
    };
    let vars: Vec<Var<'_>> = data.iter().map(var).collect();
    let moving = vars.iter().zip(&case.samples).filter(|(_, sample)| sample.is_differentiable());
    let xs: Vec<Var<'_>> = moving.map(|(var, _)| *var).collect();
    let mean = case.record(tape, &vars).mean();
    let value = mean.item().map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        line.rsplit_once(", at ").map_or(line, |(why, _)| why).to_owned()
    })?;
    // Another direction for each input, since many losses are those of a difference.
    let direction = |(k, x): (usize, &Var<'_>)| {
        let v = (0..x.len()).map(|i| (i as f64 * 1.3 + k as f64 * 0.7 + 0.5).cos()).collect();
        Tensor::new(x.shape(), v).unwrap()
    };
    let along = xs.iter().enumerate().map(direction).map(|v| tape.constant(v));
    let along: Vec<Var<'_>> = along.collect();
    let numbers = |var: Var<'_>| var.value().unwrap().to_f64s();
    let slope = tape.grad(mean, &xs).into_iter().flat_map(numbers).collect();
    // A second derivative that only a cut leads to is refused, and counts as none.
    let seconds = tape.hvp(mean, &xs, &along).into_iter().filter_map(|var| var.value().ok());
    Ok(Outcome { mean: value, slope, second: seconds.flat_map(|x| x.to_f64s()).collect() })
}

/// The largest size of some numbers; NaN if one of them is.
fn largest(numbers: &[f64]) -> f64 {
    let larger = |most: f64, x: &f64| if x.is_nan() { *x } else { most.max(x.abs()) };
    if numbers.iter().any(|x| x.is_nan()) { f64::NAN } else { numbers.iter().fold(0.0, larger) }
}

/// Every loss in every setting at every edge that it has.
fn walk(mut each: impl FnMut(&Case, &Edge, &[Tensor])) {
    for case in ALL.iter().flat_map(|loss| Case::grid(loss, 0).unwrap()) {
        for edge in EDGES {
            if let Some(inputs) = (edge.inputs)(&case) {
                each(&case, edge, &inputs);
            }
        }
    }
}

/// Why a loss may be NaN at an edge, or without digits: what its row says of the edge, or of the
/// edge with an option, `weights of 0 with weight`.
fn reason(case: &Case, edge: &Edge) -> Option<&'static str> {
    let is_meant = |name: &str| match name.split_once(" with ") {
        Some((name, option)) => {
            name == edge.name && case.setting.split_whitespace().any(|word| word == option)
        }
        None => name == edge.name,
    };
    let are_meant = |names: &str| names.split(" | ").any(is_meant);
    case.loss.edges.iter().find(|(names, _)| are_meant(names)).map(|(_, why)| *why)
}

/// Whether a number that comes out, or its slopes, is beyond the range of single precision.
fn is_beyond_single(case: &Case, data: &[Tensor]) -> bool {
    let outcome = outcome(case, &Tape::f64(), data);
    outcome.is_ok_and(|outcome| outcome.parts().concat().iter().any(|x| x.abs() > 1e37))
}

fn row(what: &str, outcome: &Outcome) -> String {
    let [mean, slope, second] = outcome.parts().map(largest_as_text);
    format!("{what}: {mean}, slope {slope}, second {second}")
}

fn largest_as_text(numbers: &[f64]) -> String {
    text(if numbers.len() == 1 { numbers[0] } else { largest(numbers) })
}

/// Four digits of a number.
fn text(x: f64) -> String {
    match x {
        _ if x.is_nan() => "NaN".to_owned(),
        _ if x.is_infinite() => if x > 0.0 { "∞" } else { "−∞" }.to_owned(),
        _ if x == 0.0 => "0".to_owned(),
        _ if (1e-3..1e5).contains(&x.abs()) => {
            let digits = format!("{x:.4}");
            digits.trim_end_matches('0').trim_end_matches('.').replace('-', "−")
        }
        _ => format!("{x:.2e}").replace('-', "−"),
    }
}

#[test]
fn a_nan_that_no_nan_came_in_for_has_its_reason() {
    let mut without = Vec::new();
    walk(|case, edge, data| {
        if inputs::any(data, f64::is_nan) || reason(case, edge).is_some() {
            return;
        }
        for tape in [Tape::new(), Tape::f64()] {
            if let Ok(outcome) = outcome(case, &tape, data) {
                let is_odd = outcome.has_nan() && !outcome.is_of_nothing();
                let is_single = tape.dtype() == DType::F32;
                if is_odd && !(is_single && is_beyond_single(case, data)) {
                    without.push(row(&format!("{}, {}", case.title(), edge.name), &outcome));
                }
            }
        }
    });
    assert!(without.is_empty(), "{}:\n{}", without.len(), without.join("\n"));
}

#[test]
fn a_nan_that_comes_in_comes_out() {
    let mut lost = Vec::new();
    walk(|case, edge, data| {
        // What is to be ignored is.
        let counts = !case.setting.contains("ignore") && reason(case, edge).is_none();
        if inputs::any(data, f64::is_nan) && counts {
            for tape in [Tape::new(), Tape::f64()] {
                match outcome(case, &tape, data) {
                    Ok(outcome) if !outcome.mean.is_nan() => {
                        lost.push(row(&case.title(), &outcome))
                    }
                    _ => {}
                }
            }
        }
    });
    assert!(lost.is_empty(), "{}:\n{}", lost.len(), lost.join("\n"));
}

/// Whether two lists agree within a part of the largest number; all that is beyond `most` is one
/// infinity.
fn agree(a: &[f64], b: &[f64], part: f64, least: f64, most: f64) -> bool {
    let size = largest(b);
    let same = |(&x, &y): (&f64, &f64)| {
        let both_far = y.abs() >= most && (x.abs() >= most || x.is_nan());
        let near = (x - y).abs() <= part * if size <= most { size } else { y.abs() } + least;
        x == y || (x.is_nan() && y.is_nan()) || both_far || near
    };
    a.iter().zip(b).all(same)
}

#[test]
fn fused_and_unfused_agree_at_the_edges() {
    let mut differ = Vec::new();
    walk(|case, edge, data| {
        let tapes = [(Tape::new(), Tape::new().unfused()), (Tape::f64(), Tape::f64().unfused())];
        for ((fused, unfused), (part, most)) in tapes.iter().zip([(1e-3, 1e36), (1e-8, 1e300)]) {
            if let (Ok(a), Ok(b)) = (outcome(case, fused, data), outcome(case, unfused, data)) {
                let same = a.parts().into_iter().zip(b.parts());
                let what = format!("{}, {}", case.title(), edge.name);
                // Reciprocals of subnormal numbers overflow.
                let exempt = reason(case, edge).is_some() || edge.name == "subnormal";
                if !exempt && !{ same }.all(|(a, b)| agree(a, b, part, part, most)) {
                    differ.push(format!("{}\n  {}", row(&what, &a), row("unfused", &b)));
                }
            }
        }
    });
    assert!(differ.is_empty(), "{}:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn inputs_of_any_size_give_in_single_precision_what_they_give_in_double() {
    let mut differ = Vec::new();
    walk(|case, edge, data| {
        if !edge.name.contains("1e") || reason(case, edge).is_some() {
            return;
        }
        if let (Ok(a), Ok(b)) =
            (outcome(case, &Tape::new(), data), outcome(case, &Tape::f64(), data))
        {
            // Digits that cancel are lost where the rest is of size 1; large inputs have no such.
            let least = match edge.name {
                "all times 1e10" | "all times 1e20" => 1e-28,
                _ => 1e-6,
            };
            let same = a.parts().into_iter().zip(b.parts());
            let beyond = b.parts().concat().iter().any(|x| x.abs() > 1e37);
            if !beyond && !{ same }.all(|(a, b)| agree(a, b, 1e-3, least, 1e37)) {
                let what = format!("{}, {}", case.title(), edge.name);
                differ.push(format!("{}\n  {}", row(&what, &a), row("f64", &b)));
            }
        }
    });
    assert!(differ.is_empty(), "{}:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn every_reason_is_of_an_edge_and_of_a_setting_that_is_tried() {
    for loss in ALL {
        for name in loss.edges.iter().flat_map(|(names, _)| names.split(" | ")) {
            let (edge, option) = name.split_once(" with ").unwrap_or((name, ""));
            assert!(EDGES.iter().any(|each| each.name == edge), "{}: {name}", loss.name);
            let tried = |set: &&str| set.split_whitespace().any(|word| word == option);
            let is_tried = option.is_empty() || loss.grid.iter().any(tried);
            assert!(is_tried, "{}: {name}", loss.name);
        }
    }
}

/// Whether a mean comes out finite that is too large for single precision: a sum of products that
/// overflow has the sign of the first that does.
fn hides_overflow(case: &Case, single: &Outcome, data: &[Tensor]) -> bool {
    let double = outcome(case, &Tape::f64(), data).map_or(f64::NAN, |double| double.mean);
    single.mean.is_finite() && double.is_finite() && double.abs() > f64::from(f32::MAX)
}

const HEAD: &str = "\
# Edges

What every loss gives at the edges of its inputs, in `f32` and its first setting: the mean, the \
largest slope in any input, and the largest second derivative along a vector. Made from the table of \
losses by `crates/losses/tests/it/edge_table`, which also tries the other settings, double precision \
and unfused programs.

| edge | what the inputs hold |
|---|---|
";

#[test]
fn the_page_of_edges_is_what_comes_out() {
    let mut page = HEAD.to_owned();
    for edge in EDGES {
        page += &format!("| {} | {} |\n", edge.name, edge.about);
    }
    page += "\nA slope of NaN says why, unless a NaN came in. What is refused says so with the first line of the message.\n";
    let mut last = "";
    walk(|case, edge, data| {
        let is_default = case.setting == case.loss.grid[0];
        if !is_default && !edge.name.contains("weights") {
            return;
        }
        if case.loss.name != last {
            page += &format!("\n## {}\n\n| edge | mean | slope | second | |\n", case.title());
            page += "|---|---|---|---|---|\n";
            last = case.loss.name;
        }
        let name = match is_default {
            true => edge.name.to_owned(),
            false => format!("{}: {}", edge.name, case.setting),
        };
        match outcome(case, &Tape::new(), data) {
            Err(why) => page += &format!("| {name} | refused | | | {why} |\n"),
            Ok(outcome) => {
                let [mean, slope, second] = outcome.parts().map(largest_as_text);
                // A reason may be that of another setting, or of another loss of the family.
                let shows = outcome.has_nan() || edge.name.contains("1e");
                let why = match reason(case, edge) {
                    Some(why) if shows => why,
                    Some(_) => "",
                    None if outcome.is_of_nothing() => "the mean of nothing",
                    None if inputs::any(data, f64::is_nan) => "",
                    None if outcome.has_nan() || hides_overflow(case, &outcome, data) => {
                        "beyond the range of `f32`"
                    }
                    None => "",
                };
                page += &format!("| {name} | {mean} | {slope} | {second} | {why} |\n");
            }
        }
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    assert_snapshot(&root.join("docs/edges.md"), &page);
}
