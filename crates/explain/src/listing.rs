//! The tape as a table: value and gradient of every node in one row.

use std::fmt;

use lossgraph_autograd::{NodeInfo, Result, ScopeInfo, Tape, Var};
use lossgraph_tensor::Tensor;

/// How many numbers of a tensor a row shows before it elides.
const SHOWN: usize = 3;

/// The listing of a loss; see [`listing`]. Print it with `{}`.
pub struct Listing {
    rows: Vec<Row>,
    places: bool,
}

enum Row {
    /// A scope opens: its depth and name.
    Scope {
        depth: usize,
        name: String,
    },
    Node {
        depth: usize,
        cells: [String; 5],
        place: String,
    },
}

/// Lists every node that `loss` depends on, in the order of recording: its op and inputs, shape,
/// value, and the gradient of the loss with respect to it. Scopes are indented.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// let tape = Tape::f64();
/// let x = tape.variable([3.0, 4.0]);
/// let length = tape.scope("length", || x.square().sum(..).sqrt());
/// let listing = lossgraph_explain::listing(length)?.to_string();
/// assert_eq!(listing, "\
/// node  op            shape  value    gradient
/// %0    variable      [2]    [3, 4]   [0.6, 0.8]
///       length
/// %1      square(%0)  [2]    [9, 16]  [0.1, 0.1]
/// %2      sum(%1)     [1]    [25]     [0.1]
/// %3      reshape(%2) []     25       0.1
/// %4      sqrt(%3)    []     5        1
/// ");
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// A misfit in the program, or a loss with more than one element.
pub fn listing(loss: Var<'_>) -> Result<Listing> {
    let tape = loss.tape();
    let nodes = needed(tape, loss);
    let values =
        tape.eval(&nodes.iter().filter_map(|node| tape.var(node.id)).collect::<Vec<_>>())?;
    let gradients = gradients(loss, &nodes)?;
    let scopes = tape.scopes();
    let mut open: Vec<usize> = Vec::new();
    let mut rows = Vec::new();
    for ((node, value), gradient) in nodes.iter().zip(values).zip(gradients) {
        let path = path(&scopes, node.scope);
        let common = open.iter().zip(&path).take_while(|(a, b)| a == b).count();
        for (depth, &scope) in path.iter().enumerate().skip(common) {
            rows.push(Row::Scope { depth, name: scopes[scope].name.clone() });
        }
        let gradient = gradient.map_or_else(|| "–".to_owned(), |gradient| numbers(&gradient));
        let cells = [
            format!("%{}", node.id),
            call(node),
            node.shape.to_string(),
            numbers(&value),
            gradient,
        ];
        let place = format!("{}:{}", node.place.file(), node.place.line());
        rows.push(Row::Node { depth: path.len(), cells, place });
        open = path;
    }
    Ok(Listing { rows, places: false })
}

impl Listing {
    /// With the line of the program that recorded each node.
    pub fn with_places(self) -> Listing {
        Listing { places: true, ..self }
    }
}

/// The nodes that `loss` depends on, ascending.
fn needed(tape: &Tape, loss: Var<'_>) -> Vec<NodeInfo> {
    let mut wanted = vec![false; loss.number() + 1];
    wanted[loss.number()] = true;
    let mut nodes = Vec::new();
    for id in (0..=loss.number()).rev().filter_map(|id| tape.node(id)) {
        if wanted[id.id] {
            id.inputs.iter().for_each(|&input| wanted[input] = true);
            nodes.push(id);
        }
    }
    nodes.reverse();
    nodes
}

