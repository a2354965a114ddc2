//! Honest programs are not blamed, whatever the size of the numbers that they begin with.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lossgraph_autograd::{FaultInjector, Tape, Var, ops};
use lossgraph_check::{Check, Diagnosis, Method, Report, Verdict, check};
use lossgraph_tensor::Tensor;

fn verdict_at(x: f64, f: impl for<'t> Fn(Var<'t>) -> Var<'t> + Sync) -> (Verdict, Report) {
    let check = Check { orders: 1, ..Check::default() };
    let report = check.run(|_, x| f(x[0]).sum(..), &[Tensor::from([x])]).unwrap();
    (report.rows[0].verdict.clone(), report)
}

#[test]
fn a_bend_beside_a_large_number_is_seen_where_floats_are_near_enough() {
    for c in [1.0, 1e3, 1e6, 1e9, 1e12, -1e9] {
        let (verdict, report) = verdict_at(c, |x| (x - c).tanh());
        assert_eq!(verdict, Verdict::Pass, "{c}: {report}");
        let (verdict, report) = verdict_at(c, |x| (-(x - c - 0.5).square()).exp());
        assert_eq!(verdict, Verdict::Pass, "{c}: {report}");
    }
}

#[test]
fn a_bend_between_two_floats_is_not_blamed() {
    for c in [1e15, 1e16, 1e17, 1e20, 1e100] {
        let (verdict, report) = verdict_at(c, |x| (x - c).tanh());
        assert_ne!(verdict, Verdict::Fail, "{c}: {report}");
        let (verdict, report) = verdict_at(c, |x| (x * (1.0 / c)).sin() + (x - c).sin());
        assert_ne!(verdict, Verdict::Fail, "{c}: {report}");
    }
}

#[test]
fn a_smooth_function_of_a_number_of_any_size_passes() {
    for c in [1.0, 1e9, 1e15, 1e100, 1e300, 1e-9, 1e-30, 1e-100, 1e-300] {
        let (verdict, report) = verdict_at(c, |x| (x * (1.0 / c)).tanh());
        assert_eq!(verdict, Verdict::Pass, "{c}: {report}");
        let (verdict, report) = verdict_at(c, |x| x.ln());
        assert_eq!(verdict, Verdict::Pass, "{c}: {report}");
    }
}

