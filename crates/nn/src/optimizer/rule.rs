//! What an optimizer does with one parameter, and the ranges of its options.

use lossgraph_autograd::{Module, Parameter};
use lossgraph_tensor::{Float, Shape};

use super::Optimizer;
use super::pass::Piece;
use crate::error::{Error, Result};

/// How an optimizer updates a parameter: one section each, with its hyper-parameters as fields.
pub trait UpdateRule: Clone + Send + Sync + 'static {
    /// The name in errors.
    const NAME: &'static str;
    /// How much of a parameter it has to see at once.
    const GRANULARITY: Granularity = Granularity::Element;
    /// How many numbers of its own each parameter has, in `f64`, that change with its steps.
    const NUMBERS: usize = 0;

    /// The learning rate.
    fn lr(&self) -> f64;

    /// Changes the learning rate.
    fn set_lr(&mut self, lr: f64);

    /// The momentum that a schedule may cycle: that of `sgd`, the first beta of `adam`.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// Changes the momentum, if there is one.
    fn set_momentum(&mut self, _: f64) {}

    /// Whether every option is in its range.
    ///
    /// # Errors
    /// The first one out of its range.
    fn check(&self) -> Result<()>;

    /// The states of a parameter of a shape, such as a momentum.
    fn states(&self, shape: &Shape) -> Vec<State>;

    /// Moves the numbers of a parameter on, before its elements are updated.
    fn advance(&self, _step: i32, _numbers: &mut [f64]) {}

    /// Moves one parameter by its gradient. There are as many states as
    /// [`states`](UpdateRule::states) gives. A rule of [elements](Granularity::Element) is called
    /// for pieces of large parameters and of their states. Marked `#[inline(always)]`, it becomes
    /// vector loops.
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]);

    /// An optimizer of the parameters of a model.
    ///
    /// # Errors
    /// An option out of its range.
    fn over(self, model: &(impl Module + ?Sized)) -> Result<Optimizer<Self>> {
        Optimizer::new().and(self, model.parameters())
    }

    /// An optimizer of some parameters. For groups with options of their own, see
    /// [`Optimizer::and`].
    ///
    /// # Errors
    /// As for [`over`](UpdateRule::over).
    fn over_parameters(
        self,
        parameters: impl IntoIterator<Item = Parameter>,
    ) -> Result<Optimizer<Self>> {
        Optimizer::new().and(self, parameters)
    }
}

/// An [`UpdateRule`] as an object.
pub(super) trait Rule: Send + Sync {
    fn granularity(&self) -> Granularity;
    fn numbers(&self) -> usize;
    fn lr(&self) -> f64;
    fn set_lr(&mut self, lr: f64);
    fn momentum(&self) -> Option<f64>;
    fn set_momentum(&mut self, momentum: f64);
    fn check(&self) -> Result<()>;
    fn states(&self, shape: &Shape) -> Vec<State>;
    fn advance(&self, step: i32, numbers: &mut [f64]);
    fn update_f32(&self, step: &Step<'_>, piece: Piece<'_, f32>);
    fn update_f64(&self, step: &Step<'_>, piece: Piece<'_, f64>);
}

impl<R: UpdateRule> Rule for R {
    fn granularity(&self) -> Granularity {
        R::GRANULARITY
    }

    fn numbers(&self) -> usize {
        R::NUMBERS
    }

    fn lr(&self) -> f64 {
        UpdateRule::lr(self)
    }

    fn set_lr(&mut self, lr: f64) {
        UpdateRule::set_lr(self, lr);
    }

    fn momentum(&self) -> Option<f64> {
        UpdateRule::momentum(self)
    }

    fn set_momentum(&mut self, momentum: f64) {
        UpdateRule::set_momentum(self, momentum);
    }

    fn check(&self) -> Result<()> {
        UpdateRule::check(self)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        UpdateRule::states(self, shape)
    }

    fn advance(&self, step: i32, numbers: &mut [f64]) {
        UpdateRule::advance(self, step, numbers);
    }

    fn update_f32(&self, step: &Step<'_>, piece: Piece<'_, f32>) {
        piece.update(self, step);
    }

