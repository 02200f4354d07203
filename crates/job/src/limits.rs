//! The limits of a job, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use super::amount;

/// A limit of a job.
///
/// Each has one name, in headers, policies and on the command line, and one unit: milliseconds, bytes, or a
/// count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Bytes of address space of each process.
    AddressSpace,
    /// CPU time of all processes together.
    Cpu,
    /// Bytes of standard error that are kept. Only a policy sets it.
    Errors,
    /// Bytes of each file that a process writes.
    FileSize,
    /// Open descriptors of each process.
    Files,
    /// How long a job has to end by itself once it is asked to. Only a policy sets it.
    Grace,
    /// Bytes of memory that all processes hold together.
    Memory,
    /// Bytes of standard output.
    Output,
    /// Processes and threads at one time.
    Processes,
    /// Bytes of the scratch directory.
    Scratch,
    /// Wall-clock time.
    Wall,
}

/// The unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LimitUnit {
    Bytes,
    Count,
    Milliseconds,
}

impl Limit {
    /// All limits.
    pub const ALL: [Self; 11] = [
        Self::AddressSpace,
        Self::Cpu,
        Self::Errors,
        Self::FileSize,
        Self::Files,
        Self::Grace,
        Self::Memory,
        Self::Output,
        Self::Processes,
        Self::Scratch,
        Self::Wall,
    ];

    /// Returns the name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AddressSpace => "address-space",
            Self::Cpu => "cpu",
            Self::Errors => "errors",
            Self::FileSize => "file-size",
            Self::Files => "files",
            Self::Grace => "grace",
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

    /// Returns whether a signer may request it.
    #[must_use]
    pub const fn is_granted(self) -> bool {
        !matches!(self, Self::Errors | Self::Grace)
    }

    /// Returns the value that holds where neither side sets one. A policy that does not set it allows no more.
    #[must_use]
    pub const fn default_value(self) -> u64 {
        match self {
            // Some runtimes reserve a multiple of all the memory there is, and use little of it.
            Self::AddressSpace => 1 << 40,
            Self::Cpu => 30_000,
            Self::Errors => 64 * 1024,
            Self::FileSize | Self::Scratch => 64 * 1024 * 1024,
            Self::Files => 256,
            Self::Grace => 500,
            Self::Memory => 1024 * 1024 * 1024,
            Self::Output => 16 * 1024 * 1024,
            Self::Processes => 64,
            Self::Wall => 60_000,
        }
    }

    /// Returns the largest value that anybody may set. The smallest is 1.
    #[must_use]
    pub const fn largest(self) -> u64 {
        match (self, self.unit()) {
            (Self::Grace, _) => 60_000,
            (_, LimitUnit::Bytes) => 1 << 50,
            (_, LimitUnit::Milliseconds) => 366 * 86_400_000,
            (_, LimitUnit::Count) => 1 << 20,
        }
    }

    /// Reads a value as people write it: `5s`, `256MiB` or `64`.
    ///
    /// # Errors
    ///
    /// A description of what is expected instead.
    pub fn parse_value(self, text: &str) -> Result<u64, &'static str> {
        let (read, expected) = match self.unit() {
            LimitUnit::Bytes => (amount::parse_size(text), "a size like 65536, 64KiB or 256MiB"),
            LimitUnit::Milliseconds => {
                (amount::parse_time(text), "a length of time like 200ms or 5s")
            }
            LimitUnit::Count => (amount::parse_count(text), "a number like 64"),
        };
        read.filter(|value| self.takes(*value)).ok_or(expected)
    }

    /// Returns whether anybody may set this value.
    #[must_use]
    pub const fn takes(self, value: u64) -> bool {
        1 <= value && value <= self.largest()
    }

    /// Writes a value as [`parse_value`](Self::parse_value) reads it.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self.unit() {
            LimitUnit::Bytes => amount::show_size(value),
            LimitUnit::Milliseconds => amount::show_time(value),
            LimitUnit::Count => value.to_string(),
        }
    }

    const fn unit(self) -> LimitUnit {
        match self {
            Self::Cpu | Self::Grace | Self::Wall => LimitUnit::Milliseconds,
            Self::Files | Self::Processes => LimitUnit::Count,
            Self::AddressSpace
            | Self::Errors
            | Self::FileSize
            | Self::Memory
            | Self::Output
            | Self::Scratch => LimitUnit::Bytes,
        }
    }
}

/// The values of some limits.
pub type LimitValues = BTreeMap<Limit, u64>;

