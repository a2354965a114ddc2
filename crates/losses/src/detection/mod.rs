//! Losses of boxes.

mod boxes;
mod ciou;
mod diou;
mod giou;
mod iou;

pub use ciou::{Ciou, ciou};
pub use diou::{Diou, diou};
pub use giou::{Giou, giou};
pub use iou::{Iou, iou};

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss { family: "detection", tasks: &[Task::Boxes.fit()], ..Loss::BASE };

pub(crate) const ROWS: &[&Loss] = &[&iou::ROW, &giou::ROW, &diou::ROW, &ciou::ROW];
