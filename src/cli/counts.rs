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
    /// For each reason, how many.
    pub(super) reasons: BTreeMap<&'static str, u64>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} verified, {} refused", self.verified, self.refused)?;
        let mut between = " (";
        for (reason, count) in &self.reasons {
            write!(f, "{between}{count} {reason}")?;
            between = ", ";
        }
        f.write_str(if self.reasons.is_empty() { "" } else { ")" })
    }
}
