//! Times and sizes, as people type and read them.

use std::time::Duration;

/// Reads a length of time such as `200ms`, `5s` or `2m`, and returns milliseconds.
pub(super) fn parse_time(text: &str) -> Option<u64> {
    let time = text.parse::<jiff::SignedDuration>().ok()?;
    let time = Duration::try_from(time).ok()?;
    // A fraction of a millisecond would be dropped silently.
    let whole = time.subsec_nanos().is_multiple_of(1_000_000);
    u64::try_from(time.as_millis()).ok().filter(|_| whole)
}

/// Reads a number of bytes, which may end in `KiB`, `MiB` or `GiB`.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (digits, unit) = unit.unwrap_or((text, 1));
    parse_count(digits)?.checked_mul(unit)
}

/// Reads a number that consists of digits alone.
pub(super) fn parse_count(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Writes a length of time so that [`parse_time`] reads it back.
pub(super) fn show_time(milliseconds: u64) -> String {
    in_largest_unit(milliseconds, &[("h", 3_600_000), ("m", 60_000), ("s", 1000)], "ms")
}

/// Writes a number of bytes so that [`parse_size`] reads it back.
pub(super) fn show_size(bytes: u64) -> String {
    in_largest_unit(bytes, &UNITS, "")
}

fn in_largest_unit(number: u64, units: &[(&str, u64)], smallest: &str) -> String {
    let fits = |unit: &&(&str, u64)| number > 0 && number.is_multiple_of(unit.1);
    match units.iter().find(fits) {
        Some((name, unit)) => format!("{}{name}", number / unit),
        None => format!("{number}{smallest}"),
    }
}

/// The units of sizes, largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_and_sizes_are_read_exactly() {
        for (text, expected) in [
            ("5s", Some(5000)),
            ("200ms", Some(200)),
            ("2m", Some(120_000)),
            ("1h30m", Some(5_400_000)),
            ("1ns", None),
            ("-5s", None),
            ("5", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("65536", Some(65_536)),
            ("64KiB", Some(65_536)),
            ("2GiB", Some(2_147_483_648)),
            ("1MB", None),
            ("+1", None),
            ("-1", None),
            ("1.5MiB", None),
            ("KiB", None),
            ("", None),
            ("18446744073709551616", None),
            ("18014398509481984KiB", None),
        ] {
            assert_eq!(parse_size(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(number in 0..1_u64 << 50) {
            prop_assert_eq!(parse_size(&show_size(number)), Some(number));
            let time = number >> 16;
            prop_assert_eq!(parse_time(&show_time(time)), Some(time), "{}", show_time(time));
        }
    }
}
