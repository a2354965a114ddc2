//! Batches in a chosen order, augmented, and prepared ahead on another thread.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::augment::Augmentation;
use crate::dataset::{Batch, Dataset, rng_of};
use crate::error::{Error, Result};
use crate::sampler::Sampler;

/// How the batches of an epoch are made. Everything random follows from the seed and the epoch, not
/// from when the thread that prepares batches gets its turn.
///
/// ```
/// use lossgraph_data::{Augmentation, Loader, Sampler, generate};
///
/// let data = generate::blobs(100, 3, 0.2, 1)?;
/// let loader = Loader {
///     batch: 16,
///     sampler: Sampler::Balanced,
///     augmentations: vec![Augmentation::Noise { deviation: 0.1 }],
///     ..Loader::default()
/// };
/// for epoch in 0..2 {
///     for batch in loader.epoch(&data, epoch)? {
///         assert_eq!(batch?.inputs.shape()[1], 2);
///     }
/// }
/// # Ok::<(), lossgraph_data::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "DataLoader")]
pub struct Loader {
    /// Examples a batch; the last one of an epoch has what is left.
    #[doc(alias = "batch_size")]
    pub batch: usize,
    /// In which order, and how often, examples come.
    pub sampler: Sampler,
    /// What happens to the inputs of each batch, one after the other.
    pub augmentations: Vec<Augmentation>,
    /// The seed of orders and augmentations.
    pub seed: u64,
    /// How many batches are prepared ahead on a thread of their own; with 0, each is made when it is
    /// asked for.
    #[doc(alias = "prefetch_factor")]
    #[doc(alias = "num_workers")]
    pub ahead: usize,
    /// Leaves out the last batch of an epoch if it is smaller than the others.
    pub drop_last: bool,
}

impl Default for Loader {
    /// Batches of 32, shuffled, not augmented, two ahead, seed 0.
    fn default() -> Loader {
        Loader {
            batch: 32,
            sampler: Sampler::Shuffled,
            augmentations: Vec::new(),
            seed: 0,
            ahead: 2,
            drop_last: false,
        }
    }
}

impl Loader {
    /// The batches of an epoch: the same for a seed and an epoch, whatever `ahead` is. A
    /// [`Shuffled`](Sampler::Shuffled) order is that of [`Dataset::batches`].
    ///
    /// # Errors
    /// A batch size of 0; a sampler or an augmentation that does not fit the data.
    pub fn epoch(&self, data: &Dataset, epoch: u64) -> Result<Epoch> {
        if self.batch == 0 {
            return Err(Error::BatchSize);
        }
        for augmentation in &self.augmentations {
            augmentation.check(data.inputs())?;
        }
        let order = self.sampler.order(data, self.seed, epoch)?;
        let mut work = Work { loader: self.clone(), data: data.clone(), order, epoch, next: 0 };
        let left = match self.drop_last {
            true => work.order.len() / self.batch,
            false => work.order.len().div_ceil(self.batch),
        };
        if self.ahead == 0 {
            return Ok(Epoch { source: Source::Now(Box::new(work)), left });
        }
        let (sender, receiver) = sync_channel(self.ahead);
        // It ends when the batches do, or when nobody takes them any more.
        let prepare = move || {
            for _ in 0..left {
                if sender.send(work.make()).is_err() {
                    return;
                }
            }
        };
        let spawned = thread::Builder::new().name("batches".to_owned()).spawn(prepare);
        spawned.map_err(|error| Error::Dataset { why: format!("no thread starts: {error}") })?;
        Ok(Epoch { source: Source::Ahead(receiver), left })
    }
}

/// What it takes to make the batches of an epoch.
#[derive(Debug)]
struct Work {
    loader: Loader,
    data: Dataset,
    order: Vec<usize>,
    epoch: u64,
    next: usize,
}

impl Work {
    fn make(&mut self) -> Result<Batch> {
        let Loader { batch: size, augmentations, seed, .. } = &self.loader;
        let start = self.next * size;
        let chosen = &self.order[start..self.order.len().min(start + size)];
        let mut batch = self.data.select(chosen)?.batch();
        // A generator for each batch, so that no batch depends on another one's draws.
        let mut rng = rng_of(*seed ^ 0x6175_676d_656e_7473, self.epoch << 32 | self.next as u64);
        for augmentation in augmentations {
            batch.inputs = augmentation.apply(&batch.inputs, &mut rng)?;
        }
        self.next += 1;
        Ok(batch)
    }
}

/// The batches of an epoch: see [`Loader::epoch`].
#[derive(Debug)]
pub struct Epoch {
    source: Source,
    left: usize,
}

#[derive(Debug)]
enum Source {
    Now(Box<Work>),
    Ahead(Receiver<Result<Batch>>),
}

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.source {
            Source::Now(work) => Some(work.make()),
            Source::Ahead(batches) => Some(batches.recv().unwrap_or_else(|_| {
                Err(Error::Dataset { why: "the thread that prepares batches ended".to_owned() })
            })),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Epoch {}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_tensor::{DType, Tensor};

    fn numbered(count: usize) -> Dataset {
        let inputs = Tensor::arange(count, DType::F64).unwrap().reshape([count, 1]).unwrap();
        Dataset::pairs(inputs.clone(), inputs).unwrap()
    }

    fn drawn(loader: &Loader, epoch: u64) -> Vec<f64> {
        let batches = loader.epoch(&numbered(20), epoch).unwrap();
        batches.flat_map(|batch| batch.unwrap().inputs.to_f64s()).collect()
    }

    #[test]
    fn batches_are_the_same_however_many_are_prepared_ahead() {
        let noise = vec![Augmentation::Noise { deviation: 0.5 }];
        let loader = |ahead, seed| Loader {
            batch: 3,
            ahead,
            seed,
            augmentations: noise.clone(),
            ..Loader::default()
        };
        for epoch in 0..3 {
            assert_eq!(drawn(&loader(0, 1), epoch), drawn(&loader(4, 1), epoch));
        }
        assert_ne!(drawn(&loader(2, 1), 0), drawn(&loader(2, 2), 0));
        assert_ne!(drawn(&loader(2, 1), 0), drawn(&loader(2, 1), 1));
    }

    #[test]
    fn a_shuffled_order_is_that_of_the_plain_batches() {
        let loader = Loader { batch: 6, seed: 7, ..Loader::default() };
        let plain = numbered(20).batches(6, 7, 3).unwrap();
        let plain: Vec<f64> = plain.flat_map(|batch| batch.inputs.to_f64s()).collect();
        assert_eq!(drawn(&loader, 3), plain);
    }

    #[test]
    fn the_last_batch_is_what_is_left_or_left_out() {
        let sizes = |drop_last| -> Vec<usize> {
            let loader = Loader { batch: 6, drop_last, ..Loader::default() };
            let batches = loader.epoch(&numbered(20), 0).unwrap();
            batches.map(|batch| batch.unwrap().labels.shape()[0]).collect()
        };
        assert_eq!(sizes(false), [6, 6, 6, 2]);
        assert_eq!(sizes(true), [6, 6, 6]);
    }

    #[test]
    fn an_epoch_may_be_left_early() {
        let loader = Loader { batch: 1, ahead: 1, ..Loader::default() };
        let mut epoch = loader.epoch(&numbered(20), 0).unwrap();
        assert_eq!(epoch.len(), 20);
        epoch.next().unwrap().unwrap();
        drop(epoch);
        assert!(Loader { batch: 0, ..loader }.epoch(&numbered(20), 0).is_err());
    }
}
