//! Hints about policies, and about jobs that one does not allow.

use brine_job::{Grant, LogicalPath, PolicyError, PolicyFileError};

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
pub(super) fn of_policy(error: &PolicyError) -> Option<String> {
    let hint = match error {
        PolicyError::Ambiguous { .. } => {
            "exactly one entry may be for a job: give one of the two other contexts or content-types"
        }
        PolicyError::CommandGiven { .. } => "leave out the command after --",
        PolicyError::NoEntry { .. } => {
            "the policy names whom it is for: [[allow]] with signers, contexts and content-types"
        }
        PolicyError::NoPolicy { .. } => {
            "\"--policy FILE\" says what jobs may have; \"brine inspect\" shows all that this one asks for"
        }
        PolicyError::NoProgram => "say what to run: \"brine run FILE -- CMD\"",
        PolicyError::NotAllowed { grant } => return of_grant(grant),
        PolicyError::Arguments { alias, .. } => {
            return Some(in_entry(&format!(
                "a list of these arguments below interpreters.{}.arguments",
                key_of(alias.as_str())
            )));
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Returns what in a policy allows a grant.
fn of_grant(grant: &Grant) -> Option<String> {
    let (key, value) = match grant {
        Grant::Environment(name) => ("environment", format!("{{ {name} = \"VALUE\" }}")),
        Grant::Format(format) => ("formats", format!("[{:?}]", format.name())),
        Grant::Power(name) => ("powers", format!("[{:?}]", name.as_str())),
        Grant::Read(path) => ("read", root_of(path)),
        Grant::Reply(queue) => ("replies", format!("[{:?}]", queue.as_str())),
        Grant::Run(alias) => {
            ("interpreters", format!("{{ {} = {{ path = \"/PATH\" }} }}", key_of(alias.as_str())))
        }
        Grant::Tcp(port) => ("ports", format!("[{port}]")),
        Grant::Write(path) => ("write", root_of(path)),
        // These are refused in other ways.
        Grant::Argument(_) | Grant::Limit(..) => return None,
    };
    Some(in_entry(&format!("{key} = {value}")))
}

fn in_entry(what: &str) -> String {
    format!("{what} in the entry of the policy allows it; \"man 5 policy.toml\" has every key")
}

/// Returns a root for a path, as a policy defines it.
fn root_of(path: &LogicalPath) -> String {
    let root = path.as_str().split('/').next().unwrap_or_default();
    format!("{{ {} = \"/PATH\" }}", key_of(root))
}

/// Returns a name as a key of TOML.
fn key_of(name: &str) -> String {
    match name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        true => name.to_owned(),
        false => format!("{name:?}"),
    }
}

/// The keys of a policy, apart from limits.
const POLICY_KEYS: [&str; 21] = [
    "allow",
    "arguments",
    "content-types",
    "contexts",
    "defaults",
    "environment",
    "exec-scratch",
    "formats",
    "interpreters",
    "json-schema",
    "limits",
    "path",
    "pickle-imports",
    "ports",
    "powers",
    "read",
    "replies",
    "sha256",
    "signers",
    "system",
    "write",
];
