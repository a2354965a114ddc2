//! Where the boxes of one level go: in layers from top to bottom, after Sugiyama, Tagawa and Toda
//! (1981). An edge over several layers passes a bend in each of them; layers are ordered so that few
//! edges cross; and in that order, edges are made as straight as they get.

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

    /// Orders the layers. What is reached from the last box, each input before the next, is a good
    /// start: a tree is drawn without crossings.
    fn order(&mut self) {
        let mut seen = vec![false; self.vertices.len()];
        for root in (0..self.vertices.len()).rev() {
            let mut open = vec![root];
            while let Some(vertex) = open.pop() {
                if !std::mem::replace(&mut seen[vertex], true) {
                    self.layers[self.vertices[vertex].layer].push(vertex);
                    let above = self.vertices[vertex].above.iter().rev();
                    open.extend(above.map(|&piece| self.pieces[piece].upper));
                }
            }
        }
        self.count_off();
        let mut best = (self.crossings(), self.layers.clone());
        for round in 0..ROUNDS {
            let down = round % 2 == 0;
            for step in 1..self.layers.len() {
                let layer = if down { step } else { self.layers.len() - 1 - step };
                self.sort(layer, down);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
            if best.0 == 0 {
                break;
            }
        }
        self.layers = best.1;
        self.count_off();
    }

    /// Sorts a layer by the mean place of each vertex's neighbours in the layer above or below.
    fn sort(&mut self, layer: usize, by_above: bool) {
        let wish = |&vertex: &usize| {
            let Vertex { above, below, at, .. } = &self.vertices[vertex];
            let pieces = if by_above { above } else { below };
            let sum: f64 =
                pieces.iter().map(|&piece| self.ends(piece)[usize::from(!by_above)]).sum();
            if pieces.is_empty() { *at as f64 } else { sum / pieces.len() as f64 }
        };
        let mut wishes: Vec<(f64, usize)> =
            self.layers[layer].iter().map(|vertex| (wish(vertex), *vertex)).collect();
        wishes.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.layers[layer] = wishes.into_iter().map(|(_, vertex)| vertex).collect();
        for at in 0..self.layers[layer].len() {
            self.vertices[self.layers[layer][at]].at = at;
        }
    }

    fn count_off(&mut self) {
        for layer in &self.layers {
            for (at, &vertex) in layer.iter().enumerate() {
                self.vertices[vertex].at = at;
            }
        }
    }

    /// The ends of a piece, counted in places of its two layers.
    fn ends(&self, piece: usize) -> [f64; 2] {
        let Piece { upper, lower, leaves, enters } = self.pieces[piece];
        let end = |vertex: &Vertex, offset: f64| vertex.at as f64 + offset / vertex.width.max(1.0);
        [end(&self.vertices[upper], leaves), end(&self.vertices[lower], enters)]
    }

    fn crossings(&self) -> usize {
        let mut crossings = 0;
        for layer in &self.layers {
            let pieces = layer.iter().flat_map(|&vertex| &self.vertices[vertex].below);
            let ends: Vec<[f64; 2]> = pieces.map(|&piece| self.ends(piece)).collect();
            for (i, a) in ends.iter().enumerate() {
                let crosses = |b: &&[f64; 2]| (a[0] - b[0]) * (a[1] - b[1]) < 0.0;
                crossings += ends[i + 1..].iter().filter(crosses).count();
            }
        }
        crossings
    }

    /// Spreads the edges that enter a box over its upper side, in the order in which they come.
    fn take_turns(&mut self, arrows: &[Arrow]) {
        let free = |&(arrow, _): &(&Arrow, usize)| arrow.enters.is_none();
        let last = self.chains.iter().filter_map(|chain| chain.last().copied());
        let mut ending: Vec<(&Arrow, usize)> = arrows.iter().zip(last).filter(free).collect();
        ending.sort_by(|a, b| {
            let key = |&(arrow, piece): &(&Arrow, usize)| (arrow.to, self.ends(piece)[0]);
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        for of_box in ending.chunk_by(|a, b| a.0.to == b.0.to) {
            let width = self.vertices[of_box[0].0.to].width;
            for (turn, &(_, piece)) in of_box.iter().enumerate() {
                let share = (turn + 1) as f64 / (of_box.len() + 1) as f64;
                self.pieces[piece].enters = (share - 0.5) * width;
            }
        }
    }

    /// Finds the middles that make edges straight: those with the least
    ///
    /// ```text
    /// Σ weight · (x_upper + leaves − x_lower − enters)²
    /// ```
    ///
    /// that keep the order, and room, in each layer. One layer after the other is solved exactly,
    /// down and up again.
    fn straighten(&mut self) {
        for layer in 0..self.layers.len() {
            self.settle(layer, &|_, _| (0.0, 1.0));
        }
        for round in 0..ROUNDS {
            for step in 0..self.layers.len() {
                let layer = if round % 2 == 0 { step } else { self.layers.len() - 1 - step };
                self.settle(layer, &Drawing::wish);
            }
        }
    }

    /// Where a vertex has its edges straight, and how much that weighs.
    fn wish(&self, vertex: usize) -> (f64, f64) {
        let here = &self.vertices[vertex];
        // Bends in a row shall make one straight line (the weights of Gansner et al., 1993).
        let weight =
            |other: &Vertex| [1.0, 2.0, 8.0][usize::from(here.bend) + usize::from(other.bend)];
        let above = here.above.iter().map(|&piece| {
            let Piece { upper, leaves, enters, .. } = self.pieces[piece];
            (self.vertices[upper].x + leaves - enters, weight(&self.vertices[upper]))
        });
        let below = here.below.iter().map(|&piece| {
            let Piece { lower, leaves, enters, .. } = self.pieces[piece];
            (self.vertices[lower].x + enters - leaves, weight(&self.vertices[lower]))
        });
        let (sum, total) = above
            .chain(below)
            .fold((0.0, 0.0), |(sum, total), (x, weight)| (sum + weight * x, total + weight));
        if total == 0.0 { (here.x, 1e-3) } else { (sum / total, total) }
    }

    /// Moves the vertices of a layer as near to their wishes as order and room permit, in the sense
    /// of weighted squares. Less the room that is needed to its left, each vertex has to be right of
    /// the one before: that is isotonic regression, solved by pooling those that are in each
    /// other's way.
    fn settle(&mut self, layer: usize, wish: &dyn Fn(&Drawing, usize) -> (f64, f64)) {
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        let mut lefts = Vec::new();
        let mut left = 0.0;
        for (at, &vertex) in self.layers[layer].iter().enumerate() {
            if at > 0 {
                let before = &self.vertices[self.layers[layer][at - 1]];
                let here = &self.vertices[vertex];
                let room = ROOM[usize::from(before.bend || here.bend)];
                left += (before.width + here.width) / 2.0 + room;
            }
            lefts.push(left);
            let (x, weight) = wish(self, vertex);
            let mut pool = (x - left, weight, 1);
            while let Some(before) = pools.pop_if(|before| before.0 > pool.0) {
                let weight = before.1 + pool.1;
                let mean = (before.0 * before.1 + pool.0 * pool.1) / weight;
                pool = (mean, weight, before.2 + pool.2);
            }
            pools.push(pool);
        }
        let settled = pools.iter().flat_map(|&(x, _, count)| std::iter::repeat_n(x, count));
        for ((&vertex, left), x) in self.layers[layer].iter().zip(lefts).zip(settled) {
            self.vertices[vertex].x = x + left;
        }
    }

    /// Makes straight what nearly is: a box comes right below the one that it reads, and the bends
    /// of an edge in one line, as far as their neighbours leave room.
    fn snap(&mut self) {
        for vertex in self.layers.concat() {
            if let (false, &[piece]) =
                (self.vertices[vertex].bend, &self.vertices[vertex].above[..])
            {
                let wish = self.upper(piece) - self.pieces[piece].enters;
                if (wish - self.vertices[vertex].x).abs() < NEAR {
                    let [least, most] = self.leeway(vertex);
                    self.vertices[vertex].x = wish.max(least).min(most);
                }
            }
        }
        for chain in self.chains.clone() {
            let bends: Vec<usize> =
                chain[1..].iter().map(|&piece| self.pieces[piece].upper).collect();
            let mut wish = self.upper(chain[0]);
            let mut at = 0;
            while at < bends.len() {
                // As many as there is a common line for.
                let [mut least, mut most] = self.leeway(bends[at]);
                let start = at;
                while let Some(&bend) = bends.get(at) {
                    let [left, right] = self.leeway(bend);
                    if left.max(least) > right.min(most) && at > start {
                        break;
                    }
                    (least, most) = (left.max(least), right.min(most));
                    at += 1;
                }
                wish = wish.max(least).min(most);
                bends[start..at].iter().for_each(|&bend| self.vertices[bend].x = wish);
            }
        }
    }

    /// How far left and right a vertex could be between its neighbours in its layer.
    fn leeway(&self, vertex: usize) -> [f64; 2] {
        let here = &self.vertices[vertex];
        let layer = &self.layers[here.layer];
        let room = |other: &Vertex| {
            (other.width + here.width) / 2.0 + ROOM[usize::from(other.bend || here.bend)]
        };
        let left = here.at.checked_sub(1).map(|at| &self.vertices[layer[at]]);
        let right = layer.get(here.at + 1).map(|&next| &self.vertices[next]);
        [
            left.map_or(f64::NEG_INFINITY, |left| left.x + room(left)),
            right.map_or(f64::INFINITY, |right| right.x - room(right)),
        ]
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

/// The layer of each box: below all that it reads, and right above its readers if that shortens
/// its edges.
fn layers(items: &[Item], arrows: &[Arrow]) -> Vec<usize> {
    let mut into = vec![Vec::new(); items.len()];
    let mut out_of = vec![Vec::new(); items.len()];
    for arrow in arrows {
        into[arrow.to].push(arrow.from);
        out_of[arrow.from].push(arrow.to);
    }
    let start = usize::from(items.iter().any(|item| item.rank == Rank::First));
    let mut layers = vec![0; items.len()];
    let mut last = 0;
    for (i, item) in items.iter().enumerate() {
        if item.rank != Rank::First {
            layers[i] = into[i].iter().map(|&from| layers[from] + 1).fold(start, usize::max);
        }
        // One more than any other layer has.
        last = last.max(layers[i] + usize::from(item.rank != Rank::Last));
    }
    for (i, item) in items.iter().enumerate().rev() {
        let readers = out_of[i].iter().map(|&to| layers[to]).min();
        match (item.rank, readers) {
            (Rank::Last, _) => layers[i] = last,
            (Rank::Free, Some(reader)) if out_of[i].len() > into[i].len() => layers[i] = reader - 1,
            _ => {}
        }
    }
    layers
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
