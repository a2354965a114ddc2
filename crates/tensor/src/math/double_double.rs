//! Sums of two numbers, of which the second is far below the first: twice the digits of one (Dekker,
//! A floating-point technique for extending the available precision, 1971).

/// `a + b`, exactly.
#[inline(always)]
pub fn sum(a: f64, b: f64) -> [f64; 2] {
    let s = a + b;
    let b_of_s = s - a;
    [s, (a - (s - b_of_s)) + (b - b_of_s)]
}

/// `a · b`, exactly.
#[inline(always)]
pub fn product(a: f64, b: f64) -> [f64; 2] {
    let p = a * b;
    [p, a.mul_add(b, -p)]
}

/// A number and one far below it, with the first as near to the sum as a number can be.
#[inline(always)]
fn normal(a: f64, low: f64) -> [f64; 2] {
    let s = a + low;
    [s, a - s + low]
}

/// `a + b`.
#[inline(always)]
pub fn add([a, a_low]: [f64; 2], [b, b_low]: [f64; 2]) -> [f64; 2] {
    let [s, low] = sum(a, b);
    normal(s, low + (a_low + b_low))
}

/// `−a`.
#[inline(always)]
pub fn neg([a, low]: [f64; 2]) -> [f64; 2] {
    [-a, -low]
}

/// `a · b`.
#[inline(always)]
pub fn mul([a, a_low]: [f64; 2], [b, b_low]: [f64; 2]) -> [f64; 2] {
    let [p, low] = product(a, b);
    normal(p, low + a.mul_add(b_low, a_low * b))
}

/// `1 / a`.
#[inline(always)]
pub fn recip([a, low]: [f64; 2]) -> [f64; 2] {
    let r = 1.0 / a;
    [r, (-r).mul_add(low, (-r).mul_add(a, 1.0)) * r]
}
