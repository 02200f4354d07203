//! Keys as people name them.

use brine_core::{SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::Refused;
use crate::args::PermissionArgs;
use crate::report::{Failure, KeepingFailure};
use crate::world::named_key::{self, private_path, read_exposed, verifying_key};
use crate::world::passphrase::Source;
use crate::world::small_files::SmallFiles;

/// A private key that was found.
#[derive(Debug)]
pub struct FoundKey {
    /// The key.
    pub key: SigningKey,
    /// What a person is to be told if others may read its file.
    pub warning: Option<String>,
}

/// Reads the private key that a person names: a name in the key store, or a file. Nobody is asked for a passphrase: it
/// is the one that was given, else that of the file which `BRINE_PASSPHRASE_FILE` names.
///
/// # Errors
///
/// What the programs say of such a key.
pub fn private_key(
    name: &str,
    passphrase: Option<Zeroizing<String>>,
    insecure_permissions: bool,
) -> Result<FoundKey, Refused> {
    let path = private_path(name)?;
    let (bytes, exposed) = read_exposed(&path, PermissionArgs { insecure_permissions })?;
    let source = Source::without_terminal(passphrase);
    let (key, _passphrase) = named_key::opened(&path, &bytes, &source)?;
    let warning = exposed.map(|exposed| match exposed.hint() {
        Some(hint) => format!("{exposed}: {hint}"),
        None => exposed.to_string(),
    });
    Ok(FoundKey { key, warning })
}

/// Says that a passphrase is no text that a key can be encrypted with here.
#[must_use]
pub fn not_utf8_passphrase() -> Refused {
    Failure::from(KeepingFailure::Passphrase("it is not UTF-8".to_owned())).into()
}

/// Reads a private key from the text of a key file.
///
/// # Errors
///
/// What the programs say of such a file.
pub fn private_key_in(
    text: &[u8],
    passphrase: Option<Zeroizing<String>>,
) -> Result<SigningKey, Refused> {
    let mut passphrase = passphrase;
    let absent = || KeepingFailure::PassphraseAbsent { key: "the key".to_owned() };
    let mut ask = || passphrase.take().ok_or_else(|| Failure::from(absent()));
    Ok(brine_keys::read_private(text, &mut ask)?)
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
