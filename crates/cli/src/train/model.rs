//! What is trained for a goal, and what a checkpoint says of it, so that it can be used.

use lossgraph_autograd::Module;
use lossgraph_data::{Dataset, TableEncoder, Target};
use lossgraph_losses::{Domain, Fit, Loss, Task, find};
use lossgraph_nn::Checkpoint;
use lossgraph_nn::fit::BEST;
use lossgraph_tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::path::Path;

use super::goal::Goal;
use super::net::{Net, kind};
use super::objective::{Objective, Trained};
use super::source::{self, Source};
use super::tasks::{self, Classes, Embeddings, Numbers, Problem, Split};
use super::{Options, Result};
use crate::output::quoted;

/// The key of a checkpoint's metadata under which the model stands.
pub const KEY: &str = "model";

/// A model, as a checkpoint describes it: what it takes to make it again and to use it on files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// `classifier` or `numbers`.
    pub task: String,
    pub net: Net,
    pub loss: String,
    pub setting: String,
    /// The data that it was trained on.
    pub data: String,
    /// The names of the classes; numbers have none.
    pub classes: Vec<String>,
    /// What the numbers of a file are divided by.
    pub scale: f64,
    /// How a table is encoded.
    pub encoder: Option<TableEncoder>,
    /// Mean and deviation in the unit that the loss sees.
    pub unit: [f64; 2],
    /// That of the examples, by which they are known again; none in files of older versions.
    #[serde(default)]
    pub fingerprint: Option<String>,
}

/// How many numbers a net gives to a loss that learns the last layer of a classifier.
const FEATURES: usize = 32;

/// The data and the net for a goal; and their description, if they can be used on files.
pub fn problem(
    options: &Options,
    goal: Goal,
    (loss, fit): (&'static Loss, &'static Fit),
    source: Option<Source>,
) -> Result<(Box<dyn Problem>, Option<Model>)> {
    let source = match (goal, source) {
        (Goal::Classifier | Goal::Numbers, Some(source)) => source,
        (Goal::Classifier, None) => source::load("digits", &options.table(goal))?,
        (Goal::Numbers, None) => source::load("penguins", &options.table(goal))?,
        (_, Some(source)) => {
            let (goal, name) = (goal.name(), source.name);
            return Err(format!(
                "--data {name}: the task {goal} has data of its own, and takes no others; \
                 classifier and numbers do"
            )
            .into());
        }
        (Goal::Embedding, None) => {
            options.check_for_no_table("the digits")?;
            let net = net(options, vec![64], 32, None)?;
            let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
            let model = net.build(&mut rng)?;
            let problem = Embeddings::new(fit.task, &net.input, model, net.outputs)?;
            return Ok((Box::new(problem), None));
        }
        _ => {
            options.check_for_no_table(&format!("the data of the task {}", goal.name()))?;
            options.check_for_own_net(goal)?;
            return Ok((tasks::problem(fit.task, loss, options.seed)?, None));
        }
    };
    if source.encoder.is_none() {
        options.check_for_no_table(&source.name)?;
    }
    if source.has_classes() != (goal == Goal::Classifier) {
        let what = if source.has_classes() { "classes" } else { "numbers" };
        let (name, goal) = (source.name, goal.name());
        return Err(format!("--data {name} --task {goal}: its targets are {what}").into());
    }
    let model = Model::of(options, goal, loss, &source)?;
    let problem = model.problem(&source.what, source.split, options.seed)?;
    Ok((problem, Some(model)))
}

/// `Ok` if the net of an embedding has no more weights than a checkpoint has numbers.
pub fn check_size(options: &Options, has: usize) -> Result<()> {
    let net = net(options, vec![64], 32, None)?;
    match net.weights() {
        Some(weights) if weights <= has => Ok(()),
        _ => {
            Err(format!("the checkpoint is damaged: its net is {net}, and it has {has} numbers")
                .into())
        }
    }
}

/// What to do to pictures of a shape, `[channels, height, width]`, so that a net takes them that takes
/// others, or rows of grey pixels.
pub fn cure(given: &[usize], expected: &[usize]) -> String {
    let channels = |shape: &[usize]| if shape.len() == 3 { shape[0] } else { 1 };
    let pixels = |shape: &[usize]| shape.iter().product::<usize>() / channels(shape).max(1);
    let color = (channels(given) != channels(expected)).then(|| match channels(expected) {
        1 => "make grey".to_owned(),
        3 => "make RGB".to_owned(),
        count => format!("give {count} channels"),
    });
    let size = (pixels(given) != pixels(expected) || color.is_none()).then(|| "resize".to_owned());
    color.into_iter().chain(size).collect::<Vec<_>>().join(" and ")
}