/// The gradient of the loss with respect to each node; `None` where none flows.
fn gradients(loss: Var<'_>, nodes: &[NodeInfo]) -> Result<Vec<Option<Tensor>>> {
    // Adjoints are recorded on a copy: looking at a tape does not change it.
    let copy = loss.tape().copy();
    let at = |id: usize| copy.var(id);
    let Some(target) = at(loss.number()) else { return Ok(vec![None; nodes.len()]) };
    // A node beyond a detach has a faulty gradient, shown as none; a loss that cannot be
    // differentiated at all is an error.
    copy.eval(&copy.grad(target, &[target]))?;
    let vars: Vec<Option<Var<'_>>> =
        nodes.iter().map(|node| at(node.id).filter(|var| var.dtype().is_float())).collect();
    let floats: Vec<Var<'_>> = vars.iter().flatten().copied().collect();
    let mut found = copy.grad(target, &floats).into_iter();
    let gradients: Vec<Option<Var<'_>>> =
        vars.iter().map(|var| var.and_then(|_| found.next()).filter(|g| !g.is_faulty())).collect();
    let mut values =
        copy.eval(&gradients.iter().flatten().copied().collect::<Vec<_>>())?.into_iter();
    Ok(gradients.iter().map(|gradient| gradient.and_then(|_| values.next())).collect())
}

/// The scopes around a node, outermost first.
fn path(scopes: &[ScopeInfo], innermost: Option<usize>) -> Vec<usize> {
    let mut path: Vec<usize> =
        std::iter::successors(innermost, |&scope| scopes[scope].parent).collect();
    path.reverse();
    path
}

fn call(node: &NodeInfo) -> String {
    let inputs: Vec<String> = node.inputs.iter().map(|id| format!("%{id}")).collect();
    match (&node.parameter, inputs.is_empty()) {
        (Some(name), _) => format!("parameter {name}"),
        (None, true) => node.op.to_owned(),
        (None, false) => format!("{}({})", node.op, inputs.join(", ")),
    }
}

/// The numbers of a tensor in one line.
fn numbers(tensor: &Tensor) -> String {
    let all = tensor.to_f64s();
    let texts: Vec<String> = match all.len() {
        len if len <= SHOWN + 1 => all.iter().map(|&x| number(x)).collect(),
        len => {
            let mut texts: Vec<String> = all[..SHOWN].iter().map(|&x| number(x)).collect();
            texts.extend(["…".to_owned(), number(all[len - 1])]);
            texts
        }
    };
    if tensor.rank() == 0 { texts.concat() } else { format!("[{}]", texts.join(", ")) }
}

/// Four significant digits, without zeros that say nothing.
fn number(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}").replace("-0", "0");
    }
    let digits = 3 - x.abs().log10().floor() as i32;
    if !(-2..=8).contains(&digits) {
        return format!("{x:.3e}");
    }
    let text = format!("{x:.*}", digits.max(0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["node", "op", "shape", "value", "gradient"];
        let mut widths = heads.map(|head| head.chars().count());
        for row in &self.rows {
            if let Row::Node { depth, cells, .. } = row {
                for (i, (width, cell)) in widths.iter_mut().zip(cells).enumerate() {
                    let indent = if i == 1 { 2 * depth } else { 0 };
                    *width = (*width).max(cell.chars().count() + indent);
                }
            }
        }
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 5], depth: usize, place: &str| {
            let [node, op, shape, value, gradient] = widths;
            let indented = format!("{}{}", "  ".repeat(depth), cells[1]);
            let text = format!(
                "{:node$}  {indented:op$} {:shape$}  {:value$}  {:gradient$}  {place}",
                cells[0], cells[2], cells[3], cells[4],
            );
            writeln!(f, "{}", text.trim_end())
        };
        let place = |place| if self.places { place } else { "" };
        line(f, heads, 0, place("recorded at"))?;
        for row in &self.rows {
            match row {
                Row::Scope { depth, name } => line(f, ["", name, "", "", ""], *depth, "")?,
                Row::Node { depth, cells, place: at } => {
                    line(f, cells.each_ref().map(|cell| cell.as_str()), *depth, place(at))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_of_several_elements_is_an_error() {
        let tape = Tape::f64();
        assert!(listing(tape.variable([1.0, 2.0]).square()).is_err());
    }

    #[test]
    fn no_gradient_is_shown_where_none_flows() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        let text = listing(x.detach().square().sum(..)).unwrap().to_string();
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[1].ends_with('–'), "{text}");
        assert!(!rows[2].ends_with('–'), "{text}");
    }
}
