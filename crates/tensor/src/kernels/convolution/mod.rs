//! Direct convolution of images: products with a matrix of windows (im2col) that is never
//! materialized.
//!
//! One sum ties three factors together, images `x`, weights `w` and results `y`, over windows `p`
//! and elements `k` of a window with stride `s` and dilation `d`:
//!
//! ```text
//! Σ x[n, i, s·p + d·k − padding] · w[o, i, k] · y[n, o, p]
//! ```
//!
//! Leaving one factor out gives a product of its shape, the three products of a [`Convolution`]:
//! the convolution, its transpose, and the correlation that sums up weights.
//!
//! An image is packed into the **planes** of a polyphase decomposition ([`planes`](super::planes)),
//! on which the element `k` of one window after another is contiguous. So a row of the matrix of
//! all windows is a slice of a plane, at an offset called the **tap**: the products are those of
//! matrices whose rows overlap.

mod direct;
mod weights;

use super::planes::{Axis, PhaseAxis, Planes, fit};
use super::simd::MAX_LEN;
use super::{input, output};
use crate::shape::checked_len;
use crate::{DType, Error, Result, Shape, Tensor, Window};

/// From how many multiplications on a product is computed in parallel.
const PARALLEL_THRESHOLD: usize = 1 << 18;

/// How many tasks there are at most.
const MAX_TASKS: usize = 16;

/// How many packed elements a task works on at a time: half of an L2 cache of 1 MiB, in `f32`.
const BLOCK: usize = 1 << 17;

/// Channels that are packed together, where they are side by side in vectors.
const PANEL: usize = 2 * MAX_LEN;

const TOO_LARGE: &str = "the windows reach farther than memory";

/// A convolution over two axes, with stride, dilation, padding and groups.
///
/// Images are `[batch, groups · in, height, width]`, weights `[groups · out, in, window, window]`,
/// and results `[batch, groups · out, windows, windows]`. What lies outside of an image is 0.
#[doc(alias = "conv2d")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// The windows along each axis of an image.
    pub windows: [Window; 2],
    /// How many positions there are before each axis.
    pub padding: [usize; 2],
    /// Groups of channels that do not mix.
    pub groups: usize,
}

impl Convolution {
    /// The convolution: `y[n, o, p] = b[o] + Σ x[n, i, s·p + d·k − padding] · w[o, i, k]` over `i`
    /// and `k`, in that order, from the bias on.
    pub fn results(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: Option<&Tensor>,
        y: &mut Tensor,
    ) -> Result<()> {
        let sizes = Sizes::of(self, x.shape(), w.shape(), y.shape())?;
        if let Some(bias) = bias.filter(|bias| bias.shape()[..] != w.shape()[..1]) {
            let (left, right) = (w.shape().clone(), bias.shape().clone());
            let why = "there is a bias for each channel of results";
            return Err(Error::Shape { operation: "convolution", left, right, why });
        }
        match y.dtype() {
            DType::F64 => direct::results::<f64>(&sizes, x, w, bias, y),
            _ => direct::results::<f32>(&sizes, x, w, bias, y),
        }
    }

    /// The transposed convolution: `x[n, i, q] = Σ w[o, i, k] · y[n, o, p]` over all
    /// `s·p + d·k − padding = q`.
    #[doc(alias = "conv_transpose2d")]
    pub fn images(&self, w: &Tensor, y: &Tensor, x: &mut Tensor) -> Result<()> {
        let sizes = Sizes::of(self, x.shape(), w.shape(), y.shape())?;
        match x.dtype() {
            DType::F64 => direct::images::<f64>(&sizes, w, y, x),
            _ => direct::images::<f32>(&sizes, w, y, x),
        }
    }

    /// The correlation of images and results:
    /// `w[o, i, k] = Σ x[n, i, s·p + d·k − padding] · y[n, o, p]` over `n` and `p`.
    pub fn weights(&self, x: &Tensor, y: &Tensor, w: &mut Tensor) -> Result<()> {
        let sizes = Sizes::of(self, x.shape(), w.shape(), y.shape())?;
        match w.dtype() {
            DType::F64 => weights::weights::<f64>(&sizes, x, y, w),
            _ => weights::weights::<f32>(&sizes, x, y, w),
        }
    }
}

/// The lengths of all axes.
struct Sizes {
    batch: usize,
    groups: usize,
    /// Channels of images in each group.
    ins: usize,
    /// Channels of results in each group.
    outs: usize,
    axes: [Axis; 2],
}

