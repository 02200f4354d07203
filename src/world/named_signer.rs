//! From what a person calls a signer to its entries in a trust file.

use std::path::{Path, PathBuf};

use brine_core::text::all_harmless;
use brine_core::{Signer, Timestamp, VerifyingKey};
use brine_keys::{Fingerprint, read_openssh_line, ssh_fingerprint};
use brine_trust::{Authority, MAX_NAME_BYTES, Trust, TrustEntry};

use super::home::Home;
use super::named_key::{self, Named};
use super::small_files::SmallFiles;
use crate::args::trust::{TrustFile, WhichKey};
use crate::report::console::typeable;
use crate::report::similar::closest;
use crate::report::{Failure, SignerFailure};

/// A signer as a person names it: by a name, a key or a fingerprint.
#[derive(Debug)]
pub(crate) struct NamedSigner<'a> {
    /// The command line before the signer.
    command: &'static str,
    text: &'a str,
    /// `None` if the command has no option for it.
    which: Option<&'a WhichKey>,
    file: &'a TrustFile,
    /// The trust file.
    path: &'a Path,
    /// What the text stands for without the trust file. It is read before that is locked.
    elsewhere: Result<Option<Signer>, Failure>,
}

impl<'a> NamedSigner<'a> {
    pub(crate) fn new(
        command: &'static str,
        text: &'a str,
        which: Option<&'a WhichKey>,
        (file, path): (&'a TrustFile, &'a Path),
    ) -> Self {
        let elsewhere = signer_elsewhere(text, &SmallFiles::new(file.permissions));
        Self { command, text, which, file, path, elsewhere }
    }

