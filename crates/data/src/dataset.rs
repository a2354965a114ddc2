//! Examples with what is to be learned of each: splits and batches.

use lossgraph_tensor::{DType, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::rows::{Rows, mask};

/// Examples, one a row, and what is to be learned of each: its class number, or targets of any
/// shape.
///
/// ```
/// use lossgraph_data::{Dataset, Rows};
/// use lossgraph_tensor::Tensor;
///
/// // Classes.
/// let x = Tensor::from([[0.0], [1.0], [2.0]]);
/// let data = Dataset::new(x.clone(), vec![0, 1, 1], 2)?;
/// assert_eq!(data.labels(), [0, 1, 1]);
/// // Numbers: any two tensors with one row for each example.
/// let data = Dataset::pairs(x, Tensor::from([0.0, 1.0, 4.0]))?;
/// assert_eq!(data.targets().to_f64s(), [0.0, 1.0, 4.0]);
/// // Sequences of different lengths, padded, with a mask.
/// let sequences = [Tensor::from([1_i64, 2, 3]), Tensor::from([4_i64])];
/// let data = Dataset::pairs(Rows::padded(&sequences, 0.0)?, Tensor::from([1.0, 0.0]))?;
/// let batch = data.batches(2, 0, 0)?.next().unwrap();
/// assert_eq!(batch.inputs.shape()[..], [2, 3]);
/// assert_eq!(batch.input_mask().unwrap().to_f64s().iter().sum::<f64>(), 4.0);
/// # Ok::<(), lossgraph_data::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "TensorDataset")]
pub struct Dataset {
    inputs: Rows,
    targets: Rows,
    /// The targets as class numbers, where they are.
    labels: Vec<usize>,
    classes: usize,
}

/// A batch of examples.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The examples, `[batch, …]`.
    pub inputs: Tensor,
    /// What is to be learned of them: class numbers, integers `[batch]`, or targets `[batch, …]`.
    #[doc(alias = "targets")]
    pub labels: Tensor,
    /// How long each example is, integers `[batch]`, where they are padded to one length.
    pub input_lengths: Option<Tensor>,
    /// How long each target is, where they are padded to one length.
    pub label_lengths: Option<Tensor>,
}

impl Batch {
    /// 1 where an input is, and 0 where it is padding, `[batch, time]`; none if all have one length.
    pub fn input_mask(&self) -> Option<Tensor> {
        mask(&self.inputs, self.input_lengths.as_ref())
    }

    /// 1 where a target is, and 0 where it is padding; none if all have one length.
    pub fn label_mask(&self) -> Option<Tensor> {
        mask(&self.labels, self.label_lengths.as_ref())
    }
}

impl Dataset {
    /// Examples, one a row of `inputs`, with their labels below `classes`.
    ///
    /// # Errors
    /// Numbers of rows and labels that differ; a label out of range.
    pub fn new(inputs: Tensor, labels: Vec<usize>, classes: usize) -> Result<Dataset> {
        let inputs = Rows::from(inputs);
        let rows = inputs.checked("inputs")?;
        if rows != labels.len() {
            let why =
                format!("expected a label for each of {rows} examples, given {}", labels.len());
            return Err(Error::Dataset { why });
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            let why = format!("label {label} is out of range for {classes} classes");
            return Err(Error::Dataset { why });
        }
        let targets = labels.iter().map(|&label| label as i64).collect::<Vec<i64>>();
        Ok(Dataset { inputs, targets: Tensor::from(targets).into(), labels, classes })
    }

    /// Examples and targets of any shape and type: tensors with one row for each example, or rows
    /// that are padded, [`Rows::padded`].
    ///
    /// There are no classes: [`labels`](Dataset::labels) is empty, [`classes`](Dataset::classes) 0,
    /// and a split is not stratified.
    ///
    /// # Errors
    /// Numbers of rows that differ.
    #[doc(alias = "TensorDataset")]
    pub fn pairs(inputs: impl Into<Rows>, targets: impl Into<Rows>) -> Result<Dataset> {
        let (inputs, targets) = (inputs.into(), targets.into());
        let (rows, of_targets) = (inputs.checked("inputs")?, targets.checked("targets")?);
        if rows != of_targets {
            let why = format!(
                "inputs are {} and targets {}, expected as many rows in both",
                inputs.values().shape(),
                targets.values().shape()
            );
            return Err(Error::Dataset { why });
        }
        Ok(Dataset { inputs, targets, labels: Vec::new(), classes: 0 })
    }

    /// The examples, one a row.
    pub fn inputs(&self) -> &Tensor {
        self.inputs.values()
    }

    /// What is to be learned of each example: integers `[examples]` of classes, else as they were
    /// given.
    pub fn targets(&self) -> &Tensor {
        self.targets.values()
    }

    /// How long each example is, where they are padded.
    pub fn input_lengths(&self) -> Option<&Tensor> {
        self.inputs.lengths()
    }

    /// How long each target is, where they are padded.
    pub fn target_lengths(&self) -> Option<&Tensor> {
        self.targets.lengths()
    }

    /// The class number of each example; none if the targets are no classes.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// How many classes there are; 0 if the targets are no classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Whether the targets are class numbers.
    pub fn has_classes(&self) -> bool {
        self.classes > 0
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.inputs().shape()[0]
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        let labels = match self.has_classes() {
            true => indices.iter().map(|&index| self.labels[index]).collect(),
            false => Vec::new(),
        };
        let (inputs, targets) = (self.inputs.select(indices)?, self.targets.select(indices)?);
        Ok(Dataset { inputs, targets, labels, classes: self.classes })
    }

