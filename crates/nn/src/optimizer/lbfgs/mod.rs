//! L-BFGS.

mod line_search;
mod memory;

use lossgraph_autograd::{Gradients, Module, Parameter};
use lossgraph_tensor::Tensor;

use super::optimize::{Optimize, check_lrs};
use super::rule::{at_least_zero, in_range};
use super::table::Row;
use crate::checkpoint::{Checkpoint, Stateful};
use crate::error::{Error, Result};
use crate::options::{options, words};
use line_search::{Point, strong_wolfe};
use memory::{Memory, dot};

options! {
    /// The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno: steps along the gradient
    /// times an estimate of the inverse Hessian, which the last changes of the gradient give. For smooth
    /// losses of all examples, not of batches.
    ///
    /// ```text
    /// s = p − p',   y = g − g'                    the last step, and what it changed
    /// d = −H g,   H from the pairs (s, y) with yᵀs > 10⁻¹⁰, by the recursion of two loops
    /// p ← p + t d                                 t = lr, or what the line search finds
    /// ```
    ///
    /// A step repeats this until a limit is reached, and calls for the gradients at each point:
    ///
    /// ```
    /// use lossgraph_autograd::{Parameter, Tape};
    /// use lossgraph_nn::optimizer::{Lbfgs, LineSearch, Optimize};
    ///
    /// let x = Parameter::new("x", [-1.2, 1.0]);
    /// let search = Some(LineSearch::StrongWolfe);
    /// let mut optimizer = Lbfgs { line_search_fn: search, ..Lbfgs::default() }.over(&x)?;
    /// for _ in 0..5 {
    ///     optimizer.step_with(&mut || {
    ///         let tape = Tape::f64();
    ///         let [a, b] = [0, 1].map(|i| tape.parameter(&x).index(0, i));
    ///         let rosenbrock = 100.0 * (b - a.square()).square() + (1.0 - a).square();
    ///         Ok(rosenbrock.backward()?)
    ///     })?;
    /// }
    /// // It ends where a step changes the loss by less than 1e-9.
    /// assert!(x.value().to_f64s().iter().all(|x| (x - 1.0).abs() < 1e-4));
    /// # Ok::<(), lossgraph_nn::Error>(())
    /// ```
    ///
    /// # Source
    /// Nocedal, Updating Quasi-Newton Matrices with Limited Storage, 1980. PyTorch's `LBFGS`.
    #[doc(alias = "LBFGS")]
    #[derive(Copy)]
    pub struct Lbfgs("lbfgs") {
        /// The length of a step relative to the direction, or the first that the line search tries.
        lr: f64 = 1.0,
        /// How many directions a step takes at most.
        max_iter: usize = 20,
        /// From how many evaluations on a step ends; 5/4 of `max_iter` where it is not given.
        max_eval: Option<usize> = None,
        /// Where no element of the gradient is larger, a step ends.
        tolerance_grad: f64 = 1e-7,
        /// Where neither an element nor the loss changes more, a step ends.
        tolerance_change: f64 = 1e-9,
        /// How many pairs are remembered.
        history_size: usize = 100,
        /// How far along a direction is found; without it, `lr`.
        line_search_fn: Option<LineSearch> = None,
    }
}

words! {
    /// How a length along a direction is found.
    pub enum LineSearch("strong_wolfe, or none") {
        /// By the strong conditions of Wolfe, with cubic interpolation: c₁ = 10⁻⁴, c₂ = 0.9.
        StrongWolfe = "strong_wolfe",
    }
}

pub(super) const ROW: Row = Row {
    name: "lbfgs",
    aliases: &["LBFGS", "l_bfgs"],
    summary: "the gradient times an estimate of the inverse Hessian, of whole batches",
    whole_batches: true,
    preset: &[],
    defaults: || Box::new(Lbfgs::default()),
    build: |preset, groups| {
        let [group] = &groups[..] else {
            let (name, given) = ("the number of groups", groups.len() as f64);
            let expected = "1: a direction is that of all parameters";
            return Err(Error::Option { subject: NAME, name, given, expected });
        };
        let options = group.configured::<Lbfgs>(preset)?;
        Ok(Box::new(options.over_parameters(group.parameters.iter().cloned())?))
    },
};

