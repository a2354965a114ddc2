//! In which order, and how often, the examples of an epoch come.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::dataset::{Dataset, rng_of};
use crate::error::{Error, Result};

/// In which order, and how often, the examples of an epoch come.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Sampler {
    /// Each once, as they stand.
    #[doc(alias = "SequentialSampler")]
    InOrder,
    /// Each once, in an order that seed and epoch decide.
    #[default]
    #[doc(alias = "RandomSampler")]
    Shuffled,
    /// As many draws as there are examples, each independent of the others: an example is drawn with
    /// a probability proportional to its weight.
    #[doc(alias = "WeightedRandomSampler")]
    Weighted(Vec<f64>),
    /// All classes equally often: as many draws as there are examples, in rounds of one example of
    /// each class, shuffled. Each class is a circular buffer, as in [`Dataset::balanced`]: no
    /// example comes again before all others of its class have come.
    Balanced,
}

impl Sampler {
    /// The indices of the examples of an epoch.
    ///
    /// ```
    /// use lossgraph_data::{Dataset, Sampler};
    /// use lossgraph_tensor::Tensor;
    ///
    /// let inputs = Tensor::from([[0.0], [1.0], [2.0], [3.0]]);
    /// let data = Dataset::new(inputs, vec![0, 0, 0, 1], 2)?;
    /// let order = Sampler::Balanced.order(&data, 7, 0)?;
    /// assert_eq!(order.iter().filter(|&&example| example == 3).count(), 2);
    /// # Ok::<(), lossgraph_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// Weights that are not one for each example, not numbers of 0 and above, or all 0; for balanced
    /// classes, targets that are none, or a class without examples.
    pub fn order(&self, data: &Dataset, seed: u64, epoch: u64) -> Result<Vec<usize>> {
        let count = data.len();
        let mut rng = rng_of(seed, epoch);
        let mut order: Vec<usize> = (0..count).collect();
        match self {
            Sampler::InOrder => {}
            Sampler::Shuffled => order.shuffle(&mut rng),
            Sampler::Weighted(weights) => order = weighted(weights, count, &mut rng)?,
            Sampler::Balanced => order = balanced(data, &mut rng)?,
        }
        Ok(order)
    }
}

fn weighted(weights: &[f64], count: usize, rng: &mut impl Rng) -> Result<Vec<usize>> {
    let refuse = |why: String| Err(Error::Sampler { why });
    if weights.len() != count {
        return refuse(format!(
            "expected a weight for each of {count} examples, given {}",
            weights.len()
        ));
    }
    if let Some(at) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        return refuse(format!("weight {at} is {}, expected a number of 0 and above", weights[at]));
    }
    // Up to and with each example; an example with weight 0 is never the first above a draw.
    let mut sum = 0.0;
    let sums: Vec<f64> = weights
        .iter()
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    if count > 0 && !(sum > 0.0 && sum.is_finite()) {
        return refuse(format!("the weights add up to {sum}, expected more than 0"));
    }
    let last = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
    let mut draw = || {
        let at = rng.random::<f64>() * sum;
        sums.partition_point(|&sum| sum <= at).min(last)
    };
    Ok((0..count).map(|_| draw()).collect())
}

fn balanced(data: &Dataset, rng: &mut impl Rng) -> Result<Vec<usize>> {
    let mut rings = data.rings("balanced", rng)?;
    let mut order = Vec::with_capacity(data.len() + rings.len());
    while order.len() < data.len() {
        let mut round: Vec<usize> = rings.iter_mut().map(|ring| ring.draw(rng)).collect();
        round.shuffle(rng);
        order.extend(round);
    }
    order.truncate(data.len());
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_tensor::{DType, Tensor};

    fn rare() -> Dataset {
        let inputs = Tensor::arange(100, DType::F64).unwrap().reshape([100, 1]).unwrap();
        let labels = (0..100).map(|i| usize::from(i >= 90)).collect();
        Dataset::new(inputs, labels, 2).unwrap()
    }

    #[test]
    fn weights_say_how_often_an_example_comes() {
        let weights = (0..100).map(|i| if i == 3 { 3.0 } else { f64::from(i == 50) }).collect();
        let sampler = Sampler::Weighted(weights);
        let all: Vec<usize> =
            (0..40).flat_map(|epoch| sampler.order(&rare(), 1, epoch).unwrap()).collect();
        let count = |example| all.iter().filter(|&&each| each == example).count();
        assert_eq!(count(3) + count(50), 4000);
        // Five standard deviations of a binomial of 4000 draws.
        assert!((count(3) as f64 - 3000.0).abs() < 5.0 * 750.0_f64.sqrt(), "{}", count(3));
    }

    #[test]
    fn a_balanced_epoch_shows_rare_classes_as_often_as_others() {
        let order = Sampler::Balanced.order(&rare(), 1, 0).unwrap();
        assert_eq!(order.iter().filter(|&&i| i >= 90).count(), 50);
        // The 50 draws of the frequent class are 50 examples.
        let mut frequent: Vec<usize> = order.into_iter().filter(|&i| i < 90).collect();
        frequent.sort_unstable();
        frequent.dedup();
        assert_eq!(frequent.len(), 50);
    }

    #[test]
    fn what_does_not_fit_the_data_is_refused() {
        let refused =
            |sampler: Sampler, data: &Dataset| sampler.order(data, 0, 0).unwrap_err().to_string();
        let told = refused(Sampler::Weighted(vec![1.0]), &rare());
        assert!(told.contains("a weight for each of 100 examples, given 1"), "{told}");
        let mut weights = vec![1.0; 100];
        weights[7] = f64::NAN;
        let told = refused(Sampler::Weighted(weights), &rare());
        assert!(told.contains("weight 7 is NaN"), "{told}");
        assert!(refused(Sampler::Weighted(vec![0.0; 100]), &rare()).contains("add up to 0"));
        let numbers = Tensor::from([1.0, 2.0]);
        let numbers = Dataset::pairs(numbers.clone(), numbers).unwrap();
        assert!(refused(Sampler::Balanced, &numbers).contains("the targets are no classes"));
    }
}
