//! Floats (IEEE 754), without rounding.

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
