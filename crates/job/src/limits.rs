//! The bounds of a job, by their names.

use std::collections::BTreeMap;
use std::time::Duration;

use super::amount;
use super::plan::Limits;

/// What is bounded.
///
/// Each has one name in headers, policies and on the command line, and one unit: milliseconds, bytes, or
/// a number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Time of processor for each process.
    Cpu,
    /// Bytes of standard error that are kept. Only a policy speaks of it.
    Errors,
    /// Bytes of the largest file that may be written.
    FileSize,
    /// Open descriptors for each process.
    Files,
    /// Bytes of address space for each process.
    Memory,
    /// Bytes of standard output.
    Output,
    /// Processes and threads at one time.
    Processes,
    /// Bytes of the scratch directory.
    Scratch,
    /// Time by the clock on the wall.
    Wall,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Milliseconds,
    Things,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Errors,
        Self::FileSize,
        Self::Files,
        Self::Memory,
        Self::Output,
        Self::Processes,
        Self::Scratch,
        Self::Wall,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Errors => "errors",
            Self::FileSize => "file-size",
            Self::Files => "files",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Processes => "processes",
            Self::Scratch => "scratch",
            Self::Wall => "wall",
        }
    }

    /// Returns the limit of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// Returns whether a signer may ask for it.
    #[must_use]
    pub const fn is_granted(self) -> bool {
        !matches!(self, Self::Errors)
    }

    /// Returns what holds where nobody says anything, which is also the most where no policy does.
    #[must_use]
    pub const fn default_value(self) -> u64 {
        match self {
            Self::Cpu => 30_000,
            Self::Errors => 64 * 1024,
            Self::FileSize | Self::Scratch => 64 * 1024 * 1024,
            Self::Files => 256,
            Self::Memory => 1024 * 1024 * 1024,
            Self::Output => 16 * 1024 * 1024,
            Self::Processes => 64,
            Self::Wall => 60_000,
        }
    }

    /// Returns the largest number that anybody may write for it; the smallest is 1.
    #[must_use]
    pub const fn largest(self) -> u64 {
        match self.unit() {
            Unit::Bytes => 1 << 50,
            Unit::Milliseconds => 366 * 86_400_000,
            Unit::Things => 1 << 20,
        }
    }

    /// Reads a number as a person writes it, such as `5s`, `256MiB` or `64`.
    ///
    /// # Errors
    ///
    /// What is expected instead.
    pub fn parse_value(self, text: &str) -> Result<u64, &'static str> {
        let (read, expected) = match self.unit() {
            Unit::Bytes => (amount::parse_size(text), "a size like 65536, 64KiB or 256MiB"),
            Unit::Milliseconds => (amount::parse_time(text), "a length of time like 200ms or 5s"),
            Unit::Things => (amount::parse_count(text), "a number like 64"),
        };
        read.filter(|value| self.takes(*value)).ok_or(expected)
    }

    /// Returns whether somebody may write this number for it.
    #[must_use]
    pub const fn takes(self, value: u64) -> bool {
        1 <= value && value <= self.largest()
    }

    /// Writes a number as [`parse_value`](Self::parse_value) reads it.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => amount::show_size(value),
            Unit::Milliseconds => amount::show_time(value),
            Unit::Things => value.to_string(),
        }
    }

    const fn unit(self) -> Unit {
        match self {
            Self::Cpu | Self::Wall => Unit::Milliseconds,
            Self::Files | Self::Processes => Unit::Things,
            Self::Errors | Self::FileSize | Self::Memory | Self::Output | Self::Scratch => {
                Unit::Bytes
            }
        }
    }
}

/// Some limits, each with its number.
pub type Bounds = BTreeMap<Limit, u64>;

/// Returns what holds: the smaller of what is asked for and what is allowed. What is not said is the
/// default on either side.
pub(super) fn effective(asked: &Bounds, allowed: &Bounds) -> Limits {
    from_numbers(|limit| {
        let said = |bounds: &Bounds| bounds.get(&limit).copied();
        let [asked, allowed] =
            [said(asked), said(allowed)].map(|said| said.unwrap_or(limit.default_value()));
        // Nobody can ask for some of them.
        if limit.is_granted() { asked.min(allowed) } else { allowed }
    })
}

