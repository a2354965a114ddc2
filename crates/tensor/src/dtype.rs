//! Element types.

use std::fmt;
use std::sync::Arc;

use crate::kernels::accumulate::Accumulate;
use crate::tensor::Storage;

/// The type of a tensor's elements, known at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit floats, for training.
    F32,
    /// 64-bit floats, for checking.
    F64,
    /// 64-bit integers, for labels and indices.
    I64,
}

impl DType {
    /// Whether the elements are floats.
    pub fn is_float(self) -> bool {
        self != DType::I64
    }

    /// How many bytes an element takes.
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
        })
    }
}

/// A type that a tensor can hold: `f32`, `f64` or `i64`.
pub trait Elem:
    Copy
    + Default
    + PartialOrd
    + fmt::Debug
    + fmt::Display
    + Send
    + Sync
    + Accumulate
    + sealed::Stored
    + 'static
{
    /// The run-time name of the type.
    const DTYPE: DType;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The nearest value of the type; a float becomes an integer by truncation.
    fn of(x: f64) -> Self;

    /// The value as `f64`; integers beyond 2⁵³ are rounded.
    fn to_f64(self) -> f64;

    /// The sum; integers wrap.
    fn plus(self, other: Self) -> Self;
}

/// A number that a tensor can be made of: floats and `i64` as they are; other integers, and `bool`
/// as 0 and 1, become `i64`.
///
/// A `u64` or `usize` beyond the largest `i64` becomes that one.
pub trait Number: Copy + sealed::Numeric {
    /// What the tensor holds.
    type Elem: Elem;

    /// The number as the tensor holds it.
    fn into_elem(self) -> Self::Elem;

    /// Many of them: the vector itself where the type stays.
    fn into_elems(numbers: Vec<Self>) -> Vec<Self::Elem> {
        numbers.into_iter().map(Number::into_elem).collect()
    }
}

impl<T: Elem> Number for T {
    type Elem = T;

    #[inline]
    fn into_elem(self) -> T {
        self
    }

    fn into_elems(numbers: Vec<T>) -> Vec<T> {
        numbers
    }
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(
            impl sealed::Numeric for $type {}

            impl Number for $type {
                type Elem = i64;

                #[inline]
                fn into_elem(self) -> i64 {
                    i64::try_from(self).unwrap_or(i64::MAX)
                }
            }
        )*
    };
}

integers!(bool, u8, i8, u16, i16, u32, i32, u64, usize, isize);

pub(crate) mod sealed {
    use super::{Arc, Storage};

    /// Nobody else can add types.
    pub trait Numeric {}

    /// Access to the buffer of a type; nobody else can add types.
    pub trait Stored: Numeric + Sized {
        fn store(data: Vec<Self>) -> Storage;
        fn stored(storage: &Storage) -> Option<&Arc<Vec<Self>>>;
        fn stored_mut(storage: &mut Storage) -> Option<&mut Arc<Vec<Self>>>;
    }
}

macro_rules! elem {
    ($type:ident $variant:ident $plus:expr) => {
        impl Elem for $type {
            const DTYPE: DType = DType::$variant;
            const ZERO: $type = 0 as $type;
            const ONE: $type = 1 as $type;

            #[inline(always)]
            fn of(x: f64) -> $type {
                x as $type
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn plus(self, other: $type) -> $type {
                $plus(self, other)
            }
        }

        impl sealed::Numeric for $type {}

        impl sealed::Stored for $type {
            fn store(data: Vec<$type>) -> Storage {
                Storage::$variant(Arc::new(data))
            }

            #[inline]
            fn stored(storage: &Storage) -> Option<&Arc<Vec<$type>>> {
                match storage {
                    Storage::$variant(data) => Some(data),
                    _ => None,
                }
            }

            #[inline]
            fn stored_mut(storage: &mut Storage) -> Option<&mut Arc<Vec<$type>>> {
                match storage {
                    Storage::$variant(data) => Some(data),
                    _ => None,
                }
            }
        }
    };
}

elem!(f32 F32 |a: f32, b: f32| a + b);
elem!(f64 F64 |a: f64, b: f64| a + b);
elem!(i64 I64 i64::wrapping_add);
