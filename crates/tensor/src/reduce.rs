//! Sums, means, deviations and extremes along axes.

use crate::kernels::{self, Extreme, Map1, ReduceOp};
use crate::{Axes, AxisSet, DType, Error, IntoAxes, IntoAxis, Result, Shape, Tensor, keep, map1};

static SQRT: Map1 = map1!(|x, p| x.sqrt());

impl Tensor {
    /// The sum along `axes`: `1`, `[0, 2]`, or `..` for all; see [`keep`](crate::keep). It is added up
    /// in `f64`, and of the tensor's type. Integers wrap.
    ///
    /// ```
    /// use lossgraph_tensor::{Tensor, keep};
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum(0)?, Tensor::from([4.0, 6.0]));
    /// assert_eq!(x.sum(..)?.item()?, 10.0);
    /// assert_eq!((&x / x.sum(keep(1)))?.get([1, 0])?, 3.0 / 7.0);
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such axis, or one is named twice.
    pub fn sum(&self, axes: impl IntoAxes) -> Result<Tensor> {
        self.reduced("sum", ReduceOp::Sum, &axes.into_axes())
    }

    /// The mean along `axes`, computed in `f64` and of the tensor's type; of integers, in `f64`. NaN
    /// over nothing.
    ///
    /// # Errors
    /// As for [`sum`](Tensor::sum).
    pub fn mean(&self, axes: impl IntoAxes) -> Result<Tensor> {
        let mean = self.to_dtype(DType::F64).mean_of("mean", &axes.into_axes())?;
        Ok(mean.to_dtype(self.dtype_of_means()))
    }

    /// The standard deviation along `axes`, `√(Σ(x − mean)² / (n − correction))`, computed in `f64`
    /// and of the tensor's type; of integers, in `f64`. With `correction` 1 its square is the unbiased
    /// estimate (Bessel), with 0 the mean squared deviation.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 10.0], [3.0, 30.0]]);
    /// let normalized = ((&x - x.mean(0)) / x.std(0, 0.0)?)?;
    /// assert_eq!(normalized, Tensor::from([[-1.0, -1.0], [1.0, 1.0]]));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`sum`](Tensor::sum).
    pub fn std(&self, axes: impl IntoAxes, correction: f64) -> Result<Tensor> {
        let (x, axes) = (self.to_dtype(DType::F64), axes.into_axes());
        let count = resolved("std", &axes, self.shape())?.1 as f64;
        let deviation = (&x - x.mean_of("std", &keep(axes.clone())))?;
        let squares = (&deviation * &deviation)?.reduced("std", ReduceOp::Sum, &axes)?;
        let variance = (squares / (count - correction).max(0.0))?;
        let mut out = variance.copied();
        kernels::map1(&SQRT, &variance, [0.0; 2], &mut out)?;
        Ok(out.to_dtype(self.dtype_of_means()))
    }

    /// The largest along `axes`; NaN if there is one.
    ///
    /// # Errors
    /// As for [`sum`](Tensor::sum); an empty axis.
    #[doc(alias = "amax")]
    pub fn max(&self, axes: impl IntoAxes) -> Result<Tensor> {
        self.reduced("max", ReduceOp::Max, &axes.into_axes())
    }

    /// The smallest along `axes`; NaN if there is one.
    ///
    /// # Errors
    /// As for [`sum`](Tensor::sum); an empty axis.
    #[doc(alias = "amin")]
    pub fn min(&self, axes: impl IntoAxes) -> Result<Tensor> {
        self.reduced("min", ReduceOp::Min, &axes.into_axes())
    }

    /// The index of the first largest element along an axis, which is dropped; that of a NaN, if
    /// there is one.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let scores = Tensor::from([[0.1, 0.9], [0.8, 0.2]]);
    /// assert_eq!(scores.argmax(1)?, Tensor::from([1, 0]));
    /// assert_eq!(scores.flatten().argmax(0)?, Tensor::from(1));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such axis, or it is empty.
    pub fn argmax(&self, axis: impl IntoAxis) -> Result<Tensor> {
        self.arg_extreme(Extreme::Max, axis.into_axis())
    }

    /// The index of the first smallest element along an axis: see [`argmax`](Tensor::argmax).
    ///
    /// # Errors
    /// There is no such axis, or it is empty.
    pub fn argmin(&self, axis: impl IntoAxis) -> Result<Tensor> {
        self.arg_extreme(Extreme::Min, axis.into_axis())
    }

    fn dtype_of_means(&self) -> DType {
        if self.dtype().is_float() { self.dtype() } else { DType::F64 }
    }

    fn mean_of(&self, operation: &'static str, axes: &Axes) -> Result<Tensor> {
        let count = resolved(operation, axes, self.shape())?.1;
        self.reduced(operation, ReduceOp::Sum, axes)? / count as f64
    }

    fn reduced(&self, operation: &'static str, op: ReduceOp, axes: &Axes) -> Result<Tensor> {
        let (set, _) = resolved(operation, axes, self.shape())?;
        if set.is_empty() {
            return Ok(self.clone());
        }
        let dims = |of_reduced: Option<usize>| -> Vec<usize> {
            let dim = |axis| if set.contains(axis) { of_reduced } else { Some(self.shape()[axis]) };
            (0..self.rank()).filter_map(dim).collect()
        };
        // Floats are added up in `f64`, integers as they are.
        let is_wide = op == ReduceOp::Sum && self.dtype().is_float();
        let x = if is_wide { &self.to_dtype(DType::F64) } else { self };
        let mut out = Tensor::zeros(dims(Some(1)), x.dtype())?;
        kernels::reduce(op, x, set, &mut out)?;
        let out = out.to_dtype(self.dtype());
        if axes.are_kept() { Ok(out) } else { out.reshape(dims(None)) }
    }

    fn arg_extreme(&self, extreme: Extreme, axis: isize) -> Result<Tensor> {
        let (operation, shape) = (extreme.operation(), self.shape());
        let error = || Error::Axis { operation, axis, shape: shape.clone() };
        let axis = shape.axis(axis).ok_or_else(error)?;
        let mut dims = shape.to_vec();
        dims[axis] = 1;
        let mut out = Tensor::zeros(dims, DType::I64)?;
        kernels::arg_extreme(extreme, self, axis, &mut out)?;
        out.squeeze(axis)
    }
}

