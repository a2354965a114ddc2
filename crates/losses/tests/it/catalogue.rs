//! Every loss of the table, in every setting of its grid: value against the naive formula,
//! derivatives against finite differences, far inputs, single against double precision, and what
//! must not change it.

use lossgraph_autograd::{Tape, Var, numeric_gradient};
use lossgraph_losses::{ALL, Case, Domain, Invariance, Loss, Numbers, Sample, Task, Terms, find};
use lossgraph_tensor::Tensor;

/// Every loss in every setting, on inputs of a seed.
fn cases(seed: u64) -> impl Iterator<Item = Case> {
    let of_loss = move |loss| Case::grid(loss, seed).unwrap_or_else(|error| panic!("{error}"));
    ALL.iter().copied().flat_map(of_loss)
}

/// The terms of constants.
fn values(case: &Case, data: &[Tensor]) -> Tensor {
    let tape = Tape::f64();
    let vars: Vec<Var<'_>> = data.iter().map(|data| tape.constant(data)).collect();
    let value = case.record(&tape, &vars).unreduced().value();
    value.unwrap_or_else(|error| panic!("{}: {error:?}", case.title()))
}

/// The mean of constants.
fn mean_value(case: &Case, data: &[Tensor]) -> f64 {
    let tape = Tape::f64();
    let vars: Vec<Var<'_>> = data.iter().map(|data| tape.constant(data)).collect();
    case.record(&tape, &vars).mean().item().unwrap()
}

/// The inputs that have a gradient.
fn differentiable(case: &Case) -> Vec<usize> {
    (0..case.samples.len()).filter(|&i| case.samples[i].is_differentiable()).collect()
}

fn assert_close(what: &str, got: &Tensor, expected: &Tensor, tolerance: f64) {
    assert!(got.allclose(expected, tolerance, tolerance), "{what}:\n{got}\nexpected\n{expected}");
}

/// The same shape with other numbers.
fn mapped(tensor: &Tensor, change: impl Fn(usize, f64) -> f64) -> Tensor {
    let numbers = tensor.to_f64s().into_iter().enumerate();
    let changed = numbers.map(|(i, x)| change(i, x)).collect();
    Tensor::new(tensor.shape().clone(), changed).unwrap().to_dtype(tensor.dtype())
}

#[test]
fn samples_have_the_shapes_that_they_say() {
    for case in cases(0) {
        for (sample, data) in case.samples.iter().zip(&case.inputs) {
            assert_eq!(data.shape()[..], *sample.shape, "{}: {}", case.title(), sample.name);
        }
    }
}

#[test]
fn terms_are_those_of_the_naive_formula() {
    for seed in 0..5 {
        for case in cases(seed) {
            let data = case.inputs.clone();
            let each = values(&case, &data);
            let plain: Vec<_> =
                case.samples.iter().zip(&data).map(|(sample, data)| sample.plain(data)).collect();
            let setting = &case.loss.setting(&case.setting).unwrap();
            let naive = (case.loss.naive)(&Numbers { inputs: &plain, setting });
            let naive = Tensor::new(each.shape().clone(), naive).unwrap_or_else(|error| {
                panic!("{}: terms of shape {}: {error}", case.title(), each.shape())
            });
            // 1e-11: the cosine has an epsilon that the naive one leaves out.
            assert_close(&case.title(), &each, &naive, 1e-11);
        }
    }
}

#[test]
fn slopes_in_closed_form_are_what_the_chain_rule_arrives_at() {
    let mut closed = 0;
    for case in cases(0) {
        let Some((slope, expected)) = case.closed_slope(&case.inputs) else { continue };
        let tape = Tape::f64();
        let vars: Vec<Var<'_>> =
            case.inputs
                .iter()
                .map(|input| {
                    if input.dtype().is_float() {
                        tape.variable(input)
                    } else {
                        tape.constant(input)
                    }
                })
                .collect();
        let input = vars[case.index_of(slope.input).unwrap()];
        let found = tape.grad(case.record(&tape, &vars).mean(), &[input])[0].value().unwrap();
        for (found, expected) in found.to_f64s().into_iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-15, "{}: {found} {expected}", case.title());
        }
        closed += 1;
    }
    assert!(closed >= 14, "{closed} settings have one");
}