#[test]
fn elements_of_any_sizes_stand_side_by_side() {
    let inputs = [Tensor::from([1e9, 1e-9, 1.0]), Tensor::from([1e-30, 1e15, 0.0])];
    for method in Method::ALL {
        let check = Check { method, ..Check::default() };
        let programs: [for<'t> fn(&'t Tape, &[Var<'t>]) -> Var<'t>; 4] = [
            |_, x| (x[0] - 1e9).tanh().sum(..) + (x[1] - 1e15).tanh().sum(..),
            |_, x| (x[0] + x[1]).square().mean(..),
            |_, x| (x[0].maximum(x[1]).ln_1p() * x[1]).mean(..),
            |_, x| ((x[0] + 1e15) - 1e15).tanh().sum(..) * x[1].sigmoid().mean(..),
        ];
        for program in programs {
            let report = check.run(program, &inputs).unwrap();
            assert!(report.rows.iter().all(|row| row.verdict != Verdict::Fail), "{report}");
        }
    }
}

#[test]
fn what_is_added_to_a_large_number_and_lost_is_not_blamed() {
    let (verdict, report) = verdict_at(1.0, |x| (x + 1e15) - 1e15);
    assert_ne!(verdict, Verdict::Fail, "{report}");
    let (verdict, report) = verdict_at(1e-9, |x| (x + 1e9).sin());
    assert_ne!(verdict, Verdict::Fail, "{report}");
}

#[test]
fn a_wrong_rule_is_found_at_numbers_of_any_size() {
    for c in [1.0, 1e9, 1e12, 1e-9, 1e-30] {
        for factor in [-1.0, 0.0, 1.01, 2.0] {
            let wrong =
                FaultInjector::new(move |op, _, _, g| if op == "tanh" { g * factor } else { g });
            let check = Check { orders: 1, injector: Some(wrong), ..Check::default() };
            let x = [Tensor::from([c])];
            let report = check.run(|_, x| (x[0] * (1.0 / c)).tanh().sum(..), &x).unwrap();
            assert!(!report.passed(), "{c}, times {factor}: {report}");
            if (1.0..1e15).contains(&c) {
                let report = check.run(|_, x| (x[0] - (c - 0.3)).tanh().sum(..), &x).unwrap();
                assert!(!report.passed(), "{c}, times {factor}: {report}");
            }
        }
    }
}

#[test]
fn a_wrong_rule_never_passes_where_differences_see_little() {
    for c in [1e15, 1e18, 1e100, 1e300, 1e-100, 1e-300] {
        for factor in [-1.0, 0.0, 1.01, 2.0] {
            let wrong =
                FaultInjector::new(move |op, _, _, g| if op == "tanh" { g * factor } else { g });
            let check = Check { orders: 1, injector: Some(wrong), ..Check::default() };
            let x = [Tensor::from([c])];
            let report = check.run(|_, x| (x[0] * (1.0 / c)).tanh().sum(..), &x).unwrap();
            assert_ne!(report.rows[0].verdict, Verdict::Pass, "{c}, times {factor}: {report}");
        }
    }
}

/// A function of each element with the op that makes it vary, and inputs of the size of its scale.
type Fine = (for<'t> fn(Var<'t>) -> Var<'t>, &'static str, &'static [f64]);

/// Between points that are near on other functions, these vary as if by noise, or beyond all bounds.
const FINE: [Fine; 7] = [
    (|x| (x * -1e30).tan(), "tan", &[-1e-30, -1.37e-30, 5e-324]),
    (|x| (x * 1e20).sin(), "sin", &[1e-20, 2.2e-20]),
    (|x| (x * 1e20).sin() + 1e6, "sin", &[1.2e-20]),
    (|x| (x * 1e20).sin(), "sin", &[3.141592653589793e-20]),
    (|x| (x * 1e7).sin(), "sin", &[0.3, 0.4]),
    (|x| ((x * 1e15).cos() + 2.0).ln(), "cos", &[1e-15, 3e-15]),
    (|x| (x * 1e25).square(), "square", &[1e-25]),
];

/// Checks a function with a slope that is so many times the right one, as a program and as a black
/// box.
fn fine((f, varies, x): Fine, method: Method, factor: f64) -> [Report; 2] {
    let wrong = FaultInjector::new(move |op, _, _, g| if op == varies { g * factor } else { g });
    let tape = |wrong: &FaultInjector| Tape::f64().with_faults(wrong.clone());
    let black_box = |x: &[Tensor]| -> Result<(f64, Vec<Tensor>), lossgraph_autograd::Error> {
        let tape = tape(&wrong);
        let x = tape.variable(&x[0]);
        let y = f(x).sum(..);
        Ok((y.item()?, vec![tape.grad(y, &[x])[0].value()?]))
    };
    let check = Check { method, orders: 1, shrink: false, ..Check::default() };
    let by_itself = check.run_function(black_box, &[Tensor::from(x)]).unwrap();
    let check = Check { injector: Some(wrong.clone()), ..check };
    [check.run(|_, x| f(x[0]).sum(..), &[Tensor::from(x)]).unwrap(), by_itself]
}

#[test]
fn a_function_of_a_small_scale_passes() {
    for of in FINE {
        for method in [Method::Quick, Method::Full] {
            for report in fine(of, method, 1.0) {
                assert_eq!(report.rows[0].verdict, Verdict::Pass, "{method:?}: {report}");
            }
        }
        for report in fine(of, Method::Taylor, 1.0) {
            assert_ne!(report.rows[0].verdict, Verdict::Fail, "{report}");
        }
    }
}

#[test]
fn a_wrong_slope_of_a_function_of_a_small_scale_is_found() {
    for of in FINE {
        for factor in [-1.0, 1.1, 2.0] {
            for method in [Method::Quick, Method::Full] {
                for report in fine(of, method, factor) {
                    let verdict = &report.rows[0].verdict;
                    assert_eq!(*verdict, Verdict::Fail, "{method:?}, times {factor}: {report}");
                }
            }
            for report in fine(of, Method::Taylor, factor) {
                assert!(!report.passed(), "times {factor}: {report}");
            }
        }
    }
}

#[test]
fn no_slope_passes_that_noise_hides_from_the_method_of_taylor() {
    let of: Fine = (|x| (x * 1e20).sin(), "sin", &[1e-20, 2.2e-20]);
    for report in fine(of, Method::Taylor, 0.0) {
        assert!(!report.passed(), "{report}");
    }
}

#[test]
fn an_element_beside_those_of_a_small_scale_is_not_blamed() {
    // From one float to the next, the third element's sine turns a thousand times; the last one cannot
    // be moved so little that the others stay.
    let of: Fine = (|x| (x * 1e20).sin(), "sin", &[1e-20, 2.2e-20, 0.7, 1e-300]);
    for method in Method::ALL {
        for report in fine(of, method, 1.0) {
            assert_ne!(report.rows[0].verdict, Verdict::Fail, "{method:?}: {report}");
        }
    }
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Sizes of numbers: ordinary and extreme, on kinks and plateaus.
const SIZES: [f64; 20] = [
    1.0, 1.0, 0.5, 2.0, 1e9, 1e9, 1e15, 1e-9, 1e-30, 0.0, -0.0, -1.0, 40.0, 1e18, 1e30, -1e9,
    -1e-30, 1e100, 1e300, 5e-324,
];

/// One op after another on what was made before.
#[derive(Clone, Debug)]
enum Step {
    Unary(usize, usize),
    Binary(usize, usize, usize),
    /// Moves a number to the origin, where most ops bend.
    Shift(usize, f64),
    Scale(usize, f64),
}

/// Stairs and saws, whose slopes no difference finds where their steps are finer than those of the
/// floats, as of large numbers: see the limits in `docs/checking.md`.
const STAIRS: [&str; 8] =
    ["floor", "ceil", "trunc", "round", "floor_divide", "trunc_divide", "remainder", "fmod"];

static UNARY: LazyLock<Vec<&ops::Row>> = LazyLock::new(|| rows("unary"));
static BINARY: LazyLock<Vec<&ops::Row>> = LazyLock::new(|| rows("binary"));

fn rows(family: &str) -> Vec<&'static ops::Row> {
    let is_drawn = |row: &&ops::Row| row.family == family && !STAIRS.contains(&row.name);
    ops::all().filter(is_drawn).collect()
}

fn composition(draw: &mut Draw, sizes: [f64; 2]) -> Vec<Step> {
    let (unary, binary) = (UNARY.len(), BINARY.len());
    let mut steps = Vec::new();
    for made in 2..3 + draw.below(5) {
        let of = draw.below(made);
        let size = sizes[of % 2];
        steps.push(match draw.below(6) {
            0 => Step::Shift(of, size),
            1 => Step::Scale(of, if size == 0.0 { 2.0 } else { 1.0 / size }),
            2 | 3 => Step::Unary(draw.below(unary), of),
            _ => Step::Binary(draw.below(binary), of, draw.below(made)),
        });
    }
    steps
}

fn record<'t>(steps: &[Step], x: &[Var<'t>]) -> Var<'t> {
    let mut made = x.to_vec();
    for step in steps {
        let next = match *step {
            Step::Unary(row, a) => (UNARY[row].record)(&[made[a]]),
            Step::Binary(row, a, b) => (BINARY[row].record)(&[made[a], made[b]]),
            Step::Shift(a, by) => made[a] - by,
            Step::Scale(a, by) => made[a] * by,
        };
        made.push(next);
    }
    let last = made[made.len() - 1];
    // A composition that ends in a comparison gives no float.
    if last.dtype().is_float() { last.sum(..) } else { made[0].sum(..) }
}

