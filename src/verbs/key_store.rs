//! Keys in the key store: opened, written, never overwritten.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use brine_core::{SigningKey, VerifyingKey};
use brine_keys::{encrypted_pkcs8_pem, openssh_line, pkcs8_pem};
use zeroize::Zeroizing;

use crate::report::Failure;
use crate::world::certificate_file::{certificate_path, is_half_of_key};
use crate::world::home::{Home, KeyName};
use crate::world::named_key;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;
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

/// The halves of a key in the store, of which one is there at least, and its certificate.
pub(super) struct StoredHalves {
    pub(super) private: Option<PathBuf>,
    pub(super) public: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
}

impl StoredHalves {
    pub(super) fn find(home: &Home, name: &KeyName) -> Result<Self, Failure> {
        let there = |path: PathBuf| match fs::symlink_metadata(&path) {
            Ok(_) => Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Failure::Unreadable { path, source }),
        };
        let private = there(home.private_key(name))?;
        let public = there(home.public_key(name))?;
        if private.is_none() && public.is_none() {
            // It says that there is none, and which name is similar.
            named_key::store_path(name, Home::private_key)?;
        }
        let certificate = there(certificate_path(&home.private_key(name)))?;
        let certificate = certificate.filter(|path| !is_half_of_key(path));
        Ok(Self { private, public, certificate })
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.private.iter().chain(&self.public).chain(&self.certificate)
    }
}

/// Returns a key of the store, where one of its halves can be read. It is shown, and decides nothing.
pub(super) fn shown_key(home: &Home, name: &KeyName) -> Option<VerifyingKey> {
    let files = SmallFiles::new(PermissionRule::Waived);
    let halves = [home.public_key(name), home.private_key(name)];
    halves.iter().find_map(|path| named_key::read_public(path, &files).ok())
}

/// Refuses to overwrite either half of a key, or to make a key beside the certificate of another.
pub(super) fn refuse_existing(home: &Home, name: &KeyName) -> Result<(), Failure> {
    let (private, public) = (home.private_key(name), home.public_key(name));
    let certificate = certificate_path(&private);
    let certificate = (!is_half_of_key(&certificate)).then_some(certificate);
    for path in [private, public].into_iter().chain(certificate) {
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
