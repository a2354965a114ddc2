//! What is in a tensor, and where: unique elements, counts, histograms, positions. The shape of most
//! of these depends on the elements, so that they are functions of tensors, not of nodes of a tape.

use std::cmp::Ordering;

use crate::create::allocatable_len;
use crate::kernels::threads::parallel_chunks_mut;
use crate::kernels::{self, Order, is_nan};
use crate::tensor::with_elem;
use crate::{DType, Elem, Error, Float, Result, Shape, Tensor};

/// How many searches a task has.
const SEARCHES: usize = 1 << 12;

/// Elements without repetitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Unique {
    /// Each element once.
    pub values: Tensor,
    /// Of each element of the input, in its shape, the index of its value.
    pub inverse: Tensor,
    /// How often each value is there.
    pub counts: Tensor,
}

/// Which side of equal elements is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Side {
    /// Before the first of them.
    #[default]
    Left,
    /// After the last of them.
    Right,
}

impl Tensor {
    /// Each element once, in ascending order, with the places of all elements among them and their
    /// counts. Each NaN is an element of its own, and the last.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let found = Tensor::from([3, 1, 3, 2]).unique()?;
    /// assert_eq!(found.values, Tensor::from([1, 2, 3]));
    /// assert_eq!(found.inverse, Tensor::from([2, 0, 2, 1]));
    /// assert_eq!(found.counts, Tensor::from([1, 1, 2]));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no memory for the result.
    pub fn unique(&self) -> Result<Unique> {
        let line = self.flatten();
        let mut order = Tensor::zeros(line.shape().clone(), DType::I64)?;
        kernels::arg_sort(&line, 0, Order::Ascending, &mut order)?;
        self.runs(kernels::copied::<i64>(&order).into_iter().map(|i| i as usize))
    }

    /// Each run of equal elements once, in their order, with the runs of all elements and their
    /// lengths.
    ///
    /// # Errors
    /// There is no memory for the result.
    pub fn unique_consecutive(&self) -> Result<Unique> {
        self.runs(0..self.len())
    }

    /// The runs of equal elements among all elements in some order.
    fn runs(&self, order: impl Iterator<Item = usize>) -> Result<Unique> {
        allocatable_len::<i64>(self.shape())?;
        let mut inverse = vec![0_i64; self.len()];
        let mut counts: Vec<i64> = Vec::new();
        with_elem!(self.dtype(), T => {
            let elements = kernels::copied::<T>(self);
            let mut values: Vec<T> = Vec::new();
            for i in order {
                match counts.last_mut() {
                    Some(count) if values.last() == Some(&elements[i]) => *count += 1,
                    _ => {
                        values.push(elements[i]);
                        counts.push(1);
                    }
                }
                inverse[i] = values.len() as i64 - 1;
            }
            Ok(Unique {
                values: Tensor::new(values.len(), values)?,
                inverse: Tensor::new(self.shape().clone(), inverse)?,
                counts: Tensor::new(counts.len(), counts)?,
            })
        })
    }

