//! Where the boxes of one level go: in layers from top to bottom, after Sugiyama, Tagawa and Toda
//! (1981). An edge over several layers passes a bend in each of them; layers are ordered so that few
//! edges cross; and in that order, edges are made as straight as they get.

mod layers;
mod order;
mod straighten;

use layers::layers;

/// A box to be placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub width: f64,
    pub height: f64,
    pub rank: Rank,
}

/// Which layer a box may be in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rank {
    /// The first, which has no boxes of other ranks.
    First,
    /// Below what it depends on.
    Free,
    /// The last, which has no boxes of other ranks.
    Last,
}

/// An edge from the lower side of a box to the upper side of a later one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrow {
    pub from: usize,
    pub to: usize,
    /// How far from the middle of its box it leaves.
    pub leaves: f64,
    /// How far from the middle it enters; `None` to take turns with the others.
    pub enters: Option<f64>,
}

/// A place: right, then down.
pub(crate) type Point = [f64; 2];

/// Where everything is, from `[0, 0]` to `[width, height]`.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The middle of each box.
    pub middles: Vec<Point>,
    /// The bends of each edge, with its ends. It runs straight down inside of layers, and turns
    /// between them.
    pub bends: Vec<Vec<Point>>,
    pub width: f64,
    pub height: f64,
}

/// The room between two boxes side by side, and between an edge and its neighbour.
const ROOM: [f64; 2] = [26.0, 14.0];
/// The least and the greatest room between two layers; the more its edges turn, the more there is.
const GAP: [f64; 2] = [30.0, 90.0];
/// How far a box is moved to stand right below another.
const NEAR: f64 = 16.0;
/// How often layers are put in another order, and how often edges are straightened.
const ROUNDS: usize = 24;

/// Places boxes, which are given in an order in which every edge goes forward.
pub(crate) fn layered(items: &[Item], arrows: &[Arrow]) -> Placed {
    let mut drawing = Drawing::new(items, arrows);
    drawing.order();
    drawing.take_turns(arrows);
    drawing.straighten();
    drawing.snap();
    drawing.placed(items)
}

struct Drawing {
    /// The boxes, and then the bends.
    vertices: Vec<Vertex>,
    /// The vertices of each layer, from left to right.
    layers: Vec<Vec<usize>>,
    /// The pieces of edges, each from a layer to the next.
    pieces: Vec<Piece>,
    /// The pieces of each arrow.
    chains: Vec<Vec<usize>>,
}

struct Vertex {
    layer: usize,
    /// Its place in its layer.
    at: usize,
    /// Its middle.
    x: f64,
    width: f64,
    bend: bool,
    /// The pieces that come from the layer above and go to the layer below.
    above: Vec<usize>,
    below: Vec<usize>,
}

struct Piece {
    upper: usize,
    lower: usize,
    leaves: f64,
    enters: f64,
}

impl Drawing {
    fn new(items: &[Item], arrows: &[Arrow]) -> Drawing {
        let layers = layers(items, arrows);
        let vertex = |layer, width, bend| Vertex {
            layer,
            at: 0,
            x: 0.0,
            width,
            bend,
            above: Vec::new(),
            below: Vec::new(),
        };
        let mut drawing = Drawing {
            vertices: items
                .iter()
                .zip(&layers)
                .map(|(i, &at)| vertex(at, i.width, false))
                .collect(),
            layers: vec![Vec::new(); layers.iter().max().map_or(0, |last| last + 1)],
            pieces: Vec::new(),
            chains: Vec::new(),
        };
        for arrow in arrows {
            let mut chain = Vec::new();
            let mut upper = arrow.from;
            let last = drawing.vertices[arrow.to].layer;
            for layer in drawing.vertices[upper].layer + 1..=last {
                let lower = if layer == last { arrow.to } else { drawing.vertices.len() };
                if layer < last {
                    drawing.vertices.push(vertex(layer, 0.0, true));
                }
                let leaves = if upper == arrow.from { arrow.leaves } else { 0.0 };
                let enters = if layer == last { arrow.enters.unwrap_or(0.0) } else { 0.0 };
                let piece = drawing.pieces.len();
                drawing.pieces.push(Piece { upper, lower, leaves, enters });
                drawing.vertices[upper].below.push(piece);
                drawing.vertices[lower].above.push(piece);
                chain.push(piece);
                upper = lower;
            }
            drawing.chains.push(chain);
        }
        drawing
    }

