//! Keys in the key store: opened, written, never overwritten.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use brine_core::{SigningKey, VerifyingKey};
use brine_keys::{encrypted_pkcs8_pem, openssh_line, pkcs8_pem};
use zeroize::Zeroizing;

use crate::report::Failure;
use crate::world::home::{Home, KeyName};
use crate::world::whole_file::{Access, Existing, write_whole};

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
    for path in [home.private_key(name), home.public_key(name)] {
        match fs::symlink_metadata(&path) {
            Ok(_) => return Err(Failure::Exists { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Failure::Unreadable { path, source }),
        }
    }
    Ok(())
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
