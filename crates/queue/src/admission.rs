//! Whether a message that has verified is to be handled.

use std::time::Duration;

use brine_core::{Class, Classified as _};
use brine_records::{ReplayError, Reservation};

use crate::source::POSTPONED;

/// When a message is looked at again that another consumer is about to handle.
pub(crate) const BUSY: Duration = Duration::from_secs(1);

/// What the ledger of a queue says of a message that has verified.
#[derive(Debug)]
#[must_use = "a lease that is not committed blocks the record until it runs out"]
pub enum Admission<L> {
    /// Nobody has handled it, and the caller is to. The lease is committed, or given back.
    Handle(L),
    /// It stays queued, and is looked at again when this has passed.
    Later(Duration, ReplayError),
    /// It cannot be told from others, and becomes a dead letter.
    Refused(ReplayError),
    /// It was handled, or begun: the message is acknowledged and dropped, unless it is the one that was begun.
    Repeated,
}

impl<L> Admission<L> {
    /// Returns what is to be done with a message by what its ledger says.
    ///
    /// # Errors
    ///
    /// A failure of the ledger. It says nothing about the message.
    pub fn of(reserved: Reservation<L>) -> Result<Self, ReplayError> {
        Ok(match reserved {
            Reservation::Fresh(lease) => Self::Handle(lease),
            Reservation::Replayed | Reservation::Twin { .. } => Self::Repeated,
            Reservation::Busy { until } => Self::Later(BUSY, ReplayError::Busy { until }),
            Reservation::Refused(error) if error.may_pass() => Self::Later(POSTPONED, error),
            Reservation::Refused(error) if error.class() == Class::System => return Err(error),
            Reservation::Refused(error) => Self::Refused(error),
        })
    }
}

/// Returns when a message is looked at again whose signature held, and which was refused for this
/// [reason](brine_core::Classified::reason) because it is not valid yet; `None` for all other reasons.
#[must_use]
pub fn valid_later(reason: &str) -> Option<Duration> {
    (reason == "not-yet-valid").then_some(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use brine_core::Timestamp;

    use super::*;

    /// What an admission is called, and the reason that it has.
    fn told(reserved: Reservation<u8>) -> (&'static str, &'static str) {
        match Admission::of(reserved) {
            Ok(Admission::Handle(7)) => ("handle", ""),
            Ok(Admission::Handle(_)) => ("another lease", ""),
            Ok(Admission::Later(BUSY, error)) => ("soon", error.reason()),
            Ok(Admission::Later(POSTPONED, error)) => ("much later", error.reason()),
            Ok(Admission::Later(..)) => ("at another time", ""),
            Ok(Admission::Refused(error)) => ("refused", error.reason()),
            Ok(Admission::Repeated) => ("repeated", ""),
            Err(error) => ("no answer", error.reason()),
        }
    }

    #[test]
    fn each_answer_of_a_ledger_has_its_end() {
        let at = Timestamp::from_unix(0).unwrap();
        assert_eq!(told(Reservation::Fresh(7)), ("handle", ""));
        assert_eq!(told(Reservation::Replayed), ("repeated", ""));
        assert_eq!(told(Reservation::Twin { of: 0 }), ("repeated", ""));
        assert_eq!(told(Reservation::Busy { until: at }), ("soon", "replay-busy"));
        for (error, end) in [
            (ReplayError::Unknown { at, from: at }, "much later"),
            (ReplayError::ExpiryMissing, "refused"),
            (ReplayError::LeaseLost, "no answer"),
        ] {
            let reason = error.reason();
            assert_eq!(told(Reservation::Refused(error)), (end, reason));
        }
    }
}
