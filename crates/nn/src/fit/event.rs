//! What a training tells while it runs, and when it is over.

use std::path::Path;

/// What just happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The training begins, or goes on, with an epoch.
    Begin {
        /// The epoch, from 0 on.
        epoch: usize,
        /// How many there are in all.
        epochs: usize,
        /// How many batches of the epoch a run before has seen.
        batch: usize,
    },
    /// The optimizer took a step.
    Step {
        /// The epoch, from 0 on.
        epoch: usize,
        /// How many batches of the epoch were seen.
        batch: usize,
        /// How many steps were taken in all.
        step: usize,
        /// The loss of the batch, or the mean of those that were accumulated.
        loss: f64,
        /// The learning rate of the step, of the first group.
        lr: f64,
    },
    /// An epoch is over.
    Epoch(&'a Epoch),
    /// A checkpoint was written.
    Saved(&'a Path),
}

/// An epoch in the history of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// The epoch, from 0 on.
    pub epoch: usize,
    /// How many steps were taken so far in all.
    pub steps: usize,
    /// The mean of the losses of its batches.
    pub loss: f64,
    /// The learning rate of its last step, of the first group.
    pub lr: f64,
    /// The figures of validation.
    pub figures: Vec<(String, f64)>,
}

impl Epoch {
    /// A figure of validation by its name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(each, _)| each == name).map(|(_, figure)| *figure)
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All epochs are over.
    Finished,
    /// The figure did not get better for some epochs.
    #[doc(alias = "EarlyStopping")]
    Early,
    /// The flag was set: what was reached is saved.
    Interrupted,
}

/// The best epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The epoch, from 0 on.
    pub epoch: usize,
    /// Its figure.
    pub figure: f64,
}

/// What a training gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub stopped: Stopped,
    /// All epochs that are over, those of runs before included.
    pub history: Vec<Epoch>,
    /// The best of them.
    pub best: Option<Best>,
    /// How many steps were taken in all.
    pub steps: usize,
}
