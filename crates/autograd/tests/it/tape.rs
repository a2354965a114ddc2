//! What a tape promises: shape errors with their location, cuts named, snapshots, plans that fit.

use std::collections::HashSet;

use lossgraph_autograd::{Fault, Parameter, Tape, Var, concat, keep};
use lossgraph_tensor::{DType, Slice, Tensor, kernels::threads};

/// `file:line` of the line after this macro's.
macro_rules! next_line {
    () => {
        format!("{}:{}", file!(), line!() + 1)
    };
}

#[test]
fn a_shape_without_addresses_is_a_fault_of_its_node_alone() {
    let tape = Tape::f64();
    let a = tape.variable([0.5, 1.0]);
    let halves = tape.fill([1 << 31, 1], 0.5);
    let too_long = [
        tape.fill([usize::MAX, 2], 1.0),
        tape.fill([usize::MAX], 1.0),
        tape.fill([1 << 60], 1.0),
        a.expand([1 << 59, 2]),
        halves + halves.transpose(0, 1),
        halves.matmul(tape.fill([1, 1 << 31], 1.0)),
    ];
    for var in too_long {
        assert!(var.is_faulty(), "{var:?}");
        assert_eq!(var.shape().rank(), 0);
        let error = (var.sum(..) * a).value().unwrap_err();
        assert!(error.to_string().contains("more elements than memory has addresses"), "{error}");
        assert!(error.location().unwrap().contains(file!()), "{error}");
    }
    assert_eq!(a.sin().value().unwrap().to_f64s(), [0.5_f64.sin(), 1.0_f64.sin()]);
    let gradients = a.square().sum(..).backward().unwrap();
    assert_eq!(gradients.of(a).unwrap().to_f64s(), [1.0, 2.0]);
    assert!(!tape.fill([1 << 59], 1.0).is_faulty());
}

#[test]
fn a_shape_error_is_told_with_shapes_and_the_line_that_recorded_it() {
    let tape = Tape::f64();
    let a = tape.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let b = tape.constant([1.0, 2.0]);
    let location = next_line!();
    let sum = a + b;
    let error = (sum * 2.0).exp().sum(..).item().unwrap_err();
    let expected =
        format!("add: left [2, 3] and right [2]: the shapes do not broadcast, at {location}");
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.location(), Some(location));
}

#[test]
fn data_that_is_no_tensor_is_a_fault_where_it_was_given() {
    let tape = Tape::f64();
    assert_eq!(tape.constant(vec![vec![1, 2], vec![3, 4]]).shape()[..], [2, 2]);
    let (ragged, line) = (tape.constant(vec![vec![1.0], vec![]]), line!());
    let error = ragged.value().err().unwrap();
    assert!(error.to_string().contains("row [1] has length 0"), "{error}");
    assert_eq!(error.location(), Some(format!("{}:{line}", file!())));
    assert!(tape.variable(Tensor::eye(1 << 32, DType::F64)).is_faulty());
}

#[test]
fn what_is_computed_from_a_fault_is_quiet_and_the_rest_of_the_tape_works() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let bad = x.reshape([3]).square().softmax(0).index(0, 0).matmul(x);
    assert!(bad.is_faulty());
    assert!(tape.grad(bad, &[x])[0].value().is_err());
    assert!(bad.backward().is_err());
    assert_eq!(x.sum(..).item().unwrap(), 3.0);
}

#[test]
fn every_kind_of_invalid_argument_is_an_error_and_none_panics() {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let places = tape.labels(&[0, 1]);
    let invalid = [
        x.sum(2),
        x.sum([0, 0]),
        x.max(-3),
        x.permute(&[0, 0]),
        x.transpose(0, 2),
        x.squeeze(0),
        x.unsqueeze(4),
        x.expand([2, 4]),
        x.sum_to([4]),
        x.slice(2, 1..),
        x.index(1, 3),
        x.slices(&[Slice { start: 1, len: 2, step: 1 }]),
        x.flip(2),
        x.diagonal(0, 0, 0),
        x.pad(&[(1, 1)], 0.0),
        x.matmul(x),
        x.matmul(tape.scalar(1.0)),
        x.gather(0, x),
        x.gather(0, places),
        x.index_select(3, places),
        x.one_hot(3),
        x.argmax(2),
        x.cumsum(2),
        x.norm(f64::NAN, ..),
        x.clamp(f64::NAN, 1.0),
        x.layer_norm(&[2], None, None, 1e-5),
        x.conv2d(x, None, Default::default()),
        x.slice(1, 3..).max(1),
        concat(&[x, places], 0),
        tape.fault(Fault::new("mine", "no")),
    ];
    for var in invalid {
        assert!(var.value().is_err(), "{var:?}");
    }
}

