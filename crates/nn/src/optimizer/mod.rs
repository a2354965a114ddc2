//! Optimizers. An update rule with its options, such as [`Sgd`], becomes one for the parameters of a
//! model by [`UpdateRule::over`].

mod adagrad;
mod adam;
mod rmsprop;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use lossgraph_autograd::{Gradients, Parameter};
use lossgraph_tensor::kernels::{Loop, threads, vectorized};
use lossgraph_tensor::{DType, Elem, Float, Tensor};
use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::module::Module;

/// How an optimizer updates a parameter: one section each, with its hyper-parameters as fields.
pub trait UpdateRule: Clone + Sync {
    /// The name in errors.
    const NAME: &'static str;
    /// How many state tensors of the parameter's shape it has, such as a momentum.
    const STATES: usize;

    /// The learning rate.
    fn lr(&self) -> f64;

    /// Changes the learning rate.
    fn set_lr(&mut self, lr: f64);

    /// Whether every option is in its range.
    ///
    /// # Errors
    /// The first one out of its range.
    fn check(&self) -> Result<()>;

    /// The initial value of every state.
    fn initial_state(&self) -> f64 {
        0.0
    }

    /// Moves one parameter by its gradient; `step` counts from 1, for each parameter by itself.
    /// There are [`STATES`](UpdateRule::STATES) states, each as long as the parameter. It is called for
    /// pieces of large parameters, so that an element may depend on its own gradient and states
    /// alone. Marked `#[inline(always)]`, it becomes vector loops.
    fn update<T: Float>(&self, step: i32, p: &mut [T], g: &[T], states: &mut [&mut [T]]);

    /// An optimizer of the parameters of a model.
    ///
    /// # Errors
    /// An option out of its range.
    fn over(self, model: &(impl Module + ?Sized)) -> Result<Optimizer<Self>> {
        self.over_parameters(model.parameters().into_iter().map(|(_, parameter)| parameter))
    }

    /// An optimizer of some parameters. For groups with options of their own, see
    /// [`Optimizer::and`].
    ///
    /// # Errors
    /// An option out of its range.
    fn over_parameters(
        self,
        parameters: impl IntoIterator<Item = Parameter>,
    ) -> Result<Optimizer<Self>> {
        Optimizer { groups: Vec::new() }.and(self, parameters)
    }
}

/// Update rules with the parameters that they update, in groups, and their state.
#[derive(Debug)]
pub struct Optimizer<R> {
    groups: Vec<Group<R>>,
}

#[derive(Debug)]
struct Group<R> {
    rule: R,
    slots: Vec<Slot>,
}

/// A parameter and its state.
#[derive(Debug)]
struct Slot {
    parameter: Parameter,
    step: i32,
    states: States,
    /// The value before the last step: a buffer for the next one. The tape of a step usually lives
    /// until the step is over, and holds the value that it was recorded with.
    before: Option<Tensor>,
}

#[derive(Debug)]
enum States {
    F32(Vec<Vec<f32>>),
    F64(Vec<Vec<f64>>),
}

impl<R: UpdateRule> Optimizer<R> {
    /// With one more parameter group, which has options of its own.
    ///
    /// # Errors
    /// An option out of its range.
    #[doc(alias = "add_param_group")]
    pub fn and(
        mut self,
        rule: R,
        parameters: impl IntoIterator<Item = Parameter>,
    ) -> Result<Optimizer<R>> {
        rule.check()?;
        let slot = |parameter: Parameter| Slot {
            states: States::new(&parameter.value(), R::STATES, rule.initial_state()),
            parameter,
            step: 0,
            before: None,
        };
        let slots = parameters.into_iter().map(slot).collect();
        self.groups.push(Group { rule, slots });
        Ok(self)
    }

    /// The learning rate of the first group.
    pub fn lr(&self) -> f64 {
        self.groups.first().map_or(0.0, |group| group.rule.lr())
    }

