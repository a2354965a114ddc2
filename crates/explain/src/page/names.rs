//! The names of nodes in the arithmetic of a page.

use std::collections::HashSet;

use crate::graph::Graph;
use crate::number::signed;

/// Letters that are not taken for one another or for a number, with `g` and `L` left out: those are
/// the names of gradients and losses.
const LETTERS: &[u8] = b"abcdefhjkmnpqrstuvwxyz";

/// A short name for each node: its own, the number of a constant, `L` for the loss, and letters in the
/// order of recording for all others, as in `e = exp(d)`.
pub(super) fn names(graph: &Graph) -> Vec<String> {
    let own: HashSet<&str> = graph.nodes.iter().filter_map(|node| node.name.as_deref()).collect();
    let taken = |name: &str| own.contains(name);
    let mut letters = (0..)
        .flat_map(|round| LETTERS.iter().map(move |&letter| lettered(letter as char, round)))
        .filter(|name| !taken(name));
    let last = graph.nodes.len().saturating_sub(1);
    let name = |at: usize| {
        let node = &graph.nodes[at];
        match (&node.name, node.operation.constant()) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(constant)) => Some(signed(constant)),
            _ if at == last && !taken("L") => Some("L".to_owned()),
            _ => letters.next(),
        }
    };
    (0..graph.nodes.len()).map(name).map(Option::unwrap_or_default).collect()
}

/// `a`, and in later rounds `a₁`, `a₂`.
fn lettered(letter: char, round: usize) -> String {
    let mut name = letter.to_string();
    if round > 0 {
        let digits = round.to_string();
        name.extend(digits.bytes().filter_map(|d| char::from_u32(0x2080 + u32::from(d - b'0'))));
    }
    name
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

    use super::*;

    #[test]
    fn nodes_are_called_by_their_names_numbers_or_letters() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        let b = tape.variable([3.0, 4.0]);
        let loss = (x * b / -2.0).exp().sum(..);
        let graph = Graph::of(loss).unwrap().name(x, "x").name(b, "b");
        assert_eq!(names(&graph), ["x", "b", "a", "−2", "c", "d", "e", "L"]);
    }

    #[test]
    fn after_the_letters_come_letters_with_numbers() {
        assert_eq!((lettered('a', 0), lettered('b', 12)), ("a".to_owned(), "b₁₂".to_owned()));
    }
}