/// Whether a loss takes numbers on both sides of 0 for a target.
pub fn takes_any(loss: &Loss) -> bool {
    let target = loss.inputs.iter().find(|sample| sample.name == "target");
    target.is_some_and(|sample| matches!(sample.domain, Domain::Between(low, _) if low < 0.0))
}

/// The net that the options say, with square pictures for rows of pixels if it needs pictures.
fn net(options: &Options, input: Vec<usize>, outputs: usize, dropout: Option<f64>) -> Result<Net> {
    let row = kind(options.net())?;
    options.check_for_net(row)?;
    let (kind, hidden, batch_norm) = (row.name.to_owned(), options.hidden(), options.batch_norm);
    let input = match input[..] {
        [pixels] if row.takes_pictures => {
            let side = pixels.isqrt();
            if side * side != pixels {
                return Err(format!(
                    "the net {kind} takes pictures, and an example is {pixels} numbers"
                )
                .into());
            }
            vec![1, side, side]
        }
        _ => input,
    };
    let dropout = dropout.filter(|_| row.is_deep);
    Ok(Net { kind, input, outputs, hidden, dropout, batch_norm })
}

impl Model {
    /// A net for the data, and what is to be known of both.
    fn of(options: &Options, goal: Goal, loss: &'static Loss, source: &Source) -> Result<Model> {
        let train = &source.split.train;
        let outputs = match goal {
            Goal::Numbers => 2,
            _ if learns(loss) => FEATURES,
            _ => train.classes(),
        };
        let shape = train.inputs().shape()[1..].to_vec();
        let net = net(options, shape, outputs, (goal == Goal::Classifier).then_some(0.2))?;
        let unit = match source.encoder.as_ref().map(|encoder| &encoder.target) {
            // A loss of rates or shares needs numbers above 0, and perhaps below 1.
            Some(Target::Number { mean, deviation, .. }) if !takes_any(loss) => {
                let targets = train.targets().to_f64s().into_iter();
                let largest = targets.map(|t| (mean + deviation * t).abs()).fold(0.0, f64::max);
                [mean, deviation].map(|x| x / (1.1 * largest.max(f64::MIN_POSITIVE)))
            }
            _ => [0.0, 1.0],
        };
        Ok(Model {
            task: goal.name(),
            loss: loss.name.to_owned(),
            setting: options.setting.text()?,
            data: source.name.clone(),
            classes: source.classes.clone(),
            scale: source.scale,
            encoder: source.encoder.clone(),
            fingerprint: Some(source.split.fingerprint()),
            net,
            unit,
        })
    }

    /// The net in words, and what it gives where that is more than the targets.
    pub fn about(&self) -> String {
        match self.classes.is_empty() {
            true => format!("{} (a number and its spread)", self.net),
            false => self.net.to_string(),
        }
    }

    /// The files whose examples it takes, in words.
    pub fn takes(&self) -> String {
        let task = &self.task;
        match (&self.encoder, &self.net.input[..]) {
            (Some(encoder), _) => {
                let names: Vec<&str> = encoder.features.iter().map(|each| &each.name[..]).collect();
                format!(
                    "a model of the task {task} that takes a CSV file with {}",
                    names.join(", ")
                )
            }
            (None, [count]) => format!(
                "a model of the task {task} that takes a CSV file of {count} columns of numbers, or a \
                 PNG or IDX file of pictures with as many pixels"
            ),
            (None, shape) => {
                let shape = in_words(shape);
                format!("a model of the task {task} that takes {shape}, from a PNG or IDX file")
            }
        }
    }

