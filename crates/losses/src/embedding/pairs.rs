//! Which embeddings are compared with which, and which of these pairs are of one class.

use lossgraph_autograd::{Fault, Var, keep};
use lossgraph_tensor::{DType, Tensor};

use super::distance::Distance;
use crate::check::{above_zero, demand, floats};
use crate::labels::no_class_numbers;
use crate::rows::finite;
use crate::terms::Terms;

/// Pairs of embeddings, of one class or of two.
///
/// Two matrices say how often each pair counts: once or not at all where labels decide, as often
/// as it was listed where a miner did. They are data: no slope flows into them, and as their shape
/// is that of the batch, a training step plans once.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Pairs;
/// let tape = Tape::f64();
/// let embeddings = tape.variable([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
/// let pairs = Pairs::of(embeddings, tape.labels(&[7, 7, 3]));
/// assert_eq!(pairs.positive.value()?.to_f64s(), [0., 1., 0., 1., 0., 0., 0., 0., 0.]);
/// assert_eq!(pairs.negative.value()?.to_f64s(), [0., 0., 1., 0., 0., 1., 1., 1., 0.]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'t> {
    /// The anchors, `[n, features]`.
    pub embeddings: Var<'t>,
    /// What they are compared with, `[m, features]`.
    pub references: Var<'t>,
    /// How often each pair counts as one of a class, `[n, m]`.
    pub positive: Var<'t>,
    /// How often each pair counts as one of two classes, `[n, m]`.
    pub negative: Var<'t>,
}

impl<'t> Pairs<'t> {
    /// All pairs of a batch, each in both orders; none of an example with itself.
    ///
    /// # Errors
    /// Recorded as faults: embeddings that are no matrix; labels that are not one integer for each
    /// embedding.
    #[track_caller]
    pub fn of(embeddings: Var<'t>, labels: Var<'t>) -> Pairs<'t> {
        match class_numbers(embeddings, labels) {
            Ok(classes) => {
                Pairs::by(embeddings, embeddings, |i, j| (i != j).then(|| classes[i] == classes[j]))
            }
            Err(fault) => Pairs::faulty(fault),
        }
    }

    /// All pairs of an embedding and a reference, those of the same index included.
    ///
    /// # Errors
    /// As for [`Pairs::of`]; numbers of features that differ.
    #[track_caller]
    pub fn with_references(
        embeddings: Var<'t>,
        labels: Var<'t>,
        references: Var<'t>,
        reference_labels: Var<'t>,
    ) -> Pairs<'t> {
        let ours = class_numbers(embeddings, labels);
        match (ours, class_numbers(references, reference_labels)) {
            (Ok(ours), Ok(theirs)) => {
                Pairs::by(embeddings, references, |i, j| Some(ours[i] == theirs[j]))
            }
            (Err(fault), _) | (_, Err(fault)) => Pairs::faulty(fault),
        }
    }

    /// Pairs that are listed: `[index of the embedding, index of the reference]`.
    ///
    /// # Errors
    /// Recorded as faults: matrices of other ranks; an index out of range.
    #[track_caller]
    pub fn listed(
        embeddings: Var<'t>,
        references: Var<'t>,
        positive: &[[usize; 2]],
        negative: &[[usize; 2]],
    ) -> Pairs<'t> {
        if let Some(&faulty) = [embeddings, references].iter().find(|var| var.is_faulty()) {
            return Pairs::faulty(faulty);
        }
        let (n, m) = (embeddings.dim(0), references.dim(0));
        if let Some([i, j]) = positive.iter().chain(negative).find(|[i, j]| *i >= n || *j >= m) {
            return Pairs::faulty(
                embeddings.tape().fault(
                    Fault::new("pairs", format!("the pair {i}, {j} is out of range"))
                        .operand("embeddings", embeddings)
                        .operand("references", references),
                ),
            );
        }
        let count = |list: &[[usize; 2]]| {
            let mut counts = vec![0.0; n * m];
            list.iter().for_each(|[i, j]| counts[i * m + j] += 1.0);
            counts
        };
        Pairs::counted(embeddings, references, count(positive), count(negative))
    }

    /// Pairs of indices that are of one class, of two, or no pair.
    #[track_caller]
    fn by(
        embeddings: Var<'t>,
        references: Var<'t>,
        same: impl Fn(usize, usize) -> Option<bool>,
    ) -> Pairs<'t> {
        let (n, m) = (embeddings.dim(0), references.dim(0));
        let count = |wanted: bool| -> Vec<f64> {
            let indices = (0..n).flat_map(|i| (0..m).map(move |j| (i, j)));
            indices.map(|(i, j)| f64::from(u8::from(same(i, j) == Some(wanted)))).collect()
        };
        Pairs::counted(embeddings, references, count(true), count(false))
    }

    #[track_caller]
    fn counted(
        embeddings: Var<'t>,
        references: Var<'t>,
        positive: Vec<f64>,
        negative: Vec<f64>,
    ) -> Pairs<'t> {
        let shape = [embeddings.dim(0), references.dim(0)];
        let matrix = |counts: Vec<f64>| match Tensor::new(shape, counts) {
            Ok(counts) => embeddings.tape().constant(counts),
            Err(error) => embeddings.tape().fault(Fault::new("pairs", error.to_string())),
        };
        Pairs { embeddings, references, positive: matrix(positive), negative: matrix(negative) }
    }

    pub(super) fn faulty(fault: Var<'t>) -> Pairs<'t> {
        Pairs { embeddings: fault, references: fault, positive: fault, negative: fault }
    }

    /// These pairs, or a fault of `loss` if a demand on a hyper-parameter does not hold.
    #[track_caller]
    pub(super) fn demand(
        self,
        loss: &str,
        holds: bool,
        demanded: impl FnOnce() -> String,
    ) -> Pairs<'t> {
        Pairs { embeddings: demand(loss, holds, demanded, self.embeddings), ..self }
    }

    /// These pairs, or a fault of `loss` if a hyper-parameter is not above 0, or infinite.
    #[track_caller]
    pub(super) fn above_zero(self, loss: &str, name: &str, value: f64) -> Pairs<'t> {
        Pairs { embeddings: above_zero(loss, name, value, self.embeddings), ..self }
    }

    /// Each pair that counts, once.
    #[track_caller]
    pub(super) fn once(self) -> Pairs<'t> {
        let Pairs { positive, negative, .. } = self;
        let count = || [positive, negative].map(|counts| counts.gt(0.0));
        let [positive, negative] = positive.tape().scope("pairs", count);
        Pairs { positive, negative, ..self }
    }

    /// The distance of every embedding to every reference, `[n, m]`.
    #[track_caller]
    pub fn distances(self, distance: Distance) -> Var<'t> {
        let between = || distance.between_all(self.embeddings, self.references);
        self.embeddings.tape().scope("distances", between)
    }

    /// The same where larger means more alike: similarities, or distances less than 0.
    #[track_caller]
    pub(super) fn similarities(self, distance: Distance) -> Var<'t> {
        self.embeddings.tape().scope("similarities", || {
            let between = distance.between_all(self.embeddings, self.references);
            if distance.sign() < 0.0 { between } else { -between }
        })
    }

    /// The indices of the pairs of one class, row by row, as often as they count.
    pub fn positive_indices(self) -> Vec<[usize; 2]> {
        indices_of(self.positive)
    }

    /// The indices of the pairs of two classes, row by row, as often as they count.
    pub fn negative_indices(self) -> Vec<[usize; 2]> {
        indices_of(self.negative)
    }
}

