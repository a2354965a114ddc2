//! A first gradient: defines a loss of one's own, differentiates it, compares the gradient with
//! finite differences, and lists every op with its value and its gradient.

use lossgraph::prelude::*;

/// The squared distance of a line's predictions from the targets, in the mean.
fn squared_error<'t>(x: Var<'t>, slope: Var<'t>, intercept: Var<'t>, target: Var<'t>) -> Var<'t> {
    x.tape().scope("squared_error", || (x * slope + intercept - target).square().mean(..))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Define. Methods and operators record; nothing is computed yet.
    let tape = Tape::f64();
    let x = tape.constant([0.0, 1.0, 2.0]);
    let target = tape.constant([1.0, 3.0, 5.0]);
    let slope = tape.variable(1.0);
    let intercept = tape.variable(0.0);
    let loss = squared_error(x, slope, intercept, target);

    // Differentiate. The value and both gradients come from one run.
    let gradients = loss.backward()?;
    println!("loss {:.4}", gradients.loss());

    // Compare with finite differences of the same function.
    let numeric = numeric_gradient(
        |tape, v| {
            let [x, target] = [[0.0, 1.0, 2.0], [1.0, 3.0, 5.0]].map(|data| tape.constant(data));
            squared_error(x, v[0], v[1], target)
        },
        &[slope.value()?, intercept.value()?],
    )?;
    for (name, var, numeric) in
        [("slope", slope, &numeric[0]), ("intercept", intercept, &numeric[1])]
    {
        let exact = gradients.of(var).map_or(Ok(f64::NAN), Tensor::item)?;
        let numeric = numeric.item()?;
        println!("∂loss/∂{name:<9}  recorded {exact:.9}  by differences {numeric:.9}");
        assert!((exact - numeric).abs() < 1e-8);
    }

    // Look. The scope of the function is shown as a group.
    println!("\n{}", listing(loss)?);
    Ok(())
}
