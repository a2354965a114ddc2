//! Models called with other parameters than their own.

use std::collections::HashMap;

use lossgraph_autograd::{Fault, Parameter, Var};

use crate::layer::{Layer, Mode};
use crate::module::named;

/// Records the forward pass of a model with other values in the place of some of its parameters, by
/// name. Gradients flow through them, those of gradients as well: a step of training can be
/// differentiated, as meta-learning does.
///
/// ```
/// use lossgraph_autograd::{Tape, Var};
/// use lossgraph_nn::{Linear, Mode, Module, functional_call};
/// use lossgraph_tensor::Tensor;
///
/// let model = Linear::of(Tensor::from([[1.0_f32]]), None);
/// let tape = Tape::new();
/// let x = tape.constant([[2.0]]);
/// // The loss after one step of descent: (w − 0.1 · 8w)² · 4, whose slope is 0.32w.
/// let loss = |weight| {
///     functional_call(&model, &[("weight", weight)], x, Mode::Train).square().sum(..)
/// };
/// let weight = tape.parameter(model.weight());
/// let adapted = weight - 0.1 * tape.grad(loss(weight), &[weight])[0];
/// let gradients = loss(adapted).backward()?;
/// let slope = gradients.get(model.weight()).unwrap().item()?;
/// assert!((slope - 0.32).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A model with several inputs or outputs is called inside of
/// [`Tape::with_parameters`](lossgraph_autograd::Tape::with_parameters).
///
/// # Errors
/// Recorded as faults: a name that is none of the model's parameters, a value of another shape, a
/// parameter that is given twice, by one name or by two as tied weights have.
///
/// # Source
/// PyTorch's `torch.func.functional_call`. Finn, Abbeel and Levine, Model-Agnostic Meta-Learning, 2017.
#[track_caller]
pub fn functional_call<'t>(
    model: &(impl Layer + ?Sized),
    parameters: &[(impl AsRef<str>, Var<'t>)],
    x: Var<'t>,
    mode: Mode,
) -> Var<'t> {
    let own = named(model);
    let by_name: HashMap<&str, &Parameter> = own.iter().map(|(name, p)| (&name[..], p)).collect();
    let mut given: HashMap<u64, &str> = HashMap::new();
    let mut substitutes: Vec<(&Parameter, Var<'t>)> = Vec::with_capacity(parameters.len());
    for (name, var) in parameters {
        let name = name.as_ref();
        let Some(&parameter) = by_name.get(name) else {
            let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
            let why = format!("the model has no parameter `{name}`");
            let cure = format!("one of {}", names.join(", "));
            return x.tape().fault(Fault::new("functional_call", why).cure(cure));
        };
        if let Some(other) = given.insert(parameter.id(), name) {
            let why = format!("`{other}` and `{name}` are one parameter, and both are given");
            let cure = "give it once, by one of its names";
            return x.tape().fault(Fault::new("functional_call", why).cure(cure));
        }
        substitutes.push((parameter, *var));
    }
    let location = std::panic::Location::caller();
    x.tape()
        .with_parameters(&substitutes, || x.tape().called_from(location, || model.record(x, mode)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Linear, Mlp, Module, Sequential};
    use lossgraph_autograd::Tape;
    use lossgraph_tensor::Tensor;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_name_that_the_model_does_not_have_is_refused_with_those_that_it_has() {
        let model = Mlp::new(&[2, 1], &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
        let tape = Tape::new();
        let x = tape.constant([[1.0, 2.0]]);
        let line = line!() + 1;
        let y = functional_call(&model, &[("0.wieght", x)], x, Mode::Evaluate);
        let error = y.value().unwrap_err();
        assert!(error.location().unwrap().ends_with(&format!(":{line}")), "{error}");
        let text = format!("{error:?}");
        assert!(text.contains("the model has no parameter `0.wieght`"), "{text}");
        assert!(text.contains("perhaps: one of 0.weight, 0.bias"), "{text}");
    }

    #[test]
    fn tied_weights_are_replaced_by_either_name_and_not_by_both() {
        let shared = Linear::of(Tensor::from([[2.0_f32]]), None);
        let model = Sequential::new().then(shared.clone()).then(shared);
        let tape = Tape::new();
        let (x, three) = (tape.constant([[1.0]]), tape.constant([[3.0]]));
        for name in ["0.weight", "1.weight"] {
            let y = functional_call(&model, &[(name, three)], x, Mode::Evaluate);
            assert_eq!(y.value().unwrap().to_f64s(), [9.0]);
        }
        let both = [("0.weight", three), ("1.weight", three)];
        let error = functional_call(&model, &both, x, Mode::Evaluate).value().unwrap_err();
        assert!(
            error.to_string().contains("`0.weight` and `1.weight` are one parameter"),
            "{error}"
        );
    }

    #[test]
    fn other_parameters_are_used_and_the_own_ones_stay() {
        let model = Mlp::new(&[2, 1], &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
        let tape = Tape::new();
        let x = tape.constant([[1.0, 2.0]]);
        let before = model.forward(x).value().unwrap();
        let given = [("0.weight", tape.constant([[3.0, 4.0]])), ("0.bias", tape.constant([5.0]))];
        let y = functional_call(&model, &given, x, Mode::Evaluate);
        assert_eq!(y.value().unwrap().to_f64s(), [16.0]);
        assert_eq!(model.forward(x).value().unwrap(), before);
        assert_eq!(model.parameters().len(), 2);
    }
}
