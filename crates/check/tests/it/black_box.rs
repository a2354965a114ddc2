//! Functions that give their own gradients: found, diagnosed, and not blamed.

use lossgraph_check::{
    Check, Diagnosis, Method, Report, Verdict, assert_gradients, check_function,
};
use lossgraph_tensor::Tensor;

/// The mean squared error with a gradient that somebody wrote; `wrong` changes it.
fn mse_with(wrong: impl Fn(&mut [f64]) + Send) -> Report {
    let p = Tensor::from([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]]);
    let t = Tensor::from([[0.0, 1.0, 1.5], [1.0, 1.0, 1.0]]);
    let mse = move |x: &[Tensor]| {
        let (p, t) = (x[0].to_f64s(), x[1].to_f64s());
        let off: Vec<f64> = p.iter().zip(&t).map(|(p, t)| p - t).collect();
        let value = off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64;
        let mut gradient: Vec<f64> = off.iter().map(|x| 2.0 * x / off.len() as f64).collect();
        let of_target = gradient.iter().map(|g| -g).collect();
        wrong(&mut gradient);
        let shaped = |numbers: Vec<f64>| Tensor::new(x[0].shape().clone(), numbers).unwrap();
        (value, vec![shaped(gradient), shaped(of_target)])
    };
    check_function(mse, &[p, t]).unwrap()
}

fn diagnosis(report: &Report) -> &Diagnosis {
    &report.rows[0].failure.as_ref().unwrap_or_else(|| panic!("{report}")).diagnosis
}

#[test]
fn an_honest_function_passes_in_both_orders() {
    let report = mse_with(|_| {});
    assert!(report.rows.iter().all(|row| row.verdict == Verdict::Pass), "{report}");
    let rows: Vec<&str> = report.rows.iter().map(|row| row.input.as_str()).collect();
    let pairs = ["input 0 × input 0", "input 0 × input 1", "input 1 × input 1"];
    assert_eq!(rows, [&["input 0", "input 1"][..], &pairs].concat());
}

#[test]
fn what_is_wrong_is_read_off_the_ratios_and_no_op_is_blamed() {
    assert_eq!(*diagnosis(&mse_with(|g| g.iter_mut().for_each(|g| *g *= -1.0))), Diagnosis::Sign);
    assert_eq!(
        *diagnosis(&mse_with(|g| g.iter_mut().for_each(|g| *g *= 6.0))),
        Diagnosis::TooLargeBy(6)
    );
    assert!(
        matches!(diagnosis(&mse_with(|g| g.iter_mut().for_each(|g| *g *= 2.0))), Diagnosis::Factor(f) if (f - 2.0).abs() < 1e-6)
    );
    assert_eq!(*diagnosis(&mse_with(|g| g[4] *= 1.01)), Diagnosis::Elements(1));
    assert_eq!(*diagnosis(&mse_with(|g| g.fill(0.0))), Diagnosis::Zero);
    assert_eq!(*diagnosis(&mse_with(|g| g[0] = f64::NAN)), Diagnosis::NotFinite);
    let transposed = mse_with(|g| {
        let by_column: Vec<f64> = (0..6).map(|i| g[i % 2 * 3 + i / 2]).collect();
        g.copy_from_slice(&by_column);
    });
    assert_eq!(*diagnosis(&transposed), Diagnosis::Transposed);
    assert!(transposed.rows[0].failure.as_ref().unwrap().opaque);
    assert!(
        transposed.to_string().contains("the ops of a black box cannot be seen"),
        "{transposed}"
    );
}

#[test]
fn a_gradient_that_is_right_here_and_no_gradient_elsewhere_is_asymmetric() {
    // At (0, 0) the field (x, y + 2x) is that of no function, and 0.
    let field = |x: &[Tensor]| {
        let (x, y) = (x[0].to_f64s()[0], x[1].to_f64s()[0]);
        let value = x * x / 2.0 + y * y / 2.0;
        (value, vec![Tensor::from([x]), Tensor::from([y + 2.0 * x])])
    };
    let report = check_function(field, &[Tensor::from([0.0]), Tensor::from([0.0])]).unwrap();
    let of_pair = report.rows.iter().find(|row| row.input == "input 0 × input 1").unwrap();
    assert_eq!(of_pair.failure.as_ref().unwrap().diagnosis, Diagnosis::Asymmetric, "{report}");
}

