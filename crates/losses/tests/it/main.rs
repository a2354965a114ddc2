//! The integration tests of the crate, as one program: each by itself would be linked by itself.

mod catalogue;
mod classes;
mod domains;
mod edge_table;
mod edges;
mod embedding;
mod many_classes;
mod nan;
mod ranking;
mod sequences;
mod shapes;
