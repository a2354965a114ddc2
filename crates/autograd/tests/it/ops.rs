//! Every row of the op table: its derivatives of first and second order against finite
//! differences, its value on inputs of every layout, and its slope at its kinks.

use lossgraph_autograd::ops::table::Sample;
use lossgraph_autograd::{Row, Tape, Var, numeric_gradient, ops};
use lossgraph_tensor::{DType, Slice, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Inputs as the row wants them, in `f64`.
fn inputs(row: &Row, seed: u64) -> Vec<Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = |sample: &Sample| match *sample {
        Sample::Floats(shape, [low, high]) => {
            Tensor::uniform(shape, low, high, DType::F64, &mut rng).unwrap()
        }
        Sample::Integers(shape, bound) => {
            let bound = bound as f64;
            Tensor::uniform(shape, 0.0, bound, DType::F64, &mut rng).unwrap().to_dtype(DType::I64)
        }
    };
    row.inputs.iter().map(draw).collect()
}

/// A number made of everything the row gives, each element with a weight of its own, and bent,
/// so that errors in second derivatives show.
fn objective<'t>(tape: &'t Tape, y: Var<'t>) -> Var<'t> {
    let weights = (0..y.len()).map(|i| (i as f64 * 0.7 + 0.3).sin()).collect();
    let weights = tape.constant(Tensor::new(y.shape(), weights).unwrap());
    (y * weights + y.sin() * 0.1).sum(..)
}

fn leaves<'t>(tape: &'t Tape, inputs: &[Tensor]) -> Vec<Var<'t>> {
    inputs.iter().map(|x| tape.input(x)).collect()
}

fn assert_close(name: &str, what: &str, got: &Tensor, expected: &Tensor) {
    assert_eq!(got.shape(), expected.shape(), "{name}: shape of {what}");
    let scale = expected.to_f64s().iter().fold(1.0_f64, |max, x| max.max(x.abs()));
    for (i, (a, b)) in got.to_f64s().into_iter().zip(expected.to_f64s()).enumerate() {
        assert!((a - b).abs() <= 1e-8 * scale, "{name}: {what}, element {i}: {a} against {b}");
    }
}

#[test]
fn first_derivatives_agree_with_finite_differences() {
    for row in ops::all() {
        let inputs = inputs(row, 1);
        let tape = Tape::f64();
        let vars = leaves(&tape, &inputs);
        let floats: Vec<usize> = (0..vars.len()).filter(|&i| vars[i].dtype().is_float()).collect();
        let wanted: Vec<Var<'_>> = floats.iter().map(|&i| vars[i]).collect();
        let gradients = tape.grad(objective(&tape, (row.record)(&vars)), &wanted);
        let numeric =
            numeric_gradient(|tape, x| objective(tape, (row.record)(x)), &inputs).unwrap();
        for (gradient, &i) in gradients.into_iter().zip(&floats) {
            assert_close(row.name, "gradient", &gradient.value().unwrap(), &numeric[i]);
        }
    }
}

#[test]
fn second_derivatives_agree_with_finite_differences() {
    for row in ops::all() {
        let inputs = inputs(row, 2);
        let floats: Vec<usize> =
            (0..inputs.len()).filter(|&i| inputs[i].dtype().is_float()).collect();
        // A random direction through all inputs: the derivative along it, differentiated again.
        let along = |tape: &Tape, vars: &[Var<'_>]| -> usize {
            let vars: Vec<Var<'_>> = vars.iter().map(|v| tape.var(v.number()).unwrap()).collect();
            let wanted: Vec<Var<'_>> = floats.iter().map(|&i| vars[i]).collect();
            let gradients = tape.grad(objective(tape, (row.record)(&vars)), &wanted);
            let slope = gradients.into_iter().map(|g| {
                let v = (0..g.len()).map(|i| (i as f64 * 1.3 + 0.5).cos()).collect();
                (g * tape.constant(Tensor::new(g.shape(), v).unwrap())).sum(..)
            });
            slope.reduce(|a, b| a + b).unwrap_or_else(|| tape.fill((), 0.0)).number()
        };
        let tape = Tape::f64();
        let vars = leaves(&tape, &inputs);
        let wanted: Vec<Var<'_>> = floats.iter().map(|&i| vars[i]).collect();
        let slope = tape.var(along(&tape, &vars)).unwrap();
        let products = tape.grad(slope, &wanted);
        let numeric =
            numeric_gradient(|tape, x| tape.var(along(tape, x)).unwrap(), &inputs).unwrap();
        for (product, &i) in products.into_iter().zip(&floats) {
            assert_close(
                row.name,
                "Hessian-vector product",
                &product.value().unwrap(),
                &numeric[i],
            );
        }
    }
}

