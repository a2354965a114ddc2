//! Batches with equally many examples of every class.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::dataset::{Batch, Dataset, rng_of};
use crate::error::{Error, Result};

/// Batches without end, each with equally many examples of every class: see
/// [`Dataset::balanced`].
#[derive(Clone, Debug)]
pub struct Balanced {
    data: Dataset,
    /// The examples of each class.
    rings: Vec<Ring>,
    per_class: usize,
    rng: ChaCha8Rng,
}

/// A circular buffer of indices: after the last comes the first, in a new order.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    indices: Vec<usize>,
    next: usize,
}

impl Dataset {
    /// Batches with `per_class` examples of every class, for imbalanced data: rare classes are
    /// oversampled.
    ///
    /// Each class is a circular buffer of its examples, in an order that the seed decides. A draw
    /// takes the next; when all of a class have been drawn, they are shuffled and drawn again. So the
    /// examples of rare classes come more often than others, but none comes a second time before all
    /// others of its class have come. The batches do not end: `take` as many as are needed. In a
    /// batch, examples stand in the order of their classes.
    ///
    /// A model that is trained like this believes that all classes are equally frequent, and takes
    /// too many examples for rare ones. Where the frequencies of the data are those of its use, it is
    /// fine-tuned at the end with [`batches`](Dataset::batches), which keep them. The example
    /// `imbalance` compares both with class weights.
    ///
    /// ```
    /// use lossgraph_data::Dataset;
    /// use lossgraph_tensor::Tensor;
    ///
    /// let inputs = Tensor::from([[0.0], [1.0], [2.0], [3.0]]);
    /// let data = Dataset::new(inputs, vec![0, 0, 0, 1], 2)?;
    /// for batch in data.balanced(1, 7)?.take(3) {
    ///     assert_eq!(batch.labels.to_f64s(), [0.0, 1.0]);
    /// }
    /// # Ok::<(), lossgraph_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// A `per_class` of 0; a class without examples; targets that are no classes.
    #[doc(alias = "oversampling")]
    pub fn balanced(&self, per_class: usize, seed: u64) -> Result<Balanced> {
        if per_class == 0 {
            return Err(Error::BatchSize);
        }
        let mut rng = rng_of(seed, 0);
        let rings = self.rings("balanced", &mut rng)?;
        Ok(Balanced { data: self.clone(), rings, per_class, rng })
    }

    /// The examples of each class, shuffled.
    pub(crate) fn rings(&self, operation: &'static str, rng: &mut impl Rng) -> Result<Vec<Ring>> {
        if !self.has_classes() {
            let why = format!("{operation}: the targets are no classes");
            return Err(Error::Dataset { why });
        }
        let mut rings = vec![Ring { indices: Vec::new(), next: 0 }; self.classes()];
        for (index, &label) in self.labels().iter().enumerate() {
            rings[label].indices.push(index);
        }
        if let Some(class) = rings.iter().position(|ring| ring.indices.is_empty()) {
            return Err(Error::TooFew { operation, class, given: 0, expected: 1 });
        }
        rings.iter_mut().for_each(|ring| ring.indices.shuffle(rng));
        Ok(rings)
    }
}

impl Ring {
    pub(crate) fn draw(&mut self, rng: &mut impl Rng) -> usize {
        if self.next == self.indices.len() {
            self.indices.shuffle(rng);
            self.next = 0;
        }
        self.next += 1;
        self.indices[self.next - 1]
    }
}

impl Iterator for Balanced {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut indices = Vec::with_capacity(self.per_class * self.rings.len());
        for ring in &mut self.rings {
            indices.extend((0..self.per_class).map(|_| ring.draw(&mut self.rng)));
        }
        Some(self.data.select(&indices).ok()?.batch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_tensor::{DType, Tensor};

    /// Examples that hold their own number: 0 to 5 of class 0, 6 and 7 of class 1, 8 of class 2.
    fn numbered() -> Dataset {
        let inputs = Tensor::arange(9, DType::F64).unwrap().reshape([9, 1]).unwrap();
        Dataset::new(inputs, vec![0, 0, 0, 0, 0, 0, 1, 1, 2], 3).unwrap()
    }

    fn drawn(seed: u64, batches: usize) -> Vec<f64> {
        let batches = numbered().balanced(2, seed).unwrap().take(batches);
        batches.flat_map(|batch| batch.inputs.to_f64s()).collect()
    }

    #[test]
    fn a_batch_holds_equally_many_examples_of_every_class_with_their_labels() {
        for batch in numbered().balanced(2, 1).unwrap().take(10) {
            assert_eq!(batch.labels.to_f64s(), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
            let labels = numbered().labels().to_vec();
            for (x, label) in batch.inputs.to_f64s().into_iter().zip(batch.labels.to_f64s()) {
                assert_eq!(labels[x as usize] as f64, label);
            }
        }
    }

    #[test]
    fn an_example_comes_again_only_after_all_others_of_its_class() {
        let of_class_0: Vec<f64> = drawn(1, 9).into_iter().filter(|&x| x < 6.0).collect();
        for round in of_class_0.chunks(6) {
            let mut round = round.to_vec();
            round.sort_by(f64::total_cmp);
            assert_eq!(round, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        }
        // In a new order each time round.
        assert_ne!(of_class_0[..6], of_class_0[6..12]);
    }

    #[test]
    fn the_seed_decides_what_is_drawn() {
        assert_eq!(drawn(1, 5), drawn(1, 5));
        assert_ne!(drawn(1, 5), drawn(2, 5));
    }

    #[test]
    fn a_class_without_examples_is_refused() {
        let data = Dataset::new(Tensor::from([1.0, 2.0]), vec![0, 2], 3).unwrap();
        let error = data.balanced(1, 0).err().unwrap().to_string();
        assert_eq!(error, "balanced: class 1 has 0 examples, expected at least 1");
        assert_eq!(numbered().balanced(0, 0).err(), Some(Error::BatchSize));
    }
}