    /// How often each integer from 0 on is there, up to the largest one and for at least `minlength`
    /// of them; with weights, the sum of the weights of each, in `f64` but for weights of `f32`.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let counts = Tensor::from([1, 1, 3]).bincount(None, 0)?;
    /// assert_eq!(counts, Tensor::from([0, 2, 0, 1]));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// Floats, another number of axes than one, a negative integer, weights of another shape, or no
    /// memory for so many counts.
    pub fn bincount(&self, weights: Option<&Tensor>, minlength: usize) -> Result<Tensor> {
        let operation = "bincount";
        if self.dtype() != DType::I64 {
            let (given, expected) = (self.dtype(), DType::I64);
            return Err(Error::DType { operation, given, expected });
        }
        if self.rank() != 1 {
            let why = format!("integers along one axis are counted, given {}", self.shape());
            return Err(Error::Axes { operation, why });
        }
        let integers = kernels::copied::<i64>(self);
        if let Some(&least) = integers.iter().find(|&&integer| integer < 0) {
            let (name, given, expected) = ("an integer", least as f64, "0 or more");
            return Err(Error::OutOfRange { operation, name, given, expected });
        }
        let largest = integers.iter().max().map_or(0, |&largest| largest as usize + 1);
        let shape = Shape::from(largest.max(minlength));
        let len = allocatable_len::<f64>(&shape)?;
        let Some(weights) = weights else {
            let mut counts = vec![0_i64; len];
            integers.iter().for_each(|&integer| counts[integer as usize] += 1);
            return Tensor::new(shape, counts);
        };
        if weights.shape() != self.shape() {
            let (left, right) = (self.shape().clone(), weights.shape().clone());
            let why = "there is a weight for each integer";
            return Err(Error::Shape { operation, left, right, why });
        }
        let mut sums = vec![0.0; len];
        for (&integer, weight) in integers.iter().zip(weights.to_f64s()) {
            sums[integer as usize] += weight;
        }
        let sums = Tensor::new(shape, sums)?;
        Ok(if weights.dtype() == DType::F32 { sums.to_dtype(DType::F32) } else { sums })
    }

    /// How many elements lie in each of `bins` intervals of equal length between `min` and `max`, in
    /// the element type; integers are counted as `f64`. An interval has its lower end, and the last one
    /// both. Elements outside, and NaN, are not counted.
    ///
    /// Where `min` and `max` are equal, they are the smallest and the largest element, or, if these are
    /// equal, 1 less and 1 more.
    ///
    /// # Errors
    /// No bins, or more than there is memory for; a `min` above `max`; an end that is not finite.
    pub fn histc(&self, bins: usize, min: f64, max: f64) -> Result<Tensor> {
        match self.dtype() {
            DType::F32 => self.histogram::<f32>(bins, min, max),
            DType::F64 => self.histogram::<f64>(bins, min, max),
            DType::I64 => self.to_dtype(DType::F64).histogram::<f64>(bins, min, max),
        }
    }

    fn histogram<T: Float>(&self, bins: usize, min: f64, max: f64) -> Result<Tensor> {
        let operation = "histc";
        let refuse =
            |name, given, expected| Err(Error::OutOfRange { operation, name, given, expected });
        let elements = kernels::copied::<T>(self);
        let (mut min, mut max) = (min, max);
        if min == max && !elements.is_empty() {
            let all = || elements.iter().map(|x| x.to_f64());
            let either = |take: fn(f64, f64) -> f64| {
                // A NaN among them is no end.
                all().reduce(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { take(a, b) })
            };
            min = either(f64::min).unwrap_or(min);
            max = either(f64::max).unwrap_or(max);
        }
        if min == max {
            (min, max) = (min - 1.0, max + 1.0);
        }
        if bins == 0 {
            return refuse("the number of bins", 0.0, "at least 1");
        }
        if !min.is_finite() {
            return refuse("min", min, "a finite number");
        }
        if !max.is_finite() {
            return refuse("max", max, "a finite number");
        }
        if min > max {
            return refuse("min", min, "at most max");
        }
        let shape = Shape::from(bins);
        let mut counts = vec![0_u64; allocatable_len::<u64>(&shape)?];
        let (low, high, count) = (T::of(min), T::of(max), T::of(bins as f64));
        for x in elements {
            if x >= low && x <= high {
                // In the precision of the elements, so that 0.3 is where the third tenth begins.
                let bin = ((x - low) * count / (high - low)).to_f64() as usize;
                counts[bin.min(bins - 1)] += 1;
            }
        }
        Tensor::new(shape, counts.into_iter().map(|count| T::of(count as f64)).collect::<Vec<T>>())
    }