impl Sizes {
    fn of(of: &Convolution, x: &[usize], w: &[usize], y: &[usize]) -> Result<Sizes> {
        let error = |why: &'static str| Error::Shape {
            operation: "convolution",
            left: x.into(),
            right: w.into(),
            why,
        };
        let (&[batch, channels, height, width], &[to, ins, up, across]) = (x, w) else {
            return Err(error("images and weights have four axes"));
        };
        let Convolution { windows, padding, groups } = *of;
        if windows.map(|window| window.size) != [up, across] {
            return Err(error("the weights have the size of the window"));
        }
        if windows.iter().any(|window| window.stride == 0 || window.dilation == 0) {
            return Err(error("strides and dilations are not 0"));
        }
        if groups == 0 || ins.checked_mul(groups) != Some(channels) || !to.is_multiple_of(groups) {
            return Err(error("the groups divide the channels"));
        }
        if y.len() != 4 || y[..2] != [batch, to] {
            return Err(error("there is a result for each image and each channel of weights"));
        }
        let axes = [(0, height), (1, width)]
            .map(|(i, dim)| Axis::new(windows[i], padding[i], dim, y[2 + i]));
        let planes = batch.max(1).checked_mul(channels.max(to).max(1));
        // Weights are packed for several channels at a time.
        let packed = Shape::from([to, PANEL, ins, up, across]);
        if !planes.is_some_and(|planes| fit(axes, planes)) || checked_len(&packed).is_err() {
            return Err(error(TOO_LARGE));
        }
        Ok(Sizes { batch, groups, ins, outs: to / groups, axes })
    }

    /// The planes, if there is memory for them.
    fn allocatable<T>(&self, planes: Planes) -> Result<Planes> {
        if planes.have_room::<T>() { Ok(planes) } else { Err(self.too_large(planes.channels)) }
    }

    /// That there is no memory for images or results of so many channels.
    fn too_large(&self, channels: usize) -> Error {
        let [up, across] = self.axes.map(|axis| axis.window.size);
        let left = Shape::from([self.batch, channels, self.axes[0].dim, self.axes[1].dim]);
        let right = Shape::from([self.outs * self.groups, self.ins, up, across]);
        Error::Shape { operation: "convolution", left, right, why: TOO_LARGE }
    }

    /// Whether the work is too little for threads.
    fn is_sequential(&self) -> bool {
        let each = |axis: &Axis| axis.windows * axis.window.size;
        let planes = self.axes.iter().map(each).fold(1, usize::saturating_mul);
        let products = [self.batch, self.groups, self.ins, self.outs, planes];
        products.into_iter().fold(1, usize::saturating_mul) < PARALLEL_THRESHOLD
    }

    /// The elements of a window, in order.
    fn window(&self) -> impl Iterator<Item = [usize; 2]> {
        let [up, across] = self.axes.map(|axis| axis.window.size);
        (0..up).flat_map(move |i| (0..across).map(move |j| [i, j]))
    }

    /// The phases that the element `k` of a window lies on, and its offsets there.
    fn phases(&self, k: [usize; 2]) -> ([usize; 2], [usize; 2]) {
        let [(a, i), (b, j)] = [0, 1].map(|axis| self.axes[axis].phase(k[axis]));
        ([a, b], [i, j])
    }

    /// The axes of images, split into phases on which all elements of all windows lie.
    fn image_axes(&self) -> [PhaseAxis; 2] {
        self.axes.map(|axis| axis.phases(axis.windows + axis.reach()))
    }

    /// The axes of results: of one phase, with padding before them.
    fn result_axes(&self, padding: [usize; 2], length: [usize; 2]) -> [PhaseAxis; 2] {
        [0, 1].map(|i| {
            let (padding, dim, length) = (padding[i], self.axes[i].windows, length[i]);
            PhaseAxis { phases: 1, padding, dim, length }
        })
    }

    /// The taps of a group on planes of its images, in the order of its weights.
    fn taps(&self, planes: &Planes) -> Vec<usize> {
        let terms = (0..self.ins).flat_map(|i| self.window().map(move |k| (i, k)));
        let tap = |(i, k)| {
            let (phases, offsets) = self.phases(k);
            i * planes.channel() + planes.tap(phases, offsets)
        };
        terms.map(tap).collect()
    }

    fn reach(&self) -> [usize; 2] {
        self.axes.map(Axis::reach)
    }

    /// How many of `rows` to work on at a time, where one of them packs `elements`: as many as fit
    /// the cache, but few enough for all tasks when there are few images.
    fn block(&self, rows: usize, elements: usize) -> usize {
        let fit = (BLOCK / elements.max(1)).saturating_sub(self.reach()[0]).max(4);
        let blocks = if self.is_sequential() { 1 } else { MAX_TASKS.div_ceil(self.batch.max(1)) };
        rows.div_ceil(rows.div_ceil(fit).max(blocks)).max(1)
    }

    /// How many tasks so many blocks are divided among.
    fn tasks(&self, blocks: usize) -> usize {
        if self.is_sequential() { 1 } else { blocks.min(MAX_TASKS) }
    }
}

