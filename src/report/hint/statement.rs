//! Hints about statements.

use brine_core::{Error, FormError, Untrusted};
use brine_trust::StatementError;

/// Returns the hint of a statement that is refused, if there is one of its own.
pub(super) const fn of_statement(error: &StatementError) -> Option<&'static str> {
    Some(match error {
        StatementError::Conflict { .. } => "trust neither before its owner has said which is right",
        StatementError::Envelope(Error::Form(FormError::NotAnEnvelope { .. })) => {
            "\"brinekey revoke\" and \"brinekey rotate\" make statements"
        }
        StatementError::Envelope(Error::Trust(Untrusted::Unknown { .. })) => {
            "the trust file names neither that key nor an authority that certified it, so that it has no say here"
        }
        StatementError::Issuer { .. } => {
            "only an [[authority]] or a signer with may-issue can revoke other keys"
        }
        StatementError::NoEnd => {
            "\"brinekey revoke --with CA --for 30d\" makes a list with an expiry"
        }
        StatementError::Older { .. } => "ask its signer for the newest one",
        StatementError::Number { .. } => "the clock of its signer, or the one here, is wrong",
        StatementError::TakesBack { .. } => {
            "its signer must continue the list that was given out last: \"brinekey revoke\" reads it from its file"
        }
        StatementError::Version { .. } => "a newer brine may know it",
        _ => return None,
    })
}
