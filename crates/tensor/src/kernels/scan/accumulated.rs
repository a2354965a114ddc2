//! What is accumulated along an axis, and in what.

use crate::Elem;

/// What is accumulated along the axis.
pub(super) trait Accumulated<T: Elem> {
    /// What is carried from one element to the next.
    type Total: Copy;
    /// That of nothing.
    const START: Self::Total;
    /// With one more element.
    fn with(total: Self::Total, x: T) -> Self::Total;
    /// As an element.
    fn rounded(total: Self::Total) -> T;

    /// With each of four elements, which become the totals.
    #[inline(always)]
    fn with_four(mut total: Self::Total, four: &mut [T; 4]) -> Self::Total {
        for x in four {
            total = Self::with(total, *x);
            *x = Self::rounded(total);
        }
        total
    }
}

pub(super) struct Sum;

impl<T: Elem> Accumulated<T> for Sum {
    type Total = T::Total;
    const START: T::Total = T::NOTHING;

    #[inline(always)]
    fn with(total: T::Total, x: T) -> T::Total {
        T::added(total, x)
    }

    #[inline(always)]
    fn rounded(total: T::Total) -> T {
        T::rounded(total)
    }
}

/// Products of `f32` are accumulated in `f64`; those of integers wrap.
pub(super) struct Product;

impl Accumulated<f32> for Product {
    type Total = f64;
    const START: f64 = 1.0;

    #[inline(always)]
    fn with(total: f64, x: f32) -> f64 {
        total * f64::from(x)
    }

    #[inline(always)]
    fn rounded(total: f64) -> f32 {
        total as f32
    }

    /// One factor in four waits for the one before: the product of four numbers of `f32` neither
    /// overflows nor underflows in `f64`.
    #[inline(always)]
    fn with_four(total: f64, four: &mut [f32; 4]) -> f64 {
        let [a, b, c, d] = four.map(f64::from);
        let (ab, cd) = (a * b, c * d);
        let products = [a, ab, ab * c, ab * cd].map(|product| total * product);
        *four = products.map(|product| product as f32);
        products[3]
    }
}

impl Accumulated<f64> for Product {
    type Total = f64;
    const START: f64 = 1.0;

    #[inline(always)]
    fn with(total: f64, x: f64) -> f64 {
        total * x
    }

    #[inline(always)]
    fn rounded(total: f64) -> f64 {
        total
    }
}

impl Accumulated<i64> for Product {
    type Total = i64;
    const START: i64 = 1;

    #[inline(always)]
    fn with(total: i64, x: i64) -> i64 {
        total.wrapping_mul(x)
    }

    #[inline(always)]
    fn rounded(total: i64) -> i64 {
        total
    }
}
