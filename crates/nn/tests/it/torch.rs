//! Layers with PyTorch's counterparts: a file with PyTorch's names and shapes is loaded, and what the layer
//! gives, and its slopes, are compared with PyTorch's numbers.

#[rustfmt::skip]
mod numbers;

use lossgraph_autograd::{AttentionMask, Conv, Padding, Tape, Var};
use lossgraph_nn::{
    Activation, AttentionMasks, Checkpoint, Conv1d, Embedding, Gru, Layer, Lstm, Mode, Module,
    MultiHead, MultiHeadAttention, NormOrder, Prelu, Recurrent, Rnn, Transformer, TransformerBlock,
    load,
};
use lossgraph_tensor::{DType, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What a layer of PyTorch gives where its parameters and inputs are patterns of numbers.
struct Case {
    parameters: &'static [(&'static str, &'static [usize])],
    inputs: &'static [&'static [usize]],
    /// The elements of all outputs.
    outputs: &'static [f64],
    /// For each input and parameter: its gradient times a pattern, added up.
    slopes: &'static [f64],
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

/// Eighths between −1 and 1.
fn pattern(seed: usize, shape: &[usize]) -> Tensor {
    let numbers = (0..shape.iter().product::<usize>())
        .map(|i| ((7 * i + 5 * seed + 3 * (i * i % 13)) % 17) as f64 - 8.0)
        .map(|eighths| eighths / 8.0);
    Tensor::from(numbers.collect::<Vec<f64>>()).reshape(shape).unwrap()
}

fn weighted(numbers: &Tensor, seed: usize) -> f64 {
    let weights = pattern(seed, numbers.shape()).to_f64s();
    numbers.to_f64s().into_iter().zip(weights).map(|(a, b)| a * b).sum()
}

fn assert_close(given: &[f64], expected: &[f64], what: &str) {
    assert_eq!(given.len(), expected.len(), "{what}");
    let apart = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-12 * (1.0 + b.abs());
    let apart_at = given.iter().zip(expected).position(apart);
    assert_eq!(apart_at, None, "{what}: {given:?}\nexpected {expected:?}");
}

/// Loads a file as PyTorch would have written it, and compares outputs and slopes.
fn compare<M: Module>(
    name: &str,
    case: Case,
    model: M,
    forward: impl for<'t> Fn(&M, &'t Tape, &[Var<'t>]) -> Vec<Var<'t>>,
) {
    let model = model.with_dtype(DType::F64);
    let tensors = case.parameters.iter().enumerate();
    let tensors = tensors.map(|(seed, &(name, shape))| (name.to_owned(), pattern(seed, shape)));
    let checkpoint = Checkpoint { tensors: tensors.collect(), ..Checkpoint::default() };
    let file = format!("lossgraph-torch-{name}-{}.safetensors", std::process::id());
    let path = std::env::temp_dir().join(file);
    checkpoint.write(&path).unwrap();
    load(&model, &path).unwrap();
    std::fs::remove_file(&path).unwrap();
    // In PyTorch's order, too.
    let parameters = model.parameters();
    let names: Vec<&str> = parameters.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names, case.parameters.iter().map(|p| p.0).collect::<Vec<_>>());

    let tape = Tape::f64();
    let inputs = case.inputs.iter().enumerate();
    let inputs: Vec<Var<'_>> =
        inputs.map(|(i, shape)| tape.variable(pattern(20 + i, shape))).collect();
    let outputs = forward(&model, &tape, &inputs);
    let given = outputs.iter().flat_map(|y| y.value().unwrap().to_f64s()).collect::<Vec<_>>();
    assert_close(&given, case.outputs, name);
    let terms = outputs.iter().enumerate();
    let terms = terms.map(|(i, &y)| (y * tape.constant(pattern(40 + i, &y.shape()))).sum(..));
    let gradients = terms.sum::<Var<'_>>().backward().unwrap();
    let of_inputs = inputs.iter().map(|&x| gradients.of(x).unwrap());
    let of_parameters = parameters.iter().map(|(_, p)| gradients.get(p).unwrap());
    let slopes = of_inputs.chain(of_parameters).enumerate();
    let slopes: Vec<f64> = slopes.map(|(i, slope)| weighted(slope, 60 + i)).collect();
    assert_close(&slopes, case.slopes, &format!("the slopes of {name}"));
}

const DEEP: Recurrent = Recurrent { layers: 2, bias: true, dropout: 0.0, bidirectional: true };

#[test]
fn a_recurrent_layer_is_pytorchs() {
    let model = Rnn::new(2, 3, &mut rng()).unwrap();
    compare("rnn", numbers::RNN, model, |model, _, x| {
        let (y, last) = model.forward_from(x[0], None, Mode::Train);
        vec![y, last]
    });
    let model = Rnn::with(2, 3, DEEP, &mut rng()).unwrap().with_relu();
    compare("rnn with relu", numbers::RNN_RELU_DEEP, model, |model, _, x| {
        let (y, last) = model.forward_from(x[0], Some(x[1]), Mode::Train);
        vec![y, last]
    });
}

#[test]
fn long_short_term_memory_is_pytorchs() {
    let model = Lstm::new(2, 3, &mut rng()).unwrap();
    compare("lstm", numbers::LSTM, model, |model, _, x| {
        let (y, [state, cell]) = model.forward_from(x[0], None, Mode::Train);
        vec![y, state, cell]
    });
    let model = Lstm::with(2, 2, DEEP, &mut rng()).unwrap();
    compare("deep lstm", numbers::LSTM_DEEP, model, |model, _, x| {
        let (y, [state, cell]) = model.forward_from(x[0], Some([x[1], x[2]]), Mode::Train);
        vec![y, state, cell]
    });
}

#[test]
fn a_gated_recurrent_unit_is_pytorchs() {
    let model = Gru::new(2, 3, &mut rng()).unwrap();
    compare("gru", numbers::GRU, model, |model, _, x| {
        let (y, last) = model.forward_from(x[0], None, Mode::Train);
        vec![y, last]
    });
    let model = Gru::with(2, 2, DEEP, &mut rng()).unwrap();
    compare("deep gru", numbers::GRU_DEEP, model, |model, _, x| {
        let (y, last) = model.forward_from(x[0], Some(x[1]), Mode::Train);
        vec![y, last]
    });
    let options = Recurrent { layers: 2, bias: false, ..Recurrent::default() };
    let model = Gru::with(2, 3, options, &mut rng()).unwrap();
    compare("gru of one example", numbers::GRU_OF_ONE_EXAMPLE, model, |model, _, x| {
        let (y, last) = model.forward_from(x[0], Some(x[1]), Mode::Train);
        vec![y, last]
    });
}

/// The masks of the script: no key that comes after, and not the last one of the first example.
fn masks(tape: &Tape) -> AttentionMasks<'_> {
    let padding = Some(tape.constant([[0, 0, 1], [0, 0, 0]]));
    AttentionMasks { attention: AttentionMask::Causal, padding }
}

