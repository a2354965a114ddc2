//! The optimizer and the schedule of a training, by their names.

use lossgraph_autograd::Module;
use lossgraph_nn::Linear;
use lossgraph_nn::optimizer::{self, Optimize};
use lossgraph_nn::schedule::{self, CosineAnnealing, Schedule};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

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

/// `Ok` if words are an optimizer and options of it.
///
/// # Errors
/// As [`Descent::new`], of the optimizer.
pub fn check_optimizer(words: &[String]) -> Result<()> {
    let Some(named) = Named::of(words) else { return Ok(()) };
    let named = named.check()?;
    let any = Linear::new(1, 1, &mut ChaCha8Rng::seed_from_u64(0))?;
    Ok(optimizer::named(named.name)?.over(&any, &named.pairs()?).map(|_| ())?)
}

/// `Ok` if words are a schedule and options of it.
///
/// # Errors
/// As [`Descent::new`], of the schedule.
pub fn check_schedule(words: &[String]) -> Result<()> {
    schedule_of(Named::of(words), 1).map(|_| ())
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

    /// `Ok` if its name is none with options in it, as one text of a file has them.
    fn check(self) -> Result<Self> {
        let words: Vec<&str> = self.name.split_whitespace().collect();
        match words.len() {
            0 | 1 => Ok(self),
            _ => Err(format!(
                "`{}`: a name and its options are words of their own: [\"{}\"] in a file",
                self.name,
                words.join("\", \"")
            )
            .into()),
        }
    }

    /// The options as pairs.
    fn pairs(self) -> Result<Vec<(&'a str, &'a str)>> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for word in self.options {
            let Some((name, value)) = word.split_once('=') else {
                return Err(format!(
                    "{}: `{word}` is no option, expected NAME=VALUE, such as {word}=0.1",
                    self.name
                )
                .into());
            };
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(format!("{}: `{name}` is said twice", self.name).into());
            }
            pairs.push((name, value));
        }
        Ok(pairs)
    }
}

/// What moves the parameters, and how its rate changes from epoch to epoch.
pub struct Descent {
    pub optimizer: Box<dyn Optimize>,
    pub schedule: Box<dyn Schedule>,
    /// What it is, in words.
    pub words: String,
    /// What is to be said of it before the time is spent.
    pub remarks: Vec<String>,
    /// Whether its steps need the gradients of all examples.
    pub whole_batches: bool,
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
        let named = optimizer.unwrap_or(Named { name: DEFAULT, options: &[] }).check()?;
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
        let name = schedule.as_ref().map_or("cosine", |named| named.name);
        let schedule = schedule_of(schedule, epochs)?;
        let remarks = remarks(name, &*schedule, lr, epochs)?;
        let words = format!("{}, its rate {lr} {course}", row.name);
        let whole_batches = row.whole_batches;
        Ok(Descent { optimizer, schedule, words, remarks, whole_batches })
    }
}

/// Of trainings without end, the first epochs say what rates are like.
const MOST: u64 = 1 << 16;

/// What is odd of a schedule in a training of so many epochs.
///
/// # Errors
/// One that a training cannot go through to its end.
fn remarks(name: &str, schedule: &dyn Schedule, lr: f64, epochs: u64) -> Result<Vec<String>> {
    let end = schedule.end().map(|end| end as u64);
    if let Some(end) = end.filter(|end| *end < epochs) {
        return Err(format!(
            "--schedule {name}: it ends after {end} epochs, and the training has {epochs}: --epochs {end}, \
             or leave its length out, which is then that of the training"
        )
        .into());
    }
    let rates: Vec<f64> = (0..epochs.min(MOST) as usize).map(|at| schedule.lr(lr, at)).collect();
    let is_rate = |rate: &f64| *rate >= 0.0 && rate.is_finite();
    if let Some(at) = rates.iter().position(|rate| !is_rate(rate)) {
        let (epoch, rate) = (at + 1, rates[at]);
        return Err(format!(
            "--schedule {name}: the rate of epoch {epoch} would be {rate}, expected 0 or more, and finite"
        )
        .into());
    }
    let mut remarks = Vec::new();
    if let Some(end) = end.filter(|end| *end > epochs) {
        remarks.push(format!(
            "the schedule {name} is made for {end} epochs, and is cut off after {epochs}: it counts \
             epochs, not batches"
        ));
    }
    // What a schedule makes of figures is not known yet.
    let observes = !schedule.state().is_empty();
    if epochs > 1 && !observes && rates.iter().all(|rate| *rate == rates[0]) {
        remarks.push(format!(
            "the schedule {name} leaves the rate at {} in all of the {epochs} epochs, which it counts: \
             other options of it?",
            rates[0]
        ));
    }
    Ok(remarks)
}

/// The schedule of a name, over so many epochs if it has no length of its own.
fn schedule_of(named: Option<Named<'_>>, epochs: u64) -> Result<Box<dyn Schedule>> {
    let epochs = usize::try_from(epochs).unwrap_or(usize::MAX);
    let mut schedule: Box<dyn Schedule> = match named {
        None => Box::new(CosineAnnealing::default()),
        Some(named) => {
            let named = named.check()?;
            schedule::named(named.name)?.with(&named.pairs()?, epochs)?
        }
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
    let [a, b] = epochs.map(|epochs| schedule_of(Named::of(schedule), epochs));
    let (a, b, both) = (a?, b?, epochs[0].min(epochs[1]).min(MOST));
    Ok((0..both as usize).any(|epoch| a.lr(1.0, epoch) != b.lr(1.0, epoch)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_schedule_that_does_not_fit_the_training_is_told_before_it_begins() {
        let refused = |schedule| descent("sgd", schedule, Some(1.0)).err().unwrap().to_string();
        assert_eq!(
            refused("one_cycle total_steps=4"),
            "--schedule one_cycle: it ends after 4 epochs, and the training has 10: --epochs 4, or leave \
             its length out, which is then that of the training"
        );
        let told = refused("exponential gamma=1e200");
        assert!(told.contains("the rate of epoch 3 would be inf, expected 0 or more"), "{told}");
        let remarks = |schedule| descent("sgd", schedule, Some(1.0)).unwrap().remarks;
        for flat in ["multi_step", "multi_step milestones=30,90", "step step_size=10"] {
            let [told] = &remarks(flat)[..] else { panic!("{flat}") };
            assert!(told.contains("leaves the rate at 1 in all of the 10 epochs"), "{told}");
        }
        let [told] = &remarks("one_cycle total_steps=450")[..] else { panic!("it is too long") };
        assert!(told.contains("made for 450 epochs, and is cut off after 10"), "{told}");
        for row in schedule::ALL.iter().filter(|row| row.name != "multi_step") {
            assert_eq!(remarks(row.name), [""; 0], "{row:?}");
        }
    }

    #[test]
    fn wrong_names_are_told_with_the_nearest() {
        for (optimizer, schedule, told) in [
            ("adamv", "", "the nearest is `adam"),
            ("adam beta=1", "", "the nearest is `betas`"),
            ("adam 0.1", "", "`0.1` is no option, expected NAME=VALUE"),
            ("", "step gamma", "`gamma` is no option, expected NAME=VALUE, such as gamma=0.1"),
            ("adam eps=1 eps=2", "", "adam: `eps` is said twice"),
            ("", "step gamma=1 gamma=0.5", "step: `gamma` is said twice"),
            ("", "cosin", "the nearest is `cosine"),
        ] {
            let error = descent(optimizer, schedule, None).err().unwrap().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
