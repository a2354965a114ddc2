//! Inputs that move together: one direction of all of them shows that their gradients are right.
//!
//! ```text
//! (f(x + hv) − f(x − hv)) / 2h  =  Σᵢ ∇ᵢf(x)·vᵢ + O(h²)
//! ```
//!
//! Nearly all gradients are right, and what is right needs no more than that: as many runs for a
//! hundred inputs as for one. What is not seen to be right so is looked at by itself.

use std::collections::BTreeMap;
use std::ops::Range;

use lossgraph_autograd::Result;
use lossgraph_tensor::Tensor;

use crate::check::Check;
use crate::compared::{Compared, FIRST_STEPS, UNCERTAIN};
use crate::differentiable::{Differentiable, Steps};
use crate::directions::Directions;
use crate::function::Function;
use crate::gradient::{Gradient, Method, Usual};
use crate::report::{Finding, Verdict};
use crate::steps::Ladder;

/// One direction is enough where the slope along it is as exact as this, in parts of its usual size.
/// Wrong elements would have to cancel up to that, which is as unlikely as this is small beside them.
const CERTAIN: f64 = 1e-7;

impl Check {
    /// What is found of those inputs whose gradients are seen to be right along one direction of them
    /// and of others. It is looked for in all of `which`, then in halves of those that are left.
    pub(crate) fn right_jointly(
        &self,
        function: &dyn Differentiable,
        which: &[usize],
        at_0: (f64, f64),
        runs: &mut usize,
    ) -> Result<BTreeMap<usize, Finding>> {
        self.right_of_joint(Joint::new(function, which.to_vec(), self.seed, 0), at_0, runs)
    }

    /// The same of inputs that are a joint one already.
    pub(crate) fn right_of_joint(
        &self,
        whole: Joint<'_>,
        at_0: (f64, f64),
        runs: &mut usize,
    ) -> Result<BTreeMap<usize, Finding>> {
        let mut right = BTreeMap::new();
        let is_asked = self.method == Method::Quick && !whole.which.is_empty();
        let mut joints = if is_asked { vec![whole] } else { Vec::new() };
        while let Some(joint) = joints.pop() {
            let (found, last) = joint.right(at_0, runs)?;
            let is_left = |which: &&usize| !found.contains_key(which);
            let left: Vec<usize> = joint.which.iter().filter(is_left).copied().collect();
            if joint.which.len() > 1 && !left.is_empty() {
                // Where longer ladders are no good for the whole, they mostly are not for its parts.
                // The last but one has less noise than the last one, if that was what ended it.
                let begin = last.saturating_sub(1);
                let halves = left.chunks(left.len().div_ceil(2)).map(<[usize]>::to_vec);
                let part = |half| Joint::new(joint.function, half, self.seed, begin);
                joints.extend(halves.map(part));
            }
            right.extend(found);
        }
        Ok(right)
    }
}

impl Usual {
    /// What is found of an input of which this is usual, along a direction of it and of others; `None`
    /// if that does not show that it is right. A mistake in one input hides behind what is large in
    /// another, so the slope has to be as exact as that of the input alone would be.
    fn of(self, joint: &Compared) -> Option<Finding> {
        let found = Compared { size: self.size, claimed: self.claimed, ..*joint };
        let is_exact = match self.claimed > 0.0 {
            true => {
                let is_rounded_alike = joint.rounding <= 2.0 * self.rounding + 1e-9 * self.size;
                found.is_settled() && is_rounded_alike && found.tolerance() <= CERTAIN * self.size
            }
            // Beside the value, a slope of 0 has to be no more than small.
            false => !found.slopes.jumps && found.tolerance() <= UNCERTAIN * self.size,
        };
        let mut finding = Finding::blank();
        finding.add(&found);
        (is_exact && finding.verdict == Verdict::Pass).then_some(finding)
    }
}

