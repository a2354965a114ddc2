//! What a program costs grows as its nodes do: no path is walked twice, and no walk needs the stack.

use lossgraph_autograd::{Tape, Var};
use lossgraph_tensor::{DType, Tensor};

/// How many lines of a plan fit.
fn lines(plan: &str, fits: impl Fn(&str) -> bool) -> usize {
    plan.lines().filter(|line| fits(line.trim_start())).count()
}

/// The micro-ops of a plan.
fn micro_ops(plan: &str) -> usize {
    lines(plan, |line| line.starts_with('v'))
}

/// Runs with a stack that holds a few thousand calls.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap();
    thread.join().unwrap();
}

/// A view of a square of four, or of the row of them.
fn view<'t>(x: Var<'t>, i: usize) -> Var<'t> {
    match i % 4 {
        0 => x.permute([1, 0]),
        1 => x.flip(0),
        2 => x.reshape([4]),
        _ => x.reshape([2, 2]),
    }
}

/// The value of a program, and the gradient of its sum.
fn value_and_gradient(tape: Tape, program: impl for<'t> Fn(Var<'t>) -> Var<'t>) -> [Vec<f64>; 2] {
    let x = tape.variable(Tensor::from([[0.5, 0.25], [-0.5, 1.0]]));
    let y = program(x);
    let gradients = y.sum(..).backward().unwrap();
    [y.value().unwrap().to_f64s(), gradients.of(x).unwrap().to_f64s()]
}

#[test]
fn a_chain_of_a_hundred_thousand_ops_is_differentiated() {
    on_a_small_stack(|| {
        let [value, slope] =
            value_and_gradient(Tape::f64(), |x| (0..100_000).fold(x, |x, _| x + x.relu() * 1e-5));
        let factor = (100_000.0 * 1e-5_f64.ln_1p()).exp();
        for (x, (y, slope)) in [0.5, 0.25, -0.5, 1.0].into_iter().zip(value.iter().zip(&slope)) {
            let factor = if x > 0.0 { factor } else { 1.0 };
            assert!((y - x * factor).abs() < 1e-9 && (slope - factor).abs() < 1e-9, "{y} {slope}");
        }
    });
}

#[test]
fn a_chain_in_which_all_values_are_kept_is_differentiated() {
    let [value, slope] =
        value_and_gradient(Tape::f64(), |y| (0..20_000).fold(y, |y, _| y + (y * 1e-6).sin()));
    for (x, (y, slope)) in [0.5, 0.25, -0.5, 1.0].into_iter().zip(value.iter().zip(&slope)) {
        let expected = (20_000.0 * 1e-6_f64.ln_1p()).exp();
        assert!((y - x * expected).abs() < 1e-9 && (slope - expected).abs() < 1e-9, "{y} {slope}");
    }
}

#[test]
fn what_many_paths_lead_to_is_read_at_an_index_once() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::from([[0.5, 0.25], [-0.5, 1.0]]));
    let index = tape.labels(&[0, 1]).reshape([2, 1]);
    let z = (0..35).fold(x, |z, _| z.tanh() * z.sigmoid());
    let read = z.gather(1, index);
    let plan = tape.plan(&[read]).unwrap().to_string();
    // tanh, e^(−|x|), sigmoid and the product.
    assert!(micro_ops(&plan) <= 4 * 35 + 1, "{plan}");
    let expected = z.value().unwrap().to_f64s();
    assert_eq!(read.value().unwrap().to_f64s(), [expected[0], expected[3]]);
}

#[test]
fn what_ever_other_indices_read_of_a_chain_is_no_copy_of_it_for_each() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::from([[0.5, 0.25], [-0.5, 1.0]]));
    let (mut z, mut read) = (x, vec![]);
    for i in 0..400 {
        z = z.tanh() + 0.1;
        read.push(z.gather(1, tape.labels(&[i % 2, 1 - i % 2]).reshape([2, 1])));
    }
    let plan = tape.plan(&read).unwrap().to_string();
    assert!(micro_ops(&plan) < 12 * tape.len(), "{}", micro_ops(&plan));
    let z = z.value().unwrap().to_f64s();
    assert_eq!(read[399].value().unwrap().to_f64s(), [z[1], z[2]]);
}

#[test]
fn two_hundred_thousand_views_in_a_row_need_no_stack() {
    for tape in [Tape::f64, || Tape::f64().unfused()] {
        on_a_small_stack(move || {
            let [value, slope] = value_and_gradient(tape(), |x| {
                let x = (0..200_000).fold(x * 2.0, view);
                x * 3.0
            });
            let sum: f64 = value.iter().sum();
            assert_eq!((sum, slope), (7.5, vec![6.0; 4]));
        });
    }
}

