//! Printing, as NumPy does: nested brackets, aligned columns, long axes summarized. `{:.2}` shows two
//! decimals of each float.

use std::fmt::{self, Write};

use crate::Tensor;

/// Tensors with more elements are summarized.
const THRESHOLD: usize = 1000;
/// How many elements of a summarized axis are shown at each end.
const EDGE_ITEMS: usize = 3;
/// How many decimals of a float are shown at most.
const PRECISION: usize = 4;

/// Which elements of a tensor are shown.
#[derive(Clone, Copy)]
enum Shown {
    All,
    /// Along each axis, the first and the last ones.
    EdgeItems,
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Lengths of 0 do not count: an empty tensor may have many empty rows.
        let brackets = self.shape().iter().filter(|&&dim| dim != 0).product::<usize>();
        let shown = if brackets > THRESHOLD { Shown::EdgeItems } else { Shown::All };
        let format = Format::of(self, shown, f.precision());
        let mut out = String::new();
        write_axis(&mut out, self, &format, &mut Vec::new(), shown)?;
        f.write_str(&out)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        write!(f, " {} {}", self.shape(), self.dtype())
    }
}

/// How elements are formatted: all in one style and width.
struct Format {
    style: Style,
    /// How many decimals the style shows.
    decimals: usize,
    width: usize,
}

enum Style {
    Integer,
    Fixed,
    Scientific,
}

impl Format {
    fn of(tensor: &Tensor, shown: Shown, precision: Option<usize>) -> Format {
        let mut indices = Vec::new();
        visit(tensor, &mut Vec::new(), shown, &mut |index| indices.push(index.to_vec()));
        let elements = indices.iter().map(|index| element(tensor, index));
        let elements: Vec<f64> = elements.collect();
        let finite = || elements.iter().copied().filter(|x| x.is_finite());
        let whole = || finite().all(|x| x == x.trunc() && x.abs() < 1e8);
        let mut decimals = precision.unwrap_or(PRECISION);
        let style = if !tensor.dtype().is_float() || precision.is_none() && whole() {
            Style::Integer
        } else {
            let sizes = || finite().map(f64::abs).filter(|&x| x > 0.0);
            let largest = sizes().fold(0.0, f64::max);
            let smallest = sizes().fold(f64::INFINITY, f64::min);
            if largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1e3 && largest >= 1e5 {
                Style::Scientific
            } else if precision.is_some() {
                Style::Fixed
            } else {
                // No more decimals than some element needs.
                let needed = finite().map(|x| {
                    let text = format!("{x:.PRECISION$}");
                    text.trim_end_matches('0').split('.').nth(1).map_or(0, str::len)
                });
                decimals = needed.max().unwrap_or(0).max(1);
                Style::Fixed
            }
        };
        let mut format = Format { style, decimals, width: 0 };
        let widths = indices.iter().map(|index| format.text(tensor, index).len());
        format.width = widths.max().unwrap_or(0);
        format
    }

    fn text(&self, tensor: &Tensor, index: &[usize]) -> String {
        // All digits, which a float has not.
        if let Some(x) = tensor.integer(index) {
            return x.to_string();
        }
        let (x, decimals) = (element(tensor, index), self.decimals);
        match self.style {
            _ if x.is_nan() => "nan".into(),
            _ if x.is_infinite() => if x > 0.0 { "inf" } else { "-inf" }.into(),
            Style::Integer => format!("{x:.0}"),
            Style::Fixed => format!("{x:.decimals$}"),
            Style::Scientific => format!("{x:.decimals$e}"),
        }
    }
}

impl Shown {
    /// The indices of an axis that are shown; `None` stands for the ellipsis.
    fn indices(self, dim: usize) -> Vec<Option<usize>> {
        match self {
            Shown::EdgeItems if dim > 2 * EDGE_ITEMS => {
                let first = (0..EDGE_ITEMS).map(Some);
                first.chain([None]).chain((dim - EDGE_ITEMS..dim).map(Some)).collect()
            }
            _ => (0..dim).map(Some).collect(),
        }
    }
}

fn element(tensor: &Tensor, index: &[usize]) -> f64 {
    tensor.get(index).unwrap_or(f64::NAN)
}

