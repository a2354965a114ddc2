//! Golden files of the family `sequence`.

use super::super::case::Adapter;

pub const FILES: &[(&str, Adapter)] = &[];
