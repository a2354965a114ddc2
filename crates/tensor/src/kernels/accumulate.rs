//! Adding up one by one without an error that grows with the number of terms: `f32` in `f64`, `f64`
//! with what each rounding lost beside it (Neumaier 1974; Ogita, Rump and Oishi 2005), integers by
//! wrapping.

use crate::Elem;

/// From how many terms on a sum is accumulated: fewer may be added up as they are.
pub(crate) const MANY: usize = 32;

/// What elements of a type are added up in.
pub trait Accumulate: Sized {
    /// A sum so far.
    type Total: Copy + Send + Sync;
    /// The sum of nothing.
    const NOTHING: Self::Total;
    /// The sum with one more term.
    fn added(total: Self::Total, term: Self) -> Self::Total;
    /// The sum of two sums.
    fn joined(a: Self::Total, b: Self::Total) -> Self::Total;
    /// The sum as an element.
    fn rounded(total: Self::Total) -> Self;
}

/// A sum of `f64`, with what its roundings lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compensated {
    pub sum: f64,
    pub lost: f64,
}

impl Compensated {
    /// The sum of nothing.
    pub const NOTHING: Compensated = Compensated { sum: 0.0, lost: 0.0 };

    /// The sum with one more term. What the rounding of a sum loses is a number again (Knuth).
    #[inline(always)]
    pub fn plus(self, term: f64) -> Compensated {
        let sum = self.sum + term;
        let added = sum - self.sum;
        let lost = (self.sum - (sum - added)) + (term - added);
        Compensated { sum, lost: self.lost + lost }
    }

    /// The sum, rounded once. That of infinities has lost NaN, and one that has lost nothing keeps the
    /// sign of its zero.
    #[inline(always)]
    pub fn rounded(self) -> f64 {
        if self.lost == 0.0 || !self.sum.is_finite() { self.sum } else { self.sum + self.lost }
    }
}

impl Accumulate for f32 {
    type Total = f64;
    const NOTHING: f64 = 0.0;

    #[inline(always)]
    fn added(total: f64, term: f32) -> f64 {
        total + f64::from(term)
    }

    #[inline(always)]
    fn joined(a: f64, b: f64) -> f64 {
        a + b
    }

    #[inline(always)]
    fn rounded(total: f64) -> f32 {
        total as f32
    }
}

impl Accumulate for f64 {
    type Total = Compensated;
    const NOTHING: Compensated = Compensated::NOTHING;

    #[inline(always)]
    fn added(total: Compensated, term: f64) -> Compensated {
        total.plus(term)
    }

    #[inline(always)]
    fn joined(a: Compensated, b: Compensated) -> Compensated {
        let total = a.plus(b.sum);
        Compensated { lost: total.lost + b.lost, ..total }
    }

    #[inline(always)]
    fn rounded(total: Compensated) -> f64 {
        total.rounded()
    }
}

impl Accumulate for i64 {
    type Total = i64;
    const NOTHING: i64 = 0;

    #[inline(always)]
    fn added(total: i64, term: i64) -> i64 {
        total.wrapping_add(term)
    }

    #[inline(always)]
    fn joined(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    #[inline(always)]
    fn rounded(total: i64) -> i64 {
        total
    }
}

/// Calls `add_up` with a sum for each element of `out`, and writes the sums.
pub(super) fn totals<T: Elem, E>(
    out: &mut [T],
    add_up: impl FnOnce(&mut [T::Total]) -> Result<(), E>,
) -> Result<(), E> {
    let mut totals = vec![T::NOTHING; out.len()];
    add_up(&mut totals)?;
    for (y, total) in out.iter_mut().zip(totals) {
        *y = T::rounded(total);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum<T: Elem>(terms: impl IntoIterator<Item = T>) -> T {
        T::rounded(terms.into_iter().fold(T::NOTHING, T::added))
    }

    #[test]
    fn what_a_rounding_loses_is_added_in_the_end() {
        assert_eq!(sum([1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum([1e8_f32, 1.0, -1e8]), 1.0);
        assert_eq!(sum(vec![0.1; 1_000_000]), 100_000.0);
    }

    #[test]
    fn infinities_and_nan_stay_what_they_are() {
        assert_eq!(sum([1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(sum([f64::NAN, 1.0]).is_nan());
    }

    #[test]
    fn integers_wrap() {
        assert_eq!(sum([i64::MAX, 1]), i64::MIN);
    }
}
