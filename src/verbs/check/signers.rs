//! Signers whose time is over, or ends soon, and authorities whose list of revoked keys is too old.

use std::time::Duration;

use brine_core::Timestamp;
use brine_keys::ssh_fingerprint;
use brine_trust::{EntryState, StatedList, Trust, TrustEntry};

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
    check_lists(trust, (now, soon), findings);
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

/// Finds those whose list of revoked keys has expired, or will, so that nobody whom they certify is believed.
fn check_lists(trust: &Trust, (now, soon): (Timestamp, u64), findings: &mut Findings) {
    let hint = "get its newest list, and take it with: brinekey trust update FILE";
    let authorities = trust.authorities().iter();
    let authorities = authorities.map(|one| ("authority", one.entry(), one.needs_revocations()));
    let signers = trust.entries().iter().filter(|entry| entry.may_issue());
    let issuers = authorities.chain(signers.map(|entry| ("signer", entry, false)));
    for (sort, entry, needs_list) in issuers {
        if trust.state(entry, now) != EntryState::Trusted {
            continue;
        }
        let subject = format!("{sort} {:?}", entry.name());
        let list = trust.list_by(entry.key().id());
        match list.and_then(StatedList::expires) {
            Some(end) if end <= now => {
                let message = format!(
                    "its list of revoked keys expired at {end}, so that nobody whom it certifies is believed"
                );
                findings.add(Finding::about(&subject, "list-expired", &message, hint));
            }
            Some(end) if end.unix() <= soon => {
                let message = format!("its list of revoked keys will expire at {end}");
                findings.add(Finding::about(&subject, "list-expiring", &message, hint).noted());
            }
            None if list.is_none() && needs_list => {
                let message = "no list of what it revokes is here, so that nobody whom it certifies is believed";
                findings.add(Finding::about(&subject, "list-missing", message, hint));
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
