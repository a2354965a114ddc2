//! Golden files of the family `detection`.

use super::super::case::Adapter;

pub const FILES: &[(&str, Adapter)] = &[];
