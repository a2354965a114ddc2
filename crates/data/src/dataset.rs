//! Examples with labels: splits and batches.

use lossgraph_tensor::{DType, Tensor, kernels};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// Examples, one a row, with the class number of each.
#[derive(Clone, Debug)]
pub struct Dataset {
    inputs: Tensor,
    labels: Vec<usize>,
    classes: usize,
}

/// A batch of examples.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The examples, `[batch, …]`.
    pub inputs: Tensor,
    /// Their class numbers, integers `[batch]`.
    pub labels: Tensor,
}

impl Dataset {
    /// Examples, one a row of `inputs`, with their labels below `classes`.
    ///
    /// # Errors
    /// Numbers of rows and labels that differ; a label out of range.
    pub fn new(inputs: Tensor, labels: Vec<usize>, classes: usize) -> Result<Dataset> {
        let Some(&rows) = inputs.shape().first() else {
            let why = "the inputs are of shape [], expected an axis of examples: [examples, …]"
                .to_owned();
            return Err(Error::Dataset { why });
        };
        if rows != labels.len() {
            let why =
                format!("expected a label for each of {rows} examples, given {}", labels.len());
            return Err(Error::Dataset { why });
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            let why = format!("label {label} is out of range for {classes} classes");
            return Err(Error::Dataset { why });
        }
        Ok(Dataset { inputs: inputs.contiguous(), labels, classes })
    }

    /// The examples, one a row.
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// The class number of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The examples at some indices, in that order.
    ///
    /// # Errors
    /// An index out of range.
    pub fn select(&self, indices: &[usize]) -> Result<Dataset> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.len()) {
            let why = format!("index {index} is out of range for {} examples", self.len());
            return Err(Error::Dataset { why });
        }
        let index: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
        let mut shape = self.inputs.shape().to_vec();
        shape[0] = indices.len();
        let mut inputs = Tensor::zeros(shape, self.inputs.dtype())?;
        kernels::index_select(&self.inputs, 0, &Tensor::from(index), &mut inputs)?;
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        Ok(Dataset { inputs, labels, classes: self.classes })
    }

    /// A stratified split in two, such as training and test: the second part has a fraction of the
    /// examples of every class, as near to it as whole examples allow, and of all examples together.
    ///
    /// # Errors
    /// A fraction that is not between 0 and 1; a class with fewer than two examples.
    #[doc(alias = "train_test_split")]
    #[doc(alias = "random_split")]
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::Fraction { given: fraction });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut seen = 0;
        for class in 0..self.classes {
            let mut indices: Vec<usize> =
                (0..self.len()).filter(|&index| self.labels[index] == class).collect();
            if indices.len() < 2 {
                let (operation, given) = ("split", indices.len());
                return Err(Error::TooFew { operation, class, given, expected: 2 });
            }
            indices.shuffle(&mut rng);
            // Counted over all classes so far, so that roundings do not add up.
            seen += indices.len();
            let due = (seen as f64 * fraction).round() as usize;
            let take = due.saturating_sub(second.len()).clamp(1, indices.len() - 1);
            second.extend_from_slice(&indices[..take]);
            first.extend_from_slice(&indices[take..]);
        }
        // In the order of the data, so that the seed decides who is where and nothing else.
        first.sort_unstable();
        second.sort_unstable();
        Ok((self.select(&first)?, self.select(&second)?))
    }

    /// All examples in an order that seed and epoch decide, `size` at a time; the last batch has
    /// what is left.
    ///
    /// # Errors
    /// A batch size of 0.
    pub fn batches(&self, size: usize, seed: u64, epoch: u64) -> Result<Batches> {
        if size == 0 {
            return Err(Error::BatchSize);
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut rng_of(seed, epoch));
        let shuffled = self.select(&order)?;
        let labels: Vec<i64> = shuffled.labels.iter().map(|&label| label as i64).collect();
        Ok(Batches { inputs: shuffled.inputs, labels: Tensor::from(labels), size, next: 0 })
    }

    /// The labels as a tensor of integers.
    pub fn label_tensor(&self) -> Tensor {
        Tensor::from(self.labels.iter().map(|&label| label as i64).collect::<Vec<i64>>())
    }

    /// The inputs in another float type.
    pub fn to_dtype(&self, dtype: DType) -> Dataset {
        Dataset { inputs: self.inputs.to_dtype(dtype), ..self.clone() }
    }
}

