//! How numbers look: short, and the same everywhere.

use lossgraph_tensor::Tensor;

/// The numbers of a tensor in one line of a table.
pub(crate) fn numbers(tensor: &Tensor) -> String {
    elided(tensor, 4)
}

/// The numbers of a tensor in one line of a box.
pub(crate) fn brief(tensor: &Tensor) -> String {
    elided(tensor, 3).replace('-', "−")
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

/// Four significant digits, without zeros that say nothing.
pub(crate) fn number(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}").replace("-0", "0");
    }
    let digits = 3 - x.abs().log10().floor() as i32;
    if !(-2..=8).contains(&digits) {
        return format!("{x:.3e}");
    }
    let text = format!("{x:.*}", digits.max(0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
