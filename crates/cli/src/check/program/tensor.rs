//! Tensors as JSON, with every float exact.
//!
//! A tensor is `{"dtype": "float64", "shape": [2], "data": [0.5, "NaN"]}`, or with its data as the
//! base64 of little-endian bytes, or with the `offset` of these in what follows the line, or nested
//! lists of numbers alone.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lossgraph_tensor::{DType, Tensor};
use serde_json::{Value, json};

/// How the data of tensors is sent: as a program says that it reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Numbers in decimal, of as many digits as tell floats apart.
    #[default]
    Numbers,
    /// Bytes, in base64.
    Base64,
    /// Bytes, after the line.
    Bytes,
}

/// Writes the tensors of a line.
#[derive(Default)]
pub struct Encoder {
    encoding: Encoding,
    /// Those whose bytes follow the line.
    following: Vec<Tensor>,
    /// How many bytes these are.
    len: usize,
}

impl Encoder {
    pub fn new(encoding: Encoding) -> Encoder {
        Encoder { encoding, ..Encoder::default() }
    }

    /// A tensor as JSON.
    pub fn json(&mut self, x: &Tensor) -> Value {
        let (dtype, shape) = (name(x), x.shape().to_vec());
        match self.encoding {
            Encoding::Numbers => json!({ "dtype": dtype, "shape": shape, "data": numbers(x) }),
            Encoding::Base64 => {
                let mut bytes = Vec::with_capacity(WORD * x.len());
                // Memory takes all that is written to it.
                let _ = write(x, &mut bytes);
                json!({ "dtype": dtype, "shape": shape, "data": STANDARD.encode(bytes) })
            }
            Encoding::Bytes => {
                let offset = self.len;
                self.len += WORD * x.len();
                self.following.push(x.clone());
                json!({ "dtype": dtype, "shape": shape, "offset": offset })
            }
        }
    }

    /// How many bytes follow the line.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Writes what follows the line.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        self.following.iter().try_for_each(|x| write(x, to))
    }
}

/// The bytes of an element, as it is sent.
const WORD: usize = 8;

/// A tensor as JSON that stands alone.
pub fn to_json(x: &Tensor) -> Value {
    Encoder::default().json(x)
}

/// The name of an element type.
pub fn name(x: &Tensor) -> &'static str {
    if x.dtype() == DType::I64 { "int64" } else { "float64" }
}

/// The elements in decimal.
fn numbers(x: &Tensor) -> Value {
    match x.to_vec::<i64>() {
        Ok(whole) => Value::from(whole),
        Err(_) => x.to_f64s().into_iter().map(number).collect(),
    }
}

/// Writes the elements as little-endian bytes.
fn write(x: &Tensor, to: &mut impl Write) -> io::Result<()> {
    let x = x.contiguous();
    match (x.as_slice::<f64>(), x.as_slice::<i64>()) {
        (Some(numbers), _) => write_words(numbers, f64::to_le_bytes, to),
        (_, Some(whole)) => write_words(whole, i64::to_le_bytes, to),
        _ => write_words(&x.to_f64s(), f64::to_le_bytes, to),
    }
}

fn write_words<T: Copy>(
    words: &[T],
    to_bytes: impl Fn(T) -> [u8; WORD],
    to: &mut impl Write,
) -> io::Result<()> {
    // Block by block, so that nothing of the size of the tensor is copied.
    let mut block = [[0; WORD]; 8192];
    words.chunks(block.len()).try_for_each(|words| {
        block.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = to_bytes(*word));
        to.write_all(block[..words.len()].as_flattened())
    })
}

/// A float as JSON, which has no infinities.
fn number(x: f64) -> Value {
    match x {
        _ if x.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ => x.into(),
    }
}

