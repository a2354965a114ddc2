//! What a thread keeps of the plans that it made, what they remember, and what makes a plan another.

use std::sync::{LazyLock, PoisonError, RwLock};
use std::thread;

use lossgraph_autograd::{Gradients, Parameter, Tape, plans};
use lossgraph_tensor::{DType, Tensor};

/// All threads have one capacity: a test that sets it runs alone.
static CAPACITY: RwLock<()> = RwLock::new(());

/// Runs on a thread of its own, which has no plans yet.
fn on_a_new_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let _as_usual = CAPACITY.read().unwrap_or_else(PoisonError::into_inner);
    thread::spawn(work).join().unwrap()
}

/// The same, for work that sets the capacity, which is as before afterwards.
fn on_a_new_thread_alone(work: impl FnOnce() + Send + 'static) {
    let _alone = CAPACITY.write().unwrap_or_else(PoisonError::into_inner);
    let before = plans::capacity();
    let done = thread::spawn(work).join();
    plans::set_capacity(before);
    done.unwrap();
}

/// Numbers that differ from each other.
fn numbers(shape: [usize; 2]) -> Tensor {
    let data = (0..shape[0] * shape[1]).map(|i| (i as f32 * 0.37).sin() * 0.1).collect();
    Tensor::new(shape, data).unwrap()
}

/// The weights of a perceptron.
static WEIGHTS: LazyLock<[Tensor; 3]> =
    LazyLock::new(|| [[64, 700], [700, 700], [700, 8]].map(numbers));

/// The gradients of a perceptron's loss on so many rows.
fn perceptron(rows: usize) -> Gradients {
    let tape = Tape::new();
    let x = tape.constant(numbers([rows, 64]));
    let layers = WEIGHTS.each_ref().map(|weight| Parameter::new("w", weight.clone()));
    let y = layers.iter().fold(x, |x, w| x.matmul(tape.parameter(w)).tanh());
    y.square().mean(..).backward().unwrap()
}

fn bits_of(gradients: &Gradients) -> Vec<Vec<f64>> {
    gradients.parameters().iter().map(|(_, gradient)| gradient.to_f64s()).collect()
}

fn gradients_of(rows: usize) -> Vec<Vec<f64>> {
    bits_of(&perceptron(rows))
}

#[test]
fn plans_for_many_batch_sizes_take_the_memory_that_the_largest_needs() {
    let of_the_largest = on_a_new_thread(|| {
        perceptron(240);
        plans::allocated()
    });
    for order in [1, 7, 19] {
        let of_all = on_a_new_thread(move || {
            let sizes = (1..=20).map(|i| i * order % 20 * 12 + 12);
            sizes.map(|rows| (perceptron(rows), plans::allocated()).1).max().unwrap()
        });
        let ratio = of_all as f64 / of_the_largest as f64;
        assert!(ratio < 1.2, "{ratio}");
    }
}

#[test]
fn buffers_of_another_plan_change_no_bit() {
    let fresh: Vec<_> = [96, 12, 60].map(|rows| on_a_new_thread(move || gradients_of(rows))).into();
    let shared = on_a_new_thread(|| [96, 12, 60].map(gradients_of));
    assert_eq!(fresh, shared);
}

#[test]
fn what_the_caller_holds_is_not_written_over() {
    on_a_new_thread(|| {
        let held = perceptron(60);
        let before = bits_of(&held);
        for rows in [60, 12, 96, 60, 24] {
            perceptron(rows);
        }
        assert_eq!(bits_of(&held), before);
    });
}

#[test]
fn what_was_forgotten_is_planned_again() {
    on_a_new_thread(|| {
        let before = gradients_of(12);
        assert!(plans::allocated() > 0);
        plans::clear();
        assert_eq!((plans::allocated(), plans::made()), (0, 0));
        assert_eq!((gradients_of(12), plans::made()), (before, 1));
    });
}

#[test]
fn a_plan_that_replaces_another_takes_its_buffers_over() {
    on_a_new_thread(|| {
        let sum = |rate: f64| {
            let tape = Tape::f64();
            let y = tape.variable(vec![1.0; 100_000]) * rate;
            (y.cumsum(0) * y.flip(0).cumsum(0)).sum(..).item().unwrap()
        };
        sum(0.1);
        let first = plans::allocated();
        sum(0.2);
        assert!(first > 100_000 && plans::allocated() < first + first / 4);
        assert_eq!(plans::made(), 2);
    });
}

#[test]
fn a_forgotten_plan_leaves_no_buffers_behind() {
    on_a_new_thread_alone(|| {
        let sum = |n: usize| {
            let tape = Tape::f64();
            let x = tape.variable(vec![1.0; n]);
            (x.cumsum(0) * x.flip(0).cumsum(0)).sum(..).item().unwrap()
        };
        sum(1_000_000);
        assert!(plans::allocated() > 8_000_000);
        plans::set_capacity(0);
        sum(10);
        sum(10);
        // A MiB at most, and the plan.
        assert!(plans::allocated() < 2 << 20, "{}", plans::allocated());
    });
}

