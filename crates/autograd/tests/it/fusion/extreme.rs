//! Programs on numbers at the ends of a float type: a fused plan gives what the reference gives, bit
//! for bit but for the rounding of sums.

use lossgraph_autograd::{Tape, Var, concat, keep};
use lossgraph_tensor::{DType, Tensor};
use proptest::prelude::*;

use super::numbers::cosines;
use super::program::{
    Line, Numbers, Program, Recorded, every_second, gathered, places, run, written,
};
use super::{cases, programs_of};

const SIZES: &[&[usize]] = &[
    &[],
    &[1],
    &[3],
    &[4, 3],
    &[4, 1],
    &[1, 3],
    &[2, 4, 3],
    &[2, 1, 3],
    &[1, 1],
    &[0, 3],
    &[5, 70],
    &[5, 1],
    &[70],
    &[3, 3],
];

/// Records a line, on any numbers; where it does not fit its operands, the first of them.
fn extreme<'t>(line: Line, v: &[Var<'t>]) -> Recorded<'t> {
    let (a, b, at) = line.operands(v);
    let (a, b) = (v[a], v[b]);
    let fits = a.shape().broadcast(&b.shape()).is_some();
    let axes = a.rank() > 0;
    let full = axes && a.len() > 0;
    match line.op % 58 {
        0 if fits => written!(a + b),
        1 if fits => written!(a - b),
        2 if fits => written!(a * b),
        3 if fits => written!(a / b),
        4 if fits => written!(a.maximum(b)),
        5 if fits => written!(a.minimum(b)),
        6 if fits => written!(a.gt(0.0).select(b, a * 0.5)),
        7 if fits => written!(a.lt(b).select(a, 0.0) * a.lt(b).select(b, 0.0)),
        8 if fits => written!(-(a - b)),
        9 if fits => written!((a * 2.0) * (b * 0.5)),
        10 if fits => written!((-a) * b),
        11 if fits => written!(a - b * -3.0),
        12 if fits => written!(a.pow(b)),
        13 if fits => written!((a / 3.0) * b),
        14 if axes => written!(a / a.sum(keep(at))),
        15 if axes => written!(a * a.sum(keep(at)).recip()),
        16 if axes => written!((a * b.sum(..)).sum(at)),
        17 if axes => written!(a.sum(at)),
        18 if axes => written!(a.mean(keep(at))),
        19 if full => written!(a.max(keep(at))),
        20 if full => written!(a.min(at)),
        21 if full => written!(a.softmax(at)),
        22 if full => written!(a.log_softmax(at)),
        23 if full => written!(a.log_sum_exp(at)),
        24 if axes => written!(a.norm(2.0, keep(at))),
        25 if axes => written!(a.normalize(2.0, at, 1e-12)),
        26 if axes => written!(a.standardize(at, 1e-5)),
        27 => written!(-a),
        28 => written!(a * 0.0),
        29 => written!(a + 0.0),
        30 => written!(a - 0.0),
        31 => written!(0.0 - a),
        32 => written!(a + -0.0),
        33 => written!(a * -1.0),
        34 => written!(a / 3.0),
        35 => written!(a / 0.25),
        36 => written!(1.0 / a),
        37 => written!(a * 0.37 - 0.2),
        38 => written!((a * 1e30) * 1e-30),
        39 => written!(a / 1e-42),
        40 => written!(a.clamp(-1.0, 1.5)),
        41 => written!(a * a.clamp(-1.0, 1.0) - a.clamp(-1.0, 1.0).square() * 0.5),
        42 => written!(a.relu()),
        43 => written!(a.abs()),
        44 => written!(a.square()),
        45 => written!(a.sqrt()),
        46 => written!(a.exp()),
        47 => written!(a.ln()),
        48 => written!(a.tanh()),
        49 => written!(a.softplus() - a.sigmoid()),
        50 => written!(a.signum()),
        51 if axes => written!(a.flip(at)),
        52 if axes => written!(every_second(a, at)),
        53 if a.rank() > 1 => written!(a.transpose(0, -1)),
        54 if full => written!(gathered(a, at)),
        55 if full => written!(a.scatter_add(at, places(a, at), gathered(a, at))),
        56 if axes => written!(concat(&[a, -a], at).cumsum(at)),
        57 => written!(a.mean(..)),
        _ => written!(a),
    }
}

/// Where two tensors differ: by their bits, but that one NaN is like another, and that finite numbers
/// may differ by some roundings of the largest, since sums of equal terms are products, and long sums
/// are added in another order.
fn difference(x: &Tensor, y: &Tensor) -> Option<(f64, f64)> {
    const ROUNDINGS: f64 = 64.0;
    let epsilon = if x.dtype() == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let (x, y) = (x.to_f64s(), y.to_f64s());
    let largest = y.iter().filter(|y| y.is_finite()).fold(0.0_f64, |a, b| a.max(b.abs()));
    let same = |x: f64, y: f64| {
        // Terms that cancel in one order may leave what rounding left in another; two zeros agree in
        // their signs.
        let rounded = (x - y).abs() <= ROUNDINGS * epsilon * largest && x != y;
        x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan() || rounded
    };
    x.into_iter().zip(y).find(|&(x, y)| !same(x, y))
}

fn compare(program: &Program) -> Result<(), String> {
    for dtype in [DType::F64, DType::F32] {
        // Sums of such weights are exact.
        let weights = |k: f64, len: usize| -> Vec<f64> {
            cosines(k, len).iter().map(|x| (x * 4.0).round() / 2.0).collect()
        };
        let run = |tape: Tape| run(&tape, &program.leaves, 0.0, &weights, &|v| program.record(v));
        let (fused, reference) =
            (run(Tape::with_dtype(dtype)), run(Tape::with_dtype(dtype).unfused()));
        for (order, (fused, reference)) in fused.iter().zip(&reference).enumerate() {
            for (at, (x, y)) in fused.iter().zip(reference).enumerate() {
                if let Some((a, b)) = difference(x, y) {
                    return Err(format!(
                        "order {order}, result {at} in {dtype}: {a:e} fused, {b:e} by the \
                         reference\n{x:?}\nfused, and by the reference\n{y:?}"
                    ));
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_fused_program_of_extreme_numbers_is_the_reference_up_to_the_rounding_of_sums(
        program in programs_of(extreme, any::<u64>().prop_map(Numbers::Extreme), SIZES, 1..10)
    ) {
        compare(&program).map_err(TestCaseError::fail)?;
    }
}
