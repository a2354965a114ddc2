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
    // Not those above 0, of which a NaN would be none.
    let flat = x.le(0.0);
    flat.select(0.0, flat.select(1.0, x).powf(p))
}
