//! Derivatives of a function of one number by finite differences, each with an estimate of its
//! error, so that no tolerance has to be chosen for a program.

use lossgraph_autograd::Result;

/// A number, and how far off it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// An estimate of its error, meant to bound it.
    pub error: f64,
}

/// The slopes of a function at 0. Where its value jumps there are none: minus infinity on the left
/// and infinity on the right, so that any number lies between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slopes {
    /// By differences around 0.
    pub central: Estimate,
    /// By differences below 0 alone, and above 0 alone.
    pub left: Estimate,
    pub right: Estimate,
    /// The right one minus the left one.
    pub jump: Estimate,
    /// What the noise of the values leaves of a slope.
    pub noise: f64,
    /// Whether the value itself seems to jump at 0.
    pub jumps: bool,
}

/// Steps of one ladder, each half of the one before.
pub(crate) const RUNGS: usize = 4;

/// How many values [`noise`] takes.
pub(crate) const SAMPLES: usize = 8;

/// Where they are taken, in units of a spacing.
pub(crate) const SAMPLED: [f64; SAMPLES] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

/// Spacings at which a smooth function is a straight line.
pub(crate) const NEAR: [f64; 2] = [1e-9, 1e-6];

impl Slopes {
    /// What is known of a function that is not finite on a ladder.
    pub const UNKNOWN: Slopes = {
        let unknown = Estimate { value: f64::NAN, error: f64::INFINITY };
        Slopes {
            central: unknown,
            left: unknown,
            right: unknown,
            jump: unknown,
            noise: 0.0,
            jumps: false,
        }
    };

    /// Whether differences show that nothing moves.
    pub fn are_flat(&self) -> bool {
        [self.central, self.left, self.right].iter().all(|slope| slope.value == 0.0)
    }

    /// These slopes, where the value itself jumps.
    pub fn of_a_jump(self) -> Slopes {
        let infinite = |value: f64| Estimate { value, error: 0.0 };
        let [left, right] = [f64::NEG_INFINITY, f64::INFINITY].map(infinite);
        Slopes { left, right, jump: right, ..self }
    }

    /// The slopes of a function that is `at_0` at 0, from its values on a ladder of steps, the
    /// longest one first; `noise` is the error of a value. `None` if they are not all finite, as
    /// outside of a domain.
    pub fn of_ladder(
        first: f64,
        below: &[f64; RUNGS],
        at_0: f64,
        above: &[f64; RUNGS],
        noise: f64,
    ) -> Option<Slopes> {
        if below.iter().chain(above).any(|value| !value.is_finite()) {
            return None;
        }
        // A value that keeps its distance on every rung. Two rungs would not do: a smooth curve
        // that turns back may be as far at one step as at another.
        let stays = |side: &[f64; RUNGS]| {
            let near = (side[RUNGS - 1] - at_0).abs();
            let alike = |value: &f64| ((value - at_0).abs() - near).abs() < 0.2 * near;
            near > 1e3 * noise && side.iter().all(alike)
        };
        // Values farther away may be larger, and so is what they are rounded by.
        let largest = below.iter().chain(above).fold(0.0_f64, |most, value| most.max(value.abs()));
        let rounding = if noise > 0.0 { noise.max(f64::EPSILON * largest) } else { 0.0 };
        let step = |rung: usize| first / f64::from(1 << rung);
        let each = |slope: &dyn Fn(usize) -> f64| -> [f64; RUNGS] { std::array::from_fn(slope) };
        // A difference over 2h has an error in even powers of h, one over h in all of them.
        let central = each(&|k| (above[k] - below[k]) / step(k) / 2.0);
        let left = each(&|k| (at_0 - below[k]) / step(k));
        let right = each(&|k| (above[k] - at_0) / step(k));
        let jump = each(&|k| ((above[k] - at_0) + (below[k] - at_0)) / step(k));
        Some(Slopes {
            central: unless_it_drifts(
                extrapolate(&central, 4.0, |k| rounding / step(k)),
                &central,
                rounding / step(RUNGS - 1),
            ),
            left: extrapolate(&left, 2.0, |k| 2.0 * rounding / step(k)),
            right: extrapolate(&right, 2.0, |k| 2.0 * rounding / step(k)),
            jump: extrapolate(&jump, 2.0, |k| 4.0 * rounding / step(k)),
            noise: noise / first * f64::from(1 << RUNGS),
            jumps: stays(above) || stays(below),
        })
    }
}

