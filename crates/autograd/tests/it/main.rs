//! The integration tests of the crate, as one program: each by itself would be linked by itself.

mod arrays;
mod convolution;
mod elementwise;
mod fusion;
mod integers;
mod linalg;
mod locations;
mod normalization;
mod ops;
mod plans;
mod runtime_errors;
mod scaling;
mod slopes;
mod statistics;
mod sums;
mod tape;
mod tapes;
mod windows;
