//! Adaptive pooling: windows of uneven lengths, as many as wanted.

use lossgraph_tensor::{DType, Tensor};

use super::pooling::Pool;
use crate::record::fault::Fault;
use crate::record::tape::Tape;
use crate::record::var::Var;

/// The windows along an axis: window `i` reaches from `⌊i·length/count⌋` to, and without,
/// `⌈(i + 1)·length/count⌉`.
struct Uneven {
    starts: Vec<usize>,
    lengths: Vec<usize>,
}

impl Uneven {
    /// So many windows over an axis of such a length; `None` if memory has no room for them.
    fn of(length: usize, count: usize) -> Option<Uneven> {
        // That many integers are room enough for what is made of the windows.
        Tensor::zeros([count, length / count.max(1) + 2], DType::I64).ok()?;
        let at = |i: usize| i as u128 * length as u128;
        let starts: Vec<usize> = (0..count).map(|i| (at(i) / count as u128) as usize).collect();
        let ends = (0..count).map(|i| at(i + 1).div_ceil(count as u128) as usize);
        let lengths = ends.zip(&starts).map(|(end, start)| end - start).collect();
        Some(Uneven { starts, lengths })
    }

    /// The length of the longest one.
    fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// The indices of the elements of each window, `[count, longest]`. Behind the elements of a shorter
    /// one comes `behind` of its end.
    fn indices<'t>(&self, tape: &'t Tape, behind: impl Fn(usize) -> usize) -> Var<'t> {
        let longest = self.longest();
        let windows = self.starts.iter().zip(&self.lengths);
        let index = windows.flat_map(|(&start, &length)| {
            let behind = behind(start + length);
            (0..longest).map(move |k| if k < length { start + k } else { behind } as i64)
        });
        let index: Vec<i64> = index.collect();
        tape.constant(Tensor::new([self.starts.len(), longest], index))
    }

    /// How many elements each window has.
    fn counts<'t>(&self, tape: &'t Tape) -> Var<'t> {
        tape.constant(self.lengths.iter().map(|&length| length as f64).collect::<Vec<f64>>())
    }
}

