//! Whether finite differences confirm the gradients: the verdicts of the checker.

use lossgraph_autograd::Result;
use lossgraph_check::{Check, Finding, Verdict};
use serde::Serialize;

use super::picture::{Picture, SMALL};
use crate::graph::Graph;
use crate::number::{counted, is_finite, signed};
use crate::numeric::NumericGradient;
use crate::operation::Operation;

/// The budget of all checks together, in elements computed: a moment's worth.
const BUDGET: usize = 100_000_000;
/// About how many times a check runs a program.
const RUNS: usize = 64;

/// What the checker says of the gradient of a node: a word and a sentence, and the differences of a
/// small one.
#[derive(Serialize)]
pub(super) struct Checked {
    verdict: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Picture>,
}

/// The verdicts of a page in one line.
#[derive(Serialize)]
pub(super) struct Summary {
    text: String,
    /// Whether nothing is wrong.
    right: bool,
}

/// The verdict on the gradient of each node; none where no gradient flows, into what is made of
/// constants, or where it would take too long.
pub(super) fn verdicts(graph: &Graph) -> Result<Vec<Option<Checked>>> {
    let each = budgets(graph).into_iter().enumerate();
    each.map(|(at, budget)| verdict(graph, at, budget)).collect()
}

/// The word of each verdict.
pub(super) fn words(verdicts: &[Option<Checked>]) -> Vec<Option<&str>> {
    verdicts.iter().map(|checked| Some(checked.as_ref()?.verdict)).collect()
}

/// The verdict on the gradient of one node, as it is among all.
pub(super) fn verdict_on(graph: &Graph, at: usize) -> Result<Option<Checked>> {
    verdict(graph, at, budgets(graph).get(at).copied().flatten())
}

/// What the check of each node may cost, in elements computed; none where nothing is to be compared:
/// without a gradient, or without a variable behind it.
fn budgets(graph: &Graph) -> Vec<Option<usize>> {
    // Half of the budget is for the inputs: all depends on them, so that their checks take longest,
    // and theirs are the gradients that somebody wants.
    let passive = graph.passive();
    let is_wanted = |at: usize| graph.nodes[at].gradient.is_some() && !passive[at];
    let wanted = || (0..graph.nodes.len()).filter(|&at| is_wanted(at));
    let inputs = wanted().filter(|&at| is_input(graph, at)).count();
    let others = wanted().count() - inputs;
    let budget = |at| BUDGET / 2 / if is_input(graph, at) { inputs } else { others };
    (0..graph.nodes.len()).map(|at| is_wanted(at).then(|| budget(at))).collect()
}

fn is_input(graph: &Graph, at: usize) -> bool {
    matches!(graph.nodes[at].operation, Operation::Variable)
}

/// The verdicts of a page in one line, given the word of each; none if nothing was compared.
pub(super) fn summary(graph: &Graph, verdicts: &[Option<&str>]) -> Option<Summary> {
    let count = |name: &str| verdicts.iter().filter(|each| **each == Some(name)).count();
    let [agree, kink, noise, differ, none] =
        ["agree", "kink", "noise", "differ", "none"].map(count);
    let all = agree + kink + noise + differ;
    if all == 0 {
        return None;
    }
    let gradients = budgets(graph).iter().flatten().count();
    let those = if all == gradients { "" } else { " that were compared" };
    let mut text = match (agree, all) {
        (1, 1) => format!("the gradient{those} agrees with finite differences"),
        (agree, all) if agree == all => {
            format!("all {all} gradients{those} agree with finite differences")
        }
        (1, all) => format!("1 of {all} gradients{those} agrees with finite differences"),
        (agree, all) => format!("{agree} of {all} gradients{those} agree with finite differences"),
    };
    let left = gradients - all - none;
    let agrees = |at: usize| verdicts[at] == Some("agree");
    // Whatever is left out passes on what it has to the inputs.
    let why = match (0..verdicts.len()).filter(|&at| is_input(graph, at)).all(agrees) {
        true => {
            "not compared, to keep the page fast: what they pass on is part of the gradients of the \
                 inputs, which agree"
        }
        false => "not compared, to keep the page fast",
    };
    let others = [
        (kink, "at a kink, between the slopes of both sides"),
        (noise, "where differences are too uncertain to tell"),
        (differ, if differ == 1 { "differs" } else { "differ" }),
        (none, "cannot be compared, and the box of each says why"),
        (left, why),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!("; {count} {what}");
    }
    Some(Summary { text, right: differ == 0 })
}

