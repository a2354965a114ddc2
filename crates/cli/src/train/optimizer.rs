//! The optimizer and the schedule of a training, by their names.

use lossgraph_autograd::{Gradients, Module};
use lossgraph_nn::optimizer::{self, Optimize};
use lossgraph_nn::schedule::{self, Schedule, Scheduler};

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
    optimizer: Box<dyn Optimize>,
    /// The rate at the start.
    lr: f64,
    epochs: u64,
    /// Half a cosine down to 0 if there is none.
    scheduler: Option<Scheduler>,
    words: String,
}

impl Descent {
    /// For a model. A rate that nobody said is the task's for the default optimizer, and that of any
    /// other one.
    ///
    /// # Errors
    /// A name or an option that there is not, or out of its range.
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
        let lr = lr.or((row.name == DEFAULT).then_some(default_lr)).map(|lr| lr.to_string());
        if let Some(lr) = &lr
            && !options.iter().any(|(name, _)| *name == "lr")
        {
            options.push(("lr", lr));
        }
        let mut optimizer = row.over(model, &options)?;
        let lr = optimizer.lrs().first().copied().unwrap_or(0.0);
        let scheduler = match schedule {
            None => None,
            Some(named) => {
                let steps = usize::try_from(epochs).unwrap_or(usize::MAX);
                let schedule: Box<dyn Schedule> =
                    schedule::named(named.name)?.with(&named.pairs()?, steps)?;
                Some(Scheduler::new(schedule, &mut *optimizer)?)
            }
        };
        let course = match schedule {
            None => "falling to 0 along half a cosine".to_owned(),
            Some(named) => format!("by the schedule {}", named.name),
        };
        let words = format!("{}, its rate {lr} {course}", row.name);
        Ok(Descent { optimizer, lr, epochs, scheduler, words })
    }

    /// What it is, in words.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Sets the rate of an epoch, where no schedule does.
    ///
    /// # Errors
    /// A rate that is not finite.
    pub fn begin(&mut self, epoch: u64) -> Result<()> {
        if self.scheduler.is_none() {
            let done = epoch as f64 / self.epochs as f64;
            let rate = self.lr * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            let rates = vec![rate; self.optimizer.lrs().len()];
            self.optimizer.set_lrs(&rates)?;
        }
        Ok(())
    }

    /// Takes a step, by the gradients that `evaluate` computes; gives the first of them.
    ///
    /// # Errors
    /// Those of `evaluate`; gradients that are not finite.
    pub fn step(
        &mut self,
        evaluate: &mut dyn FnMut() -> lossgraph_nn::Result<Gradients>,
    ) -> Result<Gradients> {
        Ok(self.optimizer.step_with(evaluate)?)
    }

    /// Goes on with the schedule, at the end of an epoch with this mean loss.
    ///
    /// # Errors
    /// A step behind the end of the schedule.
    pub fn end(&mut self, loss: f64) -> Result<()> {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.step(&mut *self.optimizer)?;
            scheduler.observe(loss, &mut *self.optimizer)?;
        }
        Ok(())
    }
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
        let rate = |optimizer, lr| descent(optimizer, "", lr).unwrap().lr;
        assert_eq!(rate("", None), 0.003);
        assert_eq!(rate("AdamW", Some(0.1)), 0.1);
        assert_eq!(rate("sgd lr=0.5 momentum=0.9", Some(0.1)), 0.5);
        assert_eq!(rate("adagrad", None), 0.01);
    }

    #[test]
    fn rates_fall_along_half_a_cosine_or_by_the_schedule() {
        let rates = |schedule| {
            let mut descent = descent("sgd", schedule, Some(1.0)).unwrap();
            let mut rates = Vec::new();
            for epoch in [0, 1, 5] {
                descent.begin(epoch).unwrap();
                rates.push(descent.optimizer.lrs()[0]);
                descent.end(1.0).unwrap();
            }
            rates
        };
        assert!((rates("")[2] - 0.5).abs() < 1e-12);
        assert_eq!(rates("exponential gamma=0.5"), [1.0, 0.5, 0.25]);
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