/// An extrapolation of slopes that come nearer to each other with every rung. If they do not, the
/// steps are too long to see where they lead to.
fn unless_it_drifts(found: Estimate, slopes: &[f64; RUNGS], noise: f64) -> Estimate {
    let [first, second, last] = [1, 2, 3].map(|k| slopes[k] - slopes[k - 1]);
    let grows = |from: f64, to: f64| to.abs() > 0.7 * from.abs();
    // What noise does has no direction.
    let one_way = first * second > 0.0 && second * last > 0.0 && grows(first, second);
    match grows(second, last) && (last.abs() > noise || one_way) {
        true => Estimate { error: found.error.max(8.0 * last.abs()), ..found },
        false => found,
    }
}

/// Richardson's extrapolation to a step of 0 (Neville's scheme; Ridders 1982), with `ratio` the
/// factor by which halving the step lowers the leading error.
///
/// ```text
/// T[k][j] = T[k][j−1] + (T[k][j−1] − T[k−1][j−1]) / (ratioʲ − 1)
/// ```
///
/// Of all entries, the one whose error seems least: how far it moved from those that it is made
/// of, and what is left of the noise.
fn extrapolate(slopes: &[f64; RUNGS], ratio: f64, noise: impl Fn(usize) -> f64) -> Estimate {
    let mut best = Estimate { value: slopes[RUNGS - 1], error: f64::INFINITY };
    let mut before: Vec<Estimate> = Vec::new();
    for (k, &slope) in slopes.iter().enumerate() {
        // The errors in this row are those of rounding alone.
        let mut row = vec![Estimate { value: slope, error: noise(k) }];
        let mut power = 1.0;
        for j in 1..=k {
            power *= ratio;
            let (fine, coarse) = (row[j - 1], before[j - 1]);
            let value = fine.value + (fine.value - coarse.value) / (power - 1.0);
            let rounding = (power * fine.error + coarse.error) / (power - 1.0);
            let moved = (value - fine.value).abs().max((value - coarse.value).abs());
            // The scheme itself rounds.
            let error = moved + rounding + 2.0 * f64::EPSILON * value.abs();
            if error < best.error {
                best = Estimate { value, error };
            }
            row.push(Estimate { value, error: rounding });
        }
        before = row;
    }
    best
}