#[test]
fn a_kink_is_found_with_its_element_and_slopes() {
    let l1 = |x: &[Tensor]| {
        let x = x[0].to_f64s();
        let slope = |x: &f64| if *x == 0.0 { 0.0 } else { x.signum() };
        (
            x.iter().map(|x| x.abs()).sum(),
            vec![Tensor::from(x.iter().map(slope).collect::<Vec<_>>())],
        )
    };
    let report = check_function(l1, &[Tensor::from([1.0, 0.0, -2.0])]).unwrap();
    let kink = report.rows[0].kink.as_ref().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(kink.element, Some(vec![1]));
    assert!((kink.slopes.0 + 1.0).abs() < 1e-6 && (kink.slopes.1 - 1.0).abs() < 1e-6);
    assert_eq!(kink.op, None);
}

#[test]
fn every_method_sees_what_a_function_gets_wrong() {
    for method in [Method::Quick, Method::Full, Method::Taylor] {
        for (factor, passes) in [(1.0, true), (1.01, false)] {
            let check = Check { method, orders: 1, ..Check::default() };
            let exp = move |x: &[Tensor]| {
                let value: Vec<f64> = x[0].to_f64s().iter().map(|x| x.exp()).collect();
                let slope: Vec<f64> = value.iter().map(|y| factor * y).collect();
                (value.iter().sum::<f64>(), vec![Tensor::from(slope)])
            };
            let report = check.run_function(exp, &[Tensor::from([0.3, -1.0])]).unwrap();
            assert_eq!(report.passed(), passes, "{method:?}: {report}");
        }
    }
}

#[test]
fn a_function_in_single_precision_is_judged_by_its_own_noise() {
    for (factor, passes) in [(1.0, true), (1.05, false)] {
        let single = move |x: &[Tensor]| {
            let x: Vec<f32> = x[0].to_f64s().iter().map(|x| *x as f32).collect();
            let value: f32 = x.iter().map(|x| x.tanh()).sum();
            let slope = |x: &f32| f64::from(factor * (1.0 - x.tanh() * x.tanh()));
            (f64::from(value), vec![Tensor::from(x.iter().map(slope).collect::<Vec<_>>())])
        };
        let check = Check { orders: 1, ..Check::default() };
        let report = check.run_function(single, &[Tensor::from([0.3, -0.7, 1.1])]).unwrap();
        assert_eq!(report.passed(), passes, "{report}");
    }
}

#[test]
fn a_slope_that_rounding_hides_is_not_called_right() {
    // Beside 10¹⁵, the squares of small numbers are lost, and so is the sign of their slopes.
    for sign in [1.0, -1.0] {
        let hidden = |x: &[Tensor]| {
            let x = x[0].to_f64s();
            let value = 1e15 + x.iter().map(|x| x * x).sum::<f64>();
            (value, vec![Tensor::from(x.iter().map(|x| sign * 2.0 * x).collect::<Vec<_>>())])
        };
        let check = Check { orders: 1, ..Check::default() };
        let report = check.run_function(hidden, &[Tensor::from([0.3, -0.7])]).unwrap();
        assert_eq!(report.rows[0].verdict, Verdict::Noise, "{report}");
        assert!(!report.compared() && !report.passed(), "{report}");
    }
    // What claims to be flat, and is flat as far as anybody can see, is right.
    let flat = |x: &[Tensor]| (1e15, vec![Tensor::from(vec![0.0; x[0].len()])]);
    let report = check_function(flat, &[Tensor::from([0.3, -0.7])]).unwrap();
    assert_eq!(report.rows[0].verdict, Verdict::Pass, "{report}");
}

