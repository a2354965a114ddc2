//! Errors of layers name the line of the program that called the layer.

use std::sync::Arc;

use lossgraph_autograd::{ConvTranspose, Pool, Tape, Var};
use lossgraph_nn::{
    Activation, AdaptiveAvgPool2d, AvgPool2d, BatchNorm, Conv1d, Conv2d, ConvTranspose1d,
    ConvTranspose2d, Dropout, Embedding, Flatten, GlobalAvgPool, GlobalMaxPool, GroupNorm, Gru,
    Layer, LayerNorm, LearnedPositions, Linear, Lstm, MaxPool1d, MaxPool2d, Mlp, Mode,
    MultiHeadAttention, Prelu, Residual, RmsNorm, Rnn, Sequential, SinusoidalPositions, Softmax,
    TransformerBlock, functional_call, module,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

fn linear() -> Linear {
    Linear::new(4, 8, &mut rng()).unwrap()
}

fn transposed() -> ConvTranspose2d {
    ConvTranspose2d::with(3, 4, [2, 2], ConvTranspose::default(), &mut rng()).unwrap()
}

fn transposed_of_sequences() -> ConvTranspose1d {
    ConvTranspose1d::with(3, 4, [2], ConvTranspose::default(), &mut rng()).unwrap()
}

fn assert_line(y: Var<'_>, line: u32, what: &str) {
    let error = y.value().unwrap_err();
    let place = format!("{}:{line}", file!());
    assert!(error.location().is_some_and(|at| at == place), "{what}, at {place}:\n{error:?}");
}

/// Every layer that can refuse an input, with one that it refuses.
fn refusals(tape: &Tape) -> Vec<(&'static str, Box<dyn Layer>, Var<'_>)> {
    let (vectors, scalar) = (tape.fill([5, 3], 1.0), tape.fill((), 1.0));
    vec![
        ("linear", Box::new(linear()), vectors),
        ("linear of a scalar", Box::new(linear()), scalar),
        ("conv2d", Box::new(Conv2d::new(3, 4, 3, &mut rng()).unwrap()), vectors),
        ("max_pool2d", Box::new(MaxPool2d(Pool::new([2, 2]))), scalar),
        ("avg_pool2d", Box::new(AvgPool2d(Pool::new([9, 9]))), vectors),
        ("layer_norm", Box::new(LayerNorm::new(&[4]).unwrap()), vectors),
        ("group_norm", Box::new(GroupNorm::new(2, 4).unwrap()), vectors),
        ("rms_norm", Box::new(RmsNorm::new(&[4]).unwrap()), vectors),
        ("conv_transpose1d", Box::new(transposed_of_sequences()), scalar),
        ("conv_transpose2d", Box::new(transposed()), vectors),
        ("batch_norm", Box::new(BatchNorm::new(4).unwrap()), vectors),
        ("batch_norm of a vector", Box::new(BatchNorm::new(4).unwrap()), scalar),
        ("mlp", Box::new(Mlp::new(&[4, 8, 2], &mut rng()).unwrap()), vectors),
        ("conv1d", Box::new(Conv1d::new(3, 4, 3, &mut rng()).unwrap()), scalar),
        ("max_pool1d", Box::new(MaxPool1d(Pool::new([9]))), vectors),
        ("adaptive_avg_pool2d", Box::new(AdaptiveAvgPool2d([1, 1])), scalar),
        ("global_avg_pool", Box::new(GlobalAvgPool), vectors),
        ("global_max_pool", Box::new(GlobalMaxPool), scalar),
        ("embedding", Box::new(Embedding::new(3, 4, &mut rng()).unwrap()), vectors),
        ("learned", Box::new(LearnedPositions::new(9, 4, &mut rng()).unwrap()), vectors),
        ("sinusoidal", Box::new(SinusoidalPositions::new(4, 3).unwrap()), vectors),
        ("prelu", Box::new(Prelu::new(4).unwrap()), vectors),
        ("softmax", Box::new(Softmax(2)), vectors),
        ("rnn", Box::new(Rnn::new(4, 3, &mut rng()).unwrap()), vectors),
        ("lstm", Box::new(Lstm::new(4, 3, &mut rng()).unwrap()), scalar),
        ("gru", Box::new(Gru::new(4, 3, &mut rng()).unwrap()), vectors),
        ("attention", Box::new(MultiHeadAttention::new(4, 2, &mut rng()).unwrap()), vectors),
        ("block", Box::new(TransformerBlock::new(4, 2, &mut rng()).unwrap()), vectors),
        ("residual", Box::new(Residual::new(linear())), tape.fill([5, 4], 1.0)),
        ("sequential", Box::new(Sequential::new().then(Flatten).then(linear())), vectors),
    ]
}

#[test]
fn a_wrong_input_is_an_error_of_the_line_that_called_the_layer() {
    let tape = Tape::new();
    for (name, layer, x) in refusals(&tape) {
        assert_line(layer.forward(x), line!(), name);
        assert_line(layer.forward_train(x), line!(), name);
        assert_line(layer.forward_in(x, Mode::Train), line!(), name);
        let layer: &dyn Layer = &*layer;
        assert_line(layer.forward(x), line!(), name);
        let none: [(&str, Var<'_>); 0] = [];
        assert_line(functional_call(layer, &none, x, Mode::Train), line!(), name);
        assert_line(functional_call(layer, &none, x, Mode::Evaluate), line!(), name);
    }
}

#[test]
fn layers_of_known_type_know_their_line_however_they_are_called() {
    let tape = Tape::new();
    let x = tape.fill([5, 3], 1.0);
    let layer = linear();
    assert_line(layer.forward(x), line!(), "forward");
    assert_line(layer.record(x, Mode::Train), line!(), "record");
    assert_line(Arc::new(layer.clone()).forward(x), line!(), "behind a pointer");
    assert_line(Layer::forward_train(&&layer, x), line!(), "behind a reference");
}

#[test]
fn nodes_of_layers_have_the_line_of_their_call() {
    let tape = Tape::new();
    let x = tape.fill([2, 4], 1.0);
    let layers: [Box<dyn Layer>; 5] = [
        Box::new(Activation::Gelu),
        Box::new(Activation::Elu(2.0)),
        Box::new(Flatten),
        Box::new(Dropout::new(0.5, 0).unwrap()),
        Box::new(Sequential::new().then(linear()).then(Activation::Silu)),
    ];
    for layer in layers {
        let first = tape.len();
        let _ = layer.forward_train(x);
        let line = line!() - 1;
        for id in first..tape.len() {
            let location = tape.node(id).unwrap().location;
            assert_eq!((location.file(), location.line()), (file!(), line));
        }
    }
}

#[test]
fn a_perceptron_says_which_shapes_do_not_fit_and_where() {
    let tape = Tape::new();
    let model = Mlp::new(&[4, 8, 2], &mut rng()).unwrap();
    let line = line!() + 1;
    let error = model.forward(tape.fill([5, 3], 1.0)).value().unwrap_err();
    let (file, text) = (file!(), error.to_string());
    let expected = format!(
        "linear: input [5, 3] and weight [8, 4]: the input's last axis must have length 4, at \
         {file}:{line} in mlp (from {file}:{line})"
    );
    assert_eq!(text, expected);
}

/// A layer of one's own, with ops and with layers.
struct Own {
    inner: Linear,
}

module!(Own { inner });

/// Where it calls its layer, and where it records an op.
const CALL: u32 = line!() + 6;
const OP: u32 = CALL + 2;

impl Layer for Own {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        if x.rank() == 2 {
            return self.inner.forward_in(x, mode);
        }
        x.sum(7)
    }
}

#[test]
fn a_layer_of_ones_own_keeps_its_lines_inside_of_others() {
    let tape = Tape::new();
    let own = || Own { inner: linear() };
    let models: [Box<dyn Layer>; 2] =
        [Box::new(Sequential::new().then(own())), Box::new(Residual::new(own()))];
    for model in models {
        assert_line(model.forward(tape.fill([5, 3], 1.0)), CALL, "a layer inside");
        assert_line(model.forward(tape.fill([5], 1.0)), OP, "an op inside");
    }
}