    /// Sets the learning rate of every group, as a schedule does before each step.
    ///
    /// # Errors
    /// A rate that is negative or not finite.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        at_least_zero(R::NAME, "lr", lr)?;
        self.groups.iter_mut().for_each(|group| group.rule.set_lr(lr));
        Ok(())
    }

    /// Moves every parameter that has a gradient. One without is skipped: neither its state,
    /// nor its count of steps, nor its decay moves.
    ///
    /// # Errors
    /// A gradient that is not finite, or not of its parameter's shape and type. Then no parameter
    /// has moved.
    pub fn step(&mut self, gradients: &Gradients) -> Result<()> {
        let slots = self.groups.iter_mut();
        let slots =
            slots.flat_map(|Group { rule, slots }| slots.iter_mut().map(|slot| (&*rule, slot)));
        let (mut moving, mut next) = (Vec::new(), 0);
        for (rule, slot) in slots {
            if let Some(gradient) = find(gradients.parameters(), &mut next, &slot.parameter) {
                slot.validate(gradient)?;
                moving.push((rule, slot, gradient));
            }
        }
        for (rule, slot, gradient) in moving {
            slot.update(rule, gradient);
        }
        Ok(())
    }
}

/// The gradient of a parameter. Gradients mostly come in the order of the parameters, so that the
/// search goes on behind the one that was found last.
fn find<'a>(
    gradients: &'a [(Parameter, Tensor)],
    next: &mut usize,
    parameter: &Parameter,
) -> Option<&'a Tensor> {
    let (before, behind) = gradients.split_at(*next);
    let mut all = (*next..).zip(behind).chain((0..).zip(before));
    let (at, (_, gradient)) = all.find(|(_, (p, _))| p.id() == parameter.id())?;
    *next = at + 1;
    Some(gradient)
}

impl Slot {
    fn validate(&self, gradient: &Tensor) -> Result<()> {
        let parameter = || self.parameter.name().to_owned();
        let value = self.parameter.value();
        if value.shape() != gradient.shape() || value.dtype() != gradient.dtype() {
            let of = |tensor: &Tensor| (tensor.shape().clone(), tensor.dtype());
            let (given, expected) = (of(gradient), of(&value));
            return Err(Error::Gradient { parameter: parameter(), given, expected });
        }
        if self.states.dtype() != value.dtype() {
            let (given, expected) = (value.dtype(), self.states.dtype());
            return Err(Error::State { parameter: parameter(), given, expected });
        }
        let finite = match gradient.dtype() {
            DType::F32 => all_finite::<f32>(gradient),
            _ => all_finite::<f64>(gradient),
        };
        if finite { Ok(()) } else { Err(Error::NotFinite { parameter: parameter() }) }
    }

    fn update(&mut self, rule: &impl UpdateRule, gradient: &Tensor) {
        self.step += 1;
        let (step, states, before) = (self.step, &mut self.states, &mut self.before);
        self.parameter.update(|value| match states {
            States::F32(states) => apply(rule, step, value, gradient, states, before),
            States::F64(states) => apply(rule, step, value, gradient, states, before),
        });
    }
}

fn apply<T: Float>(
    rule: &impl UpdateRule,
    step: i32,
    value: &mut Tensor,
    gradient: &Tensor,
    states: &mut [Vec<T>],
    before: &mut Option<Tensor>,
) {
    let gradient = gradient.contiguous();
    let Some(g) = gradient.as_slice::<T>() else { return };
    let held = (!value.is_unique()).then(|| value.clone());
    let from = held.as_ref().and_then(|held| held.as_slice::<T>());
    if from.is_some() {
        // Writing to a value that somebody holds would copy it first. A buffer that nobody holds
        // any more saves that pass: the next value is written beside the held one.
        let buffer = before.take().and_then(|before| before.recycled(value.shape()));
        *value = buffer.unwrap_or_else(|| value.clone());
    }
    if let Some(p) = value.as_mut_slice::<T>() {
        share(Update { rule, step, from, p, g, states: slices(states) });
    }
    if held.is_some() {
        *before = held;
    }
}

type Slices<'a, T> = SmallVec<[&'a mut [T]; 3]>;