fn indices_of(counts: Var<'_>) -> Vec<[usize; 2]> {
    let columns = counts.dim(1).max(1);
    // Counts that are computed, if only by a comparison, are computed now.
    let data = counts.data().map_or_else(|| counts.value(), Ok);
    let counts = data.ok();
    let each = counts.iter().flat_map(|counts| counts.iter_f64()).enumerate();
    each.flat_map(|(at, count)| vec![[at / columns, at % columns]; count as usize]).collect()
}

/// The labels as numbers, one for each row of `embeddings`.
#[track_caller]
pub(super) fn class_numbers<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Result<Vec<i64>, Var<'t>> {
    if let Some(&faulty) = [embeddings, labels].iter().find(|var| var.is_faulty()) {
        return Err(faulty);
    }
    if embeddings.rank() != 2 {
        return Err(refused(embeddings, labels, "embeddings are [batch, features]"));
    }
    let checked = floats("pairs", "embeddings", embeddings);
    if checked.is_faulty() {
        return Err(checked);
    }
    if labels.dtype() != DType::I64 {
        return Err(no_class_numbers("pairs", ("embeddings", embeddings), labels));
    }
    if labels.shape()[..] != [embeddings.dim(0)] {
        return Err(refused(embeddings, labels, "an integer label for each embedding"));
    }
    let data = labels.data().map_or_else(|| labels.value(), Ok);
    match data.map(|data| data.to_vec::<i64>()) {
        Ok(Ok(numbers)) => Ok(numbers),
        Ok(Err(error)) => Err(refused(embeddings, labels, &error.to_string())),
        Err(error) => {
            let why = format!("the labels have no value: {error}");
            Err(refused(embeddings, labels, &why))
        }
    }
}

/// A fault of the caller of [`Pairs`], who gave these. A function and no closure, for a closure
/// has no caller.
#[track_caller]
fn refused<'t>(embeddings: Var<'t>, labels: Var<'t>, why: &str) -> Var<'t> {
    let fault = Fault::new("pairs", why).operand("embeddings", embeddings);
    embeddings.tape().fault(fault.operand("labels", labels))
}

/// Terms of pairs, each as often as it counts. A pair that does not count may be anything.
#[track_caller]
pub(super) fn counted<'t>(each: Var<'t>, counts: Var<'t>) -> Terms<'t> {
    Terms::new(counts.gt(0.0).select(each * counts, 0.0)).with_weights(Some(counts))
}

/// `ln Σⱼ countᵢⱼ exp(xᵢⱼ)` for each row, kept as `[n, 1]`, without overflow. A row that counts
/// nothing gives −∞ with slope 0.
#[track_caller]
pub(crate) fn log_sum_exp_of<'t>(counts: Var<'t>, x: Var<'t>) -> Var<'t> {
    const NOTHING: f64 = f64::NEG_INFINITY;
    if x.dim(-1) == 0 {
        return x.sum(keep(-1)).ln();
    }
    x.tape().scope("log-sum-exp", || {
        let counted = counts.gt(0.0);
        // Finite, since ∞ − ∞ is NaN.
        let shift = finite(counted.select(x.detach(), NOTHING).max(keep(-1)));
        let sum = (counted.select(x - shift, NOTHING).exp() * counts).sum(keep(-1));
        let none = sum.eq(0.0);
        none.select(NOTHING, none.select(1.0, sum).ln() + shift)
    })
}
