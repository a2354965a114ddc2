//! What a loss gives: a number for each element or example, to be reduced by the caller.

use std::fmt;
use std::str::FromStr;

use lossgraph_autograd::{Fault, Gradients, Result, Var, stack};
use lossgraph_tensor::Shape;

/// The terms of a loss, before they are reduced to one number.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::mse;
/// let tape = Tape::f64();
/// let terms = mse(tape.constant([1.0, 2.0, 4.0]), tape.constant([0.0, 0.0, 0.0]));
/// assert_eq!(terms.unreduced().value()?.to_f64s(), [1.0, 4.0, 16.0]);
/// assert_eq!(terms.mean().item()?, 7.0);
/// // Only the first two count, the second of them three times: (1·1 + 3·4) / (1 + 3).
/// let weight = tape.constant([1.0, 3.0, 5.0]);
/// let mask = tape.constant([1.0, 1.0, 0.0]);
/// assert_eq!(terms.weighted(weight).masked(mask).mean().item()?, 3.25);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "terms are not a loss yet: reduce them, by .mean() for one"]
pub struct Terms<'t> {
    each: Var<'t>,
    /// What the mean divides by, if that is not the number of terms.
    weight: Option<Var<'t>>,
    /// What each term is divided by in the mean, such as the length of its target.
    length: Option<Var<'t>>,
    batch: usize,
}

/// How terms become one number, where the choice is data. In code, call the method.
///
/// Over nothing, a batch whose labels are all ignored or that has no pair, [`Mean`](Reduction::Mean)
/// is NaN, as PyTorch's is, so that it is not taken for a loss that is 0. Where batches without a
/// pair are nothing unusual, [`MeanOrZero`](Reduction::MeanOrZero),
/// [`NonZeroMean`](Reduction::NonZeroMean) and [`Divisor`](Reduction::Divisor) are 0, with slope 0,
/// as pytorch-metric-learning's are: such a batch teaches nothing.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Reduction, Terms};
/// let tape = Tape::f64();
/// let terms = Terms::new(tape.constant([0.0, 3.0, 0.0, 1.0]));
/// assert_eq!(terms.reduce(Reduction::Mean).item()?, 1.0);
/// assert_eq!(terms.reduce(Reduction::NonZeroMean).item()?, 2.0);
/// let nothing = terms.masked(tape.constant([0.0; 4]));
/// assert!(nothing.reduce(Reduction::Mean).item()?.is_nan());
/// assert_eq!(nothing.reduce(Reduction::MeanOrZero).item()?, 0.0);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[doc(alias = "Reducer")]
pub enum Reduction {
    /// [`Terms::mean`]: NaN over nothing.
    #[default]
    Mean,
    /// [`Terms::mean`], but 0 over nothing.
    #[doc(alias = "MeanReducer")]
    MeanOrZero,
    /// The mean of the terms above 0, those that still teach something; 0 if there are none.
    #[doc(alias = "AvgNonZeroReducer")]
    NonZeroMean,
    /// [`Terms::sum`]
    #[doc(alias = "SumReducer")]
    Sum,
    /// [`Terms::batch_mean`]
    BatchMean,
    /// The sum divided by what the loss says, 0 if that is 0; for a loss that says nothing, as
    /// [`MeanOrZero`](Reduction::MeanOrZero).
    #[doc(alias = "DivisorReducer")]
    Divisor,
    /// [`Terms::unreduced`]
    None,
}

impl Reduction {
    /// All of them, by the words for them.
    const WORDS: [(&str, Reduction); 7] = [
        ("mean", Reduction::Mean),
        ("mean_or_zero", Reduction::MeanOrZero),
        ("non_zero_mean", Reduction::NonZeroMean),
        ("sum", Reduction::Sum),
        ("batch_mean", Reduction::BatchMean),
        ("divisor", Reduction::Divisor),
        ("none", Reduction::None),
    ];
}

/// A word that is no reduction.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no reduction: expected `mean`, `mean_or_zero`, `non_zero_mean`, `sum`, `batch_mean`, \
     `divisor` or `none`"
)]
pub struct UnknownReduction(String);

/// What a program shows that ends with it: the message.
impl fmt::Debug for UnknownReduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// From the words above; `batchmean` is PyTorch's.
impl FromStr for Reduction {
    type Err = UnknownReduction;

    fn from_str(word: &str) -> std::result::Result<Reduction, UnknownReduction> {
        let known = if word == "batchmean" { "batch_mean" } else { word };
        let found = Reduction::WORDS.iter().find(|(each, _)| *each == known);
        found.map(|(_, reduction)| *reduction).ok_or_else(|| UnknownReduction(word.to_owned()))
    }
}