#[test]
fn a_thread_forgets_the_plans_that_were_used_longest_ago() {
    on_a_new_thread_alone(|| {
        let sum = |n: usize| Tape::f64().variable(vec![1.0; n]).sum(..).item().unwrap();
        sum(1);
        let of_one = plans::allocated();
        plans::set_capacity(20 * of_one);
        for n in 1..=100 {
            assert_eq!((sum(n), sum(1)), (n as f64, 1.0));
            assert!(plans::allocated() <= 20 * of_one);
        }
        // What is kept runs by no other plan. Here it finds out without displacing any.
        plans::set_capacity(usize::MAX);
        let is_kept = |n: usize| {
            let made = plans::made();
            sum(n);
            plans::made() == made
        };
        // The one that is used all the time, and the last ones.
        let kept: Vec<usize> = (1..=100).filter(|&n| is_kept(n)).collect();
        let last: Vec<usize> = (102 - kept.len()..=100).collect();
        assert!((3..50).contains(&kept.len()), "{kept:?}");
        assert_eq!((kept[0], &kept[1..]), (1, &last[..]));
        plans::set_capacity(0);
        sum(7);
        let of_seven = plans::allocated();
        assert!(is_kept(7) && !is_kept(1) && !is_kept(7));
        plans::clear();
        assert!(!is_kept(7));
        assert_eq!(plans::allocated(), of_seven, "one plan was kept");
    });
}

#[test]
fn the_terms_of_a_loss_and_what_was_named_are_known_after_backward() {
    on_a_new_thread(|| {
        for tape in [Tape::new(), Tape::new().unfused()] {
            let x = tape.variable(numbers([30, 40]));
            let y = x.sin();
            let (fit, penalty) = (y.exp().mean(..), x.square().sum(..));
            let weighted = penalty * 0.01;
            let loss = fit + weighted - x.max(..).reshape([1]).reshape(());
            loss.backward_with(&[y]).unwrap();
            // Whatever would have to be computed would have to be planned.
            let planned = plans::allocated();
            let known = [fit, penalty, weighted].map(|term| term.item().unwrap());
            let y = y.value().unwrap().to_f64s();
            assert_eq!(plans::allocated(), planned);
            let other = Tape::new();
            let x = other.variable(numbers([30, 40]));
            let alone = [x.sin().exp().mean(..), x.square().sum(..), x.square().sum(..) * 0.01];
            let alone = alone.map(|term| term.item().unwrap());
            for (a, b) in known.into_iter().zip(alone) {
                assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
            }
            assert_eq!(y, x.sin().value().unwrap().to_f64s());
        }
    });
}

#[test]
fn a_loss_of_thousands_of_numbers_keeps_a_few_of_them() {
    on_a_new_thread(|| {
        let tape = Tape::f64();
        let mut all = vec![tape.variable(0.5)];
        for i in 0..2000 {
            all.push(all[i] + (all[i] * 1e-3).sin());
        }
        let gradients = all[2000].backward().unwrap();
        assert!(gradients.of(all[0]).unwrap().item().unwrap() > 1.0);
        let planned = plans::allocated();
        all[1999].item().unwrap();
        assert_eq!(plans::allocated(), planned, "the last ones are known");
        all[1].item().unwrap();
        assert!(plans::allocated() > planned, "the first ones are not");
    });
}

/// A formula of two numbers, its value and its slope: all bits.
fn bits(tape: Tape, a: f64, b: f64) -> Vec<u64> {
    let x = tape.variable(numbers([5, 7]));
    let y = (x * a + b).tanh() / b - x.gt(a * 0.01).select(x * b, 0.0) * a;
    let loss = (y + a).sum(..) * b;
    let gradients = loss.backward().unwrap();
    let mut all = gradients.of(x).unwrap().to_f64s();
    all.push(loss.item().unwrap());
    all.iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() }).collect()
}

#[test]
fn a_number_that_changes_from_step_to_step_is_an_argument_of_the_plan() {
    on_a_new_thread(|| {
        let step = |rate: f64| bits(Tape::new(), rate, 3.0);
        step(0.1);
        step(0.2);
        let (made, planned) = (plans::made(), plans::allocated());
        for i in 3..40 {
            step(f64::from(i) * 0.1);
            assert_eq!((plans::made(), plans::allocated()), (made, planned), "step {i}");
        }
    });
}

#[test]
fn a_plan_that_is_given_numbers_gives_the_bits_of_one_that_has_them() {
    let special = [0.0, -0.0, 1.0, -1.0, 2.0, 0.25, 3.0, -0.7, 1e30, f64::INFINITY, f64::NAN];
    for dtype in [DType::F32, DType::F64] {
        // Both are the same number at first, so that what is equal by chance is not taken for equal.
        let given = on_a_new_thread(move || {
            let mut all = vec![];
            for (a, b) in [(0.5, 0.5), (0.25, 0.5), (0.25, 3.0)] {
                bits(Tape::with_dtype(dtype), a, b);
            }
            for a in special {
                for b in special {
                    all.push((a, b, bits(Tape::with_dtype(dtype), a, b)));
                }
            }
            all
        });
        for (a, b, given) in given {
            let own = on_a_new_thread(move || bits(Tape::with_dtype(dtype), a, b));
            assert_eq!(given, own, "{a} {b} in {dtype}");
        }
    }
}

#[test]
fn numbers_of_any_shape_and_those_that_are_requested_may_change() {
    on_a_new_thread(|| {
        for number in [0.5, 2.0, 3.0, 4.0] {
            let tape = Tape::f64();
            let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
            let filled = tape.fill([2, 2], number);
            let y = x.matmul(filled);
            let empty = tape.fill([0, 2], number).sum(..);
            let values = tape.eval(&[y, filled, empty]).unwrap();
            assert_eq!(values[0].to_f64s(), [3.0, 3.0, 7.0, 7.0].map(|x| x * number));
            assert_eq!(values[1].to_f64s(), [number; 4]);
            assert_eq!(values[2].to_f64s(), [0.0]);
            // Known by now, and still an operand.
            assert_eq!((y * filled).sum(..).item().unwrap(), 20.0 * number * number);
        }
    });
}
