//! What is promised of every optimizer, and steps computed by hand.

use lossgraph_tensor::kernels::threads;
use lossgraph_tensor::{DType, Tensor};

use super::pass::PARALLEL;
use super::*;
use crate::checkpoint::{Checkpoint, Stateful};
use crate::{Error, Linear, Module, Sequential, clip_grad_norm};

/// Calls a generic function with every rule, with options that use every part of its state.
macro_rules! with_every_rule {
    ($test:ident) => {
        $test(Sgd { lr: 0.1, ..Sgd::default() });
        $test(Sgd { lr: 0.1, momentum: 0.9, dampening: 0.25, weight_decay: 0.1, ..Sgd::default() });
        $test(Adam { lr: 0.1, weight_decay: 0.1, ..Adam::default() });
        $test(Adam { lr: 0.1, amsgrad: true, ..Adam::default() });
        $test(AdamW { lr: 0.1, ..AdamW::default() });
        $test(RmsProp { lr: 0.1, momentum: 0.5, ..RmsProp::default() });
        $test(RmsProp { lr: 0.1, centered: true, weight_decay: 0.1, ..RmsProp::default() });
        $test(Adagrad {
            lr: 0.1,
            lr_decay: 0.5,
            initial_accumulator_value: 0.1,
            ..Adagrad::default()
        });
    };
}

/// The numbers of a state, in an order, as bits.
fn bits(state: &Checkpoint) -> Vec<(String, Vec<u64>)> {
    let bits = |tensor: &Tensor| tensor.to_f64s().into_iter().map(f64::to_bits).collect();
    state.tensors.iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect()
}

fn gradients_of(pairs: &[(&Parameter, [f64; 2])]) -> Gradients {
    let pairs = pairs.iter().map(|&(parameter, values)| {
        (parameter.clone(), Tensor::from(values).to_dtype(parameter.value().dtype()))
    });
    Gradients::new(0.0, pairs.collect())
}

#[test]
fn a_gradient_that_is_not_finite_changes_no_parameter_no_moment_and_no_count() {
    fn refuses(rule: impl UpdateRule) {
        let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0, 2.0]));
        let mut optimizer = rule.over_parameters([a.clone(), b.clone()]).unwrap();
        optimizer.step(&gradients_of(&[(&a, [1.0, 2.0]), (&b, [3.0, 4.0])])).unwrap();
        let all = |optimizer: &Optimizer<_>| (bits(&optimizer.state_dict()), a.value(), b.value());
        let before = all(&optimizer);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let gradients = gradients_of(&[(&a, [1.0, 2.0]), (&b, [3.0, bad])]);
            let error = optimizer.step(&gradients).unwrap_err().to_string();
            assert!(error.starts_with("step: the gradient of `b` is not finite"), "{error}");
            assert_eq!(all(&optimizer), before);
        }
    }
    with_every_rule!(refuses);
}

#[test]
fn an_optimizer_goes_on_from_its_state_in_both_types_and_in_groups() {
    fn goes_on(rule: impl UpdateRule) {
        for dtype in [DType::F32, DType::F64] {
            let run = || {
                let [a, b] = [[0.5, -2.0], [3.0, 0.25]]
                    .map(|x| Parameter::new("p", Tensor::from(x).to_dtype(dtype)));
                let first = rule.clone().over_parameters([a.clone()]).unwrap();
                (first.and(rule.clone(), [b.clone()]).unwrap(), a, b)
            };
            let step = |(optimizer, a, b): &mut (Optimizer<_>, Parameter, Parameter), i: usize| {
                let x = i as f64;
                optimizer.step(&gradients_of(&[(a, [x - 2.0, 0.5]), (b, [1.0 / x, -x])])).unwrap();
            };
            let (mut whole, mut resumed) = (run(), run());
            (1..4).for_each(|i| step(&mut whole, i));
            whole.0.set_lr(0.05).unwrap();
            resumed.0.load_state_dict(&whole.0.state_dict()).unwrap();
            resumed.1.set(whole.1.value()).unwrap();
            resumed.2.set(whole.2.value()).unwrap();
            for i in 4..8 {
                step(&mut whole, i);
                step(&mut resumed, i);
            }
            assert_eq!([whole.1.value(), whole.2.value()], [resumed.1.value(), resumed.2.value()]);
            assert_eq!(bits(&whole.0.state_dict()), bits(&resumed.0.state_dict()));
            assert_eq!(resumed.0.lr(), 0.05);
        }
    }
    with_every_rule!(goes_on);
}

