//! Whether a person agrees to a rotation.

use std::io::ErrorKind;

use brine_core::{Clock as _, Timestamp, VerifyingKey};
use brine_keys::{Fingerprint, ssh_fingerprint};
use brine_trust::{
    Authority, KeptStatements, RotationStatement, StatementError, Successors, Trust, TrustEntry,
};

use super::incoming::Incoming;
use crate::args::trust::TrustUpdate;
use crate::report::console::printable;
use crate::report::{Failure, SignerFailure};
use crate::verbs::trust::limits;
use crate::world::clock::Moment;
use crate::world::passphrase::{ask_openly, has_terminal};

/// The rotations to which a person has agreed, each with what it adds to the trust file.
pub(super) struct Agreed {
    rotations: Vec<(RotationStatement, Successors)>,
    expected: Option<Fingerprint>,
}

impl Agreed {
    /// Asks about each rotation that holds, unless the fingerprint of its key was typed. Refuses those of one key that
    /// contradict each other, or what was followed before.
    pub(super) fn ask(
        args: &TrustUpdate,
        incoming: &mut [Incoming],
        trust: &Trust,
        kept: &KeptStatements,
    ) -> Result<Self, Failure> {
        let now = Moment::System.now()?;
        for one in incoming.iter_mut().filter(|one| one.is_open()) {
            let Some(rotation) = one.rotation() else { continue };
            let is_known = one.statement.as_ref().is_some_and(|found| kept.contains(found));
            if is_known && !is_to_follow_again(rotation, trust) {
                one.end_known(trust);
                continue;
            }
            one.judge(trust, now);
            // One of two successors is refused before anybody is asked.
            if one.is_open()
                && let Err(failure) = one.keep(&mut kept.clone(), trust, now)
            {
                one.end(Err(failure));
            }
        }
        refuse_contradicting(incoming);
        let open = incoming.iter().filter(|one| one.is_open());
        let open: Vec<_> = open.filter_map(|one| Some((one.rotation()?, one.signer()?))).collect();
        let mut agreed = Self { rotations: Vec::new(), expected: args.expect };
        for (rotation, signer) in &open {
            let successors = trust.successors(rotation, now);
            let is_agreed = match &agreed.expected {
                // Nothing new would be believed.
                _ if successors.are_in(trust) => true,
                Some(expected) => {
                    let mut to_same = open.iter().filter(|(other, _)| other.to() == rotation.to());
                    // Whoever knows whose key it is has not agreed that it is somebody else's, too.
                    expected.is_of(rotation.to())
                        && to_same.all(|(other, _)| other.from() == rotation.from())
                        && is_nobody_else(rotation.to(), &successors, trust)
                }
                None => has_terminal() && does_agree(signer, &successors, rotation, now)?,
            };
            if is_agreed {
                agreed.rotations.push(((*rotation).clone(), successors));
            }
        }
        Ok(agreed)
    }

    /// Refuses a rotation that nobody has agreed to.
    pub(super) fn judge(
        &self,
        one: &mut Incoming,
        rotation: &RotationStatement,
        successors: &Successors,
    ) {
        let mut rotations = self.rotations.iter();
        if !one.is_open()
            || rotations.any(|(agreed, added)| agreed == rotation && added == successors)
        {
            return;
        }
        let failure = match self.expected.filter(|expected| !expected.is_of(rotation.to())) {
            Some(expected) => {
                let found = expected.same_form(rotation.to());
                SignerFailure::OtherFingerprint { expected, found }
            }
            None => SignerFailure::Unfollowed {
                name: one.signer().unwrap_or_default().to_owned(),
                fingerprint: ssh_fingerprint(rotation.to()),
            },
        };
        one.end(Err(failure.into()));
    }
}

/// Refuses all rotations of a key that has two successors: one of them may be a thief's.
fn refuse_contradicting(incoming: &mut [Incoming]) {
    let verified = incoming.iter().filter(|one| one.verified.is_some());
    let rotations: Vec<_> = verified.filter_map(|one| one.rotation().cloned()).collect();
    for one in incoming.iter_mut() {
        let Some(rotation) = one.rotation() else { continue };
        let contradicts = |other: &RotationStatement| {
            other.from() == rotation.from() && other.to() != rotation.to()
        };
        if rotations.iter().any(contradicts) && one.is_open() {
            one.refuse(StatementError::Conflict { what: "one key has two successors" });
        }
    }
}

/// Returns whether a key is trusted as nobody but those whose successor it is to be.
fn is_nobody_else(key: &VerifyingKey, successors: &Successors, trust: &Trust) -> bool {
    let is_expected = |name: &str| {
        let mut names = successors.entries.iter().map(TrustEntry::name);
        let mut authorities = successors.authorities.iter().map(Authority::name);
        names.any(|expected| expected == name) || authorities.any(|expected| expected == name)
    };
    let authorities = trust.authorities().iter().filter(|one| one.key() == key);
    let mut names =
        trust.entries_of(key.id()).map(TrustEntry::name).chain(authorities.map(Authority::name));
    names.all(is_expected)
}

/// Returns whether a rotation that was followed would add its key again: somebody has taken that out.
fn is_to_follow_again(rotation: &RotationStatement, trust: &Trust) -> bool {
    let has = |key: &VerifyingKey| {
        trust.entries_of(key.id()).next().is_some()
            || trust.authorities().iter().any(|authority| authority.key() == key)
    };
    has(rotation.from()) && !has(rotation.to())
}

/// Asks a person. No answer is none.
fn does_agree(
    signer: &str,
    successors: &Successors,
    rotation: &RotationStatement,
    now: Timestamp,
) -> Result<bool, Failure> {
    let signer = printable(signer);
    let with_limits = |name: &str, limits: String| {
        format!("  as    {}  {limits}\n", printable(name)).replace("  \n", "\n")
    };
    let entries = successors.entries.iter();
    let entries = entries.map(|entry| with_limits(entry.name(), limits(entry, now)));
    let authorities = successors.authorities.iter().map(|one| {
        let certifies = format!("certifies {}", printable(one.principals().as_str()));
        with_limits(one.name(), format!("{certifies}  {}", limits(one.entry(), now)))
    });
    let added: String = entries.chain(authorities).collect();
    let (old, new) = (ssh_fingerprint(rotation.from()), ssh_fingerprint(rotation.to()));
    let aloud = Fingerprint::ssh(rotation.to()).grouped();
    let typed = ask_openly(&format!(
        "{signer} announces a new key, to be trusted beside the old one\n{added}  old   {old}\n  new   {new}\n  \
         aloud {aloud}\nWhoever has stolen the old key can announce one, too: compare the new fingerprint with one \
         that you got from its owner in another way.\nType yes to trust the new key: ",
    ));
    match typed {
        Err(Failure::Io { source, .. }) if source.kind() == ErrorKind::UnexpectedEof => Ok(false),
        typed => Ok(typed?.trim() == "yes"),
    }
}
