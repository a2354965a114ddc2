//! Classes along any axis, and operands that repeat, for every loss that has the option.

use lossgraph_autograd::{Error, Tape, Var};
use lossgraph_losses::{ALL, Case, Loss, OptionKind, Reduction};
use lossgraph_tensor::Tensor;

/// The losses that have an option, with its default.
fn with_option(name: &str) -> impl Iterator<Item = (&'static Loss, OptionKind)> {
    let found = move |loss: &&'static Loss| {
        let choice = loss.options.iter().find(|choice| choice.name == name)?;
        Some((*loss, choice.kind))
    };
    ALL.iter().filter_map(found)
}

/// The terms in a setting that goes on from that of the case.
fn terms(case: &Case, inputs: &[Tensor], more: &str) -> Result<Tensor, Error> {
    let tape = Tape::f64();
    let vars: Vec<Var<'_>> = inputs.iter().map(|input| tape.constant(input)).collect();
    let case = case.in_setting(&format!("{} {more}", case.setting));
    case.record(&tape, &vars).unreduced().value()
}

/// The axis `from` moved to the place `to`.
fn moved(x: &Tensor, from: usize, to: usize) -> Tensor {
    let mut order: Vec<isize> =
        (0..x.rank() as isize).filter(|&axis| axis != from as isize).collect();
    order.insert(to, from as isize);
    let tape = Tape::f64();
    tape.constant(x).permute(&order).value().unwrap()
}

/// Two draws beside each other, along a new last axis.
fn stacked(a: &Tensor, b: &Tensor) -> Tensor {
    let pairs = a.to_f64s().into_iter().zip(b.to_f64s()).flat_map(|(a, b)| [a, b]).collect();
    let shape = [&a.shape()[..], &[2]].concat();
    Tensor::new(shape, pairs).unwrap().to_dtype(a.dtype())
}

/// Compares a loss whose classes lie along `place` with the same along all other axes; how many.
fn moves(case: &Case, inputs: &[Tensor], place: usize) -> usize {
    let at = |axis: isize| format!("axis={axis}");
    if terms(case, inputs, "axis=9").is_ok() {
        return 0; // Nothing is read along an axis in this setting.
    }
    let Ok(expected) = terms(case, inputs, &at(place as isize)) else { return 0 };
    let scores = inputs[0].shape().clone();
    let rank = scores.rank();
    for to in 0..rank {
        let inputs: Vec<Tensor> = inputs
            .iter()
            .map(|x| if *x.shape() == scores { moved(x, place, to) } else { x.clone() })
            .collect();
        for axis in [to as isize, to as isize - rank as isize] {
            let what = format!("{} axis={axis}", case.title());
            let got = terms(case, &inputs, &at(axis)).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(got.shape(), expected.shape(), "{what}");
            assert!(got.allclose(&expected, 1e-13, 1e-13), "{what}:\n{got}\n{expected}");
        }
    }
    rank - 1
}

#[test]
fn classes_along_another_axis_are_the_transposed_loss() {
    let mut losses = 0;
    for (loss, default) in with_option("axis") {
        let mut count = 0;
        for case in Case::grid(loss, 0).unwrap() {
            let rank = case.inputs[0].rank();
            let place = if default == OptionKind::Integer(-1) { rank - 1 } else { 1 };
            count += moves(&case, &case.inputs, place);
            // One more axis, of pixels for one; the classes stay the second.
            let other = Case::new(loss, &case.setting, 1).unwrap();
            let scores = case.inputs[0].shape().clone();
            let each = case.inputs.iter().zip(&other.inputs);
            let more = each.map(|(a, b)| match a.shape()[0] == scores[0] {
                true => stacked(a, b),
                false => a.clone(),
            });
            count += moves(&case, &more.collect::<Vec<_>>(), 1);
        }
        assert!(count > 0, "{}: no setting reads its axis", loss.name);
        losses += 1;
    }
    assert!(losses > 20, "{losses}");
}

