//! Golden files of the family `pictures`.

use super::super::case::Adapter;

pub const FILES: &[(&str, Adapter)] = &[];
