//! Pictures of other sizes.

use std::sync::Arc;

use lossgraph_tensor::kernels::{self, SparseMatrix};
use lossgraph_tensor::{DType, IntoAxis, Shape, Tensor};

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule, one};
use super::table::{CUBE, Row, op};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// To which size, and how, pictures of `N` axes are interpolated: by default to the nearest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interpolate<const N: usize> {
    /// The size of the result.
    pub to: Resize<N>,
    /// What stands between the elements of the input.
    pub mode: Interpolation,
    /// Whether the centers of the first and the last elements of input and output coincide, and not
    /// their outer edges. Not for the nearest.
    pub align_corners: bool,
}

/// The size of an interpolated picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resize<const N: usize> {
    /// So long along each axis.
    Size([usize; N]),
    /// So many times as long along each axis, rounded down. Between its elements, distances are
    /// measured by the factor itself, as in PyTorch.
    #[doc(alias = "scale_factor")]
    Scale([f64; N]),
}

/// What stands between the elements of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The element whose edge is the next one before, as PyTorch's `nearest` and OpenCV's.
    Nearest,
    /// The element whose center is the nearest.
    NearestExact,
    /// Linear along each axis: `linear`, `bilinear`, `trilinear`.
    #[doc(alias = "bilinear")]
    Linear,
    /// Cubic along each axis, with the parameter −0.75: `bicubic`.
    #[doc(alias = "bicubic")]
    Cubic,
}

impl<const N: usize> Interpolate<N> {
    /// To a size, by the nearest.
    pub fn size(size: [usize; N]) -> Interpolate<N> {
        let to = Resize::Size(size);
        Interpolate { to, mode: Interpolation::Nearest, align_corners: false }
    }

    /// By factors, by the nearest.
    pub fn scale(factors: [f64; N]) -> Interpolate<N> {
        Interpolate { to: Resize::Scale(factors), ..Interpolate::size([1; N]) }
    }
}

/// What the elements of the output along one axis are read from.
struct Resampling {
    from: usize,
    to: usize,
    /// The distance, in the input, of neighbours in the output.
    scale: f64,
    mode: Interpolation,
    align_corners: bool,
    /// In which type positions are computed: roundings decide which element is the nearest.
    dtype: DType,
}

impl Resampling {
    fn rounded(&self, x: f64) -> f64 {
        if self.dtype == DType::F64 { x } else { f64::from(x as f32) }
    }

    /// Where the center of an element of the output lies in the input.
    fn center(&self, i: usize) -> f64 {
        if self.align_corners {
            return self.rounded(self.scale * i as f64);
        }
        self.rounded(self.rounded(self.scale * self.rounded(i as f64 + 0.5)) - 0.5)
    }

    /// An index of the input, held on the axis.
    fn on_axis(&self, at: f64) -> i64 {
        at.clamp(0.0, (self.from - 1) as f64) as i64
    }

    /// The one element that is read for each of the output.
    fn nearest(&self) -> Vec<i64> {
        let at = |i: usize| match self.mode {
            // PyTorch rounds down in single precision.
            Interpolation::Nearest => self.rounded(self.scale * i as f64) as f32,
            _ => self.rounded(self.center(i).max(0.0) + 0.5) as f32,
        };
        (0..self.to).map(|i| self.on_axis(f64::from(at(i).floor()))).collect()
    }

    /// What is summed for each element of the output.
    fn weights(&self) -> SparseMatrix {
        let last = (self.from - 1) as f64;
        let row = |i: usize| {
            let center = self.center(i);
            let at = if self.mode == Interpolation::Linear { center.max(0.0) } else { center };
            let before = at.floor().min(last);
            let t = self.rounded(at - before).clamp(0.0, 1.0);
            let entry =
                |k: i32, weight: f64| (self.on_axis(before + f64::from(k)) as usize, weight);
            match self.mode {
                Interpolation::Linear => vec![entry(0, 1.0 - t), entry(1, t)],
                _ => (-1..3).map(|k| entry(k, cubic((t - f64::from(k)).abs()))).collect(),
            }
        };
        SparseMatrix::from_rows(self.from, (0..self.to).map(row))
    }
}

/// The weight of an element at a distance.
fn cubic(distance: f64) -> f64 {
    const A: f64 = -0.75;
    if distance <= 1.0 {
        ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
    } else {
        A * (((distance - 5.0) * distance + 8.0) * distance - 4.0)
    }
}