    /// Returns the entries and the authorities that are meant, of which there is one at least.
    ///
    /// A name with several keys is refused, unless one of them or all were asked for.
    pub(crate) fn entries(
        self,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<(Vec<TrustEntry>, Vec<Authority>), Failure> {
        let missing = self.missing(trust);
        let authorities = trust.named_authorities(self.text).into_iter();
        let authorities = authorities.filter(|one| self.wants(one.key()));
        let authorities: Vec<_> = authorities.cloned().collect();
        let (entries, _signers) = self.resolve(trust, now)?;
        match entries.is_empty() && authorities.is_empty() {
            true => Err(missing.into()),
            false => Ok((entries, authorities)),
        }
    }

    /// Returns the signers that are meant, one for each key. One whose key has no entry is a signer, too.
    pub(crate) fn signers(self, trust: &Trust, now: Timestamp) -> Result<Vec<Signer>, Failure> {
        Ok(self.resolve(trust, now)?.1)
    }

    /// Returns the signer that is meant, of whom there is one, as all were not asked for.
    pub(crate) fn signer(self, trust: &Trust, now: Timestamp) -> Result<Signer, Failure> {
        let missing = self.missing(trust);
        let (_entries, signers) = self.resolve(trust, now)?;
        signers.into_iter().next().ok_or_else(|| missing.into())
    }

    /// Returns the entries, and a signer for each key.
    fn resolve(
        mut self,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<(Vec<TrustEntry>, Vec<Signer>), Failure> {
        let named = trust.named(self.text);
        // An authority has no entry among the signers, and a key that can be revoked.
        let authorities = trust.named_authorities(self.text);
        // The trust file says first what a name means.
        let elsewhere = std::mem::replace(&mut self.elsewhere, Ok(None));
        let is_here = !(named.is_empty() && authorities.is_empty());
        let elsewhere = if is_here { None } else { elsewhere? };
        let of_key = elsewhere.iter().flat_map(|signer| trust.entries_of(signer.key().id()));
        let entries = named.into_iter().chain(of_key).filter(|entry| self.wants(entry.key()));
        let entries: Vec<TrustEntry> = entries.cloned().collect();
        let mut signers: Vec<Signer> = Vec::new();
        let named = entries.iter().map(TrustEntry::signer);
        let named = named.chain(authorities.iter().map(|authority| authority.signer()));
        for signer in named.chain(&elsewhere) {
            let is_new = !signers.iter().any(|known| known.key() == signer.key());
            if is_new && self.wants(signer.key()) {
                signers.push(signer.clone());
            }
        }
        match signers.len() {
            0 => Err(self.missing(trust).into()),
            2.. if !self.which.is_some_and(|which| which.all) => {
                Err(self.several(trust, &signers, now).into())
            }
            _ => Ok((entries, signers)),
        }
    }

    /// Returns whether `--key` lets this key be meant.
    fn wants(&self, key: &VerifyingKey) -> bool {
        self.which.and_then(|which| which.key).is_none_or(|wanted| wanted.is_of(key))
    }

    fn missing(&self, trust: &Trust) -> SignerFailure {
        let names = trust.entries().iter().map(TrustEntry::name);
        let names = names.chain(trust.authorities().iter().map(Authority::name));
        SignerFailure::Missing {
            path: self.path.to_owned(),
            wanted: self.text.to_owned(),
            key: self.which.and_then(|which| which.key),
            similar: closest(self.text, names.filter(|name| *name != self.text)),
        }
    }

    /// Says which keys the name has, and what to type for each.
    fn several(&self, trust: &Trust, signers: &[Signer], now: Timestamp) -> SignerFailure {
        let fingerprints = signers.iter().map(|signer| ssh_fingerprint(signer.key()));
        let state = |signer: &Signer| {
            let entry = trust.entries_of(signer.key().id()).next();
            let authority = trust.authorities().iter().find(|one| one.signer() == signer);
            let entry = entry.or(authority.map(Authority::entry));
            entry.map_or("unknown", |entry| trust.state(entry, now).name())
        };
        let keys = signers.iter().zip(fingerprints.clone());
        let keys = keys.map(|(signer, found)| format!("{found} ({})", state(signer))).collect();
        let (command, file) = (self.command, trust_option(self.file));
        let commands = match self.which {
            Some(_) => {
                let start = format!("{command} {}{file}", typeable(self.text));
                let each = fingerprints.map(|found| format!("{start} --key {found}"));
                each.chain([format!("{start} --all")]).collect()
            }
            None => fingerprints.map(|found| format!("{command} {found}{file}")).collect(),
        };
        SignerFailure::SeveralKeys { name: self.text.to_owned(), keys, commands }
    }
}

/// Returns the trust file that is named, or the default one.
pub(crate) fn path_of(file: &TrustFile) -> Result<PathBuf, Failure> {
    file.trust.clone().map_or_else(|| Home::find().map(|home| home.trust_file()), Ok)
}

/// Returns the option that names this trust file again, where it is not the default one.
pub(crate) fn trust_option(file: &TrustFile) -> String {
    let path = file.trust.as_deref().map(Path::to_string_lossy);
    path.map(|path| format!(" --trust {}", typeable(&path))).unwrap_or_default()
}

/// Finds the key that a text stands for without a trust file, with a name for its owner: OpenSSH text, a file, or a
/// name in the key store.
fn signer_elsewhere(text: &str, files: &SmallFiles) -> Result<Option<Signer>, Failure> {
    // It may have slashes, and names no file.
    if Fingerprint::parse(text).is_ok() {
        return Ok(None);
    }
    let name = match Named::parse(text) {
        Ok(Named::OpenSsh(line)) => read_openssh_line(&line)?.1,
        Ok(Named::File(path)) => {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        }
        Ok(Named::Name(name)) => name.as_str().to_owned(),
        // Signers have names that keys cannot have.
        Ok(Named::Agent(_)) | Err(_) => return Ok(None),
    };
    let key = match named_key::verifying_key(text, files) {
        Err(Failure::NoSuchKey { .. } | Failure::NoHome) => return Ok(None),
        key => key?,
    };
    let is_name = (1..=MAX_NAME_BYTES).contains(&name.len()) && all_harmless(&name);
    let name = if is_name { name } else { ssh_fingerprint(&key) };
    Ok(Some(Signer::new(name, key)))
}