/// A generator for one epoch of a seed.
pub(crate) fn rng_of(seed: u64, epoch: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Epochs are streams of one generator: they share nothing but the seed.
    rng.set_stream(epoch.wrapping_add(1));
    rng
}

/// The batches of an epoch; they are views of one shuffled copy.
#[derive(Clone, Debug)]
pub struct Batches {
    inputs: Tensor,
    labels: Tensor,
    size: usize,
    next: usize,
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let size = self.size.min(self.labels.len() - self.next);
        if size == 0 {
            return None;
        }
        let rows = |tensor: &Tensor| tensor.narrow(0, self.next, size).ok();
        let batch = Batch { inputs: rows(&self.inputs)?, labels: rows(&self.labels)? };
        self.next += size;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.labels.len() - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples that hold their own number; 30 of class 0, 20 of class 1, 10 of class 2.
    fn numbered() -> Dataset {
        let labels = (0..60).map(|i| {
            if i % 6 < 3 {
                0
            } else if i % 6 < 5 {
                1
            } else {
                2
            }
        });
        let inputs = Tensor::arange(60, DType::F64).unwrap().reshape([60, 1]).unwrap();
        Dataset::new(inputs, labels.collect(), 3).unwrap()
    }

    #[test]
    fn a_split_keeps_the_proportions_of_the_classes() {
        let (train, test) = numbered().split(0.2, 1).unwrap();
        let count = |part: &Dataset, class| part.labels().iter().filter(|&&l| l == class).count();
        assert_eq!([0, 1, 2].map(|class| count(&test, class)), [6, 4, 2]);
        assert_eq!([0, 1, 2].map(|class| count(&train, class)), [24, 16, 8]);
        let mut all = [train.inputs().to_f64s(), test.inputs().to_f64s()].concat();
        all.sort_by(f64::total_cmp);
        assert_eq!(all, numbered().inputs().to_f64s());
    }

    #[test]
    fn seeds_decide_splits_and_orders() {
        let test = |seed| numbered().split(0.2, seed).unwrap().1.inputs().to_f64s();
        assert_eq!(test(1), test(1));
        assert_ne!(test(1), test(2));
        let order = |epoch| -> Vec<f64> {
            let batches = numbered().batches(7, 3, epoch).unwrap();
            batches.flat_map(|batch| batch.inputs.to_f64s()).collect()
        };
        assert_eq!(order(0), order(0));
        assert_ne!(order(0), order(1));
    }

    #[test]
    fn batches_hold_every_example_once_with_its_label() {
        let data = numbered();
        let batches = data.batches(7, 3, 0).unwrap();
        assert_eq!(batches.len(), 9);
        let sizes: Vec<usize> = batches.clone().map(|batch| batch.labels.len()).collect();
        assert_eq!(sizes, [7, 7, 7, 7, 7, 7, 7, 7, 4]);
        let mut seen = vec![false; 60];
        for batch in batches {
            for (x, label) in batch.inputs.to_f64s().into_iter().zip(batch.labels.to_f64s()) {
                assert_eq!(data.labels()[x as usize] as f64, label);
                assert!(!std::mem::replace(&mut seen[x as usize], true));
            }
        }
        assert!(seen.into_iter().all(|seen| seen));
    }

    #[test]
    fn a_batch_larger_than_the_data_is_all_of_it() {
        let batches: Vec<Batch> = numbered().batches(1000, 1, 0).unwrap().collect();
        assert_eq!((batches.len(), batches[0].labels.len()), (1, 60));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let data = numbered();
        assert_eq!(data.batches(0, 1, 0).err(), Some(Error::BatchSize));
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(data.split(fraction, 1).is_err());
        }
        assert!(data.select(&[60]).is_err());
        assert!(Dataset::new(Tensor::from([1.0]), vec![0, 1], 2).is_err());
        assert!(Dataset::new(Tensor::from([1.0]), vec![2], 2).is_err());
        assert!(Dataset::new(Tensor::from(1.0), vec![], 2).is_err());
        let lonely = Dataset::new(Tensor::from([1.0, 2.0, 3.0]), vec![0, 0, 1], 2).unwrap();
        let error = lonely.split(0.5, 1).err().unwrap().to_string();
        assert_eq!(error, "split: class 1 has 1 examples, expected at least 2");
    }
}
