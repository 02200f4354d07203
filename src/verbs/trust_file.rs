//! Changes a trust file.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use brine_core::Signer;
use brine_core::text::quoted;
use brine_trust::{TrustError, TrustStore};

use crate::report::Failure;
use crate::world::home::Home;
use crate::world::input::read_secret;
use crate::world::named_key::trust_file;
use crate::world::permissions::PermissionRule;
use crate::world::trail::{LinkRule, followed};
use crate::world::whole_file::{Access, Existing, write_whole};

/// Trusts a signer in the default trust file.
pub(super) fn add_to_default(
    home: &Home,
    signer: &Signer,
    rule: impl Into<PermissionRule>,
) -> Result<(), Failure> {
    edit(&home.trust_file(), rule, |store| add(store, signer, home))
}

/// Finds out whether [`add_to_default`] would work, before there is a key that would be left over.
pub(super) fn try_default(
    home: &Home,
    signer: &Signer,
    rule: impl Into<PermissionRule>,
) -> Result<(), Failure> {
    edit(&home.trust_file(), rule, |store| add(&mut store.clone(), signer, home))
}

fn add(store: &mut TrustStore, signer: &Signer, home: &Home) -> Result<(), Failure> {
    match store.add(&signer.clone().into()) {
        Err(TrustError::AlreadyThere { .. }) => Ok(()),
        added => added.map_err(|error| trust_file(&home.trust_file(), error)),
    }
}

/// Changes a trust file: locked against others who do the same, and replaced in one step if anything changes.
pub(super) fn edit<T>(
    name: &Path,
    rule: impl Into<PermissionRule>,
    change: impl FnOnce(&mut TrustStore) -> Result<T, Failure>,
) -> Result<T, Failure> {
    rule.into().refuse_exposed(name)?;
    // What a link leads to is replaced, so that is what is locked: others may know it by another name.
    let path = &followed(name, LinkRule::Protected)?;
    let failed = |error| Failure::unwritten(quoted(path).to_string(), error);
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    if let Some(directory) = path.parent().filter(|parent| *parent != Path::new("")) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|source| Failure::NoPlace { path: path.clone(), source })?;
    }
    let _lock = lock(path)?;
    let text = match read_secret(path) {
        Ok(bytes) => bytes.to_vec(),
        Err(Failure::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Vec::new()
        }
        Err(other) => return Err(other),
    };
    let refused = |error| trust_file(path, error);
    let text = String::from_utf8(text).map_err(|_| refused(TrustError::NotText { line: 1 }))?;
    let mut store = TrustStore::parse(&text).map_err(refused)?;
    let done = change(&mut store)?;
    let new = store.to_string();
    if new != text {
        write_whole(path, Access::Deciding, Existing::Replace, |file| {
            file.write_all(new.as_bytes())?;
            file.sync_all()
        })?;
    }
    Ok(done)
}

/// Waits until nobody else changes the file. The lock is a file of its own: the trust file is replaced, and a lock on
/// it would be lost.
fn lock(path: &Path) -> Result<File, Failure> {
    let path = path.with_added_extension("lock");
    let failed = |error| Failure::unwritten(quoted(&path).to_string(), error);
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let opened = options.open(&path);
    let lock = opened.map_err(|source| Failure::NoPlace { path: path.clone(), source })?;
    lock.lock().map_err(failed)?;
    Ok(lock)
}
