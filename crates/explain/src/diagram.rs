//! The graph of a loss in the languages of Graphviz and Mermaid.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::caption::Caption;
use crate::graph::Graph;
use crate::level::Content;

/// A statement of a diagram, in the order in which it is written.
enum Statement {
    /// A node of the diagram, with its identifier.
    Node(String, Content),
    /// The start of an expanded group, with its identifier.
    BeginGroup(String, usize),
    /// The end of the innermost expanded group.
    EndGroup,
}

impl Graph {
    /// The loss in the language of Graphviz, for `dot -Tsvg`. Groups are expanded to a
    /// nesting of `depth`, as clusters; deeper ones are one node each.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::Graph;
    /// let tape = Tape::f64();
    /// let x = tape.variable(3.0);
    /// let dot = Graph::of(x.square())?.dot(0);
    /// assert!(dot.contains("n0 -> n1;") && dot.contains(r#"label="square\l= 9\l∂ 1\l""#));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn dot(&self, depth: usize) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut dot = "digraph loss {\n".to_owned();
        dot += "  node [shape=box, fontname=\"monospace\", fontsize=11];\n";
        dot += "  graph [fontname=\"monospace\", fontsize=11];\n";
        let statements = self.statements(depth);
        let mut indent = 1;
        for statement in &statements {
            indent -= usize::from(matches!(statement, Statement::EndGroup));
            dot += &"  ".repeat(indent);
            // Writing to a string does not fail.
            let _ = match statement {
                Statement::BeginGroup(name, group) => {
                    indent += 1;
                    let label = quoted(&self.groups[*group].name);
                    writeln!(dot, "subgraph cluster_{name} {{ label=\"{label}\"; labeljust=l;")
                }
                Statement::EndGroup => writeln!(dot, "}}"),
                Statement::Node(name, content) => {
                    // `\l` ends a line that is flush left.
                    let lines: Vec<String> = self
                        .lines(content)
                        .iter()
                        .map(|line| format!("{}\\l", quoted(line)))
                        .collect();
                    let style = match content {
                        Content::Group(..) => ", peripheries=2",
                        _ if self.is_leaf(content) => ", style=rounded",
                        _ => "",
                    };
                    writeln!(dot, "{name} [label=\"{}\"{style}];", lines.concat())
                }
            };
        }
        for (from, to) in self.arrows(&statements) {
            let _ = writeln!(dot, "  {from} -> {to};");
        }
        dot + "}\n"
    }

    /// The loss as a Mermaid flowchart, which Markdown on many sites draws. Groups are expanded to
    /// a nesting of `depth`, as subgraphs; deeper ones are one node each.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::Graph;
    /// let tape = Tape::f64();
    /// let x = tape.variable(3.0);
    /// let mermaid = Graph::of(x.square())?.mermaid(0);
    /// assert_eq!(mermaid, "\
    /// flowchart TB
    ///   n0([\"variable<br/>= 3<br/>∂ 6\"])
    ///   n1[\"square<br/>= 9<br/>∂ 1\"]
    ///   n0 --> n1
    /// ");
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn mermaid(&self, depth: usize) -> String {
        // Quoted text may hold anything but these, which are written as their numbers.
        let quoted = |text: &str| -> String {
            let special = |c| matches!(c, '"' | '#' | '&' | '<' | '>' | '`' | '\\');
            text.chars()
                .map(|c| if special(c) { format!("#{};", u32::from(c)) } else { c.to_string() })
                .collect()
        };
        let mut mermaid = "flowchart TB\n".to_owned();
        let statements = self.statements(depth);
        let mut indent = 1;
        for statement in &statements {
            indent -= usize::from(matches!(statement, Statement::EndGroup));
            mermaid += &"  ".repeat(indent);
            let _ = match statement {
                Statement::BeginGroup(name, group) => {
                    indent += 1;
                    writeln!(mermaid, "subgraph {name}[\"{}\"]", quoted(&self.groups[*group].name))
                }
                Statement::EndGroup => writeln!(mermaid, "end"),
                Statement::Node(name, content) => {
                    let lines: Vec<String> =
                        self.lines(content).iter().map(|line| quoted(line)).collect();
                    let [open, close] = match content {
                        Content::Group(..) => ["[[", "]]"],
                        _ if self.is_leaf(content) => ["([", "])"],
                        _ => ["[", "]"],
                    };
                    writeln!(mermaid, "{name}{open}\"{}\"{close}", lines.join("<br/>"))
                }
            };
        }
        for (from, to) in self.arrows(&statements) {
            let _ = writeln!(mermaid, "  {from} --> {to}");
        }
        mermaid
    }

    /// The text of a box, line by line.
    fn lines(&self, content: &Content) -> Vec<String> {
        let Caption { title, shape, lines } = Caption::of(self, content);
        let head = format!("{title} {shape}").trim_end().to_owned();
        std::iter::once(head).chain(lines).collect()
    }

    fn is_leaf(&self, content: &Content) -> bool {
        matches!(content, Content::Node(node) if self.nodes[*node].inputs.is_empty())
    }

    fn statements(&self, depth: usize) -> Vec<Statement> {
        let mut statements = Vec::new();
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.write_statements(None, &all, depth, &mut statements);
        statements
    }

    fn write_statements(
        &self,
        group: Option<usize>,
        nodes: &[usize],
        depth: usize,
        statements: &mut Vec<Statement>,
    ) {
        for content in self.children(group, nodes) {
            match content {
                // A group that was entered twice has two parts, told apart by their first nodes.
                Content::Group(inner, nodes) if depth > 0 => {
                    statements.push(Statement::BeginGroup(format!("g{inner}_{}", nodes[0]), inner));
                    self.write_statements(Some(inner), &nodes, depth - 1, statements);
                    statements.push(Statement::EndGroup);
                }
                Content::Group(inner, ref nodes) => {
                    statements.push(Statement::Node(format!("g{inner}_{}", nodes[0]), content));
                }
                Content::Node(node)
                | Content::InputPort(node)
                | Content::OutputPort(node)
                | Content::Reference(node) => {
                    statements.push(Statement::Node(format!("n{node}"), content));
                }
            }
        }
    }

    /// Which box reads which.
    fn arrows<'a>(&self, statements: &'a [Statement]) -> Vec<(&'a str, &'a str)> {
        let mut box_of = vec![""; self.nodes.len()];
        for statement in statements {
            if let Statement::Node(name, content) = statement {
                match content {
                    Content::Group(_, nodes) => nodes.iter().for_each(|&node| box_of[node] = name),
                    Content::Node(node)
                    | Content::InputPort(node)
                    | Content::OutputPort(node)
                    | Content::Reference(node) => {
                        box_of[*node] = name;
                    }
                }
            }
        }
        let mut seen = BTreeSet::new();
        let mut arrows = Vec::new();
        for (reader, node) in self.nodes.iter().enumerate() {
            for (slot, input) in node.inputs.iter().enumerate() {
                let arrow = (box_of[input.node], box_of[reader]);
                // A collapsed group reads a box once; a node that reads another twice has two edges.
                let collapsed = arrow.1.starts_with('g');
                let first = seen.insert((arrow, if collapsed { 0 } else { slot }));
                if arrow.0 != arrow.1 && first {
                    arrows.push(arrow);
                }
            }
        }
        arrows
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

    use super::*;

    #[test]
    fn names_with_quotes_and_brackets_do_not_end_the_text() {
        let tape = Tape::f64();
        let x = tape.variable(2.0);
        let loss = tape.scope(r#"a "b" <c>\ #1"#, || x.exp());
        let graph = Graph::of(loss).unwrap();
        let dot = graph.dot(1);
        assert!(dot.contains(r##"label="a \"b\" <c>\\ #1";"##), "{dot}");
        let mermaid = graph.mermaid(1);
        assert!(mermaid.contains(r##"["a #34;b#34; #60;c#62;#92; #35;1"]"##), "{mermaid}");
    }

    #[test]
    fn a_collapsed_group_is_one_box_that_reads_each_node_once() {
        let tape = Tape::f64();
        let x = tape.variable(2.0);
        let loss = tape.scope("loss", || x.exp() * x);
        let dot = Graph::of(loss).unwrap().dot(0);
        assert_eq!(dot.matches("->").count(), 1, "{dot}");
        assert!(dot.contains("n0 -> g0_1;"));
    }
}