/// A float, however it is written.
pub fn to_float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(name) => match name.as_str() {
            "NaN" | "nan" | "-nan" => Some(f64::NAN),
            "Infinity" | "inf" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A tensor from JSON that stands alone, or what is wrong with it.
pub fn from_json(value: &Value) -> Result<Tensor, String> {
    shaped(value, None, &[])
}

/// A tensor from JSON that has a shape of its own, or else that of another one. `following` are the
/// bytes that follow the line.
pub fn shaped(value: &Value, like: Option<&[usize]>, following: &[u8]) -> Result<Tensor, String> {
    let Value::Object(fields) = value else { return nested(value) };
    let dtype = match fields.get("dtype") {
        None => "float64",
        Some(Value::String(dtype)) => dtype,
        Some(other) => return Err(format!("its dtype is {other}, expected a name")),
    };
    let shape: Vec<usize> = match (fields.get("shape"), like) {
        (Some(shape), _) => serde_json::from_value(shape.clone())
            .map_err(|_| format!("its shape is {shape}, expected a list of lengths"))?,
        (None, Some(like)) => like.to_vec(),
        (None, None) => return Err("it has no `shape`".to_owned()),
    };
    if let Some(offset) = fields.get("offset") {
        return of_bytes(dtype, &shape, part(following, offset, dtype, &shape)?);
    }
    let data = fields.get("data").ok_or("it has no `data`")?;
    let numbers = match data {
        Value::String(text) => {
            let bytes = STANDARD.decode(text);
            let bytes = bytes.map_err(|error| format!("its data is no base64: {error}"))?;
            return of_bytes(dtype, &shape, &bytes);
        }
        Value::Array(numbers) => numbers,
        Value::Number(_) => std::slice::from_ref(data),
        other => return Err(format!("its data is {}, expected numbers or base64", excerpt(other))),
    };
    let tensor = match dtype {
        "int64" | "int32" => {
            let whole = |x: &Value| x.as_i64().ok_or(format!("{x} is no integer"));
            Tensor::new(shape.clone(), numbers.iter().map(whole).collect::<Result<Vec<_>, _>>()?)
        }
        "float64" | "float32" => {
            let float = |x: &Value| to_float(x).ok_or(format!("{x} is no number"));
            Tensor::new(shape.clone(), numbers.iter().map(float).collect::<Result<Vec<_>, _>>()?)
        }
        other => return Err(unknown(other)),
    };
    tensor.map_err(|_| format!("it has {} numbers, and its shape is {shape:?}", numbers.len()))
}

fn unknown(dtype: &str) -> String {
    format!("its dtype is `{dtype}`, expected float64, float32, int64 or int32")
}

/// The bytes of a tensor among those that follow the line.
fn part<'b>(
    following: &'b [u8],
    offset: &Value,
    dtype: &str,
    shape: &[usize],
) -> Result<&'b [u8], String> {
    let size = if dtype.ends_with("32") { 4 } else { 8 };
    let length = shape.iter().try_fold(size, |length: usize, axis| length.checked_mul(*axis));
    let start = offset.as_u64().and_then(|start| usize::try_from(start).ok());
    let end = start.zip(length).and_then(|(start, length)| start.checked_add(length));
    let part = start.zip(end).and_then(|(start, end)| following.get(start..end));
    part.ok_or(format!(
        "its shape is {shape:?} of {dtype} at offset {offset}, and {} bytes follow the line",
        following.len()
    ))
}

fn of_bytes(dtype: &str, shape: &[usize], bytes: &[u8]) -> Result<Tensor, String> {
    let fits = |tensor: Option<Tensor>| {
        tensor.ok_or(format!(
            "its data is {} bytes of {dtype}, and its shape is {shape:?}",
            bytes.len()
        ))
    };
    match dtype {
        "float64" => fits(of_words(shape, bytes, f64::from_le_bytes)),
        "float32" => fits(of_words(shape, bytes, |word| f64::from(f32::from_le_bytes(word)))),
        "int64" => fits(of_words(shape, bytes, i64::from_le_bytes)),
        "int32" => fits(of_words(shape, bytes, |word| i64::from(i32::from_le_bytes(word)))),
        other => Err(unknown(other)),
    }
}

