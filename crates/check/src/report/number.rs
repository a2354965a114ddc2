//! Numbers for people.

/// Digits enough, where nothing is compared.
const DIGITS: usize = 6;

/// More than these, no float has.
const MOST: usize = 17;

/// Six digits, in the shorter notation.
pub(crate) fn number(x: f64) -> String {
    with_digits(x, DIGITS)
}

/// Two numbers with as many digits as it takes to see that they differ, and six at least.
pub(crate) fn pair(a: f64, b: f64) -> [String; 2] {
    let written = |digits: usize| [a, b].map(|x| with_digits(x, digits));
    let differ = |[a, b]: &[String; 2]| a != b;
    let longer = (DIGITS..=MOST).map(written).find(differ);
    longer.unwrap_or_else(|| written(DIGITS))
}

/// A number without the zeros behind its last digit, for a sentence.
pub(crate) fn trimmed(text: &str) -> String {
    let (digits, exponent) = text.split_at(text.find('e').unwrap_or(text.len()));
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned() + exponent,
        false => text.to_owned(),
    }
}

fn with_digits(x: f64, digits: usize) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e6).contains(&size) => format!("{x:.digits$}"),
        _ => format!("{x:.0$e}", digits - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_written_until_they_differ() {
        assert_eq!(pair(0.24999999999999759, 0.75), ["0.250000", "0.750000"]);
        assert_eq!(pair(0.5, 0.500000004), ["0.500000000", "0.500000004"]);
        assert_eq!(pair(2e-30, 2.0000001e-30), ["2.0000000e-30", "2.0000001e-30"]);
        assert_eq!(pair(1.0, 1.0), ["1.000000", "1.000000"]);
    }

    #[test]
    fn zeros_at_the_end_are_left_out_of_a_sentence() {
        let trimmed = |x: f64| trimmed(&number(x));
        assert_eq!(trimmed(0.24999999999999759), "0.25");
        assert_eq!(trimmed(3.0), "3");
        assert_eq!(trimmed(-2e9), "-2e9");
        assert_eq!(trimmed(100.0), "100");
        assert_eq!(trimmed(0.0), "0");
        assert_eq!(trimmed(f64::NAN), "NaN");
    }
}
