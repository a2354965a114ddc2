//! A report as JSON.

use serde_json::{Value, json};

use crate::blame::Blame;
use crate::report::{Finding, Report, Verdict};

impl Report {
    /// The report as JSON. What is not finite is `null`.
    pub fn to_json(&self) -> Value {
        json!({
            "title": self.title,
            "loss": self.loss,
            "verdict": self.verdict().name(),
            "seed": self.seed,
            "runs": self.runs,
            "single": self.single.as_ref().map(|single| json!({
                "loss_ulp": single.loss,
                "gradient_ulp": single.gradient,
                "loses": single.loses.as_ref().map(|loses| json!({
                    "op": op(&loses.op),
                    "digits_before": loses.digits.0,
                    "digits_after": loses.digits.1,
                })),
            })),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

fn row(row: &Finding) -> Value {
    let reason = match &row.verdict {
        Verdict::Skipped(why) => Some(why),
        _ => None,
    };
    json!({
        "input": row.input,
        "order": row.order,
        "verdict": row.verdict.name(),
        "reason": reason,
        "margin": row.margin,
        "digits": row.digits,
        "kink": row.kink.as_ref().map(|kink| json!({
            "element": kink.element,
            "left": kink.slopes.0,
            "right": kink.slopes.1,
            "op": kink.op.as_ref().map(op),
        })),
        "noise": row.tried.map(|tried| json!({
            "step": tried.step,
            "analytic": tried.analytic,
            "numeric": tried.numeric.value,
            "error": tried.numeric.error,
        })),
        "failure": row.failure.as_ref().map(|failure| json!({
            "wrong": failure.wrong.0,
            "looked_at": failure.wrong.1,
            "elements": failure.elements,
            "diagnosis": failure.diagnosis.to_string(),
            "blame": failure.blame.as_ref().map(op),
            "graph_ends": failure.end.as_ref().map(op),
            "smallest": failure.smallest.as_ref().map(|smallest| json!({
                "inputs": smallest.inputs.iter().map(|(name, x)| json!({
                    "name": name,
                    "shape": x.shape().to_vec(),
                    "data": x.to_f64s(),
                })).collect::<Vec<_>>(),
                "test": smallest.test,
                "panic": smallest.panic,
            })),
            "worst": failure.worst.iter().map(|element| json!({
                "index": element.index,
                "value": element.value,
                "analytic": element.analytic,
                "numeric": element.numeric.value,
                "error": element.numeric.error,
            })).collect::<Vec<_>>(),
        })),
    })
}

fn op(op: &Blame) -> Value {
    json!({
        "op": op.op,
        "node": op.node,
        "input": op.input,
        "scope": op.scope,
        "file": op.location.map(|location| location.file()),
        "line": op.location.map(|location| location.line()),
    })
}
