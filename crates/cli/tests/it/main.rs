//! The integration tests of the crate, as one program: each by itself would be linked by itself.

mod check;
mod check_program;
mod every_loss;
mod explain;
mod files;
mod losses;
mod output;
mod plot;
mod protocol;
mod resume;
mod tables;
mod train;