#[test]
fn a_value_after_itself_is_looked_at_once() {
    for tape in [Tape::f64, || Tape::f64().unfused()] {
        let [value, slope] =
            value_and_gradient(tape(), |x| (0..40).fold(x.sin(), |a, _| a.after(a)).exp());
        assert_eq!(value[3], 1.0_f64.sin().exp());
        assert_eq!(slope[3], 1.0_f64.sin().exp() * 1.0_f64.cos());
    }
}

#[test]
fn a_value_after_another_waits_for_it_however_it_is_looked_at() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::full([64, 64], 0.01, DType::F64).unwrap());
    // Each product waits for a small number that is made of the one before.
    let mut y = x;
    for _ in 0..20 {
        let first = y.matmul(x).sum(..);
        y = x.after(first).permute([1, 0]).after(first).matmul(x);
    }
    let plan = tape.plan(&[y]).unwrap().to_string();
    assert_eq!(lines(&plan, |line| line.contains("matmul")), 1 + 20 + 19, "{plan}");
    assert!((y.value().unwrap().to_f64s()[0] - 0.0064).abs() < 1e-12);
}

#[test]
fn each_of_a_thousand_activations_is_written_over_the_product_that_it_reads() {
    let tape = Tape::new();
    let w = tape.constant(Tensor::full([4, 4], 0.5, DType::F32).unwrap());
    let activation = |i: usize| {
        let x = tape.constant(Tensor::full([3, 4], i as f64, DType::F32).unwrap());
        (x.matmul(w) + 1.0).relu()
    };
    let all: Vec<Var<'_>> = (0..1000).map(activation).collect();
    let plan = tape.plan(&all).unwrap().to_string();
    assert_eq!(lines(&plan, |line| line.contains(" over s")), 1000);
    assert_eq!(lines(&plan, |line| line.starts_with("kernel")), 1);
    for (i, value) in tape.eval(&all).unwrap().iter().enumerate() {
        assert_eq!(value.to_f64s(), vec![2.0 * i as f64 + 1.0; 12]);
    }
}

#[test]
fn a_penalty_over_thousands_of_tensors_is_one_pass() {
    let tape = Tape::f64();
    let tensors: Vec<Var<'_>> = (0..4000).map(|i| tape.variable(vec![i as f64; 2])).collect();
    let terms = tensors.iter().map(|x| x.square());
    let loss = terms.reduce(|sum, term| sum + term).unwrap().sum(..);
    let plan = tape.plan(&[loss]).unwrap().to_string();
    assert_eq!(lines(&plan, |line| line.starts_with("kernel")), 1);
    let gradients = loss.backward().unwrap();
    for (i, &x) in tensors.iter().enumerate() {
        assert_eq!(gradients.of(x).unwrap().to_f64s(), vec![2.0 * i as f64; 2]);
    }
}

#[test]
fn a_product_of_masks_inside_of_masks_needs_no_stack() {
    on_a_small_stack(|| {
        let [value, slope] = value_and_gradient(Tape::f64(), |x| {
            let masks: Vec<Var<'_>> = (0..20_000).map(|i| x.gt(-0.1 - 1e-6 * i as f64)).collect();
            let [a, b] =
                [x.sin(), x.cos()].map(|x| masks.iter().fold(x, |x, mask| mask.select(x, 0.0)));
            a * b
        });
        assert_eq!((value[2], slope[2]), (0.0, 0.0));
        assert!((value[3] - 1.0_f64.sin() * 1.0_f64.cos()).abs() < 1e-15);
        assert!((slope[3] - 2.0_f64.cos()).abs() < 1e-15);
    });
}

#[test]
fn products_under_masks_that_grow_by_one_at_each_step_are_made_once_each() {
    on_a_small_stack(|| {
        let [value, slope] = value_and_gradient(Tape::f64(), |x| {
            let (mut a, mut b, mut sum) = (x.sin(), x.cos(), x * 0.0);
            for i in 0..10_000 {
                let mask = x.gt(-0.1 - 1e-6 * f64::from(i));
                (a, b) = (mask.select(a, 0.0), mask.select(b, 0.0));
                sum += a * b;
            }
            sum * 1e-4
        });
        assert_eq!((value[2], slope[2]), (0.0, 0.0));
        assert!((value[3] - 1.0_f64.sin() * 1.0_f64.cos()).abs() < 1e-12);
        assert!((slope[3] - 2.0_f64.cos()).abs() < 1e-12);
    });
}
