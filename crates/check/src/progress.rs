//! How far a check is, for one that takes long.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use crate::check::Check;

/// A bar on standard error, if that is a terminal, from half a second on.
pub(crate) struct Progress {
    /// When it began, if it is shown: not every platform has a clock.
    started: Option<Instant>,
    is_drawn: bool,
    done: usize,
    of: usize,
}

impl Progress {
    const WIDTH: usize = 30;
    const PATIENCE: Duration = Duration::from_millis(500);

    /// The progress of a check of so many derivatives.
    pub fn new(check: &Check, of: usize) -> Progress {
        let shown = check.progress && stderr().is_terminal();
        Progress { started: shown.then(Instant::now), is_drawn: false, done: 0, of }
    }

    /// One more derivative begins.
    pub fn next(&mut self, name: &str) {
        if self.started.is_some_and(|started| started.elapsed() > Progress::PATIENCE) {
            let full = Progress::WIDTH * self.done / self.of.max(1);
            let bar = format!("{:<1$}", "█".repeat(full), Progress::WIDTH);
            // Where it cannot be drawn, the check goes on without it.
            let _ = write!(stderr(), "\r\x1b[K{bar} {}/{}  {name}", self.done, self.of);
            self.is_drawn = true;
        }
        self.done += 1;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
