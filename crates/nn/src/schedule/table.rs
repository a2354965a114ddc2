//! The schedules by name.

use super::{Schedule, cosine, cycle, decay, plateau};
use crate::error::Result;
use crate::options::{Options, is_named, unknown};

/// All schedules that have a name; [`Sequential`](super::Sequential) and
/// [`Chained`](super::Chained) are made of them.
pub static ALL: &[Row] = &[
    decay::CONSTANT,
    decay::LINEAR,
    decay::POLYNOMIAL,
    decay::EXPONENTIAL,
    decay::STEP,
    decay::MULTI_STEP,
    cosine::COSINE,
    cosine::COSINE_WARM_RESTARTS,
    cycle::ONE_CYCLE,
    cycle::CYCLIC,
    plateau::ROW,
];

/// A schedule of a name.
///
/// ```
/// use lossgraph_nn::schedule::{self, Schedule};
///
/// // The length, which is not given, is that of the training: 100 steps.
/// let cosine = schedule::named("cosine")?.with(&[("eta_min", "0.1")], 100)?;
/// assert_eq!((cosine.lr(0.5, 0), cosine.lr(0.5, 100)), (0.5, 0.1));
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Errors
/// A name that no schedule has.
pub fn named(name: &str) -> Result<&'static Row> {
    let found = ALL.iter().find(|row| is_named(name, row.name, row.aliases));
    found.ok_or_else(|| unknown("schedule", "schedule", name, ALL.iter().map(|row| row.name)))
}

/// Makes a schedule of options as text.
type Build = fn(&[(&str, &str)]) -> Result<Box<dyn Schedule>>;

/// What is known of a schedule.
#[derive(Clone, Copy)]
pub struct Row {
    /// The name.
    pub name: &'static str,
    /// Other names, such as PyTorch's.
    pub aliases: &'static [&'static str],
    /// What it does, in a line.
    pub summary: &'static str,
    defaults: fn() -> Box<dyn Options>,
    build: Build,
}

impl Row {
    /// Its options, with their defaults as text.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        (self.defaults)().options()
    }

    /// The schedule with some options, for a training of so many steps.
    ///
    /// # Errors
    /// An option that there is not, or out of its range.
    pub fn with(&self, options: &[(&str, &str)], steps: usize) -> Result<Box<dyn Schedule>> {
        let mut schedule = (self.build)(options)?;
        schedule.check()?;
        schedule.span(steps);
        Ok(schedule)
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub(super) const fn row<S: Schedule + Options + Default + 'static>(
    name: &'static str,
    aliases: &'static [&'static str],
    summary: &'static str,
) -> Row {
    Row {
        name,
        aliases,
        summary,
        defaults: || Box::new(S::default()),
        build: |options| {
            let mut schedule = S::default();
            schedule.set_options(options)?;
            Ok(Box::new(schedule))
        },
    }
}
