//! Scans, order, writing at indices and names of views: values and slopes of both orders where the
//! numbers are known from elsewhere, edges, and what is refused.

mod order;
mod scans;
mod scatter;
mod views;

use lossgraph_autograd::{Tape, Var};
use lossgraph_tensor::{DType, Tensor};

/// The value, the slope, and a product of the Hessian with a vector, of
/// `Σ (y cos 0.7 i + ½ y²)`, so that no slope is by chance that of another element.
fn derived(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: impl Into<Tensor>) -> [Vec<f64>; 3] {
    let tape = Tape::f64();
    let x = tape.variable(x.into().to_dtype(DType::F64));
    let wave = |len: usize, f: fn(f64) -> f64| {
        tape.constant(Tensor::new([len], (0..len).map(|i| f(i as f64)).collect()).unwrap())
    };
    let y = f(x);
    let line = y.flatten(..);
    let loss = (line * wave(y.len(), |i| (0.7 * i).cos()) + line.square() * 0.5).sum(..);
    let slope = tape.grad(loss, &[x])[0];
    let along = (slope.flatten(..) * wave(x.len(), |i| (i + 1.0).sin())).sum(..);
    let curvature = tape.grad(along, &[x])[0];
    [y, slope, curvature].map(|var| var.value().unwrap().to_f64s())
}

/// Whether numbers agree to ten digits.
#[track_caller]
fn assert_close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{got:?} against {expected:?}");
    for (a, b) in got.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-10 * b.abs().max(1.0), "{got:?} against {expected:?}");
    }
}

/// The slope of the sum of `y` times weights.
fn slope(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &[f64], weights: &[f64]) -> Vec<f64> {
    let tape = Tape::f64();
    let x = tape.variable(x.to_vec());
    let y = f(x).flatten(..) * tape.constant(weights.to_vec());
    tape.grad(y.sum(..), &[x])[0].value().unwrap().to_f64s()
}

/// What is wrong with a program of `[[1, 2, 3], [4, 5, 6]]`.
#[track_caller]
fn refused(f: impl for<'t> FnOnce(Var<'t>) -> Var<'t>) -> String {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    f(x).value().expect_err("it is refused").to_string()
}

/// The value of a program of `[[1, 2, 3], [4, 5, 6]]`.
#[track_caller]
fn of_table(f: impl for<'t> FnOnce(Var<'t>) -> Var<'t>) -> Tensor {
    let tape = Tape::f64();
    f(tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).value().unwrap()
}
