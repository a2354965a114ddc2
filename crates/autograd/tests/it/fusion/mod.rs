//! Fused plans against the reference: random programs, their gradients of first and second order,
//! run fused and node by node, in both float types, on one, two and seven threads.

mod extreme;
mod numbers;
mod program;

use lossgraph_autograd::{Tape, Var, keep};
use lossgraph_tensor::{DType, Shape, Tensor, kernels::threads};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use numbers::cosines;
use program::{Leaf, Lie, Line, Numbers, Ops, Program, compare, run};

fn leaf(
    sizes: &'static [&'static [usize]],
    numbers: impl Strategy<Value = Numbers>,
) -> impl Strategy<Value = Leaf> {
    let lies = [Lie::Rows, Lie::Columns, Lie::Backwards, Lie::Sparse];
    (0..sizes.len(), 0..lies.len(), numbers).prop_map(move |(i, lie, numbers)| Leaf {
        shape: sizes[i].to_vec(),
        lie: lies[lie],
        numbers,
    })
}

fn programs_of(
    ops: Ops,
    numbers: impl Strategy<Value = Numbers> + Clone,
    sizes: &'static [&'static [usize]],
    lines: std::ops::Range<usize>,
) -> impl Strategy<Value = Program> {
    let line = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
    let line = line.prop_map(|(op, a, b, axis)| Line { op, a, b, axis });
    let leaves = (leaf(sizes, numbers.clone()), leaf(sizes, numbers));
    (leaves, prop::collection::vec(line, lines)).prop_map(move |((x, y), lines)| Program {
        ops,
        leaves: [x, y],
        lines,
    })
}

fn programs(
    sizes: &'static [&'static [usize]],
    lines: std::ops::Range<usize>,
) -> impl Strategy<Value = Program> {
    programs_of(Line::moderate, Just(Numbers::Moderate), sizes, lines)
}

const SMALL: &[&[usize]] = &[
    &[],
    &[1],
    &[3],
    &[4, 3],
    &[4, 1],
    &[1, 3],
    &[2, 4, 3],
    &[2, 1, 3],
    &[1, 1],
    &[0],
    &[0, 3],
    &[2, 0, 3],
    &[5, 70],
    &[5, 1],
    &[70],
    &[3, 3],
];

const LARGE: &[&[usize]] = &[
    &[300, 257],
    &[300, 1],
    &[257],
    &[1100, 70],
    &[70],
    &[40, 30, 66],
    // Rows that run piece by piece.
    &[6, 9000],
    &[6, 1],
    &[9000],
];

