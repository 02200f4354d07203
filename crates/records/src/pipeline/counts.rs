//! Counts of what became of records.

use std::collections::BTreeMap;
use std::fmt;

use brine_core::{Classified as _, KeyId};

use super::error::RecordError;
use super::judge::RecordVerdict;

/// How many records there were, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordCounts {
    /// How many were verified and released.
    pub verified: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many of the refused were kept.
    pub kept: u64,
    /// How many were released before and dropped, where repeated records are
    /// [dropped](super::OnRepeated::Drop).
    pub repeated: u64,
    /// How many went back to the source because handling them failed.
    pub retried: u64,
    /// The records that are missing from the channels that were met, where a ledger knows.
    pub missing: MissingRecords,
    /// How many were refused for each reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// How many of those that were released each key has signed.
    pub signers: BTreeMap<KeyId, u64>,
}

/// Numbers of channels that were never handled, below one that was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingRecords {
    /// How many records are missing.
    pub records: u64,
    /// From how many channels they are missing.
    pub channels: u64,
}

impl RecordCounts {
    /// Adds those of another run. What is missing was counted last by that.
    pub fn add(&mut self, later: Self) {
        let Self { verified, refused, kept, repeated, retried, missing, reasons, signers } = later;
        self.verified += verified;
        self.refused += refused;
        self.kept += kept;
        self.repeated += repeated;
        self.retried += retried;
        self.missing = missing;
        for (reason, count) in reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for (signer, count) in signers {
            *self.signers.entry(signer).or_default() += count;
        }
    }

    /// Counts the first so many records of a run that are to be released.
    pub(super) fn release(&mut self, verdicts: &[RecordVerdict], records: usize) {
        let signers = verdicts.iter().filter_map(|verdict| match verdict {
            RecordVerdict::Verified { standing, .. } => Some(standing.key_id()),
            RecordVerdict::Postponed
            | RecordVerdict::Refused(_)
            | RecordVerdict::Repeated
            | RecordVerdict::SetAside(_) => None,
        });
        // In most cases one signer has signed them all.
        let mut last = None;
        for signer in signers.take(records) {
            match &mut last {
                Some((key, count)) if *key == signer => *count += 1,
                _ => {
                    self.count_signer(last);
                    last = Some((signer, 1));
                }
            }
        }
        self.count_signer(last);
    }

    fn count_signer(&mut self, counted: Option<(KeyId, u64)>) {
        let Some((signer, count)) = counted else { return };
        self.verified += count;
        *self.signers.entry(signer).or_default() += count;
    }

    /// Counts a refused record.
    pub(super) fn refuse(&mut self, why: &RecordError) {
        self.refused += 1;
        *self.reasons.entry(why.reason()).or_default() += 1;
    }
}

impl fmt::Display for RecordCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} verified, {} refused", self.verified, self.refused)?;
        fmt_reasons(f, &self.reasons)?;
        for (count, name) in [(self.repeated, "repeated"), (self.retried, "retried")] {
            if count > 0 {
                write!(f, ", {count} {name}")?;
            }
        }
        match self.missing {
            MissingRecords { records: 0, .. } => Ok(()),
            MissingRecords { records, channels: 1 } => {
                write!(f, "; {records} missing from a channel")
            }
            MissingRecords { records, channels } => {
                write!(f, "; {records} missing from {channels} channels")
            }
        }
    }
}

/// Writes how many records were refused for each reason, if any were.
pub(crate) fn fmt_reasons(
    f: &mut fmt::Formatter<'_>,
    reasons: &BTreeMap<&'static str, u64>,
) -> fmt::Result {
    let mut between = " (";
    for (reason, count) in reasons {
        write!(f, "{between}{count} {reason}")?;
        between = ", ";
    }
    f.write_str(if reasons.is_empty() { "" } else { ")" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_a_line() {
        let mut counts = RecordCounts { verified: 2, ..RecordCounts::default() };
        assert_eq!(counts.to_string(), "2 verified, 0 refused");
        counts.refused = 3;
        counts.reasons = BTreeMap::from([("replayed", 1), ("expired", 2)]);
        assert_eq!(counts.to_string(), "2 verified, 3 refused (2 expired, 1 replayed)");
        counts.missing = MissingRecords { records: 7, channels: 1 };
        let line = "2 verified, 3 refused (2 expired, 1 replayed); 7 missing from a channel";
        assert_eq!(counts.to_string(), line);
        counts = RecordCounts { repeated: 4, retried: 1, ..RecordCounts::default() };
        counts.missing = MissingRecords { records: 7, channels: 2 };
        let line = "0 verified, 0 refused, 4 repeated, 1 retried; 7 missing from 2 channels";
        assert_eq!(counts.to_string(), line);
    }
}
