//! Golden files of the family `segmentation`.

use super::super::case::Adapter;

pub const FILES: &[(&str, Adapter)] = &[];
