//! Numbers as bytes, in the order of the machine.

use lossgraph_tensor::Float;

/// A number that is sent.
pub(super) trait Bytes: Copy {
    /// How many bytes it takes.
    const SIZE: usize;

    fn extend(bytes: &mut Vec<u8>, numbers: &[Self]);
    fn read(bytes: &[u8]) -> Vec<Self>;
}

/// A float that is sent.
pub(super) trait Wire: Bytes + Float {}

impl Wire for f32 {}
impl Wire for f64 {}

macro_rules! bytes {
    ($($number:ty),*) => {
        $(impl Bytes for $number {
            const SIZE: usize = size_of::<$number>();

            fn extend(bytes: &mut Vec<u8>, numbers: &[$number]) {
                let start = bytes.len();
                bytes.resize(start + size_of_val(numbers), 0);
                let (chunks, _) = bytes[start..].as_chunks_mut::<{ size_of::<$number>() }>();
                for (chunk, number) in chunks.iter_mut().zip(numbers) {
                    *chunk = number.to_ne_bytes();
                }
            }

            fn read(bytes: &[u8]) -> Vec<$number> {
                let (chunks, _) = bytes.as_chunks::<{ size_of::<$number>() }>();
                chunks.iter().map(|&chunk| <$number>::from_ne_bytes(chunk)).collect()
            }
        })*
    };
}

bytes!(f32, f64, i64, u64);

/// Appends numbers.
pub(super) fn put<T: Bytes>(bytes: &mut Vec<u8>, numbers: &[T]) {
    T::extend(bytes, numbers);
}

/// Takes so many numbers off the front.
pub(super) fn take<T: Bytes>(bytes: &mut &[u8], count: usize) -> Vec<T> {
    let (numbers, rest) = bytes.split_at(T::SIZE * count);
    *bytes = rest;
    T::read(numbers)
}
