//! Training steps of whole small models, made of layers as a user would make them.

use lossgraph_autograd::{Conv, Padding, Pool, Var};
use lossgraph_losses::cross_entropy;
use lossgraph_nn::{
    Activation, Adam, AdamW, BatchNorm, Conv2d, Embedding, Flatten, GlobalAvgPool, Gru, Layer,
    LayerNorm, LearnedPositions, Linear, MaxPool2d, Mode, Module, NormOrder, Residual, Sequential,
    Sgd, Transformer, TransformerBlock, module,
};
use lossgraph_tensor::Tensor;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::data;
use crate::harness::Case;
use crate::op::{labels, tensor, uniform};
use crate::training::{classifier, conv, linear, steps};

fn halved() -> MaxPool2d {
    MaxPool2d(Pool::new([2, 2]))
}

pub fn fashion_cnn() -> Case {
    let model = Sequential::new()
        .then(conv(60, 1, 32, Padding::Same))
        .then(Activation::Relu)
        .then(halved())
        .then(conv(62, 32, 64, Padding::Same))
        .then(Activation::Relu)
        .then(halved())
        .then(Flatten)
        .then(linear(64, 3136, 128))
        .then(Activation::Relu)
        .then(linear(66, 128, 10));
    let x = tensor([64, 1, 28, 28], data::unit(1, 64 * 28 * 28));
    classifier(model, Adam::default(), x, labels(2, 64, 10))
}

/// Two convolutions of as many channels, with norms, around which the input goes.
fn residual(seed: u32, channels: usize) -> Sequential {
    let convolved = |seed: u32| {
        let (weight, _) = data::layer(seed, channels, channels * 9);
        let same = Conv { padding: Padding::Same, ..Conv::default() };
        Sequential::new()
            .then(Conv2d::of(tensor([channels, channels, 3, 3], weight), None, same))
            .then(BatchNorm::new(channels).expect("channels"))
    };
    let inner =
        Sequential::new().then(convolved(seed)).then(Activation::Relu).then(convolved(seed + 2));
    Sequential::new().then(Residual::new(inner)).then(Activation::Relu)
}

pub fn resnet() -> Case {
    let model = Sequential::new()
        .then(conv(70, 3, 16, Padding::Same))
        .then(Activation::Relu)
        .then(residual(74, 16))
        .then(halved())
        .then(residual(78, 16))
        .then(GlobalAvgPool)
        .then(linear(72, 16, 10));
    let x = tensor([32, 3, 32, 32], data::unit(1, 32 * 3 * 32 * 32));
    let sgd = Sgd { lr: 0.05, momentum: 0.9, ..Sgd::default() };
    classifier(model, sgd, x, labels(2, 32, 10))
}

/// Gives the parameters of a layer the rig's values.
fn set(layer: &impl Module, values: impl IntoIterator<Item = (&'static str, Vec<f32>)>) {
    let parameters = layer.parameters();
    for (name, value) in values {
        let (_, parameter) = parameters.iter().find(|(of, _)| of == name).expect("a parameter");
        let value = Tensor::from(value).reshape(parameter.shape()).expect("as many numbers");
        parameter.set(value).expect("the same shape");
    }
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

/// A classifier of sequences by the state after the last step.
struct LastState {
    gru: Gru,
    head: Linear,
}

module!(LastState { gru, head });

impl Layer for LastState {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        let (_, last) = self.gru.forward_from(x, None, mode);
        self.head.forward_in(last.index(0, -1), mode)
    }
}

pub fn gru() -> Case {
    let gru = Gru::new(32, 128, &mut rng()).expect("a state");
    let ((weight_ih, bias_ih), (weight_hh, bias_hh)) =
        (data::layer(80, 384, 32), data::layer(82, 384, 128));
    set(&gru, [("weight_ih_l0", weight_ih), ("weight_hh_l0", weight_hh)]);
    set(&gru, [("bias_ih_l0", bias_ih), ("bias_hh_l0", bias_hh)]);
    let model = LastState { gru, head: linear(84, 128, 10) };
    classifier(model, Adam::default(), uniform(1, [32, 32, 32], 1.0), labels(2, 32, 10))
}

fn block(seed: u32, width: usize) -> TransformerBlock {
    let options = Transformer {
        hidden: 4 * width,
        dropout: 0.0,
        activation: Activation::Gelu,
        norm: NormOrder::Before,
        causal: true,
        ..Transformer::default()
    };
    let block = TransformerBlock::with(width, 4, options, &mut rng()).expect("heads of 16");
    let sizes = [
        ("self_attn.in_proj_weight", "self_attn.in_proj_bias", 3 * width, width),
        ("self_attn.out_proj.weight", "self_attn.out_proj.bias", width, width),
        ("linear1.weight", "linear1.bias", 4 * width, width),
        ("linear2.weight", "linear2.bias", width, 4 * width),
    ];
    for (i, (weight_name, bias_name, outputs, inputs)) in (0..).zip(sizes) {
        let (weight, bias) = data::layer(seed + 2 * i, outputs, inputs);
        set(&block, [(weight_name, weight), (bias_name, bias)]);
    }
    block
}

pub fn gpt() -> Case {
    const WIDTH: usize = 64;
    const PLACES: usize = 64;
    let model = Sequential::new()
        .then(Embedding::of(uniform(100, [64, WIDTH], 0.1)))
        .then(LearnedPositions::of(uniform(101, [PLACES, WIDTH], 0.1)))
        .then(block(102, WIDTH))
        .then(block(110, WIDTH))
        .then(LayerNorm::new(&[WIDTH]).expect("features"))
        .then(linear(118, WIDTH, 64));
    let text = labels(1, 8 * (PLACES + 1), 64).reshape([8, PLACES + 1]).expect("lines");
    let of = |from: usize| text.narrow(1, from, PLACES).expect("tokens");
    let (tokens, next) = (of(0), of(1).reshape([8 * PLACES]).expect("a list"));
    let adam = AdamW { lr: 1e-3, weight_decay: 0.01, ..AdamW::default() };
    steps(model, adam, move |tape, model| {
        let scores = model.forward_train(tape.constant(&tokens));
        cross_entropy(scores.reshape([8 * PLACES, 64]), tape.constant(&next)).mean()
    })
}
