//! What a training says while it runs.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;

use indicatif::{ProgressBar, ProgressStyle};

use super::Result;
use crate::output::{self, Closed};

/// Lines on standard output, beside a progress bar. A reader that leaves, such as `head`, does not end
/// a training, nor does a full disk that its lines go to: it says nothing more, and is saved.
pub struct Log {
    pub bar: ProgressBar,
    speaks: bool,
    failure: RefCell<Option<Box<dyn Error>>>,
}

impl Log {
    /// For so many steps, of the process that speaks. As wide as the terminal allows; indicatif leaves
    /// colors out where nobody sees them.
    pub fn new(speaks: bool, steps: u64) -> Log {
        let bar = if speaks { ProgressBar::new(steps) } else { ProgressBar::hidden() };
        let template = "{wide_bar:.green/dim} {percent:>3} %  {eta} left  {msg:.cyan}";
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Log { bar, speaks, failure: RefCell::new(None) }
    }

    /// Prints, if anybody reads.
    pub fn print(&self, text: &str) {
        if self.is_heard() {
            self.note(self.bar.suspend(|| output::print(text)));
        }
    }

    /// Tells who watches.
    pub fn remark(&self, message: impl fmt::Display) {
        if self.is_heard() {
            self.bar.suspend(|| output::remark(message));
        }
    }

    /// Keeps the first failure of what is not worth to end a training for.
    pub fn note(&self, result: Result<()>) {
        if let Err(error) = result {
            self.failure.borrow_mut().get_or_insert(error);
        }
    }

    /// `Ok` if all was printed that was to be, or a reader has left.
    ///
    /// # Errors
    /// What else failed.
    pub fn check(&self) -> Result<()> {
        match self.failure.take() {
            Some(error) if !error.is::<Closed>() => Err(error),
            closed => {
                *self.failure.borrow_mut() = closed;
                Ok(())
            }
        }
    }

    /// The failure that was kept, at the end.
    ///
    /// # Errors
    /// That one.
    pub fn end(self) -> Result<()> {
        self.failure.into_inner().map_or(Ok(()), Err)
    }

    fn is_heard(&self) -> bool {
        self.speaks && self.failure.borrow().is_none()
    }
}
