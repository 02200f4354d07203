//! Whether a person agrees to a rotation.

use brine_core::text::quoted;
use brine_core::{Clock as _, KeyId};
use brine_keys::{Fingerprint, ssh_fingerprint};
use brine_trust::{RotationStatement, StatementError, Trust};

use super::incoming::Incoming;
use crate::args::trust::TrustUpdate;
use crate::report::console::printable;
use crate::report::{Failure, SignerFailure};
use crate::world::clock::Moment;
use crate::world::passphrase::{ask_openly, has_terminal};

/// The successors that a person has agreed to.
pub(super) struct Agreed {
    keys: Vec<KeyId>,
    expected: Option<Fingerprint>,
}

impl Agreed {
    /// Asks about each rotation that holds, unless the fingerprint of its key was typed. Refuses those of one key that
    /// contradict each other.
    pub(super) fn ask(
        args: &TrustUpdate,
        incoming: &mut [Incoming],
        trust: &Trust,
    ) -> Result<Self, Failure> {
        let mut agreed = Self { keys: Vec::new(), expected: args.expect };
        let now = Moment::System.now()?;
        incoming.iter_mut().filter(|one| one.rotation().is_some()).for_each(|one| {
            one.judge(trust, now);
        });
        refuse_contradicting(incoming);
        for one in incoming.iter().filter(|one| one.result.is_ok()) {
            let (Some(rotation), Some(signer)) = (one.rotation(), one.signer()) else { continue };
            let is_there = trust.successors(rotation, now).are_in(trust);
            let is_agreed = match &agreed.expected {
                Some(expected) => expected.is_of(&rotation.to),
                None if is_there => false,
                None => has_terminal() && does_agree(signer, rotation)?,
            };
            if is_agreed {
                agreed.keys.push(rotation.to.id());
            }
        }
        Ok(agreed)
    }

    /// Refuses a rotation that nobody has agreed to.
    pub(super) fn judge(&self, one: &mut Incoming, rotation: &RotationStatement) {
        if self.keys.contains(&rotation.to.id()) {
            return;
        }
        let failure = match self.expected {
            Some(expected) => {
                let found = expected.same_form(&rotation.to);
                SignerFailure::OtherFingerprint { expected, found }
            }
            None => SignerFailure::Unfollowed {
                name: one.signer().unwrap_or_default().to_owned(),
                fingerprint: ssh_fingerprint(&rotation.to),
            },
        };
        one.fail(failure.into());
    }
}

/// Refuses all rotations of a key that has two successors: one of them may be a thief's.
fn refuse_contradicting(incoming: &mut [Incoming]) {
    let verified = incoming.iter().filter(|one| one.signer().is_some());
    let rotations: Vec<_> = verified.filter_map(|one| one.rotation().cloned()).collect();
    for one in incoming.iter_mut() {
        let Some(rotation) = one.rotation() else { continue };
        let contradicts =
            |other: &RotationStatement| other.from == rotation.from && other.to != rotation.to;
        if rotations.iter().any(contradicts) && one.result.is_ok() {
            one.refuse(StatementError::Conflict { what: "one key has two successors" });
        }
    }
}

/// Asks a person.
fn does_agree(signer: &str, rotation: &RotationStatement) -> Result<bool, Failure> {
    let (old, new) = (ssh_fingerprint(&rotation.from), ssh_fingerprint(&rotation.to));
    let aloud = Fingerprint::ssh(&rotation.to).grouped();
    let typed = ask_openly(&format!(
        "{} goes from the key {old}\nto the key {new}\n  aloud {aloud}\n\
         Whoever has stolen the old key can say so, too: compare the new fingerprint with what its owner says.\n\
         Type yes to trust the new key as {}: ",
        printable(signer),
        quoted(signer),
    ))?;
    Ok(typed.trim() == "yes")
}
