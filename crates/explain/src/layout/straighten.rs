//! How far right each box and bend is, so that edges are straight.

use super::{Drawing, NEAR, Piece, ROOM, ROUNDS, Vertex};

impl Drawing {
    /// Finds the middles that make edges straight: those with the least
    ///
    /// ```text
    /// Σ weight · (x_upper + leaves − x_lower − enters)²
    /// ```
    ///
    /// that keep the order, and room, in each layer. One layer after the other is solved exactly,
    /// down and up again.
    pub(super) fn straighten(&mut self) {
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
    pub(super) fn snap(&mut self) {
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
}