#[test]
#[should_panic(expected = "the shapes do not broadcast")]
fn a_strict_tape_panics_at_the_line_of_a_shape_error() {
    let tape = Tape::f64().strict();
    let _ = tape.constant([1.0, 2.0]) + tape.constant([1.0, 2.0, 3.0]);
}

#[test]
fn an_index_outside_is_told_when_it_is_computed() {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
    let places = tape.labels(&[0, 2]);
    let location = next_line!();
    let rows = x.index_select(0, places);
    let error = rows.sum(..).item().unwrap_err();
    assert!(
        error.to_string().contains("index 2, at [1] of the indices, is out of range 0..2"),
        "{error}"
    );
    assert_eq!(error.location(), Some(location));
}

#[test]
fn nodes_of_another_tape_are_refused() {
    let (one, other) = (Tape::f64(), Tape::f64());
    let (a, b) = (one.constant(1.0), other.constant(1.0));
    assert!((a + b).value().is_err());
    assert!(one.eval(&[b]).is_err());
}

#[test]
fn a_gradient_whose_every_path_is_cut_names_the_cut() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let location = next_line!();
    let cut = x.detach();
    let y = cut.square().sum(..);
    let error = tape.grad(y, &[x])[0].value().unwrap_err();
    assert!(error.to_string().contains("every path to y is cut by detach"), "{error}");
    assert!(format!("{error:?}").contains(&location), "{error:?}");
    assert!(y.backward().is_err());
    // One path that is not cut is enough.
    let open = (cut * x).sum(..);
    assert_eq!(tape.grad(open, &[x])[0].value().unwrap().to_f64s(), [1.0, 2.0]);
}

#[test]
fn what_the_result_does_not_depend_on_gets_zeros() {
    let tape = Tape::f64();
    let (x, y) = (tape.variable([1.0, 2.0]), tape.variable(3.0));
    let gradients = tape.grad(y.square(), &[x, y, y]);
    assert_eq!(gradients[0].value().unwrap().to_f64s(), [0.0, 0.0]);
    assert_eq!(gradients[1].item().unwrap(), 6.0);
    assert_eq!(gradients[2].item().unwrap(), 6.0);
    // A comparison has derivative zero, which is no cut.
    assert_eq!(tape.grad(x.gt(1.5).sum(..), &[x])[0].value().unwrap().to_f64s(), [0.0, 0.0]);
}

#[test]
fn a_frozen_parameter_is_left_out_and_a_trained_one_is_not() {
    let [frozen, trained] = ["frozen", "trained"].map(|name| Parameter::new(name, [2.0, 3.0]));
    let tape = Tape::f64();
    let loss = (tape.parameter(&frozen).detach() * tape.parameter(&trained)).sum(..);
    let gradients = loss.backward().unwrap();
    assert!(gradients.get(&frozen).is_none());
    assert_eq!(gradients.get(&trained).unwrap().to_f64s(), [2.0, 3.0]);
}

#[test]
fn the_gradient_of_an_inner_node_and_of_the_result_itself_can_be_asked_for() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let square = x.square();
    let y = square.sum(..);
    let gradients = tape.grad(y, &[square, y, x]);
    assert_eq!(gradients[0].value().unwrap().to_f64s(), [1.0, 1.0]);
    assert_eq!(gradients[1].item().unwrap(), 1.0);
    assert_eq!(gradients[2].value().unwrap().to_f64s(), [2.0, 4.0]);
}