impl<'t> Var<'t> {
    /// Pictures of another size: the last `N` axes, `[…, height, width]`, become as long as asked for.
    ///
    /// ```text
    /// y[i] = (1 − t)·x[a] + t·x[a + 1]    with a + t = scale·(i + ½) − ½, held on the axis: linear
    /// y[i] = x[⌊scale·i⌋]                 nearest
    /// ```
    ///
    /// The scale is `length / output`, or one over the given factor; with `align_corners`, the position
    /// is `i·(length − 1)/(output − 1)`. An axis that keeps its length stays as
    /// it is, whatever the factor, but for `NearestExact` and `Cubic`. PyTorch agrees, but for the values
    /// of the nearest along a single axis, whose slopes are those of what stays. Of integers, the nearest
    /// are integers.
    ///
    /// ```
    /// use lossgraph_autograd::{Interpolate, Interpolation, Tape};
    ///
    /// let tape = Tape::f64();
    /// let x = tape.variable([1.0, 5.0]);
    /// let y = x.interpolate(Interpolate::scale([2.0]));
    /// assert_eq!(y.value()?.to_f64s(), [1.0, 1.0, 5.0, 5.0]);
    /// let linear = Interpolate { mode: Interpolation::Linear, ..Interpolate::size([4]) };
    /// assert_eq!(x.interpolate(linear).value()?.to_f64s(), [1.0, 2.0, 4.0, 5.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as a fault: fewer than `N` axes, an empty one, a result without elements, a factor that
    /// is not positive and finite, or `align_corners` of the nearest.
    #[doc(alias = "upsample")]
    #[doc(alias = "resize")]
    #[track_caller]
    pub fn interpolate<const N: usize>(self, options: Interpolate<N>) -> Var<'t> {
        let _call = self.tape().call("interpolate");
        if self.is_faulty() {
            return self;
        }
        let refuse = |why: &str, cure: &str| {
            self.tape().fault(Fault::new("interpolate", why).operand("input", self).cure(cure))
        };
        if self.rank() < N || self.shape()[self.rank() - N..].contains(&0) {
            let why = format!("it interpolates the last {N} axes, none of them empty");
            return refuse(&why, "an input of [batch, channels, …]");
        }
        let Interpolate { to, mode, align_corners } = options;
        let nearest = matches!(mode, Interpolation::Nearest | Interpolation::NearestExact);
        if align_corners && nearest {
            return refuse("the nearest does not align corners", "Interpolation::Linear");
        }
        if let Resize::Scale(factors) = to
            && let Some(odd) = factors.iter().find(|&&factor| !(factor > 0.0 && factor.is_finite()))
        {
            return refuse(&format!("a factor is {odd}"), "a factor that is positive and finite");
        }
        let mut y = self;
        for i in (0..N).rev() {
            let axis = i as isize - N as isize;
            let (from, dtype) = (self.dim(axis), self.tape().dtype());
            let (to, factor) = match to {
                Resize::Size(size) => (size[i], None),
                Resize::Scale(factors) => ((from as f64 * factors[i]) as usize, Some(factors[i])),
            };
            if to == 0 {
                return refuse("nothing is left of an axis", "a larger size, or a larger factor");
            }
            if Tensor::zeros([4, to], DType::F64).is_err() {
                return refuse("an axis is longer than memory", "a smaller size or factor");
            }
            let mut along = Resampling { from, to, scale: 0.0, mode, align_corners, dtype };
            along.scale = along.rounded(match factor {
                _ if align_corners && to == 1 => 0.0,
                _ if align_corners => (from - 1) as f64 / (to - 1) as f64,
                Some(factor) => 1.0 / factor,
                None => from as f64 / to as f64,
            });
            if from == to
                && (along.scale == 1.0
                    || matches!(mode, Interpolation::Nearest | Interpolation::Linear))
            {
                continue;
            }
            let read =
                |x: Var<'t>, index: Vec<i64>| x.index_select(axis, self.tape().constant(index));
            if nearest {
                y = read(y, along.nearest());
                continue;
            }
            y = y.to_float().sparse_matmul(axis, Arc::new(along.weights()));
        }
        if nearest { y } else { y.to_float() }
    }
}

/// The product with a sparse matrix of fixed numbers, along an axis.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(crate) struct SparseMatMul {
    axis: usize,
    matrix: Arc<SparseMatrix>,
}

impl Family for SparseMatMul {
    fn name(&self) -> &'static str {
        "sparse_matmul"
    }

    fn attributes(&self) -> String {
        let [rows, columns] = self.matrix.size();
        format!("axis {}, {rows} × {columns}", self.axis)
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        one(rule.g.sparse_matmul(self.axis, Arc::new(self.matrix.transposed())))
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::sparse_matmul(&self.matrix, inputs[0], self.axis, out)
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

impl<'t> Var<'t> {
    /// The product with a matrix that has a column for each element of an axis of this.
    #[track_caller]
    fn sparse_matmul(self, axis: impl IntoAxis, matrix: Arc<SparseMatrix>) -> Var<'t> {
        let axis = axis.into_axis().rem_euclid(self.rank() as isize) as usize;
        let mut dims = self.shape().to_vec();
        dims[axis] = matrix.size()[0];
        let op = Op::SparseMatMul(SparseMatMul { axis, matrix });
        self.tape().record(op, &[self], Shape::from(dims), self.dtype())
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] =
    &[op("interpolate", "composed", "a picture of another size", &[CUBE], |x| {
        let linear = Interpolate { mode: Interpolation::Linear, ..Interpolate::size([5, 3]) };
        x[0].interpolate(linear)
    })];