    fn update_f64(&self, step: &Step<'_>, piece: Piece<'_, f64>) {
        piece.update(self, step);
    }
}

impl std::fmt::Debug for dyn Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("lr", &self.lr()).finish_non_exhaustive()
    }
}

/// How much of a parameter a rule has to see at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// An element, its gradient and its states: pieces are updated in parallel.
    Element,
    /// All elements, as for a norm.
    Parameter,
}

/// The learning rate is the field `lr`.
macro_rules! learning_rate {
    () => {
        fn lr(&self) -> f64 {
            self.lr
        }

        fn set_lr(&mut self, lr: f64) {
            self.lr = lr;
        }
    };
}

/// The momentum is the first beta.
macro_rules! first_beta {
    () => {
        fn momentum(&self) -> Option<f64> {
            Some(self.betas[0])
        }

        fn set_momentum(&mut self, momentum: f64) {
            self.betas[0] = momentum;
        }
    };
}

pub(super) use {first_beta, learning_rate};

/// A step of one parameter: what its elements have in common.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Which step of the parameter it is, from 1 on.
    pub count: i32,
    /// The shape of the whole parameter.
    pub shape: &'a Shape,
    /// The [numbers](UpdateRule::NUMBERS) of the parameter.
    pub numbers: &'a [f64],
}

/// A state of a parameter, as it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The shape: the parameter's, for a rule of elements.
    pub shape: Shape,
    /// The initial value of each element.
    pub initial: f64,
}

impl State {
    /// A number everywhere.
    pub fn full(shape: &Shape, initial: f64) -> State {
        State { shape: shape.clone(), initial }
    }

    /// So many states of zeros.
    pub fn zeros(shape: &Shape, count: usize) -> Vec<State> {
        vec![State::full(shape, 0.0); count]
    }
}

/// `Ok` if an option is 0 or more, and finite.
pub(super) fn at_least_zero(subject: &'static str, name: &'static str, given: f64) -> Result<()> {
    let expected = "0 or more, and finite";
    in_range(subject, name, given, given >= 0.0 && given.is_finite(), expected)
}

/// `Ok` if an option is 0 or more, and below 1.
pub(super) fn below_one(subject: &'static str, name: &'static str, given: f64) -> Result<()> {
    in_range(subject, name, given, (0.0..1.0).contains(&given), "0 or more, and below 1")
}

/// `Ok` if both betas are 0 or more, and below 1.
pub(super) fn betas_below_one(subject: &'static str, betas: [f64; 2]) -> Result<()> {
    below_one(subject, "beta1", betas[0])?;
    below_one(subject, "beta2", betas[1])
}

/// `Ok` if an option is in its range.
pub(super) fn in_range(
    subject: &'static str,
    name: &'static str,
    given: f64,
    holds: bool,
    expected: &'static str,
) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Option { subject, name, given, expected }) }
}

/// `a / b`, and 0 where `b` is 0.
#[inline(always)]
pub(super) fn ratio<T: Float>(a: T, b: T) -> T {
    if b == T::ZERO { T::ZERO } else { a / b }
}

/// The factor of gradients: −1 to ascend them.
#[inline(always)]
pub(super) fn direction<T: Float>(maximize: bool) -> T {
    if maximize { -T::ONE } else { T::ONE }
}

/// `1 − βᵗ`, the share of a moving average that is not its start, with all digits where β is near 1.
/// Compiled with the loops that it is called in front of, for processors with fused multiply-adds.
#[inline(always)]
pub(super) fn correction(beta: f64, step: i32) -> f64 {
    -Float::exp_m1(f64::from(step) * Float::ln_1p(beta - 1.0))
}

/// An L2 penalty, which is added to the gradient, and a decay, which is taken from the parameter
/// itself: one of them is weight decay, and the other 0.
pub(super) fn decays<T: Float>(lr: f64, weight_decay: f64, decoupled: bool) -> [T; 2] {
    let [l2, decay] = match decoupled {
        false => [weight_decay, 0.0],
        true => [0.0, lr * weight_decay],
    };
    [l2, decay].map(T::of)
}