#[test]
fn the_nll_of_a_softmax_is_the_term_of_the_rows_that_say_so() {
    let mut count = 0;
    for case in cases(0) {
        let Some([scores, labels]) = case.softmax_nll() else { continue };
        let [scores, labels] =
            [scores, labels].map(|name| &case.inputs[case.index_of(name).unwrap()]);
        let classes = scores.shape()[1];
        let row = |(z, label): (&[f64], f64)| {
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            -(z[label as usize].exp() / sum).ln()
        };
        let (scores, labels) = (scores.to_f64s(), labels.to_f64s());
        let expected: Vec<f64> = scores.chunks(classes).zip(labels).map(row).collect();
        let terms = values(&case, &case.inputs);
        assert!(terms.allclose(&Tensor::from(expected), 1e-14, 0.0), "{}", case.title());
        count += 1;
    }
    assert!(count >= 1, "no row says so");
}

#[test]
fn gradients_agree_with_finite_differences() {
    for case in cases(11) {
        let data = case.inputs.clone();
        let tape = Tape::f64();
        let vars: Vec<Var<'_>> = data.iter().map(|data| tape.input(data)).collect();
        let indices = differentiable(&case);
        let wanted: Vec<Var<'_>> = indices.iter().map(|&i| vars[i]).collect();
        let gradients = tape.grad(case.record(&tape, &vars).mean(), &wanted);
        let numeric = numeric_gradient(|tape, x| case.record(tape, x).mean(), &data).unwrap();
        for (gradient, &i) in gradients.into_iter().zip(&indices) {
            let what = format!("{}, gradient of {}", case.title(), case.samples[i].name);
            assert_close(&what, &gradient.value().unwrap(), &numeric[i], 1e-9);
        }
    }
}

#[test]
fn second_derivatives_agree_with_finite_differences() {
    for case in cases(12) {
        let data = case.inputs.clone();
        let indices = differentiable(&case);
        if indices.is_empty() {
            continue;
        }
        let slope = |tape: &Tape, vars: &[Var<'_>]| -> usize {
            let vars: Vec<Var<'_>> = vars.iter().filter_map(|v| tape.var(v.number())).collect();
            let wanted: Vec<Var<'_>> = indices.iter().map(|&i| vars[i]).collect();
            let gradients = tape.grad(case.record(tape, &vars).mean(), &wanted);
            let along = gradients.into_iter().map(|g| {
                let v = (0..g.len()).map(|i| (i as f64 * 1.3 + 0.5).cos()).collect();
                (g * tape.constant(Tensor::new(g.shape(), v).unwrap())).sum(..)
            });
            along.reduce(|a, b| a + b).unwrap().number()
        };
        let tape = Tape::f64();
        let vars: Vec<Var<'_>> = data.iter().map(|data| tape.input(data)).collect();
        let wanted: Vec<Var<'_>> = indices.iter().map(|&i| vars[i]).collect();
        let products = tape.grad(tape.var(slope(&tape, &vars)).unwrap(), &wanted);
        let numeric = numeric_gradient(|tape, x| tape.var(slope(tape, x)).unwrap(), &data).unwrap();
        for (product, &i) in products.into_iter().zip(&indices) {
            let what =
                format!("{}, Hessian-vector product of {}", case.title(), case.samples[i].name);
            assert_close(&what, &product.value().unwrap(), &numeric[i], 1e-8);
        }
    }
}

#[test]
fn far_logits_are_finite_in_single_precision() {
    for case in cases(3) {
        let name = case.title();
        let is_logits = |i: &usize| case.samples[*i].domain == Domain::Logits;
        let logits: Vec<usize> = (0..case.samples.len()).filter(is_logits).collect();
        for sign in [1.0, -1.0] {
            let tape = Tape::new();
            let far = |_: usize, x: f64| if x > 0.0 { sign * 100.0 } else { -sign * 100.0 };
            let data = case.inputs.clone().into_iter().enumerate();
            let vars: Vec<Var<'_>> = data
                .map(|(i, x)| match logits.contains(&i) {
                    true => tape.variable(mapped(&x, far)),
                    false => tape.constant(x),
                })
                .collect();
            if logits.is_empty() {
                continue;
            }
            let loss = case.record(&tape, &vars).mean();
            let gradients = loss.backward().unwrap();
            assert!(gradients.loss().is_finite(), "{name}: {}", gradients.loss());
            for &i in &logits {
                let slope = gradients.of(vars[i]).unwrap().to_f64s();
                assert!(slope.iter().all(|x| x.is_finite()), "{name}: {slope:?}");
            }
        }
    }
}