#[test]
fn a_function_that_gives_another_value_each_time_is_refused() {
    for (drift, factor) in [(1.0, 2.0), (1e-2, -2.0), (1e-6, -2.0), (1e-6, 6.0)] {
        let mut count = 0.0;
        let squares = |x: &[Tensor]| {
            count += 1.0;
            let x = x[0].to_f64s();
            let value = x.iter().map(|x| x * x).sum::<f64>() + count * drift;
            (value, vec![Tensor::from(x.iter().map(|x| factor * x).collect::<Vec<f64>>())])
        };
        let error = check_function(squares, &[[0.5, -1.5, 2.5].into()]).unwrap_err().to_string();
        assert!(error.contains("when it is asked for again"), "{drift} {factor}: {error}");
    }
}

#[test]
fn a_function_that_draws_anew_is_refused_however_it_looks() {
    for size in [0.01, 1.0, 100.0] {
        let mut calls = 0.0_f64;
        let random = move |x: &[Tensor]| {
            calls += 1.0;
            let x = x[0].to_f64s();
            let value = x.iter().map(|x| x * x).sum::<f64>() + size * calls.sin();
            (value, vec![Tensor::from(x.iter().map(|x| 2.0 * x).collect::<Vec<f64>>())])
        };
        let error = check_function(random, &[[1.0, -2.0, 3.0].into()]).unwrap_err().to_string();
        assert!(error.contains("when it is asked for again"), "{size}: {error}");
    }
}

#[test]
fn what_is_named_or_skipped_and_is_not_there_is_an_error() {
    let square = |x: &[Tensor]| {
        let x = x[0].to_f64s()[0];
        (x * x, vec![Tensor::from([2.0 * x])])
    };
    let of = |check: Check| check.run_function(square, &[[1.5].into()]).unwrap_err().to_string();
    let told = of(Check { skip: vec![9], ..Check::default() });
    assert!(told.contains("input 9 is to be skipped, and there are 1"), "{told}");
    let told = of(Check { names: vec!["x".into(), "y".into()], ..Check::default() });
    assert!(told.contains("more names than the 1 inputs: x, y"), "{told}");
}

#[test]
fn errors_say_what_the_function_gave_and_what_was_expected() {
    let inputs = [Tensor::from([1.0, 2.0])];
    let told = |error: lossgraph_autograd::Error| error.to_string();
    let few = told(check_function(|_: &[Tensor]| (1.0, Vec::new()), &inputs).unwrap_err());
    assert!(few.contains("gives 0 gradients, expected 1"), "{few}");
    let shape = check_function(|_: &[Tensor]| (1.0, vec![Tensor::from([1.0])]), &inputs);
    let shape = told(shape.unwrap_err());
    assert!(shape.contains("input 0 has shape [1], expected [2]"), "{shape}");
    let infinite = |x: &[Tensor]| (f64::INFINITY, vec![x[0].clone()]);
    assert!(told(check_function(infinite, &inputs).unwrap_err()).contains("the value is inf"));
    let broken = |_: &[Tensor]| -> Result<(f64, Vec<Tensor>), String> { Err("no device".into()) };
    assert!(told(check_function(broken, &inputs).unwrap_err()).contains("no device"));
    let line = line!() + 1;
    let error = check_function(|_: &[Tensor]| (1.0, Vec::new()), &[]).unwrap_err();
    assert_eq!(error.location(), Some(format!("{}:{line}", file!())));
}

