//! Nodes of another tape, integers, and parameters that change while a tape is recorded.

use std::sync::Arc;

use lossgraph_autograd::{Error, Function, Parameter, Tape, Var, concat, stack};
use lossgraph_tensor::{Shape, Tensor};

/// Whether an error says that a node is on another tape, and names this file's line.
#[track_caller]
fn assert_refused(what: &str, error: Error, line: u32) {
    let text = error.to_string();
    assert!(text.contains("on another tape"), "{what}: {text}");
    assert_eq!(error.location(), Some(format!("{}:{line}", file!())), "{what}: {text}");
}

struct Twice;

impl Function for Twice {
    fn name(&self) -> &'static str {
        "twice"
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(inputs[0].clone())
    }

    fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor, String> {
        Ok(inputs[0].clone())
    }

    fn vjp<'t>(&self, g: Var<'t>, _: &[Var<'t>], _: Var<'t>) -> Vec<Option<Var<'t>>> {
        vec![Some(g)]
    }
}

#[test]
fn every_function_that_takes_nodes_refuses_those_of_another_tape() {
    let (tape, other) = (Tape::f64(), Tape::f64());
    let numbers = || Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    let (x, o) = (tape.variable(numbers()), other.variable(numbers()));
    let (one, vector) = (x.square().sum(..), tape.constant([1.0, 2.0]));
    let (line, ov) = (x.unsqueeze(0), other.constant([1.0, 2.0]));
    let labels = other.labels(&[0, 1]);
    let own = tape.labels(&[0, 1]);
    let function: Arc<dyn Function> = Arc::new(Twice);
    let square = tape.op_instance(x.square().number()).unwrap();
    let w = Parameter::new("w", numbers());
    let before = other.len();
    macro_rules! refused {
        ($($expression:expr),* $(,)?) => {
            $(assert_refused(stringify!($expression), $expression.value().unwrap_err(), line!());)*
        };
    }
    refused!(x + o);
    refused!(o - x);
    refused!(x.pow(o));
    refused!(x * ov);
    refused!(x.maximum(ov));
    refused!(x.gt(o));
    refused!(x.select(o, 0.0));
    refused!(x.select(1.0, o));
    refused!(o.select(x, x));
    refused!(x.matmul(o));
    refused!(x.matmul(ov));
    refused!(x.linear(o, None));
    refused!(x.linear(x, Some(ov)));
    refused!(line.conv1d(o.unsqueeze(0), None, Default::default()));
    refused!(line.conv1d(x.unsqueeze(0), Some(ov), Default::default()));
    refused!(x.gather(0, labels.unsqueeze(0)));
    refused!(x.index_select(0, labels));
    refused!(x.embedding(labels));
    refused!(x.scatter_add(0, own.unsqueeze(0), o));
    refused!(x.scatter_add(0, labels.unsqueeze(0), x));
    refused!(x.after(o));
    refused!(concat(&[x, o], 0));
    refused!(stack(&[x, o], 0));
    // The standard library does not say who called `sum`.
    let sum: Var<'_> = [x, o].iter().sum();
    assert!(sum.value().unwrap_err().to_string().contains("on another tape"));
    refused!(x.layer_norm(&[2], Some(ov), None, 1e-5));
    refused!(x.layer_norm(&[2], None, Some(ov), 1e-5));
    refused!(x.batch_norm(Some(ov), None, 1e-5));
    refused!(x.batch_norm(None, Some(ov), 1e-5));
    refused!(x.batch_norm_with(ov, vector, None, None, 1e-5));
    refused!(x.batch_norm_with(vector, ov, None, None, 1e-5));
    refused!(tape.apply(&function, &[o]));
    refused!(square.record(&tape, &[o]));
    refused!(tape.with_parameters(&[(&w, o)], || tape.parameter(&w)));
    refused!(tape.grad(one, &[o])[0]);
    refused!(tape.grad(o.sum(..), &[x])[0]);
    refused!(tape.grad(o.sum(..), &[o])[0]);
    refused!(tape.vjp(x, o, &[x])[0]);
    refused!(tape.vjp(x, x, &[o])[0]);
    refused!(tape.vjp(o, x, &[x])[0]);
    refused!(tape.jvp(x, &[x], &[o]));
    refused!(tape.jvp(x, &[o], &[x]));
    refused!(tape.jvp(o, &[x], &[x]));
    refused!(tape.hvp(one, &[x], &[o])[0]);
    refused!(tape.hvp(one, &[o], &[x])[0]);
    refused!(tape.hvp(o.sum(..), &[x], &[x])[0]);
    refused!(tape.jacobian(x, o));
    refused!(tape.jacobian(o, x));
    refused!(tape.hessian(one, o));
    refused!(tape.hessian(o.sum(..), x));
    assert_refused("eval", tape.eval(&[o]).unwrap_err(), line!());
    assert_refused("plan", tape.plan(&[o]).map(|_| ()).unwrap_err(), line!());
    // What is recorded by the test itself is all that is on it: sums, unsqueezed labels.
    assert!(other.len() <= before + 16, "{} nodes on the other tape", other.len() - before);
    assert_eq!(one.backward().unwrap().of(o), None);
}

