//! What one micro-op computes of several ops, against the reference.

use lossgraph_autograd::{Plan, Tape, Var};
use lossgraph_tensor::Tensor;

/// What a formula of three tensors gives, of which the last two may be one number a row, by
/// one micro-op and by the reference.
fn agrees(micro_op: &str, rows: [bool; 2], formula: impl for<'t> Fn([Var<'t>; 3]) -> Var<'t>) {
    let run = |tape: Tape| {
        let leaf = |columns: usize, k: f32| {
            let x = (0..6 * columns).map(|i| (i as f32 * k).sin() * 3.0).collect();
            tape.constant(Tensor::new([6, columns], x).unwrap())
        };
        let width = |row: bool| if row { 1 } else { 70 };
        let operands = [leaf(70, 0.37), leaf(width(rows[0]), 0.71), leaf(width(rows[1]), 1.3)];
        let y = formula(operands);
        (y.value().unwrap(), tape.plan(&[y]).unwrap().to_string())
    };
    let ((fused, plan), (reference, _)) = (run(Tape::new()), run(Tape::new().unfused()));
    assert!(fused == reference, "{micro_op}: {fused} instead of {reference}");
    assert!(plan.contains(micro_op), "{micro_op} is not in {plan}");
}

#[test]
fn every_pair_is_bit_for_bit_what_its_parts_are() {
    for (inner, outer, at) in Plan::pairs() {
        for rows in [[false, false], [false, true], [true, false]] {
            for side in [0, 1] {
                if at.is_some_and(|at| at != side) {
                    continue;
                }
                agrees(", 1 ops", rows, |[a, b, c]| {
                    let x = a.binary(inner, b);
                    let operands = if side == 0 { [x, c] } else { [c, x] };
                    operands[0].binary(outer, operands[1])
                });
            }
        }
    }
}

#[test]
fn a_sum_of_products_with_numbers_a_row_is_bit_for_bit_what_its_parts_are() {
    agrees("in0·in1 + in0·in2", [true, true], |[a, s, t]| a * s + a * t);
    agrees("in0·in1 + in2·0.25", [true, false], |[a, s, b]| a * s + b * 0.25);
    agrees("in0·in1 + in2·-0.25", [true, false], |[a, s, b]| a * s - b * 0.25);
    agrees("neg(in2)", [true, true], |[a, s, t]| a * s - a * t);
}

#[test]
fn the_exponential_of_a_difference_is_bit_for_bit_what_its_parts_are() {
    agrees("exp(in0 − in1)", [true, true], |[a, b, _]| (a - b).exp());
    agrees("exp(in0 − in1)", [false, false], |[a, b, _]| (a - b).exp());
}

#[test]
fn a_pair_that_only_a_sum_reads_is_not_stored() {
    // Whole numbers, whose sum is the same in any order.
    let run = |tape: Tape| {
        let leaf = |k: usize| {
            let x = (0..420).map(|i| (i * k % 7) as f32 - 3.0).collect();
            tape.constant(Tensor::new([6, 70], x).unwrap())
        };
        let [a, b, c] = [leaf(2), leaf(3), leaf(5)];
        let sums = [(a * b - c).sum(..), (b * c + a).sum(1).sum(..)];
        let plan = tape.plan(&sums).unwrap().to_string();
        (sums.map(|sum| sum.item().unwrap()), plan)
    };
    let ((fused, plan), (reference, _)) = (run(Tape::new()), run(Tape::new().unfused()));
    assert_eq!(fused, reference);
    assert!(plan.contains("in0·in1 − in2") && plan.contains("in1·in2 + in0"), "{plan}");
}

#[test]
fn what_somebody_else_reads_is_not_absorbed() {
    agrees("mul(in0, in1)", [false, false], |[a, b, c]| {
        let product = a * b;
        (product + c) * product.tanh()
    });
}
