//! The IDX format, in which MNIST and its relatives are distributed.

use std::io::Read;
use std::path::Path;

use lossgraph_tensor::Tensor;

use crate::error::{Error, Result};
use crate::file::{fail, open};

/// Reads an IDX file, gzipped or not, whatever its name: bytes and other integers as integers,
/// floats as floats.
///
/// No more memory is taken than the file really has numbers, whatever it claims.
///
/// # Errors
/// A file that cannot be read, is no IDX file, or has fewer or more numbers than it claims.
///
/// # Source
/// Y. LeCun, C. Cortes and C. Burges, The MNIST Database, 1998: the IDX file format.
pub fn read_idx(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    parse_idx(open(path)?).or_else(|why| fail(path, why))
}

/// As [`read_idx`], from memory, gzipped.
pub(crate) fn embedded_idx(file: &'static str, bytes: &[u8]) -> Result<Tensor> {
    parse_idx(flate2::read::GzDecoder::new(bytes)).map_err(|why| Error::File { file, line: 0, why })
}

fn parse_idx(mut reader: impl Read) -> std::result::Result<Tensor, String> {
    let mut exact = |bytes: &mut [u8]| match reader.read_exact(bytes) {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("its header cannot be read: {error}")),
    };
    let mut magic = [0; 4];
    exact(&mut magic)?;
    let [0, 0, kind, rank] = magic else {
        return Err(format!("it begins with {magic:02x?}, and an IDX file with [00, 00, …]"));
    };
    let width = match kind {
        0x08 | 0x09 => 1,
        0x0b => 2,
        0x0c | 0x0d => 4,
        0x0e => 8,
        _ => {
            return Err(format!(
                "its elements are of type 0x{kind:02x}, expected 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e"
            ));
        }
    };
    let mut shape = Vec::new();
    for _ in 0..rank {
        let mut length = [0; 4];
        exact(&mut length)?;
        shape.push(u32::from_be_bytes(length) as usize);
    }
    let claimed =
        shape.iter().try_fold(width, |product: usize, &length| product.checked_mul(length));
    let Some(claimed) = claimed.filter(|&bytes| bytes <= isize::MAX as usize) else {
        return Err(format!("it claims to be {shape:?}, which no memory has room for"));
    };
    // A byte more than is claimed tells whether there are more.
    let mut bytes = Vec::new();
    if let Err(error) = reader.take(claimed as u64 + 1).read_to_end(&mut bytes) {
        return Err(format!("it is truncated or damaged: {error}"));
    }
    if bytes.len() != claimed {
        let (than, have) = match bytes.len() < claimed {
            true => ("is truncated", format!("has {}", bytes.len())),
            false => ("is longer than it says", "has more".to_owned()),
        };
        return Err(format!("it {than}: it claims {claimed} bytes of {shape:?}, and {have}"));
    }
    let tensor = match kind {
        0x08 => Tensor::new(shape, bytes.into_iter().map(i64::from).collect()),
        0x09 => Tensor::new(shape, bytes.into_iter().map(|byte| i64::from(byte as i8)).collect()),
        0x0b => Tensor::new(shape, numbers(&bytes, |bytes| i64::from(i16::from_be_bytes(bytes)))),
        0x0c => Tensor::new(shape, numbers(&bytes, |bytes| i64::from(i32::from_be_bytes(bytes)))),
        0x0d => Tensor::new(shape, numbers(&bytes, f32::from_be_bytes)),
        _ => Tensor::new(shape, numbers(&bytes, f64::from_be_bytes)),
    };
    tensor.map_err(|error| error.to_string())
}

fn numbers<T, const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| number(chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_tensor::DType;

    fn header(kind: u8, shape: &[u32]) -> Vec<u8> {
        let lengths = shape.iter().flat_map(|length| length.to_be_bytes());
        [0, 0, kind, shape.len() as u8].into_iter().chain(lengths).collect()
    }

    #[test]
    fn each_type_of_element_is_read() {
        let parse =
            |kind, data: &[u8]| parse_idx(&[&header(kind, &[1])[..], data].concat()[..]).unwrap();
        assert_eq!(parse(0x08, &[200]).to_f64s(), [200.0]);
        assert_eq!(parse(0x09, &[200]).to_f64s(), [-56.0]);
        assert_eq!(parse(0x0b, &(-3_i16).to_be_bytes()).to_f64s(), [-3.0]);
        assert_eq!(parse(0x0c, &70_000_i32.to_be_bytes()).to_f64s(), [70_000.0]);
        assert_eq!(parse(0x0d, &0.5_f32.to_be_bytes()).dtype(), DType::F32);
        assert_eq!(parse(0x0e, &0.25_f64.to_be_bytes()).to_f64s(), [0.25]);
    }

    #[test]
    fn a_file_that_is_not_what_it_says_is_refused() {
        let refused = |bytes: &[u8]| parse_idx(bytes).unwrap_err();
        assert!(refused(b"PK").contains("its header cannot be read"));
        assert!(refused(b"\x89PNG....").contains("an IDX file with [00, 00, …]"));
        assert!(refused(&header(0x07, &[1])).contains("of type 0x07"));
        let truncated = [&header(0x08, &[2, 3])[..], &[1; 5]].concat();
        assert!(refused(&truncated).contains("claims 6 bytes of [2, 3], and has 5"));
        let longer = [&header(0x08, &[2, 3])[..], &[1; 9]].concat();
        assert!(refused(&longer).contains("is longer than it says"));
        // 16 exbibytes, and 4 gibibytes that are not there: neither is allocated.
        assert!(refused(&header(0x08, &[u32::MAX; 4])).contains("no memory has room for"));
        assert!(refused(&header(0x08, &[u32::MAX])).contains("and has 0"));
    }
}
