//! Crossing reduction: the order of the vertices in each layer.

use super::{Arrow, Drawing, ROUNDS, Segment, Vertex};

/// The layers in which neighbors of a vertex are.
#[derive(Clone, Copy)]
enum Neighbors {
    Above,
    Below,
}

impl Drawing {
    /// Orders the layers. Depth-first search from the last box is a good start: a tree is drawn
    /// without crossings.
    pub(super) fn order(&mut self) {
        let mut seen = vec![false; self.vertices.len()];
        for root in (0..self.vertices.len()).rev() {
            let mut open = vec![root];
            while let Some(vertex) = open.pop() {
                if !std::mem::replace(&mut seen[vertex], true) {
                    self.layers[self.vertices[vertex].layer].push(vertex);
                    let above = self.vertices[vertex].above.iter().rev();
                    open.extend(above.map(|&segment| self.segments[segment].upper));
                }
            }
        }
        self.assign_positions();
        let mut best = (self.crossings(), self.layers.clone());
        for round in 0..ROUNDS {
            for step in 1..self.layers.len() {
                match round % 2 {
                    0 => self.sort(step, Neighbors::Above),
                    _ => self.sort(self.layers.len() - 1 - step, Neighbors::Below),
                }
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
        self.assign_positions();
    }

    /// Sorts a layer by barycenters: the mean position of each vertex's neighbors.
    fn sort(&mut self, layer: usize, neighbors: Neighbors) {
        let barycenter = |&vertex: &usize| {
            let Vertex { above, below, position, .. } = &self.vertices[vertex];
            let (segments, end) = match neighbors {
                Neighbors::Above => (above, 0),
                Neighbors::Below => (below, 1),
            };
            let sum: f64 = segments.iter().map(|&segment| self.ends(segment)[end]).sum();
            if segments.is_empty() { *position as f64 } else { sum / segments.len() as f64 }
        };
        let mut keyed: Vec<(f64, usize)> =
            self.layers[layer].iter().map(|vertex| (barycenter(vertex), *vertex)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.layers[layer] = keyed.into_iter().map(|(_, vertex)| vertex).collect();
        for position in 0..self.layers[layer].len() {
            self.vertices[self.layers[layer][position]].position = position;
        }
    }

    fn assign_positions(&mut self) {
        for layer in &self.layers {
            for (position, &vertex) in layer.iter().enumerate() {
                self.vertices[vertex].position = position;
            }
        }
    }

    /// The ends of a segment, as positions in its two layers.
    fn ends(&self, segment: usize) -> [f64; 2] {
        let Segment { upper, lower, exit, entry } = self.segments[segment];
        let end =
            |vertex: &Vertex, offset: f64| vertex.position as f64 + offset / vertex.width.max(1.0);
        [end(&self.vertices[upper], exit), end(&self.vertices[lower], entry)]
    }

    fn crossings(&self) -> usize {
        let mut crossings = 0;
        for layer in &self.layers {
            let segments = layer.iter().flat_map(|&vertex| &self.vertices[vertex].below);
            let ends: Vec<[f64; 2]> = segments.map(|&segment| self.ends(segment)).collect();
            crossings += pairs_that_cross(ends);
        }
        crossings
    }

    /// Spaces the edges that enter a box evenly along its upper side, in the order of their sources.
    pub(super) fn assign_entries(&mut self, arrows: &[Arrow]) {
        let free = |&(arrow, _): &(&Arrow, usize)| arrow.entry.is_none();
        let last = self.chains.iter().filter_map(|chain| chain.last().copied());
        let mut ending: Vec<(&Arrow, usize)> = arrows.iter().zip(last).filter(free).collect();
        ending.sort_by(|a, b| {
            let key = |&(arrow, segment): &(&Arrow, usize)| (arrow.to, self.ends(segment)[0]);
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        for of_box in ending.chunk_by(|a, b| a.0.to == b.0.to) {
            let width = self.vertices[of_box[0].0.to].width;
            for (i, &(_, segment)) in of_box.iter().enumerate() {
                let share = (i + 1) as f64 / (of_box.len() + 1) as f64;
                self.segments[segment].entry = (share - 0.5) * width;
            }
        }
    }
}

/// How many pairs of segments between two layers cross: those whose ends are in one order above and
/// in the other one below, counted while they are sorted (merge sort).
fn pairs_that_cross(mut ends: Vec<[f64; 2]>) -> usize {
    ends.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut below: Vec<f64> = ends.into_iter().map(|[_, below]| below).collect();
    let mut crossings = 0;
    let mut sorted = 1;
    while sorted < below.len() {
        let mut merged = Vec::with_capacity(below.len());
        for pair in below.chunks(2 * sorted) {
            let (left, right) = pair.split_at(sorted.min(pair.len()));
            let mut left = left.iter().copied().peekable();
            for &x in right {
                while let Some(before) = left.next_if(|&before| before <= x) {
                    merged.push(before);
                }
                crossings += left.len();
                merged.push(x);
            }
            merged.extend(left);
        }
        below = merged;
        sorted *= 2;
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_only_touch_do_not_cross() {
        let random = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as f64;
        let ends: Vec<[f64; 2]> = (0..77).map(|i| [random(i), random(i + 1000)]).collect();
        let crosses = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]) * (a[1] - b[1]) < 0.0;
        let pairs = (0..ends.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let expected = pairs.filter(|&(i, j)| crosses(ends[i], ends[j])).count();
        assert_eq!(pairs_that_cross(ends), expected);
        assert_eq!(pairs_that_cross(vec![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]), 1);
        assert_eq!(pairs_that_cross(Vec::new()), 0);
    }
}