/// Calls `show` with the index of each element that is shown.
fn visit(tensor: &Tensor, index: &mut Vec<usize>, shown: Shown, show: &mut impl FnMut(&[usize])) {
    if index.len() == tensor.rank() {
        return show(index);
    }
    for i in shown.indices(tensor.shape()[index.len()]).into_iter().flatten() {
        index.push(i);
        visit(tensor, index, shown, show);
        index.pop();
    }
}

fn write_axis(
    out: &mut String,
    tensor: &Tensor,
    format: &Format,
    index: &mut Vec<usize>,
    shown: Shown,
) -> fmt::Result {
    let depth = index.len();
    let inner = tensor.rank() - depth;
    if inner == 0 {
        return write!(out, "{:>width$}", format.text(tensor, index), width = format.width);
    }
    out.push('[');
    for (n, i) in shown.indices(tensor.shape()[depth]).into_iter().enumerate() {
        if n > 0 {
            out.push(',');
            if inner == 1 {
                out.push(' ');
            } else {
                // A blank line between matrices, a line between rows.
                out.extend(std::iter::repeat_n('\n', inner - 1));
                out.extend(std::iter::repeat_n(' ', depth + 1));
            }
        }
        match i {
            Some(i) => {
                index.push(i);
                write_axis(out, tensor, format, index, shown)?;
                index.pop();
            }
            None => out.push_str("..."),
        }
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn integers_have_all_their_digits() {
        let x = Tensor::from(vec![i64::MAX, i64::MIN, (1 << 53) + 1]);
        let expected = "[ 9223372036854775807, -9223372036854775808,     9007199254740993]";
        assert_eq!(x.to_string(), expected);
    }

    #[test]
    fn columns_are_aligned() {
        let x = Tensor::from([[1.5, -20.25], [0.0, 3.0]]);
        assert_eq!(x.to_string(), "[[  1.50, -20.25],\n [  0.00,   3.00]]");
    }

    #[test]
    fn a_precision_says_how_many_decimals_are_shown() {
        let x = Tensor::from([1.5, -20.256]);
        assert_eq!(format!("{x:.2}"), "[  1.50, -20.26]");
        assert_eq!(format!("{x:.0}"), "[  2, -20]");
        assert_eq!(format!("{x:.1?}"), "[  1.5, -20.3] [2] f64");
        assert_eq!(format!("{:.2}", Tensor::from([1.0, 2.0])), "[1.00, 2.00]");
        assert_eq!(format!("{:.1}", Tensor::from([1e-9, 1.0])), "[1.0e-9,  1.0e0]");
        assert_eq!(format!("{:.2}", Tensor::from([1_i64, 20])), "[ 1, 20]");
        assert_eq!(format!("{:.6}", Tensor::from(0.5)), "0.500000");
    }

    #[test]
    fn whole_numbers_have_no_point() {
        assert_eq!(Tensor::from([1.0, 20.0]).to_string(), "[ 1, 20]");
        assert_eq!(Tensor::from(3_i64).to_string(), "3");
    }

    #[test]
    fn long_axes_are_summarized() {
        let text = Tensor::arange(2000, DType::I64).unwrap().to_string();
        assert_eq!(text, "[   0,    1,    2, ..., 1997, 1998, 1999]");
    }

    #[test]
    fn tiny_and_huge_numbers_are_scientific() {
        assert_eq!(Tensor::from([1e-9, 1.0]).to_string(), "[1.0000e-9,  1.0000e0]");
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let x = Tensor::from([f64::NAN, f64::NEG_INFINITY, 0.5]);
        assert_eq!(x.to_string(), "[ nan, -inf,  0.5]");
    }

    #[test]
    fn matrices_of_a_cube_stand_apart() {
        let x = Tensor::from([[[1.0]], [[2.0]]]);
        assert_eq!(x.to_string(), "[[[1]],\n\n [[2]]]");
        assert_eq!(format!("{x:?}"), "[[[1]],\n\n [[2]]] [2, 1, 1] f64");
        assert_eq!(Tensor::zeros([0, 2], DType::F32).unwrap().to_string(), "[]");
        let rows = Tensor::zeros([1 << 40, 0], DType::F32).unwrap().to_string();
        assert_eq!(rows, "[[],\n [],\n [],\n ...,\n [],\n [],\n []]");
    }
}