impl<'t> Terms<'t> {
    /// Terms whose mean divides by their number, and whose first axis counts the examples. For
    /// losses of one's own; the library's are made of it too.
    pub fn new(each: Var<'t>) -> Terms<'t> {
        Terms { each, weight: None, length: None, batch: each.dim(0) }
    }

    /// Terms whose mean divides by the sum of `weight`. The terms are weighted already.
    pub(crate) fn with_weights(self, weight: Option<Var<'t>>) -> Terms<'t> {
        Terms { weight, ..self }
    }

    /// Terms of one shape, side by side along a new last axis. There is one, at least.
    pub(crate) fn beside(all: &[Terms<'t>]) -> Terms<'t> {
        let each: Vec<Var<'t>> = all.iter().map(|terms| terms.each).collect();
        let ones = |terms: &Terms<'t>| terms.each.tape().fill(terms.each.shape(), 1.0);
        let weight = |terms: &Terms<'t>| terms.weight.unwrap_or_else(|| ones(terms));
        let are_weighted = all.iter().any(|terms| terms.weight.is_some());
        let weights: Vec<Var<'t>> = all.iter().map(weight).collect();
        Terms::new(stack(&each, -1)).with_weights(are_weighted.then(|| stack(&weights, -1)))
    }

    /// The terms in another shape.
    pub(crate) fn reshaped(self, shape: Shape) -> Terms<'t> {
        let weight = self.weight.map(|weight| weight.reshape(shape.clone()));
        Terms { weight, ..Terms::new(self.each.reshape(shape)) }
    }

    /// Terms whose mean is that of `each / length`.
    pub(crate) fn of_length(self, length: Var<'t>) -> Terms<'t> {
        Terms { length: Some(length), ..self }
    }

    /// Each term times a weight of its own, on top of the loss's weights if it has any. The mean
    /// divides by the sum of the weights.
    ///
    /// # Errors
    /// A weight that does not broadcast to the terms.
    #[track_caller]
    pub fn weighted(self, weight: Var<'t>) -> Terms<'t> {
        let weight = self.fitting("weighted", "weight", weight);
        let total = match self.weight {
            Some(before) => before * weight,
            None => weight,
        };
        Terms { each: self.each * weight, weight: Some(total), ..self }
    }

    /// Only the terms where `mask` is not 0: the others count 0, in what the mean divides by as
    /// well, and get slope 0.
    ///
    /// A term that is left out may be infinite or NaN. What it is computed from should be finite,
    /// since NaN times a slope of 0 is NaN: fill gaps in data with any number. (An `ignore_index`
    /// needs no such care.)
    ///
    /// # Errors
    /// A mask that does not broadcast to the terms.
    #[track_caller]
    pub fn masked(self, mask: Var<'t>) -> Terms<'t> {
        let mask = self.fitting("masked", "mask", mask);
        let weight = match self.weight {
            Some(weight) => mask.select(weight, 0.0),
            None => mask.ne(0.0),
        };
        Terms { each: mask.select(self.each, 0.0), weight: Some(weight), ..self }
    }

    #[track_caller]
    fn fitting(self, operation: &str, name: &str, var: Var<'t>) -> Var<'t> {
        let shape = self.each.shape();
        let fits = var.shape().broadcast(&shape).as_ref() == Some(&shape);
        if fits || var.is_faulty() || self.each.is_faulty() {
            return if fits { var.to_float().expand(shape) } else { var };
        }
        let why = format!("{name} does not broadcast to the terms");
        var.tape().fault(Fault::new(operation, why).operand("terms", self.each).operand(name, var))
    }

    /// How much each term counts in the mean.
    #[track_caller]
    pub(crate) fn counts(self) -> Var<'t> {
        self.weight.unwrap_or_else(|| self.each.tape().fill(self.each.shape(), 1.0))
    }

    /// Terms of a batch that is not their first axis.
    pub(crate) fn of_batch(self, batch: usize) -> Terms<'t> {
        Terms { batch, ..self }
    }

    /// The terms themselves, each with its weight; 0 where a term is ignored.
    pub fn unreduced(self) -> Var<'t> {
        self.each
    }

    /// Refuses, and says how: gradients are those of one number, which terms become by a reduction.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_losses::mse;
    /// let tape = Tape::f64();
    /// let terms = mse(tape.variable([1.0, 2.0]), tape.constant([0.0, 0.0]));
    /// assert!(terms.backward().is_err());
    /// assert_eq!(terms.mean().backward()?.loss(), 2.5);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Always.
    #[track_caller]
    pub fn backward(self) -> Result<Gradients> {
        self.refused("backward").backward()
    }

    /// Refuses, and says how: one number is what terms become by a reduction.
    ///
    /// # Errors
    /// Always.
    #[track_caller]
    pub fn item(self) -> Result<f64> {
        self.refused("item").item()
    }

    /// A fault of what needs one number.
    #[track_caller]
    fn refused(self, operation: &'static str) -> Var<'t> {
        let fault = Fault::new(operation, "a loss has one number for each example: reduce first")
            .operand("terms", self.each)
            .cure(format!(".mean().{operation}()"));
        match self.each.is_faulty() {
            true => self.each,
            false => self.each.tape().fault(fault),
        }
    }

    /// The sum of the terms.
    #[track_caller]
    pub fn sum(self) -> Var<'t> {
        self.each.sum(..)
    }

    /// The sum divided by the total weight of the terms: their number, less the ignored ones,
    /// where there are no weights. NaN over nothing.
    #[track_caller]
    pub fn mean(self) -> Var<'t> {
        match self.weight {
            Some(weight) => weighted_mean(self.per_length().sum(..), weight.sum(..)),
            None => self.per_length().mean(..),
        }
    }

    /// The terms as the mean takes them: each divided by its length, where they have one.
    #[track_caller]
    fn per_length(self) -> Var<'t> {
        match self.length {
            Some(length) => self.each / length,
            None => self.each,
        }
    }

    /// The sum divided by the number of examples, whatever else has axes.
    #[track_caller]
    pub fn batch_mean(self) -> Var<'t> {
        self.each.sum(..) / self.batch as f64
    }

    /// The requested reduction.
    #[track_caller]
    pub fn reduce(self, reduction: Reduction) -> Var<'t> {
        match reduction {
            Reduction::Mean => self.mean(),
            Reduction::Sum => self.sum(),
            Reduction::BatchMean => self.batch_mean(),
            Reduction::None => self.unreduced(),
            Reduction::MeanOrZero | Reduction::Divisor => {
                ratio(self.per_length().sum(..), self.counts().sum(..))
            }
            Reduction::NonZeroMean => {
                let each = self.per_length();
                // Not those above 0, of which a NaN would be none.
                let taught = each.le(0.0);
                ratio(taught.select(0.0, each).sum(..), taught.select(0.0, self.counts()).sum(..))
            }
        }
    }
}