/// The error of a value of `f`, from the differences of order 3 to 5 of values so near to each
/// other that a smooth function has none (Hamming; Moré and Wild, Estimating Computational Noise,
/// 2011). On one side of 0, so that a kink there is no noise.
///
/// At each spacing the least over the orders counts, since what is smooth dies out with the order and
/// noise does not. Of two spacings the larger noise counts: values that cancel inside of `f`, such as
/// the `p − 1` of a saturated softmax, come in steps, which points too near to each other do not see.
///
/// `values` gives those at 1, 2, … [`SAMPLES`] times a spacing.
pub(crate) fn noise(spacings: &[f64], values: impl Fn(f64) -> Result<Vec<f64>>) -> Result<f64> {
    let (mut noise, mut largest) = (0.0_f64, 0.0_f64);
    for &spacing in spacings {
        let mut values = values(spacing)?;
        let scale = values.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
        if scale == 0.0 || !scale.is_finite() {
            continue;
        }
        largest = largest.max(scale);
        // So that no square overflows.
        values.iter_mut().for_each(|value| *value /= scale);
        let mut least = f64::INFINITY;
        // (j!)² / (2j)!: the share of a difference of order j that is the noise of one value.
        let mut share = 1.0;
        for order in 1..=5 {
            values = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
            share *= f64::from(order) / f64::from(2 * (2 * order - 1));
            if order >= 3 {
                let mean = values.iter().map(|d| d * d).sum::<f64>() / values.len() as f64;
                least = least.min((share * mean).sqrt());
            }
        }
        noise = noise.max(least * scale);
    }
    // Eight values may agree by chance; a few roundings of the value itself are always there.
    Ok(if noise.is_finite() { 4.0 * noise } else { 0.0 } + 4.0 * f64::EPSILON * largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compared::{Compared, Patience, Reach};

    fn noise_of(f: impl Fn(f64) -> f64) -> f64 {
        let values = |spacing: f64| Ok((1..=SAMPLES).map(|k| f(k as f64 * spacing)).collect());
        noise(&NEAR, values).unwrap()
    }

    /// The slopes of a function whose slope by rules is `analytic`.
    fn found(f: impl Fn(f64) -> f64, analytic: f64) -> Slopes {
        let noise = noise_of(&f);
        let ladder = |first: f64| {
            let at = |sign: f64| std::array::from_fn(|k| f(sign * first / f64::from(1 << k)));
            let slopes = Slopes::of_ladder(first, &at(-1.0), f(0.0), &at(1.0), noise);
            Ok(slopes.map(|slopes| Compared {
                analytic,
                slopes,
                size: 1.0,
                claimed: 1.0,
                rounding: 0.0,
                first,
                length: 1.0,
                scatter: 0.0,
            }))
        };
        let reach = Reach { patience: Patience::Long, least: 1.0, length_scale: 1.0, size: 1.0 };
        Compared::search(ladder, reach).unwrap().unwrap().slopes
    }

    fn measured(f: impl Fn(f64) -> f64) -> Slopes {
        let slope = found(&f, f64::NAN).central.value;
        found(f, slope)
    }

    /// Functions with their derivatives.
    type Known = (fn(f64) -> f64, fn(f64) -> f64);
    const KNOWN: [Known; 10] = [
        (f64::sin, f64::cos),
        (f64::exp, f64::exp),
        (|x| (1.0 + x * x).ln(), |x| 2.0 * x / (1.0 + x * x)),
        (|x| x * x * x - 2.0 * x, |x| 3.0 * x * x - 2.0),
        (|x| (20.0 * x).sin(), |x| 20.0 * (20.0 * x).cos()),
        (f64::tanh, |x| 1.0 - x.tanh().powi(2)),
        (|x| (x * x + 1e-2).sqrt(), |x| x / (x * x + 1e-2).sqrt()),
        (|x| 1e6 + x.sin(), f64::cos),
        (|x| (1.0 + x.exp()).ln() - x, |x| -1.0 / (1.0 + x.exp())),
        (|x| (-50.0 * x * x).exp(), |x| -100.0 * x * (-50.0 * x * x).exp()),
    ];

    #[test]
    fn the_estimated_error_bounds_the_true_one() {
        let (mut bounded, mut all) = (0, 0);
        for (f, slope) in KNOWN {
            for i in 0..200 {
                let x = -2.0 + f64::from(i) * 0.02003;
                let found = measured(|t| f(x + t)).central;
                let (off, exact) = ((found.value - slope(x)).abs(), slope(x));
                // The derivative in closed form is rounded, too.
                bounded += usize::from(off <= found.error + 4.0 * f64::EPSILON * exact.abs());
                all += 1;
                assert!(found.error < 1e-6, "{x}: {found:?}");
            }
        }
        assert!(bounded * 100 >= all * 99, "{bounded} of {all}");
    }

    #[test]
    fn a_kink_is_a_jump_of_the_slopes() {
        let found = measured(|t| 3.0 * t.abs() + t.sin());
        assert!((found.jump.value - 6.0).abs() <= found.jump.error, "{found:?}");
        assert!((found.left.value + 2.0).abs() <= found.left.error, "{found:?}");
        assert!((found.right.value - 4.0).abs() <= found.right.error, "{found:?}");
        let smooth = measured(|t| (1.0 + t).ln());
        assert!(smooth.jump.value.abs() <= smooth.jump.error, "{smooth:?}");
    }

    #[test]
    fn where_the_value_jumps_any_slope_is_between_those_of_the_sides() {
        let step = measured(|t| (t + 1.0).floor() + t.sin());
        // The same value on both sides, and another one between them.
        let point = measured(|t| f64::from(u8::from(t == 0.0)));
        for found in [step, point] {
            assert_eq!((found.left.value, found.right.value), (f64::NEG_INFINITY, f64::INFINITY));
        }
    }

    #[test]
    fn a_smooth_curve_that_turns_back_does_not_jump() {
        for bend in [10.0, 50.0, 57.0, 100.0, 1000.0] {
            let found = measured(|t| t - bend * t * t);
            assert!(found.right.value.is_finite(), "{bend}: {found:?}");
            assert!((found.central.value - 1.0).abs() <= found.central.error, "{bend}: {found:?}");
        }
    }

    #[test]
    fn a_kink_nearby_is_stepped_over() {
        let found = measured(|t| (t - 1e-4).max(0.0) + t);
        assert!((found.central.value - 1.0).abs() <= found.central.error, "{found:?}");
        assert!(found.central.error < 1e-6, "{found:?}");
    }

    #[test]
    fn a_function_that_ends_nearby_is_measured_inside() {
        let found = measured(|t| (1e-3 + t).ln());
        assert!((found.central.value - 1e3).abs() <= found.central.error, "{found:?}");
    }

    #[test]
    fn the_steps_of_values_that_cancel_are_noise() {
        // A saturated softmax less one: its derivative p (1 − p) is known, its values are coarse.
        for z in [16.0, 18.5, 20.5] {
            let p = |t: f64| 1.0 / (1.0 + (-(z + t)).exp());
            let found = measured(|t| p(t) - 1.0).central;
            let exact = (-z).exp() / (1.0 + (-z).exp()).powi(2);
            assert!((found.value - exact).abs() <= found.error, "{z}: {found:?}, {exact}");
        }
    }

    #[test]
    fn noise_is_about_that_of_the_values() {
        // A value of 10⁶ is rounded to 1.2·10⁻¹⁰.
        let found = noise_of(|t| 1e6 + t);
        assert!((1e-10..1e-8).contains(&found), "{found}");
    }
}
