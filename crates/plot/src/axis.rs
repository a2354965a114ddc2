//! An axis: from where to where, and the round numbers on it.

use std::ops::Range;

/// An axis of a picture.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    /// The distance of two ticks.
    step: f64,
}

impl Axis {
    /// From one end of a range to the other, with about as many ticks as are wanted.
    pub fn over(range: &Range<f64>, ticks: usize) -> Axis {
        let Range { start: low, end: high } = *range;
        let rough = (high - low) / ticks as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let round = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
        let step = round.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(power);
        Axis { low, high, step }
    }

    /// A little more than a range, so that no curve runs along the border, and never nothing.
    pub fn around(range: &Range<f64>, ticks: usize) -> Axis {
        let Range { start, end } = *range;
        // Rounding alone shall not look like a curve.
        let least = 1e-6 * start.abs().max(end.abs()).max(1e-3);
        let border = if end - start > least { 0.07 * (end - start) } else { 0.5 };
        Axis::over(&(start - border..end + border), ticks)
    }

    /// How far along the axis a number lies, from 0 to 1.
    pub fn at(&self, x: f64) -> f64 {
        (x - self.low) / (self.high - self.low)
    }

    /// The round numbers on it.
    pub fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        // The border is not to lose a tick to rounding.
        let slack = 1e-9 * (self.high - self.low) / self.step;
        let first = (self.low / self.step - slack).ceil() as i64;
        let last = (self.high / self.step + slack).floor() as i64;
        let step = self.step;
        (first..=last).map(move |i| i as f64 * step)
    }

    /// A tick as text, with as many digits as its neighbors need.
    pub fn label(&self, tick: f64) -> String {
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        let text = match digits {
            0..5 if tick.abs() < 1e5 => format!("{tick:.digits$}"),
            _ => format!("{tick:.1e}"),
        };
        let zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
        if zero { "0".to_owned() } else { text.replace('-', "−") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        let axis = Axis::over(&(-3.0..3.0), 6);
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
        let fine = Axis::over(&(0.0..0.5), 5);
        let labels: Vec<String> = fine.ticks().map(|tick| fine.label(tick)).collect();
        assert_eq!(labels, ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
    }

    #[test]
    fn a_range_of_one_number_has_an_axis_around_it() {
        let axis = Axis::around(&(2.0..2.0), 4);
        assert_eq!(axis.at(2.0), 0.5);
        assert!(axis.ticks().count() > 2);
    }
}
