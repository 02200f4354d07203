//! What to do about an agent, and about what it does not sign.

use crate::report::AgentFailure;

/// Returns what to do about an agent, by the short name of what is wrong.
pub(super) fn of_reason(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "agent-absent" => {
            "\"eval $(ssh-agent)\" starts one and sets SSH_AUTH_SOCK, and \"ssh-add FILE\" gives it a key"
        }
        "agent-hung-up" | "agent-io" | "agent-malformed" => {
            "SSH_AUTH_SOCK must name the socket of an agent; \"ssh-add -l\" shows whether it answers"
        }
        "agent-key-certificate" => {
            "name the key that it certifies, which \"ssh-add -l\" shows, too"
        }
        "agent-key-fido" => {
            "its device signs a message only together with data of its own, which no envelope has: use a key from \
             \"ssh-keygen -t ed25519\""
        }
        "agent-key-missing" => {
            "\"ssh-add FILE\" adds one; a locked agent shows none, and \"ssh-add -X\" unlocks it"
        }
        "agent-key-type" => "only Ed25519 keys sign: \"ssh-keygen -t ed25519\" makes one",
        "agent-late" => {
            "it may wait for somebody to confirm, or for a password; \"ssh-add -l\" shows whether it answers"
        }
        "agent-refused" => {
            "it may be locked (\"ssh-add -X\" unlocks it), the key may be gone (\"ssh-add -l\" shows which there \
             are), or nobody confirmed that it may sign"
        }
        "agent-several-keys" => "name one by its fingerprint, as in agent:SHA256:...",
        "agent-signature" => {
            "nothing was signed: what answers at SSH_AUTH_SOCK has another key, or is broken"
        }
        "signing-too-large" => {
            "an agent signs up to 256 KiB at once, and a key in a file any size; without --single, --armor and \
             --plain, the input becomes a stream of any size; --detached signs the digest of a large file; \
             --limit output=128KiB keeps results small"
        }
        _ => return None,
    })
}

/// Says of a public key that its private half may be in an agent, and why that did not help.
pub(super) fn of_public_half(why: &AgentFailure) -> &'static str {
    match why.reason() {
        "agent-absent" => "an agent may hold the private one, if SSH_AUTH_SOCK names one that runs",
        "agent-key-missing" => "the agent does not hold the private one: \"ssh-add FILE\" adds it",
        _ => {
            "the private one may be in the agent, which did not say: \"ssh-add -l\" shows what it holds"
        }
    }
}