fn verdict(graph: &Graph, at: usize, budget: Option<usize>) -> Result<Option<Checked>> {
    let Some(budget) = budget else { return Ok(None) };
    let Some(gradient) = &graph.nodes[at].gradient else { return Ok(None) };
    let incomparable = |why: &str| {
        let text = format!("Finite differences and gradient cannot be compared: {why}");
        Ok(Some(Checked { verdict: "none", text, differences: None }))
    };
    let loss = graph.nodes.last().map_or(f64::NAN, |loss| loss.value.item().unwrap_or(f64::NAN));
    if gradient.is_empty() {
        return incomparable("there are no elements");
    }
    if !loss.is_finite() {
        return incomparable(&format!("the loss is {}", signed(loss)));
    }
    if !is_finite(&graph.nodes[at].value.to_f64s()) {
        return incomparable("not all values are finite");
    }
    let Some((dependents, _)) = graph.dependents(at, budget / RUNS) else {
        return Ok(None);
    };
    let check = Check { title: "page".to_owned(), orders: 1, directions: 2, ..Check::default() };
    let value = std::slice::from_ref(&graph.nodes[at].value);
    let report = check.run(|tape, x| graph.substituted(tape, &dependents, x[0]), value);
    let found = match report.map(|report| report.rows.into_iter().next()) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(error) => {
            let text = error.without_locations();
            return incomparable(text.lines().next().unwrap_or_default());
        }
    };
    let (verdict, text) = match &found.verdict {
        Verdict::Skipped(why) => return incomparable(why),
        Verdict::Pass => ("agree", format!("agree to {}", counted(found.digits.floor(), "digit"))),
        Verdict::Kink if jumps(&found) => return incomparable("the loss jumps there"),
        Verdict::Kink => ("kink", at_kink(&found)),
        Verdict::Noise => ("noise", "say the same as far as differences can tell".to_owned()),
        Verdict::Fail => ("differ", apart(&found)),
    };
    let shown = gradient.len() <= SMALL;
    let differences = match shown.then(|| graph.numeric_gradient(at, budget)).transpose()?.flatten()
    {
        Some(NumericGradient::Elements(slopes)) => Some(Picture::of(&slopes)),
        _ => None,
    };
    let text = format!("Finite differences and gradient {text}");
    Ok(Some(Checked { verdict, text, differences }))
}

/// Whether the value itself jumps: then any number lies between the slopes of both sides.
fn jumps(found: &Finding) -> bool {
    let infinite = |(left, right): (f64, f64)| left.is_infinite() && right.is_infinite();
    found.kink.as_ref().is_some_and(|kink| infinite(kink.slopes))
}

/// What is said of a point without a derivative.
fn at_kink(found: &Finding) -> String {
    let slopes = found.kink.as_ref().map(|kink| kink.slopes);
    let (left, right) = slopes.map_or_else(Default::default, |(left, right)| {
        (format!(" {}", signed(left)), format!(" {}", signed(right)))
    });
    format!(
        "meet at a kink: the gradient lies between the slopes{left} to the left and{right} to the right"
    )
}

