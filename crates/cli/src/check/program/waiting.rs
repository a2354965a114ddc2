//! How long a program has been waited for, on a terminal.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// What the program is waited for, since when, and until when.
pub struct Waiting<'a> {
    awaited: &'a str,
    limit: Duration,
    started: Instant,
    shown: bool,
    is_drawn: bool,
}

impl<'a> Waiting<'a> {
    const TICK: Duration = Duration::from_secs(1);

    pub fn new(awaited: &'a str, limit: Duration) -> Waiting<'a> {
        let shown = stderr().is_terminal();
        Waiting { awaited, limit, started: Instant::now(), shown, is_drawn: false }
    }

    /// How long to wait until there is something to show, or the limit is reached.
    pub fn next(&self) -> Duration {
        let left = self.limit.saturating_sub(self.started.elapsed());
        if self.shown { left.min(Waiting::TICK) } else { left }
    }

    pub fn is_over(&self) -> bool {
        self.started.elapsed() >= self.limit
    }

    /// Says on the terminal how long it has been.
    pub fn show(&mut self) {
        if self.shown {
            let text = text(self.awaited, self.started.elapsed(), self.limit);
            // Where it cannot be drawn, it is waited for without it.
            let _ = write!(stderr(), "\r\x1b[K{text}");
            self.is_drawn = true;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn text(awaited: &str, waited: Duration, limit: Duration) -> String {
    format!("waiting for {awaited}, {} s of {}", waited.as_secs(), limit.as_secs_f64())
}
