//! From what names a private key to what signs with it: a file, or an agent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brine_core::{Certificates, SigningBackend, SigningKey, VerifyingKey};
use brine_keys::{Fingerprint, HeldKey, KeyFileError, read_openssh_line};

use super::agent::{self, HeldAgentKey};
use super::certificate_file::{CertificateFile, Warn, held_certificate};
use super::certified_key::CertifiedKey;
use super::clock;
use super::home::Home;
use super::named_key::{self, Named, in_file, opened, read_exposed, store_path, warning_of};
use super::passphrase::Source;
use super::permissions::PermissionRule;
use super::small_files::SmallFiles;
use crate::report::{AgentFailure, Failure, console};

/// Something that signs, wherever its key is.
pub(crate) type SharedSigner = Arc<dyn SigningBackend>;

/// Where a private key is.
#[derive(Debug)]
pub(crate) enum KeyPlace {
    /// In the agent, under this name.
    Agent(String),
    /// In a file. If that holds a public key, the private half may be in the agent.
    File(PathBuf),
    /// In the agent, if anywhere: this is the public half, or its file.
    Public(PublicHalf, Box<Failure>),
}

/// A public key, as far as it was read.
#[derive(Debug)]
pub(crate) enum PublicHalf {
    File(PathBuf),
    Key(Box<VerifyingKey>),
}

impl KeyPlace {
    /// Finds out what a person names.
    pub(crate) fn find(text: &str) -> Result<Self, Failure> {
        match Named::parse(text)? {
            Named::Agent(name) => Ok(Self::Agent(name)),
            Named::File(path) => Ok(Self::File(path)),
            Named::Name(name) => match store_path(&name, Home::private_key) {
                Err(missing @ Failure::NoSuchKey { .. }) => {
                    let Ok(public) = store_path(&name, Home::public_key) else {
                        return Err(missing);
                    };
                    Ok(Self::Public(PublicHalf::File(public), missing.into()))
                }
                found => found.map(Self::File),
            },
            Named::OpenSsh(line) => {
                let key = PublicHalf::Key(Box::new(read_openssh_line(&line)?.0));
                Ok(Self::Public(key, Box::new(KeyFileError::PrivateExpected.into())))
            }
        }
    }

    /// Returns the file that is read, if one is.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Public(PublicHalf::File(path), _) => Some(path),
            Self::Agent(_) | Self::Public(PublicHalf::Key(_), _) => None,
        }
    }

    /// Opens the key, with the certificates that are beside its file, or those that the agent holds. Of a file that is
    /// encrypted, the passphrase is asked for.
    pub(crate) fn open(
        self,
        passphrases: &Source,
        rule: impl Into<PermissionRule>,
    ) -> Result<SharedSigner, Failure> {
        Ok(self.open_warning(passphrases, rule, &mut console::warn)?.signer())
    }

    /// Does the same, and `warn` gets the warnings.
    pub(crate) fn open_warning(
        self,
        passphrases: &Source,
        rule: impl Into<PermissionRule>,
        warn: Warn<'_>,
    ) -> Result<OpenedKey, Failure> {
        let rule = rule.into();
        let file = self.file().map(Path::to_owned);
        let BareKey { key, held } = self.open_bare(passphrases, rule, warn)?;
        let (files, now) = (SmallFiles::new(rule), clock::read()?);
        let public = key.verifying_key();
        let beside = file.as_deref();
        let beside =
            beside.map(|file| CertificateFile::usable_beside(file, public, &files, now, warn));
        let certificates = match beside.transpose()?.flatten() {
            None => held_certificate(&held, now, warn),
            beside => beside,
        };
        Ok(OpenedKey { key, certificates })
    }

    /// Opens the key without its certificates.
    pub(crate) fn open_bare(
        self,
        passphrases: &Source,
        rule: PermissionRule,
        warn: Warn<'_>,
    ) -> Result<BareKey, Failure> {
        match self {
            Self::Agent(name) => in_agent(&name, &SmallFiles::new(rule)),
            Self::File(path) => in_file_or_agent(&path, passphrases, rule, warn),
            Self::Public(PublicHalf::Key(key), today) => private_half(&key, *today),
            Self::Public(PublicHalf::File(path), today) => {
                private_half(&named_key::read_public(&path, &SmallFiles::new(rule))?, *today)
            }
        }
    }
}

/// A key that signs, wherever it is.
#[derive(Clone, Debug)]
pub(crate) enum OwnKey {
    Agent(Arc<HeldAgentKey>),
    Memory(Arc<SigningKey>),
}

impl OwnKey {
    pub(crate) fn verifying_key(&self) -> &VerifyingKey {
        match self {
            Self::Agent(key) => key.verifying_key(),
            Self::Memory(key) => key.verifying_key(),
        }
    }

    pub(crate) fn signer(&self) -> SharedSigner {
        match self {
            Self::Agent(key) => key.clone(),
            Self::Memory(key) => key.clone(),
        }
    }
}

