//! Keys in the key store: opened, written, never overwritten.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use brine_core::{SigningKey, VerifyingKey};
use brine_keys::{encrypted_pkcs8_pem, openssh_line, pkcs8_pem};
use zeroize::Zeroizing;

use crate::report::Failure;
use crate::world::home::{Home, KeyName};
use crate::world::named_key;
use crate::world::passphrase::Source;
use crate::world::whole_file::{Access, Existing, write_whole};

/// Opens a private key and keeps the passphrase it was opened with, to write it anew.
pub(super) fn open(
    path: &Path,
    bytes: &[u8],
    passphrases: &Source,
) -> Result<(SigningKey, Option<Zeroizing<String>>), Failure> {
    let mut used = None;
    let mut ask = || {
        let passphrase = passphrases.open(&format!("{path:?}"))?;
        used = Some(passphrase.clone());
        Ok(passphrase)
    };
    let key = brine_keys::read_private(bytes, &mut ask)
        .map_err(|failure| named_key::in_file(path, failure))?;
    Ok((key, used))
}

pub(super) fn write_pkcs8(
    key: &SigningKey,
    passphrase: Option<&String>,
) -> Result<Zeroizing<String>, Failure> {
    Ok(match passphrase {
        Some(passphrase) => encrypted_pkcs8_pem(key, passphrase)?,
        None => pkcs8_pem(key)?,
    })
}

/// Refuses to overwrite either half of a key.
pub(super) fn refuse_existing(home: &Home, name: &KeyName) -> Result<(), Failure> {
    let halves = [home.private_key(name), home.public_key(name)];
    match halves.into_iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        Some(path) => Err(Failure::Exists { path }),
        None => Ok(()),
    }
}

/// Writes both halves; the private one only for its owner, and neither over another.
pub(super) fn store(
    home: &Home,
    name: &KeyName,
    pem: &str,
    public: &VerifyingKey,
) -> Result<(), Failure> {
    let keys = home.keys();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&keys)
        .map_err(|source| Failure::NoPlace { path: keys, source })?;
    write_new(&home.private_key(name), Access::Secret, pem)?;
    let line = format!("{}\n", openssh_line(public, name.as_str()));
    write_new(&home.public_key(name), Access::Deciding, &line)
}

fn write_new(path: &Path, access: Access, text: &str) -> Result<(), Failure> {
    write_whole(path, access, Existing::Keep, |file| file.write_all(text.as_bytes()))
}
