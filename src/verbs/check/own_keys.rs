//! Keys of the key store: who can read them, and whether their halves fit.

use std::io::ErrorKind;

use brine_core::{Timestamp, VerifyingKey};
use brine_keys::is_encrypted;
use brine_trust::{EntryState, Trust};

use super::finding::{Finding, Findings};
use crate::report::console::typeable_path;
use crate::report::{Failure, KeepingFailure};
use crate::world::home::{Home, KeyName};
use crate::world::named_key;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;

/// Finds what is wrong with the keys of the store, and returns how many there are.
pub(super) fn check(
    home: &Home,
    trust: Option<&Trust>,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<usize, Failure> {
    let names = named_key::names_in_store(home)?;
    for name in &names {
        OwnKey { home, name }.check((trust, now), findings);
    }
    Ok(names.len())
}

/// One key.
struct OwnKey<'a> {
    home: &'a Home,
    name: &'a KeyName,
}

impl OwnKey<'_> {
    fn check(&self, (trust, now): (Option<&Trust>, Timestamp), findings: &mut Findings) {
        let public = self.public_half(findings);
        let Some(bytes) = self.private_half(findings) else { return };
        let name = self.name.as_str();
        if is_encrypted(&bytes) == Ok(false) {
            let hint = format!("brinekey passwd {name}");
            findings.add(self.finding("unencrypted", "is not encrypted", &hint).noted());
        }
        // The public half of some encrypted files is encrypted, too.
        let own = brine_keys::read_public(&bytes).ok();
        let path = self.home.private_key(self.name);
        // Nothing is redirected into the key store.
        let anew = format!(
            "brinekey pub {} > {name}.pub && mv {name}.pub {}",
            typeable_path(&path),
            typeable_path(&self.home.public_key(self.name))
        );
        match (&own, &public) {
            (Some(own), Some(public)) if own != public => {
                let what = "has a public half of another key";
                findings.add(self.finding("halves-differ", what, &anew));
            }
            (Some(_), None) => {
                let what = "has no public half that can be read";
                findings.add(self.finding("public-half-missing", what, &anew));
            }
            (None, None) => {
                let what = "has no public half that can be read, and the private one is encrypted";
                findings.add(self.finding("public-half-missing", what, ""));
            }
            _ => {}
        }
        if let (Some(key), Some(trust)) = (own.or(public), trust) {
            self.standing(&key, (trust, now), findings);
        }
    }

    /// Returns the public half, and says if others may write it.
    fn public_half(&self, findings: &mut Findings) -> Option<VerifyingKey> {
        let path = self.home.public_key(self.name);
        match named_key::read_public(&path, &SmallFiles::default()) {
            Ok(key) => return Some(key),
            Err(failure @ Failure::Keeping(KeepingFailure::Exposed { .. })) => {
                findings.add(Finding::of(&path, "writable-by-others", &failure));
            }
            Err(Failure::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(failure) => findings.add(Finding::of(&path, "unreadable", &failure)),
        }
        named_key::read_public(&path, &SmallFiles::new(PermissionRule::Waived)).ok()
    }

    /// Returns the private half if there is one, and says if others may read it.
    fn private_half(&self, findings: &mut Findings) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let path = self.home.private_key(self.name);
        match named_key::read_exposed(&path, PermissionRule::Strict) {
            Ok((bytes, exposed)) => {
                if let Some(failure) = exposed {
                    findings.add(Finding::of(&path, "readable-by-others", &failure));
                }
                if let Err(error) = is_encrypted(&bytes) {
                    findings.add(Finding::of(&path, "unreadable", &error.into()));
                    return None;
                }
                return Some(bytes);
            }
            Err(Failure::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(failure) => findings.add(Finding::of(&path, "unreadable", &failure)),
        }
        None
    }

    /// Says what the trust file has of a key that can sign.
    fn standing(
        &self,
        key: &VerifyingKey,
        (trust, now): (&Trust, Timestamp),
        findings: &mut Findings,
    ) {
        let name = self.name.as_str();
        let mut entries = trust.entries_of(key.id());
        match entries.next().map(|entry| trust.state(entry, now)) {
            Some(EntryState::Revoked) => {
                let hint = format!("brinekey remove {name}");
                findings.add(self.finding(
                    "revoked",
                    "is revoked, and still here to sign with",
                    &hint,
                ));
            }
            None => {
                let what =
                    "is not in the trust file: nobody who uses it believes what this key signs";
                let hint = format!("brinekey trust add {name} {name}");
                findings.add(self.finding("unused", what, &hint).noted());
            }
            Some(_) => {}
        }
    }

    fn finding(&self, problem: &'static str, message: &str, hint: &str) -> Finding {
        Finding::about(&format!("key {:?}", self.name.as_str()), problem, message, hint)
    }
}
