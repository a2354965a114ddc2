//! What losses are trained on: for each task data, a net, and a figure of how good it is.

mod boxes;
mod canvas;
mod classes;
mod distributions;
mod embeddings;
mod masks;
mod multi_label;
mod numbers;
mod ordered;
mod pictures;
mod rankings;
mod sequences;
mod views;

pub use classes::{Classes, SPLIT_SEED, TEST_SHARE};
pub use embeddings::Embeddings;
pub use numbers::Numbers;

use std::path::Path;

use lossgraph_autograd::{Module, Tape, Var};
use lossgraph_losses::{Loss, Sample, Task};
use lossgraph_nn::Mode;
use lossgraph_nn::parallel::DataParallel;
use lossgraph_tensor::Tensor;

use super::Result;
use super::objective::Objective;

/// An input of a loss, by its place and its sample, if a step has it.
pub type Operands<'t> = Box<dyn Fn(usize, &Sample) -> Option<Var<'t>> + 't>;

/// Which examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Those that are trained on.
    Train,
    /// Those that are not.
    Test,
}

impl Part {
    /// The one of both that it is.
    pub fn of<'a, T>(self, train: &'a T, test: &'a T) -> &'a T {
        if self == Part::Train { train } else { test }
    }
}

/// How long to train, where nobody says it.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    pub epochs: u64,
    pub batch: usize,
    pub lr: f64,
}

/// What is learned, from which data, by which net.
pub trait Problem {
    /// The data, in words: `1438 digits to train on, 359 to test with`.
    fn about(&self) -> String;

    /// The name of the data, where the task has several.
    fn data(&self) -> Option<&'static str> {
        None
    }

    /// What is trained, without what a loss learns beside it.
    fn model(&self) -> &dyn Module;

    /// How many examples there are to train on.
    fn examples(&self) -> usize;

    /// How many classes there are, and how many numbers the net gives.
    fn sizes(&self) -> [usize; 2];

    /// The classes of the examples that are trained on, if they have some.
    fn labels(&self) -> &[usize] {
        &[]
    }

    /// How long to train, where nobody says it.
    fn defaults(&self) -> Defaults {
        Defaults { epochs: 20, batch: 32, lr: 3e-3 }
    }

    /// Draws what an epoch needs.
    fn begin(&mut self, _seed: u64, _epoch: u64) -> Result<()> {
        Ok(())
    }

    /// What a step on some examples has for a loss; what is given several times is added up.
    fn operands<'t>(
        &self,
        tape: &'t Tape,
        part: Part,
        indices: &[usize],
        mode: Mode,
    ) -> Result<Vec<Operands<'t>>>;

    /// The name of the figure: `test_accuracy`.
    fn metric(&self) -> &'static str;

    /// How good the net is on examples that it is not trained on; more is better.
    fn score(&self, objective: &Objective) -> Result<f64>;

    /// What the net gives for each example of the test part, `[examples, …]`: scores of classes, or a
    /// standardized number first.
    fn outputs(&self, _: &Objective) -> Result<Tensor> {
        Err("its net is not used on files".into())
    }

    /// What is said of an epoch, by the process that speaks.
    fn figures(&self, objective: &Objective, parallel: &DataParallel<'_>) -> Result<String> {
        match parallel.world().is_leader() {
            true => {
                let name = words(self.metric());
                let name = name.strip_prefix("test ").unwrap_or(&name);
                Ok(format!("test {name} {:.4}", self.score(objective)?))
            }
            false => Ok(String::new()),
        }
    }

    /// What is said, and perhaps drawn into a folder, at the end.
    fn conclusion(&self, score: f64, _out: &Path) -> Result<String> {
        Ok(format!("\n{} {score:.4}\n", words(self.metric())))
    }
}

/// A figure's name in words.
pub fn words(metric: &str) -> String {
    metric.replace("_at_", "@").replace('_', " ")
}

/// What a loss is trained on by itself: the data and the net of a task.
pub fn problem(task: Task, loss: &'static Loss, seed: u64) -> Result<Box<dyn Problem>> {
    Ok(match task {
        Task::Numbers => Box::new(Numbers::penguins(seed)?),
        Task::Classes => Box::new(Classes::of_loss(loss, seed)?),
        Task::OrderedClasses => Box::new(ordered::OrderedClasses::new(seed)?),
        Task::MultiLabel => Box::new(multi_label::MultiLabel::new(seed)?),
        Task::Distributions => Box::new(distributions::Distributions::new(loss, seed)?),
        Task::Embeddings | Task::Triplets | Task::Pairs => Box::new(Embeddings::small(task, seed)?),
        Task::Views => Box::new(views::Views::new(seed)?),
        Task::Masks => Box::new(masks::Masks::new(seed)?),
        Task::Boxes => Box::new(boxes::Boxes::new(seed)?),
        Task::Pictures => Box::new(pictures::Pictures::new(seed)?),
        Task::Rankings => Box::new(rankings::Rankings::new(seed)?),
        Task::Sequences => Box::new(sequences::Sequences::new(loss, seed)?),
    })
}
