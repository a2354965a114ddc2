//! Floats of 16 bits, widened exactly.

/// IEEE's half precision: 5 bits of exponent, 10 of fraction.
pub(super) fn from_f16(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, exponent, fraction) = ((bits & 0x8000) << 16, bits >> 10 & 0x1f, bits & 0x3ff);
    let magnitude = match exponent {
        // Subnormals are multiples of 2⁻²⁴, which `f32` has as normal numbers.
        0 => (fraction as f32 / 16_777_216.0).to_bits(),
        0x1f => 0x7f80_0000 | fraction << 13,
        // The biases are 15 and 127.
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// bfloat16: the upper half of an `f32`.
pub(super) fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number that a sign, an exponent and a fraction of some bits mean, by the standard.
    fn meaning(bits: u16, exponent_bits: i32) -> f64 {
        let fraction_bits = 15 - exponent_bits;
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let exponent = i32::from(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
        let fraction = f64::from(bits & ((1 << fraction_bits) - 1)) / 2.0_f64.powi(fraction_bits);
        let bias = (1 << (exponent_bits - 1)) - 1;
        sign * match exponent {
            0 => 2.0_f64.powi(1 - bias) * fraction,
            _ if exponent == 2 * bias + 1 && fraction == 0.0 => f64::INFINITY,
            _ if exponent == 2 * bias + 1 => f64::NAN,
            _ => 2.0_f64.powi(exponent - bias) * (1.0 + fraction),
        }
    }

    #[test]
    fn every_float_of_16_bits_is_widened_to_the_number_that_it_means() {
        for bits in 0..=u16::MAX {
            for (got, expected) in
                [(from_f16(bits), meaning(bits, 5)), (from_bf16(bits), meaning(bits, 8))]
            {
                let same = f64::from(got).to_bits() == expected.to_bits();
                assert!(same || got.is_nan() && expected.is_nan(), "{bits:#x}: {got} {expected}");
            }
        }
    }
}