fn slices<T>(states: &mut [Vec<T>]) -> Slices<'_, T> {
    states.iter_mut().map(|state| &mut state[..]).collect()
}

/// One pass over a parameter, its gradient and its states.
struct Update<'a, R, T> {
    rule: &'a R,
    step: i32,
    /// The value before the step, where it is not in `p`.
    from: Option<&'a [T]>,
    p: &'a mut [T],
    g: &'a [T],
    states: Slices<'a, T>,
}

impl<'a, R: UpdateRule, T: Float> Update<'a, R, T> {
    /// The pass over the first [`PIECE`] elements, and that over the rest if there is one.
    fn split(self) -> (Update<'a, R, T>, Option<Update<'a, R, T>>) {
        if self.p.len() <= PIECE {
            return (self, None);
        }
        let Update { rule, step, from, p, g, states } = self;
        let from = from.map(|from| from.split_at(PIECE)).unzip();
        let (p, g) = (p.split_at_mut(PIECE), g.split_at(PIECE));
        let states: (Slices<'_, T>, Slices<'_, T>) =
            states.into_iter().map(|state| state.split_at_mut(PIECE)).unzip();
        let first = Update { rule, step, from: from.0, p: p.0, g: g.0, states: states.0 };
        (first, Some(Update { rule, step, from: from.1, p: p.1, g: g.1, states: states.1 }))
    }
}

impl<R: UpdateRule, T: Float> Loop for Update<'_, R, T> {
    #[inline(always)]
    fn run(mut self) {
        if let Some(from) = self.from {
            self.p.copy_from_slice(from);
        }
        self.rule.update(self.step, self.p, self.g, &mut self.states);
    }
}

/// How many elements are updated at a time, a tile: few enough for the value, its gradient and its states
/// to stay in the first cache.
const PIECE: usize = 1 << 11;

/// Parameters with fewer elements are updated by the caller's thread.
const PARALLEL: usize = 1 << 15;

/// Runs a pass piece by piece, on all threads if it is long.
fn share<R: UpdateRule, T: Float>(update: Update<'_, R, T>) {
    let serial = update.p.len() < PARALLEL;
    let mut rest = Some(update);
    let pieces = std::iter::from_fn(|| {
        let (piece, others) = rest.take()?.split();
        rest = others;
        Some(piece)
    });
    if serial {
        pieces.for_each(vectorized);
    } else {
        let pieces: Vec<Update<'_, R, T>> = pieces.collect();
        threads::parallel_for_each(pieces, vectorized);
    }
}

impl States {
    fn new(like: &Tensor, count: usize, start: f64) -> States {
        match like.dtype() {
            DType::F32 => States::F32(vec![vec![start as f32; like.len()]; count]),
            _ => States::F64(vec![vec![start; like.len()]; count]),
        }
    }
}

impl States {
    fn dtype(&self) -> DType {
        match self {
            States::F32(_) => DType::F32,
            States::F64(_) => DType::F64,
        }
    }
}

fn all_finite<T: Elem + Float>(tensor: &Tensor) -> bool {
    let tensor = tensor.contiguous();
    let mut finite = false;
    vectorized(AllFinite { x: tensor.as_slice::<T>().unwrap_or(&[]), finite: &mut finite });
    finite
}

/// Whether all numbers are finite.
struct AllFinite<'a, T> {
    x: &'a [T],
    finite: &'a mut bool,
}

impl<T: Float> Loop for AllFinite<'_, T> {
    #[inline(always)]
    fn run(self) {
        // 0 · x is 0 for finite numbers and NaN for others: a sum without branches, which is vectorized.
        let mut lanes = [T::ZERO; 32];
        let mut chunks = self.x.chunks_exact(32);
        for chunk in &mut chunks {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane = *lane + x * T::ZERO;
            }
        }
        let rest = chunks.remainder().iter().all(|&x| x * T::ZERO == T::ZERO);
        *self.finite = rest && lanes.iter().all(|&lane| lane == T::ZERO);
    }
}