const NAME: &str = "lbfgs";

impl Lbfgs {
    /// An optimizer of the parameters of a model.
    ///
    /// # Errors
    /// An option out of its range.
    pub fn over(self, model: &(impl Module + ?Sized)) -> Result<LbfgsOptimizer> {
        self.over_parameters(model.parameters())
    }

    /// An optimizer of some parameters.
    ///
    /// # Errors
    /// An option out of its range.
    pub fn over_parameters(
        self,
        parameters: impl IntoIterator<Item = impl Into<(String, Parameter)>>,
    ) -> Result<LbfgsOptimizer> {
        self.check()?;
        let mut parameters: Vec<(String, Parameter)> =
            parameters.into_iter().map(Into::into).collect();
        let mut seen = std::collections::HashSet::new();
        parameters.retain(|(_, parameter)| seen.insert(parameter.id()));
        Ok(LbfgsOptimizer { options: self, parameters, memory: Memory::default() })
    }

    fn check(&self) -> Result<()> {
        at_least_zero(NAME, "lr", self.lr)?;
        let count =
            |name, given: usize| in_range(NAME, name, given as f64, given >= 1, "1 or more");
        count("max_iter", self.max_iter)?;
        count("max_eval", self.max_eval.unwrap_or(1))?;
        count("history_size", self.history_size)?;
        at_least_zero(NAME, "tolerance_grad", self.tolerance_grad)?;
        at_least_zero(NAME, "tolerance_change", self.tolerance_change)
    }
}

/// [`Lbfgs`] with the parameters that it updates, and what it remembers of them.
#[derive(Debug)]
pub struct LbfgsOptimizer {
    options: Lbfgs,
    parameters: Vec<(String, Parameter)>,
    memory: Memory,
}

impl LbfgsOptimizer {
    /// One step: some directions, until a limit is reached.
    fn minimize(&mut self, evaluate: &mut dyn FnMut() -> Result<Gradients>) -> Result<Gradients> {
        let options = self.options;
        let max_eval = options.max_eval.unwrap_or(options.max_iter * 5 / 4);
        let first = evaluate()?;
        let mut gradient = self.flat(&first)?;
        if first.loss().is_nan() {
            return Err(Error::NanLoss);
        }
        let (mut loss, mut evaluations) = (first.loss(), 1);
        if largest(&gradient) <= options.tolerance_grad {
            return Ok(first);
        }
        for iteration in 1..=options.max_iter {
            self.memory.iterations += 1;
            let direction = self.memory.next_direction(&gradient, options.history_size);
            self.memory.gradient = gradient.clone();
            let before = loss;
            let mut length = options.lr;
            if self.memory.iterations == 1 {
                length *= (1.0 / gradient.iter().map(|g| g.abs()).sum::<f64>()).min(1.0);
            }
            let slope = dot(&gradient, &direction);
            self.memory.direction = direction.clone();
            self.memory.length = length;
            if slope > -options.tolerance_change {
                break;
            }
            let start = self.position();
            let mut at = |length: f64| -> Result<Point> {
                self.move_to(&start, length, &direction);
                let gradients = evaluate()?;
                let gradient = self.flat_unchecked(&gradients);
                let slope = dot(&gradient, &direction);
                Ok(Point { length, loss: gradients.loss(), slope, gradient })
            };
            let is_last = iteration == options.max_iter;
            let reached = match options.line_search_fn {
                Some(LineSearch::StrongWolfe) => {
                    let here = Point { length: 0.0, loss, slope, gradient: gradient.clone() };
                    let tolerance = options.tolerance_change / largest(&direction);
                    Some(strong_wolfe(here, length, tolerance, &mut at)?)
                }
                // The next step evaluates the last point again, maybe on other data.
                None if is_last => None,
                None => Some((at(length)?, 1)),
            };
            let finite = |point: &Point| {
                point.loss.is_finite() && point.gradient.iter().all(|g| g.is_finite())
            };
            match reached {
                Some((point, count)) if finite(&point) => {
                    evaluations += count;
                    (length, loss, gradient) = (point.length, point.loss, point.gradient);
                }
                Some(_) => {
                    let parameter = self.parameters.first().map_or("", |(name, _)| name).to_owned();
                    return Err(Error::NotFinite { subject: "step", parameter });
                }
                None => {}
            }
            self.move_to(&start, length, &direction);
            self.memory.length = length;
            if is_last
                || evaluations >= max_eval
                || largest(&gradient) <= options.tolerance_grad
                || largest(&direction) * length.abs() <= options.tolerance_change
                || (loss - before).abs() < options.tolerance_change
            {
                break;
            }
        }
        Ok(first)
    }

