//! Golden files of the family `self_supervised`.

use super::super::case::Adapter;

pub const FILES: &[(&str, Adapter)] = &[];
