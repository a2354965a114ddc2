//! Images as columns of patches, and channels as pixels: the same numbers at other indices.

use lossgraph_tensor::{Shape, Window};

use super::combine::OverlapAdd;
use super::table::{AROUND, Row, Sample::Floats, op};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// Which patches an image is cut into: windows over the last two axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfold {
    /// The size of a patch.
    #[doc(alias = "kernel_size")]
    pub size: [usize; 2],
    /// The distance of neighbours in a patch.
    pub dilation: [usize; 2],
    /// Zeros on both sides of each axis.
    pub padding: [usize; 2],
    /// From one patch to the next.
    pub stride: [usize; 2],
}

impl Unfold {
    /// All patches of a size.
    pub fn new(size: [usize; 2]) -> Unfold {
        Unfold { size, dilation: [1; 2], padding: [0; 2], stride: [1; 2] }
    }

    /// The window along an axis, how long the axis is with its padding, and how many patches it has.
    fn along(self, axis: usize, len: usize) -> Option<(Window, usize, usize)> {
        let window = Window {
            size: self.size[axis],
            stride: self.stride[axis],
            dilation: self.dilation[axis],
        };
        let padded = len.checked_add(self.padding[axis].checked_mul(2)?)?;
        let fits = ![window.size, window.stride, window.dilation].contains(&0);
        Some((window, padded, window.count(padded).filter(|_| fits)?))
    }

    /// That of both axes.
    fn over(self, [height, width]: [usize; 2]) -> Option<[(Window, usize, usize); 2]> {
        Some([self.along(0, height)?, self.along(1, width)?])
    }
}

const NO_PATCH: &str = "no patch fits, or a size, a stride or a dilation is 0";

