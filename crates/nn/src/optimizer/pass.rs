//! One pass over a parameter, its gradient and its states, piece by piece, on all threads.

use lossgraph_tensor::kernels::{Loop, threads, vectorized};
use lossgraph_tensor::{Float, Tensor};
use smallvec::SmallVec;

use super::rule::{Granularity, Step, UpdateRule};

/// Moves a value by its gradient; `before` is a buffer for the next value.
pub(super) fn apply<T: Float>(
    rule: &impl UpdateRule,
    step: &Step<'_>,
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
    step: &'a Step<'a>,
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
pub(super) const PARALLEL: usize = 1 << 15;

/// Runs a pass piece by piece, on all threads if it is long.
fn share<R: UpdateRule, T: Float>(update: Update<'_, R, T>) {
    if R::GRANULARITY == Granularity::Parameter {
        return vectorized(update);
    }
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

/// Whether all numbers of a tensor are finite.
pub(super) fn all_finite<T: Float>(tensor: &Tensor) -> bool {
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