/// The limits of a job. Every value is an upper bound, and none is optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobLimits {
    /// Wall-clock time, after which the whole tree is asked to end, and killed a grace later.
    pub wall: Duration,
    /// How long processes have between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// CPU time of all processes together. Each alone has no more either (`RLIMIT_CPU`, rounded up to seconds).
    pub cpu: Duration,
    /// Bytes of memory that all processes hold together, in use rather than reserved.
    pub memory: u64,
    /// Bytes of address space of each process (`RLIMIT_AS`), used or not.
    pub address_space: u64,
    /// Bytes of standard output.
    pub output: u64,
    /// Bytes of standard error that are kept. The rest is dropped, and the job continues.
    pub errors: u64,
    /// Bytes of each file that a process writes (`RLIMIT_FSIZE`).
    pub file_size: u64,
    /// Processes and threads at one time (`RLIMIT_NPROC`, counted in the namespace of the job).
    pub processes: u32,
    /// Open descriptors of each process (`RLIMIT_NOFILE`).
    pub files: u32,
    /// Bytes of the scratch directory.
    pub scratch: u64,
}

impl JobLimits {
    /// Returns the values by limit.
    #[must_use]
    pub fn values(&self) -> LimitValues {
        let Self {
            wall,
            grace,
            cpu,
            memory,
            address_space,
            output,
            errors,
            file_size,
            processes,
            files,
            scratch,
        } = *self;
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        LimitValues::from([
            (Limit::AddressSpace, address_space),
            (Limit::Cpu, milliseconds(cpu)),
            (Limit::Errors, errors),
            (Limit::FileSize, file_size),
            (Limit::Files, u64::from(files)),
            (Limit::Grace, milliseconds(grace)),
            (Limit::Memory, memory),
            (Limit::Output, output),
            (Limit::Processes, u64::from(processes)),
            (Limit::Scratch, scratch),
            (Limit::Wall, milliseconds(wall)),
        ])
    }

    /// Returns the smaller of what is requested and what is allowed, limit by limit. Where a side does not set
    /// one, the default counts.
    pub(super) fn effective(requested: &LimitValues, allowed: &LimitValues) -> Self {
        Self::of(|limit| {
            let value =
                |values: &LimitValues| values.get(&limit).copied().unwrap_or(limit.default_value());
            // A limit that nobody can request is the policy's alone.
            let requested = if limit.is_granted() { value(requested) } else { u64::MAX };
            requested.min(value(allowed))
        })
    }

    /// Returns the same limits, except that those in `values` are lowered to them.
    pub(super) fn lowered(&self, values: &LimitValues) -> Self {
        let now = self.values();
        Self::of(|limit| {
            let now = now.get(&limit).copied().unwrap_or_default();
            values.get(&limit).map_or(now, |value| now.min(*value))
        })
    }

    /// Returns limits of these values.
    #[must_use]
    pub fn of(value: impl Fn(Limit) -> u64) -> Self {
        let count = |limit| u32::try_from(value(limit)).unwrap_or(u32::MAX);
        let time = |limit| Duration::from_millis(value(limit));
        Self {
            wall: time(Limit::Wall),
            grace: time(Limit::Grace),
            cpu: time(Limit::Cpu),
            memory: value(Limit::Memory),
            address_space: value(Limit::AddressSpace),
            output: value(Limit::Output),
            errors: value(Limit::Errors),
            file_size: value(Limit::FileSize),
            processes: count(Limit::Processes),
            files: count(Limit::Files),
            scratch: value(Limit::Scratch),
        }
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
            let bounds = LimitValues::from([(limit, 7)]);
            let found = match limit.is_granted() {
                true => JobLimits::effective(&bounds, &LimitValues::new()).values(),
                false => JobLimits::effective(&LimitValues::new(), &bounds).values(),
            };
            for other in Limit::ALL {
                let expected = if other == limit { 7 } else { other.default_value() };
                assert_eq!(found[&other], expected, "{limit:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_nobody_asks_for_is_what_is_allowed() {
        let allowed = LimitValues::from([(Limit::Errors, 1 << 20)]);
        assert_eq!(JobLimits::effective(&LimitValues::new(), &allowed).errors, 1 << 20);
    }

    #[test]
    fn the_smaller_number_holds() {
        let of = |value| LimitValues::from([(Limit::Wall, value)]);
        let wall = |asked: &LimitValues, allowed: &LimitValues| {
            JobLimits::effective(asked, allowed).wall.as_millis()
        };
        assert_eq!(wall(&of(5), &of(9)), 5);
        assert_eq!(wall(&of(9), &of(5)), 5);
        assert_eq!(wall(&of(90_000), &LimitValues::new()), 60_000);
        assert_eq!(wall(&LimitValues::new(), &of(90_000)), 60_000);
        assert_eq!(wall(&of(80_000), &of(90_000)), 80_000);
        let limits = JobLimits::effective(&LimitValues::new(), &LimitValues::new());
        assert_eq!(limits.lowered(&of(5)).wall.as_millis(), 5);
        assert_eq!(limits.lowered(&of(90_000)), limits);
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