    /// Where `values` would be inserted into this tensor, which is sorted along its last axis, so that
    /// it stays so. A tensor of one axis takes values of any shape; of more axes, values with the same
    /// lengths but the last, each in its own line. NaN counts as the largest.
    ///
    /// ```
    /// use lossgraph_tensor::{Side, Tensor};
    ///
    /// let sorted = Tensor::from([1.0, 3.0, 3.0, 5.0]);
    /// let values = Tensor::from([3.0, 9.0]);
    /// assert_eq!(sorted.searchsorted(&values, Side::Left)?, Tensor::from([1, 4]));
    /// assert_eq!(sorted.searchsorted(&values, Side::Right)?, Tensor::from([3, 4]));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// A scalar; shapes that do not fit.
    pub fn searchsorted(&self, values: &Tensor, side: Side) -> Result<Tensor> {
        let (shape, of_values) = (self.shape(), values.shape());
        let Some((&len, lines)) = shape.split_last() else {
            let (operation, shape) = ("searchsorted", shape.clone());
            return Err(Error::Axis { operation, axis: -1, shape });
        };
        let fits = of_values.split_last().is_some_and(|(_, others)| others == lines);
        if !lines.is_empty() && !fits {
            let (left, right) = (shape.clone(), of_values.clone());
            let why = "the values have a line for each sorted line";
            return Err(Error::Shape { operation: "searchsorted", left, right, why });
        }
        let dtype = match (self.dtype(), values.dtype()) {
            (a, b) if a == b => a,
            _ => DType::F64,
        };
        let (sorted, values) = (self.to_dtype(dtype), values.to_dtype(dtype));
        let count = if lines.is_empty() { values.len() } else { of_values[lines.len()] };
        with_elem!(dtype, T => {
            let (sorted, elements) = (kernels::copied::<T>(&sorted), kernels::copied::<T>(&values));
            let mut places = vec![0_i64; elements.len()];
            parallel_chunks_mut(&mut places, SEARCHES, |task, places| {
                let first = task * SEARCHES;
                for ((n, place), value) in (first..).zip(places).zip(&elements[first..]) {
                    let line = &sorted[n / count.max(1) * len..][..len];
                    *place = line.partition_point(|x| match nan_last(x, value) {
                        Ordering::Less => true,
                        Ordering::Equal => side == Side::Right,
                        Ordering::Greater => false,
                    }) as i64;
                }
            });
            Tensor::new(of_values.clone(), places)
        })
    }

    /// In which interval between sorted boundaries each element lies: [`searchsorted`](
    /// Tensor::searchsorted) from the side of the values.
    ///
    /// # Errors
    /// Boundaries of another number of axes than one.
    pub fn bucketize(&self, boundaries: &Tensor, side: Side) -> Result<Tensor> {
        if boundaries.rank() != 1 {
            let why = format!("boundaries lie along one axis, given {}", boundaries.shape());
            return Err(Error::Axes { operation: "bucketize", why });
        }
        boundaries.searchsorted(self, side)
    }

    /// The indices of all elements that are not 0, NaN included, one after another: `[count, axes]`.
    ///
    /// # Errors
    /// There is no memory for the result.
    pub fn nonzero(&self) -> Result<Tensor> {
        let found: Vec<usize> = with_elem!(self.dtype(), T => {
            let elements = kernels::copied::<T>(self).into_iter().enumerate();
            elements.filter(|(_, x)| *x != T::ZERO).map(|(i, _)| i).collect()
        });
        let shape = Shape::from([found.len(), self.rank()]);
        let mut indices = vec![0_i64; allocatable_len::<i64>(&shape)?];
        for (index, mut n) in indices.chunks_exact_mut(self.rank().max(1)).zip(found) {
            for (i, &dim) in index.iter_mut().zip(self.shape().iter()).rev() {
                (*i, n) = ((n % dim) as i64, n / dim);
            }
        }
        Tensor::new(shape, indices)
    }

