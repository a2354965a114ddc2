//! Errors of what looks at a program name the line that called it.

use lossgraph_autograd::{Error, Result, Tape, Var};
use lossgraph_explain::{FindNan, Graph, Sweep, curve, listing, page, surface, why};
use lossgraph_tensor::Tensor;

fn assert_line<T>(found: Result<T>, line: u32, what: &str) {
    let error: Error = found.err().unwrap_or_else(|| panic!("{what} gave a value"));
    let place = format!("{}:{line}", file!());
    assert_eq!(error.location(), Some(place), "{what}:\n{error:?}");
}

/// Losses that cannot be explained.
fn losses<'t>(x: Var<'t>) -> Vec<(&'static str, Var<'t>)> {
    vec![
        ("a vector", x.square()),
        ("nothing", x.slice(0, ..0)),
        ("integers", x.argmax(0)),
        ("a detached loss", x.sum(..).detach()),
    ]
}

#[test]
fn whatever_looks_at_a_loss_names_the_line_of_its_call() {
    let (tape, other) = (Tape::f64(), Tape::f64());
    let x = tape.variable([1.0, 2.0]);
    for (what, loss) in losses(x) {
        let page = page(&tape, loss);
        let line = line!();
        let all = [
            ("listing", listing(loss).map(|_| ())),
            ("Graph::of", Graph::of(loss).map(|_| ())),
            ("why", why(loss, x, &[0]).map(|_| ())),
            ("find_nan", tape.find_nan(loss).map(|_| ())),
            ("to_html", page.to_html().map(|_| ())),
        ];
        // A loss without a gradient is still looked at by some.
        for (at, (name, found)) in (line + 2..).zip(all) {
            if found.is_err() || what == "a vector" {
                assert_line(found, at, &format!("{name} of {what}"));
            }
        }
    }
    assert_line(other.find_nan(x.sum(..)), line!(), "find_nan on another tape");
    assert_line(page(&other, x.sum(..)).to_html(), line!(), "a page of another tape");
    assert_line(why(x.sum(..), x, &[7]), line!(), "why of no element");
    let graph = Graph::of(x.sum(..)).unwrap();
    assert_line(graph.why(0, &[0, 0]), line!(), "Graph::why of no element");
}

#[test]
fn whatever_records_a_program_names_the_line_of_its_call() {
    let inputs = [Tensor::from([1.0, 2.0])];
    let sweep = |element, stop| Sweep { input: 0, element, range: 0.0..stop };
    let (good, beyond, empty) = (&sweep(0, 1.0), &sweep(9, 1.0), &sweep(0, 0.0));
    assert_line(curve(|_, x| x[0].square(), &inputs, good), line!(), "curve");
    assert_line(curve(|_, x| x[0].sum(..), &inputs, beyond), line!(), "curve of no element");
    assert_line(curve(|_, x| x[0].sum(..), &inputs, empty), line!(), "curve over no range");
    assert_line(surface(|_, x| x[0].exp(), &inputs, [good, good], 1), line!(), "surface");
    assert_line(surface(|_, x| x[0].sum(..), &inputs, [good, beyond], 1), line!(), "surface");
    let line = line!() + 1;
    assert_line(curve(|_, x| x[0].sum(3), &inputs, good), line, "what the program itself refuses");
}
