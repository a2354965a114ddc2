//! Scores of embeddings against class vectors: what the losses with class vectors share.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::{DType, Tensor};

use super::distance::Distance;
use super::pairs::Pairs;
use crate::check::floats;
use crate::labels::{IGNORED, Labels, SECOND};
use crate::terms::Terms;

/// The scores of every class for each example, and which class is right.
pub(super) struct Scores<'t> {
    /// `[batch, classes]`.
    pub all: Var<'t>,
    labels: Labels<'t>,
}

impl<'t> Scores<'t> {
    /// Examples with the label −100 do not count.
    pub fn new(loss: &str, all: Var<'t>, labels: Var<'t>) -> Result<Scores<'t>, Terms<'t>> {
        let labels =
            Labels::new(loss, SECOND, ("scores", all), labels, IGNORED).map_err(Terms::new)?;
        Ok(Scores { all, labels })
    }

    /// The score of the right class of each example, `[batch, 1]`.
    pub fn right(&self) -> Var<'t> {
        self.labels.pick(self.all).unsqueeze(1)
    }

    /// All scores, with another one for the right class.
    pub fn with_right(&self, score: Var<'t>) -> Var<'t> {
        self.labels.one_hot(self.all).select(score, self.all)
    }

    /// The cross-entropy of `logits`, made of these scores.
    pub fn cross_entropy(&self, logits: Var<'t>) -> Terms<'t> {
        let z = self.labels.counted_scores(logits);
        let each = z.log_sum_exp(1) - self.labels.pick(z);
        Terms::new(self.labels.counted(each)).with_weights(self.labels.weigh(None))
    }
}

/// `similarity` of each embedding with each class vector, `[batch, vectors]`.
pub(super) fn similarities<'t>(
    loss: &str,
    similarity: Distance,
    embeddings: Var<'t>,
    vectors: Var<'t>,
) -> Var<'t> {
    match checked(loss, embeddings, vectors) {
        Some(fault) => fault,
        None => similarity.between_all(embeddings, vectors),
    }
}

/// The pairs of embeddings and proxies, one proxy for each class.
pub(super) fn with_proxies<'t>(
    loss: &str,
    embeddings: Var<'t>,
    proxies: Var<'t>,
    labels: Var<'t>,
) -> Pairs<'t> {
    match checked_labels(loss, embeddings, proxies, labels) {
        Some(fault) => Pairs::faulty(fault),
        None => {
            let classes = Tensor::arange(proxies.dim(0), DType::I64);
            let of_proxies = embeddings.tape().constant(classes);
            Pairs::with_references(embeddings, labels, proxies, of_proxies)
        }
    }
}

/// The vector of the class of each example, `[batch, features]`.
pub(super) fn vectors_of<'t>(
    loss: &str,
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
) -> Var<'t> {
    match checked_labels(loss, embeddings, vectors, labels) {
        Some(fault) => fault,
        None => vectors.index_select(0, labels),
    }
}

/// A fault, unless there are class vectors for the labels of all embeddings.
fn checked_labels<'t>(
    loss: &str,
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
) -> Option<Var<'t>> {
    checked(loss, embeddings, vectors).or_else(|| {
        let classes = vectors.dim(0);
        let named = ("embeddings", embeddings);
        Labels::among(classes, loss, SECOND, named, labels, i64::MIN).err()
    })
}

/// A fault, unless there are embeddings and class vectors of as many features.
pub(super) fn checked<'t>(loss: &str, embeddings: Var<'t>, vectors: Var<'t>) -> Option<Var<'t>> {
    if let Some(&faulty) = [embeddings, vectors].iter().find(|var| var.is_faulty()) {
        return Some(faulty);
    }
    let named = [("embeddings", embeddings), ("vectors", vectors)];
    let mut floats = named.into_iter().map(|(name, var)| floats(loss, name, var));
    if let Some(fault) = floats.find(|var| var.is_faulty()) {
        return Some(fault);
    }
    let fits = embeddings.rank() == 2 && vectors.rank() == 2 && embeddings.dim(1) == vectors.dim(1);
    if fits {
        return None;
    }
    let fault = Fault::new(loss, "[batch, features] and [classes, features]")
        .operand("embeddings", embeddings)
        .operand("vectors", vectors);
    let transposed = vectors.rank() == 2 && vectors.dim(0) == embeddings.dim(1);
    let fault = if transposed { fault.cure("vectors.t(): one row for each class") } else { fault };
    Some(embeddings.tape().fault(fault))
}

/// The angle of a cosine, in radians. Where rounding leaves ±1 or more, the slope is 0 instead of
/// infinite.
#[track_caller]
pub(super) fn angle(cosine: Var<'_>) -> Var<'_> {
    let inside = cosine.abs().lt(1.0);
    let at_the_end = cosine.lt(0.0) * std::f64::consts::PI;
    inside.select(inside.select(cosine, 0.0).acos(), at_the_end)
}
