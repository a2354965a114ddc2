//! lossgraph
