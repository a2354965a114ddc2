//! Powers of what may be 0.

use lossgraph_autograd::Var;

/// `max(0, x)ᵖ`, with slope 0 at and below 0 in every order of derivative, where the slope of a
/// power of less than 2 would be infinite sooner or later.
#[track_caller]
pub(super) fn positive_power(x: Var<'_>, p: f64) -> Var<'_> {
    if p == 1.0 {
        return x.relu();
    }
    if p == 2.0 {
        return x.relu().square();
    }
    let above = x.gt(0.0);
    above.select(above.select(x, 1.0).powf(p), 0.0)
}