/// Checks a thousand compositions of ops at numbers of all sizes; none may be blamed.
fn check_compositions(seed: u64, check: impl Fn(&Check, &[Step], &[Tensor]) -> Option<Report>) {
    let mut draw = Draw(seed);
    let mut checked = 0;
    let mut by_size: BTreeMap<u64, [usize; 5]> = BTreeMap::new();
    while checked < 1000 {
        let sizes = [draw.of(&SIZES), draw.of(&SIZES)];
        let steps = composition(&mut draw, sizes);
        let mut tensor = |size: f64| {
            let numbers: Vec<f64> = (0..3)
                .map(|i| match (i, draw.below(3)) {
                    (0, _) => size,
                    (_, 0) => draw.of(&SIZES),
                    (_, at) => size * (1.0 + at as f64 * 0.37),
                })
                .collect();
            Tensor::from(numbers)
        };
        let inputs = [tensor(sizes[0]), tensor(sizes[1])];
        let method = draw.of(&Method::ALL);
        let subject = Check { method, seed: draw.next(), ..Check::default() };
        let Some(report) = check(&subject, &steps, &inputs) else { continue };
        checked += 1;
        // Sizes are sorted as their bits are.
        let counts = by_size.entry(sizes[0].abs().to_bits()).or_default();
        for row in &report.rows {
            counts[match row.verdict {
                Verdict::Pass => 0,
                Verdict::Kink => 1,
                Verdict::Noise => 2,
                Verdict::Fail => 3,
                Verdict::Skipped(_) => 4,
            }] += 1;
            // A rule that gives no number is a fault of the rule.
            let not_finite =
                row.failure.as_ref().is_some_and(|f| f.diagnosis == Diagnosis::NotFinite);
            let names: Vec<&str> = steps.iter().map(name).collect();
            let blamed = row.verdict == Verdict::Fail && !not_finite;
            assert!(!blamed, "{checked}: {names:?} {steps:?} at {inputs:?}, {method:?}: {report}");
        }
    }
    let mut all = [0; 5];
    println!("inputs of    PASS  KINK  NOISE  FAIL  SKIPPED");
    for (size, counts) in by_size {
        all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        println!("{:<9e} {}", f64::from_bits(size), shown(counts));
    }
    println!("all       {}", shown(all));
    let [pass, _, noise, ..] = all;
    assert!(noise < 2 * pass, "PASS, KINK, NOISE, FAIL, SKIPPED: {all:?}");
}

