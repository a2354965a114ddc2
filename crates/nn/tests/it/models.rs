//! What programs do with whole models: threads, checks, meta-learning, micro-batches, doubles.

use lossgraph_autograd::{ConvTranspose, Parameter, Pool, Tape, Var};
use lossgraph_check::check;
use lossgraph_nn::{
    Activation, Adam, AdaptiveAvgPool2d, AvgPool2d, BatchNorm, Conv2d, ConvTranspose2d, Dropout,
    Flatten, GlobalAvgPool, GlobalMaxPool, GroupNorm, Init, Layer, LayerNorm, Linear, MaxPool2d,
    Mlp, Mode, Module, Prelu, Residual, RmsNorm, Sequential, Sgd, Softmax, UpdateRule,
    copy_parameters, functional_call,
};
use lossgraph_tensor::{DType, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn mlp(sizes: &[usize], seed: u64) -> Mlp {
    Mlp::with(sizes, Activation::Tanh, None, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

#[test]
fn a_model_trains_in_a_thread_and_answers_in_others() {
    let model = Sequential::new().then(mlp(&[2, 4, 1], 0)).then(Activation::Sigmoid);
    let loss = |model: &Sequential| {
        let tape = Tape::new();
        let x = tape.constant([[0.0, 1.0], [1.0, 0.0]]);
        let y = tape.constant([[1.0], [0.0]]);
        (model.forward_train(x) - y).square().mean(..).backward().unwrap()
    };
    let before = loss(&model).loss();
    let trained = std::thread::spawn(move || {
        let mut optimizer = Sgd { lr: 1.0, ..Sgd::default() }.over(&model).unwrap();
        for _ in 0..20 {
            optimizer.step(&loss(&model)).unwrap();
        }
        model
    });
    let model = trained.join().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert!(loss(&model).loss() < 0.5 * before));
        }
    });
}

#[test]
fn the_checker_takes_a_model() {
    let model = mlp(&[3, 4, 2], 1).with_dtype(DType::F64);
    let x = Tensor::from([[0.5, -0.25, 1.0], [0.125, 2.0, -1.5]]);
    let report = check(|_, x| model.forward(x[0]).square().mean(..), &[x]).unwrap();
    assert!(report.passed(), "{report}");
}

