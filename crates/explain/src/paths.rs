//! The paths that make up a gradient: what each of them contributes to that of an input.

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::Tensor;

use crate::graph::{Graph, Input};

/// How many paths are followed through a node, unless its tensors are large.
const MAX_PATHS: usize = 16;
/// How many elements the cotangents kept at a node may have in total.
const MAX_ELEMENTS: usize = 1 << 16;

/// A path from the loss back to an input, and its contribution to the gradient.
#[derive(Clone, Debug)]
pub struct Path {
    /// Its edges from the loss on: the node that reads, and the number of its input.
    pub edges: Vec<(usize, usize)>,
    /// Its contribution to the input's gradient: the cotangent pulled back along these edges only.
    pub contribution: Tensor,
}

/// The paths to one input. Their contributions and `rest` add up to its gradient.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The paths that were followed to the end; where there are more, those that contribute most.
    pub paths: Vec<Path>,
    /// How many there are in all.
    pub count: f64,
    /// The contribution of all others together; `None` if there are no others.
    pub rest: Option<Tensor>,
}

impl Graph {
    /// The paths from the loss to each of some nodes.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::Graph;
    /// let tape = Tape::f64();
    /// let x = tape.variable(3.0);
    /// let loss = x.square() + x;
    /// let paths = &Graph::of(loss)?.paths(&[0])?[0];
    /// let each: Vec<f64> = paths.paths.iter().map(|path| path.contribution.to_f64s()[0]).collect();
    /// assert_eq!(each, [6.0, 1.0]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error of the program.
    pub fn paths(&self, to: &[usize]) -> Result<Vec<Paths>> {
        let followed = self.followed(to)?;
        Ok(to.iter().map(|&node| followed.to(node)).collect())
    }

    /// The same, before the edges of any path are written down one by one: all of them together may be
    /// as many as there are nodes, squared.
    pub(crate) fn followed(&self, to: &[usize]) -> Result<Followed<'_>> {
        let mut is_wanted = vec![false; self.nodes.len()];
        to.iter().for_each(|&node| is_wanted[node] = true);
        let reaches = self.reaches(&is_wanted);
        let mut trails = Trails(Vec::new());
        let mut partial: Vec<Vec<Partial>> = vec![Vec::new(); self.nodes.len()];
        let mut count = vec![0.0; self.nodes.len()];
        if let Some((last, seed)) = self.nodes.len().checked_sub(1).zip(self.seed()) {
            partial[last].push(Partial { trail: None, contribution: seed });
            count[last] = 1.0;
        }
        // Readers come after what they read, so all paths to a node are known when it is visited.
        for reader in (0..self.nodes.len()).rev().filter(|&reader| reaches[reader]) {
            keep_largest(&mut partial[reader]);
            let inputs = self.nodes[reader].inputs.iter().enumerate();
            let onward: Vec<(usize, usize)> = inputs
                .filter(|(_, input)| input.flow.is_some() && reaches[input.node])
                .map(|(slot, input)| (slot, input.node))
                .collect();
            for (trail, contributions) in self.extended(reader, &partial[reader], &onward)? {
                for (&(slot, node), contribution) in onward.iter().zip(contributions) {
                    let trail = Some(trails.extended(trail, (reader, slot)));
                    partial[node].push(Partial { trail, contribution });
                }
            }
            onward.iter().for_each(|&(_, node)| count[node] += count[reader]);
            if !is_wanted[reader] {
                partial[reader] = Vec::new();
            }
        }
        Ok(Followed { graph: self, partial, count, trails })
    }

    /// The gradient of the loss with respect to itself.
    fn seed(&self) -> Option<Tensor> {
        self.nodes.last()?.gradient.clone()
    }

    /// Whether a gradient can flow from each node to one of some nodes.
    fn reaches(&self, is_wanted: &[bool]) -> Vec<bool> {
        let mut reaches = vec![false; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            let passes = |input: &Input| input.flow.is_some() && reaches[input.node];
            reaches[at] = is_wanted[at] || node.inputs.iter().any(passes);
        }
        reaches
    }

    /// The contribution of each path to a node to the gradients of some of its inputs.
    fn extended(
        &self,
        reader: usize,
        paths: &[Partial],
        onward: &[(usize, usize)],
    ) -> Result<Vec<(Option<usize>, Vec<Tensor>)>> {
        let node = &self.nodes[reader];
        let tape = Tape::with_dtype(node.value.dtype());
        let inputs: Vec<Var<'_>> =
            node.inputs.iter().map(|input| tape.input(&self.nodes[input.node].value)).collect();
        let Some(output) = node.operation.record(&tape, &inputs) else { return Ok(Vec::new()) };
        let wanted: Vec<Var<'_>> = onward.iter().map(|&(slot, _)| inputs[slot]).collect();
        let contributions: Vec<Var<'_>> = paths
            .iter()
            .flat_map(|path| tape.vjp(output, tape.constant(&path.contribution), &wanted))
            .collect();
        let mut contributions = tape.eval(&contributions)?.into_iter();
        let each = paths
            .iter()
            .map(|path| (path.trail, contributions.by_ref().take(onward.len()).collect()));
        Ok(each.collect())
    }
}