/// Axes as a set, and how many elements are reduced to one.
fn resolved(operation: &'static str, axes: &Axes, shape: &Shape) -> Result<(AxisSet, usize)> {
    let set = axes.of(shape).map_err(|why| Error::Axes { operation, why })?;
    Ok((set, set.iter().map(|axis| shape[axis]).product()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cube(dtype: DType) -> Tensor {
        Tensor::arange(24, dtype).unwrap().reshape([2, 3, 4]).unwrap()
    }

    #[test]
    fn reductions_of_all_types_agree_over_every_axis() -> Result<()> {
        for dtype in [DType::F32, DType::F64, DType::I64] {
            let x = cube(dtype).transpose(0, 2)?;
            assert_eq!(x.sum(0)?.to_f64s(), [6.0, 54.0, 22.0, 70.0, 38.0, 86.0]);
            assert_eq!(x.sum([0, -1])?.to_f64s(), [60.0, 92.0, 124.0]);
            assert_eq!(x.max([1, 2])?.to_f64s(), [20.0, 21.0, 22.0, 23.0]);
            assert_eq!(x.min(keep(..))?.shape()[..], [1, 1, 1]);
            assert_eq!(x.mean(..)?.item(), Ok(11.5));
            assert_eq!(x.std([0, 1], 1.0)?.to_f64s()[0], x.std([0, 1], 1.0)?.to_f64s()[1]);
            assert_eq!(x.argmax(1)?.to_f64s(), [2.0; 8]);
            assert_eq!(x.sum(1)?.dtype(), dtype);
        }
        Ok(())
    }

    #[test]
    fn a_long_sum_of_single_precision_is_not_rounded_on_the_way() -> Result<()> {
        let x = Tensor::from(vec![0.1_f32; 1 << 20]);
        let exact = f64::from(0.1_f32) * f64::from(1 << 20);
        assert_eq!(x.sum(..)?.item()?, f64::from(exact as f32));
        assert_eq!(x.mean(..)?.item()?, f64::from(0.1_f32));
        Ok(())
    }

    #[test]
    fn large_integers_are_reduced_exactly() -> Result<()> {
        let x = Tensor::from([i64::MAX, -1, 1 << 60]);
        assert_eq!(x.max(..)?, Tensor::from(i64::MAX));
        assert_eq!(x.sum(0)?, Tensor::from((i64::MAX - 1).wrapping_add(1 << 60)));
        Ok(())
    }

    #[test]
    fn nothing_has_a_sum_and_no_extreme() -> Result<()> {
        for dtype in [DType::F64, DType::I64] {
            let x = Tensor::zeros([0, 2], dtype)?;
            assert_eq!(x.sum(0)?.to_f64s(), [0.0, 0.0]);
            assert_eq!(x.sum(1)?.shape()[..], [0]);
            assert_eq!(x.max(1)?.shape()[..], [0]);
            assert!(x.mean(0)?.to_f64s().iter().all(|x| x.is_nan()));
            let error = x.min(0).err().unwrap().to_string();
            assert_eq!(error, "min: axis 0 of [0, 2] is empty, expected at least one element");
            assert!(x.argmax(0).is_err() && x.argmin(2).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_number_is_its_own_sum_and_extreme() -> Result<()> {
        for x in [Tensor::from(2.5), Tensor::from(2_i64)] {
            assert_eq!((x.sum(..)?, x.max(0)?, x.min(-1)?), (x.clone(), x.clone(), x.clone()));
            assert_eq!(x.mean(..)?.item(), x.item());
            assert_eq!(x.std(.., 0.0)?.item(), Ok(0.0));
        }
        Ok(())
    }

    #[test]
    fn axes_that_are_not_there_or_come_twice_are_an_error() {
        let x = cube(DType::F32);
        let error = x.std(3, 1.0).err().unwrap().to_string();
        assert_eq!(error, "std: there is no axis 3 in [2, 3, 4]");
        let error = x.mean([1, -2]).err().unwrap().to_string();
        assert_eq!(error, "mean: axis 1 is named twice");
    }
}