fn shown([pass, kink, noise, fail, skipped]: [usize; 5]) -> String {
    format!("{pass:>7}{kink:>6}{noise:>7}{fail:>6}{skipped:>9}")
}

#[test]
fn a_thousand_compositions_of_ops_are_not_blamed() {
    check_compositions(1, |check, steps, inputs| check.run(|_, x| record(steps, x), inputs).ok());
}

#[test]
fn a_thousand_compositions_in_a_black_box_are_not_blamed() {
    check_compositions(2, |check, steps, inputs| {
        let evaluate =
            |inputs: &[Tensor]| -> Result<(f64, Vec<Tensor>), lossgraph_autograd::Error> {
                let tape = Tape::f64();
                let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.variable(x)).collect();
                let y = record(steps, &x);
                let slopes = tape.grad(y, &x);
                let slopes = slopes.iter().map(|slope| slope.value()).collect::<Result<_, _>>()?;
                Ok((y.item()?, slopes))
            };
        check.run_function(evaluate, inputs).ok()
    });
}

fn name(step: &Step) -> &'static str {
    match step {
        Step::Unary(row, _) => UNARY[*row].name,
        Step::Binary(row, ..) => BINARY[*row].name,
        Step::Shift(..) => "shift",
        Step::Scale(..) => "scale",
    }
}

#[test]
fn a_sine_beside_a_large_number_is_not_blamed() {
    let report = check(|_, x| (x[0] - 1e20).sin().sum(..), &[Tensor::from([1e20])]).unwrap();
    assert!(report.rows.iter().all(|row| row.verdict != Verdict::Fail), "{report}");
}
