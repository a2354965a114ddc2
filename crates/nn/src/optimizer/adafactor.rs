//! Adafactor.

use lossgraph_tensor::{DType, Elem, Float, Shape};

use super::rule::{
    Granularity, State, Step, UpdateRule, at_least_zero, direction, in_range, learning_rate,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// The gradient over its root mean square, of which a matrix keeps one number for each row and each
    /// column: as little memory as plain gradient descent.
    ///
    /// ```text
    /// ρ = min(lr, 1/√t),   α = max(ε₂, rms(p)) ρ,   w = t^τ
    /// p ← (1 − lr λ) p                                           weight decay λ
    /// R ← R + w (mean of g² along rows − R),   C ← C + w (mean along columns − C)
    /// V = R C / max(mean(R), ε₁)                                 of vectors V ← V + w (g² − V)
    /// u = g / max(√V, ε₁)
    /// p ← p − α u / max(1, rms(u) / d)
    /// ```
    ///
    /// Of a tensor with more axes, the last two are those of the matrices. Sums are added up in `f64`.
    ///
    /// # Source
    /// Shazeer and Stern, Adafactor, 2018. PyTorch's `Adafactor`.
    #[derive(Copy)]
    pub struct Adafactor("adafactor") {
        /// The largest step relative to the size of the parameter.
        lr: f64 = 1e-2,
        /// The power τ of the step by which new squares count.
        beta2_decay: f64 = -0.8,
        /// ε₁ keeps the divisor off 0, where it is not given by the precision of the type; ε₂ is the
        /// least size of a parameter.
        eps: (Option<f64>, f64) = (None, 1e-3),
        /// The root mean square from which steps are clipped.
        d: f64 = 1.0,
        /// The factor of the decay: each step takes `lr · weight_decay` of a parameter away.
        weight_decay: f64 = 0.0,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row = row::<Adafactor>(
    "adafactor",
    &["Adafactor"],
    "the gradient over its root mean square, kept by rows and columns",
);

/// How many matrices there are, and how many rows and columns they have; none of a vector.
fn matrices(shape: &Shape) -> Option<[usize; 3]> {
    match shape[..] {
        [ref batch @ .., rows, columns] => Some([batch.iter().product(), rows, columns]),
        _ => None,
    }
}

impl UpdateRule for Adafactor {
    const NAME: &'static str = "adafactor";
    const GRANULARITY: Granularity = Granularity::Parameter;

    learning_rate!();

    fn check(&self) -> Result<()> {
        at_least_zero("adafactor", "lr", self.lr)?;
        let decay = self.beta2_decay;
        let holds = decay <= 0.0 && decay.is_finite();
        in_range("adafactor", "beta2_decay", decay, holds, "0 or less, and finite")?;
        at_least_zero("adafactor", "eps", self.eps.0.unwrap_or(0.0))?;
        at_least_zero("adafactor", "eps", self.eps.1)?;
        in_range("adafactor", "d", self.d, self.d >= 1.0, "1 or more")?;
        at_least_zero("adafactor", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        let with_one = |from_end: usize| {
            let mut dims = shape.to_vec();
            let at = dims.len() - from_end;
            dims[at] = 1;
            State::full(&Shape::from(&dims[..]), 0.0)
        };
        match matrices(shape) {
            Some(_) => vec![with_one(1), with_one(2)],
            None => State::zeros(shape, 1),
        }
    }

    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        if p.is_empty() {
            return;
        }
        let t = f64::from(step.count);
        let weight = t.powf(self.beta2_decay);
        let eps = self.eps.0.unwrap_or(epsilon::<T>());
        let size = self.eps.1.max(rms(p)) * self.lr.min(1.0 / t.sqrt());
        let keep = T::of(1.0 - self.lr * self.weight_decay);
        let sign: T = direction(self.maximize);
        // A state moves towards the mean of new squares by their weight.
        let moved = |state: &mut T, square: f64| {
            let old = state.to_f64();
            *state = T::of(old + weight * (square - old));
        };
        let mut u: Vec<f64> = g.iter().map(|&g| (sign * g).to_f64()).collect();
        let divide = |u: &mut f64, square: f64| *u /= square.max(eps * eps).sqrt();
        match (matrices(step.shape), states) {
            (Some([_, rows, columns]), [row, column]) => {
                for ((u, row), column) in u
                    .chunks_mut(rows * columns)
                    .zip(row.chunks_mut(rows))
                    .zip(column.chunks_mut(columns))
                {
                    let mut sums = vec![0.0; columns];
                    for (u, row) in u.chunks(columns).zip(row.iter_mut()) {
                        moved(row, u.iter().map(|u| u * u).sum::<f64>() / columns as f64);
                        sums.iter_mut().zip(u).for_each(|(sum, u)| *sum += u * u);
                    }
                    for (column, sum) in column.iter_mut().zip(sums) {
                        moved(column, sum / rows as f64);
                    }
                    let mean = row.iter().map(|row| row.to_f64()).sum::<f64>() / rows as f64;
                    for (u, row) in u.chunks_mut(columns).zip(row.iter()) {
                        let share = row.to_f64() / mean.max(eps);
                        u.iter_mut()
                            .zip(column.iter())
                            .for_each(|(u, column)| divide(u, share * column.to_f64()));
                    }
                }
            }
            (_, [square]) => {
                for (u, v) in u.iter_mut().zip(square.iter_mut()) {
                    moved(v, *u * *u);
                    divide(u, v.to_f64());
                }
            }
            _ => return,
        }
        let clipped = size / (rms(&u) / self.d).max(1.0);
        for (p, u) in p.iter_mut().zip(u) {
            *p = keep * *p - T::of(clipped * u);
        }
    }
}

/// The distance from 1 to the next number of a type.
fn epsilon<T: Elem>() -> f64 {
    if T::DTYPE == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

/// The root of the mean square.
fn rms<T: Elem>(x: &[T]) -> f64 {
    let squares = x.iter().map(|x| x.to_f64() * x.to_f64());
    (squares.sum::<f64>() / x.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::{Gradients, Parameter};
    use lossgraph_tensor::Tensor;

    #[test]
    fn the_last_two_axes_are_those_of_matrices_as_in_pytorch() {
        let numbers = |f: fn(f64) -> f64| (0..12).map(|i| f(f64::from(i))).collect::<Vec<f64>>();
        let q = Parameter::new("q", Tensor::new([2, 2, 3], numbers(|i| i / 7.0 - 0.6)).unwrap());
        let rule = Adafactor { lr: 0.1, weight_decay: 0.1, ..Adafactor::default() };
        let mut optimizer = rule.over(&q).unwrap();
        for step in 0..3 {
            let gradient = (0..12).map(|i| f64::from(i + step).sin()).collect::<Vec<f64>>();
            let gradient = Tensor::new([2, 2, 3], gradient).unwrap();
            optimizer.step(&Gradients::new(0.0, vec![(q.clone(), gradient)])).unwrap();
        }
        // By PyTorch 2.15 in `f64`.
        let expected = [
            -0.7204009086480659,
            -0.5630506193308098,
            -0.30370197554398953,
            -0.1051008905565164,
            0.10074855489956448,
            0.13258485206424492,
            0.15029981535532194,
            0.2396368639110908,
            0.49300513927728384,
            0.7340012672088136,
            0.9534979084858106,
            0.996699638465214,
        ];
        let got = q.value().to_f64s();
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?}");
    }
}
