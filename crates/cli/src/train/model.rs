//! What is trained for a goal, and what a checkpoint says of it, so that it can be used.

use lossgraph_autograd::Module;
use lossgraph_data::{Dataset, TableEncoder, Target};
use lossgraph_losses::{Domain, Fit, Loss, Task, find};
use lossgraph_nn::Checkpoint;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::path::Path;

use super::goal::Goal;
use super::net::{Net, kind};
use super::objective::{Objective, Trained};
use super::source::{self, Source};
use super::tasks::{self, Classes, Embeddings, Numbers, Problem};
use super::{Options, Result};

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
        (_, Some(source)) => source,
        (Goal::Classifier, None) => source::load("digits", &options.table(goal))?,
        (Goal::Numbers, None) => source::load("penguins", &options.table(goal))?,
        (Goal::Embedding, None) => {
            let net = net(options, vec![64], 32, None)?;
            let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
            let problem = Embeddings::new(fit.task, net.build(&mut rng)?, net.outputs)?;
            return Ok((Box::new(problem), None));
        }
        _ => return Ok((tasks::problem(fit.task, loss, options.seed)?, None)),
    };
    if !matches!(goal, Goal::Classifier | Goal::Numbers) {
        let (goal, name) = (goal.name(), source.name);
        return Err(format!(
            "--data {name}: the task {goal} has data of its own, and takes no others; \
             classifier and numbers do"
        )
        .into());
    }
    if source.train.has_classes() != (goal == Goal::Classifier) {
        let (name, goal) = (source.name, goal.name());
        let what = if source.train.has_classes() { "classes" } else { "numbers" };
        return Err(format!("--data {name} --task {goal}: its targets are {what}").into());
    }
    let learns = loss.inputs.iter().any(|sample| sample.learned.is_some());
    let outputs = match goal {
        Goal::Numbers => 2,
        _ if learns => FEATURES,
        _ => source.train.classes(),
    };
    let shape = source.train.inputs().shape()[1..].to_vec();
    let dropout = (goal == Goal::Classifier && options.net != "linear").then_some(0.2);
    let net = net(options, shape, outputs, dropout)?;
    let unit = match source.encoder.as_ref().map(|encoder| &encoder.target) {
        // A loss of rates or shares needs numbers above 0, and perhaps below 1.
        Some(Target::Number { mean, deviation, .. }) if !takes_any(loss) => {
            let targets = source.train.targets().to_f64s().into_iter();
            let largest = targets.map(|t| (mean + deviation * t).abs()).fold(0.0, f64::max);
            [mean, deviation].map(|x| x / (1.1 * largest.max(f64::MIN_POSITIVE)))
        }
        _ => [0.0, 1.0],
    };
    let model = Model {
        task: goal.name(),
        loss: loss.name.to_owned(),
        setting: options.setting.text(),
        data: source.name.clone(),
        classes: source.classes.clone(),
        scale: source.scale,
        encoder: source.encoder.clone(),
        net,
        unit,
    };
    let problem = model.problem(&source.what, (source.train, source.test), options.seed)?;
    Ok((problem, Some(model)))
}

/// Whether a loss takes numbers on both sides of 0 for a target.
fn takes_any(loss: &Loss) -> bool {
    let target = loss.inputs.iter().find(|sample| sample.name == "target");
    target.is_some_and(|sample| matches!(sample.domain, Domain::Between(low, _) if low < 0.0))
}

/// The net that the options say, with square pictures for rows of pixels if it needs pictures.
fn net(options: &Options, input: Vec<usize>, outputs: usize, dropout: Option<f64>) -> Result<Net> {
    let kind = kind(&options.net)?;
    let (hidden, batch_norm) = (options.hidden.clone(), options.batch_norm);
    let input = match input[..] {
        [pixels] if kind == "cnn" => {
            let side = pixels.isqrt();
            if side * side != pixels {
                return Err(format!(
                    "the net cnn takes pictures, and an example is {pixels} numbers"
                )
                .into());
            }
            vec![1, side, side]
        }
        _ => input,
    };
    Ok(Net { kind, input, outputs, hidden, dropout, batch_norm })
}

impl Model {
    /// The net, drawn anew, on examples.
    pub fn problem(
        &self,
        what: &str,
        (train, test): (Dataset, Dataset),
        seed: u64,
    ) -> Result<Box<dyn Problem>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let net = self.net.build(&mut rng)?;
        let parts = (self.shaped(train)?, self.shaped(test)?);
        Ok(match self.classes.is_empty() {
            true => Box::new(Numbers::new(what, parts, net, self.unit)),
            false => Box::new(Classes::new(what, parts, net, self.net.outputs)),
        })
    }

    /// Examples in the shape that the net takes.
    fn shaped(&self, data: Dataset) -> Result<Dataset> {
        let shape = [&[data.len()], &self.net.input[..]].concat();
        if data.inputs().shape()[..] == shape[..] {
            return Ok(data);
        }
        let inputs = data.inputs().reshape(&shape[..]).map_err(|_| {
            let given = &data.inputs().shape()[1..];
            format!("an example is {given:?}, and the net takes {:?}", self.net.input)
        })?;
        Ok(data.with_inputs(inputs)?)
    }

    /// The model of a checkpoint, with its parameters, on examples.
    pub fn load(path: &Path) -> Result<(Model, Checkpoint)> {
        let checkpoint = Checkpoint::read(path)?;
        let Some(text) = checkpoint.metadata.get(KEY) else {
            return Err(format!(
                "{}: it does not say what its model is made of, as checkpoints of a classifier or \
                 of numbers do that `lossgraph train` wrote",
                path.display()
            )
            .into());
        };
        let model = serde_json::from_str(text)
            .map_err(|error| format!("{}: its model cannot be read: {error}", path.display()))?;
        Ok((model, checkpoint))
    }

    /// The net with the parameters of a checkpoint, on examples, and the loss that trained it.
    pub fn restored(
        &self,
        checkpoint: &Checkpoint,
        what: &str,
        data: Dataset,
    ) -> Result<(Box<dyn Problem>, Objective)> {
        let problem = self.problem(what, (data.clone(), data), 0)?;
        let loss = find(&self.loss)?;
        let task = if self.classes.is_empty() { Task::Numbers } else { Task::Classes };
        let fit = loss.fit(task).ok_or_else(|| {
            format!("the loss {} does not train the task {}", self.loss, self.task)
        })?;
        let objective = Objective::new(loss, fit, &self.setting, problem.sizes(), 0)?;
        checkpoint
            .load(&Trained { model: problem.model(), objective: &objective } as &dyn Module)?;
        Ok((problem, objective))
    }
}
