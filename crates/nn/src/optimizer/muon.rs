//! Muon.

use lossgraph_tensor::{Float, Result as TensorResult, Shape, Tensor, kernels};

use super::adam::AdamW;
use super::rule::{
    Granularity, State, Step, UpdateRule, at_least_zero, betas_below_one, in_range, learning_rate,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::{options, words};

options! {
    /// Momentum made orthogonal: a matrix moves by the same length along each of its directions.
    ///
    /// ```text
    /// b ← μ b + (1 − μ) g
    /// u = (1 − μ) g + μ b  (Nesterov), else b
    /// x = u / ‖u‖;  k times  a = x xᵀ,  x ← c₁ x + (c₂ a + c₃ a²) x        Newton and Schulz
    /// p ← (1 − lr λ) p − lr √max(1, rows/columns) x                        weight decay λ
    /// ```
    ///
    /// It is a rule for the weights of hidden layers. The first axis of a tensor has the rows, and all
    /// others the columns, as of a convolution. Biases and other vectors are updated as by
    /// [`AdamW`] with the same rate and decay; so is a group with `orthogonalize: false`, which
    /// embeddings and the last layer are meant for.
    ///
    /// PyTorch orthogonalizes in `bf16`, with two digits; this does so in the parameter's type.
    ///
    /// # Source
    /// Jordan et al., Muon: An Optimizer for Hidden Layers in Neural Networks, 2024. PyTorch's `Muon`.
    #[derive(Copy)]
    pub struct Muon("muon") {
        /// The learning rate.
        lr: f64 = 1e-3,
        /// The factor of the decay: each step takes `lr · weight_decay` of a parameter away.
        weight_decay: f64 = 0.1,
        /// The decay rate of the mean gradient.
        momentum: f64 = 0.95,
        /// Looks ahead along the momentum.
        nesterov: bool = true,
        /// The coefficients of a step of Newton and Schulz.
        ns_coefficients: [f64; 3] = [3.4445, -4.775, 2.0315],
        /// The least norm that a matrix is divided by.
        eps: f64 = 1e-7,
        /// How many steps of Newton and Schulz there are.
        ns_steps: usize = 5,
        /// How the rate depends on the shape.
        adjust_lr_fn: AdjustLr = AdjustLr::Original,
        /// Whether matrices are made orthogonal; if not, they are updated as vectors are.
        orthogonalize: bool = true,
        /// The betas of the vectors.
        betas: [f64; 2] = [0.9, 0.999],
    }
}

words! {
    /// How the rate of [`Muon`] depends on the shape of a matrix.
    pub enum AdjustLr("original or match_rms_adamw") {
        /// By `√max(1, rows/columns)`.
        Original = "original",
        /// By `0.2 √max(rows, columns)`: steps are about as long as those of `adamw`, so that its rates
        /// fit.
        MatchRmsAdamW = "match_rms_adamw",
    }
}

pub(super) const ROW: Row =
    row::<Muon>("muon", &["Muon"], "an orthogonal momentum for matrices, adamw for vectors");

impl Muon {
    /// Rows and columns, if a parameter is to be made orthogonal.
    fn matrix(&self, shape: &Shape) -> Option<[usize; 2]> {
        match shape[..] {
            [rows, ref columns @ ..] if self.orthogonalize && !columns.is_empty() => {
                Some([rows, columns.iter().product()])
            }
            _ => None,
        }
    }

    fn adamw(&self) -> AdamW {
        let (lr, weight_decay, betas) = (self.lr, self.weight_decay, self.betas);
        AdamW { lr, weight_decay, betas, ..AdamW::default() }
    }

    fn adjusted(&self, [rows, columns]: [usize; 2]) -> f64 {
        let [rows, columns] = [rows as f64, columns as f64];
        match self.adjust_lr_fn {
            AdjustLr::Original => self.lr * (rows / columns).max(1.0).sqrt(),
            AdjustLr::MatchRmsAdamW => self.lr * 0.2 * rows.max(columns).sqrt(),
        }
    }

    /// A matrix with the directions of another one, and lengths near 1.
    fn orthogonal<T: Float>(&self, u: Vec<T>, size: [usize; 2]) -> TensorResult<Vec<T>> {
        let norm = u.iter().map(|u| u.to_f64() * u.to_f64()).sum::<f64>().sqrt().max(self.eps);
        let [a, b, c] = self.ns_coefficients.map(T::of);
        let unit: Vec<T> = u.into_iter().map(|u| T::of(u.to_f64() / norm)).collect();
        let mut x = Tensor::new(size, unit)?;
        // The smaller of both products.
        let tall = size[0] > size[1];
        if tall {
            x = x.transpose(0, 1)?.contiguous();
        }
        for _ in 0..self.ns_steps {
            let gram = product(&x, &x.transpose(0, 1)?)?;
            let mixed = sum::<T>(b, &gram, c, &product(&gram, &gram)?)?;
            x = sum::<T>(a, &x, T::ONE, &product(&mixed, &x)?)?;
        }
        if tall { x.transpose(0, 1)?.to_vec() } else { x.to_vec() }
    }
}

fn product(a: &Tensor, b: &Tensor) -> TensorResult<Tensor> {
    let mut out = Tensor::zeros([a.shape()[0], b.shape()[1]], a.dtype())?;
    kernels::matmul(a, b, &mut out)?;
    Ok(out)
}

/// `a x + b y`
fn sum<T: Float>(a: T, x: &Tensor, b: T, y: &Tensor) -> TensorResult<Tensor> {
    let (x_values, y_values) = (x.to_vec::<T>()?, y.to_vec::<T>()?);
    let each = x_values.into_iter().zip(y_values).map(|(x, y)| a * x + b * y);
    Tensor::new(x.shape().clone(), each.collect::<Vec<T>>())
}

impl UpdateRule for Muon {
    const NAME: &'static str = "muon";
    const GRANULARITY: Granularity = Granularity::Parameter;

    learning_rate!();

    fn momentum(&self) -> Option<f64> {
        Some(self.momentum)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }

    fn check(&self) -> Result<()> {
        at_least_zero("muon", "lr", self.lr)?;
        at_least_zero("muon", "weight_decay", self.weight_decay)?;
        at_least_zero("muon", "momentum", self.momentum)?;
        at_least_zero("muon", "eps", self.eps)?;
        let steps = self.ns_steps as f64;
        in_range("muon", "ns_steps", steps, steps < 100.0, "less than 100")?;
        betas_below_one("muon", self.betas)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        match self.matrix(shape) {
            Some(_) => State::zeros(shape, 1),
            None => self.adamw().states(shape),
        }
    }

    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let Some(size) = self.matrix(step.shape) else {
            return self.adamw().update(step, p, g, states);
        };
        let (momentum, new) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        let keep = T::of(1.0 - self.lr * self.weight_decay);
        let lr = T::of(self.adjusted(size));
        let ahead = |(b, &g): (&mut T, &T)| {
            *b = *b + new * (g - *b);
            if self.nesterov { g + momentum * (*b - g) } else { *b }
        };
        let u: Vec<T> = states[0].iter_mut().zip(g).map(ahead).collect();
        // The products have the shapes that they are given, so that none of them fails.
        let Ok(x) = self.orthogonal(u, size) else { return };
        for (p, x) in p.iter_mut().zip(x) {
            *p = keep * *p - lr * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::{Gradients, Parameter};

    #[test]
    fn steps_are_those_of_pytorch_to_the_digits_that_it_computes_with() {
        let start: Vec<f64> = (0..6).map(|i| f64::from(i) / 5.0 - 0.4).collect();
        let m = Parameter::new("m", Tensor::new([2, 3], start).unwrap());
        let mut optimizer = Muon { lr: 0.1, ..Muon::default() }.over(&m).unwrap();
        for step in 1..3 {
            let gradient = (0..6).map(|i| f64::from(i * step).sin()).collect::<Vec<f64>>();
            let gradient = Tensor::new([2, 3], gradient).unwrap();
            optimizer.step(&Gradients::new(0.0, vec![(m.clone(), gradient)])).unwrap();
        }
        // By PyTorch 2.15, whose products are of `bf16`: their error is 1/256 of a step of 0.1 or so.
        let expected = [-0.467331, -0.347282, -0.036994, 0.151110, 0.390989, 0.741333];
        let got = m.value().to_f64s();
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-3), "{got:?}");
    }

    #[test]
    fn a_tall_matrix_moves_by_about_one_length_along_each_direction() {
        let muon = Muon::default();
        let u: Vec<f64> = vec![3.0, 0.0, 0.0, 1e-2, 4.0, 0.0];
        let x = muon.orthogonal(u, [3, 2]).unwrap();
        let column = |j: usize| (0..3).map(|i| x[2 * i + j].powi(2)).sum::<f64>().sqrt();
        assert!((0.5..1.3).contains(&column(0)), "{x:?}");
        assert!(x[0] * x[1] + x[2] * x[3] + x[4] * x[5] < 0.01);
    }

    #[test]
    fn vectors_and_groups_that_say_so_are_updated_as_by_adamw() {
        let run = |matrix: bool| {
            let start =
                if matrix { Tensor::from([[1.0, -2.0]]) } else { Tensor::from([1.0, -2.0]) };
            let p = Parameter::new("p", start);
            let gradient = p.value().map(|x| 3.0 * x);
            let gradients = Gradients::new(0.0, vec![(p.clone(), gradient)]);
            let muon = Muon { lr: 0.1, orthogonalize: false, ..Muon::default() };
            muon.over(&p).unwrap().step(&gradients).unwrap();
            p.value().to_f64s()
        };
        // adamw: (1 − 0.1 · 0.1) p − 0.1 sign(g).
        let expected = [0.99 - 0.1, -1.98 + 0.1];
        for matrix in [true, false] {
            let got = run(matrix);
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8), "{got:?}");
        }
    }
}