    /// The elements where a mask is not 0, along one axis. Both broadcast.
    ///
    /// # Errors
    /// Shapes that do not broadcast.
    pub fn masked_select(&self, mask: &Tensor) -> Result<Tensor> {
        let (left, right) = (self.shape().clone(), mask.shape().clone());
        let Some(shape) = left.broadcast(&right) else {
            let why = "they do not broadcast";
            return Err(Error::Shape { operation: "masked_select", left, right, why });
        };
        allocatable_len::<f64>(&shape)?;
        let (x, mask) = (self.expand(shape.clone())?, mask.expand(shape)?);
        let chosen: Vec<bool> = with_elem!(mask.dtype(), T => {
            kernels::copied::<T>(&mask).into_iter().map(|x| x != T::ZERO).collect()
        });
        with_elem!(x.dtype(), T => {
            let all = kernels::copied::<T>(&x).into_iter().zip(chosen);
            let found: Vec<T> = all.filter(|(_, chosen)| *chosen).map(|(x, _)| x).collect();
            Tensor::new(found.len(), found)
        })
    }
}

fn nan_last<T: Elem>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| is_nan(*a).cmp(&is_nan(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nan_is_unique() {
        let x = Tensor::from([f64::NAN, 1.0, f64::NAN, -0.0, 0.0]);
        let found = x.unique().unwrap();
        assert_eq!(found.values.to_f64s()[..2], [0.0, 1.0]);
        assert_eq!(found.values.len(), 4);
        assert_eq!(found.inverse, Tensor::from([2, 1, 3, 0, 0]));
        assert_eq!(found.counts, Tensor::from([2, 1, 1, 1]));
        let nothing = Tensor::zeros([0, 2], DType::F32).unwrap().unique().unwrap();
        assert_eq!((nothing.values.len(), nothing.inverse.shape()[..].to_vec()), (0, vec![0, 2]));
    }

    #[test]
    fn runs_are_unique_where_they_stand() {
        let found = Tensor::from([[2, 2, 1], [1, 2, 2]]).unique_consecutive().unwrap();
        assert_eq!(found.values, Tensor::from([2, 1, 2]));
        assert_eq!(found.inverse, Tensor::from([[0, 0, 1], [1, 2, 2]]));
        assert_eq!(found.counts, Tensor::from([2, 2, 2]));
    }

    #[test]
    fn integers_are_counted_and_weighted() {
        let x = Tensor::from([1, 1, 3]);
        assert_eq!(x.bincount(None, 6).unwrap(), Tensor::from([0, 2, 0, 1, 0, 0]));
        let weights = Tensor::from([0.5_f32, 0.25, 2.0]);
        let sums = x.bincount(Some(&weights), 0).unwrap();
        assert_eq!(sums, Tensor::from([0.0_f32, 0.75, 0.0, 2.0]));
        let nothing = Tensor::zeros([0], DType::I64).unwrap();
        assert_eq!(nothing.bincount(None, 2).unwrap(), Tensor::from([0, 0]));
        assert_eq!(nothing.bincount(None, 0).unwrap().len(), 0);
        let error = Tensor::from([2, -1]).bincount(None, 0).err().unwrap().to_string();
        assert_eq!(error, "bincount: an integer is -1, expected 0 or more");
        assert!(Tensor::from([1.0]).bincount(None, 0).is_err());
        assert!(Tensor::from([[1]]).bincount(None, 0).is_err());
        assert!(x.bincount(Some(&Tensor::from([1.0])), 0).is_err());
    }

    #[test]
    fn counts_that_no_memory_holds_are_refused() {
        let x = Tensor::from([1]);
        for minlength in [usize::MAX, 1 << 60, 1 << 50] {
            assert!(matches!(x.bincount(None, minlength), Err(Error::TooLarge { .. })));
            assert!(matches!(x.histc(minlength, 0.0, 1.0), Err(Error::TooLarge { .. })));
        }
        assert!(Tensor::from([i64::MAX]).bincount(None, 0).is_err());
    }

    #[test]
    fn a_histogram_has_its_upper_end_in_the_last_bin() {
        let x = Tensor::from([1.0, 2.0, 3.0, f64::NAN]);
        assert_eq!(x.histc(4, 0.0, 4.0).unwrap(), Tensor::from([0.0, 1.0, 1.0, 1.0]));
        let x = Tensor::from([1.0, 2.0, 1.0]);
        assert_eq!(x.histc(4, 0.0, 0.0).unwrap(), Tensor::from([2.0, 0.0, 0.0, 1.0]));
        assert_eq!(x.histc(2, 3.0, 3.0).unwrap(), Tensor::from([2.0, 1.0]));
        let same = Tensor::from([2.0, 2.0]).histc(4, 0.0, 0.0).unwrap();
        assert_eq!(same, Tensor::from([0.0, 0.0, 2.0, 0.0]));
        let tenths = Tensor::from([0.7_f32, 0.3, 0.1]).histc(10, 0.0, 1.0).unwrap();
        assert_eq!(tenths.to_f64s(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(Tensor::zeros([0], DType::F64).unwrap().histc(3, 0.0, 0.0).unwrap().len(), 3);
    }

    #[test]
    fn ends_of_a_histogram_are_finite_and_in_order() {
        let x = Tensor::from([1.0, f64::INFINITY]);
        assert!(x.histc(2, 0.0, 0.0).is_err());
        assert!(Tensor::from([1.0, f64::NAN]).histc(2, 0.0, 0.0).is_err());
        assert!(x.histc(0, 0.0, 1.0).is_err());
        assert!(x.histc(2, 3.0, 1.0).is_err());
        assert!(x.histc(2, f64::NAN, 1.0).is_err());
        assert_eq!(x.histc(2, 0.0, 2.0).unwrap(), Tensor::from([0.0, 1.0]));
    }

    #[test]
    fn each_line_is_searched_by_its_own_values() {
        let sorted = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        let values = Tensor::from([[1.0, 2.0, 9.0], [3.0, 3.0, 3.0]]);
        let left = sorted.searchsorted(&values, Side::Left).unwrap();
        assert_eq!(left, Tensor::from([[0, 1, 2], [0, 0, 0]]));
        let right = sorted.searchsorted(&values, Side::Right).unwrap();
        assert_eq!(right, Tensor::from([[1, 2, 2], [1, 1, 1]]));
        assert!(sorted.searchsorted(&Tensor::from([1.0]), Side::Left).is_err());
        assert!(Tensor::from(1.0).searchsorted(&values, Side::Left).is_err());
        let line = Tensor::from([1.0, 2.0, f64::NAN]);
        let of = |value: f64, side| line.searchsorted(&value.into(), side).unwrap().item().unwrap();
        assert_eq!((of(f64::NAN, Side::Left), of(f64::NAN, Side::Right)), (2.0, 3.0));
        assert_eq!((of(1.5, Side::Left), of(9.0, Side::Left)), (1.0, 2.0));
        let mixed = Tensor::from([1, 2]).bucketize(&Tensor::from([1.5]), Side::Left).unwrap();
        assert_eq!(mixed, Tensor::from([0, 1]));
        assert!(line.bucketize(&sorted, Side::Left).is_err());
    }

    #[test]
    fn what_is_not_zero_is_found() {
        let x = Tensor::from([[1.0, 0.0], [f64::NAN, 2.0]]);
        assert_eq!(x.nonzero().unwrap(), Tensor::from([[0, 0], [1, 0], [1, 1]]));
        assert_eq!(Tensor::from(3.0).nonzero().unwrap().shape()[..], [1, 0]);
        assert_eq!(Tensor::from(0.0).nonzero().unwrap().shape()[..], [0, 0]);
        let x = Tensor::from([1.0, 2.0]);
        let mask = Tensor::from([[1], [0]]);
        assert_eq!(x.masked_select(&mask).unwrap(), x);
        assert!(x.masked_select(&Tensor::from([1, 0, 1])).is_err());
    }
}
