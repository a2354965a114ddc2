//! The fixed binary tree by which the values of shards are merged.

/// A node of the tree over shards: that of `2^level` of them, from `index · 2^level` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    level: u32,
    index: usize,
}

impl Node {
    fn leaf(index: usize) -> Node {
        Node { level: 0, index }
    }

    fn parent(self) -> Node {
        Node { level: self.level + 1, index: self.index / 2 }
    }

    fn first(self) -> usize {
        self.index << self.level
    }

    fn is_right(self) -> bool {
        self.index % 2 == 1
    }

    fn sibling(self) -> Node {
        Node { index: self.index ^ 1, ..self }
    }
}

/// Values of nodes, merged as soon as both halves of a node are there. Which values are merged, and
/// which is the left one, depends on the number of shards alone. It holds a value for each level, at
/// most two while it merges.
pub(super) struct Tree<V> {
    shards: usize,
    nodes: Vec<(Node, V)>,
}

impl<V> Tree<V> {
    pub fn new(shards: usize) -> Tree<V> {
        Tree { shards, nodes: Vec::new() }
    }

    /// Adds the value of a shard; they come in their order.
    pub fn push_leaf(&mut self, shard: usize, value: V, merge: &mut impl FnMut(V, V) -> V) {
        self.push(Node::leaf(shard), value, merge);
    }

    /// Adds the value of a node; they come in the order of their shards.
    pub fn push(&mut self, mut node: Node, mut value: V, merge: &mut impl FnMut(V, V) -> V) {
        while 1_usize << node.level < self.shards {
            if node.is_right() {
                let Some((_, left)) = self.nodes.pop_if(|(last, _)| *last == node.sibling()) else {
                    break;
                };
                value = merge(left, value);
            } else if node.sibling().first() < self.shards {
                break;
            }
            node = node.parent();
        }
        self.nodes.push((node, value));
    }

    /// The nodes with their values: one, if all shards came.
    pub fn into_nodes(self) -> Vec<(Node, V)> {
        self.nodes
    }

    /// The value of all shards, if all came.
    pub fn into_root(mut self) -> Option<V> {
        let (_, root) = self.nodes.pop()?;
        self.nodes.is_empty().then_some(root)
    }
}

/// The value of all shards, of the values of each.
pub(super) fn merged<V>(values: Vec<V>, mut merge: impl FnMut(V, V) -> V) -> Option<V> {
    let mut tree = Tree::new(values.len());
    values.into_iter().enumerate().for_each(|(i, value)| tree.push_leaf(i, value, &mut merge));
    tree.into_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(left: String, right: String) -> String {
        format!("({left}{right})")
    }

    /// The tree over so many shards, dealt to so many processes.
    fn dealt(shards: usize, processes: usize) -> String {
        let mut all = Tree::new(shards);
        for process in 0..processes {
            let own = process * shards / processes..(process + 1) * shards / processes;
            let mut tree = Tree::new(shards);
            own.for_each(|i| tree.push_leaf(i, i.to_string(), &mut join));
            for (node, value) in tree.into_nodes() {
                all.push(node, value, &mut join);
            }
        }
        all.into_root().unwrap()
    }

    #[test]
    fn neighbors_are_merged_first() {
        assert_eq!(dealt(4, 1), "((01)(23))");
        assert_eq!(dealt(6, 1), "(((01)(23))(45))");
        assert_eq!(dealt(5, 1), "(((01)(23))4)");
        assert_eq!(dealt(1, 1), "0");
    }

    #[test]
    fn the_tree_is_the_same_however_its_shards_are_dealt() {
        for shards in 1..33 {
            for processes in (1..=shards).filter(|p| shards % p == 0) {
                assert_eq!(dealt(shards, processes), dealt(shards, 1), "{shards} by {processes}");
            }
        }
    }
}
