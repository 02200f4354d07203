//! Floats (IEEE 754), without rounding.

use super::{Head, Major};

impl Head {
    /// Returns the float of 16, 32 or 64 bits that the head is (RFC 8949, Section 3.3).
    #[must_use]
    pub fn float(&self) -> Option<f64> {
        let bits = self.argument;
        match (self.major, self.info) {
            (Major::Simple, 25) => u16::try_from(bits).ok().map(of_half),
            (Major::Simple, 26) => u32::try_from(bits).ok().map(|bits| f32::from_bits(bits).into()),
            (Major::Simple, 27) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }
}

/// RFC 8949, Appendix D.
fn of_half(half: u16) -> f64 {
    let fraction = f64::from(half & 0x3ff);
    let magnitude = match half >> 10 & 0x1f {
        0 => fraction * 2_f64.powi(-24),
        31 if half & 0x3ff == 0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (fraction + 1024.0) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if half & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// Returns the whole part of a binary float (IEEE 754) with fields of these widths, if it has one of 0 or more.
///
/// It is taken from the bits, so that nothing is rounded.
pub(super) fn float_part(bits: u64, fraction_bits: u32, exponent_bits: u32) -> Option<u64> {
    let fraction = bits & ((1 << fraction_bits) - 1);
    let most = (1_u64 << exponent_bits) - 1;
    let exponent = bits >> fraction_bits & most;
    let is_negative = bits >> (fraction_bits + exponent_bits) & 1 == 1;
    if exponent == most || (is_negative && (exponent, fraction) != (0, 0)) {
        return None;
    }
    // Below 1, subnormal or not.
    let Some(power) = exponent.checked_sub(most >> 1) else { return Some(0) };
    let significand = fraction | 1 << fraction_bits;
    let power = u32::try_from(power).ok()?;
    match power.checked_sub(fraction_bits) {
        None => Some(significand >> (fraction_bits - power)),
        Some(shift) if shift <= significand.leading_zeros() => Some(significand << shift),
        Some(_) => None,
    }
}
