//! Signers whose time is over, or ends soon.

use std::time::Duration;

use brine_core::Timestamp;
use brine_trust::{EntryState, Trust};

use super::finding::{Finding, Findings};

/// Finds the signers who expired, and those who will within a time.
pub(super) fn check(trust: &Trust, (now, within): (Timestamp, Duration), findings: &mut Findings) {
    let soon = now.unix().saturating_add(within.as_secs());
    for entry in trust.entries() {
        let Some(end) = entry.not_after() else { continue };
        let state = trust.state(entry, now);
        let subject = format!("signer {:?}", entry.name());
        let (problem, message) = match state {
            EntryState::Expired => ("expired", format!("expired at {end}")),
            EntryState::Trusted if end.unix() <= soon => {
                ("expiring", format!("will expire at {end}"))
            }
            _ => continue,
        };
        let name = entry.name();
        let hint = format!(
            "brinekey trust remove {name:?}, or write a later not-after into the trust file"
        );
        findings.add(Finding::about(&subject, problem, &message, &hint));
    }
}
