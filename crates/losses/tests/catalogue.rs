//! Every loss of the table, in every setting of its grid: value against the naive formula,
//! derivatives against finite differences, far inputs, single against double precision.

use lossgraph_autograd::{Tape, Var, numeric_gradient};
use lossgraph_losses::{ALL, Domain, Loss, Numbers, Plain, Sample, find};
use lossgraph_tensor::Tensor;

type Setting = &'static [(&'static str, f64)];

/// Calls `check` for every loss in every setting.
fn each_setting(check: impl Fn(&'static Loss, Setting, &str)) {
    for loss in ALL {
        for &setting in loss.grid {
            check(loss, setting, &format!("{} {setting:?}", loss.name));
        }
    }
}

/// The samples that a setting gives.
fn samples(loss: &'static Loss, setting: Setting) -> Vec<&'static Sample> {
    let given =
        |sample: &&Sample| !sample.optional || setting.iter().any(|(name, _)| *name == sample.name);
    loss.inputs.iter().filter(given).collect()
}

fn drawn(samples: &[&Sample], seed: u64) -> Vec<Tensor> {
    samples.iter().map(|sample| sample.draw(seed)).collect()
}

/// The mean of a loss on leaves in the order of its samples.
fn mean<'t>(
    loss: &'static Loss,
    setting: Setting,
    tape: &'t Tape,
    samples: &[&Sample],
    vars: &[Var<'t>],
) -> Var<'t> {
    let inputs: Vec<(&str, Var<'t>)> =
        samples.iter().map(|sample| sample.name).zip(vars.iter().copied()).collect();
    loss.record(tape, &inputs, setting).mean()
}

/// The inputs that have a gradient.
fn floats(samples: &[&Sample]) -> Vec<usize> {
    let smooth = |i: &usize| !matches!(samples[*i].domain, Domain::Labels(_) | Domain::Signs);
    (0..samples.len()).filter(smooth).collect()
}

fn assert_close(what: &str, got: &Tensor, expected: &Tensor, tolerance: f64) {
    assert!(got.allclose(expected, tolerance, tolerance), "{what}:\n{got}\nexpected\n{expected}");
}

#[test]
fn terms_are_those_of_the_naive_formula() {
    each_setting(|loss, setting, name| {
        for seed in 0..5 {
            let samples = samples(loss, setting);
            let data = drawn(&samples, seed);
            let tape = Tape::f64();
            let inputs: Vec<(&str, Var<'_>)> = samples
                .iter()
                .zip(&data)
                .map(|(sample, data)| (sample.name, tape.constant(data)))
                .collect();
            let each = loss.record(&tape, &inputs, setting).each().value().unwrap();
            let plain: Vec<Plain> = samples
                .iter()
                .zip(&data)
                .map(|(sample, data)| Plain { name: sample.name, numbers: data.to_f64s() })
                .collect();
            let naive = (loss.naive)(&Numbers { inputs: &plain, options: setting });
            let naive = Tensor::new(each.shape().clone(), naive).unwrap();
            // 1e-11: the cosine has an epsilon that the naive one leaves out.
            assert_close(name, &each, &naive, 1e-11);
        }
    });
}

#[test]
fn gradients_agree_with_finite_differences() {
    each_setting(|loss, setting, name| {
        let samples = samples(loss, setting);
        let data = drawn(&samples, 11);
        let tape = Tape::f64();
        let vars: Vec<Var<'_>> = data.iter().map(|data| tape.variable(data)).collect();
        let floats = floats(&samples);
        let wanted: Vec<Var<'_>> = floats.iter().map(|&i| vars[i]).collect();
        let gradients = tape.grad(mean(loss, setting, &tape, &samples, &vars), &wanted);
        let numeric =
            numeric_gradient(|tape, x| mean(loss, setting, tape, &samples, x), &data).unwrap();
        for (gradient, &i) in gradients.into_iter().zip(&floats) {
            let what = format!("{name}, gradient of {}", samples[i].name);
            assert_close(&what, &gradient.value().unwrap(), &numeric[i], 1e-9);
        }
    });
}

#[test]
fn second_derivatives_agree_with_finite_differences() {
    each_setting(|loss, setting, name| {
        let samples = samples(loss, setting);
        let data = drawn(&samples, 12);
        let floats = floats(&samples);
        let slope = |tape: &Tape, vars: &[Var<'_>]| -> usize {
            let vars: Vec<Var<'_>> = vars.iter().filter_map(|v| tape.var(v.number())).collect();
            let wanted: Vec<Var<'_>> = floats.iter().map(|&i| vars[i]).collect();
            let gradients = tape.grad(mean(loss, setting, tape, &samples, &vars), &wanted);
            let along = gradients.into_iter().map(|g| {
                let v = (0..g.len()).map(|i| (i as f64 * 1.3 + 0.5).cos()).collect();
                (g * tape.constant(Tensor::new(g.shape(), v).unwrap())).sum(..)
            });
            along.reduce(|a, b| a + b).unwrap().number()
        };
        let tape = Tape::f64();
        let vars: Vec<Var<'_>> = data.iter().map(|data| tape.variable(data)).collect();
        let wanted: Vec<Var<'_>> = floats.iter().map(|&i| vars[i]).collect();
        let products = tape.grad(tape.var(slope(&tape, &vars)).unwrap(), &wanted);
        let numeric = numeric_gradient(|tape, x| tape.var(slope(tape, x)).unwrap(), &data).unwrap();
        for (product, &i) in products.into_iter().zip(&floats) {
            let what = format!("{name}, Hessian-vector product of {}", samples[i].name);
            assert_close(&what, &product.value().unwrap(), &numeric[i], 1e-8);
        }
    });
}

#[test]
fn far_logits_are_finite_in_single_precision() {
    each_setting(|loss, setting, name| {
        if !loss.takes_logits {
            return;
        }
        let samples = samples(loss, setting);
        for far in [100.0, -100.0] {
            let tape = Tape::new();
            let far = |x: f64| if x > 0.0 { far } else { -far };
            let vars: Vec<Var<'_>> = samples
                .iter()
                .map(|sample| {
                    let data = sample.draw(3);
                    let moved = data.to_f64s().into_iter().map(far).collect();
                    match sample.name {
                        "logits" => tape.variable(Tensor::new(sample.shape, moved).unwrap()),
                        _ => tape.constant(data),
                    }
                })
                .collect();
            let loss = mean(loss, setting, &tape, &samples, &vars);
            let gradients = loss.backward().unwrap();
            assert!(gradients.loss().is_finite(), "{name}: {}", gradients.loss());
            let slope = gradients.of(vars[0]).unwrap().to_f64s();
            assert!(slope.iter().all(|x| x.is_finite()), "{name}: {slope:?}");
        }
    });
}

#[test]
fn single_precision_is_near_double_precision() {
    each_setting(|loss, setting, name| {
        let samples = samples(loss, setting);
        let [single, double] = [Tape::new(), Tape::f64()].map(|tape| {
            let vars: Vec<Var<'_>> =
                drawn(&samples, 13).into_iter().map(|data| tape.constant(data)).collect();
            mean(loss, setting, &tape, &samples, &vars).item().unwrap()
        });
        // Sixteen roundings of single precision.
        assert!(
            (single - double).abs() <= 1e-6 * double.abs().max(1.0),
            "{name}: {single} {double}"
        );
    });
}

#[test]
fn a_weight_of_one_is_no_weight() {
    for loss in ALL.iter().filter(|loss| loss.inputs.iter().any(|i| i.name == "weight")) {
        let value = |weighted: bool| {
            let tape = Tape::f64();
            let inputs: Vec<(&str, Var<'_>)> = loss
                .inputs
                .iter()
                .filter(|sample| !sample.optional || (weighted && sample.name == "weight"))
                .map(|sample| match sample.name {
                    "weight" => (sample.name, tape.fill(sample.shape, 1.0)),
                    _ => (sample.name, tape.constant(sample.draw(5))),
                })
                .collect();
            loss.record(&tape, &inputs, &[]).mean().item().unwrap()
        };
        approx::assert_relative_eq!(value(true), value(false), max_relative = 1e-14);
    }
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
fn a_shift_of_all_logits_changes_nothing() {
    let tape = Tape::f64();
    let logits = tape.constant([[1.0, 2.0, 3.0], [0.0, -4.0, 1.0]]);
    let labels = tape.labels(&[0, 2]);
    let loss = |z: Var<'_>| lossgraph_losses::cross_entropy(z, labels).mean().item().unwrap();
    approx::assert_relative_eq!(loss(logits), loss(logits + 7.0), max_relative = 1e-14);
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
    let refused = |terms: lossgraph_losses::Terms<'_>| terms.mean().item().is_err();
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
    assert_eq!(find("hubber").unwrap_err(), "huber");
}
