//! The order of the boxes and bends in each layer, so that few edges cross.

use super::{Arrow, Drawing, Piece, ROUNDS, Vertex};

impl Drawing {
    /// Orders the layers. What is reached from the last box, each input before the next, is a good
    /// start: a tree is drawn without crossings.
    pub(super) fn order(&mut self) {
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
    pub(super) fn take_turns(&mut self, arrows: &[Arrow]) {
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
}