#[test]
fn attention_with_several_heads_is_pytorchs() {
    let model = MultiHeadAttention::new(4, 2, &mut rng()).unwrap();
    compare("attention", numbers::ATTENTION, model, |model, _, x| vec![model.forward_train(x[0])]);
    let options = MultiHead { keys: Some(3), values: Some(5), ..MultiHead::default() };
    let model = MultiHeadAttention::with(4, 2, options, &mut rng()).unwrap();
    compare("attention across", numbers::ATTENTION_ACROSS, model, |model, _, x| {
        let mask = AttentionMask::Add(x[3]);
        vec![model.attend(x[0], x[1], x[2], mask, Mode::Train)]
    });
    let model = MultiHeadAttention::new(4, 4, &mut rng()).unwrap();
    compare("attention to another", numbers::ATTENTION_TO_ANOTHER, model, |model, _, x| {
        vec![model.attend(x[0], x[1], x[1], AttentionMask::None, Mode::Train)]
    });
}

#[test]
fn however_masks_are_given_attention_is_pytorchs() {
    let masked = |options: MultiHead, masks: for<'t> fn(&'t Tape) -> AttentionMasks<'t>| {
        let options = MultiHead { bias: false, ..options };
        let model = MultiHeadAttention::with(4, 2, options, &mut rng()).unwrap();
        compare("masked attention", numbers::ATTENTION_MASKED, model, move |model, tape, x| {
            vec![model.attend(x[0], x[0], x[0], masks(tape), Mode::Train)]
        });
    };
    let causal = MultiHead { causal: true, ..MultiHead::default() };
    let [plain, minus] = [MultiHead::default(), causal];
    masked(plain, masks);
    masked(minus, |tape| AttentionMasks { attention: AttentionMask::None, ..masks(tape) });
    masked(plain, |tape| {
        let before = tape.fill([3, 3], 2.0).tril(0);
        AttentionMasks { attention: AttentionMask::Keep(before), ..masks(tape) }
    });
    masked(plain, |tape| {
        let before = tape.fill([2, 1, 3, 3], 1.0).tril(0);
        let scores = before.select(0.0, f64::NEG_INFINITY);
        AttentionMasks { attention: AttentionMask::Add(scores), ..masks(tape) }
    });
    masked(minus, |tape| {
        let all = tape.fill([3, 3], 1.0);
        AttentionMasks { attention: AttentionMask::Keep(all), ..masks(tape) }
    });
    masked(minus, |tape| {
        let nothing = tape.fill([3, 3], 0.0);
        AttentionMasks { attention: AttentionMask::Add(nothing), ..masks(tape) }
    });
}

