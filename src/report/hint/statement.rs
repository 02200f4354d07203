//! Hints about statements.

use brine_trust::StatementError;

/// Returns the hint of a statement that is refused, but for what its envelope says.
pub(super) const fn of_statement(error: &StatementError) -> Option<&'static str> {
    Some(match error {
        StatementError::Conflict { .. } => {
            "follow neither before its owner has said which one is true, by another way"
        }
        StatementError::Issuer { .. } => {
            "an authority of the trust file revokes the keys of others, and so does a signer with may-issue"
        }
        StatementError::NoEnd => {
            "\"brinekey revoke --with CA --for 30d\" makes a list with an expiry"
        }
        StatementError::Older { .. } => "ask its signer for the newest one",
        StatementError::TakesBack { .. } => {
            "its signer has to go on with the list that was given out last; \"brinekey revoke\" reads it from its file"
        }
        StatementError::Version { .. } => "a newer brine may know it",
        _ => return None,
    })
}
