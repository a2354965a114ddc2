//! The integration tests of the crate, as one program: each by itself would be linked by itself.

mod black_box;
mod catalogue;
mod finds;
mod honest;
mod joint;
mod lines;
mod pasted;
mod reasons;
