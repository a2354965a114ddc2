//! What a training is made of: the batches of an epoch, and the gradients of a batch.

use lossgraph_autograd::{Gradients, Tape};
use lossgraph_data::{Dataset, Sampler, Target};
use lossgraph_nn::Mode;
use lossgraph_nn::fit::BoxResult;
use lossgraph_nn::parallel::DataParallel;
use lossgraph_tensor::{DType, Tensor};

use super::Result;
use super::model::takes_any;
use super::objective::{Objective, Trained};
use super::tasks::{Defaults, Part, Problem};
use crate::message;

/// A problem, and what is minimized.
pub struct Training<'a> {
    pub parallel: DataParallel<'a>,
    pub problem: Box<dyn Problem>,
    pub objective: Objective,
    pub plan: Defaults,
    pub seed: u64,
}

impl Training<'_> {
    /// `Ok` if the loss takes what the problem has: what it refuses is found before the time is
    /// spent.
    ///
    /// # Errors
    /// What the loss refuses; a batch size of 0.
    pub fn check(&self) -> Result<()> {
        self.loss(&self.examples(0, self.plan.batch)?).map(|_| ())
    }

    /// That numbers below 0 are learned by a loss that is made for others, but has a meaning there.
    ///
    /// # Errors
    /// What the loss refuses of the smallest and the largest number.
    pub fn check_targets(&self, target: &Target) -> Result<Option<String>> {
        let Target::Number { name, mean, deviation } = target else { return Ok(None) };
        let targets = self.problem.split().train.targets().to_f64s();
        let by_size = |a: &usize, b: &usize| targets[*a].total_cmp(&targets[*b]);
        let smallest = (0..targets.len()).min_by(by_size);
        let largest = (0..targets.len()).max_by(by_size);
        let ends: Vec<usize> = smallest.into_iter().chain(largest).collect();
        let taken = self.loss(&ends);
        // Targets are in f32.
        let ends: Vec<f32> =
            ends.iter().map(|&at| (mean + deviation * targets[at]) as f32).collect();
        let (loss, &[low, high]) = (self.objective.loss(), &ends[..]) else { return Ok(None) };
        let about = format!("--loss {}: the column `{name}` goes from {low} to {high}", loss.name);
        if let Err(error) = taken {
            let told = message(&*error);
            let why = told.lines().next().unwrap_or("");
            return Err(format!(
                "{about}, which the loss sees in a unit of its own: {why}\n\
                 perhaps: a loss of any numbers, such as mse"
            )
            .into());
        }
        let is_odd = low < 0.0 && !takes_any(loss);
        Ok(is_odd.then(|| format!("{about}, and it is made for numbers above 0")))
    }

    /// What moves: the model, and what the loss learns beside it.
    pub fn trained(&self) -> Trained<'_> {
        Trained { model: self.problem.model(), objective: &self.objective }
    }

    /// How many steps an epoch has.
    pub fn steps(&self) -> usize {
        self.problem.split().train.len().div_ceil(self.plan.batch.max(1))
    }

    /// The loss of some examples that are trained on, as in use.
    pub fn loss(&self, examples: &[usize]) -> Result<f64> {
        let tape = Tape::new();
        let step = self.problem.split().step(Part::Train, examples, Mode::Evaluate)?;
        Ok(self.objective.value(&tape, &self.problem.operands(&tape, &step)?)?.item()?)
    }

    /// The first examples of an epoch, some at most; of every class equally many, if the loss demands
    /// it.
    pub fn examples(&self, epoch: u64, most: usize) -> Result<Vec<usize>> {
        let mut order = self.order(epoch)?;
        order.truncate(self.of_all_classes(most).max(1));
        Ok(order)
    }

    /// The batches of an epoch, as [`Fit::run`](lossgraph_nn::fit::Fit::run) takes them.
    pub fn batches(&self, epoch: usize) -> BoxResult<Vec<BoxResult<Vec<usize>>>> {
        let batches = || -> Result<Vec<Vec<usize>>> {
            self.problem.begin(self.seed, epoch as u64)?;
            let size = self.of_all_classes(self.plan.batch).max(1);
            let is_whole = |batch: &&[usize]| !self.objective.fit().balanced || batch.len() == size;
            let order = self.order(epoch as u64)?;
            Ok(order.chunks(size).filter(is_whole).map(<[usize]>::to_vec).collect())
        };
        Ok(batches().map_err(of_training)?.into_iter().map(Ok).collect())
    }

    /// The gradients of a batch, of which each process computes its share.
    pub fn gradients(&self, batch: &[usize]) -> BoxResult<Gradients> {
        let gradients = self.parallel.backward(&self.trained(), batch.len(), |shard| {
            let tape = Tape::new();
            let backward = || -> Result<Gradients> {
                let own = &batch[shard.rows()];
                let step = self.problem.split().step(Part::Train, own, Mode::Train)?;
                let operands = self.problem.operands(&tape, &step)?;
                Ok(self.objective.value(&tape, &operands)?.backward()?)
            };
            backward().map_err(of_training)
        });
        Ok(gradients?)
    }

    /// Up to so many examples, of every class equally many, if the loss demands it.
    fn of_all_classes(&self, most: usize) -> usize {
        match self.objective.fit().balanced {
            true => most - most % self.problem.sizes()[0].max(1),
            false => most,
        }
    }

    /// The examples of an epoch, each once.
    fn order(&self, epoch: u64) -> Result<Vec<usize>> {
        if self.plan.batch == 0 {
            return Err(lossgraph_data::Error::BatchSize.into());
        }
        let train = &self.problem.split().train;
        let all = Tensor::arange(train.len(), DType::I64)?;
        if !self.objective.fit().balanced {
            return Ok(Sampler::Shuffled.order(&Dataset::pairs(&all, &all)?, self.seed, epoch)?);
        }
        let (labels, classes) = (train.labels(), self.problem.sizes()[0]);
        let data = Dataset::new(all, labels.to_vec(), classes)?;
        let mut order = Sampler::Balanced.order(&data, self.seed, epoch)?;
        let size = self.of_all_classes(self.plan.batch).max(1);
        // Of each batch, the first round of the classes.
        for batch in order.chunks_mut(size).filter(|batch| batch.len() == size) {
            batch[..classes.min(size)].sort_by_key(|&example| labels[example]);
        }
        Ok(order)
    }
}

/// An error of a step as one that processes tell each other.
pub fn of_training(error: Box<dyn std::error::Error>) -> lossgraph_nn::Error {
    let error = match error.downcast::<lossgraph_autograd::Error>() {
        Ok(fault) => return (*fault).into(),
        Err(error) => error,
    };
    match error.downcast::<lossgraph_nn::Error>() {
        Ok(error) => *error,
        Err(error) => lossgraph_nn::Error::Other(error.to_string().into()),
    }
}
