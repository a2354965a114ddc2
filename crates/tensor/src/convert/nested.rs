//! Tensors from vectors and slices of rows, of rows of rows, and so on.

use super::filled;
use crate::shape::checked_len;
use crate::{Error, Number, Result, Shape, Tensor};

/// A number, or rows of them, or rows of rows, as deep as the type says.
pub trait Nested {
    /// The innermost type.
    type Number: Number;
    /// How many axes the rows have: 0 for a number.
    const AXES: usize;

    /// Adds all numbers to a table.
    #[doc(hidden)]
    fn append(&self, table: &mut Table<Self::Number>) -> Result<()>;
}

/// Numbers that were found in rows, with the lengths of these.
#[doc(hidden)]
pub struct Table<N> {
    /// For each axis the length of its first row, once there is one.
    dims: Vec<Option<usize>>,
    /// The index of the row at hand.
    position: Vec<usize>,
    numbers: Vec<N>,
}

impl<N: Number> Table<N> {
    fn append<R: Nested<Number = N>>(&mut self, rows: &[R]) -> Result<()> {
        let dim = &mut self.dims[self.position.len()];
        let expected = *dim.get_or_insert(rows.len());
        if rows.len() != expected {
            let (row, given) = (self.position.clone(), rows.len());
            return Err(Error::Ragged { row, given, expected });
        }
        if R::AXES == 0 {
            return rows.iter().try_for_each(|number| number.append(self));
        }
        for (i, row) in rows.iter().enumerate() {
            self.position.push(i);
            row.append(self)?;
            self.position.pop();
        }
        Ok(())
    }
}

/// A tensor of rows that are as long as each other.
fn table<R: Nested>(rows: &[R]) -> Result<Tensor> {
    let dims = vec![None; R::AXES + 1];
    let mut table = Table { dims, position: Vec::new(), numbers: Vec::new() };
    table.append(rows)?;
    // Without a row, nobody knows how long rows are.
    let dims = table.dims.into_iter().map(Option::unwrap_or_default);
    let shape = Shape::from(dims.collect::<Vec<_>>());
    checked_len(&shape)?;
    Ok(filled(shape, table.numbers))
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Nested for $number {
            type Number = $number;
            const AXES: usize = 0;

            #[inline]
            fn append(&self, table: &mut Table<$number>) -> Result<()> {
                table.numbers.push(*self);
                Ok(())
            }
        })*
    };
}

numbers!(f32, f64, i64, bool, u8, i8, u16, i16, u32, i32, u64, usize, isize);

/// Rows, which may be rows of rows, and what is tried to be made of several of them.
macro_rules! rows {
    ($($rows:ty $(, $length:ident)?;)*) => {
        $(
            impl<R: Nested $(, const $length: usize)?> Nested for $rows {
                type Number = R::Number;
                const AXES: usize = R::AXES + 1;

                fn append(&self, table: &mut Table<R::Number>) -> Result<()> {
                    table.append(&self[..])
                }
            }
        )*
    };
}

rows! {
    Vec<R>;
    &Vec<R>;
    &[R];
    [R; K], K;
    &[R; K], K;
}

macro_rules! tables {
    ($($rows:ty),*) => {
        $(
            impl<R: Nested> TryFrom<Vec<$rows>> for Tensor {
                type Error = Error;

                fn try_from(rows: Vec<$rows>) -> Result<Tensor> {
                    table(&rows)
                }
            }

            impl<R: Nested> TryFrom<&Vec<$rows>> for Tensor {
                type Error = Error;

                fn try_from(rows: &Vec<$rows>) -> Result<Tensor> {
                    table(rows)
                }
            }

            impl<R: Nested> TryFrom<&[$rows]> for Tensor {
                type Error = Error;

                fn try_from(rows: &[$rows]) -> Result<Tensor> {
                    table(rows)
                }
            }

            impl<R: Nested, const K: usize> TryFrom<[$rows; K]> for Tensor {
                type Error = Error;

                fn try_from(rows: [$rows; K]) -> Result<Tensor> {
                    table(&rows)
                }
            }
        )*
    };
}

tables!(Vec<R>, &Vec<R>, &[R]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_rows_become_axes() {
        let rows = vec![vec![1.0, 2.0], vec![3.0, 4.0]];
        let expected = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        let borrowed: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        assert_eq!(Tensor::try_from(&borrowed[..]), Ok(expected.clone()));
        assert_eq!(Tensor::try_from(&rows), Ok(expected.clone()));
        assert_eq!(Tensor::try_from(&rows[..1]), expected.narrow(0, 0, 1));
        let deep = vec![vec![vec![vec![1_u8]; 2]; 3]; 4];
        assert_eq!(Tensor::try_from(deep).unwrap(), Tensor::from([[[[1]; 2]; 3]; 4]));
        let points = vec![vec![[1.0, 2.0]; 3]; 4];
        assert_eq!(Tensor::try_from(points).unwrap().shape()[..], [4, 3, 2]);
        assert_eq!(Tensor::try_from(rows), Ok(expected));
    }

    #[test]
    fn a_row_of_another_length_is_named() {
        let error = Tensor::try_from(vec![vec![1, 2], vec![3, 4], vec![5]]).err().unwrap();
        let text = "Tensor::try_from: row [2] has length 1, the rows before it have length 2";
        assert_eq!(error.to_string(), text);
        let deep = vec![vec![vec![1], vec![2]], vec![vec![3], vec![]]];
        let error = Tensor::try_from(deep).err().unwrap();
        assert_eq!(error, Error::Ragged { row: vec![1, 1], given: 0, expected: 1 });
    }

    #[test]
    fn no_rows_are_an_empty_tensor() {
        let none: Vec<Vec<f32>> = Vec::new();
        assert_eq!(Tensor::try_from(none).unwrap().shape()[..], [0, 0]);
    }
}