/// How many random programs. Every day's tests try the same ones; `LOSSGRAPH_FUZZ=20` tries
/// twenty times as many new ones.
fn cases(usual: u32) -> ProptestConfig {
    let times: Option<u32> = std::env::var("LOSSGRAPH_FUZZ").ok().and_then(|n| n.parse().ok());
    let rng_seed = if times.is_some() { RngSeed::Random } else { RngSeed::Fixed(3) };
    let cases = usual * times.unwrap_or(1);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn fused_programs_agree_with_the_reference(program in programs(SMALL, 1..14)) {
        program.compare().map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn large_programs_agree_and_are_bitwise_the_same_on_any_number_of_threads(
        program in programs(LARGE, 1..9)
    ) {
        program.compare().map_err(TestCaseError::fail)?;
        // Bits, since NaN is not equal to itself.
        let bits = |threads: usize| -> Vec<u64> {
            let run = || run(&Tape::f64(), &program.leaves, 0.0, &cosines, &|v| program.record(v));
            let all = threads::with(threads, run);
            all.iter().flatten().flat_map(Tensor::to_f64s).map(f64::to_bits).collect()
        };
        let one = bits(1);
        prop_assert!(one == bits(2) && one == bits(7));
    }
}

#[test]
fn a_plan_that_is_wrong_in_a_digit_that_rounding_leaves_is_noticed() {
    let leaf = || Leaf { shape: vec![4, 3], lie: Lie::Backwards, numbers: Numbers::Moderate };
    // `compare` runs the reference six times, then the fused plans.
    let wrong_by = |error: f64| {
        let runs = std::cell::Cell::new(0);
        compare(&[leaf(), leaf()], &|v| {
            runs.set(runs.get() + 1);
            let (a, b) = (v[0], v[1]);
            let factor = if runs.get() > 6 { 1.0 + error } else { 1.0 };
            v.push((a.tanh() * b).log_softmax(1) * factor);
        })
    };
    assert_eq!(wrong_by(0.0), Ok(()));
    assert!(wrong_by(1e-12).unwrap_err().contains("in f64"));
}

/// Sums as they go along, each kept together with what rounding took from it (Neumaier 1974).
fn running_sums(terms: impl Iterator<Item = f64>) -> Vec<f64> {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    let next = |x: f64| {
        let (before, after) = (sum, sum + x);
        lost += if before.abs() >= x.abs() { before - after + x } else { x - after + before };
        sum = after;
        sum + lost
    };
    terms.map(next).collect()
}

#[test]
fn a_second_derivative_behind_a_running_sum_of_9000_terms_is_that_of_compensated_sums() {
    const N: usize = 9000;
    let x: Vec<f64> = (0..N).map(|i| (i as f64 * 0.73 + 0.4).sin() * 1.7 + 0.01).collect();
    let v: Vec<f64> = (0..N).map(|i| (i as f64 * 1.1 + 0.9).cos()).collect();
    // Of Σ ln(cᵢ² + 1) with c = ½ cumsum x, the second derivative along v:
    // ¼ Σᵢ≥ₖ φ(cᵢ) Σⱼ≤ᵢ vⱼ with φ(c) = 2 (1 − c²)/(1 + c²)², each sum compensated.
    let c = running_sums(x.iter().copied());
    let inner = running_sums(v.iter().copied());
    let curvature = |c: f64| 2.0 * (1.0 - c * c) / (1.0 + c * c).powi(2);
    let terms = c.iter().zip(&inner).map(|(c, inner)| 0.25 * curvature(0.5 * c) * inner);
    let terms: Vec<f64> = terms.collect();
    let mut exact = running_sums(terms.into_iter().rev());
    exact.reverse();
    let largest = exact.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    let off = |tape: Tape| {
        let (x, v) = (tape.variable(x.clone()), tape.constant(v.clone()));
        let y = ((x.cumsum(0) * 0.5).square() + 1.0).ln().sum(..);
        let slope = tape.grad(y, &[x])[0];
        let second = tape.grad((slope * v).sum(..), &[x])[0].value().unwrap().to_f64s();
        let apart = second.iter().zip(&exact).map(|(a, b)| (a - b).abs() / largest);
        apart.fold(0.0, f64::max)
    };
    let (fused, reference) = (off(Tape::f64()), off(Tape::f64().unfused()));
    // Each adds 9000 terms twice; their rounding is far from adding up to 9000 times that of one.
    assert!(fused <= 100.0 * f64::EPSILON, "{fused:e}");
    assert!(reference <= 100.0 * f64::EPSILON, "{reference:e}");
}

#[test]
fn a_softmax_of_wide_rows_is_that_of_the_reference() {
    let softmax = |tape: Tape| {
        let x = (0..18_000).map(|i| (f64::from(i) * 0.37).sin() * 5.0).collect();
        tape.constant(Tensor::new([2, 9000], x).unwrap()).softmax(1).value().unwrap()
    };
    assert!(softmax(Tape::f64()).allclose(&softmax(Tape::f64().unfused()), 1e-12, 0.0));
}

#[test]
fn a_tensor_larger_than_memory_is_an_error() {
    for tape in [Tape::f64(), Tape::f64().unfused()] {
        let x = tape.fill([1_usize << 40, 1 << 30], 1.0);
        for y in [x, x.sum(..), (x * tape.variable(2.0)).sum(..)] {
            let error = y.value().unwrap_err().to_string();
            assert!(error.contains("more elements than memory has addresses"), "{error}");
        }
    }
}

#[test]
fn a_changed_shape_or_number_never_meets_the_plan_of_another() {
    let value = |n: usize, factor: f64, mode: bool| {
        let tape = if mode { Tape::f64() } else { Tape::f64().unfused() };
        let x = tape.variable(vec![2.0; n]);
        (x * factor).sum(..).backward().unwrap().loss()
    };
    for _ in 0..2 {
        for (n, factor) in [(3, 1.5), (4, 1.5), (3, 2.5), (4, -0.5)] {
            for mode in [true, false] {
                assert_eq!(value(n, factor, mode), n as f64 * 2.0 * factor);
            }
        }
    }
    // The float type of constants belongs to the plan.
    let third = |tape: Tape| (tape.fill((), 1.0) / 3.0).value().unwrap().to_f64s()[0];
    assert_eq!([third(Tape::f64()), third(Tape::new())], [1.0 / 3.0, f64::from(1.0_f32 / 3.0)]);
}

#[test]
fn a_loss_of_logits_is_one_pass_that_reads_them_once() {
    let tape = Tape::new();
    let logits = tape.variable(Tensor::zeros(Shape::from([64, 100]), DType::F32).unwrap());
    let labels = tape.labels(&[3; 64]).unsqueeze(1);
    let losses = logits.log_sum_exp(keep(1)) - logits.gather(1, labels);
    let gradient = tape.grad(losses.mean(..), &[logits])[0];
    let plan = tape.plan(&[gradient]).unwrap().to_string();
    assert_eq!(plan.matches("kernel").count(), 1, "{plan}");
    assert_eq!(plan.matches("row_max(").count(), 1, "{plan}");
    assert_eq!(plan.matches("exp(").count(), 1, "{plan}");
}

#[test]
fn an_activation_is_written_over_the_product_that_only_it_reads() {
    let layer = |tape: &Tape| {
        let tensor = |shape: [usize; 2]| {
            let data = (0..shape[0] * shape[1]).map(|i| (i as f64 * 0.7).sin()).collect();
            tape.variable(Tensor::new(shape, data).unwrap())
        };
        let (x, w, bias) =
            (tensor([4, 3]), tensor([3, 5]), tape.variable([0.5, -0.5, 0.0, 1.0, -1.0]));
        let product = x.matmul(w);
        let plan = tape.plan(&[(product + bias).tanh()]).unwrap().to_string();
        let kept = tape.plan(&[(product + bias).tanh(), product]).unwrap().to_string();
        ((product + bias).tanh().value().unwrap(), plan, kept)
    };
    let (value, plan, kept) = layer(&Tape::f64());
    assert!(plan.contains(" over s") && plan.contains("1 buffers of 20 elements"), "{plan}");
    assert!(!kept.contains(" over s") && kept.contains("2 buffers of 40 elements"), "{kept}");
    // Twice, since the second run finds the buffers of the first.
    assert_eq!(value, layer(&Tape::f64()).0);
    assert!(value.allclose(&layer(&Tape::f64().unfused()).0, 1e-14, 0.0));
}

/// The plan of a small classifier's loss and gradients.
fn classifier() -> String {
    let tape = Tape::new();
    let tensor = |shape: [usize; 2]| tape.variable(Tensor::zeros(shape, DType::F32).unwrap());
    let bias = |n: usize| tape.variable(vec![0.0_f32; n]);
    let x = tape.constant(Tensor::zeros([32, 64], DType::F32).unwrap());
    let parameters = [tensor([48, 64]), bias(48), tensor([10, 48]), bias(10)];
    let [w, b, v, c] = parameters;
    let logits = (x.matmul(w.t()) + b).relu().matmul(v.t()) + c;
    let labels = tape.labels(&[3; 32]).unsqueeze(1);
    let loss = (logits.log_sum_exp(keep(1)) - logits.gather(1, labels)).mean(..);
    let requested = [&[loss], &tape.grad(loss, &parameters)[..]].concat();
    tape.plan(&requested).unwrap().to_string()
}

#[test]
fn a_step_of_a_classifier_is_three_passes_beside_its_products() {
    let plan = classifier();
    // The activation; the loss with its mean and what is read at the labels; the slope of the
    // activation, for which no mask was kept.
    assert_eq!(plan.matches("kernel ").count(), 3, "{plan}");
    assert_eq!(plan.matches("matmul").count(), 5, "{plan}");
    assert!(plan.contains(", 0.03125)"), "the mean is not made in the pass that folds: {plan}");
    assert_eq!(plan.matches("[32, 48] in buffer").count(), 4, "{plan}");
    // Each product reads a transposed operand or none, and none twice transposed.
    assert!(plan.matches("permute").count() <= 4, "{plan}");
}

#[test]
fn a_large_product_is_computed_by_rows_in_the_kernel_that_reads_it() {
    let tensor = |shape: [usize; 2], k: f64| {
        let data = (0..shape[0] * shape[1]).map(|i| (i as f64 * k).sin()).collect();
        Tensor::new(shape, data).unwrap()
    };
    // The last rows are fewer than those of a tile, and of a task.
    let (x, w) = (tensor([2051, 30], 0.7), tensor([259, 30], 0.3));
    let bias: Vec<f64> = (0..259).map(|i| f64::from(i).cos()).collect();
    let run = |tape: Tape| {
        let (x, w) = (tape.variable(x.clone()), tape.variable(w.clone()));
        let hidden = (x.matmul(w.t()) + tape.constant(bias.clone())).relu();
        let loss = hidden.square().mean(..);
        let requested = [loss, tape.grad(loss, &[w])[0], hidden.max(keep(1))];
        let plan = tape.plan(&requested).unwrap().to_string();
        (tape.eval(&requested).unwrap(), plan)
    };
    let (fused, plan) = threads::with(1, || run(Tape::f64()));
    assert!(plan.contains("by rows") && plan.matches("= matmul").count() == 2, "{plan}");
    for count in [2, 7] {
        assert!(threads::with(count, || run(Tape::f64())).0 == fused);
    }
    let (reference, _) = run(Tape::f64().unfused());
    for (fused, reference) in fused.iter().zip(&reference) {
        assert!(fused.allclose(reference, 1e-12, 1e-14));
    }
}

#[test]
fn a_number_made_of_a_fold_and_of_what_one_row_has_one_of_is_that_of_the_reference() {
    let run = |tape: Tape| {
        let x = tape.variable(Tensor::from([[0.5, -1.5, 2.0]]));
        let place = tape.labels(&[1]).unsqueeze(1);
        let picked = x.gather(1, place);
        let loss = (x.exp().sum(keep(..)) - picked) / (x.square().sum(keep(..)) + picked);
        let gradient = tape.grad(loss.sum(..), &[x])[0];
        tape.eval(&[loss, gradient]).unwrap()
    };
    for (fused, reference) in run(Tape::f64()).iter().zip(&run(Tape::f64().unfused())) {
        assert!(fused.allclose(reference, 1e-14, 0.0), "{fused} instead of {reference}");
    }
}

#[test]
fn a_divisor_at_the_ends_of_the_float_type_divides() {
    // Its reciprocal would overflow, or lose its digits below the normal range.
    for (x, expected) in [
        ([1e-40, 3e-40], [0.25, 0.75]),
        ([1e38, 2e38], [1.0 / 3.0, 2.0 / 3.0]),
        ([0.0, 3e-45], [0.0, 1.0]),
    ] {
        for tape in [Tape::new(), Tape::new().unfused()] {
            let r = tape.variable(x.to_vec());
            let shares = (r / r.sum(..)).value().unwrap().to_f64s();
            for (share, expected) in shares.iter().zip(expected) {
                assert!((share - expected).abs() <= 1e-5 * expected, "{shares:?}");
            }
        }
    }
}

#[test]
fn the_slope_of_a_bounded_square_needs_no_choice_and_that_of_a_cosine_is_one_pass_for_each_vector()
{
    let plan = |formula: &dyn for<'t> Fn([Var<'t>; 2]) -> Var<'t>| {
        let tape = Tape::new();
        let zeros = || tape.variable(Tensor::zeros([64, 256], DType::F32).unwrap());
        let inputs = [zeros(), zeros()];
        let loss = formula(inputs);
        tape.plan(&[&[loss], &tape.grad(loss, &inputs)[..]].concat()).unwrap().to_string()
    };
    let huber = plan(&|[p, t]| {
        let d = p - t;
        let c = d.clamp(-1.0, 1.0);
        (c * d - c.square() * 0.5).mean(..)
    });
    assert!(!huber.contains("select") && huber.contains(", 8 ops"), "{huber}");
    let cosine = plan(&|[a, b]| {
        let [s, t] = [a, b].map(|x| (x.square().sum(-1) + 1e-12).rsqrt());
        ((a * b).sum(-1) * s * t).mean(..)
    });
    assert!(cosine.matches(" + in").count() == 2, "{cosine}");
}
