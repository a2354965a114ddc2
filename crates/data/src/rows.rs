//! Rows of examples: all of one shape, or sequences that are padded to the longest.

use lossgraph_tensor::{DType, Tensor, kernels};

use crate::error::{Error, Result};

/// A tensor with one row for each example. Sequences of different lengths are
/// [`padded`](Rows::padded) to the longest, and their lengths are kept.
#[derive(Clone, Debug)]
pub struct Rows {
    values: Tensor,
    lengths: Option<Tensor>,
}

impl From<Tensor> for Rows {
    fn from(values: Tensor) -> Rows {
        Rows { values: values.contiguous(), lengths: None }
    }
}

impl From<&Tensor> for Rows {
    fn from(values: &Tensor) -> Rows {
        values.clone().into()
    }
}

impl Rows {
    /// Sequences `[time, …]` of different lengths as one tensor `[sequences, longest, …]`, with
    /// `value` behind the end of each.
    ///
    /// ```
    /// use lossgraph_data::Rows;
    /// use lossgraph_tensor::Tensor;
    ///
    /// let rows = Rows::padded(&[Tensor::from([1.0, 2.0]), Tensor::from([3.0])], -1.0)?;
    /// assert_eq!(rows.values().to_f64s(), [1.0, 2.0, 3.0, -1.0]);
    /// assert_eq!(rows.lengths().unwrap().to_f64s(), [2.0, 1.0]);
    /// assert_eq!(rows.mask().unwrap().to_f64s(), [1.0, 1.0, 1.0, 0.0]);
    /// # Ok::<(), lossgraph_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// No sequence; sequences that differ in more than their lengths, or in type; a `value` that
    /// is no integer for sequences of integers.
    #[doc(alias = "pad_sequence")]
    pub fn padded(sequences: &[Tensor], value: f64) -> Result<Rows> {
        let refuse = |why: String| Err(Error::Dataset { why });
        let Some(first) = sequences.first() else {
            return refuse("padded: there is no sequence, expected at least one".to_owned());
        };
        let dtype = first.dtype();
        for sequence in sequences {
            let alike = sequence.rank() > 0 && sequence.dtype() == dtype;
            if !alike || sequence.shape()[1..] != first.shape()[1..] {
                return refuse(format!(
                    "padded: a sequence is {} {}, another one {} {dtype}, expected [time, …] with \
                     the same type and the same axes behind the first",
                    sequence.shape(),
                    sequence.dtype(),
                    first.shape()
                ));
            }
        }
        if dtype == DType::I64 && value.fract() != 0.0 {
            return refuse(format!("padded: the value is {value}, expected an integer"));
        }
        let longest = sequences.iter().map(|sequence| sequence.shape()[0]).max().unwrap_or(0);
        let step: usize = first.shape()[1..].iter().product();
        let mut shape = first.shape().to_vec();
        shape[0] = longest;
        shape.insert(0, sequences.len());
        let lengths = sequences.iter().map(|each| each.shape()[0] as i64).collect::<Vec<_>>();
        let values = match dtype {
            DType::F32 => joined::<f32>(&shape, sequences, longest * step, value as f32),
            DType::F64 => joined::<f64>(&shape, sequences, longest * step, value),
            DType::I64 => joined::<i64>(&shape, sequences, longest * step, value as i64),
        }?;
        Ok(Rows { values, lengths: Some(Tensor::from(lengths)) })
    }

    /// The rows.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// How long each is, integers `[examples]`, if they are padded.
    pub fn lengths(&self) -> Option<&Tensor> {
        self.lengths.as_ref()
    }

    /// 1 where a value is, 0 where padding is, `[examples, time]`; none if they are not padded.
    pub fn mask(&self) -> Option<Tensor> {
        mask(&self.values, self.lengths())
    }

    /// How many rows there are.
    pub(crate) fn checked(&self, name: &str) -> Result<usize> {
        self.values.shape().first().copied().ok_or_else(|| {
            let verb = if name.ends_with('s') { "are" } else { "is" };
            let why = format!(
                "the {name} {verb} of shape [], expected an axis of examples: [examples, …]"
            );
            Error::Dataset { why }
        })
    }

    /// Rows at indices, which are in range.
    pub(crate) fn select(&self, indices: &[usize]) -> Result<Rows> {
        let index = Tensor::from(indices.iter().map(|&i| i as i64).collect::<Vec<i64>>());
        let of = |tensor: &Tensor| -> Result<Tensor> {
            let mut shape = tensor.shape().to_vec();
            shape[0] = indices.len();
            let mut rows = Tensor::zeros(shape, tensor.dtype())?;
            kernels::index_select(tensor, 0, &index, &mut rows)?;
            Ok(rows)
        };
        Ok(Rows { values: of(&self.values)?, lengths: self.lengths.as_ref().map(of).transpose()? })
    }

    pub(crate) fn to_dtype(&self, dtype: DType) -> Rows {
        Rows { values: self.values.to_dtype(dtype), lengths: self.lengths.clone() }
    }
}

/// 1 up to the length of each row, 0 behind it.
pub(crate) fn mask(values: &Tensor, lengths: Option<&Tensor>) -> Option<Tensor> {
    let (lengths, time) = (lengths?.to_f64s(), *values.shape().get(1)?);
    let is_there =
        |length: f64| (0..time).map(move |t| if (t as f64) < length { 1.0 } else { 0.0 });
    let mask: Vec<f32> = lengths.iter().flat_map(|&length| is_there(length)).collect();
    Tensor::new([lengths.len(), time], mask).ok()
}

fn joined<T: lossgraph_tensor::Elem>(
    shape: &[usize],
    sequences: &[Tensor],
    row: usize,
    value: T,
) -> Result<Tensor> {
    let mut values = Vec::with_capacity(row * sequences.len());
    for sequence in sequences {
        let end = values.len() + row;
        values.extend(sequence.to_vec::<T>()?);
        values.resize(end, value);
    }
    Ok(Tensor::new(shape, values)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_vectors_are_padded_along_their_time() {
        let short = Tensor::from([[1.0_f32, 2.0]]);
        let long = Tensor::from([[3.0_f32, 4.0], [5.0, 6.0]]);
        let rows = Rows::padded(&[short, long], 0.0).unwrap();
        assert_eq!(rows.values().shape()[..], [2, 2, 2]);
        assert_eq!(rows.values().to_f64s(), [1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(rows.mask().unwrap().to_f64s(), [1.0, 0.0, 1.0, 1.0]);
        assert_eq!(rows.select(&[1]).unwrap().lengths().unwrap().to_f64s(), [2.0]);
    }

    #[test]
    fn sequences_that_are_not_alike_are_refused() {
        let error = Rows::padded(&[], 0.0).unwrap_err().to_string();
        assert!(error.contains("there is no sequence"), "{error}");
        let mixed = [Tensor::from([1_i64]), Tensor::from([1.0])];
        let error = Rows::padded(&mixed, 0.0).unwrap_err().to_string();
        assert!(error.contains("a sequence is [1] f64, another one [1] i64"), "{error}");
        let wide = [Tensor::from([[1.0, 2.0]]), Tensor::from([[1.0]])];
        assert!(Rows::padded(&wide, 0.0).is_err());
        assert!(Rows::padded(&[Tensor::from([1_i64])], 0.5).is_err());
    }
}