    fn placed(&self, items: &[Item]) -> Placed {
        let left = |vertex: &Vertex| vertex.x - vertex.width / 2.0;
        let start = self.vertices.iter().map(left).fold(f64::INFINITY, f64::min);
        let end = self.vertices.iter().map(|v| v.x + v.width / 2.0).fold(start, f64::max);
        let mut tops = Vec::new();
        let mut bottoms = Vec::new();
        let mut y = 0.0;
        for layer in &self.layers {
            let boxes = layer.iter().filter_map(|&vertex| items.get(vertex));
            tops.push(y);
            bottoms.push(y + boxes.map(|item| item.height).fold(0.0, f64::max));
            let pieces = layer.iter().flat_map(|&vertex| &self.vertices[vertex].below);
            let turns = pieces.map(|&piece| (self.upper(piece) - self.lower(piece)).abs());
            let gap = GAP[0] + turns.fold(0.0, f64::max) / 12.0;
            y = bottoms[bottoms.len() - 1] + gap.min(GAP[1]);
        }
        let middle = |(vertex, item): (&Vertex, &Item)| {
            let [top, bottom] = [tops[vertex.layer], bottoms[vertex.layer]];
            // What reads nothing stands close to its readers.
            let y = if vertex.above.is_empty() && item.rank == Rank::Free {
                bottom - item.height / 2.0
            } else {
                (top + bottom) / 2.0
            };
            [vertex.x - start, y]
        };
        let middles: Vec<Point> = self.vertices.iter().zip(items).map(middle).collect();
        let bends = self.chains.iter().map(|chain| {
            let mut bends = Vec::new();
            for &piece in chain {
                let Piece { upper, lower, .. } = self.pieces[piece];
                let [x, below] = [self.upper(piece) - start, self.lower(piece) - start];
                if let Some(item) = items.get(upper) {
                    bends.push([x, middles[upper][1] + item.height / 2.0]);
                }
                bends.push([x, bottoms[self.vertices[upper].layer]]);
                bends.push([below, tops[self.vertices[lower].layer]]);
                if let Some(item) = items.get(lower) {
                    bends.push([below, middles[lower][1] - item.height / 2.0]);
                }
            }
            bends.dedup();
            bends
        });
        let height = bottoms.last().copied().unwrap_or(0.0);
        let width = if items.is_empty() { 0.0 } else { end - start };
        Placed { bends: bends.collect(), middles, width, height }
    }

    /// Where a piece begins, and where it ends.
    fn upper(&self, piece: usize) -> f64 {
        self.vertices[self.pieces[piece].upper].x + self.pieces[piece].leaves
    }

    fn lower(&self, piece: usize) -> f64 {
        self.vertices[self.pieces[piece].lower].x + self.pieces[piece].enters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(width: f64) -> Item {
        Item { width, height: 40.0, rank: Rank::Free }
    }

    fn arrow(from: usize, to: usize) -> Arrow {
        Arrow { from, to, leaves: 0.0, enters: None }
    }

    #[test]
    fn a_chain_is_one_straight_line() {
        let arrows: Vec<Arrow> = (0..4).map(|i| arrow(i, i + 1)).collect();
        let placed = layered(&[60.0, 90.0, 30.0, 120.0, 50.0].map(item), &arrows);
        assert!(placed.middles.iter().all(|middle| (middle[0] - 60.0).abs() < 1e-6), "{placed:?}");
        assert!(placed.middles.windows(2).all(|pair| pair[0][1] < pair[1][1]));
        assert_eq!((placed.width, placed.bends[0].len()), (120.0, 2));
    }

    #[test]
    fn crossings_are_undone() {
        // Two pairs that are given crosswise, and end in one box.
        let arrows = [arrow(0, 3), arrow(1, 2), arrow(2, 4), arrow(3, 4)];
        let placed = layered(&[item(50.0); 5], &arrows);
        let x = |i: usize| placed.middles[i][0];
        assert_eq!(x(0) < x(1), x(3) < x(2), "{placed:?}");
    }

    #[test]
    fn an_edge_over_several_layers_passes_beside_their_boxes() {
        let arrows = [arrow(0, 1), arrow(1, 2), arrow(2, 3), arrow(0, 3)];
        let placed = layered(&[item(80.0); 4], &arrows);
        for &[x, y] in &placed.bends[3][1..placed.bends[3].len() - 1] {
            let within =
                |middle: &Point| (middle[1] - y).abs() <= 20.0 && (middle[0] - x).abs() < 40.0;
            assert!(!placed.middles[1..3].iter().any(within), "{placed:?}");
        }
    }

    #[test]
    fn what_reads_nothing_stands_right_above_its_reader() {
        // 0 → 1 → 2 → 3, and 4 is read by 5 alone, which reads 3 as well.
        let arrows = [arrow(0, 1), arrow(1, 2), arrow(2, 3), arrow(3, 5), arrow(4, 5)];
        let placed = layered(&[item(50.0); 6], &arrows);
        assert_eq!(placed.middles[4][1], placed.middles[3][1]);
    }

    #[test]
    fn nothing_takes_no_room() {
        let placed = layered(&[], &[]);
        assert_eq!((placed.width, placed.height), (0.0, 0.0));
    }
}
