//! Losses of distances between embeddings, and the parts that they are made of.
//!
//! A loss of pairs is made of a [`Distance`], of [`Pairs`] or [`Triplets`] from labels or from a
//! [`Miner`], and of its own formula; it gives terms, or [`Parts`] of them. A loss with vectors for its classes is given
//! them; [`ClassVectors`] holds and trains them.

mod angular;
mod arc_face;
pub(crate) mod center;
mod circle;
mod class_vectors;
mod classes;
mod contrastive;
mod cos_face;
mod cosine_distance;
mod cosine_embedding;
mod distance;
mod fast_ap;
mod generalized_lifted_structure;
mod hinge_embedding;
mod instance;
mod intra_pair_variance;
mod large_margin_softmax;
mod lifted_structure;
mod margin;
mod margin_ranking;
mod miner;
mod multi_similarity;
mod n_pairs;
mod nca;
mod norm_softmax;
mod nt_xent;
mod pairs;
mod parts;
mod pnp;
mod proxy_anchor;
mod proxy_nca;
mod sample;
mod smooth_ap;
mod soft_triple;
mod sphere_face;
mod sup_con;
mod threshold_consistent_margin;
mod triplet_margin;
mod triplets;
mod tuplet_margin;

pub use angular::{Angular, angular};
pub use arc_face::{ArcFace, arc_face};
pub use circle::{Circle, circle};
pub use class_vectors::ClassVectors;
pub use contrastive::{Contrastive, contrastive};
pub use cos_face::{CosFace, cos_face};
pub use cosine_distance::{CosineDistance, cosine_distance};
pub use cosine_embedding::{CosineEmbedding, cosine_embedding};
pub use distance::Distance;
pub use fast_ap::{FastAp, fast_ap};
pub use generalized_lifted_structure::{GeneralizedLiftedStructure, generalized_lifted_structure};
pub use hinge_embedding::{HingeEmbedding, hinge_embedding};
pub use instance::{Instance, instance};
pub use intra_pair_variance::{IntraPairVariance, intra_pair_variance};
pub use large_margin_softmax::{LargeMarginSoftmax, large_margin_softmax};
pub use lifted_structure::{LiftedStructure, lifted_structure};
pub use margin::{Margin, margin};
pub use margin_ranking::{MarginRanking, margin_ranking};
pub use miner::Miner;
pub use multi_similarity::{MultiSimilarity, multi_similarity};
pub use n_pairs::{NPairs, n_pairs};
pub use nca::{Nca, nca};
pub use norm_softmax::{NormSoftmax, norm_softmax};
pub use nt_xent::{NtXent, nt_xent};
pub use pairs::Pairs;
pub use parts::Parts;
pub use pnp::{Pnp, PnpVariant, pnp};
pub use proxy_anchor::{ProxyAnchor, proxy_anchor};
pub use proxy_nca::{ProxyNca, proxy_nca};
pub use smooth_ap::{SmoothAp, smooth_ap};
pub use soft_triple::{SoftTriple, soft_triple};
pub use sphere_face::{SphereFace, sphere_face};
pub use sup_con::{SupCon, sup_con};
pub use threshold_consistent_margin::{ThresholdConsistentMargin, threshold_consistent_margin};
pub use triplet_margin::{TripletMargin, triplet_margin};
pub use triplets::{Sides, Triplets};
pub use tuplet_margin::{TupletMargin, tuplet_margin};

pub(crate) use distance::normalized;
pub(crate) use pairs::log_sum_exp_of;

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss {
    family: "embedding",
    tasks: &[Task::Embeddings.fit()],
    edges: &[(
        "+∞ | −∞",
        "an infinite vector has no direction, and infinite distances no difference",
    )],
    ..Loss::BASE
};

pub(crate) const ROWS: &[&Loss] = &[
    &triplet_margin::ROW,
    &cosine_embedding::ROW,
    &contrastive::ROW,
    &nt_xent::ROW,
    &arc_face::ROW,
    &proxy_anchor::ROW,
    &hinge_embedding::ROW,
    &margin_ranking::ROW,
    &cosine_distance::ROW,
    &sup_con::ROW,
    &n_pairs::ROW,
    &lifted_structure::ROW,
    &generalized_lifted_structure::ROW,
    &multi_similarity::ROW,
    &circle::ROW,
    &angular::ROW,
    &margin::ROW,
    &tuplet_margin::ROW,
    &fast_ap::ROW,
    &smooth_ap::ROW,
    &pnp::ROW,
    &nca::ROW,
    &instance::ROW,
    &intra_pair_variance::ROW,
    &threshold_consistent_margin::ROW,
    &proxy_nca::ROW,
    &cos_face::ROW,
    &norm_softmax::ROW,
    &sphere_face::ROW,
    &large_margin_softmax::ROW,
    &soft_triple::ROW,
    &center::ROW,
];
