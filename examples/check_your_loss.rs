//! A loss of one's own, with an op of one's own whose rule is wrong, and the report that finds it.
//!
//! The op is `soft`, x/(1 + |x|), whose derivative is 1/(1 + |x|)². The first rule forgets the
//! square. Its report says FAIL, shows the worst elements, and blames the rule of `soft` with the
//! line that recorded it. The second rule is right, and its report says PASS.
//!
//! The last one is no program of ours: a function with a backward pass by hand, that forgets to
//! divide by the number of elements. Its report says so, and shows the smallest case as a test.

use std::io::IsTerminal;

use lossgraph::check::Report;
use lossgraph::prelude::*;

/// `x/(1 + |x|)` with a rule.
const fn soft(rule: UnaryRule) -> Unary {
    Unary::new("soft", "x/(1 + |x|)", map1!(|x, _p| x / (T::ONE + x.abs()))).vjp(rule)
}

static WRONG: Unary = soft(|g, x, _, _| g / (1.0 + x.abs()));
static RIGHT: Unary = soft(|g, x, _, _| g / (1.0 + x.abs()).square());

/// The mean of the squared, softened residual, weighted by column.
fn softened<'t>(op: &'static Unary, p: Var<'t>, t: Var<'t>, weight: Var<'t>) -> Var<'t> {
    p.tape().scope("softened", || ((p - t).unary(op, [0.0; 2]).square() * weight).mean(..))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let inputs = [
        Tensor::from([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]]),
        Tensor::from([[0.0, 1.0, 1.5], [1.0, 1.0, 1.0]]),
        Tensor::from([1.0, 2.0, 0.5]),
    ];
    for (title, op) in [("a rule without its square", &WRONG), ("the right rule", &RIGHT)] {
        let check = Check {
            title: title.to_owned(),
            names: ["prediction", "target", "weight"].map(str::to_owned).to_vec(),
            ..Check::default()
        };
        show(&check.run(|_, x| softened(op, x[0], x[1], x[2]), &inputs)?);
    }
    let check = Check { title: "a backward pass by hand".to_owned(), ..Check::default() };
    show(&check.run_function(mean_squared_error, &inputs[..2])?);
    Ok(())
}

/// The mean squared error, and what somebody takes for its gradients: that of the prediction lacks
/// the division of the mean.
fn mean_squared_error(x: &[Tensor]) -> (f64, Vec<Tensor>) {
    let (p, t) = (x[0].to_f64s(), x[1].to_f64s());
    let off: Vec<f64> = p.iter().zip(&t).map(|(p, t)| p - t).collect();
    let count = off.len() as f64;
    let value = off.iter().map(|off| off * off).sum::<f64>() / count;
    let shaped = |slope: &dyn Fn(&f64) -> f64| {
        let slopes = off.iter().map(slope).collect();
        Tensor::new(x[0].shape().clone(), slopes).unwrap_or_else(|_| x[0].clone())
    };
    (value, vec![shaped(&|off| 2.0 * off), shaped(&|off| -2.0 * off / count)])
}

/// With colors where a person reads it.
fn show(report: &Report) {
    match std::io::stdout().is_terminal() {
        true => println!("{}", report.colored()),
        false => println!("{report}"),
    }
}
