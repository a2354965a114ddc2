//! Losses of pictures.

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[];