/// A key, and the certificates that whatever it signs brings.
#[derive(Clone, Debug)]
pub(crate) struct OpenedKey {
    pub(crate) key: OwnKey,
    pub(crate) certificates: Option<Certificates>,
}

impl OpenedKey {
    pub(crate) fn signer(&self) -> SharedSigner {
        let key = self.key.signer();
        match self.certificates.clone() {
            Some(certificates) => Arc::new(CertifiedKey { key, certificates }),
            None => key,
        }
    }
}

/// A key, and the certificates for it that the agent holds which holds the key.
pub(crate) struct BareKey {
    pub(crate) key: OwnKey,
    pub(crate) held: Vec<Vec<u8>>,
}

impl From<(HeldAgentKey, Vec<Vec<u8>>)> for BareKey {
    fn from((key, held): (HeldAgentKey, Vec<Vec<u8>>)) -> Self {
        Self { key: OwnKey::Agent(Arc::new(key)), held }
    }
}

/// Opens the private key that a person names.
pub(crate) fn open_named(
    text: &str,
    passphrases: &Source,
    rule: impl Into<PermissionRule>,
) -> Result<SharedSigner, Failure> {
    KeyPlace::find(text)?.open(passphrases, rule)
}

fn in_file_or_agent(
    path: &Path,
    passphrases: &Source,
    rule: PermissionRule,
    warn: Warn<'_>,
) -> Result<BareKey, Failure> {
    let (bytes, exposed) = read_exposed(path, rule)?;
    if let Some(exposed) = exposed {
        warn(warning_of(&exposed));
    }
    match opened(path, &bytes, passphrases) {
        Err(today @ Failure::KeyFile { source: KeyFileError::PrivateExpected, .. }) => {
            let key = brine_keys::read_public(&bytes);
            private_half(&key.map_err(|error| in_file(path, error.into()))?, today)
        }
        opened => {
            let key = OwnKey::Memory(Arc::new(opened?.0));
            Ok(BareKey { key, held: Vec::new() })
        }
    }
}

/// Signs with the private half of a public key, if the agent has it. If not, it is as if nobody had asked.
fn private_half(key: &VerifyingKey, today: Failure) -> Result<BareKey, Failure> {
    let opened = agent::open(|held| {
        let found = held.iter().find(|held| held.signing() == Some(key));
        found.ok_or_else(|| AgentFailure::missing("", held))
    });
    match opened {
        Ok(opened) => Ok(opened.into()),
        Err(why) => Err(Failure::PublicHalf { today: Box::new(today), why: Box::new(why) }),
    }
}

/// Signs with the key in the agent that a person names.
fn in_agent(name: &str, files: &SmallFiles) -> Result<BareKey, Failure> {
    Ok(agent::open(|held| chosen(held, name, files))?.into())
}

/// Returns the public half of the key in the agent that a person names.
pub(crate) fn public_in_agent(name: &str, files: &SmallFiles) -> Result<VerifyingKey, Failure> {
    let held = agent::held(agent::AgentTimes::SIGNING)?;
    let chosen = chosen(&held, name, files)?;
    chosen.signing().cloned().ok_or_else(|| AgentFailure::of_unusable(chosen).into())
}

/// Finds a key by its comment, else by its fingerprint, else as the private half of a public key; without a name, the
/// only one that signs.
fn chosen<'a>(held: &'a [HeldKey], name: &str, files: &SmallFiles) -> Result<&'a HeldKey, Failure> {
    let those =
        |is_meant: &dyn Fn(&HeldKey) -> bool| held.iter().filter(|held| is_meant(held)).collect();
    if name.is_empty() {
        return only(held, those(&|_| true), name);
    }
    let called: Vec<_> = those(&|held| held.comment() == name);
    if !called.is_empty() {
        return only(held, called, name);
    }
    if let Ok(fingerprint) = Fingerprint::parse(name) {
        let has_it = |held: &HeldKey| match held.verifying_key() {
            Some(key) => fingerprint.is_of(key),
            None => held.fingerprint() == fingerprint,
        };
        return only(held, those(&has_it), name);
    }
    let key = match named_key::verifying_key(name, files) {
        Err(Failure::NoSuchKey { .. } | Failure::NoHome) => return only(held, Vec::new(), name),
        // A comment can be any text. What looks like a fingerprint is a mistyped one.
        Err(Failure::BadName(_)) if !name.starts_with("SHA256:") => {
            return only(held, Vec::new(), name);
        }
        key => key?,
    };
    only(held, those(&|held| held.verifying_key() == Some(&key)), name)
}

/// Demands that exactly one of these keys signs.
fn only<'a>(held: &[HeldKey], meant: Vec<&'a HeldKey>, name: &str) -> Result<&'a HeldKey, Failure> {
    let signing: Vec<_> = meant.iter().filter(|held| held.signing().is_some()).collect();
    let failure = match (signing.as_slice(), meant.first()) {
        ([one], _) => return Ok(one),
        ([], Some(one)) if !name.is_empty() => AgentFailure::of_unusable(one),
        ([], _) => AgentFailure::missing(name, held),
        (several, _) => AgentFailure::several(name, several),
    };
    Err(failure.into())
}