#[test]
fn a_copy_is_another_tape() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let copy = tape.copy();
    let there = copy.var(x.number()).unwrap();
    let y = x.square().sum(..);
    assert!((x + there).value().is_err());
    assert!(tape.grad(y, &[there])[0].value().is_err());
    assert_eq!(y.backward().unwrap().of(there), None);
    assert_eq!(y.backward().unwrap().of(x).unwrap().to_f64s(), [2.0, 4.0]);
}

#[test]
fn what_was_wrong_on_another_tape_is_told_rather_than_the_tape() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let error = (x + concat(&[], 0)).value().unwrap_err();
    assert!(error.to_string().contains("given none"), "{error}");
}

#[test]
fn errors_about_no_tensors_take_no_more_memory_the_second_time() {
    let mut sizes = Vec::new();
    for _ in 0..100 {
        let y: Var<'_> = concat(&[], 0);
        let z = y.tape().scope("scope", || (y * 2.0 + y.tape().constant([1.0])).square().sum(..));
        let w = Parameter::new("w", 1.0);
        let fault = y.tape().parameter(&w) + stack(&[], 1);
        for wrong in [y, z, fault] {
            assert!(wrong.value().unwrap_err().to_string().starts_with("concat"), "{wrong:?}");
        }
        assert!(tape_is_small(y));
        sizes.push((y.tape().len(), y.tape().scopes().len(), y.tape().id()));
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}

fn tape_is_small(var: Var<'_>) -> bool {
    var.tape().len() == 1
}

#[test]
fn integers_are_refused_where_a_gradient_would_be_wanted() {
    let tape = Tape::f64();
    let line = line!() + 1;
    let x = tape.variable(2);
    let error = x.square().backward().unwrap_err();
    assert_eq!(error.location(), Some(format!("{}:{line}", file!())));
    assert!(format!("{error:?}").contains("perhaps: 2.0 instead of 2"), "{error:?}");
    let line = line!() + 1;
    let w = Parameter::new("w", [1, 2]);
    let error = tape.parameter(&w).square().sum(..).backward().unwrap_err();
    assert_eq!(error.location(), Some(format!("{}:{line}", file!())));
    assert!(error.to_string().contains("`w` holds integers"), "{error}");
    let [n, y] = [tape.constant(3), tape.variable(2.0)];
    let error = tape.grad(n.to_float() * y, &[n])[0].value().unwrap_err();
    assert!(error.to_string().contains("holds integers"), "{error}");
    let each = tape.grad(n.to_float() * y, &[n, y]);
    assert!(each[0].value().is_err());
    assert_eq!(each[1].item().unwrap(), 3.0);
    let p = Parameter::new("p", 1.0);
    assert!(
        p.set(2.into()).unwrap_err().to_string().contains("holds integers")
            || p.set(2.into()).unwrap_err().to_string().contains("would hold integers")
    );
    assert_eq!(tape.input(&3.into()).square().item().unwrap(), 9.0);
}

/// A step of descent.
fn step(gradients: &lossgraph_autograd::Gradients, rate: f64) {
    for (parameter, gradient) in gradients.parameters() {
        let (value, gradient) = (parameter.value().to_f64s(), gradient.to_f64s());
        let moved = value.iter().zip(&gradient).map(|(x, g)| x - rate * g).collect();
        parameter.set(Tensor::new(parameter.shape(), moved).unwrap()).unwrap();
    }
}

#[test]
fn a_gan_on_one_tape_trains_against_the_critic_as_it_is_after_its_step() {
    let run = |one_tape: bool| {
        let (g, d) = (Parameter::new("generator", 0.5), Parameter::new("critic", 2.0));
        for _ in 0..3 {
            let (first, second) = (Tape::f64(), Tape::f64());
            let fake = first.parameter(&g) * 3.0;
            let critic = first.parameter(&d);
            let loss = (critic * fake.detach()).square() - critic;
            step(&loss.backward().unwrap(), 0.01);
            let tape = if one_tape { &first } else { &second };
            let fake =
                if one_tape { tape.var(fake.number()).unwrap() } else { tape.parameter(&g) * 3.0 };
            let loss = (tape.parameter(&d) * fake).square();
            let gradients = loss.backward().unwrap();
            assert!(gradients.get(&d).is_some() && gradients.get(&g).is_some());
            for (parameter, gradient) in
                gradients.parameters().iter().filter(|(p, _)| p.id() == g.id())
            {
                let moved = parameter.value().item().unwrap() - 0.01 * gradient.item().unwrap();
                parameter.set(moved.into()).unwrap();
            }
        }
        (g.value().item().unwrap(), d.value().item().unwrap())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_target_network_on_one_tape_is_read_as_it_is_after_it_was_copied() {
    let (online, target) = (Parameter::new("online", 1.0), Parameter::new("target", 1.0));
    let tape = Tape::f64();
    for _ in 0..4 {
        let wanted = (tape.parameter(&target) * 0.9 + 1.0).detach();
        let loss = (tape.parameter(&online) - wanted).square();
        let expected =
            2.0 * (online.value().item().unwrap() - target.value().item().unwrap() * 0.9 - 1.0);
        let gradients = loss.backward().unwrap();
        assert!((gradients.get(&online).unwrap().item().unwrap() - expected).abs() < 1e-12);
        assert!(gradients.get(&target).is_none());
        step(&gradients, 0.1);
        target.set(online.value()).unwrap();
    }
}

#[test]
fn a_parameter_is_the_same_node_until_its_value_changes() {
    let w = Parameter::new("w", [1.0, 2.0]);
    for tape in [Tape::new(), Tape::f64()] {
        let before = tape.parameter(&w);
        assert_eq!(tape.parameter(&w).number(), before.number());
        w.update(|_| ());
        assert_eq!(tape.parameter(&w).number(), before.number());
        w.update(|value| value.as_mut_slice::<f64>().unwrap()[0] += 1.0);
        let after = tape.parameter(&w);
        assert_ne!(after.number(), before.number());
        assert_eq!(after.value().unwrap().to_f64s()[0], before.value().unwrap().to_f64s()[0] + 1.0);
        assert_eq!(tape.parameter(&w).number(), after.number());
    }
}

#[test]
fn a_gradient_by_two_values_of_one_parameter_is_refused() {
    let w = Parameter::new("w", 3.0);
    let tape = Tape::f64();
    let old = tape.parameter(&w);
    let before = old.square();
    w.set(5.0.into()).unwrap();
    let new = tape.parameter(&w);
    let after = new.square();
    let says = |error: Error| {
        let text = error.to_string();
        assert!(text.contains("parameter `w` was changed between two uses"), "{text}");
        assert!(error.location().unwrap().starts_with(file!()), "{text}");
    };
    says((before + after).backward().unwrap_err());
    says(tape.grad(before + after, &[new])[0].value().unwrap_err());
    says(tape.grad(before + after, &[old])[0].value().unwrap_err());
    // Zeros would be right for no value that the parameter has had.
    says(tape.grad(before, &[new])[0].value().unwrap_err());
    says(tape.grad(after, &[old])[0].value().unwrap_err());
    assert_eq!(tape.grad(before, &[old])[0].item().unwrap(), 6.0);
    assert_eq!(tape.grad(after, &[new])[0].item().unwrap(), 10.0);
    let mixed = (before.detach() + after).backward().unwrap();
    assert_eq!((mixed.loss(), mixed.get(&w).unwrap().item().unwrap()), (34.0, 10.0));
}
