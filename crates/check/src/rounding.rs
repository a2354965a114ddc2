//! What rounding does to a value, from all that is computed on the way to it.

use std::collections::BTreeSet;

use lossgraph_autograd::ops::facts::Element;
use lossgraph_autograd::{OpInstance, Result, Tape, Var};
use lossgraph_tensor::Tensor;

use crate::function::Function;

/// The error that rounding leaves in the number that is checked, to first order: what an op gives
/// is off by a unit in the last place, and its cotangent passes that on. An op that sums is off by
/// as much of what it sums, too. Of many such errors, with signs of their own, the root of the sum
/// of squares is left.
///
/// ```text
/// ε (Σⱼ (vⱼ · ∂f/∂vⱼ)²)^½
/// ```
///
/// Values near to each other do not show it where it is largest: what is added to a large number
/// and subtracted from it again moves in steps of that number's spacing.
pub(crate) fn of_value(function: &Function<'_>) -> Result<f64> {
    let tape = function.tape();
    let y = function.record(&tape).1;
    let rounded = rounded_nodes(&tape, y);
    if rounded.is_empty() {
        return Ok(0.0);
    }
    let cotangents = function.slopes(&tape, y, &rounded);
    let reached = rounded.into_iter().zip(cotangents).filter(|(_, g)| !g.is_faulty());
    let (values, cotangents): (Vec<Var<'_>>, Vec<Var<'_>>) = reached.unzip();
    let numbers = tape.eval(&[&values[..], &cotangents].concat())?;
    let (values, cotangents) = numbers.split_at(values.len());
    let each = values.iter().zip(cotangents).map(|(value, g)| of_node(value, g));
    Ok(each.fold(0.0, f64::hypot))
}

/// The nodes of floats below `y` that are rounded, or that are summed.
fn rounded_nodes<'t>(tape: &'t Tape, y: Var<'t>) -> Vec<Var<'t>> {
    let mut needed = vec![false; y.number() + 1];
    needed[y.number()] = true;
    let mut rounded = BTreeSet::new();
    for id in (0..=y.number()).rev() {
        let (true, Some(node), Some(op)) = (needed[id], tape.node(id), tape.op_instance(id)) else {
            continue;
        };
        node.inputs.iter().for_each(|&input| needed[input] = true);
        if !op.facts().exact {
            rounded.insert(id);
            rounded.extend(node.inputs.iter().filter(|_| sums(&op)));
        }
    }
    let vars = rounded.into_iter().filter_map(|id| tape.var(id));
    vars.filter(|var| var.dtype().is_float() && !var.is_faulty()).collect()
}

/// Whether an element of the result is made of several elements of an operand.
fn sums(op: &OpInstance) -> bool {
    let first = vec![0; op.shape().rank()];
    !matches!(op.element(&first, &|_, _| None), Some(Element::Map(_) | Element::Copy(_)))
}

fn of_node(value: &Tensor, cotangent: &Tensor) -> f64 {
    let (values, cotangents) = (value.to_f64s(), cotangent.to_f64s());
    let errors = values.iter().zip(&cotangents).map(|(value, cotangent)| {
        // Below the smallest normal number, the spacing of floats does not shrink any more.
        let unit = f64::EPSILON * value.abs().max(f64::MIN_POSITIVE);
        (unit * cotangent).abs()
    });
    // Not the sum of squares, which overflow.
    errors.filter(|error| error.is_finite()).fold(0.0, f64::hypot)
}