#[test]
fn the_checker_takes_the_parameters_of_a_model() {
    let model = mlp(&[2, 3, 1], 1).with_dtype(DType::F64);
    let (names, values): (Vec<String>, Vec<Tensor>) =
        model.parameters().into_iter().map(|(name, p)| (name, p.value())).unzip();
    let report = check(
        |tape, values| {
            let given: Vec<(&String, Var<'_>)> = names.iter().zip(values.iter().copied()).collect();
            let x = tape.constant([[0.5, -0.25], [0.125, 2.0]]);
            functional_call(&model, &given, x, Mode::Train).square().mean(..)
        },
        &values,
    )
    .unwrap();
    assert!(report.passed(), "{report}");
}

/// The loss of a query after one step of descent on a support set, as MAML has it.
fn meta_loss<'t>(tape: &'t Tape, model: &Mlp) -> Var<'t> {
    let data = |x: [[f64; 1]; 3]| tape.constant(x);
    let (x, y) = (data([[0.0], [0.5], [-1.0]]), data([[0.25], [1.0], [-0.5]]));
    let (query_x, query_y) = (data([[0.75], [-0.25], [1.5]]), data([[0.5], [0.0], [2.0]]));
    let own: Vec<(String, Var<'t>)> =
        model.parameters().into_iter().map(|(name, p)| (name, tape.parameter(&p))).collect();
    let parameters: Vec<Var<'t>> = own.iter().map(|(_, var)| *var).collect();
    let support = (model.forward_train(x) - y).square().mean(..);
    let gradients = tape.grad(support, &parameters);
    let adapted = own.iter().zip(gradients).map(|((name, w), g)| (name, *w - 0.3 * g));
    let adapted: Vec<(&String, Var<'t>)> = adapted.collect();
    (functional_call(model, &adapted, query_x, Mode::Train) - query_y).square().mean(..)
}

#[test]
fn a_step_of_training_is_differentiated_as_differences_say() {
    let model = mlp(&[1, 3, 1], 2).with_dtype(DType::F64);
    let tape = Tape::f64();
    let gradients = meta_loss(&tape, &model).backward().unwrap();
    let loss = || meta_loss(&Tape::f64(), &model).item().unwrap();
    let eps = 1e-5;
    for (name, parameter) in model.parameters() {
        let gradient = gradients.get(&parameter).unwrap().to_f64s();
        for (i, slope) in gradient.into_iter().enumerate() {
            let [up, down] = [eps, -eps].map(|by| {
                let move_by = |by: f64| {
                    parameter.update(|value| value.as_mut_slice::<f64>().unwrap()[i] += by);
                };
                move_by(by);
                let moved = loss();
                move_by(-by);
                moved
            });
            let numeric = (up - down) / (2.0 * eps);
            assert!((slope - numeric).abs() < 1e-8, "{name}[{i}]: {slope} and {numeric}");
        }
    }
}

#[test]
fn a_step_of_training_needs_the_second_derivative() {
    // With first derivatives alone, the meta-gradient would be that of the query loss at the adapted
    // parameters: it is not.
    let model = mlp(&[1, 3, 1], 2).with_dtype(DType::F64);
    let tape = Tape::f64();
    let weight = &model.parameters()[0].1;
    let exact = meta_loss(&tape, &model).backward().unwrap().get(weight).unwrap().to_f64s();
    let adapted = mlp(&[1, 3, 1], 3).with_dtype(DType::F64);
    copy_parameters(&model, &adapted).unwrap();
    let tape = Tape::f64();
    let x = tape.constant([[0.0], [0.5], [-1.0]]);
    let y = tape.constant([[0.25], [1.0], [-0.5]]);
    let support = (adapted.forward_train(x) - y).square().mean(..).backward().unwrap();
    Sgd { lr: 0.3, ..Sgd::default() }.over(&adapted).unwrap().step(&support).unwrap();
    let tape = Tape::f64();
    let x = tape.constant([[0.75], [-0.25], [1.5]]);
    let y = tape.constant([[0.5], [0.0], [2.0]]);
    let query = (adapted.forward_train(x) - y).square().mean(..).backward().unwrap();
    let first_order = query.get(&adapted.parameters()[0].1).unwrap().to_f64s();
    let difference = exact.iter().zip(&first_order).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(difference > 1e-3, "{exact:?} and {first_order:?}");
}

#[test]
fn micro_batches_give_the_gradient_of_the_whole_batch() {
    let model = mlp(&[3, 4, 2], 4);
    let data =
        Tensor::from([[1.0, 2.0, 3.0], [0.5, -1.0, 0.25], [-2.0, 0.0, 1.0], [1.5, 1.0, 0.0]]);
    let gradients = |first: usize, count: usize| {
        let tape = Tape::new();
        let x = tape.constant(data.narrow(0, first, count).unwrap());
        model.forward_train(x).square().mean(..).backward().unwrap()
    };
    let mut mean = gradients(0, 2);
    mean.accumulate(&gradients(2, 2)).unwrap();
    mean.scale(0.5);
    let whole = gradients(0, 4);
    assert!((mean.loss() - whole.loss()).abs() < 1e-6);
    for (name, parameter) in model.parameters() {
        let [a, b] = [&mean, &whole].map(|g| g.get(&parameter).unwrap());
        assert!(a.allclose(b, 1e-6, 1e-7), "{name}: {a:?} and {b:?}");
    }
}

#[test]
fn a_model_of_doubles_trains_with_every_layer() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let layer = Linear::with(2, 4, Init::XavierNormal, &mut rng).unwrap();
    let norm = BatchNorm::new(4).unwrap().with_momentum(0.5).unwrap();
    let model = Sequential::new().then(layer).then(norm).with_dtype(DType::F64);
    let mut optimizer = Adam::default().over(&model).unwrap();
    let tape = Tape::f64();
    let y = model.forward_train(tape.constant([[1.0, 2.0], [3.0, -1.0]]));
    optimizer.step(&(y * y * y).sum(..).backward().unwrap()).unwrap();
    let values = model.parameters().into_iter().chain(model.buffers()).map(|(_, p)| p.value());
    assert!(values.into_iter().all(|value| value.dtype() == DType::F64));
}