/// Whether a group of so many channels fills the vectors well enough, two thirds of the widest.
fn fills_vectors(channels: usize) -> bool {
    2 * channels.next_multiple_of(MAX_LEN) <= 3 * channels
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: Window = Window { size: 2, stride: 2, dilation: 1 };
    const SINGLE: Window = Window { size: 1, stride: 1, dilation: 1 };

    fn image(elements: &[f64]) -> Tensor {
        Tensor::new([1, 1, 1, elements.len()], elements.to_vec()).unwrap()
    }

    #[test]
    fn each_product_leaves_one_factor_out() {
        let by = Convolution { windows: [SINGLE, PAIRS], padding: [0, 1], groups: 1 };
        let (x, w, y) = (image(&[1.0, 2.0, 3.0]), image(&[10.0, 1.0]), image(&[5.0, 7.0]));
        let [mut results, mut images, mut weights] = [2, 3, 2].map(|n| image(&vec![0.0; n]));
        // The windows are [0, 1] and [2, 3].
        by.results(&x, &w, Some(&Tensor::from([100.0])), &mut results).unwrap();
        assert_eq!(results.to_f64s(), [101.0, 123.0]);
        by.images(&w, &y, &mut images).unwrap();
        assert_eq!(images.to_f64s(), [5.0, 70.0, 7.0]);
        by.weights(&x, &y, &mut weights).unwrap();
        assert_eq!(weights.to_f64s(), [14.0, 26.0]);
    }

    #[test]
    fn a_single_window_may_have_any_stride() {
        let far = Window { stride: usize::MAX, ..PAIRS };
        let by = Convolution { windows: [SINGLE, far], padding: [0, 0], groups: 1 };
        let (x, w, y) = (image(&[1.0, 2.0, 3.0]), image(&[10.0, 1.0]), image(&[5.0]));
        let [mut results, mut images, mut weights] = [1, 3, 2].map(|n| image(&vec![0.0; n]));
        by.results(&x, &w, None, &mut results).unwrap();
        assert_eq!(results.to_f64s(), [12.0]);
        by.images(&w, &y, &mut images).unwrap();
        assert_eq!(images.to_f64s(), [50.0, 5.0, 0.0]);
        by.weights(&x, &y, &mut weights).unwrap();
        assert_eq!(weights.to_f64s(), [5.0, 10.0]);
    }

    /// Whole numbers, of which every sum is exact.
    fn whole(shape: [usize; 4]) -> Tensor {
        let data: Vec<f32> =
            (0..shape.iter().product()).map(|i| (i * 31 % 17) as f32 - 8.0).collect();
        Tensor::new(shape, data).unwrap()
    }

    /// The elements of an image, of weights, and of a result that are factors of one product, by their
    /// numbers.
    fn products(by: &Convolution, x: &[usize], w: &[usize], y: &[usize]) -> Vec<[usize; 3]> {
        let (ins, outs) = (w[1], w[0] / by.groups);
        let mut products = vec![];
        for o in 0..w[0] {
            for i in 0..ins {
                for k in (0..w[2]).flat_map(|a| (0..w[3]).map(move |b| [a, b])) {
                    for p in (0..y[2]).flat_map(|a| (0..y[3]).map(move |b| [a, b])) {
                        let at = |axis: usize| {
                            let Window { stride, dilation, .. } = by.windows[axis];
                            (p[axis] * stride + k[axis] * dilation)
                                .checked_sub(by.padding[axis])
                                .filter(|&at| at < x[2 + axis])
                        };
                        let (Some(row), Some(column)) = (at(0), at(1)) else { continue };
                        let of_w = ((o * ins + i) * w[2] + k[0]) * w[3] + k[1];
                        products.extend((0..x[0]).map(|n| {
                            let of_x = (n * x[1] + o / outs * ins + i) * x[2] + row;
                            let of_y = ((n * y[1] + o) * y[2] + p[0]) * y[3] + p[1];
                            [of_x * x[3] + column, of_w, of_y]
                        }));
                    }
                }
            }
        }
        products
    }

    /// Few channels and many, more than a panel; groups; blocks of rows, of which the last is shorter;
    /// strides, which leave phases without a window; and operands behind an offset, backwards, or transposed.
    #[test]
    fn all_products_are_sums_over_all_windows_whatever_the_channels() {
        let of = |size, stride, dilation| Window { size, stride, dilation };
        for [groups, ins, outs] in [
            [1, 1, 1],
            [1, 3, 5],
            [1, 2, 16],
            [2, 1, 12],
            [1, 22, 3],
            [1, 1, 33],
            [1, 50, 24],
            [2, 2, 49],
            [3, 1, 2],
            [1, 0, 24],
            [1, 0, 2],
            [1, 3, 0],
            [1, 24, 0],
        ] {
            for (windows, padding, counts) in [
                ([of(3, 2, 1), of(2, 1, 3)], [1, 2], [6, 7]),
                ([of(2, 3, 1), of(3, 4, 1)], [0, 3], [4, 3]),
                ([of(3, 1, 1), of(3, 1, 1)], [1, 1], [11, 6]),
            ] {
                let by = Convolution { windows, padding, groups };
                let dims = [groups * outs, ins, windows[0].size, windows[1].size];
                let channels = groups * ins;
                let x = whole([3, channels, 11, 6]);
                let larger = whole([4, groups * outs, counts[0], counts[1]]);
                let backwards = larger.narrow(0, 1, 3).unwrap().flip(3).unwrap();
                let transposed =
                    whole([3, groups * outs, counts[1], counts[0]]).transpose(2, 3).unwrap();
                for y in [larger.narrow(0, 1, 3).unwrap(), backwards, transposed] {
                    let (w, bias) = (whole(dims), whole([1, 1, 1, dims[0]]).reshape([dims[0]]));
                    let bias = bias.unwrap();
                    let [mut of_x, mut of_w, mut of_y] = [&x, &w, &y]
                        .map(|like| Tensor::zeros(like.shape().clone(), DType::F32).unwrap());
                    by.results(&x, &w, Some(&bias), &mut of_y).unwrap();
                    by.images(&w, &y, &mut of_x).unwrap();
                    by.weights(&x, &y, &mut of_w).unwrap();
                    let products = products(&by, x.shape(), w.shape(), y.shape());
                    let of = |x: &Tensor| x.to_vec::<f32>().unwrap();
                    let (x, w, y) = (of(&x), of(&w), of(&y));
                    let (area, bias) = (counts[0] * counts[1], of(&bias));
                    let mut expected = [vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; y.len()]];
                    for (n, y) in expected[2].iter_mut().enumerate() {
                        *y = bias[n / area % bias.len()];
                    }
                    for [i, k, o] in products {
                        expected[0][i] += w[k] * y[o];
                        expected[1][k] += x[i] * y[o];
                        expected[2][o] += x[i] * w[k];
                    }
                    let context = format!("{groups} × {ins} to {outs}, {windows:?}");
                    assert!(of(&of_x) == expected[0], "images, {context}");
                    assert!(of(&of_w) == expected[1], "weights, {context}");
                    assert!(of(&of_y) == expected[2], "results, {context}");
                }
            }
        }
    }

    #[test]
    fn operands_that_do_not_fit_are_an_error() {
        let by = Convolution { windows: [SINGLE, PAIRS], padding: [0, 0], groups: 1 };
        let (x, w, mut y) = (image(&[1.0, 2.0]), image(&[1.0, 1.0]), image(&[0.0]));
        assert!(by.results(&x, &w, Some(&Tensor::from([1.0, 2.0])), &mut y).is_err());
        assert!(by.results(&x, &image(&[1.0]), None, &mut y).is_err());
        assert!(by.results(&x, &w, None, &mut Tensor::from([0.0])).is_err());
        assert!(Convolution { groups: 0, ..by }.results(&x, &w, None, &mut y).is_err());
        let still = Window { stride: 0, ..PAIRS };
        assert!(
            Convolution { windows: [SINGLE, still], ..by }.weights(&x, &y, &mut w.clone()).is_err()
        );
    }
}
