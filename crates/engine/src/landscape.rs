//! The loss as a surface over two elements of its inputs.

use lossgraph_explain::{Sweep, surface as sampled};
use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

use crate::Result;
use crate::inputs::{Inputs, exact};
use crate::subject::Subject;

/// How many intervals each side of the grid has.
const INTERVALS: usize = 24;
/// How far the surface reaches around an element.
const REACH: f64 = 3.0;

pub fn surface(subject: &Subject, inputs: &Inputs, ends: [(String, usize); 2]) -> Result<Value> {
    let takes = subject.takes();
    let tensors: Vec<Tensor> =
        takes.iter().map(|each| inputs.of(subject.name(), each)).collect::<Result<_>>()?;
    let mut sweeps = Vec::new();
    for (name, element) in &ends {
        let input = takes.iter().position(|each| each.name == name && each.is_variable);
        let input = input.ok_or_else(|| format!("no gradient flows into an input `{name}`"))?;
        let x = tensors[input].to_f64s().get(*element).copied().unwrap_or(f64::NAN);
        let reach = REACH * x.abs().max(1.0);
        if !(2.0 * reach).is_finite() {
            let why = format!("the numbers around {name} = {x} are not all finite: no surface");
            return Err(why.into());
        }
        sweeps.push(Sweep { input, element: *element, range: x - reach..x + reach });
    }
    let ends = [&sweeps[0], &sweeps[1]];
    let found = sampled(|tape, vars| subject.mean_of(tape, vars), &tensors, ends, INTERVALS)?;
    let row = |row: &Vec<f64>| row.iter().map(|&x| exact(x)).collect::<Vec<_>>();
    Ok(json!({
        "xs": found.xs,
        "ys": found.ys,
        "values": found.values.iter().map(row).collect::<Vec<_>>(),
    }))
}
