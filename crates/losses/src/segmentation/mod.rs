//! Losses of masks that overlap.

mod dice;
mod focal_tversky;
mod generalized_dice;
mod jaccard;
mod lovasz;
mod lovasz_hinge;
mod lovasz_softmax;
mod masks;
mod tversky;

pub use dice::{Dice, dice};
pub use focal_tversky::{FocalTversky, focal_tversky};
pub use generalized_dice::{GeneralizedDice, generalized_dice};
pub use jaccard::{Jaccard, jaccard};
pub use lovasz_hinge::{LovaszHinge, lovasz_hinge};
pub use lovasz_softmax::{LovaszSoftmax, lovasz_softmax};
pub use masks::{Masks, Scores};
pub use tversky::{Tversky, tversky};

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss {
    family: "segmentation",
    tasks: &[Task::Masks.fit()],
    edges: &[(
        "sure and wrong",
        "several classes that exclude each other are sure, or none is possible",
    )],
    ..Loss::BASE
};

pub(crate) const ROWS: &[&Loss] = &[
    &dice::ROW,
    &generalized_dice::ROW,
    &tversky::ROW,
    &focal_tversky::ROW,
    &jaccard::ROW,
    &lovasz_hinge::ROW,
    &lovasz_softmax::ROW,
];
