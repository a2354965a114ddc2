//! Training steps, as a user would write them.

use std::hint::black_box;

use lossgraph_autograd::{Conv, Padding, Pool, Tape, Var};
use lossgraph_losses::{cross_entropy, triplet_margin};
use lossgraph_nn::{
    Activation, Adam, Conv2d, Flatten, Layer, Linear, MaxPool2d, Module, Optimizer, Sequential,
    Sgd, UpdateRule,
};
use lossgraph_tensor::Tensor;

use crate::data;
use crate::harness::Case;
use crate::op::{labels, tensor, uniform};

/// A linear layer with the rig's parameters.
pub fn linear(seed: u32, inputs: usize, outputs: usize) -> Linear {
    let (weight, bias) = data::layer(seed, outputs, inputs);
    Linear::of(tensor([outputs, inputs], weight), Some(tensor([outputs], bias)))
}

/// A convolution with the rig's parameters.
pub fn conv(seed: u32, inputs: usize, outputs: usize, padding: Padding<2>) -> Conv2d {
    let (weight, bias) = data::layer(seed, outputs, inputs * 9);
    let weight = tensor([outputs, inputs, 3, 3], weight);
    let options = Conv { padding, ..Conv::default() };
    Conv2d::of(weight, Some(tensor([outputs], bias)), options)
}

/// Times a training step after a warm-up of twenty; the loss of the twentieth is the check.
pub fn steps<M: Module + 'static, R: UpdateRule + 'static>(
    model: M,
    rule: R,
    loss: impl for<'t> Fn(&'t Tape, &M) -> Var<'t> + 'static,
) -> Case {
    let mut optimizer = rule.over(&model).expect("valid options");
    let mut step = move || {
        let tape = Tape::new();
        let gradients = loss(&tape, &model).backward().expect("a gradient");
        optimizer.step(&gradients).expect("finite gradients");
        gradients.loss()
    };
    let check = (0..20).map(|_| step()).last().unwrap_or(f64::NAN);
    Case::new(check, None, move || {
        black_box(step());
    })
}

/// Training steps with cross-entropy.
pub fn classifier<R: UpdateRule + 'static>(
    model: impl Layer + 'static,
    rule: R,
    x: Tensor,
    labels: Tensor,
) -> Case {
    steps(model, rule, move |tape, model| {
        cross_entropy(model.forward_train(tape.constant(&x)), tape.constant(&labels)).mean()
    })
}

pub fn mlp_tiny() -> Case {
    let model = Sequential::new()
        .then(linear(10, 64, 64))
        .then(Activation::Relu)
        .then(linear(12, 64, 64))
        .then(Activation::Relu)
        .then(linear(14, 64, 10));
    let sgd = Sgd { lr: 0.01, ..Sgd::default() };
    classifier(model, sgd, uniform(1, [32, 64], 1.0), labels(2, 32, 10))
}

pub fn mlp_mnist() -> Case {
    let model = Sequential::new()
        .then(linear(20, 784, 256))
        .then(Activation::Relu)
        .then(linear(22, 256, 10));
    let x = tensor([128, 784], data::unit(1, 128 * 784));
    classifier(model, Adam::default(), x, labels(2, 128, 10))
}

pub fn cnn() -> Case {
    const NONE: Padding<2> = Padding::Each([0, 0]);
    let pool = || MaxPool2d(Pool::new([2, 2]));
    let model = Sequential::new()
        .then(conv(30, 1, 8, NONE))
        .then(Activation::Relu)
        .then(pool())
        .then(conv(32, 8, 16, NONE))
        .then(Activation::Relu)
        .then(pool())
        .then(Flatten)
        .then(linear(34, 400, 10));
    let x = tensor([32, 1, 28, 28], data::unit(1, 32 * 28 * 28));
    let sgd = Sgd { lr: 0.01, ..Sgd::default() };
    classifier(model, sgd, x, labels(2, 32, 10))
}

pub fn embedding() -> Case {
    let model = Sequential::new()
        .then(linear(40, 64, 128))
        .then(Activation::Relu)
        .then(linear(42, 128, 32));
    let inputs = [44, 45, 46].map(|seed| uniform(seed, [96, 64], 1.0));
    steps(model, Adam::default(), move |tape, model| {
        let [anchor, positive, negative] =
            inputs.each_ref().map(|x| model.forward_train(tape.constant(x)));
        triplet_margin(anchor, positive, negative, 1.0).mean()
    })
}

/// One epoch of a new model: the mean loss of its batches.
fn epoch(x: &Tensor, y: &Tensor) -> f64 {
    const BATCH: usize = 32;
    let model =
        Sequential::new().then(linear(50, 64, 64)).then(Activation::Relu).then(linear(52, 64, 10));
    let mut adam: Optimizer<Adam> = Adam::default().over(&model).expect("valid options");
    let rows = x.shape()[0];
    let starts = (0..rows).step_by(BATCH);
    let count = starts.len();
    let sum: f64 = starts
        .map(|start| {
            let batch = |of: &Tensor| of.narrow(0, start, BATCH.min(rows - start)).expect("rows");
            let tape = Tape::new();
            let scores = model.forward_train(tape.constant(batch(x)));
            let loss = cross_entropy(scores, tape.constant(batch(y))).mean();
            let gradients = loss.backward().expect("a gradient");
            adam.step(&gradients).expect("finite gradients");
            gradients.loss()
        })
        .sum();
    sum / count as f64
}

pub fn digits() -> Case {
    let (x, y) = data::digits();
    let rows = y.len();
    let x = tensor([rows, 64], x);
    let y = Tensor::from(y.into_iter().map(|label| label as i64).collect::<Vec<i64>>());
    let check = epoch(&x, &y);
    Case::new(check, None, move || {
        black_box(epoch(&x, &y));
    })
}
