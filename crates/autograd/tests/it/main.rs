//! The integration tests of the crate, as one program: each by itself would be linked by itself.

mod arrays;
mod choices;
mod convolution;
mod einsum;
mod elementwise;
mod fusion;
mod integers;
mod linalg;
mod locations;
mod normalization;
mod ops;
mod parameters;
mod plans;
mod rewrites;
mod runtime_errors;
mod scaling;
mod slopes;
mod statistics;
mod sums;
mod superinstructions;
mod tape;
mod tapes;
mod windows;
