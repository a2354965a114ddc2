//! Hazards of derivatives: kinks and flat regions.

use lossgraph_autograd::Tape;

use super::{Hazard, HazardKind, History};
use crate::graph::Graph;
use crate::number::{index_text, signed};

/// The slope below which nothing comes through that would matter.
const FLAT: f64 = 1e-6;

impl Graph {
    pub(super) fn kink(&self, at: usize, history: &[History]) -> Option<Hazard> {
        let node = &self.nodes[at];
        let gradient = node.gradient.as_ref()?.to_f64s();
        if !history[at].varies {
            return None;
        }
        let inputs: Vec<_> =
            node.inputs.iter().map(|input| self.nodes[input.node].value.clone()).collect();
        let mut kinks = node.operation.kinks(&inputs);
        // Where no gradient comes back, or flows on, it does not matter which slope is taken.
        kinks.retain(|&(element, _)| gradient[element] != 0.0);
        let (first, kink) = *kinks.first()?;
        let text = format!(
            "{} has no derivative at {}, as in {}: {}",
            node.op,
            kink.at,
            index_text(first, &node.shape),
            kink.because
        );
        let elements = kinks.into_iter().map(|(element, _)| element).collect();
        Some(Hazard { node: at, kind: HazardKind::Kink, elements, text })
    }

    pub(super) fn saturation(&self, at: usize, history: &[History]) -> Option<Hazard> {
        let node = &self.nodes[at];
        node.gradient.as_ref()?;
        if self.is_share(at) {
            let y = node.value.to_f64s();
            let whole = (0..y.len()).filter(|&i| y[i].is_finite() && 1.0 - y[i] < FLAT);
            return self.hazard(at, HazardKind::Saturation, whole, |i| {
                let slope = signed(y[i] * (1.0 - y[i]));
                format!("the share is {} of 1, so its slope y · (1 − y) is {slope}", signed(y[i]))
            });
        }
        if !node.operation.is_smooth_map() || !history[at].varies {
            return None;
        }
        let x = self.nodes[node.inputs[0].node].value.to_f64s();
        // A minimum is flat at a point only: its slopes beside that tell.
        let [here, left, right] = self.slopes(at, [0.0, -0.1, 0.1])?;
        let flat = |i: usize| {
            here[i].abs() * x[i].abs().max(1.0) < FLAT
                && left[i].abs() < 10.0 * FLAT
                && right[i].abs() < 10.0 * FLAT
        };
        self.hazard(at, HazardKind::Saturation, (0..x.len()).filter(|&i| flat(i)), |i| {
            format!("{} is flat at {}: its slope is {}", node.op, signed(x[i]), signed(here[i]))
        })
    }

    /// The slopes of an element-wise op, with all of its input shifted by each of some numbers.
    fn slopes<const N: usize>(&self, at: usize, shifts: [f64; N]) -> Option<[Vec<f64>; N]> {
        let node = &self.nodes[at];
        let tape = Tape::f64();
        let x = tape.input(&self.nodes[node.inputs[0].node].value);
        let slope = |by: f64| {
            let x = x + by;
            let y = node.operation.record(&tape, &[x])?;
            Some(tape.vjp(y, tape.fill(y.shape(), 1.0), &[x])[0])
        };
        let slopes = shifts.iter().map(|&by| slope(by)).collect::<Option<Vec<_>>>()?;
        let slopes = tape.eval(&slopes).ok()?;
        slopes.iter().map(|slopes| slopes.to_f64s()).collect::<Vec<_>>().try_into().ok()
    }

    /// Whether a node is `a / Σ a`, broadcast or not.
    fn is_share(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        if !node.operation.is_quotient() {
            return false;
        }
        let mut sum = node.inputs[1].node;
        while self.nodes[sum].operation.is_transparent() {
            sum = self.nodes[sum].inputs[0].node;
        }
        self.nodes[sum].operation.is_sum() && self.nodes[sum].inputs[0].node == node.inputs[0].node
    }
}