#[test]
fn a_count_of_steps_ends_at_its_largest_number() {
    fn ends(rule: impl UpdateRule) {
        let p = Parameter::new("p", [1.0, 2.0]);
        let mut optimizer = rule.over_parameters([p.clone()]).unwrap();
        let mut state = optimizer.state_dict();
        state.tensors.insert("0.0.p.step".to_owned(), Tensor::from(i64::from(i32::MAX)));
        optimizer.load_state_dict(&state).unwrap();
        (0..3).for_each(|_| optimizer.step(&gradients_of(&[(&p, [1.0, 1.0])])).unwrap());
        assert!(p.value().to_f64s().iter().all(|x| x.is_finite()));
    }
    with_every_rule!(ends);
}

#[test]
fn a_step_in_singles_is_near_that_in_doubles_whatever_the_rates_and_gradients() {
    fn near(rule: impl UpdateRule + std::fmt::Debug) {
        for gradient in [2.0, -1e-3, 1e3, 1e-6, 1e-18, 1e15, 0.0] {
            let [single, double] = [DType::F32, DType::F64].map(|dtype| {
                let p = Parameter::new("p", Tensor::from([1.0, -0.5]).to_dtype(dtype));
                let mut optimizer = rule.clone().over_parameters([p.clone()]).unwrap();
                for i in 1..=5 {
                    let pair = [gradient * f64::from(i), -gradient];
                    optimizer.step(&gradients_of(&[(&p, pair)])).unwrap();
                }
                p.value().to_f64s()
            });
            for (a, b) in single.iter().zip(&double) {
                let near = (a - b).abs() <= 2e-6 * b.abs().max(1.0);
                assert!(near, "{rule:?} with gradients of {gradient}: {a} and {b}");
            }
        }
    }
    let rates = [0.0, 0.5, 0.9, 0.999, 0.999_999, 0.999_999_99, 1.0 - 1e-12];
    for beta in rates {
        for other in rates {
            near(Adam { betas: [beta, other], ..Adam::default() });
            near(Adam { betas: [beta, other], amsgrad: true, maximize: true, ..Adam::default() });
        }
        let betas = [0.9, beta];
        near(AdamW { lr: 1e-6, weight_decay: 1e-2, betas, ..AdamW::default() });
        near(AdamW { weight_decay: 1e3, betas, ..AdamW::default() });
        near(RmsProp { lr: 1e-4, alpha: beta, eps: 1e-4, ..RmsProp::default() });
        near(Sgd { lr: 1e-4, momentum: beta, dampening: 1.0 - beta, ..Sgd::default() });
        near(Sgd { lr: 1e-4, momentum: 0.9, dampening: beta, ..Sgd::default() });
        near(Adagrad { lr_decay: beta, ..Adagrad::default() });
    }
}

#[test]
fn adam_keeps_betas_near_one_in_singles() {
    let p = Parameter::new("p", [1.0_f32, 1.0]);
    let adam = Adam { betas: [0.9, 0.999_999_99], ..Adam::default() };
    let mut adam = adam.over_parameters([p.clone()]).unwrap();
    (0..3).for_each(|_| adam.step(&gradients_of(&[(&p, [2.0, 2.0])])).unwrap());
    assert!((p.value().to_f64s()[0] - 0.997).abs() < 1e-6, "{:?}", p.value());
}

#[test]
fn without_an_eps_a_gradient_of_zero_moves_nothing() {
    fn stays(rule: impl UpdateRule) {
        let p = Parameter::new("p", [1.0, 2.0]);
        let mut optimizer = rule.over_parameters([p.clone()]).unwrap();
        (0..2).for_each(|_| optimizer.step(&gradients_of(&[(&p, [0.0, 1.0])])).unwrap());
        assert_eq!(p.value().to_f64s()[0], 1.0);
        assert!(p.value().to_f64s()[1] < 2.0);
    }
    stays(Adam { eps: 0.0, ..Adam::default() });
    stays(Adam { eps: 0.0, amsgrad: true, ..Adam::default() });
    stays(AdamW { eps: 0.0, weight_decay: 0.0, ..AdamW::default() });
    stays(RmsProp { eps: 0.0, ..RmsProp::default() });
    stays(Adagrad { eps: 0.0, ..Adagrad::default() });
}

