//! How far a check is, for one that takes long.

use std::io::{IsTerminal, Write, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::check::Check;

/// A bar on standard error, if that is a terminal, from half a second on. It is told of each run, from
/// whatever thread, and moves with it.
pub(crate) struct Progress {
    /// When it began, if it is shown: not every platform has a clock.
    started: Option<Instant>,
    state: Mutex<State>,
}

/// How far a check is. A derivative counts by half once its input has moved together with others, and
/// as a whole once its row is there.
#[derive(Default)]
struct State {
    /// The derivatives that there are.
    of: usize,
    /// Those whose inputs have moved together.
    moved: usize,
    /// Those whose inputs are moving together.
    moving: usize,
    /// The runs since they began to.
    runs: usize,
    /// Those with a row.
    done: usize,
    /// What is looked at now.
    name: String,
    is_drawn: bool,
}

/// So many runs show that the derivatives of inputs that move together are right: the value, its
/// rounding, which gradients there are, the gradients, and eight values.
const TOGETHER: usize = 12;

impl Progress {
    const WIDTH: usize = 30;
    const PATIENCE: Duration = Duration::from_millis(500);

    /// The progress of a check of so many derivatives.
    pub fn new(check: &Check, of: usize) -> Progress {
        let shown = check.progress && stderr().is_terminal();
        let state = Mutex::new(State { of, ..State::default() });
        Progress { started: shown.then(Instant::now), state }
    }

    /// The inputs of so many derivatives begin to move together.
    pub fn together(&self, count: usize) {
        self.update(|state| state.together(count));
    }

    /// The function runs, or has answered.
    pub fn run(&self) {
        self.update(|state| state.runs += 1);
    }

    /// The next derivative is looked at by itself.
    pub fn next(&self, name: &str) {
        self.update(|state| {
            state.together(0);
            name.clone_into(&mut state.name);
        });
        // It has a row when the bar is drawn again.
        self.state().done += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let Some(started) = self.started else { return };
        let mut state = self.state();
        change(&mut state);
        if started.elapsed() > Progress::PATIENCE {
            let full = (Progress::WIDTH as f64 * state.part()) as usize;
            let bar = format!("{:<1$}", "█".repeat(full), Progress::WIDTH);
            let (done, of, name, runs) = (state.done, state.of, &state.name, state.runs);
            // Where it cannot be drawn, the check goes on without it.
            let _ = write!(stderr(), "\r\x1b[K{bar} {done}/{of}  {name}, run {runs}");
            state.is_drawn = true;
        }
    }
}

impl State {
    fn together(&mut self, count: usize) {
        self.moved += self.moving;
        (self.moving, self.runs) = (count, 0);
        self.name = "all inputs at once".to_owned();
    }

    /// The part of the check that is done.
    fn part(&self) -> f64 {
        let moving = self.moving as f64 * self.runs.min(TOGETHER) as f64 / TOGETHER as f64;
        let halves = (self.moved + self.done) as f64 + moving;
        (halves / (2 * self.of).max(1) as f64).min(1.0)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.state().is_drawn {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_moves_with_each_run_and_never_back() {
        let mut state = State { of: 4, ..State::default() };
        let mut parts = vec![state.part()];
        for _ in 0..2 {
            state.together(2);
            for _ in 0..TOGETHER {
                state.runs += 1;
                parts.push(state.part());
            }
            for _ in 0..2 {
                state.together(0);
                state.done += 1;
                parts.push(state.part());
            }
        }
        assert!(parts.windows(2).all(|pair| pair[0] < pair[1]), "{parts:?}");
        assert_eq!((parts[0], parts[parts.len() - 1]), (0.0, 1.0));
    }
}