impl<'t> Var<'t> {
    /// The patches of images as columns (im2col): `[batch, channels, height, width]` to
    /// `[batch, channels · size · size, patches]`, or both without batch.
    ///
    /// ```text
    /// y[n, (c, k), p] = x[n, c, stride·p + dilation·k − padding]
    /// ```
    ///
    /// A convolution is a matrix product with these; [`Var::conv2d`] does not write them out. PyTorch's
    /// method `Tensor.unfold`, of one axis, is [`Var::windows`].
    ///
    /// # Errors
    /// Recorded as faults: other ranks, patches larger than the padded image, a 0 among the options.
    #[doc(alias = "im2col")]
    #[track_caller]
    pub fn unfold(self, options: Unfold) -> Var<'t> {
        let _call = self.tape().call("unfold");
        if self.is_faulty() {
            return self;
        }
        let refuse = |why: &str, cure: &str| {
            self.tape().fault(Fault::new("unfold", why).operand("input", self).cure(cure))
        };
        if self.rank() == 3 {
            return self.unsqueeze(0).unfold(options).squeeze(0);
        }
        if self.rank() != 4 {
            let cure = "an input of [batch, channels, height, width]";
            return refuse("there is no image of two axes", cure);
        }
        let Some([(up, _, rows), (across, _, columns)]) = options.over([self.dim(2), self.dim(3)])
        else {
            return refuse(NO_PATCH, "a smaller patch, or more padding");
        };
        let [p, q] = options.padding;
        let padded =
            if [p, q] == [0; 2] { self } else { self.pad(&[(0, 0), (0, 0), (p, p), (q, q)], 0.0) };
        let windows = padded.windows(2, up).windows(3, across);
        if windows.is_faulty() {
            return windows;
        }
        let channels = self.dim(1) * up.size * across.size;
        windows.permute([0, 1, 4, 5, 2, 3]).reshape([self.dim(0), channels, rows * columns])
    }

    /// Images of a size as sums of patches (col2im), the transpose of [`unfold`](Var::unfold): what
    /// overlaps adds up. `[batch, channels · size · size, patches]` to
    /// `[batch, channels, height, width]`, or both without batch.
    ///
    /// # Errors
    /// Recorded as faults: other ranks, and columns that are not as many, or not as long, as the
    /// patches of such an image.
    #[doc(alias = "col2im")]
    #[track_caller]
    pub fn fold(self, size: [usize; 2], options: Unfold) -> Var<'t> {
        let _call = self.tape().call("fold");
        if self.is_faulty() {
            return self;
        }
        let refuse = |why: &str, cure: &str| {
            self.tape().fault(Fault::new("fold", why).operand("input", self).cure(cure))
        };
        if self.rank() == 2 {
            return self.unsqueeze(0).fold(size, options).squeeze(0);
        }
        if self.rank() != 3 {
            let cure = "an input of [batch, channels · size · size, patches]";
            return refuse("there are no columns of patches", cure);
        }
        let Some([(up, height, rows), (across, width, columns)]) = options.over(size) else {
            return refuse(NO_PATCH, "a smaller patch, or more padding");
        };
        let area =
            up.size.checked_mul(across.size).filter(|&area| self.dim(1).is_multiple_of(area));
        let Some(area) = area else {
            let why = "the columns are not as long as some channels of a patch";
            return refuse(why, "a multiple of the size of a patch along axis 1");
        };
        if rows.checked_mul(columns) != Some(self.dim(2)) {
            let why = format!("such an image has {rows} · {columns} patches");
            return refuse(&why, "the size and the options that it was unfolded with");
        }
        let (batch, channels) = (self.dim(0), self.dim(1) / area);
        // One axis of windows after the other, each beside the elements that it is summed with.
        let across_summed = self
            .reshape([batch, channels, up.size, across.size, rows, columns])
            .permute([0, 1, 2, 4, 5, 3])
            .overlap_add(4, across, width);
        let padded = across_summed.permute([0, 1, 3, 4, 2]).overlap_add(2, up, height);
        let [p, q] = options.padding;
        let inside = |x: Var<'t>, axis: isize, before: usize, len: usize| {
            if x.is_faulty() { x } else { x.slice(axis, before..before + len) }
        };
        inside(inside(padded, 2, p, size[0]), 3, q, size[1])
    }

    /// The transpose of windows along an axis of such a length.
    #[track_caller]
    fn overlap_add(self, axis: usize, window: Window, len: usize) -> Var<'t> {
        let mut dims = self.shape().to_vec();
        dims.pop();
        if let Some(dim) = dims.get_mut(axis) {
            *dim = len;
        }
        let op = Op::OverlapAdd(OverlapAdd { axis, window });
        self.tape().record(op, &[self], Shape::from(dims), self.dtype())
    }

    /// Channels as pixels: `[…, channels · factor², height, width]` to
    /// `[…, channels, height · factor, width · factor]`.
    ///
    /// ```text
    /// y[c, r·i + a, r·j + b] = x[r²·c + r·a + b, i, j]    with the factor r
    /// ```
    ///
    /// # Errors
    /// Recorded as a fault: fewer than three axes, or a factor whose square does not divide the
    /// channels.
    ///
    /// # Source
    /// Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    /// Convolutional Neural Network, 2016.
    #[track_caller]
    pub fn pixel_shuffle(self, factor: usize) -> Var<'t> {
        let _call = self.tape().call("pixel_shuffle");
        let square = factor.checked_mul(factor).filter(|&square| square > 0);
        let fits =
            self.rank() >= 3 && square.is_some_and(|square| self.dim(-3).is_multiple_of(square));
        let Some(square) = square.filter(|_| fits) else {
            let why = format!("the channels are no multiple of {factor}²");
            return self.no_pixels("pixel_shuffle", &why);
        };
        let (outer, [channels, height, width]) = self.images();
        let [up, across] = [height, width].map(|len| len.saturating_mul(factor));
        let apart = [&outer[..], &[channels / square, factor, factor, height, width]].concat();
        let together = [&outer[..], &[channels / square, up, across]].concat();
        self.moved(apart, [0, 3, 1, 4, 2], together)
    }

    /// Channels, the second axis, dealt to `groups`: `y[r·j + i] = x[c·i + j]` with r groups of c
    /// channels each, so that each group gets some of all others.
    ///
    /// # Errors
    /// Recorded as a fault: fewer than two axes, or a number of groups that does not divide the
    /// channels.
    ///
    /// # Source
    /// Zhang et al., ShuffleNet, 2018.
    #[track_caller]
    pub fn channel_shuffle(self, groups: usize) -> Var<'t> {
        let _call = self.tape().call("channel_shuffle");
        if self.is_faulty() {
            return self;
        }
        if self.rank() < 2 || groups == 0 || !self.dim(1).is_multiple_of(groups) {
            let fault =
                Fault::new("channel_shuffle", format!("{groups} do not divide the channels"));
            let fault = fault.operand("input", self);
            return self.tape().fault(fault.cure("an input of [batch, channels, …]"));
        }
        let apart = [groups, self.dim(1) / groups];
        self.unflatten(1, apart).transpose(1, 2).reshape(self.shape())
    }

    /// Pixels as channels, the inverse of [`pixel_shuffle`](Var::pixel_shuffle):
    /// `[…, channels, height · factor, width · factor]` to `[…, channels · factor², height, width]`.
    ///
    /// # Errors
    /// Recorded as a fault: fewer than three axes, or a factor that does not divide height and width.
    #[track_caller]
    pub fn pixel_unshuffle(self, factor: usize) -> Var<'t> {
        let _call = self.tape().call("pixel_unshuffle");
        let divides = |axis: isize| factor > 0 && self.dim(axis).is_multiple_of(factor);
        if self.rank() < 3 || !divides(-1) || !divides(-2) {
            let why = format!("height and width are no multiples of {factor}");
            return self.no_pixels("pixel_unshuffle", &why);
        }
        let (outer, [channels, height, width]) = self.images();
        let [up, across] = [height, width].map(|len| len / factor);
        let apart = [&outer[..], &[channels, up, factor, across, factor]].concat();
        let channels = channels.saturating_mul(factor).saturating_mul(factor);
        let together = [&outer[..], &[channels, up, across]].concat();
        self.moved(apart, [0, 2, 4, 1, 3], together)
    }

    /// The lengths of the axes before the last three, and of these.
    fn images(self) -> (Vec<usize>, [usize; 3]) {
        let mut dims = self.shape().to_vec();
        let images = dims.split_off(dims.len() - 3);
        (dims, [images[0], images[1], images[2]])
    }

    /// With the last axes split into five, these in another order, and then together again.
    #[track_caller]
    fn moved(self, apart: Vec<usize>, order: [isize; 5], together: Vec<usize>) -> Var<'t> {
        let first = apart.len() as isize - 5;
        let order: Vec<isize> = (0..first).chain(order.iter().map(|&axis| first + axis)).collect();
        self.reshape(apart).permute(&order[..]).reshape(together)
    }

    #[track_caller]
    fn no_pixels(self, name: &str, why: &str) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        let cure = "an input of […, channels, height, width], and a factor that divides them";
        self.tape().fault(Fault::new(name, why).operand("input", self).cure(cure))
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("unfold", "composed", "patches as columns", &[Floats(&[1, 2, 3, 4], AROUND)], |x| {
        x[0].unfold(Unfold { padding: [1, 0], stride: [2, 1], ..Unfold::new([2, 3]) })
    }),
    op("fold", "composed", "the transpose of unfold", &[Floats(&[2, 4, 6], AROUND)], |x| {
        x[0].fold([3, 3], Unfold { dilation: [1, 2], padding: [0, 1], ..Unfold::new([2, 2]) })
    }),
    op("pixel_shuffle", "composed", "channels as pixels", &[Floats(&[4, 2, 3], AROUND)], |x| {
        x[0].pixel_shuffle(2)
    }),
    op(
        "channel_shuffle",
        "composed",
        "channels dealt to groups",
        &[Floats(&[2, 6, 2], AROUND)],
        |x| x[0].channel_shuffle(3),
    ),
    op("pixel_unshuffle", "composed", "pixels as channels", &[Floats(&[2, 4, 2], AROUND)], |x| {
        x[0].pixel_unshuffle(2)
    }),
];
