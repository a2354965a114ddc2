//! The graph of a loss as JSON, for other programs.

use lossgraph_tensor::Tensor;
use serde_json::{Map, Value, json};

use crate::graph::{Graph, Node};
use crate::level::Content;

impl Graph {
    /// The loss as JSON: values, gradients, cotangents, and the rules of both passes.
    ///
    /// ```text
    /// {
    ///   "format": "lossgraph-explain", "version": 1,
    ///   "nodes": [{                   in the order of recording; the last one is the loss
    ///     "tape": 3,                  its number on the tape
    ///     "name": "logits",           of an argument or a parameter; else null
    ///     "op": "exp", "attributes": "",
    ///     "shape": [2, 3], "type": "f64",
    ///     "value": [1.0, …],          row by row
    ///     "gradient": [0.5, …],       null where none flows
    ///     "formula": "exp(a)",        on its inputs a, b, c, …; null for data
    ///     "inputs": [{
    ///       "node": 0,                the index in "nodes" of what it reads
    ///       "flow": [0.5, …],         what it adds to that node's gradient; null for nothing
    ///       "rule": "g · y"           how: g is its own gradient, y its value
    ///     }],
    ///     "group": 0,                 the index in "groups" of the innermost one; or null
    ///     "location": "src/main.rs:7" where it was recorded
    ///   }],
    ///   "groups": [{ "name": "mse", "parent": null, "location": "src/main.rs:7" }],
    ///   "hazards": [{ "node": 4, "hazard": "kink", "elements": [0], "text": "…" }],
    ///   "children": [                 the hierarchy, with groups expanded to a nesting of `depth`
    ///     { "node": 0 },
    ///     { "group": 0, "nodes": [1, 2], "children": […] }   without "children" if collapsed
    ///   ]
    /// }
    /// ```
    ///
    /// Numbers that JSON cannot write are the texts `"NaN"`, `"Infinity"` and `"-Infinity"`.
    pub fn json(&self, depth: usize) -> Value {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let groups = self.groups.iter().map(|group| {
            json!({
                "name": group.name,
                "parent": group.parent,
                "location": format!("{}:{}", group.location.file(), group.location.line()),
            })
        });
        let hazards = self.hazards().into_iter().map(|hazard| {
            json!({
                "node": hazard.node,
                "hazard": hazard.kind.to_string(),
                "elements": hazard.elements,
                "text": hazard.text,
            })
        });
        json!({
            "format": "lossgraph-explain",
            "version": 1,
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "groups": groups.collect::<Vec<_>>(),
            "hazards": hazards.collect::<Vec<_>>(),
            "children": self.content(None, &all, depth),
        })
    }

    fn content(&self, group: Option<usize>, nodes: &[usize], depth: usize) -> Vec<Value> {
        let child = |content| match content {
            Content::Node(node)
            | Content::InputPort(node)
            | Content::OutputPort(node)
            | Content::Reference(node) => {
                json!({"node": node})
            }
            Content::Group(inner, nodes) => {
                let mut entry = Map::new();
                entry.insert("group".to_owned(), json!(inner));
                entry.insert("nodes".to_owned(), json!(nodes));
                if depth > 0 {
                    let inside = self.content(Some(inner), &nodes, depth - 1);
                    entry.insert("children".to_owned(), json!(inside));
                }
                Value::Object(entry)
            }
        };
        self.children(group, nodes).into_iter().map(child).collect()
    }
}

fn node(node: &Node) -> Value {
    let inputs = node.inputs.iter().map(|input| {
        json!({
            "node": input.node,
            "flow": input.flow.as_ref().map(|flow| numbers(&flow.value)),
            "rule": input.flow.as_ref().map(|flow| flow.rule.to_string()),
        })
    });
    json!({
        "tape": node.number,
        "name": node.name,
        "op": node.op,
        "attributes": node.attributes,
        "shape": node.shape[..],
        "type": node.value.dtype().to_string(),
        "value": numbers(&node.value),
        "gradient": node.gradient.as_ref().map(numbers),
        "formula": node.operation.op().map(|_| node.formula.to_string()),
        "inputs": inputs.collect::<Vec<_>>(),
        "group": node.group,
        "location": format!("{}:{}", node.location.file(), node.location.line()),
    })
}

/// The numbers of a tensor, row by row.
fn numbers(tensor: &Tensor) -> Vec<Value> {
    let number = |x: f64| match x {
        _ if x.is_nan() => json!("NaN"),
        _ if x.is_infinite() => json!(if x > 0.0 { "Infinity" } else { "-Infinity" }),
        _ => json!(x),
    };
    tensor.to_f64s().into_iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

    use super::*;

    #[test]
    fn numbers_that_json_lacks_are_texts() {
        let tape = Tape::f64();
        let x = tape.variable([0.0, 1.0]);
        let json = Graph::of(x.ln().sum(..)).unwrap().json(0);
        assert_eq!(json["nodes"][1]["value"], json!(["-Infinity", 0.0]));
        assert_eq!(json["nodes"][0]["gradient"], json!(["Infinity", 1.0]));
    }

    #[test]
    fn an_expanded_group_has_children_and_a_collapsed_one_does_not() {
        let tape = Tape::f64();
        let x = tape.variable(2.0);
        let graph = Graph::of(tape.scope("loss", || x.exp().ln())).unwrap();
        assert_eq!(graph.json(0)["children"], json!([{"node": 0}, {"group": 0, "nodes": [1, 2]}]));
        let inside = json!([{"node": 1}, {"node": 2}]);
        assert_eq!(graph.json(1)["children"][1]["children"], inside);
    }
}