/// Some inputs of a function as a single one, of one axis.
pub(crate) struct Joint<'a> {
    function: &'a dyn Differentiable,
    which: Vec<usize>,
    inputs: [Tensor; 1],
    /// Where each stands.
    ranges: Vec<Range<usize>>,
    /// The direction that it moves along.
    direction: Vec<f64>,
    /// The number of the ladder that is tried first, of [`FIRST_STEPS`].
    begin: usize,
    ladder: Ladder,
}

impl<'a> Joint<'a> {
    pub fn new(
        function: &'a dyn Differentiable,
        which: Vec<usize>,
        seed: u64,
        begin: usize,
    ) -> Joint<'a> {
        let len = which.iter().map(|&which| function.inputs()[which].len()).sum();
        let (mut numbers, mut direction) = (Vec::with_capacity(len), Vec::with_capacity(len));
        let mut ranges = Vec::with_capacity(which.len());
        for &which in &which {
            let (first, x) = (numbers.len(), &function.inputs()[which]);
            match x.as_slice::<f64>() {
                Some(x) => numbers.extend_from_slice(x),
                None => numbers.extend(x.to_f64s()),
            }
            let seed = seed.wrapping_add(which as u64);
            Directions::new(&numbers[first..], seed).append(&mut direction);
            ranges.push(first..numbers.len());
        }
        let ladder = Ladder::new(&numbers, &direction, FIRST_STEPS[begin]);
        let inputs = [Tensor::from(numbers)];
        Joint { function, which, inputs, ranges, direction, begin, ladder }
    }

    /// Those inputs whose gradients are seen to be right, and the number of the last ladder.
    fn right(
        &self,
        at_0: (f64, f64),
        runs: &mut usize,
    ) -> Result<(BTreeMap<usize, Finding>, usize)> {
        let mut gradient = Gradient::new(self, 0, at_0)?;
        // Not measured: with less noise than there is, less is taken for right.
        gradient.noise = 4.0 * gradient.known_noise();
        let (mut right, mut last) = (BTreeMap::new(), self.begin);
        let mut shorter;
        for (at, first) in FIRST_STEPS.into_iter().enumerate().skip(self.begin) {
            let mut ladder = &self.ladder;
            if at > self.begin {
                shorter = Ladder::new(&gradient.x, &self.direction, first);
                ladder = &shorter;
            }
            last = at;
            let Some(found) = gradient.on(ladder, &self.direction)? else { continue };
            for (&which, range) in self.which.iter().zip(&self.ranges) {
                let usual = gradient.usual(ladder, &self.direction, range.clone());
                if let (false, Some(finding)) = (right.contains_key(&which), usual.of(&found)) {
                    right.insert(which, finding);
                }
            }
            // A shorter ladder says more if the function bends, or has kinks within the steps: as long
            // as one of the kinks of a large model is, the error may even grow. If all is noise
            // already, it says less.
            if right.len() == self.which.len() || found.is_settled() {
                break;
            }
        }
        *runs += gradient.runs();
        Ok((right, last))
    }

    /// Its step as steps of the function's inputs.
    fn steps<'s>(&self, steps: &Steps<'s>) -> Vec<(usize, &'s [f64])> {
        let of_inputs = |(_, step): &(usize, &'s [f64])| {
            let step = *step;
            self.which.iter().zip(&self.ranges).map(move |(&i, range)| (i, &step[range.clone()]))
        };
        steps.iter().flat_map(of_inputs).collect()
    }
}

impl Differentiable for Joint<'_> {
    fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    fn values(&self, steps: &Steps<'_>, multiples: &[f64]) -> Result<Vec<f64>> {
        self.function.values(&self.steps(steps), multiples)
    }

    fn gradients(&self, _: &[usize]) -> Result<Vec<Vec<f64>>> {
        Ok(vec![self.function.gradients(&self.which)?.concat()])
    }

    fn gradients_moved(&self, steps: &Steps<'_>, multiple: f64) -> Result<Vec<Vec<f64>>> {
        Ok(vec![self.function.gradients_moved(&self.steps(steps), multiple)?.concat()])
    }

    /// Its inputs are not those of the program.
    fn program(&self) -> Option<&Function<'_>> {
        None
    }
}