#[test]
fn the_variance_of_a_constant_gradient_is_not_below_zero() {
    for (dtype, alpha) in [(DType::F32, 0.5), (DType::F32, 0.99), (DType::F64, 0.5)] {
        let p = Parameter::new("p", Tensor::from([1.0, 2.0]).to_dtype(dtype));
        let rule = RmsProp { lr: 1e-9, alpha, centered: true, ..RmsProp::default() };
        let mut optimizer = rule.over_parameters([p.clone()]).unwrap();
        for _ in 0..1500 {
            optimizer.step(&gradients_of(&[(&p, [0.1, 0.7])])).unwrap();
        }
        assert!(p.value().to_f64s().iter().all(|x| x.is_finite()), "{:?}", p.value());
    }
    let error = RmsProp { alpha: 1.5, ..RmsProp::default() }.check().unwrap_err();
    assert_eq!(error.to_string(), "rmsprop: alpha is 1.5, expected 0 or more, and below 1");
}

/// An encoder and a decoder with one weight.
struct Tied {
    encoder: Linear,
    decoder: Sequential,
}

crate::module!(Tied { encoder, decoder });

fn tied() -> Tied {
    let shared = Linear::of(Tensor::from([[1.0, 2.0]]), None);
    Tied { encoder: shared.clone(), decoder: Sequential::new().then(shared) }
}

#[test]
fn tied_weights_are_one_parameter_that_takes_one_step_and_counts_once() {
    let model = tied();
    let names: Vec<String> = model.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["encoder.weight"]);
    let weight = model.encoder.weight();
    let twice = [weight.clone(), weight.clone()];
    let sgd = Sgd { lr: 1.0, momentum: 0.5, ..Sgd::default() };
    let listed = |model: &Tied| sgd.over(model).unwrap();
    for mut optimizer in [listed(&model), sgd.over_parameters(twice).unwrap()] {
        weight.set(Tensor::from([[1.0, 2.0]])).unwrap();
        let gradients = vec![(weight.clone(), Tensor::from([[3.0, 4.0]]))];
        let mut gradients = Gradients::new(0.0, gradients);
        assert_eq!(clip_grad_norm(&mut gradients, 100.0, 2.0).unwrap(), 5.0);
        optimizer.step(&gradients).unwrap();
        assert_eq!(weight.value().to_f64s(), [-2.0, -2.0]);
    }
}

#[test]
fn a_parameter_in_two_groups_is_an_error_with_both_names() {
    let model = tied();
    let sgd = Sgd::default();
    let decoder = model.decoder.parameters().into_iter();
    let decoder = decoder.map(|(name, parameter)| (format!("decoder.{name}"), parameter));
    let error = sgd.over(&model).unwrap().and(sgd, decoder).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sgd: `decoder.0.weight` of group 1 is `encoder.weight` of group 0, too; a parameter is in \
         one group: leave it out of the other"
    );
    let weight = model.encoder.weight();
    assert!(sgd.over(&model).unwrap().and(sgd, [weight.clone()]).is_err());
}

#[test]
fn a_loss_that_is_nan_moves_nothing_though_its_gradient_is_0() {
    let model = tied();
    let before = model.encoder.weight().value();
    let zero = vec![(model.encoder.weight().clone(), Tensor::from([[0.0, 0.0]]))];
    let mut adamw = AdamW::default().over(&model).unwrap();
    let error = adamw.step(&Gradients::new(f64::NAN, zero)).unwrap_err();
    assert!(error.to_string().starts_with("step: the loss is NaN"), "{error}");
    // Neither its decay.
    assert_eq!(model.encoder.weight().value(), before);
}

