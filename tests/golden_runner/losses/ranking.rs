//! Golden files of the family `ranking`.

use super::super::case::Adapter;

pub const FILES: &[(&str, Adapter)] = &[];
