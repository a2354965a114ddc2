//! Anchors, positives and negatives, by their indices.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::Tensor;

use super::distance::Distance;
use super::pairs::Pairs;

/// Triplets of an embedding, a reference of its class and one of another, by their indices.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Pairs, Triplets};
/// let tape = Tape::f64();
/// let embeddings = tape.variable([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
/// let triplets = Triplets::of(Pairs::of(embeddings, tape.labels(&[7, 7, 3])));
/// assert_eq!(triplets.indices, [[0, 1, 2], [1, 0, 2]]);
/// ```
#[derive(Clone, Debug)]
pub struct Triplets<'t> {
    /// The anchors, `[n, features]`.
    pub embeddings: Var<'t>,
    /// Positives and negatives, `[m, features]`.
    pub references: Var<'t>,
    /// The indices of an anchor, a positive and a negative.
    pub indices: Vec<[usize; 3]>,
}

/// The distances of triplets, each `[triplets]`.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'t> {
    /// From the anchor to the positive.
    pub positive: Var<'t>,
    /// From the anchor to the negative.
    pub negative: Var<'t>,
}

impl<'t> Triplets<'t> {
    /// Every positive pair of an anchor with every negative one.
    pub fn of(pairs: Pairs<'t>) -> Triplets<'t> {
        let Pairs { embeddings, references, .. } = pairs;
        let mut negatives = vec![Vec::new(); embeddings.dim(0)];
        pairs.negative_indices().into_iter().for_each(|[i, j]| negatives[i].push(j));
        let near = pairs.positive_indices().into_iter();
        let indices = near.flat_map(|[i, j]| negatives[i].iter().map(move |&k| [i, j, k]));
        Triplets { embeddings, references, indices: indices.collect() }
    }

    /// Triplets that are listed.
    ///
    /// # Errors
    /// Recorded as faults: an index out of range.
    #[track_caller]
    pub fn listed(
        embeddings: Var<'t>,
        references: Var<'t>,
        indices: Vec<[usize; 3]>,
    ) -> Triplets<'t> {
        let (n, m) = (embeddings.dim(0), references.dim(0));
        match indices.iter().find(|[i, j, k]| *i >= n || *j >= m || *k >= m) {
            None => Triplets { embeddings, references, indices },
            Some(_) if embeddings.is_faulty() || references.is_faulty() => {
                Triplets { embeddings, references, indices: Vec::new() }
            }
            Some([i, j, k]) => {
                let fault = embeddings.tape().fault(
                    Fault::new("triplets", format!("the triplet {i}, {j}, {k} is out of range"))
                        .operand("embeddings", embeddings)
                        .operand("references", references),
                );
                Triplets { embeddings: fault, references: fault, indices: Vec::new() }
            }
        }
    }

    /// The pairs that the triplets are made of, as often as they occur.
    #[track_caller]
    pub fn pairs(&self) -> Pairs<'t> {
        let positive: Vec<_> = self.indices.iter().map(|&[i, j, _]| [i, j]).collect();
        let negative: Vec<_> = self.indices.iter().map(|&[i, _, k]| [i, k]).collect();
        Pairs::listed(self.embeddings, self.references, &positive, &negative)
    }

    /// The distances from the anchors. All pairs are measured once, and then looked up.
    #[track_caller]
    pub fn sides(&self, distance: Distance) -> Sides<'t> {
        let all = distance.between_all(self.embeddings, self.references);
        Sides {
            positive: self.look_up(all, |[i, j, _]| [i, j]),
            negative: self.look_up(all, |[i, _, k]| [i, k]),
        }
    }

    /// The distances from the positives to the negatives.
    #[track_caller]
    pub fn across(&self, distance: Distance) -> Var<'t> {
        let all = distance.between_all(self.references, self.references);
        self.look_up(all, |[_, j, k]| [j, k])
    }

    /// The anchors' numbers of something that each embedding has one of.
    #[track_caller]
    pub(super) fn of_anchors(&self, each: Var<'t>) -> Var<'t> {
        self.picked(each, |[i, ..]| i)
    }

    #[track_caller]
    fn look_up(&self, all: Var<'t>, pair: impl Fn([usize; 3]) -> [usize; 2]) -> Var<'t> {
        let columns = all.dim(-1);
        self.picked(all.flatten(..), |triplet| {
            let [row, column] = pair(triplet);
            row * columns + column
        })
    }

    #[track_caller]
    fn picked(&self, from: Var<'t>, index: impl Fn([usize; 3]) -> usize) -> Var<'t> {
        let indices = self.indices.iter().map(|&each| index(each) as i64);
        let indices = self.embeddings.tape().constant(Tensor::from(indices.collect::<Vec<i64>>()));
        from.index_select(0, indices)
    }
}
