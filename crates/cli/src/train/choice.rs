//! Which losses can train which task, and how a loss takes what a step has.

use clap::ValueEnum;
use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{ALL, Distance, Fit, Loss, Sample, Task};

use super::Result;
use crate::subject::named;

/// How a loss trains that is not of the catalogue.
const OWN: &str = "write the loop in a program: `my_loss(…).backward()` and `optimizer.step` \
                   (README, \"A loss of your own\")";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    /// Ten class scores for each digit.
    Classifier,
    /// A point for each digit, near to those of its class.
    Embedding,
}

/// A loss, and how it trains a task.
pub type Choice = (&'static Loss, &'static Fit);

impl Goal {
    /// What losses can make of it; the first that has a default gives it.
    fn tasks(self) -> &'static [Task] {
        match self {
            Goal::Classifier => &[Task::Classes],
            Goal::Embedding => &[Task::Triplets, Task::Pairs, Task::Embeddings],
        }
    }

    /// The losses of the catalogue that can be trained: those whose inputs a training has.
    fn losses(self) -> Vec<Choice> {
        let fits = |task: &'static Task| {
            ALL.iter().filter_map(|loss| loss.fit(*task).map(|fit| (*loss, fit)))
        };
        self.tasks().iter().flat_map(fits).filter(|(loss, fit)| can_train(loss, fit)).collect()
    }

    /// The loss to train with where none is named.
    pub fn default_loss(self) -> Result<Choice> {
        let default = self.losses().into_iter().find(|(_, fit)| fit.is_default);
        default.ok_or_else(|| "there is no default loss for this task: name one by --loss".into())
    }
}

/// What `--help` says of `--loss`.
pub fn help() -> String {
    let default = |goal: Goal| goal.default_loss().map_or("none", |(loss, _)| loss.name);
    format!(
        "The loss, by any of its names. Classifier: {} (default), or {}. Embedding: {} (default), \
         or {}",
        default(Goal::Classifier),
        names(Goal::Classifier),
        default(Goal::Embedding),
        names(Goal::Embedding),
    )
}

fn names(goal: Goal) -> String {
    goal.losses().iter().map(|(loss, _)| loss.name).collect::<Vec<_>>().join(", ")
}

/// The loss of a name, if a task can be trained with it; without a name, the default.
pub fn chosen(task: Goal, loss: Option<&str>) -> Result<Choice> {
    let Some(name) = loss else { return task.default_loss() };
    let possible = || names(task);
    let loss = named(name, OWN)
        .map_err(|why| format!("{why}\nthis task can be trained with {}", possible()))?;
    let found = task.losses().into_iter().find(|(each, _)| std::ptr::eq(*each, loss));
    found.ok_or_else(|| {
        let why = "this task cannot be trained with it; it can with";
        format!("--loss {}: {why} {}", loss.name, possible()).into()
    })
}

/// What a step has for a loss.
pub enum Outputs<'t> {
    /// Scores of classes, and the right ones.
    Scores { scores: Var<'t>, labels: Var<'t> },
    /// Embeddings of a batch, and their classes.
    Embeddings { embeddings: Var<'t>, labels: Var<'t> },
    /// Embeddings of anchors, of others of their classes, and of others of other classes.
    Triplets { anchor: Var<'t>, positive: Var<'t>, negative: Var<'t> },
}

/// The loss of a step, if the outputs are those of its task and all that it takes.
pub fn step<'t>(
    (loss, fit): Choice,
    setting: &str,
    tape: &'t Tape,
    outputs: &Outputs<'t>,
) -> Option<Var<'t>> {
    // The inputs of the loss, each made by its name and place in the list.
    let record = |input: &dyn Fn(usize, &Sample) -> Option<Var<'t>>| {
        let samples = loss.inputs_in(&loss.setting(setting).ok()?);
        let inputs = samples.iter().enumerate().map(|(i, each)| Some((each.name, input(i, each)?)));
        let inputs: Vec<(&str, Var<'t>)> = inputs.collect::<Option<_>>()?;
        Some(loss.record(tape, &inputs, setting).reduce(fit.reduction))
    };
    match (fit.task, outputs) {
        (Task::Classes, &Outputs::Scores { scores, labels }) => {
            record(&|i, sample| match sample.name {
                "labels" | "target" => sample.domain.of_labels(labels, scores.dim(-1)),
                _ if i == 0 => sample.domain.of_scores(scores),
                _ => None,
            })
        }
        (Task::Embeddings, &Outputs::Embeddings { embeddings, labels }) => {
            record(&|_, sample| match sample.name {
                "embeddings" => Some(embeddings),
                "labels" => Some(labels),
                _ => None,
            })
        }
        (Task::Triplets, &Outputs::Triplets { anchor, positive, negative }) => {
            record(&|_, sample| match sample.name {
                "anchor" => Some(anchor),
                "positive" => Some(positive),
                "negative" => Some(negative),
                _ => None,
            })
        }
        (Task::Pairs, &Outputs::Triplets { anchor, positive, negative }) => {
            let pair = |other: Var<'t>, sign: f64| {
                record(&|_, sample| match sample.name {
                    "a" => Some(anchor),
                    "b" => Some(other),
                    "distance" => Some(Distance::default().between(anchor, other)),
                    "target" => Some(tape.fill([anchor.dim(0)], sign)),
                    _ => None,
                })
            };
            Some(pair(positive, 1.0)? + pair(negative, -1.0)?)
        }
        _ => None,
    }
}

/// Whether a loss takes what a training has.
fn can_train(loss: &'static Loss, fit: &'static Fit) -> bool {
    trial(loss, fit, fit.setting).is_some_and(|value| value.is_ok())
}

/// The loss of a step of two examples, if it takes what a training has.
pub fn trial(
    loss: &'static Loss,
    fit: &'static Fit,
    setting: &str,
) -> Option<lossgraph_autograd::Result<f64>> {
    let tape = Tape::new();
    let [first, second, third] =
        [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]].map(|row| tape.constant([row, [row[1], row[0]]]));
    let labels = tape.labels(&[0, 1]);
    let outputs = match fit.task {
        Task::Classes => Outputs::Scores { scores: first, labels },
        Task::Embeddings => Outputs::Embeddings { embeddings: first, labels },
        _ => Outputs::Triplets { anchor: first, positive: second, negative: third },
    };
    step((loss, fit), setting, &tape, &outputs).map(|loss| loss.item())
}
