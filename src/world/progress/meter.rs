//! What the line of progress says.

use std::time::Duration;

/// How far some work has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    /// How many bytes are done.
    pub(super) done: u64,
    /// Of how many, if that is known.
    pub(super) length: Option<u64>,
    pub(super) elapsed: Duration,
}

impl Meter {
    /// Writes a line of `columns` columns at most: what says most comes first, and what does not fit is left out.
    pub(super) fn line(&self, columns: usize) -> String {
        let mut line = String::new();
        for part in self.parts() {
            let comma = if line.is_empty() { "" } else { ", " };
            if line.len() + comma.len() + part.len() > columns {
                break;
            }
            line.push_str(comma);
            line.push_str(&part);
        }
        match self.bar(columns.saturating_sub(line.len() + 1)) {
            Some(bar) if !line.is_empty() => format!("{bar} {line}"),
            _ => line,
        }
    }

    /// All that there is to say, in ASCII: a byte is a column.
    fn parts(&self) -> Vec<String> {
        let rate = self.rate();
        let speed = rate.map(|rate| format!("{}/s", size(rate)));
        let Some(length) = self.length.filter(|length| *length > 0) else {
            let parts = [Some(size(self.done)), speed, Some(time(self.elapsed.as_secs()))];
            return parts.into_iter().flatten().collect();
        };
        let left = length.saturating_sub(self.done);
        let left =
            rate.and_then(|rate| left.checked_div(rate)).map(|left| format!("{} left", time(left)));
        let parts = [
            Some(format!("{}%", self.hundredths(length))),
            Some(format!("{} of {}", size(self.done), size(length))),
            speed,
            left,
        ];
        parts.into_iter().flatten().collect()
    }

    /// Draws a bar into what room is left.
    fn bar(&self, room: usize) -> Option<String> {
        let length = self.length.filter(|length| *length > 0)?;
        let inner = room.min(LONGEST_BAR).checked_sub("[]".len())?;
        if inner < SHORTEST_BAR {
            return None;
        }
        let full = inner * usize::try_from(self.hundredths(length)).unwrap_or(0) / 100;
        Some(format!("[{}{}]", "#".repeat(full), "-".repeat(inner.saturating_sub(full))))
    }

    fn hundredths(&self, length: u64) -> u128 {
        u128::from(self.done.min(length)) * 100 / u128::from(length)
    }

    /// Returns how many bytes a second were done.
    fn rate(&self) -> Option<u64> {
        let rate = (u128::from(self.done) * 1000).checked_div(self.elapsed.as_millis())?;
        u64::try_from(rate).ok()
    }
}

/// Says a number of bytes with three or four digits.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths of the unit before.
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "";
    for next in units {
        tenths /= 1024;
        unit = next;
        if tenths < 10_240 {
            break;
        }
    }
    match tenths {
        0..1000 => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        _ => format!("{} {unit}", tenths / 10),
    }
}

/// Says a length of time.
fn time(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02} min"),
        (hours, minutes, _) => format!("{hours}:{minutes:02} h"),
    }
}

const LONGEST_BAR: usize = 26;
const SHORTEST_BAR: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn meter(done: u64, length: Option<u64>, seconds: u64) -> Meter {
        Meter { done, length, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_line_fits_and_says_first_what_says_most() {
        let known = meter(10 * MIB, Some(40 * MIB), 5);
        for (columns, line) in [
            (79, "[######------------------] 25%, 10.0 MiB of 40.0 MiB, 2.0 MiB/s, 15 s left"),
            (60, "[##--------] 25%, 10.0 MiB of 40.0 MiB, 2.0 MiB/s, 15 s left"),
            (48, "25%, 10.0 MiB of 40.0 MiB, 2.0 MiB/s, 15 s left"),
            (39, "25%, 10.0 MiB of 40.0 MiB, 2.0 MiB/s"),
            (20, "[###-----------] 25%"),
            (5, "25%"),
            (2, ""),
            (0, ""),
        ] {
            assert_eq!(known.line(columns), line, "{columns}");
        }
        let unknown = meter(10 * MIB, None, 5);
        for (columns, line) in [
            (79, "10.0 MiB, 2.0 MiB/s, 5 s"),
            (20, "10.0 MiB, 2.0 MiB/s"),
            (9, "10.0 MiB"),
            (3, ""),
        ] {
            assert_eq!(unknown.line(columns), line, "{columns}");
        }
    }

    #[test]
    fn no_line_is_wider_than_it_may_be_whatever_there_is_to_say() {
        for done in [0, 1, 1023, 1024, MIB - 1, 999 * MIB, u64::MAX] {
            for length in [None, Some(0), Some(1), Some(MIB), Some(u64::MAX)] {
                for seconds in [0, 1, 59, 60, 3599, 3600, 1_000_000] {
                    for columns in 0..130 {
                        let line = meter(done, length, seconds).line(columns);
                        assert!(line.len() <= columns && line.is_ascii(), "{columns}: {line}");
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_and_times_are_short() {
        for (bytes, said) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (100 * 1024, "100 KiB"),
            (1023 * 1024, "1023 KiB"),
            (MIB, "1.0 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
        for (seconds, said) in [(0, "0 s"), (61, "1:01 min"), (3600, "1:00 h"), (90_061, "25:01 h")]
        {
            assert_eq!(time(seconds), said);
        }
    }
}