#[test]
fn a_step_names_the_whole_path_of_a_parameter() {
    let model = tied();
    let weight = model.decoder.parameters()[0].1.clone();
    let nan = Gradients::new(0.0, vec![(weight.clone(), Tensor::from([[f64::NAN, 0.0]]))]);
    let sgd = Sgd::default();
    let name = |mut optimizer: Optimizer<Sgd>| {
        let error = optimizer.step(&nan).unwrap_err();
        let Error::NotFinite { parameter, .. } = error else { panic!("{error}") };
        parameter
    };
    assert_eq!(name(sgd.over(&model).unwrap()), "encoder.weight");
    assert_eq!(name(sgd.over(&model.decoder).unwrap()), "0.weight");
    let none: [Parameter; 0] = [];
    let first = || sgd.over_parameters(none.clone()).unwrap();
    assert_eq!(name(first().and(sgd, model.decoder.parameters()).unwrap()), "0.weight");
    assert_eq!(name(first().and(sgd, [weight.clone()]).unwrap()), "weight");
    assert_eq!(name(sgd.over(&weight).unwrap()), "weight");
}

fn gradient(parameter: &Parameter, values: [f64; 2]) -> Gradients {
    Gradients::new(0.0, vec![(parameter.clone(), Tensor::from(values))])
}

#[test]
fn a_parameter_without_a_gradient_stays() {
    let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0, 2.0]));
    let decaying = Sgd { lr: 0.5, weight_decay: 1.0, ..Sgd::default() };
    let mut sgd = decaying.over_parameters([a.clone(), b.clone()]).unwrap();
    sgd.step(&gradient(&a, [0.0, 2.0])).unwrap();
    assert_eq!(a.value().to_f64s(), [0.5, 0.0]);
    assert_eq!(b.value().to_f64s(), [1.0, 2.0]);
}

#[test]
fn a_gradient_that_is_not_finite_moves_nothing() {
    let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0, 2.0]));
    let mut adam = Adam::default().over_parameters([a.clone(), b.clone()]).unwrap();
    for bad in [f64::NAN, f64::INFINITY] {
        let gradients =
            vec![(a.clone(), Tensor::from([1.0, 1.0])), (b.clone(), Tensor::from([1.0, bad]))];
        let error = adam.step(&Gradients::new(0.0, gradients)).unwrap_err().to_string();
        assert!(error.starts_with("step: the gradient of `b` is not finite"), "{error}");
        assert_eq!(a.value().to_f64s(), [1.0, 2.0]);
    }
}

#[test]
fn a_step_leaves_tensors_that_others_hold_as_they_were() {
    let p = Parameter::new("p", [1.0, 2.0]);
    let held = p.value();
    let mut sgd = Sgd { lr: 1.0, ..Sgd::default() }.over_parameters([p.clone()]).unwrap();
    sgd.step(&gradient(&p, [1.0, 1.0])).unwrap();
    assert_eq!((held.to_f64s(), p.value().to_f64s()), (vec![1.0, 2.0], vec![0.0, 1.0]));
}

#[test]
fn a_step_beside_a_held_value_is_that_in_place_whatever_the_number_of_threads() {
    #[derive(Clone, Copy, PartialEq)]
    enum Held {
        ByNobody,
        ByACaller,
    }
    let n = 3 * PARALLEL + 5;
    let data = |k: f64| (0..n).map(|i| (i as f64 * k).sin()).collect::<Vec<f64>>();
    let run = |held: Held, threads: usize| {
        let p = Parameter::new("p", data(0.3));
        let mut adam = Adam::default().over_parameters([p.clone()]).unwrap();
        let gradients = Gradients::new(0.0, vec![(p.clone(), Tensor::from(data(0.7)))]);
        for _ in 0..3 {
            let held = (held == Held::ByACaller).then(|| p.value());
            threads::with(threads, || adam.step(&gradients)).unwrap();
            drop(held);
        }
        p.value().to_f64s()
    };
    let in_place = run(Held::ByNobody, 1);
    assert!(in_place == run(Held::ByACaller, 1) && in_place == run(Held::ByACaller, 2));
    assert!(in_place == run(Held::ByNobody, 7));
}

