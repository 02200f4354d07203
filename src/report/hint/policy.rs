//! Hints about policies, and about jobs that one does not allow.

use brine_job::{PolicyError, PolicyFileError};

use crate::report::similar::closest;

/// Returns which key may have been meant, or where all of them are described.
pub(super) fn of_policy_file(error: &PolicyFileError) -> String {
    let similar = match error {
        PolicyFileError::UnknownKey { key, .. } => closest(key, POLICY_KEYS.into_iter()),
        _ => None,
    };
    match similar {
        Some(similar) => format!("did you mean {similar:?}?"),
        None => "\"man 5 policy.toml\" has every key".to_owned(),
    }
}

/// Returns what to type next where a policy refuses a job.
pub(super) const fn of_policy(error: &PolicyError) -> Option<&'static str> {
    Some(match error {
        PolicyError::CommandGiven { .. } => "leave out the command after --",
        PolicyError::NoEntry { .. } => {
            "the policy names whom it is for: [[allow]] with signers, contexts and content-types"
        }
        PolicyError::NoPolicy { .. } => {
            "\"--policy FILE\" says what jobs may have; \"brine inspect\" shows all that this one asks for"
        }
        PolicyError::NoProgram => "say what to run: \"brine run FILE -- CMD\"",
        PolicyError::NotAllowed { .. } | PolicyError::Arguments { .. } => {
            "\"brine inspect\" shows all that it asks for"
        }
        _ => return None,
    })
}

/// The keys of a policy, apart from limits.
const POLICY_KEYS: [&str; 18] = [
    "allow",
    "arguments",
    "content-types",
    "contexts",
    "defaults",
    "environment",
    "formats",
    "interpreters",
    "json-schema",
    "limits",
    "path",
    "pickle-imports",
    "ports",
    "read",
    "sha256",
    "signers",
    "system",
    "write",
];
