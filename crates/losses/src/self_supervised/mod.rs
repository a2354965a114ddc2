//! Losses of two views of the same examples.

mod barlow_twins;
mod byol;
mod info_nce;
mod nt_xent_simclr;
mod sim_siam;
mod vicreg;

pub use barlow_twins::{BarlowTwins, barlow_twins};
pub use byol::{Byol, byol};
pub use info_nce::{InfoNce, info_nce};
pub use nt_xent_simclr::{NtXentSimclr, nt_xent_simclr};
pub use sim_siam::{SimSiam, sim_siam};
pub use vicreg::{Vicreg, vicreg};

use lossgraph_autograd::{Fault, Var};

use crate::catalogue::{Loss, Sample, Task, WIDE, input};
use crate::check::vectors;

/// What the rows of this family have in common.
const FAMILY: Loss = Loss {
    family: "self_supervised",
    tasks: &[Task::Views.fit()],
    edges: &[(
        "+∞ | −∞",
        "an infinite vector has no direction, and infinite distances no difference",
    )],
    ..Loss::BASE
};

pub(crate) const ROWS: &[&Loss] = &[
    &nt_xent_simclr::ROW,
    &info_nce::ROW,
    &byol::ROW,
    &sim_siam::ROW,
    &barlow_twins::ROW,
    &vicreg::ROW,
];

/// Two views of five examples.
const VIEWS: [Sample; 2] = [input("z1", &[5, 3], WIDE), input("z2", &[5, 3], WIDE)];

/// The first of two views, if both are matrices of one shape.
fn views<'t>(loss: &str, named: [(&str, Var<'t>); 2]) -> Var<'t> {
    let [(first, _), (second, _)] = named;
    let [z1, z2] = vectors(loss, named);
    if (z1.rank() == 2 && z1.shape() == z2.shape()) || z1.is_faulty() || z2.is_faulty() {
        return z1;
    }
    z1.tape().fault(
        Fault::new(loss, "two views [batch, features]").operand(first, z1).operand(second, z2),
    )
}
