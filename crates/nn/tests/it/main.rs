//! The integration tests of the crate, as one program: each by itself would be linked by itself.

mod fit;
mod lines;
mod models;
mod parallel;
mod sequences;
mod torch;
