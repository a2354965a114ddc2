//! The optimizer and the schedule of a training, by their names.

use lossgraph_autograd::Module;
use lossgraph_nn::optimizer::{self, Optimize};
use lossgraph_nn::schedule::{self, CosineAnnealing, Schedule};

use super::Result;

/// The optimizer that trains where nobody says another one.
pub const DEFAULT: &str = "adamw";

/// The names of all optimizers.
pub fn optimizers() -> String {
    optimizer::ALL.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// The names of all schedules.
pub fn schedules() -> String {
    schedule::ALL.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// A name with options, as in `sgd momentum=0.9`.
#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    options: &'a [String],
}

impl<'a> Named<'a> {
    fn of(words: &'a [String]) -> Option<Named<'a>> {
        words.split_first().map(|(name, options)| Named { name, options })
    }

    /// The options as pairs.
    fn pairs(self) -> Result<Vec<(&'a str, &'a str)>> {
        let pair = |word: &'a String| {
            let why = || format!("{}: `{word}` is no option, expected NAME=VALUE", self.name);
            word.split_once('=').ok_or_else(|| why().into())
        };
        self.options.iter().map(pair).collect()
    }
}

/// What moves the parameters, and how its rate changes from epoch to epoch.
pub struct Descent {
    pub optimizer: Box<dyn Optimize>,
    pub schedule: Box<dyn Schedule>,
    /// What it is, in words.
    pub words: String,
}

impl Descent {
    /// For a model. A rate that nobody said is the task's for the default optimizer, and that of any
    /// other one. Without a schedule it falls to 0 along half a cosine.
    ///
    /// # Errors
    /// A name or an option that there is not, or out of its range; a rate that is said twice.
    pub fn new(
        model: &dyn Module,
        words: [&[String]; 2],
        (lr, default_lr): (Option<f64>, f64),
        epochs: u64,
    ) -> Result<Descent> {
        let [optimizer, schedule] = words.map(Named::of);
        let named = optimizer.unwrap_or(Named { name: DEFAULT, options: &[] });
        let row = optimizer::named(named.name)?;
        let mut options = named.pairs()?;
        let own = options.iter().find(|(name, _)| *name == "lr").map(|(_, own)| *own);
        if let (Some(own), Some(lr)) = (own, lr) {
            let name = row.name;
            return Err(format!(
                "--lr {lr}: the rate is lr={own} of {name} already: leave one out"
            )
            .into());
        }
        let lr = lr.or((row.name == DEFAULT).then_some(default_lr)).map(|lr| lr.to_string());
        if let Some(lr) = lr.as_ref().filter(|_| own.is_none()) {
            options.push(("lr", lr));
        }
        let optimizer = row.over(model, &options)?;
        let lr = optimizer.lrs().first().copied().unwrap_or(0.0);
        let course = match &schedule {
            None => "falling to 0 along half a cosine".to_owned(),
            Some(named) => format!("by the schedule {}", named.name),
        };
        let schedule = schedule_of(schedule, epochs)?;
        let words = format!("{}, its rate {lr} {course}", row.name);
        Ok(Descent { optimizer, schedule, words })
    }
}

/// The schedule of a name, over so many epochs if it has no length of its own.
fn schedule_of(named: Option<Named<'_>>, epochs: u64) -> Result<Box<dyn Schedule>> {
    let epochs = usize::try_from(epochs).unwrap_or(usize::MAX);
    let mut schedule: Box<dyn Schedule> = match named {
        None => Box::new(CosineAnnealing::default()),
        Some(named) => schedule::named(named.name)?.with(&named.pairs()?, epochs)?,
    };
    schedule.span(epochs);
    schedule.check()?;
    Ok(schedule)
}

/// Whether two runs of so many epochs, and the same schedule, have other rates in those that both see.
///
/// # Errors
/// As [`Descent::new`], of the schedule.
pub fn rates_differ(schedule: &[String], epochs: [u64; 2]) -> Result<bool> {
    // Of trainings without end, the first epochs say it.
    const MOST: u64 = 1 << 16;
    let [a, b] = epochs.map(|epochs| schedule_of(Named::of(schedule), epochs));
    let (a, b, both) = (a?, b?, epochs[0].min(epochs[1]).min(MOST));
    Ok((0..both as usize).any(|epoch| a.lr(1.0, epoch) != b.lr(1.0, epoch)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_nn::Linear;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn descent(optimizer: &str, schedule: &str, lr: Option<f64>) -> Result<Descent> {
        let model = Linear::new(2, 1, &mut ChaCha8Rng::seed_from_u64(0))?;
        let words = [optimizer, schedule]
            .map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<String>>());
        Descent::new(&model, [&words[0], &words[1]], (lr, 0.003), 10)
    }

    #[test]
    fn a_rate_is_the_one_that_is_said_or_that_of_the_optimizer() {
        let rate = |optimizer, lr| descent(optimizer, "", lr).unwrap().optimizer.lrs()[0];
        assert_eq!(rate("", None), 0.003);
        assert_eq!(rate("AdamW", Some(0.1)), 0.1);
        assert_eq!(rate("sgd lr=0.5 momentum=0.9", None), 0.5);
        assert_eq!(rate("adagrad", None), 0.01);
    }

    #[test]
    fn rates_fall_along_half_a_cosine_or_by_the_schedule() {
        let rates = |schedule| {
            let mut schedule = descent("sgd", schedule, Some(1.0)).unwrap().schedule;
            schedule.span(10);
            [0, 1, 2, 5].map(|epoch| schedule.lr(1.0, epoch))
        };
        assert!((rates("")[3] - 0.5).abs() < 1e-12);
        assert_eq!(rates("exponential gamma=0.5")[..3], [1.0, 0.5, 0.25]);
    }

    #[test]
    fn a_rate_that_is_said_twice_is_refused() {
        let error = descent("sgd lr=0.5", "", Some(0.1)).err().unwrap().to_string();
        assert_eq!(error, "--lr 0.1: the rate is lr=0.5 of sgd already: leave one out");
    }

    #[test]
    fn wrong_names_are_told_with_the_nearest() {
        for (optimizer, schedule, told) in [
            ("adamv", "", "the nearest is `adam"),
            ("adam beta=1", "", "the nearest is `betas`"),
            ("adam 0.1", "", "`0.1` is no option, expected NAME=VALUE"),
            ("", "cosin", "the nearest is `cosine"),
        ] {
            let error = descent(optimizer, schedule, None).err().unwrap().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
