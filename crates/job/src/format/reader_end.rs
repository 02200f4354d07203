//! How a confined reader of output ended that had not read all of it.

use std::fmt;

use brine_core::text::quoted;

/// How a confined reader of output ended that had not read all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderEnd {
    /// It ended without a word of how it went.
    Failed,
    /// A signal ended it.
    Killed(i32),
    /// It had no more memory.
    OutOfMemory,
    /// It had used its processor time.
    OutOfProcessorTime,
    /// It panicked, and said this.
    Panicked(String),
    /// It took too long by the clock.
    TimedOut,
}

impl ReaderEnd {
    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Failed => "output-reader-failed",
            Self::Killed(_) => "output-reader-killed",
            Self::OutOfMemory => "output-reader-out-of-memory",
            Self::OutOfProcessorTime => "output-reader-out-of-processor-time",
            Self::Panicked(_) => "output-reader-panicked",
            Self::TimedOut => "output-reader-timed-out",
        }
    }
}

impl fmt::Display for ReaderEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed => f.write_str("ended without a result"),
            Self::Killed(signal) => write!(f, "was ended by signal {signal}"),
            Self::OutOfMemory => f.write_str("ran out of memory"),
            Self::OutOfProcessorTime => f.write_str("ran out of processor time"),
            Self::Panicked(said) => write!(f, "panicked: {}", quoted(said)),
            Self::TimedOut => f.write_str("ran out of time"),
        }
    }
}