    /// `Ok` if examples are those that it was trained on and tested with.
    ///
    /// # Errors
    /// The data have changed since: what was kept to test with can no longer be told.
    pub fn check_examples(&self, fingerprint: &str, cure: &str) -> Result<()> {
        match &self.fingerprint {
            Some(known) if known != fingerprint => Err(format!(
                "{}: its examples are no longer those that the model was trained on, so that which of \
                 them it has seen cannot be told: {cure}",
                self.data
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// The net, drawn anew, on examples.
    pub fn problem(&self, what: &str, split: Split, seed: u64) -> Result<Box<dyn Problem>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let net = self.net.build(&mut rng)?;
        let split = Split { train: self.shaped(split.train)?, test: self.shaped(split.test)? };
        Ok(match self.classes.is_empty() {
            true => Box::new(Numbers::new(what, split, net, self.unit)),
            false => Box::new(Classes::new(what, split, &self.classes, net, self.net.outputs)),
        })
    }

    /// Examples in the shape that the net takes. A row of pixels is a picture, and a grey square a
    /// row of pixels; other pictures of as many pixels are other pictures.
    fn shaped(&self, data: Dataset) -> Result<Dataset> {
        let (given, expected) = (&data.inputs().shape()[1..], &self.net.input[..]);
        if given == expected {
            return Ok(data);
        }
        let fits = match (given, expected) {
            (&[pixels], &[_, _, _]) => self.net.pixels() == Some(pixels),
            (&[1, height, width], &[pixels]) => height == width && height * width == pixels,
            _ => false,
        };
        if !fits {
            return Err(format!(
                "an example is {}, and the net takes {}: {} it, or train a net for it",
                in_words(given),
                in_words(expected),
                cure(given, expected)
            )
            .into());
        }
        let inputs = data.inputs().reshape([&[data.len()], expected].concat())?;
        Ok(data.with_inputs(inputs)?)
    }

    /// The model that a checkpoint describes: none if it is of a task that has data of its own.
    pub fn load(path: &Path) -> Result<(Option<Model>, Checkpoint)> {
        if path.is_dir() {
            let best = path.join(BEST);
            let what = match best.is_file() {
                true => format!("the folder of a run, whose best model is {}", quoted(&best)),
                false => "a folder, expected a checkpoint".to_owned(),
            };
            return Err(format!("{}: it is {what}", path.display()).into());
        }
        let checkpoint = Checkpoint::read(path)?;
        let Some(text) = checkpoint.metadata.get(KEY) else { return Ok((None, checkpoint)) };
        let model = serde_json::from_str(text)
            .map_err(|error| format!("{}: its model cannot be read: {error}", path.display()))?;
        Ok((Some(model), checkpoint))
    }

    /// The net with the parameters of a checkpoint, on examples, and the loss that trained it.
    pub fn restored(
        &self,
        checkpoint: &Checkpoint,
        what: &str,
        data: Dataset,
    ) -> Result<(Box<dyn Problem>, Objective)> {
        let loss = find(&self.loss)?;
        self.check(checkpoint, loss)?;
        let split = Split { train: data.clone(), test: data };
        let problem = self.problem(what, split, 0)?;
        let task = if self.classes.is_empty() { Task::Numbers } else { Task::Classes };
        let fit = loss.fit(task).ok_or_else(|| {
            format!("the loss {} does not train the task {}", self.loss, self.task)
        })?;
        let objective = Objective::new(loss, fit, &self.setting, problem.sizes(), 0)?;
        checkpoint
            .load(&Trained { model: problem.model(), objective: &objective } as &dyn Module)?;
        Ok((problem, objective))
    }

    /// `Ok` if the checkpoint has as many numbers as the net that it describes: what claims more is
    /// refused before memory is taken for it.
    fn check(&self, checkpoint: &Checkpoint, loss: &Loss) -> Result<()> {
        let refuse = |why: String| Err(format!("the checkpoint is damaged: {why}").into());
        let outputs = match (self.classes.len(), learns(loss)) {
            (0, _) => 2,
            (_, true) => self.net.outputs.max(1),
            (classes, false) => classes,
        };
        if self.net.outputs != outputs {
            let given = self.net.outputs;
            return refuse(format!("its net gives {given} numbers, expected {outputs}"));
        }
        let has: usize = checkpoint.tensors.values().map(Tensor::len).sum();
        let of_loss = if learns(loss) { outputs.checked_mul(self.classes.len()) } else { Some(0) };
        match self.net.weights() {
            Some(weights) if weights <= has && of_loss.is_some_and(|count| count <= has) => Ok(()),
            _ => refuse(format!("its net is {}, and it has {has} numbers", self.net)),
        }
    }
}

/// Whether a loss learns the last layer itself.
fn learns(loss: &Loss) -> bool {
    loss.inputs.iter().any(|sample| sample.learned.is_some())
}

/// A shape in words: `64 numbers`, `a picture of 1 × 8 × 8`.
fn in_words(shape: &[usize]) -> String {
    let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
    match shape {
        [_] => format!("{} numbers", lengths[0]),
        _ => format!("a picture of {}", lengths.join(" × ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_made_what_a_net_takes() {
        for (given, expected, told) in [
            (&[3, 8, 8][..], &[64][..], "make grey"),
            (&[4, 8, 8], &[1, 8, 8], "make grey"),
            (&[1, 8, 8], &[3, 8, 8], "make RGB"),
            (&[3, 9, 8], &[1, 8, 8], "make grey and resize"),
            (&[1, 9, 8], &[64], "resize"),
            (&[3, 4, 16], &[3, 8, 8], "resize"),
        ] {
            assert_eq!(cure(given, expected), told, "{given:?} {expected:?}");
        }
    }
}
