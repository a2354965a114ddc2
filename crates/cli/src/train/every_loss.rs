//! `lossgraph train --every-loss`: every loss of the catalogue on what it is made for, as a table.

use std::time::Instant;

use lossgraph_losses::{ALL, Loss};
use lossgraph_nn::fit::{Every, Fit};
use lossgraph_nn::parallel::DataParallel;
use serde_json::json;

use super::goal::Goal;
use super::objective::Objective;
use super::optimizer::Descent;
use super::tasks::{Defaults, problem, words};
use super::training::Training;
use super::{Options, Result};
use crate::check::progress;
use crate::output;

/// What a loss did.
struct Row {
    loss: &'static Loss,
    task: String,
    metric: &'static str,
    /// The loss of the first examples that are trained on, before and after.
    losses: [f64; 2],
    scores: [f64; 2],
    seconds: f64,
}

/// The most examples that the loss before and after is of.
const MEASURED: usize = 256;

/// Trains with each loss, says what came of it, and writes the table.
pub fn run(options: &Options, parallel: DataParallel<'_>) -> Result<()> {
    let is_leader = parallel.world().is_leader();
    if is_leader {
        output::make_folder(&options.out)?;
    }
    let bar = if is_leader { progress(ALL.len() as u64) } else { indicatif::ProgressBar::hidden() };
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for loss in ALL.iter().copied() {
        bar.set_message(loss.name);
        match row(options, parallel, loss) {
            Ok(row) => {
                if is_leader {
                    bar.suspend(|| output::print(row.line()))?;
                }
                rows.push(row);
            }
            Err(error) => failed.push(format!("{}: {error}", loss.name)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if !failed.is_empty() {
        return Err(failed.join("\n").into());
    }
    if !is_leader {
        return Ok(());
    }
    let page = options.out.join("training.md");
    output::write_and_report(&page, markdown(options, &rows))?;
    match options.json {
        true => {
            let rows: serde_json::Value = rows.iter().map(Row::json).collect();
            output::print(format!("{rows}\n"))
        }
        false => Ok(()),
    }
}

fn row(options: &Options, parallel: DataParallel<'_>, loss: &'static Loss) -> Result<Row> {
    let start = Instant::now();
    let Some(fit) = loss.tasks.first() else { return Err("it trains no task".into()) };
    let problem = problem(fit.task, loss, options.seed)?;
    let defaults = problem.defaults();
    let plan = Defaults {
        // A quarter of what a net takes to be as good as it gets is enough to see a loss work.
        epochs: options.epochs.unwrap_or(defaults.epochs.div_ceil(4)),
        batch: options.batch.unwrap_or(defaults.batch),
        lr: options.lr.unwrap_or(defaults.lr),
    };
    let objective = Objective::new(loss, fit, "", problem.sizes(), options.seed)?;
    let training = Training { parallel, problem, objective, plan, seed: options.seed };
    let trained = training.trained();
    parallel.broadcast(&trained)?;
    let words = [&options.optimizer[..], &options.schedule];
    let Descent { mut optimizer, schedule, .. } =
        Descent::new(&trained, words, (options.lr, plan.lr), plan.epochs)?;
    training.check()?;
    let measured = training.examples(0, MEASURED)?;
    let measure = || -> Result<[f64; 2]> {
        let score = training.problem.score(&training.objective)?;
        Ok([training.loss(&measured)?, score])
    };
    let [loss_before, score_before] = measure()?;
    Fit::new(&trained, &mut *optimizer)
        .epochs(usize::try_from(plan.epochs).unwrap_or(usize::MAX))
        .schedule(schedule, Every::Epoch)
        .parallel(parallel)
        .run(|epoch| training.batches(epoch), |batch: &Vec<usize>| training.gradients(batch))?;
    // On the examples, pairs and views as they were drawn before.
    training.problem.begin(options.seed, 0)?;
    let [loss_after, score_after] = measure()?;
    Ok(Row {
        loss,
        task: Goal::of(fit.task).name(),
        metric: training.problem.metric(),
        losses: [loss_before, loss_after],
        scores: [score_before, score_after],
        seconds: start.elapsed().as_secs_f64(),
    })
}

impl Row {
    fn line(&self) -> String {
        let Row { loss, task, metric, losses: [a, b], scores: [c, d], seconds } = self;
        let (name, metric) = (loss.name, words(metric));
        format!(
            "{name:<30} {task:<14} loss {a:>10.4} → {b:>10.4}  {metric} {c:>8.4} → {d:>8.4}  {seconds:>5.1} s\n"
        )
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "loss": self.loss.name,
            "task": self.task,
            "metric": self.metric,
            "loss_before": self.losses[0],
            "loss_after": self.losses[1],
            "before": self.scores[0],
            "after": self.scores[1],
            "seconds": self.seconds,
        })
    }
}

fn markdown(options: &Options, rows: &[Row]) -> String {
    let epochs = match options.epochs {
        Some(epochs) => format!(" --epochs {epochs}"),
        None => String::new(),
    };
    let mut page = format!(
        "{ABOUT}\nThis page is made by `lossgraph train --every-loss{epochs} --out docs/losses`.\n\n{HEADER}"
    );
    for row in rows {
        let Row { loss, task, metric, losses: [a, b], scores: [c, d], seconds } = row;
        let (name, metric) = (loss.name, words(metric));
        page += &format!(
            "| [{name}](README.md#{name}) | {task} | {a:.4} | {b:.4} | {metric} | {c:.4} | {d:.4} | {seconds:.1} |\n"
        );
    }
    page
}

const ABOUT: &str = "\
# Every loss trains

Each loss of the catalogue on what it is made for: the mean loss of 256 examples that are trained on, and a figure of examples that are not, before training and after it. More is better of each figure. Nets and data are small, and the epochs are few, a quarter of those of `lossgraph train --loss NAME` or fewer: enough to see a loss work, and no comparison of losses. A penalty is added to the default loss of its task.
";

const HEADER: &str = "\
| loss | task | loss before | after | figure | before | after | seconds |
|---|---|---|---|---|---|---|---|
";
