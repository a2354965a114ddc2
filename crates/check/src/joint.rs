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
        let mut right = BTreeMap::new();
        let mut groups = match self.method {
            Method::Quick if !which.is_empty() => vec![which.to_vec()],
            _ => Vec::new(),
        };
        while let Some(group) = groups.pop() {
            let found = self.right_among(function, &group, at_0, runs)?;
            let is_left = |which: &&usize| !found.contains_key(which);
            let left: Vec<usize> = group.iter().filter(is_left).copied().collect();
            if group.len() > 1 && !left.is_empty() {
                groups.extend(left.chunks(left.len().div_ceil(2)).map(<[usize]>::to_vec));
            }
            right.extend(found);
        }
        Ok(right)
    }

    /// Those of a group whose gradients are seen to be right along one direction of the whole group.
    fn right_among(
        &self,
        function: &dyn Differentiable,
        group: &[usize],
        at_0: (f64, f64),
        runs: &mut usize,
    ) -> Result<BTreeMap<usize, Finding>> {
        let joint = Joint::new(function, group);
        let mut direction = Vec::new();
        for &which in group {
            let seed = self.seed.wrapping_add(which as u64);
            direction.extend(Directions::new(&function.inputs()[which].to_f64s(), seed).next());
        }
        let mut gradient = Gradient::new(&joint, 0, at_0)?;
        // Not measured: with less noise than there is, less is taken for right.
        gradient.noise = 4.0 * gradient.known_noise();
        let mut right = BTreeMap::new();
        for first in FIRST_STEPS {
            let Some(found) = gradient.on_ladder(&direction, first)? else { continue };
            let ladder = Ladder::new(&gradient.x, &direction, first);
            for (&which, range) in group.iter().zip(&joint.ranges) {
                let usual = gradient.usual(&ladder, &direction, range.clone());
                if let (false, Some(finding)) = (right.contains_key(&which), usual.of(&found)) {
                    right.insert(which, finding);
                }
            }
            // A shorter ladder says more if the function bends, or has kinks within the steps: as long
            // as one of the kinks of a large model is, the error may even grow. If all is noise
            // already, it says less.
            if right.len() == group.len() || found.is_settled() {
                break;
            }
        }
        *runs += gradient.runs();
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
struct Joint<'a> {
    function: &'a dyn Differentiable,
    which: &'a [usize],
    inputs: [Tensor; 1],
    /// Where each stands.
    ranges: Vec<Range<usize>>,
}

impl<'a> Joint<'a> {
    fn new(function: &'a dyn Differentiable, which: &'a [usize]) -> Joint<'a> {
        let (mut numbers, mut ranges) = (Vec::new(), Vec::with_capacity(which.len()));
        for &which in which {
            let first = numbers.len();
            numbers.extend(function.inputs()[which].to_f64s());
            ranges.push(first..numbers.len());
        }
        Joint { function, which, inputs: [Tensor::from(numbers)], ranges }
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
        Ok(vec![self.function.gradients(self.which)?.concat()])
    }

    fn gradients_moved(&self, steps: &Steps<'_>, multiple: f64) -> Result<Vec<Vec<f64>>> {
        Ok(vec![self.function.gradients_moved(&self.steps(steps), multiple)?.concat()])
    }

    /// Its inputs are not those of the program.
    fn program(&self) -> Option<&Function<'_>> {
        None
    }
}
