//! A case as a test in Rust, to be pasted.

use lossgraph_tensor::Tensor;

use crate::report::Element;
use crate::report::number::{pair, trimmed};

/// A test in Rust that fails as long as the gradient is wrong. `subject` is what
/// `assert_gradients!` checks.
pub(crate) fn rust_test(
    element: &Element,
    input: &str,
    subject: &str,
    inputs: &[(String, Tensor)],
) -> String {
    let [numeric, analytic] =
        pair(element.numeric.value, element.analytic).map(|number| trimmed(&number));
    let mut test = format!(
        "#[test]\nfn the_gradient_is_right() {{\n    // In {input} at {:?}: {numeric} by differences, not {analytic}.\n",
        element.index
    );
    test += &format!("    assert_gradients!({subject}, &[\n");
    for (name, x) in inputs {
        test += &format!("        {}, // {name}\n", literal(x));
    }
    test + "    ]);\n}\n"
}

/// A tensor as it is written in Rust.
fn literal(x: &Tensor) -> String {
    let numbers: Vec<String> = match x.to_vec::<i64>() {
        Ok(whole) => whole.into_iter().map(|n| format!("{n}_i64")).collect(),
        Err(_) => x.to_f64s().into_iter().map(float).collect(),
    };
    match x.rank() {
        0 => format!("Tensor::from({})", numbers.concat()),
        1..=3 => format!("Tensor::from({})", nested(x.shape(), &numbers)),
        _ => {
            format!("Tensor::new({:?}, vec![{}]).unwrap()", x.shape().to_vec(), numbers.join(", "))
        }
    }
}

/// A float as it is written in Rust.
fn float(x: f64) -> String {
    match x {
        _ if x.is_nan() => "f64::NAN".to_owned(),
        f64::INFINITY => "f64::INFINITY".to_owned(),
        f64::NEG_INFINITY => "f64::NEG_INFINITY".to_owned(),
        _ => format!("{x:?}"),
    }
}

/// Numbers in brackets, one pair for each axis.
fn nested(shape: &[usize], numbers: &[String]) -> String {
    let [length, rest @ ..] = shape else { return numbers.concat() };
    let part = numbers.len() / (*length).max(1);
    let parts = (0..*length).map(|i| nested(rest, &numbers[i * part..(i + 1) * part]));
    format!("[{}]", parts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slopes::Estimate;

    fn element() -> Element {
        let numeric = Estimate { value: 0.24999999999999759, error: 3e-13 };
        Element { index: vec![0], value: 0.0, analytic: 2.0, numeric }
    }

    #[test]
    fn a_test_is_written_as_rust() {
        let inputs = [
            ("p".to_owned(), Tensor::from([[1.0, -0.5]])),
            ("t".to_owned(), Tensor::from([2_i64])),
        ];
        let test = rust_test(&element(), "p", "program", &inputs);
        assert!(test.contains("assert_gradients!(program, &["), "{test}");
        assert!(test.contains("Tensor::from([[1.0, -0.5]]), // p"), "{test}");
        assert!(test.contains("Tensor::from([2_i64]), // t"), "{test}");
        assert!(test.contains("// In p at [0]: 0.25 by differences, not 2.\n"), "{test}");
    }
}
