//! Nodes that are drawn again beside those that read them from afar.

use std::collections::HashMap;

use crate::layout::{Arrow, Item, Rank, layers};
use crate::level::{Content, Edge};

/// How many layers an edge may span. A longer one would leave the screen, and many side by side
/// would make a drawing as wide as it is long.
const MAX_SPAN: usize = 8;

/// Adds references to the boxes of a level: an edge that would span many layers comes from one that
/// stands beside its reader.
pub(crate) fn with_references(boxes: Vec<Content>, edges: &mut [Edge]) -> Vec<Content> {
    let layers = layers_of(&boxes, edges);
    let is_far = |edge: &Edge| layers[edge.to] > layers[edge.from] + MAX_SPAN;
    // The edges of each reference: those of a node into one reader.
    let mut references: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<(usize, usize), usize> = HashMap::new();
    for at in (0..edges.len()).filter(|&at| is_far(&edges[at])) {
        let nth = *known.entry((edges[at].node, edges[at].to)).or_insert(references.len());
        references.resize_with(references.len().max(nth + 1), Vec::new);
        references[nth].push(at);
    }
    // Each stands before its reader, so that the order stays topological.
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); boxes.len()];
    for (nth, of_reader) in references.iter().enumerate() {
        before[edges[of_reader[0]].to].push(nth);
    }
    let mut all = Vec::with_capacity(boxes.len() + references.len());
    let mut moved = Vec::with_capacity(boxes.len());
    let mut sources = vec![0; references.len()];
    for (content, before) in boxes.into_iter().zip(before) {
        for nth in before {
            sources[nth] = all.len();
            all.push(Content::Reference(edges[references[nth][0]].node));
        }
        moved.push(all.len());
        all.push(content);
    }
    for edge in edges.iter_mut() {
        (edge.from, edge.to) = (moved[edge.from], moved[edge.to]);
    }
    for (source, of_reader) in sources.into_iter().zip(references) {
        of_reader.into_iter().for_each(|at| edges[at].from = source);
    }
    all
}

/// The layers of boxes that inputs do not hold in place, since those can be drawn again. An input
/// itself stands above its uppermost reader.
fn layers_of(boxes: &[Content], edges: &[Edge]) -> Vec<usize> {
    let mut is_input = vec![true; boxes.len()];
    edges.iter().for_each(|edge| is_input[edge.to] = false);
    let plain = |content: &Content| Item { width: 0.0, height: 0.0, rank: content.rank() };
    let items: Vec<Item> = boxes.iter().map(plain).collect();
    let arrow = |edge: &Edge| Arrow { from: edge.from, to: edge.to, exit: 0.0, entry: None };
    let between: Vec<Arrow> = edges.iter().filter(|edge| !is_input[edge.from]).map(arrow).collect();
    let mut layers = layers(&items, &between);
    let mut readers: Vec<Option<usize>> = vec![None; boxes.len()];
    for edge in edges.iter().filter(|edge| is_input[edge.from]) {
        let reader = &mut readers[edge.from];
        *reader = Some(reader.map_or(layers[edge.to], |layer| layer.min(layers[edge.to])));
    }
    for (at, reader) in readers.into_iter().enumerate() {
        if let (Some(reader), Rank::Free) = (reader, items[at].rank) {
            layers[at] = reader.saturating_sub(1);
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

    use super::*;
    use crate::graph::Graph;

    #[test]
    fn what_is_read_at_every_step_is_drawn_again_beside_its_readers() {
        let tape = Tape::f64();
        let [x, w] = [tape.variable(0.5), tape.variable(0.8)];
        let loss = (0..40).fold(x, |h, _| (h * w).tanh() + (x * w).sin());
        let graph = Graph::of(loss).unwrap();
        let level = graph.level(None, 0);
        let wide = graph.level(None, 0).width;
        assert!(wide < 700.0, "{wide}");
        let mut reads = 0;
        for edge in &level.edges {
            let [from, to] = [&level.boxes[edge.from], &level.boxes[edge.to]];
            assert!(edge.from < edge.to && to.y - from.y < 1000.0);
            let (Content::Node(of) | Content::Reference(of)) = from.content else { panic!() };
            assert_eq!(of, edge.node);
            reads += edge.reads.len();
        }
        assert_eq!(reads, graph.nodes.iter().map(|node| node.inputs.len()).sum::<usize>());
        let is_reference = |at: usize| matches!(level.boxes[at].content, Content::Reference(_));
        let references: Vec<usize> =
            (0..level.boxes.len()).filter(|&at| is_reference(at)).collect();
        assert!(references.len() > 40, "{}", references.len());
        assert!(references.iter().all(|&at| level.edges.iter().any(|edge| edge.from == at)));
    }

    #[test]
    fn a_short_program_has_no_references() {
        let tape = Tape::f64();
        let x = tape.variable(0.5);
        let level = Graph::of((0..3).fold(x, |h, _| h.tanh() * x)).unwrap().level(None, 0);
        assert!(!level.boxes.iter().any(|shown| matches!(shown.content, Content::Reference(_))));
    }
}