    /// The gradients of all parameters in their order, 0 where there is none.
    fn flat(&self, gradients: &Gradients) -> Result<Vec<f64>> {
        let mut any = false;
        for (name, parameter) in &self.parameters {
            let Some(gradient) = gradients.get(parameter) else { continue };
            any = true;
            let value = parameter.value();
            if value.shape() != gradient.shape() || value.dtype() != gradient.dtype() {
                let of = |tensor: &Tensor| (tensor.shape().clone(), tensor.dtype());
                let parameter = name.as_str().into();
                return Err(Error::Gradient {
                    parameter,
                    given: of(gradient),
                    expected: of(&value),
                });
            }
            if !gradient.to_f64s().iter().all(|g| g.is_finite()) {
                let parameter = name.clone();
                return Err(Error::NotFinite { subject: "step", parameter });
            }
        }
        match any {
            true => Ok(self.flat_unchecked(gradients)),
            false => Err(Error::NoGradient { given: gradients.parameters().len() }),
        }
    }

    fn flat_unchecked(&self, gradients: &Gradients) -> Vec<f64> {
        let of = |(_, parameter): &(String, Parameter)| match gradients.get(parameter) {
            Some(gradient) => gradient.to_f64s(),
            None => vec![0.0; parameter.value().len()],
        };
        self.parameters.iter().flat_map(of).collect()
    }

    fn position(&self) -> Vec<Tensor> {
        self.parameters.iter().map(|(_, parameter)| parameter.value()).collect()
    }

    /// Sets the parameters to `start + length · direction`.
    fn move_to(&self, start: &[Tensor], length: f64, direction: &[f64]) {
        let mut at = 0;
        for ((_, parameter), start) in self.parameters.iter().zip(start) {
            let steps = direction[at..at + start.len()].iter();
            at += start.len();
            let mut steps = steps.map(|d| length * d);
            let moved = start.map(|x| x + steps.next().unwrap_or(0.0));
            parameter.update(|value| *value = moved);
        }
    }
}

impl Optimize for LbfgsOptimizer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step_with(&mut self, evaluate: &mut dyn FnMut() -> Result<Gradients>) -> Result<Gradients> {
        let before = (self.position(), self.memory.clone());
        let first = self.minimize(evaluate).and_then(|first| {
            first.commit()?;
            Ok(first)
        });
        if first.is_err() {
            self.memory = before.1;
            for ((_, parameter), start) in self.parameters.iter().zip(before.0) {
                parameter.update(|value| *value = start);
            }
        }
        first
    }

    fn lrs(&self) -> Vec<f64> {
        vec![self.options.lr]
    }

    fn set_lrs(&mut self, lrs: &[f64]) -> Result<()> {
        check_lrs(NAME, lrs, 1)?;
        self.options.lr = lrs[0];
        Ok(())
    }

    fn momenta(&self) -> Vec<Option<f64>> {
        vec![None]
    }

    fn set_momentum(&mut self, _: f64) {}
}

impl Stateful for LbfgsOptimizer {
    fn state_dict(&self) -> Checkpoint {
        self.memory.state_dict(self.options.lr)
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        let elements: usize = self.parameters.iter().map(|(_, p)| p.value().len()).sum();
        let (lr, memory) =
            Memory::of(state, elements).map_err(|why| Error::StateDict { subject: NAME, why })?;
        self.options.lr = lr;
        self.memory = memory;
        Ok(())
    }
}

fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |largest, x| x.abs().max(largest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::ParameterGroup;
    use lossgraph_autograd::Tape;

    fn rosenbrock(x: &Parameter) -> Result<Gradients> {
        let tape = Tape::f64();
        let [a, b] = [0, 1].map(|i| tape.parameter(x).index(0, i));
        Ok((100.0 * (b - a.square()).square() + (1.0 - a).square()).backward()?)
    }

    /// Loss before, place after, and evaluations of each step, by PyTorch 2.15 in `f64`.
    type Steps = [(f64, [f64; 2], usize); 4];

    const SEARCHED: Steps = [
        (24.199999999999996, [-1.0288795348319695, 1.0655029516848564], 5),
        (4.121126775765638, [-0.9349818277934958, 0.836452117556499], 10),
        (3.886577136854531, [-0.5378302256216367, 0.2961099017321947], 16),
        (2.369612066737468, [-0.1840262449787795, 0.01909803365499923], 21),
    ];

    const FIXED: Steps = [
        (24.199999999999996, [-1.1781774836402148, 1.0095061476096197], 4),
        (19.077952948296694, [-1.1688675931241057, 1.0152352934529274], 8),
        (17.02522087016562, [-1.1604827475706772, 1.0215908225038606], 12),
        (15.238597395442198, [-1.1529291108824378, 1.0283464784547716], 16),
    ];

    #[test]
    fn steps_and_evaluations_are_those_of_pytorch_with_a_line_search_and_without() {
        let searched = Some(LineSearch::StrongWolfe);
        for (line_search_fn, lr, expected) in [(searched, 1.0, SEARCHED), (None, 0.02, FIXED)] {
            let x = Parameter::new("x", [-1.2, 1.0]);
            let options =
                Lbfgs { lr, max_iter: 4, history_size: 3, line_search_fn, ..Lbfgs::default() };
            let mut optimizer = options.over(&x).unwrap();
            let mut evaluations = 0;
            for (loss, place, count) in expected {
                let first = optimizer.step_with(&mut || {
                    evaluations += 1;
                    rosenbrock(&x)
                });
                assert!((first.unwrap().loss() - loss).abs() < 1e-9 * loss);
                let now = x.value().to_f64s();
                assert!(now.iter().zip(place).all(|(a, b)| (a - b).abs() < 1e-9), "{now:?}");
                assert_eq!(evaluations, count);
            }
        }
    }

    #[test]
    fn a_step_that_fails_moves_nothing_and_forgets_what_it_learned() {
        let x = Parameter::new("x", [-1.2, 1.0]);
        let mut optimizer = Lbfgs { lr: 0.02, ..Lbfgs::default() }.over(&x).unwrap();
        optimizer.step_with(&mut || rosenbrock(&x)).unwrap();
        let before = (x.value(), optimizer.memory.clone());
        let mut calls = 0;
        let failed = optimizer.step_with(&mut || {
            calls += 1;
            let gradients = rosenbrock(&x)?;
            let nan = vec![(x.clone(), Tensor::from([f64::NAN, 0.0]))];
            if calls < 3 { Ok(gradients) } else { Ok(Gradients::new(1.0, nan)) }
        });
        assert!(matches!(failed, Err(Error::NotFinite { .. })));
        assert_eq!((x.value(), optimizer.memory.clone()), before);
        let none = optimizer.step_with(&mut || Ok(Gradients::new(1.0, vec![])));
        assert!(matches!(none, Err(Error::NoGradient { given: 0 })));
        let zero = || vec![(x.clone(), Tensor::from([0.0, 0.0]))];
        let nan = optimizer.step_with(&mut || Ok(Gradients::new(f64::NAN, zero())));
        assert!(matches!(nan, Err(Error::NanLoss)));
        assert_eq!((x.value(), optimizer.memory.clone()), before);
    }

    #[test]
    fn groups_are_refused() {
        let groups = vec![ParameterGroup::default(); 2];
        let error = ROW.over_groups(groups).err().unwrap().to_string();
        assert!(error.starts_with("lbfgs: the number of groups is 2, expected 1"), "{error}");
    }
}
