//! Averaged stochastic gradient descent.

use lossgraph_tensor::{Float, Shape};

use super::rule::{State, Step, UpdateRule, at_least_zero, direction, learning_rate};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Stochastic gradient descent with a falling rate, whose iterates are averaged from a step on.
    ///
    /// ```text
    /// g ← g + λ' p                               weight decay λ'
    /// p ← (1 − λ ηₜ) p − ηₜ g                    η₁ = lr,  ηₜ₊₁ = lr / (1 + λ lr t)^α
    /// a ← a + μₜ (p − a)                         μₜ = 1 / max(1, t − 1 − t₀)
    /// ```
    ///
    /// The average `a` is a state, and the parameters are the iterates, as in PyTorch;
    /// [`Averaged`](crate::optimizer::Averaged) has averages that a model can be evaluated with.
    ///
    /// # Source
    /// Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992. PyTorch's
    /// `ASGD`.
    #[doc(alias = "ASGD")]
    #[derive(Copy)]
    pub struct Asgd("asgd") {
        /// The learning rate.
        lr: f64 = 1e-2,
        /// The decay of the parameters, and of the rate.
        lambd: f64 = 1e-4,
        /// The power by which the rate falls.
        alpha: f64 = 0.75,
        /// The step after which iterates are averaged.
        t0: f64 = 1e6,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<Asgd>("asgd", &["ASGD"], "sgd with a falling rate, and the average of its iterates");

impl UpdateRule for Asgd {
    const NAME: &'static str = "asgd";
    /// The rate of this step, and that of the next: it is known by the rate that was set before.
    const NUMBERS: usize = 2;

    learning_rate!();

    fn check(&self) -> Result<()> {
        at_least_zero("asgd", "lr", self.lr)?;
        at_least_zero("asgd", "lambd", self.lambd)?;
        at_least_zero("asgd", "alpha", self.alpha)?;
        at_least_zero("asgd", "t0", self.t0)?;
        at_least_zero("asgd", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 1)
    }

    fn advance(&self, step: i32, numbers: &mut [f64]) {
        numbers[0] = if step == 1 { self.lr } else { numbers[1] };
        let decay = 1.0 + self.lambd * self.lr * f64::from(step);
        numbers[1] = self.lr / decay.powf(self.alpha);
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let eta = step.numbers[0];
        let mu = T::of(1.0 / (f64::from(step.count) - 1.0 - self.t0).max(1.0));
        let [shrink, eta, l2] = [self.lambd * eta, eta, self.weight_decay].map(T::of);
        let sign: T = direction(self.maximize);
        for ((p, &g), average) in p.iter_mut().zip(g).zip(states[0].iter_mut()) {
            let g = sign * g + l2 * *p;
            *p = *p - (shrink * *p + eta * g);
            // With a μ of 1 it is the parameter itself, without rounding.
            *average = if mu == T::ONE { *p } else { *average + mu * (*p - *average) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Stateful;
    use lossgraph_autograd::{Gradients, Parameter};
    use lossgraph_tensor::Tensor;

    #[test]
    fn a_rate_that_is_set_acts_on_the_step_after_the_next_as_in_pytorch() {
        let p = Parameter::new("p", [1.0, -2.0]);
        let asgd = Asgd { lr: 0.1, lambd: 0.01, alpha: 0.5, t0: 2.0, ..Asgd::default() };
        let mut optimizer = asgd.over(&p).unwrap();
        for (lr, g) in [(0.1, 1.0), (0.05, 0.5), (0.2, -3.0), (0.2, 1.0)] {
            optimizer.set_lr(lr).unwrap();
            let gradient = Tensor::from([g, 2.0]);
            optimizer.step(&Gradients::new(0.0, vec![(p.clone(), gradient)])).unwrap();
        }
        // By PyTorch 2.15 in `f64`.
        let expected = [0.7962356524122036, -2.888287318419653];
        let average = optimizer.state_dict().tensors["0.0.p.0"].to_f64s();
        for got in [p.value().to_f64s(), average] {
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?}");
        }
    }
}
