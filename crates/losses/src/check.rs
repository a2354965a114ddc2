//! What a loss demands of its operands. A demand that is not met poisons an operand with a fault,
//! so that formulas stay free of it.

use lossgraph_autograd::{Fault, Var};

/// `var`, or a fault of `loss` if a demand on a hyper-parameter does not hold.
#[track_caller]
pub(crate) fn demand<'t>(
    loss: &str,
    holds: bool,
    demand: impl FnOnce() -> String,
    var: Var<'t>,
) -> Var<'t> {
    if holds || var.is_faulty() { var } else { refused(loss, demand(), var) }
}

#[cold]
#[track_caller]
fn refused<'t>(loss: &str, why: String, var: Var<'t>) -> Var<'t> {
    var.tape().fault(Fault::new(loss, why))
}

/// `var`, or a fault of `loss` if a hyper-parameter is not above 0, or infinite.
#[track_caller]
pub(crate) fn above_zero<'t>(loss: &str, name: &str, value: f64, var: Var<'t>) -> Var<'t> {
    let holds = value > 0.0 && value.is_finite();
    demand(loss, holds, || format!("{name} is {value}, expected a number above 0"), var)
}

/// Whether unequal shapes may broadcast.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unequal {
    /// Never.
    Refuse,
    /// If the option `broadcast` of the loss is set, which it is not.
    RefuseByDefault,
    /// They may.
    Broadcast,
}

impl Unequal {
    /// What the option `broadcast` of a loss asks for.
    pub fn broadcast_if(requested: bool) -> Unequal {
        if requested { Unequal::Broadcast } else { Unequal::RefuseByDefault }
    }
}

/// Prediction and target in one shape. Shapes that differ are refused unless broadcasting was
/// requested: `[n]` against `[n, 1]` would silently become `[n, n]`, the classic wrong loss.
#[track_caller]
pub(crate) fn pair<'t>(
    loss: &str,
    prediction: Var<'t>,
    target: Var<'t>,
    unequal: Unequal,
) -> (Var<'t>, Var<'t>) {
    named_pair(loss, ("prediction", prediction), ("target", target), unequal)
}

/// The same of operands that the loss calls otherwise.
#[track_caller]
pub(crate) fn named_pair<'t>(
    loss: &str,
    (name, prediction): (&str, Var<'t>),
    (other, target): (&str, Var<'t>),
    unequal: Unequal,
) -> (Var<'t>, Var<'t>) {
    let prediction = floats(loss, name, prediction);
    let (left, right) = (prediction.shape(), target.shape());
    if left == right || prediction.is_faulty() || target.is_faulty() {
        return (prediction, target.to_float());
    }
    if let (Unequal::Broadcast, Some(shape)) = (unequal, left.broadcast(&right)) {
        return (prediction.expand(shape.clone()), target.to_float().expand(shape));
    }
    let why = if left.rank() == right.rank() { "the shapes differ" } else { "they differ in rank" };
    let fault = Fault::new(loss, why).operand(name, prediction).operand(other, target);
    let may = unequal == Unequal::RefuseByDefault && left.broadcast(&right).is_some();
    let fault = match left.numel() == right.numel() {
        true => fault.cure(format!("{other}.reshape({left})")),
        false => repeating(fault, may),
    };
    let fault = prediction.tape().fault(fault);
    (fault, fault)
}

/// A fault of unequal shapes, with the cure if they may broadcast.
pub(crate) fn repeating(fault: Fault, may: bool) -> Fault {
    match may {
        true => fault.cure("set the option `broadcast` if one of them is meant to repeat"),
        false => fault,
    }
}

/// `var` if it holds floats, else a fault. Integers have no slope, and no fractions.
#[track_caller]
pub(crate) fn floats<'t>(loss: &str, name: &str, var: Var<'t>) -> Var<'t> {
    if var.dtype().is_float() || var.is_faulty() {
        return var;
    }
    let fault = Fault::new(loss, "expected floats, given integers").operand(name, var);
    var.tape().fault(fault.cure(format!("{name}.to_float()")))
}

/// The operands if all of them hold floats, else a fault in the place of the first: vectors are
/// never class numbers.
#[track_caller]
pub(crate) fn vectors<'t, const N: usize>(loss: &str, named: [(&str, Var<'t>); N]) -> [Var<'t>; N] {
    let mut vars = named.map(|(_, var)| var);
    // A loop, since a closure would not know who called.
    for (name, var) in named {
        let checked = floats(loss, name, var);
        if checked.is_faulty() {
            vars[0] = checked;
            break;
        }
    }
    vars
}