    /// A split in two, such as training and test. With classes it is stratified: the second part has
    /// a fraction of the examples of every class, as near to it as whole examples allow, and of all
    /// examples together.
    ///
    /// # Errors
    /// A fraction that is not between 0 and 1; a class, or a data set without classes, with fewer
    /// than two examples.
    #[doc(alias = "train_test_split")]
    #[doc(alias = "random_split")]
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::Fraction { given: fraction });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut seen = 0;
        // Without classes, all examples are of one.
        for class in 0..self.classes.max(1) {
            let is_of_class = |index: &usize| !self.has_classes() || self.labels[*index] == class;
            let mut indices: Vec<usize> = (0..self.len()).filter(is_of_class).collect();
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
    /// what is left. [`Loader`](crate::Loader) has other orders, augments, and prepares batches on
    /// another thread.
    ///
    /// # Errors
    /// A batch size of 0.
    pub fn batches(&self, size: usize, seed: u64, epoch: u64) -> Result<Batches> {
        if size == 0 {
            return Err(Error::BatchSize);
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut rng_of(seed, epoch));
        Ok(Batches { shuffled: self.select(&order)?, size, next: 0 })
    }

    /// The labels as a tensor of integers; targets that are no classes, as they are.
    pub fn label_tensor(&self) -> Tensor {
        self.targets().clone()
    }

    /// All examples as one batch.
    pub fn batch(&self) -> Batch {
        let rows = |rows: &Rows| (rows.values().clone(), rows.lengths().cloned());
        let ((inputs, input_lengths), (labels, label_lengths)) =
            (rows(&self.inputs), rows(&self.targets));
        Batch { inputs, labels, input_lengths, label_lengths }
    }

    /// The inputs in another float type, and targets that are floats as well.
    pub fn to_dtype(&self, dtype: DType) -> Dataset {
        let targets = match self.targets().dtype() {
            DType::I64 => self.targets.clone(),
            _ => self.targets.to_dtype(dtype),
        };
        Dataset { inputs: self.inputs.to_dtype(dtype), targets, ..self.clone() }
    }

    /// The same targets with other inputs, such as standardized ones.
    ///
    /// # Errors
    /// Another number of rows.
    pub fn with_inputs(&self, inputs: impl Into<Rows>) -> Result<Dataset> {
        let inputs = inputs.into();
        let rows = inputs.checked("inputs")?;
        if rows != self.len() {
            let why = format!("expected {} rows of inputs, given {rows}", self.len());
            return Err(Error::Dataset { why });
        }
        Ok(Dataset { inputs, ..self.clone() })
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
    shuffled: Dataset,
    size: usize,
    next: usize,
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let size = self.size.min(self.shuffled.len() - self.next);
        if size == 0 {
            return None;
        }
        let rows = |tensor: &Tensor| tensor.narrow(0, self.next, size).ok();
        let of = |lengths: Option<&Tensor>| lengths.and_then(rows);
        let all = &self.shuffled;
        let batch = Batch {
            inputs: rows(all.inputs())?,
            labels: rows(all.targets())?,
            input_lengths: of(all.input_lengths()),
            label_lengths: of(all.target_lengths()),
        };
        self.next += size;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.shuffled.len() - self.next).div_ceil(self.size);
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

    #[test]
    fn numbers_are_targets_as_well_as_classes() {
        let inputs = Tensor::arange(10, DType::F64).unwrap().reshape([10, 1]).unwrap();
        let data = Dataset::pairs(inputs.clone(), inputs.map(|x| 2.0 * x)).unwrap();
        let (train, test) = data.split(0.3, 1).unwrap();
        assert_eq!((train.len(), test.len()), (7, 3));
        for batch in train.batches(4, 1, 0).unwrap() {
            assert_eq!(batch.labels.to_f64s(), batch.inputs.map(|x| 2.0 * x).to_f64s());
        }
        assert!((data.labels().is_empty(), data.classes()) == (true, 0));
        let error = Dataset::pairs(inputs, Tensor::from([1.0, 2.0])).unwrap_err().to_string();
        let expected = "dataset: inputs are [10, 1] and targets [2], expected as many rows in both";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_batch_of_sequences_knows_where_they_end() {
        let sequences = [vec![1_i64, 2, 3], vec![4], vec![5, 6]].map(Tensor::from);
        let targets = [vec![1_i64], vec![2, 2], vec![3]].map(Tensor::from);
        let [inputs, targets] = [&sequences, &targets].map(|all| Rows::padded(all, -1.0).unwrap());
        let data = Dataset::pairs(inputs, targets).unwrap();
        let batch = data.select(&[1, 2]).unwrap().batch();
        assert_eq!(batch.inputs.to_f64s(), [4.0, -1.0, -1.0, 5.0, 6.0, -1.0]);
        assert_eq!(batch.input_mask().unwrap().to_f64s(), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(batch.label_lengths.as_ref().unwrap().to_f64s(), [2.0, 1.0]);
        assert_eq!(batch.label_mask().unwrap().to_f64s(), [1.0, 1.0, 1.0, 0.0]);
    }
}
