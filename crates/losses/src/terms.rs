//! What a loss gives: a number for each element or example, to be reduced by the caller.

use std::str::FromStr;

use lossgraph_autograd::Var;

/// The terms of a loss, before they are reduced to one number.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    each: Var<'t>,
    /// What the mean divides by, if that is not the number of terms.
    weight: Option<Var<'t>>,
    batch: usize,
}

/// How terms become one number, where the choice is data. In code, call the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reduction {
    /// [`Terms::mean`]
    #[default]
    Mean,
    /// [`Terms::sum`]
    Sum,
    /// [`Terms::batch_mean`]
    BatchMean,
    /// [`Terms::each`]
    None,
}

/// A word that is no reduction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no reduction: expected `mean`, `sum`, `batchmean` or `none`")]
pub struct UnknownReduction(String);

impl FromStr for Reduction {
    type Err = UnknownReduction;

    fn from_str(word: &str) -> Result<Reduction, UnknownReduction> {
        match word {
            "mean" => Ok(Reduction::Mean),
            "sum" => Ok(Reduction::Sum),
            "batchmean" | "batch_mean" => Ok(Reduction::BatchMean),
            "none" => Ok(Reduction::None),
            _ => Err(UnknownReduction(word.to_owned())),
        }
    }
}

impl<'t> Terms<'t> {
    /// Terms whose mean divides by their number.
    pub(crate) fn new(each: Var<'t>) -> Terms<'t> {
        let batch = if each.rank() == 0 { 1 } else { each.extent(0) };
        Terms { each, weight: None, batch }
    }

    /// Terms whose mean divides by the sum of `weight`. The terms are weighted already.
    pub(crate) fn weighted(self, weight: Option<Var<'t>>) -> Terms<'t> {
        Terms { weight, ..self }
    }

    /// Terms of a batch that is not their first axis.
    pub(crate) fn of_batch(self, batch: usize) -> Terms<'t> {
        Terms { batch, ..self }
    }

    /// The terms themselves, each with its weight; 0 where a term is ignored.
    pub fn each(self) -> Var<'t> {
        self.each
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
            Some(weight) => self.each.sum(..) / weight.sum(..),
            None => self.each.mean(..),
        }
    }

    /// The sum divided by the number of examples, whatever else has axes.
    #[track_caller]
    pub fn batch_mean(self) -> Var<'t> {
        self.each.sum(..) / self.batch as f64
    }

    /// The reduction that is asked for.
    #[track_caller]
    pub fn reduce(self, reduction: Reduction) -> Var<'t> {
        match reduction {
            Reduction::Mean => self.mean(),
            Reduction::Sum => self.sum(),
            Reduction::BatchMean => self.batch_mean(),
            Reduction::None => self.each(),
        }
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
        let weighted = terms.weighted(Some(tape.constant([0.5, 1.0])));
        assert_eq!(weighted.mean().item().unwrap(), 8.0);
    }

    #[test]
    fn a_word_that_is_no_reduction_is_refused() {
        assert_eq!("mean".parse(), Ok(Reduction::Mean));
        let error = "average".parse::<Reduction>().unwrap_err().to_string();
        assert_eq!(error, "`average` is no reduction: expected `mean`, `sum`, `batchmean` or `none`");
    }
}
