//! Derivatives of a function of one number by finite differences, each with an estimate of its
//! error: there is no tolerance that somebody chose.

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
}

/// Steps of one ladder, each half of the one before.
const RUNGS: usize = 4;

/// The first steps of the ladders that are tried, in units of the input's size. A smooth function
/// is done after the first; one with a small scale, or a kink nearby, needs shorter steps.
const FIRST_STEPS: [f64; 7] = [2e-2, 2e-3, 2e-4, 2e-5, 2e-6, 2e-7, 2e-8];

/// How many values [`noise`] takes.
const SAMPLES: usize = 8;

impl Slopes {
    /// Measures the slopes of `f` at 0, where it is `at_0`; `noise` is the error of a value, and
    /// `size` what a slope is compared with: errors far below it need no better estimate.
    pub fn measure(
        f: impl Fn(f64) -> Result<f64>,
        at_0: f64,
        noise: f64,
        size: f64,
    ) -> Result<Slopes> {
        let mut best: Option<Slopes> = None;
        let mut jumps = false;
        for first in FIRST_STEPS {
            let mut below = [0.0; RUNGS];
            let mut above = [0.0; RUNGS];
            for rung in 0..RUNGS {
                let h = first / f64::from(1 << rung);
                below[rung] = f(-h)?;
                above[rung] = f(h)?;
            }
            // Outside of the domain: shorter steps stay inside.
            if below.iter().chain(&above).any(|value| !value.is_finite()) {
                continue;
            }
            let here = Slopes::of_ladder(first, &below, at_0, &above, noise);
            let rounding = noise / first * f64::from(1 << RUNGS);
            let settled = here.central.error <= 1e-9 * size || here.central.error <= 4.0 * rounding;
            // A value that keeps its distance on every rung. Two rungs would not do: a smooth curve
            // that turns back may be as far at one step as at another.
            let stays = |side: &[f64; RUNGS]| {
                let near = (side[RUNGS - 1] - at_0).abs();
                let alike = |value: &f64| ((value - at_0).abs() - near).abs() < 0.2 * near;
                near > 1e3 * noise && side.iter().all(alike)
            };
            jumps = stays(&above) || stays(&below);
            if best.is_none_or(|best| here.central.error < best.central.error) {
                best = Some(here);
            }
            if settled {
                break;
            }
        }
        let unknown = Estimate { value: f64::NAN, error: f64::INFINITY };
        if let (true, Some(best)) = (jumps, best) {
            let infinite = |value: f64| Estimate { value, error: 0.0 };
            let [left, right] = [f64::NEG_INFINITY, f64::INFINITY].map(infinite);
            return Ok(Slopes { left, right, jump: right, ..best });
        }
        Ok(best.unwrap_or(Slopes {
            central: unknown,
            left: unknown,
            right: unknown,
            jump: unknown,
        }))
    }

    fn of_ladder(
        first: f64,
        below: &[f64; RUNGS],
        at_0: f64,
        above: &[f64; RUNGS],
        noise: f64,
    ) -> Slopes {
        let step = |rung: usize| first / f64::from(1 << rung);
        let each = |slope: &dyn Fn(usize) -> f64| -> [f64; RUNGS] { std::array::from_fn(slope) };
        // A difference over 2h has an error in even powers of h, one over h in all of them.
        let central = each(&|k| (above[k] - below[k]) / (2.0 * step(k)));
        let left = each(&|k| (at_0 - below[k]) / step(k));
        let right = each(&|k| (above[k] - at_0) / step(k));
        let jump = each(&|k| (above[k] - 2.0 * at_0 + below[k]) / step(k));
        Slopes {
            central: extrapolate(&central, 4.0, |k| noise / step(k)),
            left: extrapolate(&left, 2.0, |k| 2.0 * noise / step(k)),
            right: extrapolate(&right, 2.0, |k| 2.0 * noise / step(k)),
            jump: extrapolate(&jump, 2.0, |k| 4.0 * noise / step(k)),
        }
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
pub(crate) fn noise(f: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let (mut noise, mut largest) = (0.0_f64, 0.0_f64);
    for spacing in [1e-9, 1e-6] {
        let mut values: Vec<f64> =
            (1..=SAMPLES).map(|k| f(k as f64 * spacing)).collect::<Result<_>>()?;
        largest = values.iter().fold(largest, |largest, value| largest.max(value.abs()));
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
        noise = noise.max(least);
    }
    // Eight values may agree by chance; a few roundings of the value itself are always there.
    Ok(if noise.is_finite() { 4.0 * noise } else { 0.0 } + 4.0 * f64::EPSILON * largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(f: impl Fn(f64) -> f64) -> Slopes {
        let value = |t: f64| Ok(f(t));
        Slopes::measure(value, f(0.0), noise(value).unwrap(), 1.0).unwrap()
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
        let found = noise(|t| Ok(1e6 + t)).unwrap();
        assert!((1e-10..1e-8).contains(&found), "{found}");
    }
}