/// The same numbers, laid out in other ways.
fn layouts(x: &Tensor) -> Vec<Tensor> {
    let mut all = vec![];
    let last = x.rank() as isize - 1;
    if x.rank() >= 2 {
        // As the transpose of a contiguous transpose.
        all.push(x.transpose(0, last).unwrap().contiguous().transpose(0, last).unwrap());
    }
    // Backwards along the first axis, in a buffer that is backwards.
    all.push(x.flip(0).unwrap().contiguous().flip(0).unwrap());
    // Every other element of a wider tensor.
    let wide = Tensor::stack(&[x.clone(), x.clone()], -1).unwrap();
    let mut slices: Vec<Slice> = x.shape().iter().map(|&n| Slice::all(n)).collect();
    slices.push(Slice { start: 1, len: 1, step: 1 });
    all.push(wide.slices(&slices).unwrap().squeeze(-1).unwrap());
    all
}

#[test]
fn values_and_gradients_do_not_depend_on_the_layout_of_inputs() {
    for row in ops::all() {
        let inputs = inputs(row, 3);
        let run = |inputs: &[Tensor]| {
            let tape = Tape::f64();
            let vars = leaves(&tape, inputs);
            let y = (row.record)(&vars);
            let floats: Vec<Var<'_>> =
                vars.iter().copied().filter(|v| v.dtype().is_float()).collect();
            let mut asked = tape.grad(objective(&tape, y), &floats);
            asked.push(y);
            tape.eval(&asked).unwrap()
        };
        let expected = run(&inputs);
        for which in 0..3 {
            let other: Vec<Tensor> = inputs
                .iter()
                .map(|x| layouts(x).into_iter().nth(which).unwrap_or_else(|| x.clone()))
                .collect();
            for (a, b) in run(&other).iter().zip(&expected) {
                assert_close(row.name, "result of another layout", a, b);
            }
        }
    }
}

#[test]
fn elementwise_ops_take_scalars_and_empty_tensors() {
    let elementwise = ops::all().filter(|row| matches!(row.family, "unary" | "binary"));
    for row in elementwise {
        for shape in [&[][..], &[0], &[2, 0, 3]] {
            let tape = Tape::f64();
            let vars: Vec<Var<'_>> = row
                .inputs
                .iter()
                .map(|_| tape.variable(Tensor::full(shape, 0.5, DType::F64).unwrap()))
                .collect();
            let y = (row.record)(&vars);
            assert_eq!(y.value().unwrap().shape()[..], *shape, "{}", row.name);
            let gradient = tape.grad(y.sum(..), &vars)[0];
            assert_eq!(gradient.value().unwrap().shape()[..], *shape, "{}", row.name);
        }
    }
}

#[test]
fn kinks_have_the_slopes_that_the_table_says() {
    for row in ops::all() {
        for kink in row.kinks {
            let tape = Tape::f64();
            // An extreme meets its kink on two equal elements of one tensor.
            if row.family == "reduce" {
                let x = tape.variable(kink.input);
                let y = if row.name == "max" { x.max(..) } else { x.min(..) };
                assert_eq!(tape.grad(y, &[x])[0].value().unwrap().to_f64s(), kink.slope);
                continue;
            }
            let vars: Vec<Var<'_>> =
                (0..row.inputs.len()).map(|i| tape.variable([kink.input[i]])).collect();
            let gradients = tape.grad((row.record)(&vars).sum(..), &vars);
            for (i, gradient) in gradients.into_iter().enumerate() {
                let slope = gradient.item().unwrap();
                assert_eq!(slope, kink.slope[i], "{} at {}, input {i}", row.name, kink.at);
            }
        }
    }
}

#[test]
fn names_in_the_table_are_unique() {
    let mut names: Vec<&str> = ops::all().map(|row| row.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
