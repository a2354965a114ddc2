//! What is wrong, from the ratios of analytic to numeric derivatives.

use std::fmt;

use crate::report::Element;

/// What kind of error it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Diagnosis {
    /// The sign is wrong.
    Sign,
    /// Analytic is zero where numeric is not: a path is missing, or cut.
    Zero,
    /// Analytic is not a number where numeric is one.
    NotFinite,
    /// Analytic is so many times numeric.
    Factor(f64),
    /// Analytic is `n` times numeric, and `n` is the number of elements or the length of an axis: a
    /// mean's division is missing, or a sum is done twice.
    TooLargeBy(usize),
    /// Analytic is an `n`-th of numeric, and `n` is the number of elements or the length of an axis:
    /// a division is done twice.
    TooSmallBy(usize),
    /// What flows back along a broadcast axis is not summed.
    MissingSum,
    /// Analytic is numeric with its last two axes swapped.
    Transposed,
    /// So many elements are wrong, and the others right.
    Elements(usize),
    /// No pattern.
    Unclear,
    /// The Hessian is not symmetric: one of two mixed derivatives is wrong.
    Asymmetric,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Diagnosis::Sign => write!(f, "the sign is wrong"),
            Diagnosis::Zero => {
                write!(f, "analytic is 0: a path is missing, or cut, as by detach or no_grad")
            }
            Diagnosis::NotFinite => write!(f, "analytic is not a number where numeric is"),
            Diagnosis::Factor(factor) => write!(f, "analytic is {factor:.4} times numeric"),
            Diagnosis::TooLargeBy(n) => {
                write!(f, "analytic is {n} times numeric: a division by {n} is missing")
            }
            Diagnosis::TooSmallBy(n) => {
                write!(f, "analytic is 1/{n} of numeric: a division by {n} too many")
            }
            Diagnosis::MissingSum => {
                write!(f, "what flows back along a broadcast axis is not summed")
            }
            Diagnosis::Transposed => write!(f, "analytic is numeric transposed"),
            Diagnosis::Elements(0) => write!(f, "no element that was looked at is wrong by itself"),
            Diagnosis::Elements(1) => write!(f, "1 element is wrong, the others are right"),
            Diagnosis::Elements(n) => write!(f, "{n} elements are wrong, the others are right"),
            Diagnosis::Unclear => write!(f, "the ratios of analytic to numeric show no pattern"),
            Diagnosis::Asymmetric => write!(f, "the Hessian is not symmetric"),
        }
    }
}

/// What is known of a wrong derivative.
pub(crate) struct Evidence<'a> {
    /// The elements that were looked at.
    pub elements: &'a [Element],
    /// Which of them are wrong.
    pub wrong: &'a [bool],
    /// The shape of the input.
    pub shape: &'a [usize],
    /// Lengths of axes, and numbers of elements, in the program.
    pub lengths: &'a [usize],
    /// Whether the op that is blamed broadcasts.
    pub broadcasts: bool,
}

/// The relative difference up to which two ratios count as the same.
const NEAR: f64 = 1e-3;

impl Evidence<'_> {
    pub fn diagnosis(&self) -> Diagnosis {
        let wrong: Vec<&Element> = self
            .elements
            .iter()
            .zip(self.wrong)
            .filter(|(_, wrong)| **wrong)
            .map(|(e, _)| e)
            .collect();
        if wrong.iter().any(|e| !e.analytic.is_finite()) {
            return Diagnosis::NotFinite;
        }
        if !wrong.is_empty() && wrong.iter().all(|e| e.analytic == 0.0) {
            return Diagnosis::Zero;
        }
        if self.is_transposed() {
            return Diagnosis::Transposed;
        }
        if self.broadcasts {
            return Diagnosis::MissingSum;
        }
        let few = wrong.len() * 4 <= self.elements.len();
        match self.common_ratio(&wrong) {
            Some(_) | None if few => Diagnosis::Elements(wrong.len()),
            Some(ratio) => self.of_ratio(ratio),
            None => Diagnosis::Unclear,
        }
    }

    /// Analytic over numeric, where it is the same for all that are large enough to judge.
    fn common_ratio(&self, wrong: &[&Element]) -> Option<f64> {
        let largest = wrong.iter().map(|e| e.numeric.value.abs()).fold(0.0, f64::max);
        let significant = wrong.iter().filter(|e| e.numeric.value.abs() > 1e-3 * largest);
        let ratios: Vec<f64> = significant.map(|e| e.analytic / e.numeric.value).collect();
        let first = *ratios.first()?;
        ratios.iter().all(|ratio| near(*ratio, first)).then_some(first)
    }

    fn of_ratio(&self, ratio: f64) -> Diagnosis {
        let length = |ratio: f64| {
            let n = ratio.round();
            (n >= 3.0 && near(ratio, n) && self.lengths.contains(&(n as usize)))
                .then_some(n as usize)
        };
        match (length(ratio), length(1.0 / ratio)) {
            _ if near(ratio, -1.0) => Diagnosis::Sign,
            (Some(n), _) => Diagnosis::TooLargeBy(n),
            (_, Some(n)) => Diagnosis::TooSmallBy(n),
            _ => Diagnosis::Factor(ratio),
        }
    }

    /// Whether each analytic element is the numeric one of the transposed index. Only where all
    /// elements were looked at, so that each has its partner.
    fn is_transposed(&self) -> bool {
        let count: usize = self.shape.iter().product();
        let [.., rows, columns] = *self.shape else { return false };
        if self.elements.len() != count || rows < 2 || columns < 2 {
            return false;
        }
        let numeric: Vec<f64> = self.elements.iter().map(|e| e.numeric.value).collect();
        self.elements.iter().enumerate().all(|(at, element)| {
            let (matrix, offset) = (at / (rows * columns), at % (rows * columns));
            // The element at this offset, if the numbers were laid out column by column.
            let swapped = offset % rows * columns + offset / rows;
            let other = numeric[matrix * rows * columns + swapped];
            (element.analytic - other).abs() <= NEAR * other.abs() + element.numeric.error
        })
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= NEAR * b.abs()
}