#[test]
fn gradients_in_any_order_go_to_their_parameters() {
    let all = [1.0, 2.0, 3.0, 4.0].map(|x| Parameter::new("p", [x, 0.0]));
    let mut sgd = Sgd { lr: 1.0, ..Sgd::default() }.over_parameters(all.clone()).unwrap();
    // That of the second is missing.
    let given = [3, 0, 2].map(|i| (all[i].clone(), Tensor::from([10.0 * i as f64, 0.0])));
    sgd.step(&Gradients::new(0.0, given.into())).unwrap();
    assert_eq!(all.map(|p| p.value().to_f64s()[0]), [1.0, 2.0, -17.0, -26.0]);
}

#[test]
fn buffers_of_held_values_are_reused_and_not_allocated_again() {
    let p = Parameter::new("p", [1.0, 2.0]);
    let mut sgd = Sgd::default().over_parameters([p.clone()]).unwrap();
    let mut addresses = Vec::new();
    for _ in 0..4 {
        let held = p.value();
        sgd.step(&gradient(&p, [1.0, 1.0])).unwrap();
        addresses.push(held.as_slice::<f64>().unwrap().as_ptr());
    }
    assert_eq!((addresses[0], addresses[1]), (addresses[2], addresses[3]));
}

/// The parameter, from 1, after each of two steps with gradient 1 and then 2.
fn two_steps(rule: impl UpdateRule) -> [f64; 2] {
    let p = Parameter::new("p", [1.0, 0.0]);
    let mut optimizer = rule.over_parameters([p.clone()]).unwrap();
    [1.0, 2.0].map(|g| {
        optimizer.step(&gradient(&p, [g, 0.0])).unwrap();
        p.value().to_f64s()[0]
    })
}

fn assert_near(got: [f64; 2], expected: [f64; 2]) {
    assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?}");
}

#[test]
fn sgd_steps_as_computed_by_hand() {
    let sgd = Sgd { lr: 0.1, ..Sgd::default() };
    assert_near(two_steps(sgd), [0.9, 0.7]);
    // The momentum is 1, then 0.5 · 1 + 2.
    assert_near(two_steps(Sgd { momentum: 0.5, ..sgd }), [0.9, 0.65]);
    // Nesterov moves by 1 + 0.5 · 1, then by 2 + 0.5 · 2.5.
    assert_near(two_steps(Sgd { momentum: 0.5, nesterov: true, ..sgd }), [0.85, 0.525]);
    // The gradient is 1 + 1, then 2 + 0.8.
    assert_near(two_steps(Sgd { weight_decay: 1.0, ..sgd }), [0.8, 0.52]);
    assert_near(two_steps(Sgd { maximize: true, ..sgd }), [1.1, 1.3]);
}

#[test]
fn adam_steps_as_computed_by_hand() {
    let adam = Adam { lr: 0.1, betas: [0.5, 0.5], eps: 0.0, ..Adam::default() };
    // First 1/√1; then m = 1.25/0.75 and v = 2.25/0.75.
    let second = (1.25 / 0.75) / (2.25_f64 / 0.75).sqrt();
    assert_near(two_steps(adam), [0.9, 0.9 - 0.1 * second]);
    // Decoupled, each step first takes a tenth of half away.
    let decoupled =
        AdamW { lr: 0.1, betas: [0.5, 0.5], eps: 0.0, weight_decay: 0.5, ..AdamW::default() };
    assert_near(two_steps(decoupled), [0.85, 0.85 * 0.95 - 0.1 * second]);
}

#[test]
fn groups_have_options_of_their_own() {
    let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0, 1.0]));
    let slow = Sgd { lr: 0.1, ..Sgd::default() };
    let fast = Sgd { lr: 1.0, ..Sgd::default() };
    let mut sgd = slow.over_parameters([a.clone()]).unwrap().and(fast, [b.clone()]).unwrap();
    let ones = Tensor::from([1.0, 1.0]);
    let both = vec![(a.clone(), ones.clone()), (b.clone(), ones)];
    sgd.step(&Gradients::new(0.0, both)).unwrap();
    assert_eq!((a.value().to_f64s()[0], b.value().to_f64s()[0]), (0.9, 0.0));
    assert!(sgd.set_lr(f64::NAN).is_err());
}
