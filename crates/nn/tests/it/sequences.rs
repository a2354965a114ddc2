//! Layers over sequences: recurrent ones, attention, transformer blocks, places.

use lossgraph_autograd::{AttentionMask, Tape, Var};
use lossgraph_check::check;
use lossgraph_nn::{
    AttentionMasks, Conv1d, Gru, Layer, LearnedPositions, Lstm, Mode, Module, MultiHead,
    MultiHeadAttention, Recurrent, Rnn, SinusoidalPositions, Softmax, Transformer,
    TransformerBlock, functional_call,
};
use lossgraph_tensor::{DType, Shape, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

fn gru(inputs: usize, hidden: usize) -> Gru {
    Gru::new(inputs, hidden, &mut rng()).unwrap()
}

fn attention(width: usize, heads: usize) -> MultiHeadAttention {
    MultiHeadAttention::new(width, heads, &mut rng()).unwrap()
}

fn error(y: Var<'_>) -> String {
    y.value().unwrap_err().to_string()
}

/// Layers that keep `[batch, time, 4]` or change the last axis.
fn layers() -> Vec<(&'static str, Box<dyn Layer>)> {
    let both = Recurrent { layers: 2, bidirectional: true, dropout: 0.5, ..Recurrent::default() };
    let block = Transformer { hidden: 8, ..Transformer::default() };
    vec![
        ("rnn", Box::new(Rnn::new(4, 3, &mut rng()).unwrap())),
        ("lstm", Box::new(Lstm::with(4, 3, both, &mut rng()).unwrap())),
        ("gru", Box::new(Gru::with(4, 3, both, &mut rng()).unwrap())),
        ("attention", Box::new(attention(4, 2))),
        ("block", Box::new(TransformerBlock::with(4, 2, block, &mut rng()).unwrap())),
        ("learned positions", Box::new(LearnedPositions::new(9, 4, &mut rng()).unwrap())),
        ("sinusoidal positions", Box::new(SinusoidalPositions::new(9, 4).unwrap())),
        ("softmax", Box::new(Softmax(-1))),
    ]
}

#[test]
fn nodes_and_large_values_are_as_many_a_step_for_any_number_of_steps() {
    /// The nodes of a program, and how many that its gradients read are as large as the sequence.
    fn count(layer: &dyn Layer, steps: usize) -> [usize; 2] {
        let tape = Tape::new();
        let x = tape.variable(Tensor::zeros([1, steps, 2], DType::F32).unwrap());
        let loss = layer.forward(x).square().sum(..);
        let mut inputs = vec![x];
        inputs.extend(layer.parameters().iter().map(|(_, p)| tape.parameter(p)));
        let gradients = tape.grad(loss, &inputs);
        let (mut read, mut large) = (vec![false; tape.len()], 0);
        gradients.iter().for_each(|gradient| read[gradient.number()] = true);
        for id in (0..read.len()).rev() {
            if read[id] {
                let node = tape.node(id).unwrap();
                large += usize::from(node.shape.numel() >= 2 * steps);
                node.inputs.into_iter().for_each(|input| read[input] = true);
            }
        }
        [tape.len(), large]
    }
    let deep = Recurrent { layers: 2, bidirectional: true, ..Recurrent::default() };
    let layers: [Box<dyn Layer>; 3] = [
        Box::new(Rnn::with(2, 2, deep, &mut rng()).unwrap()),
        Box::new(Lstm::with(2, 2, deep, &mut rng()).unwrap()),
        Box::new(Gru::with(2, 2, deep, &mut rng()).unwrap()),
    ];
    for layer in layers {
        let [few, more, most] = [100, 200, 400].map(|steps| count(&*layer, steps));
        assert_eq!(most[0] - more[0], 2 * (more[0] - few[0]), "{:?}", [few, more, most]);
        // Were the gradient of each step as large as the sequence, time would be quadratic.
        assert_eq!([more[1], most[1]], [few[1]; 2]);
    }
}

#[test]
fn a_step_at_a_time_gives_what_the_whole_sequence_gives() {
    let tape = Tape::f64();
    let x = tape.constant(Tensor::randn([2, 5, 3], DType::F64, &mut rng()).unwrap());
    let lstm = Lstm::with(3, 4, Recurrent { layers: 2, ..Recurrent::default() }, &mut rng());
    let lstm = lstm.unwrap().with_dtype(DType::F64);
    let (whole, last) = lstm.forward_from(x, None, Mode::Evaluate);
    let (mut state, mut outputs) = (None, Vec::new());
    for time in 0..5 {
        let (y, next) = lstm.forward_from(x.slice(1, time..time + 1), state, Mode::Evaluate);
        outputs.push(y);
        state = Some(next);
    }
    let steps = lossgraph_autograd::concat(&outputs, 1).value().unwrap();
    assert!(steps.allclose(&whole.value().unwrap(), 0.0, 1e-15));
    for (a, b) in state.unwrap().into_iter().zip(last) {
        assert!(a.value().unwrap().allclose(&b.value().unwrap(), 0.0, 1e-15));
    }
}

#[test]
fn the_checker_finds_the_slopes_of_recurrent_layers_and_blocks() {
    let x = Tensor::randn([2, 3, 4], DType::F64, &mut rng()).unwrap();
    let options = Transformer { hidden: 8, dropout: 0.0, ..Transformer::default() };
    let layers: [Box<dyn Layer>; 3] = [
        Box::new(gru(4, 3)),
        Box::new(Lstm::new(4, 3, &mut rng()).unwrap()),
        Box::new(TransformerBlock::with(4, 2, options, &mut rng()).unwrap()),
    ];
    for layer in layers {
        let layer = layer.with_dtype(DType::F64);
        let report =
            check(|_, x| layer.forward(x[0]).square().mean(..), std::slice::from_ref(&x)).unwrap();
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn a_batch_of_none_and_a_sequence_without_a_batch_have_the_shape_of_any_other() {
    for (name, layer) in layers() {
        for mode in [Mode::Train, Mode::Evaluate] {
            let tape = Tape::new();
            let given =
                |shape: &[usize]| layer.forward_in(tape.fill(Shape::from(shape), 1.0), mode);
            let (none, some, one) = (given(&[0, 5, 4]), given(&[3, 5, 4]), given(&[5, 4]));
            assert_eq!((none.shape()[0], &none.shape()[1..]), (0, &some.shape()[1..]), "{name}");
            assert_eq!(one.shape()[..], some.shape()[1..], "{name}");
            for y in [none, some, one] {
                assert_eq!(*y.value().unwrap().shape(), y.shape(), "{name}");
            }
            for (_, parameter) in layer.parameters() {
                let gradients = none.sum(..).backward().unwrap();
                let slopes = gradients.get(&parameter).unwrap().to_f64s();
                assert!(slopes.iter().all(|&slope| slope == 0.0), "{name}");
            }
        }
    }
}

#[test]
fn training_drops_and_evaluation_does_not() {
    let tape = Tape::new();
    let x = tape.constant(Tensor::randn([2, 5, 4], DType::F32, &mut rng()).unwrap());
    for (name, layer) in layers() {
        let [a, b] = [(); 2].map(|()| layer.forward_train(x).value().unwrap());
        assert_eq!(a != b, ["lstm", "gru", "block"].contains(&name), "{name}");
        let [a, b] = [(); 2].map(|()| layer.forward(x).value().unwrap());
        assert_eq!(a, b, "{name}");
    }
    let names = |layer: &dyn Layer| -> Vec<String> {
        layer.generators().into_iter().map(|(name, _)| name).collect()
    };
    let block = TransformerBlock::new(4, 2, &mut rng()).unwrap();
    let expected = ["self_attn.dropout", "dropout", "dropout1", "dropout2"];
    assert_eq!(names(&block), expected.map(|name| format!("{name}.generator")));
    let dropped = MultiHead { dropout: 0.5, ..MultiHead::default() };
    let layer = MultiHeadAttention::with(4, 2, dropped, &mut rng()).unwrap();
    let [a, b] = [(); 2].map(|()| layer.forward_train(x).value().unwrap());
    assert_ne!(a, b);
}

#[test]
fn a_causal_layer_does_not_look_ahead() {
    let tape = Tape::new();
    let x = tape.variable(Tensor::randn([1, 4, 4], DType::F32, &mut rng()).unwrap());
    let options = Transformer { hidden: 8, causal: true, ..Transformer::default() };
    let block = TransformerBlock::with(4, 2, options, &mut rng()).unwrap();
    let y = block.forward(x).index(1, 1).square().sum(..);
    let slopes = y.backward().unwrap().of(x).unwrap().to_f64s();
    assert!(slopes[..8].iter().all(|&slope| slope != 0.0), "{slopes:?}");
    assert!(slopes[8..].iter().all(|&slope| slope == 0.0), "{slopes:?}");
}

#[test]
fn a_query_that_is_left_no_key_gets_the_bias_and_no_slope() {
    let tape = Tape::new();
    let x = tape.variable(Tensor::randn([1, 2, 4], DType::F32, &mut rng()).unwrap());
    let padding = Some(tape.constant([[1, 1]]));
    let masks = AttentionMasks { padding, ..AttentionMasks::default() };
    let y = attention(4, 2).attend(x, x, x, masks, Mode::Train);
    assert_eq!(y.value().unwrap().to_f64s(), [0.0; 8]);
    let gradients = y.sum(..).backward().unwrap();
    assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.0; 8]);
}

#[test]
fn an_input_or_a_state_of_another_shape_is_named_with_what_is_expected() {
    let tape = Tape::new();
    let given = |shape: &[usize]| tape.fill(Shape::from(shape), 1.0);
    let layer = gru(3, 4);
    for (shape, why) in [
        (&[2, 5, 4][..], "gru: input [2, 5, 4]: the input is [batch, time, 3], or [time, 3]"),
        (&[3], "gru: input [3]: the input is [batch, time, 3], or [time, 3]"),
        (&[1, 2, 5, 3], "gru: input [1, 2, 5, 3]: the input is [batch, time, 3], or [time, 3]"),
        (&[2, 0, 3], "gru: input [2, 0, 3]: the sequence has no steps"),
    ] {
        let y = layer.forward(given(shape));
        assert!(error(y).starts_with(why), "{}", error(y));
    }
    let (x, state) = (given(&[2, 5, 3]), given(&[1, 5, 4]));
    let (y, last) = layer.forward_from(x, Some(state), Mode::Train);
    let why =
        "gru: input [2, 5, 3] and initial state [1, 5, 4]: the initial state has to be [1, 2, 4]";
    assert!(error(y).starts_with(why) && error(last).starts_with(why), "{}", error(y));
    let lstm = Lstm::new(3, 4, &mut rng()).unwrap();
    let states = Some([given(&[1, 2, 4]), given(&[2, 4])]);
    let why = "the initial cell has to be [1, 2, 4]";
    assert!(error(lstm.forward_from(x, states, Mode::Train).0).contains(why));
}

#[test]
fn operands_and_masks_of_attention_that_do_not_fit_are_named() {
    let tape = Tape::new();
    let given = |shape: &[usize]| tape.fill(Shape::from(shape), 1.0);
    let layer = attention(4, 2);
    let (q, k) = (given(&[2, 3, 4]), given(&[2, 5, 4]));
    let attend = |q, k, v, masks: AttentionMasks<'_>| {
        let text = error(layer.attend(q, k, v, masks, Mode::Train));
        assert!(text.starts_with("multi_head_attention: query ["), "{text}");
        text
    };
    let none = AttentionMasks::default();
    let text = attend(q, given(&[2, 5, 3]), k, none);
    assert!(text.contains("the key is [batch, places, 4], or [places, 4]"), "{text}");
    let text = attend(q, k, q, none);
    assert!(text.contains("there is not one value for each key"), "{text}");
    let text = attend(q, given(&[1, 5, 4]), k, none);
    assert!(text.contains("the batches differ"), "{text}");
    let text = attend(q, given(&[5, 4]), given(&[5, 4]), none);
    assert!(text.contains("the key is [batch, places, 4]"), "{text}");
    let padding = Some(given(&[2, 3]));
    let text = attend(q, k, k, AttentionMasks { padding, ..none });
    assert!(text.contains("the padding has to be [2, 5]"), "{text}");
    let text = attend(q, k, k, AttentionMask::Keep(given(&[2, 3, 5])).into());
    assert!(text.contains("the first axis of the mask may be the batch or the heads"), "{text}");
    let mask = AttentionMask::Add(given(&[5, 3]));
    let text = error(layer.attend(q, k, k, mask, Mode::Train));
    assert!(text.contains("the mask has not one number for each query and key"), "{text}");
}

