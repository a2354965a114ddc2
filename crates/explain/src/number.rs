//! How numbers look: short, and the same everywhere.

use lossgraph_tensor::Tensor;

/// How many numbers of a tensor are shown before it elides.
const SHOWN: usize = 3;

/// The numbers of a tensor in one line.
pub(crate) fn numbers(tensor: &Tensor) -> String {
    let all = tensor.to_f64s();
    let texts: Vec<String> = match all.len() {
        len if len <= SHOWN + 1 => all.iter().map(|&x| number(x)).collect(),
        len => {
            let mut texts: Vec<String> = all[..SHOWN].iter().map(|&x| number(x)).collect();
            texts.extend(["…".to_owned(), number(all[len - 1])]);
            texts
        }
    };
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
