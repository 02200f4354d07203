//! Fingerprints as people compare them: whole, and in groups for reading aloud.

use brine_core::VerifyingKey;
use brine_keys::Fingerprint;

use crate::report::console::note;

/// Tells a person the fingerprint of a key.
pub(super) fn tell(key: &VerifyingKey) {
    let fingerprint = Fingerprint::ssh(key);
    note(&format!("fingerprint {fingerprint}"));
    note(&format!("  aloud     {}", fingerprint.grouped()));
}

/// Writes both fingerprints of a key on four lines.
pub(super) fn page(key: &VerifyingKey) -> String {
    let ssh = Fingerprint::ssh(key);
    let id = key.id();
    format!(
        "key id      {id}\n  aloud     {}\nfingerprint {ssh}\n  aloud     {}\n",
        id.grouped(),
        ssh.grouped(),
    )
}
