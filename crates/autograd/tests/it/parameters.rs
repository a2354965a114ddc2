//! Parameters and their gradients, what stands for them for a while, and states.

use lossgraph_autograd::{Gradients, Parameter, Tape};
use lossgraph_tensor::{DType, Tensor};

#[test]
fn a_parameter_knows_all_digits_of_what_was_drawn_until_it_changes() {
    let drawn = Tensor::from([1.0 / 3.0, 0.1]);
    let p = Parameter::drawn("p", drawn.clone());
    assert_eq!(p.value(), drawn.to_dtype(DType::F32));
    p.cast(DType::F64);
    assert_eq!(p.value(), drawn);
    p.cast(DType::F32);
    p.update(|value| value.as_mut_slice::<f32>().unwrap()[0] = 2.0);
    p.cast(DType::F64);
    assert_eq!(p.value().to_f64s(), [2.0, f64::from(0.1_f32)]);
}

#[test]
fn gradients_of_two_halves_add_up_to_that_of_the_whole() {
    let (w, b) = (Parameter::new("w", [1.0_f32, -2.0]), Parameter::new("b", [0.5_f32]));
    let data = Tensor::from([[1.0, 2.0], [3.0, 5.0], [-1.0, 4.0], [0.0, -8.0]]);
    let gradients = |first: usize, count: usize| {
        let tape = Tape::new();
        let x = tape.constant(data.narrow(0, first, count).unwrap());
        let y = (x * tape.parameter(&w)).sum(1) + tape.parameter(&b);
        y.square().mean(..).backward().unwrap()
    };
    let mut halves = gradients(0, 2);
    halves.accumulate(&gradients(2, 2)).unwrap();
    halves.scale(0.5);
    let whole = gradients(0, 4);
    assert!((halves.loss() - whole.loss()).abs() < 1e-5);
    for parameter in [&w, &b] {
        let [a, b] = [&halves, &whole].map(|g| g.get(parameter).unwrap());
        assert!(a.allclose(b, 1e-6, 0.0), "{a:?} and {b:?}");
    }
}

#[test]
fn gradients_add_by_parameter_and_not_by_place() {
    let [a, b] = ["w", "w"].map(|name| Parameter::new(name, [0.0]));
    let of = |p: &Parameter, x: f64| (p.clone(), Tensor::from([x]));
    let mut sum = Gradients::new(1.0, vec![of(&a, 1.0)]);
    let held = sum.clone();
    sum.accumulate(&Gradients::new(2.0, vec![of(&b, 10.0), of(&a, 5.0)])).unwrap();
    let at = |gradients: &Gradients, p| gradients.get(p).map(Tensor::to_f64s);
    assert_eq!((at(&sum, &a), at(&sum, &b)), (Some(vec![6.0]), Some(vec![10.0])));
    assert_eq!((at(&held, &a), sum.loss()), (Some(vec![1.0]), 3.0));
    let wrong = Gradients::new(9.0, vec![of(&b, 1.0), (a.clone(), Tensor::from([1.0_f32]))]);
    let error = sum.accumulate(&wrong).unwrap_err().to_string();
    let expected = "accumulate: the gradient of `w` is [1] f64, and that to be added [1] f32";
    assert_eq!(error, expected);
    assert_eq!((at(&sum, &b), sum.loss()), (Some(vec![10.0]), 3.0));
}

#[test]
fn a_substitution_ends_with_its_scope_and_the_innermost_counts() {
    let w = Parameter::new("w", 1.0);
    let tape = Tape::f64();
    let [two, three] = [2.0, 3.0].map(|x| tape.constant(x));
    let read = || tape.parameter(&w).item().unwrap();
    let inside = tape.with_parameters(&[(&w, two)], || {
        [read(), tape.with_parameters(&[(&w, three)], read), read()]
    });
    assert_eq!(inside, [2.0, 3.0, 2.0]);
    assert_eq!(read(), 1.0);
}

#[test]
fn a_substitute_of_another_shape_or_tape_is_refused_at_the_line_of_the_call() {
    let w = Parameter::new("w", [1.0, 2.0]);
    let (tape, other) = (Tape::f64(), Tape::f64());
    for given in [tape.constant([1.0]), other.constant([1.0, 2.0])] {
        let line = line!() + 1;
        let y = tape.with_parameters(&[(&w, given)], || tape.parameter(&w).sum(..));
        let error = y.value().unwrap_err();
        assert_eq!(error.operation(), "with_parameters");
        assert!(error.location().unwrap().ends_with(&format!(":{line}")), "{error}");
    }
}

#[test]
fn a_state_is_what_was_assigned_until_it_is_written_or_set_elsewhere() {
    let (w, state) = (Parameter::new("w", 1.0), Parameter::new("state", 1.0));
    let tape = Tape::f64();
    let read = || tape.state(&state).item().unwrap();
    tape.assign(&state, tape.state(&state) * 2.0);
    assert_eq!((read(), state.value().item().unwrap()), (2.0, 1.0));
    tape.parameter(&w).square().backward().unwrap().commit().unwrap();
    assert_eq!((read(), state.value().item().unwrap()), (2.0, 2.0));
    state.set(10.0.into()).unwrap();
    assert_eq!(read(), 10.0);
}

#[test]
fn a_copy_of_a_tape_knows_what_was_assigned() {
    let state = Parameter::new("state", 1.0);
    let tape = Tape::f64();
    tape.assign(&state, tape.state(&state) + 4.0);
    assert_eq!(tape.copy().state(&state).item().unwrap(), 5.0);
}

#[test]
fn what_cannot_be_assigned_is_an_error_of_backward_at_the_line_of_the_call() {
    let (w, state) = (Parameter::new("w", 1.0), Parameter::new("state", 1.0));
    let (tape, other) = (Tape::f64(), Tape::f64());
    for next in [tape.constant([1.0, 2.0]), other.constant(1.0)] {
        let line = line!() + 1;
        tape.assign(&state, next);
        let error = tape.parameter(&w).square().backward().unwrap_err();
        assert_eq!(error.operation(), "assign");
        assert!(error.location().unwrap().ends_with(&format!(":{line}")), "{error}");
    }
}
