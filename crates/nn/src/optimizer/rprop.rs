//! Rprop.

use lossgraph_tensor::{Float, Shape};

use super::rule::{State, Step, UpdateRule, at_least_zero, direction, in_range, learning_rate};
use super::table::{Row, of_whole_batches, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Steps whose length knows the sign of the gradient alone, for batches that have all examples:
    /// they grow while the sign stays, and shrink when it turns, where the element rests for a step.
    ///
    /// ```text
    /// s ← s η₊ if g g' > 0,  s η₋ if g g' < 0         g' is the gradient before
    /// s ← clamp(s, s₋, s₊);   g ← 0 if g g' < 0
    /// p ← p − s sign(g)
    /// ```
    ///
    /// # Source
    /// Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning, 1993.
    /// PyTorch's `Rprop`.
    #[derive(Copy)]
    pub struct Rprop("rprop") {
        /// The length of the first step.
        lr: f64 = 1e-2,
        /// The factors η₋ and η₊ of the step.
        etas: [f64; 2] = [0.5, 1.2],
        /// The shortest and the longest step.
        step_sizes: [f64; 2] = [1e-6, 50.0],
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row = of_whole_batches(row::<Rprop>(
    "rprop",
    &["Rprop"],
    "steps by the sign of the gradient, of whole batches",
));

impl UpdateRule for Rprop {
    const NAME: &'static str = "rprop";

    learning_rate!();

    fn check(&self) -> Result<()> {
        at_least_zero("rprop", "lr", self.lr)?;
        let [down, up] = self.etas;
        in_range("rprop", "etas", down, 0.0 < down && down < 1.0, "a first between 0 and 1")?;
        in_range("rprop", "etas", up, 1.0 < up && up.is_finite(), "a second above 1")?;
        let [least, most] = self.step_sizes;
        at_least_zero("rprop", "step_sizes", least)?;
        in_range("rprop", "step_sizes", most, least <= most, "a second that is not below the first")
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        vec![State::full(shape, 0.0), State::full(shape, self.lr)]
    }

    #[inline(always)]
    fn update<T: Float>(&self, _: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [before, sizes] = states else { return };
        let [down, up] = self.etas.map(T::of);
        let [least, most] = self.step_sizes.map(T::of);
        let sign: T = direction(self.maximize);
        let states = before.iter_mut().zip(sizes.iter_mut());
        for ((p, &g), (before, size)) in p.iter_mut().zip(g).zip(states) {
            let g = sign * g;
            let turned = g.signum0() * before.signum0();
            let factor = match turned {
                turned if turned > T::ZERO => up,
                turned if turned < T::ZERO => down,
                _ => T::ONE,
            };
            let s = *size * factor;
            *size = if s < least {
                least
            } else if s > most {
                most
            } else {
                s
            };
            *before = if turned < T::ZERO { T::ZERO } else { g };
            *p = *p - *size * before.signum0();
        }
    }
}
