//! The tape as a table: value and gradient of every node in one row.

use std::fmt;

use lossgraph_autograd::{Result, Var};

use crate::graph::{Graph, Group, Node};
use crate::number::numbers;

/// The listing of a loss; see [`listing`]. Print it with `{}`.
pub struct Listing {
    rows: Vec<Row>,
    locations: bool,
}

enum Row {
    /// A scope opens: its depth and name, and the location.
    Scope {
        depth: usize,
        name: String,
        location: String,
    },
    Node {
        depth: usize,
        cells: [String; 5],
        location: String,
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
/// An error of the program, such as shapes that differ, or a loss with more than one element.
#[track_caller]
pub fn listing(loss: Var<'_>) -> Result<Listing> {
    Ok(Graph::of(loss)?.listing())
}

impl Graph {
    /// The graph as a table: see [`listing`].
    pub fn listing(&self) -> Listing {
        let mut open: Vec<usize> = Vec::new();
        let mut rows = Vec::new();
        for node in &self.nodes {
            let path = self.path(node.group);
            let common = open.iter().zip(&path).take_while(|(a, b)| a == b).count();
            for (depth, &group) in path.iter().enumerate().skip(common) {
                let Group { name, location, .. } = &self.groups[group];
                let location = format!("{}:{}", location.file(), location.line());
                rows.push(Row::Scope { depth, name: name.clone(), location });
            }
            let gradient = node.gradient.as_ref().map_or_else(|| "–".to_owned(), numbers);
            let cells = [
                format!("%{}", node.number),
                self.call(node),
                node.shape.to_string(),
                numbers(&node.value),
                gradient,
            ];
            let location = format!("{}:{}", node.location.file(), node.location.line());
            rows.push(Row::Node { depth: path.len(), cells, location });
            open = path;
        }
        Listing { rows, locations: false }
    }

    /// A node as a call: `exp(%3)`.
    pub(crate) fn call(&self, node: &Node) -> String {
        match &node.name {
            Some(name) => format!("{} {name}", node.op),
            None if node.inputs.is_empty() => node.op.to_owned(),
            None => {
                let inputs: Vec<String> =
                    node.inputs.iter().map(|input| self.label(input.node)).collect();
                format!("{}({})", node.op, inputs.join(", "))
            }
        }
    }
}

impl Listing {
    /// With the location in the program that recorded each node and opened each scope. What a
    /// function of the library records, such as a loss or a layer, has the location of its call.
    pub fn with_locations(self) -> Listing {
        Listing { locations: true, ..self }
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
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 5], depth: usize, location: &str| {
            let [node, op, shape, value, gradient] = widths;
            let indented = format!("{}{}", "  ".repeat(depth), cells[1]);
            let text = format!(
                "{:node$}  {indented:op$} {:shape$}  {:value$}  {:gradient$}  {location}",
                cells[0], cells[2], cells[3], cells[4],
            );
            writeln!(f, "{}", text.trim_end())
        };
        let location = |location| if self.locations { location } else { "" };
        line(f, heads, 0, location("recorded at"))?;
        for row in &self.rows {
            match row {
                Row::Scope { depth, name, location: at } => {
                    line(f, ["", name, "", "", ""], *depth, location(at))?;
                }
                Row::Node { depth, cells, location: at } => {
                    line(f, cells.each_ref().map(|cell| cell.as_str()), *depth, location(at))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

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
