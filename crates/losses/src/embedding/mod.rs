//! Losses of distances between embeddings, and the parts that they are made of.
//!
//! A loss of pairs is made of a [`Distance`], of [`Pairs`] or [`Triplets`] from labels or from a
//! [`Miner`], of its own formula, and of a [`Reducer`]. A loss with vectors for its classes is given
//! them; [`ClassVectors`] holds and trains them.

mod arc_face;
mod class_vectors;
mod classes;
mod contrastive;
mod cosine_embedding;
mod distance;
mod miner;
mod nt_xent;
mod pairs;
mod proxy_anchor;
mod reducer;
mod sample;
mod triplet_margin;
mod triplets;

pub use arc_face::{ArcFace, arc_face};
pub use class_vectors::ClassVectors;
pub use contrastive::{Contrastive, contrastive};
pub use cosine_embedding::{CosineEmbedding, cosine_embedding};
pub use distance::Distance;
pub use miner::Miner;
pub use nt_xent::{NtXent, nt_xent};
pub use pairs::Pairs;
pub use proxy_anchor::{ProxyAnchor, proxy_anchor};
pub use reducer::{Parts, Reducer};
pub use triplet_margin::{TripletMargin, triplet_margin};
pub use triplets::{Sides, Triplets};

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[
    &triplet_margin::ROW,
    &cosine_embedding::ROW,
    &contrastive::ROW,
    &nt_xent::ROW,
    &arc_face::ROW,
    &proxy_anchor::ROW,
];
