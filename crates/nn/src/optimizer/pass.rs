//! One pass over a parameter, its gradient and its states, piece by piece, on all threads.

use lossgraph_tensor::kernels::{Loop, threads, vectorized};
use lossgraph_tensor::{Float, Tensor};
use smallvec::SmallVec;

use super::rule::{Granularity, Step, UpdateRule};

/// What moves a piece.
type Update<'a, T> = &'a (dyn Fn(Piece<'_, T>) + Sync);

/// Moves a value by its gradient; `before` is a buffer for the next value.
pub(super) fn apply<T: Float>(
    update: Update<'_, T>,
    granularity: Granularity,
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
        let whole = Piece { from, p, g, states: slices(states) };
        match granularity {
            Granularity::Parameter => update(whole),
            Granularity::Element => share(update, whole),
        }
    }
    if held.is_some() {
        *before = held;
    }
}

type Slices<'a, T> = SmallVec<[&'a mut [T]; 3]>;

fn slices<T>(states: &mut [Vec<T>]) -> Slices<'_, T> {
    states.iter_mut().map(|state| &mut state[..]).collect()
}

/// A piece of a parameter, of its gradient and of its states.
pub(super) struct Piece<'a, T> {
    /// The value before the step, where it is not in `p`.
    from: Option<&'a [T]>,
    p: &'a mut [T],
    g: &'a [T],
    states: Slices<'a, T>,
}

impl<'a, T: Float> Piece<'a, T> {
    /// The first [`PIECE`] elements, and the rest if there are more.
    fn split(self) -> (Piece<'a, T>, Option<Piece<'a, T>>) {
        if self.p.len() <= PIECE {
            return (self, None);
        }
        let Piece { from, p, g, states } = self;
        let from = from.map(|from| from.split_at(PIECE)).unzip();
        let (p, g) = (p.split_at_mut(PIECE), g.split_at(PIECE));
        let states: (Slices<'_, T>, Slices<'_, T>) =
            states.into_iter().map(|state| state.split_at_mut(PIECE)).unzip();
        let first = Piece { from: from.0, p: p.0, g: g.0, states: states.0 };
        (first, Some(Piece { from: from.1, p: p.1, g: g.1, states: states.1 }))
    }

    /// Moves it by a rule.
    pub fn update<R: UpdateRule>(self, rule: &R, step: &Step<'_>) {
        vectorized(Pass { rule, step, piece: self });
    }
}

/// One pass over a piece.
struct Pass<'a, 'p, R, T> {
    rule: &'a R,
    step: &'a Step<'a>,
    piece: Piece<'p, T>,
}

impl<R: UpdateRule, T: Float> Loop for Pass<'_, '_, R, T> {
    #[inline(always)]
    fn run(self) {
        let Piece { from, p, g, mut states } = self.piece;
        if let Some(from) = from {
            p.copy_from_slice(from);
        }
        self.rule.update(self.step, p, g, &mut states);
    }
}

/// How many elements are updated at a time, a tile: few enough for the value, its gradient and its states
/// to stay in the first cache.
const PIECE: usize = 1 << 11;

/// Parameters with fewer elements are updated by the caller's thread.
pub(super) const PARALLEL: usize = 1 << 13;

/// Moves piece by piece, on all threads if there are many.
fn share<T: Float>(update: Update<'_, T>, whole: Piece<'_, T>) {
    let serial = whole.p.len() < PARALLEL;
    let mut rest = Some(whole);
    let pieces = std::iter::from_fn(|| {
        let (piece, others) = rest.take()?.split();
        rest = others;
        Some(piece)
    });
    if serial {
        pieces.for_each(update);
    } else {
        let pieces: Vec<Piece<'_, T>> = pieces.collect();
        threads::parallel_for_each(pieces, update);
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
