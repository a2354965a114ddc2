//! Limits on gradients.

use std::collections::HashSet;

use lossgraph_autograd::Gradients;
use lossgraph_tensor::{Result as TensorResult, Tensor};

use crate::error::{Error, Result};

/// Scales all gradients by one factor so that their norm is at most `max_norm`, and gives the norm
/// before: they are multiplied by `min(1, max_norm / (norm + 10⁻⁶))`. Tied weights, which are one
/// parameter, count once.
///
/// `p` is the order of the norm: 2 is that of PyTorch's default, ∞ takes the largest element.
///
/// # Errors
/// A norm that is not finite: the gradients are as before. A `max_norm` or `p` out of range.
///
/// # Source
/// Pascanu, Mikolov and Bengio, On the Difficulty of Training Recurrent Neural Networks, 2013.
#[doc(alias = "clip_grad_norm_")]
pub fn clip_grad_norm(gradients: &mut Gradients, max_norm: f64, p: f64) -> Result<f64> {
    let subject = "clip_grad_norm";
    if max_norm.is_nan() || max_norm < 0.0 {
        let (name, expected) = ("max_norm", "0 or more");
        return Err(Error::Option { subject, name, given: max_norm, expected });
    }
    if p.is_nan() || p <= 0.0 {
        return Err(Error::Option { subject, name: "p", given: p, expected: "more than 0" });
    }
    let mut counted = HashSet::new();
    let listed = gradients.parameters().iter();
    let once: Vec<&Tensor> =
        listed.filter(|(p, _)| counted.insert(p.id())).map(|(_, gradient)| gradient).collect();
    let elements = || once.iter().flat_map(|gradient| gradient.to_f64s());
    let largest = elements().fold(0.0_f64, |max, x| {
        if x.is_nan() || max.is_nan() { f64::NAN } else { max.max(x.abs()) }
    });
    // In units of the largest, so that powers neither overflow nor vanish.
    let norm = match largest {
        _ if p == f64::INFINITY || largest == 0.0 || !largest.is_finite() => largest,
        _ => largest * elements().map(|x| (x.abs() / largest).powf(p)).sum::<f64>().powf(1.0 / p),
    };
    if !norm.is_finite() {
        let bad = |gradient: &Tensor| gradient.to_f64s().iter().any(|x| !x.is_finite());
        let mut culprits = gradients.parameters().iter().filter(|(_, gradient)| bad(gradient));
        return Err(match culprits.next() {
            Some((parameter, _)) => {
                Error::NotFinite { subject, parameter: parameter.name().to_owned() }
            }
            None => {
                let expected = "an order in which the norm of these gradients is finite";
                Error::Option { subject, name: "p", given: p, expected }
            }
        });
    }
    let scale = max_norm / (norm + 1e-6);
    if scale < 1.0 {
        for gradient in gradients.parameters_mut() {
            map_in_place(gradient, |x| x * scale)?;
        }
    }
    Ok(norm)
}

/// Clamps every element of every gradient to ±`limit`.
///
/// # Errors
/// A limit that is negative or NaN.
#[doc(alias = "clip_grad_value_")]
pub fn clip_grad_value(gradients: &mut Gradients, limit: f64) -> Result<()> {
    if limit.is_nan() || limit < 0.0 {
        let (subject, name, expected) = ("clip_grad_value", "limit", "0 or more");
        return Err(Error::Option { subject, name, given: limit, expected });
    }
    for gradient in gradients.parameters_mut() {
        map_in_place(gradient, |x| x.clamp(-limit, limit))?;
    }
    Ok(())
}

fn map_in_place(tensor: &mut Tensor, f: impl Fn(f64) -> f64) -> TensorResult<()> {
    let mapped = tensor.to_f64s().into_iter().map(f).collect::<Vec<f64>>();
    *tensor = Tensor::new(tensor.shape().clone(), mapped)?.to_dtype(tensor.dtype());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Parameter;

    fn gradients(values: [f64; 2]) -> Gradients {
        Gradients::new(0.0, vec![(Parameter::new("w", values), Tensor::from(values))])
    }

    #[test]
    fn a_norm_of_high_order_neither_overflows_nor_vanishes() {
        for scale in [1e-200, 1.0, 1e200] {
            let norm = clip_grad_norm(&mut gradients([scale, -scale]), f64::MAX, 100.0).unwrap();
            assert!((norm / scale - 2.0_f64.powf(0.01)).abs() < 1e-12, "{norm}");
        }
    }

    #[test]
    fn a_parameter_that_is_listed_twice_counts_once() {
        let w = Parameter::new("w", [3.0, 4.0]);
        let listed = || (w.clone(), Tensor::from([3.0, 4.0]));
        let mut gradients = Gradients::new(0.0, vec![listed(), listed()]);
        assert_eq!(clip_grad_norm(&mut gradients, 1.0, 2.0).unwrap(), 5.0);
        assert!((gradients.get(&w).unwrap().to_f64s()[0] - 0.6).abs() < 1e-6);
    }

    #[test]
    fn gradients_that_are_not_finite_are_refused_and_stay() {
        for bad in [[f64::NAN, 1.0], [1.0, f64::NAN], [f64::INFINITY, 1.0]] {
            let mut gradients = gradients(bad);
            let error = clip_grad_norm(&mut gradients, 1.0, 2.0).unwrap_err();
            let expected = "clip_grad_norm: the gradient of `w` is not finite; the gradients are";
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(text.starts_with(expected) && !text.contains("step"), "{text}");
            }
            assert_eq!(gradients.parameters()[0].1.to_f64s()[1].to_bits(), bad[1].to_bits());
        }
    }
}