#[test]
fn single_precision_is_near_double_precision() {
    for case in cases(13) {
        let [single, double] = [Tape::new(), Tape::f64()].map(|tape| {
            let vars: Vec<Var<'_>> =
                case.inputs.clone().into_iter().map(|data| tape.constant(data)).collect();
            case.record(&tape, &vars).mean().item().unwrap()
        });
        // Sixteen roundings of single precision.
        assert!(
            (single - double).abs() <= 1e-6 * double.abs().max(1.0),
            "{}: {single} {double}",
            case.title()
        );
    }
}

#[test]
fn a_weight_of_one_is_no_weight() {
    for loss in ALL.iter().filter(|loss| loss.grid.contains(&"weight")) {
        let value = |setting: &'static str| {
            let case = Case::new(loss, setting, 5).unwrap();
            let ones = |(sample, data): (&&Sample, Tensor)| match sample.name {
                "weight" => mapped(&data, |_, _| 1.0),
                _ => data,
            };
            let data: Vec<Tensor> =
                case.samples.iter().zip(case.inputs.clone()).map(ones).collect();
            mean_value(&case, &data)
        };
        approx::assert_relative_eq!(value("weight"), value(""), max_relative = 1e-14);
    }
}

#[test]
fn the_reductions_agree_with_each_other() {
    for case in cases(6) {
        let tape = Tape::f64();
        let vars: Vec<Var<'_>> = case.inputs.iter().map(|data| tape.constant(data)).collect();
        let terms = case.record(&tape, &vars);
        let sum: f64 = terms.unreduced().value().unwrap().to_f64s().iter().sum();
        approx::assert_relative_eq!(terms.sum().item().unwrap(), sum, max_relative = 1e-13);
        let ones = terms.weighted(tape.constant(1.0));
        let mean = terms.mean().item().unwrap();
        approx::assert_relative_eq!(ones.mean().item().unwrap(), mean, max_relative = 1e-13);
    }
}

#[test]
fn what_must_not_change_a_loss_does_not() {
    for case in cases(8) {
        for invariance in case.loss.invariances {
            let what = format!("{}: {invariance:?}", case.title());
            let mut data = case.inputs.clone();
            let before = values(&case, &data);
            // A number for each vector along the last axis.
            let each = |i: usize, width: usize| 0.5 + (i / width) as f64;
            match invariance {
                Invariance::Shift(input) | Invariance::Scale(input) => {
                    assert!(case.loss.inputs.iter().any(|each| each.name == *input), "{what}");
                    // An option that the setting does not give.
                    let Some(i) = case.index_of(input) else { continue };
                    let width = data[i].shape().last().copied().unwrap_or(1);
                    data[i] = mapped(&data[i], |k, x| match invariance {
                        Invariance::Shift(_) => x + each(k, width),
                        _ => x * each(k, width),
                    });
                    assert_close(&what, &values(&case, &data), &before, 1e-10);
                }
                Invariance::Order(inputs) => {
                    for i in inputs.iter().filter_map(|input| case.index_of(input)) {
                        data[i] = rotated(&data[i]);
                    }
                    let per_example = before.shape().first() == data[0].shape().first();
                    let expected = if per_example { rotated(&before) } else { before };
                    assert_close(&what, &values(&case, &data), &expected, 1e-10);
                }
            }
        }
    }
}

/// The first row along the first axis moved to its end.
fn rotated(tensor: &Tensor) -> Tensor {
    let len = tensor.shape().numel();
    let numbers = tensor.to_f64s();
    let row = len / tensor.shape().first().copied().unwrap_or(1).max(1);
    mapped(tensor, |i, _| numbers[(i + row) % len])
}

#[test]
fn an_ignored_row_is_a_row_left_out() {
    let tape = Tape::f64();
    let rows = [[1.0, 2.0, 3.0], [f64::NAN; 3], [0.5, -1.0, 2.0]];
    let logits = tape.variable(rows);
    let labels = tape.constant([2_i64, -100, 0]);
    let with = lossgraph_losses::cross_entropy(logits, labels).mean().backward().unwrap();
    let left = tape.constant([rows[0], rows[2]]);
    let without = lossgraph_losses::cross_entropy(left, tape.labels(&[2, 0])).mean();
    approx::assert_relative_eq!(with.loss(), without.item().unwrap(), max_relative = 1e-14);
    assert_eq!(with.of(logits).unwrap().to_f64s()[3..6], [0.0; 3]);
}