/// Paths that have been followed to some nodes.
pub(crate) struct Followed<'a> {
    graph: &'a Graph,
    partial: Vec<Vec<Partial>>,
    count: Vec<f64>,
    trails: Trails,
}

impl Followed<'_> {
    /// The largest paths to one of the nodes, and the rest of its gradient.
    pub(crate) fn to(&self, node: usize) -> Paths {
        let mut paths = self.partial[node].clone();
        keep_largest(&mut paths);
        let count = self.count[node];
        let gradient = self.graph.nodes[node].gradient.as_ref();
        let rest = gradient.filter(|_| count > paths.len() as f64).and_then(|gradient| {
            let mut rest = gradient.to_f64s();
            for path in &paths {
                rest.iter_mut().zip(path.contribution.to_f64s()).for_each(|(rest, x)| *rest -= x);
            }
            Tensor::new(gradient.shape().clone(), rest).ok()
        });
        let whole = |path: Partial| Path {
            edges: self.trails.edges(path.trail),
            contribution: path.contribution,
        };
        Paths { paths: paths.into_iter().map(whole).collect(), count, rest }
    }
}

/// A path from the loss to the node at hand.
#[derive(Clone)]
struct Partial {
    /// The last of its edges, in [`Trails`]; `None` for the loss itself.
    trail: Option<usize>,
    contribution: Tensor,
}

/// The edges of paths: each with the one before, so that paths share what they have in common.
struct Trails(Vec<(Option<usize>, (usize, usize))>);

impl Trails {
    fn extended(&mut self, trail: Option<usize>, edge: (usize, usize)) -> usize {
        self.0.push((trail, edge));
        self.0.len() - 1
    }

    /// The edges of a path, from the loss on.
    fn edges(&self, trail: Option<usize>) -> Vec<(usize, usize)> {
        let before = |&trail: &usize| self.0[trail].0;
        let mut edges: Vec<(usize, usize)> =
            std::iter::successors(trail, before).map(|trail| self.0[trail].1).collect();
        edges.reverse();
        edges
    }
}

/// Keeps the paths that contribute most, the largest first, within the limits.
fn keep_largest(paths: &mut Vec<Partial>) {
    let largest = |path: &Partial| {
        path.contribution.to_f64s().iter().fold(0.0, |most: f64, x| most.max(x.abs()))
    };
    let mut sized: Vec<(f64, Partial)> =
        paths.drain(..).map(|path| (largest(&path), path)).collect();
    sized.sort_by(|a, b| b.0.total_cmp(&a.0));
    let len = sized.first().map_or(1, |(_, path)| path.contribution.len().max(1));
    sized.truncate((MAX_ELEMENTS / len).clamp(1, MAX_PATHS));
    paths.extend(sized.into_iter().map(|(_, path)| path));
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::keep;
    use lossgraph_tensor::Shape;

    use super::*;

    /// The paths to the first node, and how far they and the rest are from its gradient.
    fn of_first(loss: Var<'_>) -> (Paths, f64) {
        let graph = Graph::of(loss).unwrap();
        let paths = graph.paths(&[0]).unwrap().remove(0);
        let mut sum = vec![0.0; graph.nodes[0].shape.numel()];
        for part in paths.paths.iter().map(|path| &path.contribution).chain(&paths.rest) {
            sum.iter_mut().zip(part.to_f64s()).for_each(|(sum, x)| *sum += x);
        }
        let gradient = graph.nodes[0].gradient.as_ref().unwrap().to_f64s();
        let far = sum.iter().zip(gradient).fold(0.0, |far: f64, (a, b)| far.max((a - b).abs()));
        (paths, far)
    }

    #[test]
    fn contributions_of_all_paths_add_up_to_the_gradient() {
        let tape = Tape::f64();
        let x = tape.variable([[0.3, -1.2, 0.8], [2.0, 0.7, -0.1]]);
        let shifted = x - x.max(keep(1));
        let loss = (shifted.exp().sum(keep(1)).ln() - shifted.slice(1, 0..1)).mean(..);
        let (paths, far) = of_first(loss);
        assert_eq!((paths.count, paths.paths.len()), (4.0, 4));
        assert!(paths.rest.is_none() && far < 1e-15, "{far}");
    }

    #[test]
    fn of_many_paths_the_largest_are_followed_and_the_rest_is_one_line() {
        let tape = Tape::f64();
        let x = tape.variable([0.3, -1.2]);
        let loss = (0..8).fold(x, |y, _| y.sin() + y * 0.5).sum(..);
        let (paths, far) = of_first(loss);
        assert_eq!((paths.count, paths.paths.len()), (256.0, MAX_PATHS));
        assert!(paths.rest.is_some() && far < 1e-15, "{far}");
        let most = |path: &Path| {
            path.contribution.to_f64s().into_iter().fold(0.0, |m: f64, x| m.max(x.abs()))
        };
        assert!(paths.paths.windows(2).all(|pair| most(&pair[0]) >= most(&pair[1])));
    }

    #[test]
    fn no_path_leads_through_a_detach() {
        let tape = Tape::f64();
        let x = tape.variable(3.0);
        let (paths, far) = of_first(x * x.detach());
        assert_eq!((paths.count, far), (1.0, 0.0));
        assert_eq!(paths.paths[0].contribution.shape(), &Shape::from(()));
    }
}
