//! What became of many records, in numbers.

use std::collections::BTreeMap;
use std::fmt;

/// How many there were, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) verified: u64,
    pub(super) refused: u64,
    /// How many of those are kept in a file.
    pub(super) kept: u64,
    /// What is missing from the channels, where a replay database knows.
    pub(super) missing: Missing,
    /// For each reason, how many.
    pub(super) reasons: BTreeMap<&'static str, u64>,
}

/// Numbers of channels that were never handled, below one that was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missing {
    pub(super) records: u64,
    /// How many channels they are missing from.
    pub(super) channels: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} verified, {} refused", self.verified, self.refused)?;
        let mut between = " (";
        for (reason, count) in &self.reasons {
            write!(f, "{between}{count} {reason}")?;
            between = ", ";
        }
        f.write_str(if self.reasons.is_empty() { "" } else { ")" })?;
        match self.missing {
            Missing { records: 0, .. } => Ok(()),
            Missing { records, channels: 1 } => write!(f, "; {records} missing from a channel"),
            Missing { records, channels } => {
                write!(f, "; {records} missing from {channels} channels")
            }
        }
    }
}
