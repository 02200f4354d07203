//! What became of statements, as it is told.

use std::collections::HashSet;

use brine_core::KeyId;
use brine_keys::ssh_fingerprint;
use brine_trust::{RevocationStatement, RevokedKey, Said, Taken};

use super::incoming::{Done, Incoming};
use crate::report::console::{note, printable, remark, typeable};
use crate::report::statement_facts::{StatementLine, revoked_phrase, until};

impl Done {
    /// Returns what it is called for programs.
    const fn outcome(&self) -> &'static str {
        match self {
            Self::Followed(_) => "followed",
            Self::Known => "known",
            Self::Superseded => "superseded",
            Self::Taken(_) => "taken",
        }
    }
}

impl Incoming {
    /// Describes it for programs.
    pub(super) fn line(&self) -> StatementLine {
        let (statement, signer) = (self.statement.as_ref(), self.signer());
        let line = |outcome| StatementLine::new(outcome, statement, signer, Some(&self.path));
        match &self.result {
            Ok(Some(done)) => line(done.outcome()),
            // Something went wrong before it was its turn.
            Ok(None) => line("passed-over"),
            Err(failure) => line("refused").because(failure.reason(), failure.to_string()),
        }
    }

    /// Says to a person what is refused or believed now.
    pub(super) fn tell(&self, trust_option: &str) {
        let (Some(statement), Ok(Some(done))) = (&self.statement, &self.result) else { return };
        let name = self.signer().unwrap_or_default();
        let signer = printable(name);
        match (done, statement.said()) {
            (Done::Taken(taken), Said::Revocation(list)) => {
                let count = list.keys().len();
                let keys = if count == 1 { "key" } else { "keys" };
                let (number, end) = (list.number(), until(statement.expires()));
                note(&format!("took list {number} of {signer}{end}: {count} {keys}"));
                tell_new_keys(list, taken);
                for name in &self.still_believed {
                    let name = printable(name);
                    remark(&format!(
                        "warning: {name} is believed all the same: {signer} may not vouch for that name"
                    ));
                }
                if matches!(taken, Taken::First) && statement.expires().is_some() {
                    note("it is the first list of this signer here; a newer one may exist");
                }
            }
            (Done::Followed(names), Said::Rotation(rotation)) => {
                let (old, new) = (ssh_fingerprint(rotation.from()), ssh_fingerprint(rotation.to()));
                let all = printable(&names.join(" and "));
                note(&format!("{new} is now trusted as {all}; the old key still is, too"));
                note("once nothing signed with the old key is in use:");
                for name in names {
                    let name = typeable(name);
                    note(&format!("  brinekey trust remove {name}{trust_option} --key {old}"));
                }
            }
            (Done::Superseded, Said::Revocation(list)) => {
                note(&format!("list {} of {signer} is passed over for a newer one", list.number()));
            }
            (_, Said::Revocation(list)) => {
                note(&format!("list {} of {signer} was taken before", list.number()));
            }
            (_, Said::Rotation(_)) => {
                note(&format!("the rotation of {signer} adds nothing: its key is trusted already"))
            }
        }
    }
}

/// Says which keys were not on the list before: no more than a person reads.
fn tell_new_keys(list: &RevocationStatement, taken: &Taken) {
    let before: HashSet<KeyId> = match taken {
        Taken::Replaced(before) => before.keys().iter().map(RevokedKey::id).collect(),
        Taken::First | Taken::Known => HashSet::new(),
    };
    let new: Vec<_> = list.keys().iter().filter(|key| !before.contains(&key.id())).collect();
    for key in new.iter().take(MOST_TOLD) {
        note(&format!("  revokes {}", printable(&revoked_phrase(key))));
    }
    match new.len().saturating_sub(MOST_TOLD) {
        0 => {}
        more => note(&format!("  and {more} more")),
    }
}

/// How many revoked keys are told one by one.
const MOST_TOLD: usize = 20;