#[test]
fn a_model_of_doubles_is_drawn_in_doubles_and_one_of_singles_as_before() {
    type Make = fn(&mut ChaCha8Rng) -> Box<dyn Layer>;
    let models: [Make; 4] = [
        |rng| Box::new(Linear::new(3, 4, rng).unwrap()),
        |rng| Box::new(Linear::with(3, 4, Init::XavierNormal, rng).unwrap()),
        |rng| Box::new(Conv2d::new(2, 3, 3, rng).unwrap()),
        |rng| Box::new(Mlp::new(&[3, 4, 2], rng).unwrap()),
    ];
    for make in models {
        let model = || make(&mut ChaCha8Rng::seed_from_u64(7));
        let pairs =
            model().with_dtype(DType::F64).parameters().into_iter().zip(model().parameters());
        for ((name, double), (_, single)) in pairs {
            let (double, single) = (double.value(), single.value());
            assert_eq!(double.to_dtype(DType::F32), single, "{name}");
            assert_ne!(double, single.to_dtype(DType::F64), "{name}");
        }
    }
    // The numbers that singles had before there were doubles.
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let weight = Init::FanIn.draw(&[4, 3], DType::F32, &mut rng).unwrap();
    let linear = Linear::new(3, 4, &mut ChaCha8Rng::seed_from_u64(7)).unwrap();
    assert_eq!(linear.weight().value(), weight);
    // What has changed since has the digits that it has.
    linear.weight().set(weight.clone()).unwrap();
    assert_eq!(linear.with_dtype(DType::F64).weight().value(), weight.to_dtype(DType::F64));
}

#[test]
fn a_batch_of_none_has_the_shape_of_any_other_and_slopes_of_0() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let wide = ConvTranspose { stride: [2, 2], ..ConvTranspose::default() };
    let mut image: Vec<Box<dyn Layer>> = vec![
        Box::new(Conv2d::new(2, 3, 3, &mut rng).unwrap()),
        Box::new(MaxPool2d(Pool::new([2, 2]))),
        Box::new(AvgPool2d(Pool::new([2, 2]))),
        Box::new(Flatten),
        Box::new(LayerNorm::new(&[6, 6]).unwrap()),
        Box::new(GroupNorm::new(1, 2).unwrap()),
        Box::new(RmsNorm::new(&[6, 6]).unwrap()),
        Box::new(ConvTranspose2d::with(2, 3, [3, 3], wide, &mut rng).unwrap()),
        Box::new(Activation::Gelu),
        Box::new(Dropout::new(0.5, 1).unwrap()),
        Box::new(AdaptiveAvgPool2d([2, 2])),
        Box::new(GlobalAvgPool),
        Box::new(GlobalMaxPool),
        Box::new(Prelu::new(2).unwrap()),
        Box::new(Residual::new(LayerNorm::new(&[6]).unwrap())),
        Box::new(Softmax(1)),
    ];
    let flat = Sequential::new().then(Flatten).then(Linear::new(72, 4, &mut rng).unwrap());
    image.push(Box::new(flat));
    for (i, layer) in image.into_iter().enumerate() {
        for mode in [Mode::Train, Mode::Evaluate] {
            let tape = Tape::new();
            let shape = |batch| layer.forward_in(tape.fill([batch, 2, 6, 6], 1.0), mode).shape();
            let (none, some) = (shape(0), shape(5));
            assert_eq!((none[0], &none[1..]), (0, &some[1..]), "layer {i}");
            let y = layer.forward_in(tape.fill([0, 2, 6, 6], 1.0), mode);
            assert_eq!(*y.value().unwrap().shape(), none, "layer {i}");
            if !layer.parameters().is_empty() {
                let gradients = y.sum(..).backward().unwrap();
                assert!(layer.parameters().iter().all(|(_, p)| {
                    gradients.get(p).unwrap().to_f64s().iter().all(|&slope| slope == 0.0)
                }));
            }
        }
    }
}

#[test]
fn a_parameter_of_ones_own_is_a_model() {
    let w = Parameter::new("w", 4.0);
    let mut optimizer = Sgd { lr: 0.5, ..Sgd::default() }.over(&w).unwrap();
    let tape = Tape::f64();
    optimizer.step(&tape.parameter(&w).square().backward().unwrap()).unwrap();
    assert_eq!(w.value().item().unwrap(), 0.0);
}

#[cfg(feature = "serde")]
#[test]
fn configurations_come_back_from_json() {
    let adam = Adam { lr: 0.5, amsgrad: true, ..Adam::default() };
    let text = serde_json::to_string(&adam).unwrap();
    assert_eq!(serde_json::from_str::<Adam>(&text).unwrap(), adam);
    assert_eq!(serde_json::from_str::<Adam>(r#"{"lr": 0.5, "amsgrad": true}"#).unwrap(), adam);
    let text = serde_json::to_string(&(Activation::Elu(2.0), Init::KaimingNormal)).unwrap();
    assert_eq!(text, r#"[{"Elu":2.0},"KaimingNormal"]"#);
    assert_eq!(
        serde_json::from_str::<(Activation, Init)>(&text).unwrap(),
        (Activation::Elu(2.0), Init::KaimingNormal)
    );
}
