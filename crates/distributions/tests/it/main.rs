//! The integration tests of the crate, as one program: each by itself would be linked by itself.

mod densities;
mod draws;
mod supports;
