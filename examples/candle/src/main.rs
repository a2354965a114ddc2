//! A loss of candle, checked as a black box: candle computes value and gradients, and lossgraph
//! compares them with differences.
//!
//! The first report says PASS. In the second, somebody called `detach` on the log-sum-exp, as one
//! does for speed, and the gradient is no longer that of the value: FAIL.
//!
//! ```text
//! candle: loss 0.251640, seed 0, 58 runs
//!   order  input            verdict  digits  margin
//!       1  logits           PASS       12.4  0.04
//!       1  labels           SKIPPED  it holds integers
//!       2  logits × logits  PASS       14.0  0.00
//!
//! candle, detached: loss 0.251640, seed 0, 200 runs
//!   order  input            verdict  digits  margin
//!       1  logits           FAIL        0.0  2e11
//!            6 elements are wrong of 6 looked at, of 6
//!            element     value   analytic    numeric  ± error
//!             [1, 2]  3.000000  -0.500000  -0.045620    3e-13
//!             [0, 0]  2.000000  -0.500000  -0.167380    4e-13
//! …
//!            the smallest case, as a test:
//!              // The function that is checked at src/main.rs:74:30, as `function`.
//!              #[test]
//!              fn the_gradient_is_right() {
//!                  // In logits at [0, 0]: 0e0 by differences, not -1e0.
//!                  assert_gradients!(function: function, &[
//!                      Tensor::from([[0.0]]), // logits
//!                      Tensor::from([0_i64]), // labels
//!                  ]);
//!              }
//!       1  labels           SKIPPED  it holds integers
//!       2  logits × logits  SKIPPED  the gradient is wrong already
//! ```

use candle_core::{D, Device, Result, Tensor, Var};
use lossgraph_check::{Check, Evaluation};

/// The mean cross-entropy of logits with one class for each row.
fn cross_entropy(logits: &Tensor, labels: &Tensor, detached: bool) -> Result<Tensor> {
    let mut normalizer = logits.log_sum_exp(D::Minus1)?;
    if detached {
        normalizer = normalizer.detach();
    }
    let chosen = logits.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?;
    (normalizer - chosen)?.mean_all()
}

/// Value and gradient by candle, from tensors of lossgraph to tensors of lossgraph.
fn evaluate(inputs: &[lossgraph_tensor::Tensor], detached: bool) -> Result<Evaluation> {
    let [logits, labels] = inputs else { candle_core::bail!("expected logits and labels") };
    let device = Device::Cpu;
    let logits = Var::from_vec(logits.to_f64s(), logits.shape().to_vec(), &device)?;
    let classes: Vec<i64> = labels.to_vec().map_err(candle_core::Error::wrap)?;
    let labels = Tensor::from_vec(classes, labels.shape().to_vec(), &device)?;
    let loss = cross_entropy(&logits, &labels, detached)?;
    let gradients = loss.backward()?;
    let gradient = match gradients.get(&logits) {
        Some(gradient) => {
            let numbers = gradient.flatten_all()?.to_vec1::<f64>()?;
            let shaped = lossgraph_tensor::Tensor::new(gradient.dims().to_vec(), numbers);
            Some(shaped.map_err(candle_core::Error::wrap)?)
        }
        None => None,
    };
    Ok(Evaluation { value: loss.to_scalar::<f64>()?, gradients: vec![gradient, None] })
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let inputs = [[[2.0, 1.0, 0.0], [0.5, -1.0, 3.0]].into(), [0_i64, 2].into()];
    for (title, detached) in [("candle", false), ("candle, detached", true)] {
        let names = ["logits", "labels"].map(str::to_owned).to_vec();
        let check = Check { title: title.to_owned(), names, ..Check::default() };
        println!("{}", check.run_function(|inputs: &[_]| evaluate(inputs, detached), &inputs)?);
    }
    Ok(())
}
