//! Whether two replies are the same, to the digits that are promised.

use serde_json::Value;

/// Compares replies. Elementary functions have the same bits everywhere; sums of products and the
/// sign of a least 0 depend on the processor's vectors.
pub fn assert_same(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            a.iter().zip(b).for_each(|(a, b)| assert_same(a, b, place));
        }
        (Value::Object(a), Value::Object(b)) => {
            // What is not there is null.
            let there =
                |of: &serde_json::Map<String, Value>| of.values().filter(|x| !x.is_null()).count();
            assert_eq!(there(a), there(b), "{place}");
            for (key, a) in a {
                let place = format!("{place} {key}");
                match (key.as_str(), a, b.get(key).unwrap_or(&Value::Null)) {
                    ("lines" | "forward", Value::Array(a), Value::Array(b))
                        if b.iter().all(|line| line["at"].is_u64()) =>
                    {
                        assert_same_lines(a, b, &place);
                    }
                    (_, a, b) => assert_same(a, b, &place),
                }
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            let [a, b] = [a, b].map(|x| x.as_f64().unwrap_or(f64::NAN));
            assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{place}: {a} {b}");
        }
        (Value::String(a), Value::String(b)) => assert_same_text(a, b, place),
        _ => assert_eq!(found, expected, "{place}"),
    }
}

/// Which of equally large elements are worked out is a matter of last digits; those that both have are
/// worked out alike.
fn assert_same_lines(found: &[Value], expected: &[Value], place: &str) {
    assert_eq!(found.len(), expected.len(), "{place}");
    for line in found {
        if let Some(same) = expected.iter().find(|each| each["at"] == line["at"]) {
            assert_same(line, same, place);
        }
    }
}

/// Texts are the same but for numbers, and these are to the digits that are printed: where one is
/// rounded to the other side, the last digit differs by 1.
fn assert_same_text(found: &str, expected: &str, place: &str) {
    let [a, b] = [found, expected].map(tokens);
    let is_same = a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| match (number(a), number(b)) {
            (Some(x), Some(y)) => (x - y).abs() <= unit(a).max(unit(b)).max(1e-12) * 1.01,
            _ => a == b,
        });
    assert!(is_same, "{place}: {found:?} {expected:?}");
}

/// Numbers, and what stands between them.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut is_in_number = false;
    let letters: Vec<char> = text.chars().collect();
    for (at, &c) in letters.iter().enumerate() {
        let after = letters.get(at + 1).copied().unwrap_or(' ');
        let before = if at > 0 { letters[at - 1] } else { ' ' };
        let belongs = c.is_ascii_digit()
            || (is_in_number && c == '.' && after.is_ascii_digit())
            || (is_in_number && c == 'e' && (after.is_ascii_digit() || after == '−'))
            || (c == '−' && after.is_ascii_digit() && (!is_in_number || before == 'e'));
        match tokens.last_mut() {
            Some(last) if belongs == is_in_number => last.push(c),
            _ => tokens.push(c.to_string()),
        }
        is_in_number = belongs;
    }
    tokens
}

/// The number of a token; words such as `Infinity` are text.
fn number(token: &str) -> Option<f64> {
    let starts = |c: char| c == '−' || c.is_ascii_digit();
    token.starts_with(starts).then(|| token.replace('−', "-").parse().ok()).flatten()
}

/// What the last digit of a number counts.
fn unit(token: &str) -> f64 {
    let (digits, exponent) = token.split_once('e').unwrap_or((token, "0"));
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let exponent: i32 = exponent.replace('−', "-").parse().unwrap_or(0);
    10f64.powi(exponent - i32::try_from(decimals).unwrap_or(0))
}

#[test]
fn texts_are_compared_to_their_last_digit() {
    assert_eq!(tokens("a = −1.5e−7 · 2"), ["a = ", "−1.5e−7", " · ", "2"]);
    assert_same_text("0.25 / 1.824 = 0.1371", "0.25 / 1.824 = 0.1372", "");
    assert_same_text("Infinity", "Infinity", "");
    for [a, b] in [["0.25 / 1.824", "0.25 / 1.826"], ["0.25 / 2", "0.25 · 2"], ["1 2", "1"]] {
        let differ = std::panic::catch_unwind(|| assert_same_text(a, b, ""));
        assert!(differ.is_err(), "{a} {b}");
    }
}
