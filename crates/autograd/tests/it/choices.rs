//! Choices by a mask, as plans simplify them.

use lossgraph_autograd::{Tape, Var};
use lossgraph_tensor::Tensor;

/// The plan of a formula of an x and a factor, and whether it gives what the reference gives.
fn plan(formula: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>) -> (String, bool) {
    let run = |tape: Tape| {
        let x = tape.constant([-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.5]);
        let factor = tape.constant(Tensor::from([0.5, 2.0, 3.0, -1.0, 7.0, 0.25, 1.5]));
        let y = formula(x, factor);
        (tape.plan(&[y]).unwrap().to_string(), y.value().unwrap().to_f64s())
    };
    let ((fused, value), (_, reference)) = (run(Tape::f64()), run(Tape::f64().unfused()));
    let mut pairs = value.iter().zip(&reference);
    let same = pairs.all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
    (fused, same)
}

#[test]
fn between_its_bounds_a_clamp_differs_from_its_argument_by_nothing() {
    let (plan, right) = plan(|x, factor| {
        let (c, inside) = (x.clamp(-1.0, 1.0), x.gt(-1.0) * x.lt(1.0));
        factor + inside.select(x * 3.0 * 0.5 - c * 3.0 * 0.5, 0.0)
    });
    assert!(right && !plan.contains("clamp") && !plan.contains("select"), "{plan}");
}

#[test]
fn times_what_may_be_infinite_the_difference_may_be_nan() {
    for infinite in [f64::INFINITY, f64::NAN, 1.5e308] {
        let (written, right) = plan(|x, factor| {
            let (c, inside) = (x.clamp(-2.0, 2.0), x.gt(-2.0) * x.lt(2.0));
            let factor = factor.lt(1.0).select(infinite, factor);
            inside.select(factor * x - factor * c, 0.0)
        });
        assert!(right && written.contains("clamp"), "{written}");
        let (written, right) = plan(|x, factor| {
            let (c, inside) = (x.clamp(-2.0, 2.0), x.gt(-2.0) * x.lt(2.0));
            factor + inside.select(x * infinite - c * infinite, 0.0)
        });
        assert!(right && written.contains("clamp"), "{written}");
    }
}

#[test]
fn a_comparison_with_zero_is_no_mask_of_its_own() {
    let extreme = [0.0, -0.0, f64::NAN, f64::INFINITY, 1e-320, -2.0, 1.0];
    for opposites in 0..3 {
        let (plan, right) = plan(|x, factor| {
            let mut mask = x.tape().constant(Tensor::from(extreme));
            for _ in 0..opposites {
                mask = mask.eq(0.0);
            }
            mask.ne(0.0).select(x, factor) + mask.eq(0.0).select(factor, x * 2.0)
        });
        let compares = plan.contains("eq(") || plan.contains("ne(");
        assert!(right && !compares, "{plan}");
    }
    // Of integers it is one: programs of micro-ops compute in floats.
    let (_, right) = plan(|x, factor| {
        let mask = x.tape().constant(Tensor::from([0_i64, 1, -1, i64::MAX, 0, 2, 3]));
        mask.ne(0).select(x, factor)
    });
    assert!(right);
}

#[test]
fn between_other_bounds_it_does_differ() {
    let (plan, right) = plan(|x, factor| {
        let (c, inside) = (x.clamp(-0.3, 0.3), x.gt(-1.0) * x.lt(1.0));
        factor + inside.select(x * 3.0 - c * 3.0, 0.0)
    });
    assert!(right && plan.contains("clamp") && plan.contains("select"), "{plan}");
}
