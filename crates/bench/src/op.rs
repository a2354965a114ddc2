//! Single ops, forward or with their gradients.

use std::hint::black_box;

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};

use crate::data;
use crate::harness::Case;

/// A tensor of the rig's numbers in [−scale, scale).
pub fn uniform(seed: u32, shape: impl Into<Shape>, scale: f32) -> Tensor {
    let shape = shape.into();
    tensor(shape.clone(), data::uniform(seed, shape.numel(), scale))
}

pub fn tensor(shape: impl Into<Shape>, data: Vec<f32>) -> Tensor {
    Tensor::new(shape, data).expect("as many numbers as the shape says")
}

/// A tensor of class numbers.
pub fn labels(seed: u32, n: usize, classes: u32) -> Tensor {
    let labels = data::labels(seed, n, classes).into_iter();
    Tensor::from(labels.map(|label| label as i64).collect::<Vec<i64>>())
}

/// Times a loss with the gradients of its inputs, each time on a new tape.
pub fn gradient_case<const N: usize>(
    inputs: [Tensor; N],
    loss: impl for<'t> Fn([Var<'t>; N]) -> Var<'t> + 'static,
) -> Case {
    let gradients = move || -> Result<(f64, Vec<Tensor>)> {
        let tape = Tape::new();
        let inputs = inputs.clone().map(|input| tape.variable(input));
        let gradients = loss(inputs).backward()?;
        let each = inputs.map(|input| gradients.of(input).expect("a gradient").clone());
        Ok((gradients.loss(), each.into()))
    };
    let (check, each) = gradients().unwrap_or_else(|error| panic!("{error:?}"));
    let grad_check = each.iter().map(|g| data::abs_sum(&numbers(g))).sum();
    Case::new(check, Some(grad_check), move || {
        black_box(gradients().expect("it ran before"));
    })
}

/// Times a value, each time on a new tape.
pub fn forward_case(
    inputs: Vec<Tensor>,
    value: impl for<'t> Fn(&[Var<'t>]) -> Var<'t> + 'static,
    check: impl Fn(&[f32]) -> f64,
) -> Case {
    let run = move || -> Result<Tensor> {
        let tape = Tape::new();
        let inputs: Vec<Var<'_>> = inputs.iter().map(|x| tape.constant(x.clone())).collect();
        value(&inputs).value()
    };
    let first = run().unwrap_or_else(|error| panic!("{error:?}"));
    Case::new(check(&numbers(&first)), None, move || {
        black_box(run().expect("it ran before"));
    })
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().expect("f32")
}

pub fn softmax() -> Case {
    let squares = |y: &[f32]| y.iter().map(|&v| f64::from(v).powi(2)).sum();
    forward_case(vec![uniform(1, [4096, 1000], 4.0)], |x| x[0].softmax(-1), squares)
}

pub fn layer_norm() -> Case {
    let weight = data::uniform(2, 256, 0.1).into_iter().map(|v| v + 1.0).collect();
    let inputs = [uniform(1, [4096, 256], 2.0), tensor([256], weight), uniform(3, [256], 0.1)];
    let cotangent = uniform(4, [4096, 256], 1.0);
    gradient_case(inputs, move |[x, weight, bias]| {
        let y = x.layer_norm(&[256], Some(weight), Some(bias), 1e-5);
        (y * x.tape().constant(cotangent.clone())).mean(..)
    })
}

pub fn matmul(n: usize) -> Case {
    let inputs = vec![uniform(1, [n, n], 1.0), uniform(2, [n, n], 1.0)];
    forward_case(inputs, |x| x[0].matmul(x[1]), move |y| data::abs_sum(y) / (n * n) as f64)
}

/// A thousand dependent additions: what an op costs beside its arithmetic.
pub fn small() -> Case {
    let step = uniform(2, [16], 0.01);
    gradient_case([uniform(1, [16], 1.0)], move |[x]| {
        let step = x.tape().constant(step.clone());
        (0..1000).fold(x, |x, _| x + step).sum(..)
    })
}
