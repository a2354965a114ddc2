//! Parameters, broadcast to the shape of the batch, and values beside them.

use lossgraph_autograd::{Fault, Operand, Var};
use lossgraph_tensor::DType;

/// The parameters in their common shape, as floats; or the same fault in the place of each.
#[track_caller]
pub(crate) fn broadcast<'t, const N: usize>(
    distribution: &str,
    parameters: [(&str, Var<'t>); N],
) -> [Var<'t>; N] {
    let vars = parameters.map(|(_, var)| var);
    if let Some(faulty) = vars.into_iter().find(|var| var.is_faulty()) {
        return [faulty; N];
    }
    let shapes = vars.iter().map(|var| Some(var.shape()));
    match shapes.reduce(|a, b| a?.broadcast(&b?)).flatten() {
        Some(shape) => vars.map(|var| var.to_float().expand(shape.clone())),
        None => {
            let fault = Fault::new(distribution, "the shapes of the parameters do not broadcast");
            let fault =
                parameters.into_iter().fold(fault, |fault, (name, var)| fault.operand(name, var));
            [vars[0].tape().fault(fault); N]
        }
    }
}

/// A value as floats beside a parameter.
#[track_caller]
pub(crate) fn floats<'t>(value: impl Operand<'t>, parameter: Var<'t>) -> Var<'t> {
    value.beside(parameter).to_float()
}

/// A log-probability that is −∞, and has slope 0, outside of the support.
#[track_caller]
pub(crate) fn impossible<'t>(outside: Var<'t>, log_prob: Var<'t>) -> Var<'t> {
    outside.select(f64::NEG_INFINITY, log_prob)
}

/// The distance from 1 to the next number, in the parameter's type.
pub(crate) fn epsilon(parameter: Var<'_>) -> f64 {
    match parameter.dtype() {
        DType::F32 => f64::from(f32::EPSILON),
        _ => f64::EPSILON,
    }
}
