//! Losses of pictures.

mod ms_ssim;
mod psnr;
mod ssim;
mod structure;
mod total_variation;

pub use ms_ssim::{MsSsim, ms_ssim};
pub use psnr::{Psnr, psnr};
pub use ssim::{Ssim, ssim};
pub use total_variation::{TotalVariation, total_variation};

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss {
    family: "pictures",
    tasks: &[Task::Pictures.fit()],
    edges: &[("+∞", "an infinite pixel: ∞/∞"), ("−∞", "an infinite pixel: ∞/∞")],
    ..Loss::BASE
};

pub(crate) const ROWS: &[&Loss] = &[&ssim::ROW, &ms_ssim::ROW, &total_variation::ROW, &psnr::ROW];