fn of_words<T: lossgraph_tensor::Elem, const N: usize>(
    shape: &[usize],
    bytes: &[u8],
    number: impl Fn([u8; N]) -> T,
) -> Option<Tensor> {
    let (words, []) = bytes.as_chunks::<N>() else { return None };
    Tensor::new(shape.to_vec(), words.iter().map(|word| number(*word)).collect()).ok()
}

/// Nested lists of numbers: integers, if all of them are written without a point.
fn nested(value: &Value) -> Result<Tensor, String> {
    let mut numbers = Vec::new();
    let shape = shape(value, &mut numbers)?;
    let whole: Option<Vec<i64>> = numbers.iter().map(|x| x.as_i64()).collect();
    let tensor = match whole {
        Some(whole) => Tensor::new(shape, whole),
        None => {
            Tensor::new(shape, numbers.iter().filter_map(|x| to_float(x)).collect::<Vec<f64>>())
        }
    };
    tensor.map_err(|error| error.to_string())
}

fn shape<'v>(value: &'v Value, numbers: &mut Vec<&'v Value>) -> Result<Vec<usize>, String> {
    let Value::Array(rows) = value else {
        to_float(value).ok_or_else(|| format!("{} is no number", excerpt(value)))?;
        numbers.push(value);
        return Ok(Vec::new());
    };
    let mut inner: Option<Vec<usize>> = None;
    for (i, row) in rows.iter().enumerate() {
        let here = shape(row, numbers)?;
        if let Some(first) = inner.as_ref().filter(|first| **first != here) {
            return Err(format!("[{i}] has shape {here:?}, and [0] has {first:?}"));
        }
        inner = Some(here);
    }
    Ok(std::iter::once(rows.len()).chain(inner.unwrap_or_default()).collect())
}

/// The beginning of some JSON.
fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_comes_back_as_it_went() {
        let numbers = [0.1, -0.0, 5e-324, f64::MAX, 1.0 / 3.0, f64::INFINITY, f64::NEG_INFINITY];
        let x = Tensor::new([7], numbers.to_vec()).unwrap();
        for encoding in [Encoding::Numbers, Encoding::Base64, Encoding::Bytes] {
            let mut encoder = Encoder::new(encoding);
            // So that it does not stand at offset 0.
            encoder.json(&Tensor::from([7_i64]));
            let text = encoder.json(&x).to_string();
            let mut following = Vec::new();
            encoder.write(&mut following).unwrap();
            assert_eq!(following.len(), encoder.len());
            let back =
                shaped(&serde_json::from_str(&text).unwrap(), None, &following).unwrap().to_f64s();
            assert!(back.iter().zip(numbers).all(|(a, b)| a.to_bits() == b.to_bits()), "{text}");
        }
        let nan = to_json(&Tensor::from([f64::NAN]));
        assert!(from_json(&nan).unwrap().to_f64s()[0].is_nan());
    }

    #[test]
    fn numbers_without_a_point_are_integers_only_if_all_are() {
        assert_eq!(from_json(&json!([[1, 2]])).unwrap().dtype(), DType::I64);
        assert_eq!(from_json(&json!([[1, 2.0]])).unwrap().to_f64s(), [1.0, 2.0]);
        assert_eq!(from_json(&json!(2.5)).unwrap().shape().to_vec(), [0; 0]);
    }

    #[test]
    fn what_is_no_tensor_says_why() {
        let why = |value: Value| from_json(&value).unwrap_err();
        assert!(why(json!([[1.0], [2.0, 3.0]])).contains("[1] has shape [2]"));
        assert!(why(json!({"shape": [3], "data": [1.0]})).contains("1 numbers"));
        assert!(
            why(json!({"dtype": "complex64", "shape": [1], "data": [1.0]})).contains("complex64")
        );
        assert!(why(json!({"shape": [1], "data": "AAAA"})).contains("3 bytes"));
        assert!(why(json!("one")).contains("no number"));
        for offset in [json!(1), json!(-8), json!(u64::MAX), json!("0")] {
            let why = shaped(&json!({"shape": [1], "offset": offset}), None, &[0; 8]).unwrap_err();
            assert!(why.contains("and 8 bytes follow the line"), "{why}");
        }
    }
}
