//! The loss as text that other programs draw: Graphviz and Mermaid.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::caption::Caption;
use crate::graph::Graph;
use crate::level::Shows;

/// A diagram in the order in which it is written.
enum Piece {
    /// A box with its name in the file.
    Box(String, Shows),
    /// An open group: what follows is inside of it.
    Opens(String, usize),
    /// The end of the innermost open group.
    Closes,
}

impl Graph {
    /// The loss in the language of Graphviz, for `dot -Tsvg`. Open groups are clusters; `depth` of
    /// them within one another are open.
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
        let pieces = self.pieces(depth);
        let mut indent = 1;
        for piece in &pieces {
            indent -= usize::from(matches!(piece, Piece::Closes));
            dot += &"  ".repeat(indent);
            // Writing to a string does not fail.
            let _ = match piece {
                Piece::Opens(name, group) => {
                    indent += 1;
                    let label = quoted(&self.groups[*group].name);
                    writeln!(dot, "subgraph cluster_{name} {{ label=\"{label}\"; labeljust=l;")
                }
                Piece::Closes => writeln!(dot, "}}"),
                Piece::Box(name, shows) => {
                    // `\l` ends a line that is flush left.
                    let lines: Vec<String> = self
                        .lines(shows)
                        .iter()
                        .map(|line| format!("{}\\l", quoted(line)))
                        .collect();
                    let style = match shows {
                        Shows::Group(..) => ", peripheries=2",
                        _ if self.is_leaf(shows) => ", style=rounded",
                        _ => "",
                    };
                    writeln!(dot, "{name} [label=\"{}\"{style}];", lines.concat())
                }
            };
        }
        for (from, to) in self.ways(&pieces) {
            let _ = writeln!(dot, "  {from} -> {to};");
        }
        dot + "}\n"
    }

    /// The loss as a Mermaid flowchart, which Markdown on many sites draws. Open groups are
    /// subgraphs; `depth` of them within one another are open.
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
        let pieces = self.pieces(depth);
        let mut indent = 1;
        for piece in &pieces {
            indent -= usize::from(matches!(piece, Piece::Closes));
            mermaid += &"  ".repeat(indent);
            let _ = match piece {
                Piece::Opens(name, group) => {
                    indent += 1;
                    writeln!(mermaid, "subgraph {name}[\"{}\"]", quoted(&self.groups[*group].name))
                }
                Piece::Closes => writeln!(mermaid, "end"),
                Piece::Box(name, shows) => {
                    let lines: Vec<String> =
                        self.lines(shows).iter().map(|line| quoted(line)).collect();
                    let [open, close] = match shows {
                        Shows::Group(..) => ["[[", "]]"],
                        _ if self.is_leaf(shows) => ["([", "])"],
                        _ => ["[", "]"],
                    };
                    writeln!(mermaid, "{name}{open}\"{}\"{close}", lines.join("<br/>"))
                }
            };
        }
        for (from, to) in self.ways(&pieces) {
            let _ = writeln!(mermaid, "  {from} --> {to}");
        }
        mermaid
    }

    /// The text of a box, line by line.
    fn lines(&self, shows: &Shows) -> Vec<String> {
        let Caption { title, shape, lines } = Caption::of(self, shows);
        let head = format!("{title} {shape}").trim_end().to_owned();
        std::iter::once(head).chain(lines).collect()
    }

    fn is_leaf(&self, shows: &Shows) -> bool {
        matches!(shows, Shows::Node(node) if self.nodes[*node].inputs.is_empty())
    }

    fn pieces(&self, depth: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.write_pieces(None, &all, depth, &mut pieces);
        pieces
    }

    fn write_pieces(
        &self,
        group: Option<usize>,
        nodes: &[usize],
        depth: usize,
        pieces: &mut Vec<Piece>,
    ) {
        for shows in self.outline(group, nodes) {
            match shows {
                // A group that was entered twice has two parts, told apart by their first nodes.
                Shows::Group(inner, nodes) if depth > 0 => {
                    pieces.push(Piece::Opens(format!("g{inner}_{}", nodes[0]), inner));
                    self.write_pieces(Some(inner), &nodes, depth - 1, pieces);
                    pieces.push(Piece::Closes);
                }
                Shows::Group(inner, ref nodes) => {
                    pieces.push(Piece::Box(format!("g{inner}_{}", nodes[0]), shows));
                }
                Shows::Node(node) | Shows::Enters(node) | Shows::Leaves(node) => {
                    pieces.push(Piece::Box(format!("n{node}"), shows));
                }
            }
        }
    }

    /// Which box reads which.
    fn ways<'a>(&self, pieces: &'a [Piece]) -> Vec<(&'a str, &'a str)> {
        let mut box_of = vec![""; self.nodes.len()];
        for piece in pieces {
            if let Piece::Box(name, shows) = piece {
                match shows {
                    Shows::Group(_, nodes) => nodes.iter().for_each(|&node| box_of[node] = name),
                    Shows::Node(node) | Shows::Enters(node) | Shows::Leaves(node) => {
                        box_of[*node] = name;
                    }
                }
            }
        }
        let mut seen = BTreeSet::new();
        let mut ways = Vec::new();
        for (reader, node) in self.nodes.iter().enumerate() {
            for (slot, input) in node.inputs.iter().enumerate() {
                let way = (box_of[input.node], box_of[reader]);
                // A closed group reads a box once; a node that reads another twice has two edges.
                let closed = way.1.starts_with('g');
                let first = seen.insert((way, if closed { 0 } else { slot }));
                if way.0 != way.1 && first {
                    ways.push(way);
                }
            }
        }
        ways
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
    fn a_closed_group_is_one_box_that_reads_each_node_once() {
        let tape = Tape::f64();
        let x = tape.variable(2.0);
        let loss = tape.scope("loss", || x.exp() * x);
        let dot = Graph::of(loss).unwrap().dot(0);
        assert_eq!(dot.matches("->").count(), 1, "{dot}");
        assert!(dot.contains("n0 -> g0_1;"));
    }
}