#[test]
fn a_gradient_can_be_differentiated_again_and_again() {
    let tape = Tape::f64();
    let x = tape.variable(2.0);
    let mut y = x.powi(5);
    for expected in [80.0, 160.0, 240.0, 240.0, 120.0, 0.0] {
        y = tape.grad(y, &[x])[0];
        assert_eq!(y.item().unwrap(), expected);
    }
}

#[test]
fn a_parameter_is_read_when_it_is_recorded() {
    let parameter = Parameter::new("w", [1.0, 2.0]);
    let tape = Tape::f64();
    let loss = tape.parameter(&parameter).sum(..);
    parameter.set(Tensor::from([10.0, 20.0])).unwrap();
    assert_eq!(loss.item().unwrap(), 3.0);
    assert_eq!(Tape::f64().parameter(&parameter).sum(..).item().unwrap(), 30.0);
    assert!(parameter.set(Tensor::from([1.0])).is_err());
}

#[test]
fn values_that_are_held_survive_later_runs_of_the_same_plan() {
    let run = |x: f64| {
        let tape = Tape::f64();
        let x = tape.variable([x, 2.0 * x]);
        let y = (x * 3.0).exp();
        let gradients = y.sum(..).backward().unwrap();
        (y.value().unwrap(), gradients.of(x).unwrap().clone())
    };
    let (value, gradient) = run(0.1);
    let kept = (value.to_f64s(), gradient.to_f64s());
    for i in 0..5 {
        drop(run(f64::from(i)));
    }
    assert_eq!((value.to_f64s(), gradient.to_f64s()), kept);
}

#[test]
fn programs_that_differ_in_anything_do_not_share_a_plan() {
    let run = |fill: f64, axis: isize, shape: [usize; 2], dtype: DType, slope: f64| {
        let tape = Tape::with_dtype(dtype);
        let len = shape[0] * shape[1];
        let x = Tensor::new(shape, (0..len).map(|i| i as f64 - 1.5).collect::<Vec<f64>>()).unwrap();
        let x = tape.variable(x);
        (x.leaky_relu(slope) * fill).sum(keep(axis)).value().unwrap()
    };
    for _ in 0..2 {
        assert_eq!(run(2.0, 0, [2, 2], DType::F64, 0.1).to_f64s(), [0.7, 2.9]);
        assert_eq!(run(3.0, 0, [2, 2], DType::F64, 0.1).to_f64s()[1], 4.35);
        assert_eq!(run(2.0, 1, [2, 2], DType::F64, 0.1).shape()[..], [2, 1]);
        assert_eq!(run(2.0, 0, [1, 4], DType::F64, 0.1).shape()[..], [1, 4]);
        assert_eq!(run(2.0, 0, [2, 2], DType::F32, 0.1).dtype(), DType::F32);
        assert_eq!(run(2.0, 0, [2, 2], DType::F64, 0.5).to_f64s(), [-0.5, 2.5]);
    }
}

#[test]
fn asking_in_any_order_gives_the_same_numbers() {
    let record = |tape: &Tape| tape.variable([0.5, -1.0]).number();
    let build = |tape: &Tape, x: usize| {
        let x = tape.var(x).unwrap();
        let h = x.tanh();
        (h.number(), (h * h.exp()).sum(..).number())
    };
    let once = Tape::f64();
    let x = record(&once);
    let (_, y) = build(&once, x);
    let all = once.var(y).unwrap().backward().unwrap();
    let again = Tape::f64();
    let x2 = record(&again);
    let (h, y2) = build(&again, x2);
    again.var(h).unwrap().value().unwrap();
    again.var(y2).unwrap().item().unwrap();
    let late = again.var(y2).unwrap().backward().unwrap();
    assert_eq!(all.loss(), late.loss());
    assert_eq!(all.of(once.var(x).unwrap()), late.of(again.var(x2).unwrap()));
    // Twice is once.
    assert_eq!(
        again.var(y2).unwrap().backward().unwrap().of(again.var(x2).unwrap()),
        late.of(again.var(x2).unwrap())
    );
}

