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

pub use classes::Classes;
pub use embeddings::Embeddings;
pub use numbers::Numbers;

use std::path::Path;

use lossgraph_autograd::{Module, Tape, Var};
use lossgraph_data::{Dataset, digits};
use lossgraph_losses::{Loss, Sample, Task};
use lossgraph_nn::Mode;
use lossgraph_nn::parallel::DataParallel;
use lossgraph_tensor::Tensor;

use super::Result;
use super::objective::Objective;

/// An input of a loss, by its place and its sample, if a step has it.
pub type Operands<'t> = Box<dyn Fn(usize, &Sample) -> Option<Var<'t>> + 't>;

/// The share of the examples that tests, and the seed that says which.
const TEST_SHARE: f64 = 0.2;
const SPLIT_SEED: u64 = 0;

/// Which examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Those that are trained on.
    Train,
    /// Those that are not.
    Test,
}

/// Examples to train on, and those to test with.
#[derive(Clone)]
pub struct Split {
    pub train: Dataset,
    pub test: Dataset,
}

impl Split {
    /// A share of some examples to test with.
    pub fn of_all(data: &Dataset) -> Result<Split> {
        let (train, test) = data.split(TEST_SHARE, SPLIT_SEED)?;
        Ok(Split { train, test })
    }

    /// The digits.
    pub fn digits() -> Result<Split> {
        Split::of_all(&digits()?)
    }

    /// A hash of all examples and of which side they are on: that of Fowler, Noll and Vo, a word at a time,
    /// turned so that high bits count. Other examples have another one, unless somebody makes them for
    /// that.
    pub fn fingerprint(&self) -> String {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add =
            |word: u64| hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        for data in [&self.train, &self.test] {
            for x in [data.inputs(), data.targets()] {
                x.shape().iter().for_each(|&length| add(length as u64));
                match x.as_slice::<f32>() {
                    Some(numbers) => numbers.iter().for_each(|x| add(x.to_bits().into())),
                    None => x.to_f64s().into_iter().for_each(|x| add(x.to_bits())),
                }
            }
        }
        format!("{hash:016x}")
    }

    /// With examples of another shape.
    pub fn reshaped(&self, shape: &[usize]) -> Result<Split> {
        let reshaped = |data: &Dataset| -> Result<Dataset> {
            let inputs = data.inputs().reshape([&[data.len()], shape].concat())?;
            Ok(data.with_inputs(inputs)?)
        };
        Ok(Split { train: reshaped(&self.train)?, test: reshaped(&self.test)? })
    }

    pub fn of(&self, part: Part) -> &Dataset {
        match part {
            Part::Train => &self.train,
            Part::Test => &self.test,
        }
    }

    /// In words: `1438 digits to train on, 359 to test with`.
    pub fn about(&self, what: &str) -> String {
        format!("{} {what} to train on, {} to test with", self.train.len(), self.test.len())
    }

    /// Some examples for a step.
    pub fn step(&self, part: Part, indices: &[usize], mode: Mode) -> Result<Step> {
        let (examples, indices) = (self.of(part).select(indices)?, indices.to_vec());
        Ok(Step { examples, part, indices, mode })
    }

    /// All examples to test with, in use.
    pub fn test_step(&self) -> Step {
        let (examples, indices) = (self.test.clone(), (0..self.test.len()).collect());
        Step { examples, part: Part::Test, indices, mode: Mode::Evaluate }
    }
}

/// What a step sees.
pub struct Step {
    pub examples: Dataset,
    pub part: Part,
    /// Where the examples stand in their part.
    pub indices: Vec<usize>,
    pub mode: Mode,
}

/// What a net says of pictures, as a CSV file has it.
pub struct Answers {
    /// The names of the columns, with commas between.
    pub header: String,
    /// A line for each picture.
    pub lines: Vec<String>,
}

impl Answers {
    /// A row of numbers for each picture.
    fn rows(header: String, numbers: &Tensor, width: usize) -> Answers {
        let line = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        Answers { header, lines: numbers.to_f64s().chunks(width).map(line).collect() }
    }
}

/// How good a net is after an epoch, and what is said of it.
#[derive(Default)]
pub struct Figures {
    /// As [`Problem::score`].
    pub score: f64,
    pub text: String,
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
    /// The examples.
    fn split(&self) -> &Split;

    /// The data, in words: `1438 digits to train on, 359 to test with`.
    fn about(&self) -> String;

    /// The name of the data, where the task has several.
    fn data(&self) -> Option<&'static str> {
        None
    }

    /// What is trained, without what a loss learns beside it.
    fn model(&self) -> &dyn Module;

    /// How many classes there are, and how many numbers the net gives.
    fn sizes(&self) -> [usize; 2];

    /// How long to train, where nobody says it.
    fn defaults(&self) -> Defaults {
        Defaults { epochs: 20, batch: 32, lr: 3e-3 }
    }

    /// Draws what an epoch needs.
    fn begin(&self, _seed: u64, _epoch: u64) -> Result<()> {
        Ok(())
    }

    /// What a step on some examples has for a loss; what is given several times is added up.
    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>>;

    /// The name of the figure: `test_accuracy`.
    fn metric(&self) -> &'static str;

    /// How good the net is on examples that it is not trained on; more is better.
    fn score(&self, objective: &Objective) -> Result<f64>;

    /// What the net gives for each example of the test part, `[examples, …]`: scores of classes, or a
    /// standardized number first.
    fn outputs(&self, _: &Objective) -> Result<Tensor> {
        Err("its net is not used on files".into())
    }

    /// The shape of the pictures that the net takes from files, `[channels, height, width]`, if it
    /// does.
    fn takes(&self) -> Option<[usize; 3]> {
        None
    }

    /// What the net says of pictures `[pictures, channels, height, width]`.
    fn answers(&self, _pictures: &Tensor) -> Result<Answers> {
        Err("its net is not used on files".into())
    }

    /// Whether the net makes pictures of pictures.
    fn restores(&self) -> bool {
        false
    }

    /// What the net makes of a picture `[channels, height, width]`: another one of its shape.
    fn restored(&self, _picture: &Tensor) -> Result<Tensor> {
        Err("its net makes no pictures".into())
    }

    /// The figures of an epoch, of which those of the process that speaks count.
    fn figures(&self, objective: &Objective, parallel: &DataParallel<'_>) -> Result<Figures> {
        if !parallel.world().is_leader() {
            return Ok(Figures::default());
        }
        let (score, name) = (self.score(objective)?, words(self.metric()));
        let name = name.strip_prefix("test ").unwrap_or(&name);
        Ok(Figures { score, text: format!("test {}", figure(name, score)) })
    }

    /// What is said, and perhaps drawn into a folder, at the end.
    fn conclusion(&self, score: f64, _out: &Path) -> Result<String> {
        Ok(format!("\n{}\n", figure(&words(self.metric()), score)))
    }
}

/// A figure with its name, if it is defined: R² is not where all targets are equal.
pub fn figure(name: &str, score: f64) -> String {
    match score.is_finite() {
        true => format!("{name} {score:.4}"),
        false => format!("{name} not defined"),
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