#[test]
fn the_default_axis_is_the_default() {
    for (loss, default) in with_option("axis") {
        for case in Case::grid(loss, 0).unwrap() {
            let set = terms(&case, &case.inputs, &format!("axis={default}")).unwrap();
            assert_eq!(set, terms(&case, &case.inputs, "").unwrap(), "{}", case.title());
        }
    }
}

#[test]
fn an_axis_that_is_not_there_is_refused_by_its_number() {
    for (loss, _) in with_option("axis") {
        let mut refused = 0;
        for case in Case::grid(loss, 0).unwrap() {
            for axis in [-7, 7] {
                let Err(error) = terms(&case, &case.inputs, &format!("axis={axis}")) else {
                    continue;
                };
                let error = error.to_string();
                assert!(error.starts_with(loss.name), "{error}");
                assert!(
                    error.contains(&format!("axis {axis} of the classes is none of")),
                    "{error}"
                );
                refused += 1;
            }
        }
        assert!(refused > 0, "{}", loss.name);
    }
}

/// The first row along the first axis, alone or as often as there are rows.
fn first_row(x: &Tensor, times: usize) -> Tensor {
    let row = x.narrow(0, 0, 1).unwrap().to_f64s();
    let shape = [&[times], &x.shape()[1..]].concat();
    Tensor::new(shape, row.repeat(times)).unwrap().to_dtype(x.dtype())
}

#[test]
fn an_operand_that_repeats_is_refused_unless_the_option_says_so() {
    let mut losses = 0;
    for (loss, _) in with_option("broadcast") {
        let mut count = 0;
        let case = Case::new(loss, loss.grid[0], 0).unwrap();
        for i in (0..case.inputs.len()).filter(|&i| case.inputs[i].rank() > 0) {
            let rows = case.inputs[i].shape()[0];
            let [one, all] = [1, rows].map(|times| {
                let mut inputs = case.inputs.clone();
                inputs[i] = first_row(&inputs[i], times);
                inputs
            });
            let what = format!("{}: {}", case.title(), case.samples[i].name);
            // A variance or a weight repeats as it is.
            let Err(error) = terms(&case, &one, "") else { continue };
            let text = format!("{error:?}");
            assert!(text.contains("set the option `broadcast`"), "{what}: {text}");
            let repeated =
                terms(&case, &one, "broadcast").unwrap_or_else(|e| panic!("{what}: {e}"));
            let expected = terms(&case, &all, "").unwrap();
            assert!(repeated.allclose(&expected, 1e-14, 1e-14), "{what}");
            count += 1;
        }
        assert!(count > 1, "{}", loss.name);
        losses += 1;
    }
    assert!(losses > 30, "{losses}");
}

#[test]
fn what_cannot_repeat_is_refused_with_the_option_as_well() {
    for (loss, _) in with_option("broadcast") {
        let case = Case::new(loss, loss.grid[0], 0).unwrap();
        for i in 0..2 {
            let mut inputs = case.inputs.clone();
            inputs[i] = inputs[i].narrow(0, 0, 3).unwrap();
            assert!(terms(&case, &inputs, "broadcast").is_err(), "{}", case.title());
        }
    }
}

#[test]
fn a_repeated_operand_has_the_slope_of_all_its_uses() {
    let tape = Tape::f64();
    let anchor = tape.variable([[0.0, 0.0]]);
    let [near, far] =
        [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.5], [0.5, 1.0]]].map(|x| tape.constant(x));
    let loss = lossgraph_losses::TripletMargin { broadcast: true, ..Default::default() };
    let terms = loss.forward(anchor, near, far);
    assert_eq!(terms.unreduced().shape()[..], [2]);
    let slope = tape.grad(terms.reduce(Reduction::Sum), &[anchor])[0];
    assert_eq!(slope.shape()[..], [1, 2]);
}
