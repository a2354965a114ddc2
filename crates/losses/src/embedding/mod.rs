//! Losses of distances between embeddings, and the parts that they are made of.

mod cosine_embedding;
mod distance;
mod triplet_margin;

pub use cosine_embedding::{CosineEmbedding, cosine_embedding};
pub use distance::Distance;
pub use triplet_margin::{TripletMargin, triplet_margin};

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[&triplet_margin::ROW, &cosine_embedding::ROW];