#[test]
fn options_out_of_range_are_refused() {
    let text = |result: lossgraph_nn::Result<()>| result.unwrap_err().to_string();
    let none = Gru::new(3, 0, &mut rng()).map(drop);
    assert_eq!(text(none), "gru: hidden is 0, expected 1 or more");
    let none = Recurrent { layers: 0, ..Recurrent::default() };
    let none = Lstm::with(3, 2, none, &mut rng()).map(drop);
    assert_eq!(text(none), "lstm: layers is 0, expected 1 or more");
    let all = Recurrent { dropout: 1.0, ..Recurrent::default() };
    let all = Rnn::with(3, 2, all, &mut rng()).map(drop);
    assert_eq!(text(all), "rnn: dropout is 1, expected 0 or more, and below 1");
    for heads in [0, 3] {
        let error = text(MultiHeadAttention::new(4, heads, &mut rng()).map(drop));
        let expected =
            format!("multi_head_attention: heads is {heads}, expected a divisor of the width");
        assert_eq!(error, expected);
    }
    let eps = Transformer { eps: -1.0, ..Transformer::default() };
    let error = text(TransformerBlock::with(4, 2, eps, &mut rng()).map(drop));
    assert_eq!(error, "layer_norm: eps is -1, expected 0 or more, and finite");
}

#[test]
fn parameters_that_do_not_fit_are_errors_and_no_panics() {
    let tape = Tape::new();
    let x = tape.fill([2, 3, 4], 1.0);
    for (name, layer) in layers() {
        for (parameter, _) in layer.parameters() {
            let given = [(&parameter[..], tape.fill([1], 1.0))];
            let y = functional_call(&layer, &given, x, Mode::Train);
            assert!(y.value().is_err(), "{name}: {parameter}");
        }
    }
}

#[test]
fn layers_are_shown_with_their_sizes() {
    let expected = "Gru { inputs: 3, hidden: 4, options: Recurrent { layers: 1, bias: true, dropout: \
                    0.0, bidirectional: false } }";
    assert_eq!(format!("{:?}", gru(3, 4)), expected);
    let shown = format!("{:?}", TransformerBlock::new(4, 2, &mut rng()).unwrap());
    assert!(shown.contains("in_proj_weight [12, 4]") && shown.contains("heads: 2"), "{shown}");
    let shown = format!("{:?}", Conv1d::new(4, 2, 3, &mut rng()).unwrap());
    assert!(shown.starts_with("Conv1d { weight: weight [2, 4, 3]"), "{shown}");
}
