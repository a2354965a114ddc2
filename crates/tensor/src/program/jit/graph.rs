//! The operations of a kernel: a graph of vector operations, each node of which is there once.

use std::collections::HashMap;

use crate::kernels::ReduceOp;
use crate::program::Value;

/// The number of a node; its operands have smaller ones.
pub(crate) type NodeId = u32;

/// What two vectors are combined with, each an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// `a > b ? a : b`, and `a < b ? a : b`.
    Greater,
    Less,
    /// `a · 2ᵇ` for a whole number b, rounded once.
    Scale,
    /// Of the bits, and of the bits as integers.
    And,
    Or,
    Xor,
    AddInt,
    SubInt,
}

/// What is done to one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unary {
    Sqrt,
    Round(Rounding),
    /// Of the bits: to the left, and to the right with the sign.
    ShiftLeft(u8),
    ShiftSign(u8),
}

/// To which whole number: the nearest one (of two the even one), the one below, above, or next to 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rounding {
    Nearest = 0,
    Down = 1,
    Up = 2,
    Zero = 3,
}

/// How two vectors are compared; false for NaN, but [`Unordered`](Compare::Unordered), which is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Compare {
    Equal,
    Less,
    LessEqual,
    Unordered,
}

/// A vector operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// A number, by its bits.
    Constant(u32),
    /// What the kernel reads: an element for each column of a row, if it is full, or a number.
    Leaf {
        value: Value,
        full: bool,
    },
    /// A number for each element of a row.
    Broadcast(NodeId),
    Unary(Unary, NodeId),
    Binary(Binary, [NodeId; 2]),
    /// `a · b + c`, rounded once.
    MulAdd([NodeId; 3]),
    /// A mask.
    Compare(Compare, [NodeId; 2]),
    /// `mask ? a : b`.
    Select([NodeId; 3]),
    /// The reduction of a row.
    Reduce(ReduceOp, NodeId),
    /// The element of a leaf's row at the column that an index input says.
    Gather(NodeId, u32),
}

impl Node {
    /// The nodes that it reads.
    pub fn operands(&self) -> &[NodeId] {
        match self {
            Node::Constant(_) | Node::Leaf { .. } => &[],
            Node::Broadcast(x) | Node::Unary(_, x) | Node::Reduce(_, x) | Node::Gather(x, _) => {
                std::slice::from_ref(x)
            }
            Node::Binary(_, x) | Node::Compare(_, x) => x,
            Node::MulAdd(x) | Node::Select(x) => x,
        }
    }
}

/// A graph of nodes, operands first.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    /// Whether a node has an element for each column of a row; all others are numbers.
    pub is_full: Vec<bool>,
    ids: HashMap<Node, NodeId>,
}

impl Graph {
    /// The node, which is there once.
    pub fn node(&mut self, node: Node) -> NodeId {
        let node = self.simplified(node);
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let is_full = match node {
            Node::Leaf { full, .. } => full,
            Node::Broadcast(_) => true,
            Node::Reduce(..) | Node::Gather(..) => false,
            _ => node.operands().iter().any(|&x| self.is_full[x as usize]),
        };
        let id = self.nodes.len() as NodeId;
        self.nodes.push(node);
        self.is_full.push(is_full);
        self.ids.insert(node, id);
        id
    }

    /// A node that has an element for each column.
    pub fn full(&mut self, id: NodeId) -> NodeId {
        if self.is_full[id as usize] { id } else { self.node(Node::Broadcast(id)) }
    }

    pub fn constant(&mut self, x: f32) -> NodeId {
        self.node(Node::Constant(x.to_bits()))
    }

    pub fn binary(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        self.node(Node::Binary(op, [a, b]))
    }

    /// The number that a node is, if it is one.
    pub fn number(&self, id: NodeId) -> Option<f32> {
        match self.nodes[id as usize] {
            Node::Constant(bits) => Some(f32::from_bits(bits)),
            _ => None,
        }
    }

    /// A choice between what was compared is one instruction.
    fn simplified(&self, node: Node) -> Node {
        let Node::Select([mask, x, y]) = node else { return node };
        match self.nodes[mask as usize] {
            Node::Compare(Compare::Less, [a, b]) if [x, y] == [a, b] => {
                Node::Binary(Binary::Less, [x, y])
            }
            Node::Compare(Compare::Less, [a, b]) if [x, y] == [b, a] => {
                Node::Binary(Binary::Greater, [x, y])
            }
            _ => node,
        }
    }
}

impl Graph {
    /// The graph with other values for its leaves.
    pub fn renamed(mut self, rename: impl Fn(Value) -> Value) -> Graph {
        for node in &mut self.nodes {
            if let Node::Leaf { value, .. } = node {
                *value = rename(*value);
            }
        }
        // Nothing is added any more.
        self.ids.clear();
        self
    }
}
