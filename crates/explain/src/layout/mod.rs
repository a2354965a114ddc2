//! Layered graph drawing, after Sugiyama, Tagawa and Toda (1981). Boxes are assigned to layers from top
//! to bottom; an edge that spans several layers gets a dummy vertex in each of them; layers are ordered
//! so that few edges cross; and in that order, coordinates make edges as straight as they get.

mod layers;
mod order;
mod straighten;

pub(crate) use layers::layers;

/// A box to be laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub width: f64,
    pub height: f64,
    pub rank: Rank,
}

/// A constraint on the layer of a box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rank {
    /// The first layer, which has no boxes of other ranks.
    Source,
    /// Any layer below what it depends on.
    Free,
    /// The last layer, which has no boxes of other ranks.
    Sink,
}

/// An edge from the lower side of a box to the upper side of a later one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrow {
    pub from: usize,
    pub to: usize,
    /// How far from the middle of its box it starts.
    pub exit: f64,
    /// How far from the middle of its box it ends; `None` to be spaced evenly with the others.
    pub entry: Option<f64>,
}

/// Coordinates: right, then down.
pub(crate) type Point = [f64; 2];

/// The coordinates of everything, from `[0, 0]` to `[width, height]`.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The middle of each box.
    pub middles: Vec<Point>,
    /// The bends of each edge, with its ends. It is vertical within layers, and bends between them.
    pub bends: Vec<Vec<Point>>,
    pub width: f64,
    pub height: f64,
}

/// The spacing between two boxes side by side, and between an edge and its neighbor.
const SPACING: [f64; 2] = [26.0, 14.0];
/// The least and the greatest spacing between two layers; the more its edges shift, the more.
const LAYER_SPACING: [f64; 2] = [30.0, 90.0];
/// How far a box is moved to align it with the one above.
const SNAP_DISTANCE: f64 = 16.0;
/// How many sweeps reorder the layers, and how many straighten the edges.
const ROUNDS: usize = 24;

/// Lays out boxes, which are in topological order.
pub(crate) fn layered(items: &[Item], arrows: &[Arrow]) -> Layout {
    let mut drawing = Drawing::new(items, arrows);
    drawing.order();
    drawing.assign_entries(arrows);
    drawing.straighten();
    drawing.snap();
    drawing.layout(items)
}

struct Drawing {
    /// The boxes, and then the dummy vertices.
    vertices: Vec<Vertex>,
    /// The vertices of each layer, from left to right.
    layers: Vec<Vec<usize>>,
    /// The segments of edges, each from a layer to the next.
    segments: Vec<Segment>,
    /// The segments of each arrow.
    chains: Vec<Vec<usize>>,
}

struct Vertex {
    layer: usize,
    /// Its position in its layer.
    position: usize,
    /// Its middle.
    x: f64,
    width: f64,
    kind: VertexKind,
    /// The segments that come from the layer above and go to the layer below.
    above: Vec<usize>,
    below: Vec<usize>,
}

/// What a vertex stands for.
#[derive(Clone, Copy, PartialEq)]
enum VertexKind {
    Box,
    /// A point of an edge that spans its layer.
    Dummy,
}

struct Segment {
    upper: usize,
    lower: usize,
    exit: f64,
    entry: f64,
}

impl Drawing {
    fn new(items: &[Item], arrows: &[Arrow]) -> Drawing {
        let layers = layers(items, arrows);
        let vertex = |layer, width, kind| Vertex {
            layer,
            position: 0,
            x: 0.0,
            width,
            kind,
            above: Vec::new(),
            below: Vec::new(),
        };
        let mut drawing = Drawing {
            vertices: items
                .iter()
                .zip(&layers)
                .map(|(i, &at)| vertex(at, i.width, VertexKind::Box))
                .collect(),
            layers: vec![Vec::new(); layers.iter().max().map_or(0, |last| last + 1)],
            segments: Vec::new(),
            chains: Vec::new(),
        };
        for arrow in arrows {
            let mut chain = Vec::new();
            let mut upper = arrow.from;
            let last = drawing.vertices[arrow.to].layer;
            for layer in drawing.vertices[upper].layer + 1..=last {
                let lower = if layer == last { arrow.to } else { drawing.vertices.len() };
                if layer < last {
                    drawing.vertices.push(vertex(layer, 0.0, VertexKind::Dummy));
                }
                let exit = if upper == arrow.from { arrow.exit } else { 0.0 };
                let entry = if layer == last { arrow.entry.unwrap_or(0.0) } else { 0.0 };
                let segment = drawing.segments.len();
                drawing.segments.push(Segment { upper, lower, exit, entry });
                drawing.vertices[upper].below.push(segment);
                drawing.vertices[lower].above.push(segment);
                chain.push(segment);
                upper = lower;
            }
            drawing.chains.push(chain);
        }
        drawing
    }

