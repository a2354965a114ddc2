//! Padding: with one number, or with what the tensor holds, mirrored, repeated, or from the other end.

use lossgraph_tensor::{IntoAxis, Shape, Slice, kernels};

use crate::record::fault::Fault;
use crate::record::var::Var;

use super::combine::{concat, pad_at};
use super::table::{CUBE, Row, op};

/// What stands around a padded tensor. A number says [`Constant`](PadMode::Constant).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// One number: `0 | a b c | 0 0`.
    Constant(f64),
    /// The tensor mirrored at its ends, which are not repeated: `c b | a b c | b a`.
    Reflect,
    /// Its ends: `a a | a b c | c c`.
    Replicate,
    /// The tensor again: `b c | a b c | a b`.
    Circular,
}

impl From<f64> for PadMode {
    fn from(value: f64) -> PadMode {
        PadMode::Constant(value)
    }
}

impl<'t> Var<'t> {
    /// `before` and `after` elements around each axis, one pair an axis: a number, `x.pad(&around, 0.0)`,
    /// or what a [`PadMode`] says. Slopes add up in an element that is there more than once.
    ///
    /// A negative number cuts elements off: from what is padded, or, of a tensor that comes again, from
    /// what comes again, as in PyTorch. Pairs are in the order of the axes, where
    /// `torch.nn.functional.pad` begins with the last one.
    ///
    /// # Errors
    /// Recorded as a fault: another number of pairs than of axes; as many elements mirrored as there
    /// are, more of them than there are from the other end, an end of none, or more cut off than there
    /// is.
    #[track_caller]
    pub fn pad(
        self,
        around: &[(impl IntoAxis, impl IntoAxis)],
        mode: impl Into<PadMode>,
    ) -> Var<'t> {
        let _call = self.tape().call("pad");
        if self.is_faulty() {
            return self;
        }
        let mode = mode.into();
        let around: Vec<[isize; 2]> =
            around.iter().map(|(before, after)| [before.into_axis(), after.into_axis()]).collect();
        let refuse = |why: String| self.tape().fault(Fault::new("pad", why).operand("input", self));
        if around.len() != self.rank() {
            return refuse(format!("{} pairs for {} axes", around.len(), self.rank()));
        }
        for (axis, &[before, after]) in around.iter().enumerate() {
            let len = self.dim(axis);
            let lengthened = len as i128 + before as i128 + after as i128;
            let why = |why: &str| {
                format!("{before} and {after} around axis {axis} of length {len}: {why}")
            };
            if lengthened < 0 {
                return refuse(why("that cuts off more than there is"));
            }
            if lengthened > isize::MAX as i128 {
                return refuse(why("that makes an axis longer than memory"));
            }
            let most = before.max(after).max(0) as usize;
            let left = match mode {
                PadMode::Circular => {
                    len.checked_sub(cut(before)).and_then(|n| n.checked_sub(cut(after)))
                }
                _ => Some(len),
            };
            let (fits, limit) = match mode {
                PadMode::Constant(_) => (true, ""),
                PadMode::Reflect => (most < len || most == 0, "fewer than its length are mirrored"),
                PadMode::Replicate => (len > 0 || most == 0, "it has no ends"),
                PadMode::Circular => (
                    left.is_some_and(|left| most <= left),
                    "at most what is not cut off comes again",
                ),
            };
            if !fits {
                return refuse(why(limit));
            }
        }
        let mut y = match mode {
            PadMode::Constant(value) => self.with_border(&around, value),
            _ => self,
        };
        for (axis, &[before, after]) in around.iter().enumerate() {
            let added = [before, after].map(|n| n.max(0) as usize);
            let (first, last) = (cut(before), cut(after));
            let shorten = |x: Var<'t>| x.slice(axis, first..x.dim(axis) - last);
            y = match mode {
                PadMode::Constant(_) => shorten(y),
                PadMode::Circular => shorten(y).between_ends(axis, added, mode),
                _ => shorten(y.between_ends(axis, added, mode)),
            };
        }
        y
    }

    /// Around it, as much of one number as is not negative.
    #[track_caller]
    fn with_border(self, around: &[[isize; 2]], value: f64) -> Var<'t> {
        let x = if kernels::is_integer(value) { self } else { self.to_float() };
        let pairs = || x.shape().to_vec().into_iter().zip(around);
        let slices =
            pairs().map(|(len, pair)| Slice { start: pair[0].max(0) as usize, len, step: 1 });
        let longer = |(len, pair): (usize, &[isize; 2])| {
            pair.iter().fold(len, |len, &n| len.saturating_add(n.max(0) as usize))
        };
        let padded = Shape::from(pairs().map(longer).collect::<Vec<usize>>());
        if padded == x.shape() { x } else { pad_at(x, slices.collect(), padded, value) }
    }

    /// Between so many elements of what `mode` says.
    #[track_caller]
    fn between_ends(self, axis: usize, added: [usize; 2], mode: PadMode) -> Var<'t> {
        if added == [0; 2] {
            return self;
        }
        let (head, tail) = self.ends(axis, self.dim(axis), added, mode);
        concat(&[head, self, tail], axis)
    }

    /// What stands before and after an axis.
    #[track_caller]
    fn ends(
        self,
        axis: usize,
        len: usize,
        [before, after]: [usize; 2],
        mode: PadMode,
    ) -> (Var<'t>, Var<'t>) {
        let part = |start: usize, end: usize| self.slice(axis, start..end);
        match mode {
            PadMode::Reflect => {
                let mirrored = |start: usize, end: usize| part(start, end).flip(axis);
                (mirrored(1, before + 1), mirrored(len - 1 - after, len - 1))
            }
            PadMode::Circular => (part(len - before, len), part(0, after)),
            PadMode::Replicate | PadMode::Constant(_) => {
                let repeated = |end: Var<'t>, times: usize| {
                    let mut dims = end.shape().to_vec();
                    dims[axis] = times;
                    end.expand(dims)
                };
                (repeated(part(0, 1), before), repeated(part(len - 1, len), after))
            }
        }
    }
}

/// How much a negative width cuts off.
fn cut(width: isize) -> usize {
    width.min(0).unsigned_abs()
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[op("pad", "combine", "a border", &[CUBE], |x| {
    let around = [(1, -1), (2, 1), (0, 3)];
    let constant = x[0].pad(&[(1, 0), (-1, 2), (1, 1)], 0.5).sum(..);
    let replicated = x[0].pad(&around, PadMode::Replicate);
    let again = x[0].pad(&around, PadMode::Circular);
    again + replicated.sin() + x[0].pad(&around, PadMode::Reflect).cos() * constant
})
.differs("a pair for each axis, the first axis first; then the number or the `PadMode`")];
