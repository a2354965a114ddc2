//! Numbers as text: short, and the same everywhere.

use lossgraph_tensor::{Shape, Tensor};

/// The numbers of a tensor in one line of a table.
pub(crate) fn numbers(tensor: &Tensor) -> String {
    elided(tensor, 4)
}

/// The numbers of a tensor in one line of a box.
pub(crate) fn brief(tensor: &Tensor) -> String {
    typeset(&elided(tensor, 3))
}

/// At most so many numbers of a tensor; what is left out is before the last one.
fn elided(tensor: &Tensor, most: usize) -> String {
    let all = tensor.to_f64s();
    let mut texts: Vec<String> = match all.len() {
        len if len <= most => all.iter().map(|&x| number(x)).collect(),
        _ => all[..most - 1].iter().map(|&x| number(x)).collect(),
    };
    if let (true, Some(&last)) = (all.len() > most, all.last()) {
        texts.extend(["…".to_owned(), number(last)]);
    }
    if tensor.rank() == 0 { texts.concat() } else { format!("[{}]", texts.join(", ")) }
}

/// A number in a sentence or a box.
pub(crate) fn signed(x: f64) -> String {
    typeset(&number(x))
}

/// How many there are of something: `1 digit`, `2 digits`.
pub(crate) fn counted(count: f64, one: &str) -> String {
    let plural = if count == 1.0 { "" } else { "s" };
    format!("{count} {one}{plural}")
}

/// The index of an element that is counted row by row: `[0, 2]`.
pub(crate) fn index_text(element: usize, shape: &Shape) -> String {
    format!("{:?}", shape.unravel_index(element))
}

pub(crate) fn is_finite(numbers: &[f64]) -> bool {
    numbers.iter().all(|x| x.is_finite())
}

/// With a typographic minus and infinity, for what is not read by programs.
fn typeset(text: &str) -> String {
    text.replace('-', "−").replace("inf", "∞")
}

/// Four significant digits, without trailing zeros.
pub(crate) fn number(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}").replace("-0", "0");
    }
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let digits = 3 - x.abs().log10().floor() as i32;
    if (-2..=8).contains(&digits) {
        return trimmed(&format!("{x:.*}", digits.max(0) as usize));
    }
    let text = format!("{x:.3e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{exponent}", trimmed(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let digits = |count| counted(count, "digit");
        assert_eq!([0.0, 1.0, 2.0].map(digits), ["0 digits", "1 digit", "2 digits"]);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.1, -12345.678, 1e-6, 2.98e-8, 1e308, 0.3333333, -0.0].map(number);
        assert_eq!(texts, ["0.1", "-12346", "1e-6", "2.98e-8", "1e308", "0.3333", "0"]);
    }
}