/// What is said where they disagree.
fn apart(found: &Finding) -> String {
    match found.failure.as_ref().and_then(|failure| failure.worst.first()) {
        Some(worst) => format!(
            "differ: in {:?} differences say {}, and the gradient {}",
            worst.index,
            signed(worst.numeric.value),
            signed(worst.analytic)
        ),
        None => "differ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Tape, Var};

    use super::*;

    /// The verdict on the gradient of the first node, its sentence, and the line of the page.
    fn of_first(x: &[f64], record: fn(Var<'_>) -> Var<'_>) -> (&'static str, String, String) {
        let tape = Tape::f64();
        let graph = Graph::of(record(tape.variable(x.to_vec()))).unwrap();
        let mut all = verdicts(&graph).unwrap();
        let line = line(&graph, &all).unwrap();
        let first = all.swap_remove(0).unwrap();
        (first.verdict, first.text, line)
    }

    /// The line of the page.
    fn line(graph: &Graph, verdicts: &[Option<Checked>]) -> Option<String> {
        Some(summary(graph, &words(verdicts))?.text)
    }

    #[test]
    fn a_smooth_loss_agrees_everywhere() {
        let (verdict, text, line) = of_first(&[0.5, -1.0], |x| x.exp().square().sum(..));
        assert_eq!(
            (verdict, &line[..]),
            ("agree", "all 5 gradients agree with finite differences")
        );
        assert!(text.starts_with("Finite differences and gradient agree to "), "{text}");
    }

    #[test]
    fn a_gradient_of_0_beside_noise_does_not_differ() {
        // The shift of a softmax has a gradient of 0, but for rounding.
        let (verdict, _, line) = of_first(&[0.3, -0.2, 0.9], |x| x.softmax(0).sum(..));
        assert!(["agree", "noise"].contains(&verdict), "{verdict}: {line}");
        assert!(!line.split("; ").any(|part| part.ends_with(" differ")), "{line}");
        let (verdict, _, line) = of_first(&[0.3, -0.2], |x| (x.floor() + x).sum(..));
        assert_eq!(verdict, "agree", "{line}");
    }

    #[test]
    fn a_kink_is_named_with_both_slopes() {
        let (verdict, text, line) = of_first(&[0.0], |x| x.abs().sum(..));
        assert_eq!(verdict, "kink");
        assert!(text.ends_with("between the slopes −1 to the left and 1 to the right"), "{text}");
        assert!(line.contains("; 1 at a kink"), "{line}");
    }

    #[test]
    fn a_mask_whose_loss_jumps_is_not_compared() {
        let tape = Tape::f64();
        let x = tape.variable([0.5, 2.0]);
        let graph = Graph::of(x.gt(1.0).select(x, 5.0).sum(..)).unwrap();
        let all = verdicts(&graph).unwrap();
        let mask = graph.nodes.iter().position(|node| node.op == "gt").unwrap();
        let text = &all[mask].as_ref().unwrap().text;
        assert!(text.ends_with("cannot be compared: the loss jumps there"), "{text}");
    }

    #[test]
    fn what_is_not_finite_is_not_compared_and_no_alarm() {
        let tape = Tape::f64();
        let graph = Graph::of(tape.variable([0.0, 1.0]).ln().sum(..)).unwrap();
        let all = verdicts(&graph).unwrap();
        let Checked { verdict, text, .. } = all[0].as_ref().unwrap();
        assert_eq!(*verdict, "none");
        assert!(text.ends_with("cannot be compared: the loss is −∞"), "{text}");
        assert_eq!(line(&graph, &all), None);
    }

    #[test]
    fn what_takes_long_is_left_out_with_a_reason_and_constants_are_no_gradients() {
        let tape = Tape::f64();
        let x = tape.variable(vec![0.5; 100]);
        let mask = tape.constant(vec![1.0; 100]);
        let graph = Graph::of((0..200).fold(x * mask, |y, _| y.sin() + y.cos()).sum(..)).unwrap();
        let all = verdicts(&graph).unwrap();
        assert_eq!(words(&all)[..2], [Some("agree"), None]);
        let told = line(&graph, &all).unwrap();
        assert!(told.starts_with("all ") && told.contains(" that were compared agree "), "{told}");
        let why = "not compared, to keep the page fast: what they pass on is part of the gradients";
        assert!(told.contains(why), "{told}");
    }
}