/// `target`, but a fault if it holds integers other than 0 and 1: those are class numbers, not what
/// is true of each class.
#[track_caller]
pub(crate) fn bits<'t>(loss: &str, target: Var<'t>) -> Var<'t> {
    let is_bit = |x: f64| x == 0.0 || x == 1.0;
    coded(
        loss,
        "probabilities between 0 and 1",
        is_bit,
        "of class numbers: labels.one_hot(classes)",
        ("target", target),
    )
}

/// `target`, but a fault if it holds integers other than −1 and 1: those are class numbers, not
/// signs.
#[track_caller]
pub(crate) fn signs<'t>(loss: &str, name: &str, target: Var<'t>) -> Var<'t> {
    let is_sign = |x: f64| x.abs() == 1.0;
    let cure = format!("for 0 and 1: {name} * 2.0 - 1.0");
    coded(loss, "signs, −1 or 1", is_sign, &cure, (name, target))
}

#[track_caller]
fn coded<'t>(
    loss: &str,
    expected: &str,
    fits: impl Fn(f64) -> bool,
    cure: &str,
    (name, target): (&str, Var<'t>),
) -> Var<'t> {
    if target.dtype().is_float() || target.is_faulty() {
        return target;
    }
    // As class numbers are, integers that are computed are computed now.
    let data = target.data().map_or_else(|| target.value(), Ok);
    match data.ok().and_then(|data| data.find(|x| !fits(x))) {
        None => target,
        Some(x) => {
            let why = format!("{name} holds {x}, expected {expected}");
            target.tape().fault(Fault::new(loss, why).operand(name, target).cure(cure))
        }
    }
}

/// `var` if it has exactly the shape of `like`, else a fault.
#[track_caller]
pub(crate) fn alike<'t>(
    loss: &str,
    name: &str,
    var: Var<'t>,
    (other, like): (&str, Var<'t>),
) -> Var<'t> {
    if like.is_faulty() {
        return like;
    }
    if var.shape() == like.shape() || var.is_faulty() {
        return var.to_float();
    }
    let why = format!("{name} has the shape of {other}");
    var.tape().fault(Fault::new(loss, why).operand(other, like).operand(name, var))
}

/// `var` if it broadcasts to the shape of `like`, else a fault.
#[track_caller]
pub(crate) fn repeats<'t>(
    loss: &str,
    name: &str,
    var: Var<'t>,
    (other, like): (&str, Var<'t>),
) -> Var<'t> {
    if like.is_faulty() {
        return like;
    }
    let fits = var.shape().broadcast(&like.shape()).as_ref() == Some(&like.shape());
    if fits || var.is_faulty() {
        return var.to_float();
    }
    let why = format!("{name} does not broadcast to {other}");
    var.tape().fault(Fault::new(loss, why).operand(other, like).operand(name, var))
}

/// `var` if all its numbers fit, else a fault. Only data can be looked at while recording.
#[track_caller]
pub(crate) fn holds<'t>(
    loss: &str,
    name: &str,
    expected: &str,
    fits: impl Fn(f64) -> bool,
    var: Var<'t>,
) -> Var<'t> {
    let odd = var.data().and_then(|data| data.find(|x| !fits(x) && !x.is_nan()));
    match odd {
        None => var,
        Some(x) => {
            let why = format!("{name} holds {x}, expected {expected}");
            var.tape().fault(Fault::new(loss, why).operand(name, var))
        }
    }
}

/// `var` if all its numbers lie between 0 and 1, else a fault. Only data can be looked at while
/// recording; of what is computed, a logarithm gives NaN.
#[track_caller]
pub(crate) fn probability<'t>(loss: &str, name: &str, var: Var<'t>) -> Var<'t> {
    let odd = var.data().and_then(|data| data.find(|x| !x.is_nan() && !(0.0..=1.0).contains(&x)));
    match odd {
        None => var,
        Some(x) => {
            let why = format!("{name} holds {x}, expected probabilities between 0 and 1");
            let fault = Fault::new(loss, why).operand(name, var);
            var.tape().fault(match name {
                "prediction" => fault.cure("for logits there is bce_with_logits"),
                _ => fault,
            })
        }
    }
}
