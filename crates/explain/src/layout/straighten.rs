//! Coordinate assignment: horizontal coordinates that make edges straight.

use super::{Drawing, ROUNDS, SNAP_DISTANCE, SPACING, Segment, Vertex, VertexKind};

impl Drawing {
    /// Finds the horizontal coordinates that minimize
    ///
    /// ```text
    /// Σ weight · (x_upper + exit − x_lower − entry)²
    /// ```
    ///
    /// subject to the order and the spacing in each layer. One layer after the other is solved
    /// exactly, in sweeps down and up.
    pub(super) fn straighten(&mut self) {
        for layer in 0..self.layers.len() {
            self.solve_layer(layer, &|_, _| (0.0, 1.0));
        }
        for round in 0..ROUNDS {
            for step in 0..self.layers.len() {
                let layer = if round % 2 == 0 { step } else { self.layers.len() - 1 - step };
                self.solve_layer(layer, &Drawing::target);
            }
        }
    }

    /// The coordinate at which a vertex has straight edges, and its weight.
    fn target(&self, vertex: usize) -> (f64, f64) {
        let here = &self.vertices[vertex];
        // An edge between dummies should be straight before all others (the weights of Gansner et
        // al., 1993).
        let weight = |other: &Vertex| [1.0, 2.0, 8.0][here.dummies() + other.dummies()];
        let above = here.above.iter().map(|&segment| {
            let Segment { upper, exit, entry, .. } = self.segments[segment];
            (self.vertices[upper].x + exit - entry, weight(&self.vertices[upper]))
        });
        let below = here.below.iter().map(|&segment| {
            let Segment { lower, exit, entry, .. } = self.segments[segment];
            (self.vertices[lower].x + entry - exit, weight(&self.vertices[lower]))
        });
        let (sum, total) = above
            .chain(below)
            .fold((0.0, 0.0), |(sum, total), (x, weight)| (sum + weight * x, total + weight));
        if total == 0.0 { (here.x, 1e-3) } else { (sum / total, total) }
    }

    /// Moves the vertices of a layer as near to their targets as order and spacing permit, in the
    /// sense of weighted least squares. Less the space that is needed to its left, each vertex has to
    /// be right of the one before: that is isotonic regression, solved by pooling adjacent violators.
    fn solve_layer(&mut self, layer: usize, target: &dyn Fn(&Drawing, usize) -> (f64, f64)) {
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        let mut lefts = Vec::new();
        let mut left = 0.0;
        for (at, &vertex) in self.layers[layer].iter().enumerate() {
            if at > 0 {
                let before = &self.vertices[self.layers[layer][at - 1]];
                let here = &self.vertices[vertex];
                left += before.distance_to(here);
            }
            lefts.push(left);
            let (x, weight) = target(self, vertex);
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

    /// Makes straight what nearly is: aligns a box with the one that it reads, and the dummies of an
    /// edge with one another, as far as their neighbors leave space.
    pub(super) fn snap(&mut self) {
        for vertex in self.layers.concat() {
            if let (VertexKind::Box, &[segment]) =
                (self.vertices[vertex].kind, &self.vertices[vertex].above[..])
            {
                let target = self.upper(segment) - self.segments[segment].entry;
                if (target - self.vertices[vertex].x).abs() < SNAP_DISTANCE {
                    let [least, most] = self.slack(vertex);
                    self.vertices[vertex].x = target.max(least).min(most);
                }
            }
        }
        for chain in self.chains.clone() {
            let dummies: Vec<usize> =
                chain[1..].iter().map(|&segment| self.segments[segment].upper).collect();
            let mut target = self.upper(chain[0]);
            let mut at = 0;
            while at < dummies.len() {
                // As many as there is a common line for.
                let [mut least, mut most] = self.slack(dummies[at]);
                let start = at;
                while let Some(&dummy) = dummies.get(at) {
                    let [left, right] = self.slack(dummy);
                    if left.max(least) > right.min(most) && at > start {
                        break;
                    }
                    (least, most) = (left.max(least), right.min(most));
                    at += 1;
                }
                target = target.max(least).min(most);
                dummies[start..at].iter().for_each(|&dummy| self.vertices[dummy].x = target);
            }
        }
    }

    /// How far left and right a vertex can be between its neighbors in its layer.
    fn slack(&self, vertex: usize) -> [f64; 2] {
        let here = &self.vertices[vertex];
        let layer = &self.layers[here.layer];
        let left = here.position.checked_sub(1).map(|before| &self.vertices[layer[before]]);
        let right = layer.get(here.position + 1).map(|&next| &self.vertices[next]);
        [
            left.map_or(f64::NEG_INFINITY, |left| left.x + left.distance_to(here)),
            right.map_or(f64::INFINITY, |right| right.x - here.distance_to(right)),
        ]
    }
}

impl Vertex {
    /// 1 for a dummy, and 0 for a box.
    fn dummies(&self) -> usize {
        usize::from(self.kind == VertexKind::Dummy)
    }

    /// The least distance between its middle and that of a neighbor in its layer.
    fn distance_to(&self, other: &Vertex) -> f64 {
        let boxes = self.kind == VertexKind::Box && other.kind == VertexKind::Box;
        (self.width + other.width) / 2.0 + SPACING[usize::from(!boxes)]
    }
}
