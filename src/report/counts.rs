//! What became of many records, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// How many records there were, and what became of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct RecordCounts {
    #[serde(rename = "records_verified")]
    pub(crate) verified: u64,
    #[serde(rename = "records_refused")]
    pub(crate) refused: u64,
    /// How many of those are kept in a file.
    #[serde(rename = "records_kept")]
    pub(crate) kept: u64,
    /// What is missing from the channels, where a replay database knows.
    #[serde(flatten)]
    pub(crate) missing: Missing,
    /// For each reason, how many.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
}

/// Numbers of channels that were never handled, below one that was.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Missing {
    #[serde(rename = "records_missing")]
    pub(crate) records: u64,
    /// How many channels they are missing from.
    #[serde(skip)]
    pub(crate) channels: u64,
}

impl fmt::Display for RecordCounts {
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
