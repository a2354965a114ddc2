//! Inputs that move together: few runs where all is right, and nothing hides behind what is large.

use lossgraph_check::{Check, Report, Verdict};
use lossgraph_tensor::Tensor;

/// `Σᵢ cᵢ Σⱼ sin(xᵢⱼ / sᵢ)` of inputs of sizes `sᵢ`, and so many elements each; `wrong` changes the
/// gradients.
fn sines(inputs: &[(f64, f64, usize)], wrong: impl Fn(&mut [Vec<f64>]) + Send) -> Report {
    let point = |&(_, size, len): &(f64, f64, usize)| {
        Tensor::from((0..len).map(|j| size * (0.3 + 0.1 * (j % 11) as f64)).collect::<Vec<_>>())
    };
    let tensors: Vec<Tensor> = inputs.iter().map(point).collect();
    let inputs = inputs.to_vec();
    let function = move |x: &[Tensor]| {
        let (mut value, mut gradients) = (0.0, Vec::new());
        for (x, &(factor, size, _)) in x.iter().zip(&inputs) {
            let x = x.to_f64s();
            value += factor * x.iter().map(|x| (x / size).sin()).sum::<f64>();
            gradients.push(x.iter().map(|x| factor / size * (x / size).cos()).collect());
        }
        wrong(&mut gradients);
        (value, gradients.into_iter().map(Tensor::from).collect())
    };
    Check { orders: 1, ..Check::default() }.run_function(function, &tensors).unwrap()
}

fn verdicts(report: &Report) -> Vec<&'static str> {
    report.rows.iter().map(|row| row.verdict.name()).collect()
}

#[test]
fn twenty_inputs_take_no_more_runs_than_one() {
    let one = sines(&[(1.0, 1.0, 6)], |_| {});
    let twenty = sines(&[(1.0, 1.0, 6); 20], |_| {});
    assert_eq!(verdicts(&twenty), ["PASS"; 20]);
    assert_eq!(twenty.runs, one.runs);
    // The value with its gradients, and a ladder of four steps to both sides.
    assert!(one.runs <= 10, "{one}");
}

#[test]
fn a_wrong_input_among_many_is_the_only_one_that_is_blamed() {
    for which in [0, 4, 10] {
        let report = sines(&[(1.0, 1.0, 6); 11], |g| g[which].iter_mut().for_each(|g| *g *= 1.01));
        let wrong = report.rows.iter().position(|row| row.verdict == Verdict::Fail);
        assert_eq!(wrong, Some(which), "{report}");
        assert_eq!(report.rows.iter().filter(|row| row.verdict == Verdict::Pass).count(), 10);
    }
}

#[test]
fn a_small_mistake_does_not_hide_behind_a_large_slope() {
    for factor in [1e3, 1e6, 1e7] {
        let inputs = [(factor, 1.0, 8), (1.0, 1.0, 8)];
        assert_eq!(verdicts(&sines(&inputs, |_| {}))[0], "PASS");
        let all = sines(&inputs, |g| g[1].iter_mut().for_each(|g| *g *= 1.01));
        assert_eq!(verdicts(&all), ["PASS", "FAIL"], "{factor}: {all}");
        let single = sines(&inputs, |g| g[1].iter_mut().skip(3).take(1).for_each(|g| *g *= 1.01));
        assert_eq!(verdicts(&single), ["PASS", "FAIL"], "{factor}: {single}");
    }
}

#[test]
fn a_wrong_element_among_thousands_is_found_beside_another_input() {
    let inputs = [(1.0, 1.0, 4096), (3.0, 1.0, 4096)];
    for (which, size) in [(0, 1.001), (1, 1.001), (0, 2.0), (1, -1.0)] {
        // Shorter inputs are tried afterwards.
        let report =
            sines(&inputs, |g| g[which].iter_mut().skip(1234).take(1).for_each(|g| *g *= size));
        let mut expected = ["PASS"; 2];
        expected[which] = "FAIL";
        assert_eq!(verdicts(&report), expected, "{report}");
    }
}

#[test]
fn tiny_inputs_are_seen_beside_huge_ones() {
    let inputs = [(1.0, 1e9, 8), (1.0, 1e-9, 8), (1.0, 1.0, 8)];
    let honest = sines(&inputs, |_| {});
    assert!(!verdicts(&honest).contains(&"FAIL"), "{honest}");
    for which in 0..3 {
        let wrong = sines(&inputs, |g| g[which].iter_mut().for_each(|g| *g *= 1.01));
        let found: Vec<usize> =
            (0..3).filter(|&i| wrong.rows[i].verdict == Verdict::Fail).collect();
        assert_eq!(found, [which], "{wrong}");
    }
}

#[test]
fn mistakes_of_two_inputs_do_not_cancel() {
    // Along a direction that moves both by the same, these would.
    let report = sines(&[(1.0, 1.0, 1), (1.0, 1.0, 1)], |g| {
        g[0][0] += 0.01;
        g[1][0] -= 0.01;
    });
    assert_eq!(verdicts(&report), ["FAIL", "FAIL"], "{report}");
}

#[test]
fn kinks_near_by_are_stepped_over_by_all_inputs_together() {
    // Σᵢ sin(xᵢ) + max(0, xᵢ − kinkᵢ), with kinks at all distances, as those of the units of a large net.
    let kinks: Vec<f64> = (0..20).map(|i| 0.5 + 0.1 * 0.6_f64.powi(i)).collect();
    let function = move |x: &[Tensor]| {
        let (mut value, mut gradients) = (0.0, Vec::new());
        for (x, kink) in x.iter().zip(&kinks) {
            let x = x.to_f64s()[0];
            value += x.sin() + (x - kink).max(0.0);
            gradients.push(Tensor::from([x.cos() + f64::from(u8::from(x > *kink))]));
        }
        (value, gradients)
    };
    let inputs = vec![Tensor::from([0.5]); 20];
    let report = Check { orders: 1, ..Check::default() }.run_function(function, &inputs).unwrap();
    assert_eq!(verdicts(&report), ["PASS"; 20], "{report}");
    // A ladder for each of seven lengths at most, where each input alone would take more than these.
    assert!(report.runs <= 2 + 7 * 8, "{report}");
}
