//! `brinekey remove`.

use std::fs;
use std::path::{Path, PathBuf};

use brine_core::{Clock as _, VerifyingKey};
use brine_keys::ssh_fingerprint;
use brine_trust::EntryState;

use super::key_line::KeyLine;
use super::key_store::{StoredHalves, shown_key};
use crate::args::key_care::Remove;
use crate::report::console::note;
use crate::report::{Failure, KeepingFailure};
use crate::world::clock::Moment;
use crate::world::home::{Home, KeyName};
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &Remove) -> Result<(), Failure> {
    let name = KeyName::parse(&args.name)?;
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    let home = Home::find()?;
    let halves = StoredHalves::find(&home, &name)?;
    let line = KeyLine::stored(&home, &name);
    let key = shown_key(&home, &name);
    let copies = key.as_ref().map(|key| copies(&home, &name, key)).unwrap_or_default();
    if !args.force {
        ask(&name, &line, (&halves, &copies))?;
    }
    // Found before it is gone.
    let consequences = consequences(key.as_ref(), &copies);
    remove(&halves)?;
    if args.json {
        return output.print(&line.line());
    }
    note(&format!("removed the key {:?}", name.as_str()));
    consequences.iter().for_each(|consequence| note(consequence));
    Ok(())
}

/// Has a person type the name of what is lost.
fn ask(
    name: &KeyName,
    key: &KeyLine,
    (halves, copies): (&StoredHalves, &[KeyName]),
) -> Result<(), Failure> {
    let name = name.as_str();
    if !passphrase::has_terminal() {
        return Err(KeepingFailure::RemovalUnconfirmed { name: name.to_owned() }.into());
    }
    let fingerprint = key.fingerprint().unwrap_or("unreadable");
    let loss = match (&halves.private, copies) {
        (None, _) => "this is a public half, and there is no private one here".to_owned(),
        (Some(_), []) => {
            "without a copy of it, nothing can be signed with this key again".to_owned()
        }
        (Some(_), copies) => still_here(copies),
    };
    let typed = passphrase::ask_openly(&format!(
        "Remove {name:?}, {fingerprint}: {loss}.\nType its name to remove it: "
    ))?;
    match typed.trim() == name {
        true => Ok(()),
        false => Err(KeepingFailure::RemovalRefused { name: name.to_owned() }.into()),
    }
}

/// Removes both halves, or neither, and then the certificate. The private half, which nobody can make again, is set aside
/// until the public one is gone.
fn remove(halves: &StoredHalves) -> Result<(), Failure> {
    let failed = |path: &Path, error| Failure::io(format!("{path:?}"), error);
    let aside = halves.private.as_ref().map(|path| (path, aside(path)));
    if let Some((path, aside)) = &aside {
        fs::rename(path, aside).map_err(|error| failed(path, error))?;
    }
    if let Some(path) = &halves.public
        && let Err(error) = fs::remove_file(path)
    {
        if let Some((path, aside)) = &aside {
            // The first failure is the one to report.
            let _ = fs::rename(aside, path);
        }
        return Err(failed(path, error));
    }
    // It is of no use without its key, and in the way of the next one of that name.
    for path in aside.iter().map(|(_, aside)| aside).chain(&halves.certificate) {
        fs::remove_file(path).map_err(|error| failed(path, error))?;
    }
    Ok(())
}

/// A name in the same directory that no key has.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".removed-{}-{name}", std::process::id()))
}

/// Finds the other names under which the same key can sign. A link may lead to what is removed, and is no copy.
fn copies(home: &Home, name: &KeyName, key: &VerifyingKey) -> Vec<KeyName> {
    let is_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let names = named_key::names_in_store(home).unwrap_or_default().into_iter();
    let others = names.filter(|other| other != name && is_file(&home.private_key(other)));
    others.filter(|other| shown_key(home, other).as_ref() == Some(key)).collect()
}

fn still_here(copies: &[KeyName]) -> String {
    let names: Vec<_> = copies.iter().map(|name| format!("{:?}", name.as_str())).collect();
    format!("the same key is still here as {}", names.join(" and "))
}

/// Says what becomes of what the key has signed.
fn consequences(key: Option<&VerifyingKey>, copies: &[KeyName]) -> Vec<String> {
    let mut told = vec!["what it has signed is believed as before".to_owned()];
    // Whoever removes one of two copies goes on with the other: revoking it is not what comes next.
    if !copies.is_empty() {
        told.push(still_here(copies));
        return told;
    }
    let trust = named_key::default_trust(&SmallFiles::new(PermissionRule::Waived));
    let (Some(key), Ok(trust), Ok(now)) = (key, trust, Moment::System.now()) else { return told };
    let states = trust.entries_of(key.id()).map(|entry| trust.state(entry, now));
    if states.into_iter().any(|state| state == EntryState::Trusted) {
        let key = ssh_fingerprint(key);
        told.push(format!(
            "the trust file still has it: \"brinekey trust revoke {key}\" has it refused"
        ));
    }
    told
}
