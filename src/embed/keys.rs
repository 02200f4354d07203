//! Keys as people name them.

use std::io;
use std::sync::Arc;

use brine_core::{Certificates, SigningBackend, SigningKey, VerifyingKey};
use brine_keys::certificate_line;
use zeroize::Zeroizing;

use super::Refused;
use crate::args::PermissionArgs;
use crate::report::{Failure, KeepingFailure};
use crate::world::certificate_file::CertificateFile;
use crate::world::key_place::{KeyPlace, OpenedKey, OwnKey};
use crate::world::named_key::verifying_key;
use crate::world::passphrase::Source;
use crate::world::small_files::SmallFiles;
use crate::world::{clock, end_signals, slow_signatures};

/// A private key in memory, or in an agent, with the certificates that whatever it signs brings.
#[derive(Clone, Debug)]
pub struct PrivateKey(OpenedKey);

/// A private key that was found.
#[derive(Debug)]
pub struct FoundKey {
    /// The key.
    pub key: PrivateKey,
    /// What a person is to be told of it: others may read its file, or a certificate is left out.
    pub warnings: Vec<String>,
}

impl PrivateKey {
    /// Returns the public half.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.0.key.verifying_key()
    }

    /// Returns the key itself, if it is in memory.
    #[must_use]
    pub fn in_memory(&self) -> Option<&SigningKey> {
        match &self.0.key {
            OwnKey::Agent(_) => None,
            OwnKey::Memory(key) => Some(key),
        }
    }

    /// Returns the certificates, if it has some.
    #[must_use]
    pub const fn certificates(&self) -> Option<&Certificates> {
        self.0.certificates.as_ref()
    }

    /// Returns the certificates as the lines of their file, if it has some.
    #[must_use]
    pub fn certificate_text(&self) -> Option<String> {
        let certificates = self.certificates()?;
        Some(certificates.iter().map(|blob| certificate_line(blob, "") + "\n").collect())
    }

    /// Returns what signs with it.
    #[must_use]
    pub fn signer(&self) -> Arc<dyn SigningBackend> {
        self.0.signer()
    }

    /// Returns the same key for a process that was forked, which **must not** use the connection of its parent.
    #[must_use]
    pub fn anew(&self) -> Self {
        let key = match &self.0.key {
            OwnKey::Agent(key) => OwnKey::Agent(Arc::new(key.anew())),
            key @ OwnKey::Memory(_) => key.clone(),
        };
        Self(OpenedKey { key, certificates: self.0.certificates.clone() })
    }
}

impl From<SigningKey> for PrivateKey {
    fn from(key: SigningKey) -> Self {
        Self(OpenedKey { key: OwnKey::Memory(Arc::new(key)), certificates: None })
    }
}

/// Opens the private key that a person names, as `brine sign -k` does: a name in the key store, a file, or `agent:NAME`. The
/// certificates beside it, or in the agent, come with it. Nobody is asked for a passphrase: it is the one that was given,
/// else that of the file which `BRINE_PASSPHRASE_FILE` names.
///
/// # Errors
///
/// What the programs say of such a key.
pub fn private_key(
    name: &str,
    passphrase: Option<Zeroizing<String>>,
    insecure_permissions: bool,
) -> Result<FoundKey, Refused> {
    let mut warnings = Vec::new();
    let key = KeyPlace::find(name)?.open_warning(
        &Source::without_terminal(passphrase),
        PermissionArgs { insecure_permissions },
        &mut |warning| warnings.push(warning),
    )?;
    Ok(FoundKey { key: PrivateKey(key), warnings })
}

/// Says that a passphrase is no text that a key can be encrypted with here.
#[must_use]
pub fn not_utf8_passphrase() -> Refused {
    Failure::from(KeepingFailure::Passphrase("it is not UTF-8".to_owned())).into()
}

/// Says that a key in an agent cannot be written down.
#[must_use]
pub fn no_secret_of_agent() -> Refused {
    Failure::no_secret_of_agent().into()
}

/// Reads a private key from the text of a key file, and its certificates from that of theirs.
///
/// # Errors
///
/// What the programs say of such files.
pub fn private_key_in(
    text: &[u8],
    passphrase: Option<Zeroizing<String>>,
    certificates: Option<&[u8]>,
) -> Result<FoundKey, Refused> {
    let mut passphrase = passphrase;
    let absent = || KeepingFailure::PassphraseAbsent { key: "the key".to_owned() };
    let mut ask = || passphrase.take().ok_or_else(|| Failure::from(absent()));
    let key = brine_keys::read_private(text, &mut ask)?;
    let (mut warnings, now) = (Vec::new(), clock::read().map_err(brine_core::Error::from)?);
    let certificates = certificates.map(|text| {
        let warn = &mut |warning| warnings.push(warning);
        CertificateFile::usable_text(text, key.verifying_key(), now, warn)
    });
    let certificates: Option<Certificates> = certificates.transpose()?.flatten();
    let key = OpenedKey { key: OwnKey::Memory(Arc::new(key)), certificates };
    Ok(FoundKey { key: PrivateKey(key), warnings })
}

/// Finds the public key that a person names: the text of an OpenSSH key, a file of either half, or a name in the key
/// store.
///
/// # Errors
///
/// What the programs say of such a key.
pub fn public_key(text: &str, insecure_permissions: bool) -> Result<VerifyingKey, Refused> {
    Ok(verifying_key(text, &SmallFiles::new(PermissionArgs { insecure_permissions }))?)
}

/// Has `ask` called while an agent is waited for, which may ask a person, by the thread that waits. Its error ends the wait.
/// The first that is given holds for the process.
pub fn ask_while_waiting(ask: fn() -> io::Result<()>) {
    end_signals::ask_while_waiting(ask);
}

/// Has `tell` called once, before the second of several signatures, if the first was so slow that somebody must have been
/// asked.
#[must_use]
pub fn telling_slow(
    key: Arc<dyn SigningBackend>,
    tell: impl Fn() + Send + Sync + 'static,
) -> Arc<dyn SigningBackend> {
    slow_signatures::telling(key, tell)
}
