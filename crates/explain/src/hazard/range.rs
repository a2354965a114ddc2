//! Hazards of finite precision: overflow, underflow and cancellation.

use lossgraph_autograd::ops::facts::Arithmetic;
use lossgraph_tensor::DType;

use super::{Hazard, HazardKind, History};
use crate::graph::Graph;
use crate::number::{counted, index_text, is_finite, signed};

impl Graph {
    pub(super) fn overflow(&self, at: usize) -> Option<Hazard> {
        let node = &self.nodes[at];
        let y = node.value.to_f64s();
        if is_finite(&y) {
            return None;
        }
        let finite = self.all_operands(at, f64::is_finite);
        let made = (0..y.len()).filter(|&i| !y[i].is_finite() && finite[i]);
        self.hazard(at, HazardKind::Overflow, made, |i| {
            let arithmetic = self.arithmetic(at, &node.shape.unravel_index(i));
            let arithmetic = arithmetic.unwrap_or_else(|| format!("{} of finite numbers", node.op));
            format!("{arithmetic} is {}", signed(y[i]))
        })
    }

    pub(super) fn underflow(&self, at: usize) -> Option<Hazard> {
        let node = &self.nodes[at];
        if !node.operation.facts().zero_by_underflow {
            return None;
        }
        let y = node.value.to_f64s();
        let nonzero = self.all_operands(at, |x| x.is_finite() && x != 0.0);
        let lost = (0..y.len()).filter(|&i| y[i] == 0.0 && nonzero[i]);
        self.hazard(at, HazardKind::Underflow, lost, |i| {
            let arithmetic = self.arithmetic(at, &node.shape.unravel_index(i)).unwrap_or_default();
            let dtype = node.value.dtype();
            format!(
                "{arithmetic} is less than the smallest number above 0 in {dtype}, and became 0"
            )
        })
    }

    pub(super) fn non_finite_gradient(&self, at: usize) -> Option<Hazard> {
        let node = &self.nodes[at];
        if !is_finite(&node.gradient.as_ref()?.to_f64s()) {
            return None;
        }
        node.inputs.iter().enumerate().find_map(|(slot, input)| {
            let flow = input.flow.as_ref()?.value.to_f64s();
            let read = &self.nodes[input.node];
            let x = read.value.to_f64s();
            let made = |&i: &usize| !flow[i].is_finite() && x[i].is_finite();
            let elements: Vec<usize> = (0..flow.len()).filter(made).collect();
            let first = *elements.first()?;
            let arithmetic = self.backward_arithmetic(at, slot, &read.shape.unravel_index(first));
            let arithmetic = arithmetic.map_or_else(String::new, |text| format!("{text} is "));
            let text = format!(
                "what flows back through {} to {} of {} is not finite: {arithmetic}{}",
                node.op,
                index_text(first, &read.shape),
                self.label(input.node),
                signed(flow[first])
            );
            Some(Hazard { node: at, kind: HazardKind::NonFiniteGradient, elements, text })
        })
    }

    pub(super) fn f32_overflow(&self, at: usize) -> Option<Hazard> {
        let node = &self.nodes[at];
        if node.value.dtype() != DType::F64 {
            return None;
        }
        let y = node.value.to_f64s();
        let most = f64::from(f32::MAX);
        let held = self.all_operands(at, |x| x.abs() <= most);
        let too_large = (0..y.len()).filter(|&i| y[i].is_finite() && y[i].abs() > most && held[i]);
        self.hazard(at, HazardKind::F32Overflow, too_large, |i| {
            format!("{} is more than f32 can hold, where it would be infinite", signed(y[i]))
        })
    }

    pub(super) fn cancellation(&self, at: usize, history: &[History]) -> Option<Hazard> {
        let node = &self.nodes[at];
        let rounded = node.inputs.iter().any(|input| history[input.node].rounded);
        let additive = matches!(
            node.operation.facts().arithmetic,
            Some(Arithmetic::Sum | Arithmetic::Difference)
        );
        if !additive || !rounded {
            return None;
        }
        let epsilon = match node.value.dtype() {
            DType::F32 => f64::from(f32::EPSILON),
            _ => f64::EPSILON,
        };
        let y = node.value.to_f64s();
        let inputs: Vec<Vec<f64>> =
            node.inputs.iter().map(|input| self.nodes[input.node].value.to_f64s()).collect();
        let kept = |i: usize| y[i].abs() / inputs[0][i].abs().max(inputs[1][i].abs());
        // What is exactly 0 is likely meant: a score less itself.
        let lost = (0..y.len()).filter(|&i| y[i] != 0.0 && kept(i) < epsilon.sqrt());
        self.hazard(at, HazardKind::Cancellation, lost, |i| {
            let digits = |share: f64| (-share.log10()).round().max(0.0);
            let left = digits(epsilon) - digits(kept(i));
            format!(
                "{} and {} nearly cancel: of about {}, {} {} left",
                signed(inputs[0][i]),
                signed(inputs[1][i]),
                counted(digits(epsilon), "digit"),
                left,
                if left == 1.0 { "is" } else { "are" }
            )
        })
    }
}
