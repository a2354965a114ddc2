//! The paths that make up a gradient: what each of them alone brings back to an input.

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::Tensor;

use crate::graph::{Graph, Input};

/// How many paths are followed through a node, unless its tensors are large.
const FOLLOWED: usize = 16;
/// How many numbers the cotangents that wait at a node may hold together.
const NUMBERS: usize = 1 << 16;

/// A way from the loss back to an input, and what it brings.
#[derive(Clone, Debug)]
pub struct Path {
    /// Its edges from the loss on: the node that reads, and which of its inputs it is.
    pub edges: Vec<(usize, usize)>,
    /// Its share of the input's gradient: the cotangent pushed along these edges only.
    pub share: Tensor,
}

/// The paths to one input. Their shares and `rest` add up to its gradient.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The paths that were followed to the end; where there are more, those that bring most.
    pub paths: Vec<Path>,
    /// How many there are in all.
    pub count: f64,
    /// What all others bring together; `None` if there are no others.
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
    /// let shares: Vec<f64> = paths.paths.iter().map(|path| path.share.to_f64s()[0]).collect();
    /// assert_eq!(shares, [6.0, 1.0]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// What computing the loss gives.
    pub fn paths(&self, to: &[usize]) -> Result<Vec<Paths>> {
        let leads = self.leads(to);
        let mut ways: Vec<Vec<Path>> = vec![Vec::new(); self.nodes.len()];
        let mut count = vec![0.0; self.nodes.len()];
        if let Some((last, seed)) = self.nodes.len().checked_sub(1).zip(self.seed()) {
            ways[last].push(Path { edges: Vec::new(), share: seed });
            count[last] = 1.0;
        }
        // Readers come after what they read, so a node's ways are complete when it is its turn.
        for reader in (0..self.nodes.len()).rev().filter(|&reader| leads[reader]) {
            keep_largest(&mut ways[reader]);
            let inputs = self.nodes[reader].inputs.iter().enumerate();
            let onward: Vec<(usize, usize)> = inputs
                .filter(|(_, input)| input.flow.is_some() && leads[input.node])
                .map(|(slot, input)| (slot, input.node))
                .collect();
            for (way, shares) in self.brought(reader, &ways[reader], &onward)? {
                for (&(slot, node), share) in onward.iter().zip(shares) {
                    let edges = way.iter().copied().chain([(reader, slot)]).collect();
                    ways[node].push(Path { edges, share });
                }
            }
            onward.iter().for_each(|&(_, node)| count[node] += count[reader]);
            if !to.contains(&reader) {
                ways[reader] = Vec::new();
            }
        }
        to.iter().map(|&node| Ok(self.added_up(node, ways[node].clone(), count[node]))).collect()
    }

    /// The gradient of the loss with respect to itself.
    fn seed(&self) -> Option<Tensor> {
        self.nodes.last()?.gradient.clone()
    }

    /// Whether each node is one of some, or reads one that is and lets a gradient through.
    fn leads(&self, to: &[usize]) -> Vec<bool> {
        let mut leads = vec![false; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            let passes = |input: &Input| input.flow.is_some() && leads[input.node];
            leads[at] = to.contains(&at) || node.inputs.iter().any(passes);
        }
        leads
    }

    /// What each way that has come to a node brings through it to some of its inputs.
    fn brought(
        &self,
        reader: usize,
        ways: &[Path],
        onward: &[(usize, usize)],
    ) -> Result<Vec<(Edges, Vec<Tensor>)>> {
        let node = &self.nodes[reader];
        let Some(op) = &node.op_alone else { return Ok(Vec::new()) };
        let tape = Tape::with_dtype(node.value.dtype());
        let inputs: Vec<Var<'_>> =
            node.inputs.iter().map(|input| tape.variable(&self.nodes[input.node].value)).collect();
        let output = op.record(&tape, &inputs);
        let wanted: Vec<Var<'_>> = onward.iter().map(|&(slot, _)| inputs[slot]).collect();
        let shares: Vec<Var<'_>> = ways
            .iter()
            .flat_map(|way| tape.vjp(output, tape.constant(&way.share), &wanted))
            .collect();
        let mut shares = tape.eval(&shares)?.into_iter();
        let each = ways
            .iter()
            .map(|way| (way.edges.clone(), shares.by_ref().take(onward.len()).collect()));
        Ok(each.collect())
    }

    /// The paths to a node, with what is missing of its gradient.
    fn added_up(&self, node: usize, mut paths: Vec<Path>, count: f64) -> Paths {
        keep_largest(&mut paths);
        let rest = self.nodes[node].gradient.as_ref().filter(|_| count > paths.len() as f64);
        let rest = rest.and_then(|gradient| {
            let mut rest = gradient.to_f64s();
            for path in &paths {
                rest.iter_mut().zip(path.share.to_f64s()).for_each(|(rest, x)| *rest -= x);
            }
            Tensor::new(gradient.shape().clone(), rest).ok()
        });
        Paths { paths, count, rest }
    }
}

/// The edges of a path.
type Edges = Vec<(usize, usize)>;

/// Leaves the paths that bring most, the largest first, and no more than can be held.
fn keep_largest(paths: &mut Vec<Path>) {
    let largest =
        |path: &Path| path.share.to_f64s().iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let mut sized: Vec<(f64, Path)> = paths.drain(..).map(|path| (largest(&path), path)).collect();
    sized.sort_by(|a, b| b.0.total_cmp(&a.0));
    let len = sized.first().map_or(1, |(_, path)| path.share.len().max(1));
    sized.truncate((NUMBERS / len).clamp(1, FOLLOWED));
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
        let mut sum = vec![0.0; graph.nodes[0].shape.len()];
        for share in paths.paths.iter().map(|path| &path.share).chain(&paths.rest) {
            sum.iter_mut().zip(share.to_f64s()).for_each(|(sum, x)| *sum += x);
        }
        let gradient = graph.nodes[0].gradient.as_ref().unwrap().to_f64s();
        let far = sum.iter().zip(gradient).fold(0.0, |far: f64, (a, b)| far.max((a - b).abs()));
        (paths, far)
    }

    #[test]
    fn shares_of_all_paths_add_up_to_the_gradient() {
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
        assert_eq!((paths.count, paths.paths.len()), (256.0, FOLLOWED));
        assert!(paths.rest.is_some() && far < 1e-15, "{far}");
        let most =
            |path: &Path| path.share.to_f64s().into_iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        assert!(paths.paths.windows(2).all(|pair| most(&pair[0]) >= most(&pair[1])));
    }

    #[test]
    fn no_path_leads_through_a_detach() {
        let tape = Tape::f64();
        let x = tape.variable(3.0);
        let (paths, far) = of_first(x * x.detach());
        assert_eq!((paths.count, far), (1.0, 0.0));
        assert_eq!(paths.paths[0].share.shape(), &Shape::from(()));
    }
}