#[test]
fn scopes_nest_and_adjoints_know_the_node_that_they_serve() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let y = tape.scope("outer", || tape.scope("inner", || x.square()).sum(..));
    let scopes = tape.scopes();
    assert_eq!((scopes[0].name.as_str(), scopes[1].name.as_str()), ("outer", "inner"));
    assert_eq!((scopes[0].parent, scopes[1].parent), (None, Some(0)));
    let before = tape.len();
    tape.grad(y, &[x]);
    let serves = (before..tape.len()).filter_map(|id| tape.node(id)).filter_map(|node| node.serves);
    assert!(serves.count() > 0);
}

#[test]
fn a_loss_is_one_number_that_depends_on_something() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    assert!(x.square().backward().is_err());
    assert!(tape.grad(x.square(), &[x])[0].value().is_err());
    assert!(Tape::f64().constant(1.0).exp().backward().is_err());
    assert!(x.item().is_err());
}

#[test]
fn losses_and_gradients_are_bitwise_equal_for_any_number_of_threads() {
    let run = |threads: usize| {
        threads::with(threads, || {
            let data =
                |n: usize, k: f64| (0..n).map(|i| (i as f64 * k).sin()).collect::<Vec<f64>>();
            let tape = Tape::new();
            let x = tape.constant(Tensor::new([600, 300], data(180_000, 0.37)).unwrap());
            let w = tape.variable(Tensor::new([300, 500], data(150_000, 0.11)).unwrap());
            let loss = (x.matmul(w).log_softmax(1) * 0.5).exp().mean(..);
            let gradients = loss.backward().unwrap();
            (gradients.loss(), gradients.of(w).unwrap().clone())
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
}

#[test]
fn a_tensor_read_slice_by_slice_gets_its_cotangent_in_one_piece() {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]);
    // Rows 2, 0 and 3, but not 1; then one row again, which overlaps.
    let apart = [(2, 5.0), (0, 3.0), (3, 7.0)].map(|(row, factor)| x.index(0, row) * factor);
    let sum = apart.into_iter().reduce(|a, b| a + b).unwrap().sum(..);
    let gradient = tape.grad(sum, &[x])[0];
    assert_eq!(gradient.value().unwrap().to_f64s(), [3.0, 3.0, 0.0, 0.0, 5.0, 5.0, 7.0, 7.0]);
    let name = |var: Var<'_>| tape.node(var.number()).unwrap().op;
    assert_eq!(name(gradient), "pad_add");
    let overlapping = tape.grad(sum + x.slice(0, 1..3).sum(..), &[x])[0];
    assert_eq!(overlapping.value().unwrap().to_f64s(), [3.0, 3.0, 1.0, 1.0, 6.0, 6.0, 7.0, 7.0]);
    assert_eq!(name(overlapping), "pad_add");
}

#[test]
fn impossible_things_add_up_without_nan() {
    let tape = Tape::f64();
    const NEVER: f64 = f64::NEG_INFINITY;
    let a = tape.variable([NEVER, NEVER, 1.0, 1000.0]);
    let b = tape.variable([NEVER, 2.0, NEVER, 1000.0]);
    let sum = a.log_add_exp(b);
    assert_eq!(sum.value().unwrap().to_f64s(), [NEVER, 2.0, 1.0, 1000.0 + 2.0_f64.ln()]);
    let slopes = tape.grad(sum.slice(0, 1..).sum(..) + sum.index(0, 0), &[a, b]);
    assert_eq!(slopes[0].value().unwrap().to_f64s(), [0.0, 0.0, 1.0, 0.5]);
    assert_eq!(slopes[1].value().unwrap().to_f64s(), [0.0, 1.0, 0.0, 0.5]);
}

#[test]
fn nodes_that_differ_in_one_input_have_other_places_in_a_table() {
    let tape = Tape::new();
    let leaves: Vec<Var<'_>> = (0..4096).map(|_| tape.constant([0.5])).collect();
    let five = leaves[5];
    let records: [for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>; 3] =
        [|x, y| x.select(y, y), |x, y| y.select(x, y), |x, y| y.select(y, x)];
    for record in records {
        let nodes = leaves.iter().map(|&x| record(x, five));
        let place = |node: Var<'_>| tape.node_hash(node.number()).unwrap() % 4096;
        let places: HashSet<u64> = nodes.map(place).collect();
        assert!(places.len() > 2000, "{}", places.len());
    }
}