impl<'t> Var<'t> {
    /// The means of `count` windows along the last axis, `[…, length]` to `[…, count]`: those of
    /// [`Var::adaptive_avg_pool2d`], along one axis.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[track_caller]
    pub fn adaptive_avg_pool1d(self, count: usize) -> Var<'t> {
        let _call = self.tape().call("adaptive_avg_pool1d");
        self.adaptive_avg_pool("adaptive_avg_pool1d", [count])
    }

    /// The means of so many windows along the last two axes, `[…, height, width]` to `[…, up, across]`.
    ///
    /// ```text
    /// y[i, j] = mean of x over the windows i and j    window i: ⌊i·length/count⌋ .. ⌈(i + 1)·length/count⌉
    /// ```
    ///
    /// Where the count does not divide the length, windows overlap. With `[1, 1]`, it is the mean of
    /// each plane: global pooling.
    ///
    /// # Errors
    /// Recorded as a fault: too few axes, or an empty one.
    #[doc(alias = "global_avg_pool2d")]
    #[track_caller]
    pub fn adaptive_avg_pool2d(self, counts: [usize; 2]) -> Var<'t> {
        let _call = self.tape().call("adaptive_avg_pool2d");
        self.adaptive_avg_pool("adaptive_avg_pool2d", counts)
    }

    /// The largest of `count` windows along the last axis, `[…, length]` to `[…, count]`: those of
    /// [`Var::adaptive_max_pool2d`], along one axis.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[track_caller]
    pub fn adaptive_max_pool1d(self, count: usize) -> Var<'t> {
        let _call = self.tape().call("adaptive_max_pool1d");
        if !self.has_planes(1) {
            return self.not_pooled("adaptive_max_pool1d", 1);
        }
        self.unsqueeze(-2).adaptive_max_pool("adaptive_max_pool1d", [1, count]).squeeze(-2)
    }

    /// The largest of so many windows along the last two axes, `[…, height, width]` to
    /// `[…, up, across]`; windows are those of [`Var::adaptive_avg_pool2d`]. As in
    /// [`Var::max_pool2d`], the first largest has the slope, and NaN counts as the largest.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[doc(alias = "global_max_pool2d")]
    #[track_caller]
    pub fn adaptive_max_pool2d(self, counts: [usize; 2]) -> Var<'t> {
        let _call = self.tape().call("adaptive_max_pool2d");
        self.adaptive_max_pool("adaptive_max_pool2d", counts)
    }

    /// What a pooling gives for an input that it is not for.
    #[track_caller]
    fn not_pooled(self, name: &str, axes: usize) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        let why = format!("it pools over the last {axes} axes, none of them empty");
        let lengths = if axes == 1 { "length" } else { "height, width" };
        let fault = Fault::new(name, why).operand("input", self);
        self.tape().fault(fault.cure(format!("an input of [batch, channels, {lengths}]")))
    }

    /// Whether there are so many last axes, none of them empty.
    fn has_planes(self, axes: usize) -> bool {
        !self.is_faulty() && self.rank() >= axes && !self.shape()[self.rank() - axes..].contains(&0)
    }

    #[track_caller]
    fn adaptive_avg_pool<const N: usize>(self, name: &str, counts: [usize; N]) -> Var<'t> {
        if !self.has_planes(N) {
            return self.not_pooled(name, N);
        }
        // Each axis becomes one of windows and one of their elements, which are summed.
        let mut sums = self.to_float();
        let mut total = self.tape().fill((), 1.0);
        for (i, &count) in counts.iter().enumerate() {
            let at = self.rank() - N + i;
            let length = self.dim(at as isize);
            let Some(windows) = Uneven::of(length, count) else {
                return self.not_pooled(name, N);
            };
            if length.is_multiple_of(count) {
                let mut dims = sums.shape().to_vec();
                dims.splice(at..=at, [count, length / count]);
                sums = sums.reshape(dims).sum(at as isize + 1);
            } else {
                // Shorter windows end with a zero from behind the axis.
                let mut around = vec![(0, 0); sums.rank()];
                around[at] = (0, 1);
                let index = windows.indices(self.tape(), |_| length);
                let elements = sums.pad(&around, 0.0).index_select(at as isize, index);
                sums = elements.sum(at as isize + 1);
            }
            let mut dims = vec![1; N - i];
            dims[0] = count;
            total *= windows.counts(self.tape()).reshape(dims);
        }
        sums / total
    }

    #[track_caller]
    fn adaptive_max_pool(self, name: &str, [up, across]: [usize; 2]) -> Var<'t> {
        if !self.has_planes(2) {
            return self.not_pooled(name, 2);
        }
        let [height, width] = [self.dim(-2), self.dim(-1)];
        if up > 0 && across > 0 && height % up == 0 && width % across == 0 {
            return self.max_pool2d(Pool::new([height / up, width / across]));
        }
        let before = self.shape()[..self.rank() - 2].to_vec();
        let with = |tail: &[usize]| [&before[..], tail].concat();
        if up == 0 || across == 0 {
            return self.slice(-1, ..0).reshape(with(&[up, across]));
        }
        let (Some(rows), Some(columns)) = (Uneven::of(height, up), Uneven::of(width, across))
        else {
            return self.not_pooled(name, 2);
        };
        // Behind its end, a shorter window has its last element once more: the first largest stays.
        let tape = self.tape();
        let [i, j] = [&rows, &columns].map(|windows| windows.indices(tape, |end| end - 1));
        let area = [rows.longest(), columns.longest()];
        // […, up, k, across, l], and the element that each is in its plane.
        let elements = self.index_select(-2, i).index_select(-1, j);
        let place = i.reshape([up, area[0], 1, 1]) * width as i64 + j;
        let windows = |x: Var<'t>, outer: &[usize]| {
            let swapped = x.transpose(-3, -2);
            swapped.reshape([outer, &[up * across, area[0] * area[1]]].concat())
        };
        let largest = windows(elements, &before);
        if largest.is_faulty() {
            return largest;
        }
        let which = largest.argmax(-1).unsqueeze(-1);
        let places = windows(place, &[]).expand(largest.shape()).gather(-1, which).squeeze(-1);
        self.reshape(with(&[height * width])).gather(-1, places).reshape(with(&[up, across]))
    }
}
