//! Signers whose time is over, or ends soon.

use std::time::Duration;

use brine_core::Timestamp;
use brine_keys::ssh_fingerprint;
use brine_trust::{EntryState, Trust, TrustEntry};

use super::finding::{Finding, Findings};
use crate::args::trust::TrustFile;
use crate::report::console::typeable;
use crate::world::named_signer::trust_option;

/// Finds the signers who expired, and those who will within a time.
pub(super) fn check(
    (trust, file): (&Trust, &TrustFile),
    (now, within): (Timestamp, Duration),
    findings: &mut Findings,
) {
    let soon = now.unix().saturating_add(within.as_secs());
    for entry in trust.entries() {
        let Some(end) = entry.not_after() else { continue };
        let state = trust.state(entry, now);
        let subject = format!("signer {:?}", entry.name());
        match state {
            EntryState::Expired => {
                let (message, hint) = (format!("expired at {end}"), removal(trust, file, entry));
                findings.add(Finding::about(&subject, "expired", &message, &hint));
            }
            // Until then it is believed, and there is nothing to be done that everybody would want.
            EntryState::Trusted if end.unix() <= soon => {
                let message = format!("will expire at {end}, the not-after of its entry");
                findings.add(Finding::about(&subject, "expiring", &message, "").noted());
            }
            _ => {}
        }
    }
}

/// Returns the command that removes an entry, and no other of the same name.
fn removal(trust: &Trust, file: &TrustFile, entry: &TrustEntry) -> String {
    let is_namesake = |other: &&TrustEntry| other.name() == entry.name();
    let key = match trust.entries().iter().filter(is_namesake).count() {
        0 | 1 => String::new(),
        _ => format!(" --key {}", ssh_fingerprint(entry.key())),
    };
    format!("brinekey trust remove {}{key}{}", typeable(entry.name()), trust_option(file))
}
