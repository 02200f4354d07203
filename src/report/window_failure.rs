//! A time in which no signature would be valid.

use brine_core::Timestamp;

use super::exit::Status;

/// Why nobody could ever accept a signature: the time in which it would be valid is empty.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WindowFailure {
    #[error("--expires {expires} has passed already")]
    Passed { expires: Timestamp },

    #[error("--expires {expires} is not after --not-before {not_before}")]
    Reversed { not_before: Timestamp, expires: Timestamp },
}

impl WindowFailure {
    /// Returns the exit status.
    #[expect(clippy::unused_self, reason = "as all failures have it")]
    pub(crate) const fn status(&self) -> Status {
        Status::Usage
    }

    /// Says the same to who calls the library, and gave arguments instead of options.
    pub(super) fn of_call(&self) -> String {
        match self {
            Self::Passed { expires } => format!("expires: {expires} has passed already"),
            Self::Reversed { not_before, expires } => {
                format!("expires: {expires} is not after not_before, which is {not_before}")
            }
        }
    }
}