/// `Ok` if an option is 0 or more, and finite.
fn at_least_zero(subject: &'static str, name: &'static str, given: f64) -> Result<()> {
    let expected = "0 or more, and finite";
    if given >= 0.0 && given.is_finite() {
        Ok(())
    } else {
        Err(Error::Option { subject, name, given, expected })
    }
}

/// `Ok` if an option is 0 or more, and below 1.
fn below_one(subject: &'static str, name: &'static str, given: f64) -> Result<()> {
    let expected = "0 or more, and below 1";
    if (0.0..1.0).contains(&given) {
        Ok(())
    } else {
        Err(Error::Option { subject, name, given, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(parameter: &Parameter, values: [f64; 2]) -> Gradients {
        Gradients::new(0.0, vec![(parameter.clone(), Tensor::from(values))])
    }

    #[test]
    fn a_parameter_without_a_gradient_stays() {
        let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0, 2.0]));
        let decaying = Sgd { lr: 0.5, weight_decay: 1.0, ..Sgd::default() };
        let mut sgd = decaying.over_parameters([a.clone(), b.clone()]).unwrap();
        sgd.step(&gradient(&a, [0.0, 2.0])).unwrap();
        assert_eq!(a.value().to_f64s(), [0.5, 0.0]);
        assert_eq!(b.value().to_f64s(), [1.0, 2.0]);
    }

    #[test]
    fn a_gradient_that_is_not_finite_moves_nothing() {
        let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0, 2.0]));
        let mut adam = Adam::default().over_parameters([a.clone(), b.clone()]).unwrap();
        for bad in [f64::NAN, f64::INFINITY] {
            let gradients =
                vec![(a.clone(), Tensor::from([1.0, 1.0])), (b.clone(), Tensor::from([1.0, bad]))];
            let error = adam.step(&Gradients::new(0.0, gradients)).unwrap_err().to_string();
            assert!(error.starts_with("step: the gradient of `b` is not finite"), "{error}");
            assert_eq!(a.value().to_f64s(), [1.0, 2.0]);
        }
    }

    #[test]
    fn a_step_leaves_tensors_that_others_hold_as_they_were() {
        let p = Parameter::new("p", [1.0, 2.0]);
        let held = p.value();
        let mut sgd = Sgd { lr: 1.0, ..Sgd::default() }.over_parameters([p.clone()]).unwrap();
        sgd.step(&gradient(&p, [1.0, 1.0])).unwrap();
        assert_eq!((held.to_f64s(), p.value().to_f64s()), (vec![1.0, 2.0], vec![0.0, 1.0]));
    }

    #[test]
    fn a_step_beside_a_held_value_is_that_in_place_whatever_the_number_of_threads() {
        #[derive(Clone, Copy, PartialEq)]
        enum Held {
            ByNobody,
            ByACaller,
        }
        let n = 3 * PARALLEL + 5;
        let data = |k: f64| (0..n).map(|i| (i as f64 * k).sin()).collect::<Vec<f64>>();
        let run = |held: Held, threads: usize| {
            let p = Parameter::new("p", data(0.3));
            let mut adam = Adam::default().over_parameters([p.clone()]).unwrap();
            let gradients = Gradients::new(0.0, vec![(p.clone(), Tensor::from(data(0.7)))]);
            for _ in 0..3 {
                let held = (held == Held::ByACaller).then(|| p.value());
                threads::with(threads, || adam.step(&gradients)).unwrap();
                drop(held);
            }
            p.value().to_f64s()
        };
        let in_place = run(Held::ByNobody, 1);
        assert!(in_place == run(Held::ByACaller, 1) && in_place == run(Held::ByACaller, 2));
        assert!(in_place == run(Held::ByNobody, 7));
    }

    #[test]
    fn gradients_in_any_order_go_to_their_parameters() {
        let all = [1.0, 2.0, 3.0, 4.0].map(|x| Parameter::new("p", [x, 0.0]));
        let mut sgd = Sgd { lr: 1.0, ..Sgd::default() }.over_parameters(all.clone()).unwrap();
        // That of the second is missing.
        let given = [3, 0, 2].map(|i| (all[i].clone(), Tensor::from([10.0 * i as f64, 0.0])));
        sgd.step(&Gradients::new(0.0, given.into())).unwrap();
        assert_eq!(all.map(|p| p.value().to_f64s()[0]), [1.0, 2.0, -17.0, -26.0]);
    }

    #[test]
    fn buffers_of_held_values_are_reused_and_not_allocated_again() {
        let p = Parameter::new("p", [1.0, 2.0]);
        let mut sgd = Sgd::default().over_parameters([p.clone()]).unwrap();
        let mut addresses = Vec::new();
        for _ in 0..4 {
            let held = p.value();
            sgd.step(&gradient(&p, [1.0, 1.0])).unwrap();
            addresses.push(held.as_slice::<f64>().unwrap().as_ptr());
        }
        assert_eq!((addresses[0], addresses[1]), (addresses[2], addresses[3]));
    }

    /// The parameter, from 1, after each of two steps with gradient 1 and then 2.
    fn two_steps(rule: impl UpdateRule) -> [f64; 2] {
        let p = Parameter::new("p", [1.0, 0.0]);
        let mut optimizer = rule.over_parameters([p.clone()]).unwrap();
        [1.0, 2.0].map(|g| {
            optimizer.step(&gradient(&p, [g, 0.0])).unwrap();
            p.value().to_f64s()[0]
        })
    }

    fn assert_near(got: [f64; 2], expected: [f64; 2]) {
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?}");
    }

    #[test]
    fn sgd_steps_as_computed_by_hand() {
        let sgd = Sgd { lr: 0.1, ..Sgd::default() };
        assert_near(two_steps(sgd), [0.9, 0.7]);
        // The momentum is 1, then 0.5 · 1 + 2.
        assert_near(two_steps(Sgd { momentum: 0.5, ..sgd }), [0.9, 0.65]);
        // Nesterov moves by 1 + 0.5 · 1, then by 2 + 0.5 · 2.5.
        assert_near(two_steps(Sgd { momentum: 0.5, nesterov: true, ..sgd }), [0.85, 0.525]);
        // The gradient is 1 + 1, then 2 + 0.8.
        assert_near(two_steps(Sgd { weight_decay: 1.0, ..sgd }), [0.8, 0.52]);
        assert_near(two_steps(Sgd { maximize: true, ..sgd }), [1.1, 1.3]);
    }

    #[test]
    fn adam_steps_as_computed_by_hand() {
        let adam = Adam { lr: 0.1, betas: [0.5, 0.5], eps: 0.0, ..Adam::default() };
        // First 1/√1; then m = 1.25/0.75 and v = 2.25/0.75.
        let second = (1.25 / 0.75) / (2.25_f64 / 0.75).sqrt();
        assert_near(two_steps(adam), [0.9, 0.9 - 0.1 * second]);
        // Decoupled, each step first takes a tenth of half away.
        let decoupled =
            AdamW { lr: 0.1, betas: [0.5, 0.5], eps: 0.0, weight_decay: 0.5, ..AdamW::default() };
        assert_near(two_steps(decoupled), [0.85, 0.85 * 0.95 - 0.1 * second]);
    }

    #[test]
    fn groups_have_options_of_their_own() {
        let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0, 1.0]));
        let slow = Sgd { lr: 0.1, ..Sgd::default() };
        let fast = Sgd { lr: 1.0, ..Sgd::default() };
        let mut sgd = slow.over_parameters([a.clone()]).unwrap().and(fast, [b.clone()]).unwrap();
        let ones = Tensor::from([1.0, 1.0]);
        let both = vec![(a.clone(), ones.clone()), (b.clone(), ones)];
        sgd.step(&Gradients::new(0.0, both)).unwrap();
        assert_eq!((a.value().to_f64s()[0], b.value().to_f64s()[0]), (0.9, 0.0));
        assert!(sgd.set_lr(f64::NAN).is_err());
    }
}
