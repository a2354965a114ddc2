//! Padding with what the tensor holds: mirrored, repeated, or from the other end.

use crate::record::fault::Fault;
use crate::record::var::Var;

use super::combine::concat;

/// What stands around a padded tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// One number, as in [`Var::pad`].
    Constant(f64),
    /// The tensor mirrored at its ends, which are not repeated: `c b | a b c | b a`.
    Reflect,
    /// Its ends: `a a | a b c | c c`.
    Replicate,
    /// The tensor again: `b c | a b c | a b`.
    Circular,
}

impl<'t> Var<'t> {
    /// `before` and `after` elements around each axis, one pair an axis, of what `mode` says. Slopes
    /// add up in an element that is there more than once.
    ///
    /// Pairs are in the order of the axes, where `torch.nn.functional.pad` begins with the last one.
    ///
    /// # Errors
    /// Recorded as a fault: another number of pairs than of axes; as many elements mirrored as there
    /// are, more of them than there are from the other end, or an end of none.
    #[doc(alias = "pad")]
    #[track_caller]
    pub fn pad_mode(self, around: &[(usize, usize)], mode: PadMode) -> Var<'t> {
        let _call = self.tape().call("pad_mode");
        if let PadMode::Constant(value) = mode {
            return self.pad(around, value);
        }
        if self.is_faulty() {
            return self;
        }
        if around.len() != self.rank() {
            let why = format!("{} pairs for {} axes", around.len(), self.rank());
            return self.tape().fault(Fault::new("pad_mode", why).operand("input", self));
        }
        let mut y = self;
        for (axis, &(before, after)) in around.iter().enumerate() {
            if (before, after) == (0, 0) {
                continue;
            }
            let len = self.dim(axis);
            let (fits, limit) = match mode {
                PadMode::Reflect => (before.max(after) < len, "fewer than its length are mirrored"),
                PadMode::Circular => (before.max(after) <= len, "at most its length comes again"),
                _ => (len > 0, "it has no ends"),
            };
            if !fits {
                let why =
                    format!("{before} and {after} around axis {axis} of length {len}: {limit}");
                return self.tape().fault(Fault::new("pad_mode", why).operand("input", self));
            }
            let (head, tail) = y.ends(axis, len, (before, after), mode);
            y = concat(&[head, y, tail], axis);
        }
        y
    }

    /// What stands before and after an axis.
    #[track_caller]
    fn ends(
        self,
        axis: usize,
        len: usize,
        (before, after): (usize, usize),
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
