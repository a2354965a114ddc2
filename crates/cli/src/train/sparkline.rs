//! A curve as one line of text.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Numbers as bars from the least to the largest, in at most `width` characters: each is the mean of
/// as many numbers. What is not finite is a space.
pub fn sparkline(numbers: &[f64], width: usize) -> String {
    let width = width.min(numbers.len());
    let mean = |i: usize| {
        let part = &numbers[i * numbers.len() / width..(i + 1) * numbers.len() / width];
        part.iter().sum::<f64>() / part.len() as f64
    };
    let means: Vec<f64> = (0..width).map(mean).collect();
    let finite = || means.iter().copied().filter(|x| x.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::MIN, f64::max));
    let bar = |x: &f64| match (x.is_finite(), high > low) {
        (false, _) => ' ',
        (true, false) => BARS[0],
        (true, true) => BARS[((x - low) / (high - low) * 7.0).round() as usize],
    };
    means.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_go_from_the_least_to_the_largest() {
        assert_eq!(sparkline(&[1.0, 0.5, 0.0], 10), "█▅▁");
        assert_eq!(sparkline(&[8.0, 6.0, 1.0, 0.0], 2), "█▁");
        assert_eq!(sparkline(&[2.0, 2.0], 10), "▁▁");
        assert_eq!(sparkline(&[1.0, f64::NAN, 0.0], 10), "█ ▁");
        assert_eq!(sparkline(&[], 10), "");
    }
}