    fn layout(&self, items: &[Item]) -> Layout {
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
            let segments = layer.iter().flat_map(|&vertex| &self.vertices[vertex].below);
            let shifts = segments.map(|&segment| (self.upper(segment) - self.lower(segment)).abs());
            let gap = LAYER_SPACING[0] + shifts.fold(0.0, f64::max) / 12.0;
            y = bottoms[bottoms.len() - 1] + gap.min(LAYER_SPACING[1]);
        }
        let middle = |(vertex, item): (&Vertex, &Item)| {
            let [top, bottom] = [tops[vertex.layer], bottoms[vertex.layer]];
            // A leaf is close to its readers.
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
            for &segment in chain {
                let Segment { upper, lower, .. } = self.segments[segment];
                let [x, below] = [self.upper(segment) - start, self.lower(segment) - start];
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
        Layout { bends: bends.collect(), middles, width, height }
    }

    /// The horizontal coordinates of the ends of a segment.
    fn upper(&self, segment: usize) -> f64 {
        self.vertices[self.segments[segment].upper].x + self.segments[segment].exit
    }

    fn lower(&self, segment: usize) -> f64 {
        self.vertices[self.segments[segment].lower].x + self.segments[segment].entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(width: f64) -> Item {
        Item { width, height: 40.0, rank: Rank::Free }
    }

    fn arrow(from: usize, to: usize) -> Arrow {
        Arrow { from, to, exit: 0.0, entry: None }
    }

    #[test]
    fn a_chain_is_one_straight_line() {
        let arrows: Vec<Arrow> = (0..4).map(|i| arrow(i, i + 1)).collect();
        let layout = layered(&[60.0, 90.0, 30.0, 120.0, 50.0].map(item), &arrows);
        assert!(layout.middles.iter().all(|middle| (middle[0] - 60.0).abs() < 1e-6), "{layout:?}");
        assert!(layout.middles.windows(2).all(|pair| pair[0][1] < pair[1][1]));
        assert_eq!((layout.width, layout.bends[0].len()), (120.0, 2));
    }

    #[test]
    fn crossings_are_undone() {
        // Two edges that cross, and end in one box.
        let arrows = [arrow(0, 3), arrow(1, 2), arrow(2, 4), arrow(3, 4)];
        let layout = layered(&[item(50.0); 5], &arrows);
        let x = |i: usize| layout.middles[i][0];
        assert_eq!(x(0) < x(1), x(3) < x(2), "{layout:?}");
    }

    #[test]
    fn an_edge_that_spans_several_layers_passes_beside_their_boxes() {
        let arrows = [arrow(0, 1), arrow(1, 2), arrow(2, 3), arrow(0, 3)];
        let layout = layered(&[item(80.0); 4], &arrows);
        for &[x, y] in &layout.bends[3][1..layout.bends[3].len() - 1] {
            let within =
                |middle: &Point| (middle[1] - y).abs() <= 20.0 && (middle[0] - x).abs() < 40.0;
            assert!(!layout.middles[1..3].iter().any(within), "{layout:?}");
        }
    }

    #[test]
    fn what_reads_nothing_stands_right_above_its_reader() {
        // 0 → 1 → 2 → 3, and 4 is read by 5 alone, which reads 3 as well.
        let arrows = [arrow(0, 1), arrow(1, 2), arrow(2, 3), arrow(3, 5), arrow(4, 5)];
        let layout = layered(&[item(50.0); 6], &arrows);
        assert_eq!(layout.middles[4][1], layout.middles[3][1]);
    }

    #[test]
    fn what_is_made_of_leaves_of_its_own_stands_right_above_its_reader() {
        // 0 → 1 → 2 → 3 → 7, and 4 and 5 are read by 6 alone, which 7 reads as well.
        let chain = [arrow(0, 1), arrow(1, 2), arrow(2, 3), arrow(3, 7)];
        let arrows = [&chain[..], &[arrow(4, 6), arrow(5, 6), arrow(6, 7)]].concat();
        let layout = layered(&[item(50.0); 8], &arrows);
        let y = |at: usize| layout.middles[at][1];
        assert_eq!([y(6), y(4), y(5)], [y(3), y(2), y(2)]);
    }

    #[test]
    fn nothing_takes_no_room() {
        let layout = layered(&[], &[]);
        assert_eq!((layout.width, layout.height), (0.0, 0.0));
    }
}
