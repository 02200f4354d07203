//! Numbers that are written as text, in the one form in which CPython's pickler writes them.
//!
//! CPython's loaders accept more, because `int()` takes `1_0`, blanks and leading zeros, and the two loaders
//! have read some of these as different numbers.

use super::MAX_DIGITS;
use super::rule::PickleRule;

/// Checks the line of `INT`. `00` and `01` are `False` and `True`.
pub(super) fn check_integer(line: &[u8]) -> Result<(), PickleRule> {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    if matches!(line, b"00" | b"01") || (is_canonical(digits) && line != b"-0") {
        return if digits.len() > MAX_DIGITS { Err(PickleRule::NumberTooLong) } else { Ok(()) };
    }
    Err(PickleRule::NumberForm)
}

/// Checks the line of `LONG`, which can end in an `L`.
pub(super) fn check_long(line: &[u8]) -> Result<(), PickleRule> {
    match line {
        // Only INT has booleans.
        b"00" | b"01" | b"00L" | b"01L" => Err(PickleRule::NumberForm),
        _ => check_integer(line.strip_suffix(b"L").unwrap_or(line)),
    }
}

/// Checks the line of `FLOAT`, which is what `repr` writes.
pub(super) fn check_float(line: &[u8]) -> Result<(), PickleRule> {
    let unsigned = line.strip_prefix(b"-").unwrap_or(line);
    if matches!(unsigned, b"inf" | b"nan") {
        return Ok(());
    }
    if unsigned.len() > MAX_DIGITS {
        return Err(PickleRule::NumberTooLong);
    }
    let (mantissa, exponent) = split(unsigned, b'e');
    let (whole, fraction) = split(mantissa, b'.');
    let exponent = exponent.map(|digits| match digits {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    });
    let parts = [Some(whole), fraction, exponent];
    let good = parts.into_iter().flatten().all(are_digits);
    if good { Ok(()) } else { Err(PickleRule::NumberForm) }
}

/// Reads the line of `GET` or `PUT`.
pub(super) fn index(line: &[u8]) -> Result<usize, PickleRule> {
    if !is_canonical(line) {
        return Err(PickleRule::NumberForm);
    }
    if line.len() > MAX_DIGITS {
        return Err(PickleRule::NumberTooLong);
    }
    // A number that does not fit is larger than every index.
    let text = str::from_utf8(line).map_err(|_| PickleRule::NumberForm)?;
    Ok(text.parse().unwrap_or(usize::MAX))
}

/// Reads an index as `int()` does, in forms that no pickler writes. The pickle is refused already; this shows
/// what else it would import.
pub(super) fn index_as_read(line: &[u8]) -> Option<usize> {
    let trimmed = line.trim_ascii();
    let digits = trimmed.strip_prefix(b"+").unwrap_or(trimmed);
    if digits.len() > MAX_DIGITS {
        return None;
    }
    let digits: Vec<_> = digits.iter().copied().filter(|byte| *byte != b'_').collect();
    str::from_utf8(&digits).ok().filter(|_| are_digits(&digits))?.parse().ok()
}

fn is_canonical(digits: &[u8]) -> bool {
    are_digits(digits) && (digits == b"0" || digits.first() != Some(&b'0'))
}

fn are_digits(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
}

fn split(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = bytes.splitn(2, |byte| *byte == at);
    (parts.next().unwrap_or_default(), parts.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for good in ["0", "00", "01", "-1", "10", "-120"] {
            assert_eq!(check_integer(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["", "-", "-0", "007", "-01", "+1", " 1", "1 ", "1_0", "0x1", "1L", "٣", "1\r"]
        {
            assert_eq!(check_integer(bad.as_bytes()), Err(PickleRule::NumberForm), "{bad}");
        }
        for good in ["0", "0L", "12L", "-12"] {
            assert_eq!(check_long(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["00", "01L", "L", "1l", "1LL", "1L "] {
            assert_eq!(check_long(bad.as_bytes()), Err(PickleRule::NumberForm), "{bad}");
        }
        for good in ["1.5", "-0.0", "1e300", "1.5e-07", "1e+16", "inf", "-inf", "nan"] {
            assert_eq!(check_float(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in
            ["", ".", "1.", ".5", "1e", "1e+", " 1.0", "1_0.0", "infinity", "1.0\r", "--1", "1.2.3"]
        {
            assert_eq!(check_float(bad.as_bytes()), Err(PickleRule::NumberForm), "{bad}");
        }
        assert_eq!((index(b"0"), index(b"12")), (Ok(0), Ok(12)));
        for bad in ["", "00", "-1", "1_0", " 1"] {
            assert_eq!(index(bad.as_bytes()), Err(PickleRule::NumberForm), "{bad}");
        }
        for (written, read) in [(" 1_0\r", Some(10)), ("+007", Some(7)), ("x", None), ("-1", None)]
        {
            assert_eq!(index_as_read(written.as_bytes()), read, "{written}");
        }
        assert_eq!(index("9".repeat(40).as_bytes()), Ok(usize::MAX));
    }

    #[test]
    fn numbers_have_as_many_digits_as_cpython_takes() {
        let digits = |count| "1".repeat(count);
        assert_eq!(check_integer(digits(MAX_DIGITS).as_bytes()), Ok(()));
        assert_eq!(check_long(format!("-{}L", digits(MAX_DIGITS)).as_bytes()), Ok(()));
        let long = digits(MAX_DIGITS + 1);
        for result in [
            check_integer(long.as_bytes()),
            check_long(long.as_bytes()),
            check_float(long.as_bytes()),
            index(long.as_bytes()).map(|_| ()),
        ] {
            assert_eq!(result, Err(PickleRule::NumberTooLong));
        }
    }
}