#[test]
fn the_smallest_case_is_printed_as_a_test_and_fails_itself() {
    let wrong = |x: &[Tensor]| {
        let (x, weight) = (x[0].to_f64s(), x[1].to_f64s());
        let value = x.iter().zip(&weight).map(|(x, w)| w * x * x).sum::<f64>();
        let mut slope: Vec<f64> = x.iter().zip(&weight).map(|(x, w)| 2.0 * w * x).collect();
        // Wrong where a number is above 2.
        x.iter().zip(&mut slope).filter(|(x, _)| **x > 2.0).for_each(|(_, slope)| *slope *= 1.5);
        let of_weight = x.iter().map(|x| x * x).collect::<Vec<f64>>();
        (value, vec![Tensor::from(slope), Tensor::from(of_weight)])
    };
    let numbers: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.1).collect();
    let inputs = [Tensor::from(numbers.clone()), Tensor::from(numbers)];
    let report = check_function(wrong, &inputs).unwrap();
    let smallest = report.rows[0].failure.as_ref().unwrap().smallest.as_ref().unwrap();
    let [(_, x), (_, weight)] = &smallest.inputs[..] else { panic!("{smallest}") };
    assert!(weight.to_f64s().iter().all(|w| [0.0, 1.0].contains(w)), "{smallest}");
    assert_eq!(x.to_f64s().iter().filter(|x| ![0.0, 1.0].contains(*x)).count(), 1, "{smallest}");
    assert!(smallest.test.contains("assert_gradients!(function: function, &["), "{smallest}");
    let again = check_function(wrong, &[x.clone(), weight.clone()]).unwrap();
    assert_eq!(again.rows[0].verdict, Verdict::Fail, "{again}");
}

#[test]
fn a_function_that_panics_at_smaller_inputs_is_told_once() {
    let wrong = |x: &[Tensor]| {
        assert!(x[0].len() == 3, "it takes 3 numbers");
        let x = x[0].to_f64s();
        (x.iter().map(|x| x * x).sum(), vec![Tensor::from(x)])
    };
    let report = check_function(wrong, &[[1.0, -2.0, 3.0].into()]).unwrap().to_string();
    let told = "at smaller inputs the function panics, first with: it takes 3 numbers";
    assert_eq!(report.matches(told).count(), 1, "{report}");
}

#[test]
fn panics_at_smaller_inputs_are_silent() {
    let test = "a_function_that_panics_at_smaller_inputs_is_told_once";
    let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
    let output = itself.args([test, "--exact", "--nocapture"]).output().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn a_gradient_of_zeros_names_what_cuts_it() {
    let report = mse_with(|gradient| gradient.fill(0.0)).to_string();
    assert!(report.contains("a path is missing, or cut, as by detach or no_grad"), "{report}");
}

#[test]
fn inputs_of_one_shape_have_one_in_the_smallest_case() {
    // The mean of squares of a difference that repeats what is short; the gradient lacks the mean.
    let repeated = |x: &[Tensor]| {
        let [a, b] = [&x[0], &x[1]].map(|x| x.to_f64s());
        let n = a.len().max(b.len());
        let at = |x: &[f64], i: usize| x[i % x.len()];
        let off: Vec<f64> = (0..n).map(|i| at(&a, i) - at(&b, i)).collect();
        let value = off.iter().map(|d| d * d).sum::<f64>() / n as f64;
        let slope = |x: &Tensor, sign: f64| {
            let mut slope = vec![0.0; x.len()];
            (0..n).for_each(|i| slope[i % x.len()] += sign * 2.0 * off[i]);
            Tensor::new(x.shape().clone(), slope).unwrap()
        };
        (value, vec![slope(&x[0], 1.0), slope(&x[1], -1.0)])
    };
    let inputs = [2, 3].map(|k| {
        let numbers = (0..16).map(|i| (i * k % 7) as f64 - 2.5).collect();
        Tensor::new([4, 4], numbers).unwrap()
    });
    let report = check_function(repeated, &inputs).unwrap();
    let smallest = report.rows[0].failure.as_ref().unwrap().smallest.as_ref().unwrap();
    let [(_, a), (_, b)] = &smallest.inputs[..] else { panic!("{smallest}") };
    assert!(a.shape() == b.shape() && a.len() < 16, "{smallest}");
}

#[test]
fn one_line_of_a_test_takes_programs_and_functions() {
    assert_gradients!(|_, x| x[0].square().sum(..), &[Tensor::from([1.0, 2.0])]);
    let failed = std::panic::catch_unwind(|| {
        let wrong = |x: &[Tensor]| (x[0].to_f64s()[0].powi(2), vec![x[0].clone()]);
        assert_gradients!(function: wrong, &[Tensor::from([3.0])]);
    });
    let told = failed.unwrap_err();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains("FAIL") && told.contains("analytic is 0.5000 times numeric"), "{told}");
}