/// Returns the same limits, each lowered to that of `bounds` where this is smaller.
pub(super) fn lowered(limits: &Limits, bounds: &Bounds) -> Limits {
    let numbers = numbers(limits);
    from_numbers(|limit| {
        let now = numbers.get(&limit).copied().unwrap_or_default();
        bounds.get(&limit).map_or(now, |bound| now.min(*bound))
    })
}

/// Returns the limits of a plan by their names.
#[must_use]
pub fn numbers(limits: &Limits) -> Bounds {
    let Limits { wall, cpu, memory, output, errors, file_size, processes, files, scratch } =
        *limits;
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Bounds::from([
        (Limit::Cpu, milliseconds(cpu)),
        (Limit::Errors, errors),
        (Limit::FileSize, file_size),
        (Limit::Files, u64::from(files)),
        (Limit::Memory, memory),
        (Limit::Output, output),
        (Limit::Processes, u64::from(processes)),
        (Limit::Scratch, scratch),
        (Limit::Wall, milliseconds(wall)),
    ])
}

fn from_numbers(number: impl Fn(Limit) -> u64) -> Limits {
    let things = |limit| u32::try_from(number(limit)).unwrap_or(u32::MAX);
    let time = |limit| Duration::from_millis(number(limit));
    Limits {
        wall: time(Limit::Wall),
        cpu: time(Limit::Cpu),
        memory: number(Limit::Memory),
        output: number(Limit::Output),
        errors: number(Limit::Errors),
        file_size: number(Limit::FileSize),
        processes: things(Limit::Processes),
        files: things(Limit::Files),
        scratch: number(Limit::Scratch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_where_its_name_says() {
        for limit in Limit::ALL {
            assert_eq!(Limit::from_name(limit.name()), Some(limit));
            assert!(limit.takes(limit.default_value()) && !limit.takes(0));
            let bounds = Bounds::from([(limit, 7)]);
            let found = match limit.is_granted() {
                true => numbers(&effective(&bounds, &Bounds::new())),
                false => numbers(&effective(&Bounds::new(), &bounds)),
            };
            for other in Limit::ALL {
                let expected = if other == limit { 7 } else { other.default_value() };
                assert_eq!(found[&other], expected, "{limit:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_nobody_asks_for_is_what_is_allowed() {
        let allowed = Bounds::from([(Limit::Errors, 1 << 20)]);
        assert_eq!(effective(&Bounds::new(), &allowed).errors, 1 << 20);
    }

    #[test]
    fn the_smaller_number_holds() {
        let of = |value| Bounds::from([(Limit::Wall, value)]);
        let wall = |asked: &Bounds, allowed: &Bounds| effective(asked, allowed).wall.as_millis();
        assert_eq!(wall(&of(5), &of(9)), 5);
        assert_eq!(wall(&of(9), &of(5)), 5);
        assert_eq!(wall(&of(90_000), &Bounds::new()), 60_000);
        assert_eq!(wall(&Bounds::new(), &of(90_000)), 60_000);
        assert_eq!(wall(&of(80_000), &of(90_000)), 80_000);
        let limits = effective(&Bounds::new(), &Bounds::new());
        assert_eq!(lowered(&limits, &of(5)).wall.as_millis(), 5);
        assert_eq!(lowered(&limits, &of(90_000)), limits);
    }

    #[test]
    fn numbers_outside_their_range_are_not_read() {
        for (limit, text) in [
            (Limit::Wall, "0s"),
            (Limit::Wall, "367d"),
            (Limit::Memory, "0"),
            (Limit::Memory, "1048577GiB"),
            (Limit::Processes, "1048577"),
            (Limit::Processes, "5s"),
        ] {
            assert!(limit.parse_value(text).is_err(), "{limit:?} {text}");
        }
        assert_eq!(Limit::Memory.parse_value("1048576GiB"), Ok(1 << 50));
    }
}