#[test]
fn refusals_name_the_loss_the_shapes_and_the_line() {
    let tape = Tape::f64();
    let p = tape.constant([[1.0], [2.0]]);
    let t = tape.constant([1.0, 2.0]);
    let line = line!() + 1;
    let error = lossgraph_losses::huber(p, t, 1.0).mean().item().unwrap_err();
    let expected = format!(
        "huber: prediction [2, 1] and target [2]: they differ in rank, at {}:{line}",
        file!()
    );
    assert_eq!(error.to_string(), expected);
    assert!(format!("{error:?}").ends_with("perhaps: target.reshape([2, 1])"));
}

#[test]
fn hyper_parameters_that_make_no_sense_are_refused() {
    let tape = Tape::f64();
    let x = tape.constant([[1.0, 2.0]]);
    let refused = |terms: Terms<'_>| terms.mean().item().is_err();
    for bad in [0.0, -1.0, f64::NAN] {
        assert!(refused(lossgraph_losses::huber(x, x, bad)));
        assert!(refused(lossgraph_losses::triplet_margin(x, x, x, bad)));
    }
    assert!(refused(lossgraph_losses::smooth_l1(x, x, f64::NAN)));
    assert!(refused(lossgraph_losses::cosine_embedding(x, x, tape.constant([1.0]), f64::NAN)));
    let smoothing = lossgraph_losses::CrossEntropy { label_smoothing: -0.1, ..Default::default() };
    assert!(refused(smoothing.forward(x, tape.labels(&[0]))));
    assert!(refused(lossgraph_losses::cross_entropy(x, tape.labels(&[2]))));
}

#[test]
fn names_and_aliases_find_exactly_one_loss() {
    for loss in ALL {
        for name in std::iter::once(&loss.name).chain(loss.aliases) {
            assert_eq!(find(name).unwrap().name, loss.name, "{name}");
        }
    }
    assert_eq!(find("nn.BCEWithLogitsLoss").unwrap().name, "bce_with_logits");
    assert_eq!(find("hubber").unwrap_err().nearest, Some("huber"));
    let error = find("weather").unwrap_err();
    assert_eq!(error.nearest, None);
    assert_eq!(error.to_string(), "there is no loss `weather`");
    let error = find("CrossEntropyLos").unwrap_err().to_string();
    assert_eq!(error, "there is no loss `CrossEntropyLos`; perhaps `cross_entropy`");
}

#[test]
fn a_row_says_everything_that_a_reader_asks() {
    for loss in ALL {
        let Loss { name, family, summary, formula, latex, shapes, unit, range, source, .. } = loss;
        for text in [name, family, summary, formula, latex, shapes, unit, range, source] {
            assert!(!text.is_empty(), "{name}: {loss:?}");
        }
        assert!(!loss.inputs.is_empty() && !loss.grid.is_empty(), "{name}");
        let option = loss.over.split('=').next().unwrap_or_default();
        let has_option = loss.options.iter().any(|choice| choice.name == option);
        assert!(loss.over.is_empty() || has_option, "{name}: over {}", loss.over);
    }
}

#[test]
fn every_loss_trains_a_task_in_a_setting_that_it_has() {
    for loss in ALL {
        assert!(!loss.tasks.is_empty(), "{}", loss.name);
        for fit in loss.tasks {
            let same = loss.tasks.iter().filter(|each| each.task == fit.task);
            assert_eq!(same.count(), 1, "{}: {:?}", loss.name, fit.task);
            loss.setting(fit.setting).unwrap();
        }
    }
}

#[test]
fn a_task_has_one_usual_loss() {
    let usual = |task| {
        let fits = ALL.iter().filter(|loss| loss.fit(task).is_some_and(|fit| fit.is_default));
        fits.map(|loss| loss.name).collect::<Vec<_>>()
    };
    assert_eq!(usual(Task::Classes), ["cross_entropy"]);
    assert_eq!(usual(Task::Triplets), ["triplet_margin"]);
    for task in Task::ALL {
        assert_eq!(usual(task).len(), 1, "{task:?}: {:?}", usual(task));
        assert_eq!(task.default_loss().unwrap().0.name, usual(task)[0]);
    }
}