#[test]
fn a_transformer_block_is_pytorchs_with_norms_after_and_before() {
    let options = Transformer { hidden: 5, dropout: 0.0, ..Transformer::default() };
    let model = TransformerBlock::with(4, 2, options, &mut rng()).unwrap();
    compare("block", numbers::BLOCK_AFTER, model, |model, _, x| vec![model.forward_train(x[0])]);
    let options =
        Transformer { activation: Activation::Gelu, norm: NormOrder::Before, eps: 1e-3, ..options };
    let model = TransformerBlock::with(4, 2, options, &mut rng()).unwrap();
    compare("block with norms before", numbers::BLOCK_BEFORE, model, |model, tape, x| {
        vec![model.forward_masked(x[0], masks(tape), Mode::Train)]
    });
}

#[test]
fn an_embedding_a_convolution_and_a_prelu_are_pytorchs() {
    let model = Embedding::new(4, 3, &mut rng()).unwrap().with_padding(1).unwrap();
    compare("embedding", numbers::EMBEDDING, model, |model, tape, _| {
        vec![model.forward_train(tape.constant([[1, 0], [3, 1]]))]
    });
    let options = Conv { stride: [2], padding: Padding::Each([1]), dilation: [2], groups: 2 };
    let model = Conv1d::with(4, 6, [3], options, &mut rng()).unwrap();
    compare("conv1d", numbers::CONV1D, model, |model, _, x| vec![model.forward_train(x[0])]);
    let model = Prelu::new(3).unwrap();
    compare("prelu", numbers::PRELU, model, |model, _, x| vec![model.forward_train(x[0])]);
}

/// The least and the largest number of each parameter lie at the bounds that PyTorch draws within.
#[test]
fn parameters_begin_within_pytorchs_bounds() {
    let bounds = |model: &dyn Module, expected: &[(&str, f64)]| {
        let all = model.parameters();
        assert_eq!(all.len(), expected.len());
        for ((name, parameter), &(of, bound)) in all.iter().zip(expected) {
            let numbers = parameter.value().to_f64s();
            let most = numbers.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
            assert_eq!(name, of);
            assert!(
                most <= bound * (1.0 + 1e-6) && most >= 0.95 * bound,
                "{name}: {most}, {bound}"
            );
        }
    };
    let (xavier, fan_in) = ((6.0_f64 / 400.0).sqrt(), 0.1);
    let attention = [
        ("in_proj_weight", xavier),
        ("in_proj_bias", 0.0),
        ("out_proj.weight", fan_in),
        ("out_proj.bias", 0.0),
    ];
    bounds(&MultiHeadAttention::new(100, 2, &mut rng()).unwrap(), &attention);
    let recurrent =
        ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map(|name| (name, 0.1));
    bounds(&Rnn::new(40, 100, &mut rng()).unwrap(), &recurrent);
    bounds(&Lstm::new(40, 100, &mut rng()).unwrap(), &recurrent);
    bounds(&Gru::new(40, 100, &mut rng()).unwrap(), &recurrent);
    bounds(&Conv1d::new(20, 100, 5, &mut rng()).unwrap(), &[("weight", 0.1), ("bias", 0.1)]);
}