/// `sum / total`: NaN over nothing, with slope 0, since that of `x/0` is infinite.
#[track_caller]
pub(crate) fn weighted_mean<'t>(sum: Var<'t>, total: Var<'t>) -> Var<'t> {
    let nothing = total.eq(0.0);
    nothing.select(f64::NAN, sum / nothing.select(1.0, total))
}

/// `sum / count`, where a count of 0 comes with a sum of 0, which it stays.
#[track_caller]
pub(crate) fn ratio<'t>(sum: Var<'t>, count: Var<'t>) -> Var<'t> {
    sum / count.eq(0.0).select(1.0, count)
}

/// The terms with their weights, if there are any.
#[track_caller]
pub(crate) fn scaled<'t>(each: Var<'t>, weight: Option<Var<'t>>) -> Var<'t> {
    match weight {
        Some(weight) => each * weight,
        None => each,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    #[test]
    fn the_reductions_agree_with_each_other() {
        let tape = Tape::f64();
        let terms = Terms::new(tape.constant([[1.0, 2.0], [3.0, 6.0]]));
        assert_eq!(terms.sum().item().unwrap(), 12.0);
        assert_eq!(terms.mean().item().unwrap(), 3.0);
        assert_eq!(terms.batch_mean().item().unwrap(), 6.0);
        let weighted = terms.with_weights(Some(tape.constant([0.5, 1.0])));
        assert_eq!(weighted.mean().item().unwrap(), 8.0);
    }

    #[test]
    fn a_mask_that_leaves_nothing_gives_nan_and_slope_0() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        let mean = Terms::new(x).masked(tape.constant([0.0, 0.0])).mean();
        let gradients = mean.backward().unwrap();
        assert!(gradients.loss().is_nan());
        assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.0, 0.0]);
    }

    #[test]
    fn reductions_that_may_be_of_nothing_are_0_with_slope_0() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        let terms = Terms::new(x).masked(tape.constant([0.0, 0.0]));
        use Reduction::{Divisor, MeanOrZero, NonZeroMean, Sum};
        for reduction in [MeanOrZero, NonZeroMean, Sum, Divisor] {
            let gradients = terms.reduce(reduction).backward().unwrap();
            assert_eq!(gradients.loss(), 0.0, "{reduction:?}");
            assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.0, 0.0], "{reduction:?}");
        }
    }

    #[test]
    fn a_weight_that_does_not_fit_is_refused() {
        let tape = Tape::f64();
        let terms = Terms::new(tape.constant([1.0, 2.0]));
        let error = terms.weighted(tape.constant([1.0, 2.0, 3.0])).mean().item().unwrap_err();
        assert!(
            error.to_string().starts_with("weighted: terms [2] and weight [3]: weight does not")
        );
    }

    #[test]
    fn a_word_that_is_no_reduction_is_refused() {
        assert_eq!("mean".parse(), Ok(Reduction::Mean));
        assert_eq!("batchmean".parse(), Ok(Reduction::BatchMean));
        let error = "average".parse::<Reduction>().unwrap_err().to_string();
        assert!(error.starts_with("`average` is no reduction: expected `mean`, "), "{error}");
        for (word, _) in Reduction::WORDS {
            assert!(error.contains(&format!("`{word}`")), "{word}");
        }
    }
}
