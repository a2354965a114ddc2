//! Vectors of any size: what squares them is computed for vectors of size 1.

use lossgraph_autograd::{IntoAxes, Var, keep};

/// The largest `|x|` along axes, as a constant, but at least 10⁻¹⁸, and 1 where it is not finite.
/// What is divided by it can be squared: that neither overflows nor vanishes.
#[track_caller]
pub(crate) fn size<'t>(x: Var<'t>, axes: impl IntoAxes) -> Var<'t> {
    let x = x.detach();
    if x.len() == 0 {
        return x.sum(keep(axes)) + 1.0;
    }
    let largest = x.abs().max(keep(axes));
    largest.lt(f64::INFINITY).select(largest, 1.0).clamp(1e-18, f64::INFINITY)
}
