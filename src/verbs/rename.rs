//! `brinekey rename`.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use brine_core::VerifyingKey;
use brine_keys::{openssh_line, read_openssh_line};
use brine_trust::TrustEntry;

use super::key_line::KeyLine;
use super::key_store::{self, StoredHalves};
use crate::args::key_care::Rename;
use crate::report::Failure;
use crate::report::console::note;
use crate::world::certificate_file::certificate_path;
use crate::world::home::{Home, KeyName};
use crate::world::input::read_secret;
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;
use crate::world::whole_file::{Access, Existing, write_whole};

pub(super) fn run(args: &Rename) -> Result<(), Failure> {
    let (old, new) = (KeyName::parse(&args.old)?, KeyName::parse(&args.new)?);
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    let home = Home::find()?;
    let halves = StoredHalves::find(&home, &old)?;
    key_store::refuse_existing(&home, &new)?;
    // First the new names, then the old ones: whatever comes between, the key is there.
    let (private, certificate) =
        (home.private_key(&new), certificate_path(&home.private_key(&new)));
    let moves = [(&halves.private, &private), (&halves.certificate, &certificate)];
    let moves: Vec<_> = moves.iter().filter_map(|(from, to)| Some((from.as_ref()?, *to))).collect();
    let mut made = Vec::new();
    let mut named = moves.iter().try_for_each(|&(from, to)| {
        name_anew(from, to)?;
        made.push((from, to));
        Ok(())
    });
    if let (Ok(()), Some(from)) = (&named, &halves.public) {
        named = copy_public(from, &home.public_key(&new), (&old, &new));
    }
    if let Err(failure) = named {
        made.into_iter().for_each(|(from, to)| name_as_before(from, to));
        return Err(failure);
    }
    for path in halves.paths() {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::io(format!("{path:?}"), error));
            }
            _ => {}
        }
    }
    if args.json {
        return output.print(&KeyLine::stored(&home, &new).line());
    }
    tell(&home, &old, &new);
    Ok(())
}

/// Gives a file a second name, or a new one where it cannot have two; never one that is taken.
fn name_anew(from: &Path, to: &Path) -> Result<(), Failure> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::Exists { path: to.to_owned() })
        }
        Err(_) => fs::rename(from, to).map_err(|error| Failure::io(format!("{from:?}"), error)),
        Ok(()) => Ok(()),
    }
}

/// Undoes it. The first failure is the one to report.
fn name_as_before(from: &Path, to: &Path) {
    let _ = match fs::symlink_metadata(from) {
        Ok(_) => fs::remove_file(to),
        // It could not have two names.
        Err(_) => fs::rename(to, from),
    };
}

/// Copies a public half, with the new name in the comment where the old one was.
fn copy_public(from: &Path, to: &Path, (old, new): (&KeyName, &KeyName)) -> Result<(), Failure> {
    let bytes = read_secret(from)?;
    let line = std::str::from_utf8(&bytes).ok().and_then(|text| {
        let (key, comment) = read_openssh_line(text.trim()).ok()?;
        (comment == old.as_str()).then(|| openssh_line(&key, new.as_str()) + "\n")
    });
    let text = line.as_ref().map_or(bytes.as_slice(), String::as_bytes);
    write_whole(to, Access::Deciding, Existing::Keep, |file| file.write_all(text))
}

/// Says what else has the old name.
fn tell(home: &Home, old: &KeyName, new: &KeyName) {
    let (from, to) = (old.as_str(), new.as_str());
    note(&format!("{from:?} is {to:?} now"));
    if from == "default" {
        note(&format!("\"brine sign\" needs \"-k {to}\" for it"));
    }
    let files = SmallFiles::default();
    let Ok(key) = named_key::read_public(&home.public_key(new), &files) else { return };
    let Ok(trust) = named_key::default_trust(&files) else { return };
    if let Some(entry) = trust.entries_of(key.id()).find(|entry| entry.name() == from) {
        note(&format!("the trust file still calls it {from:?}: {}", way_to(entry, &key, to, home)));
    }
}

/// Says how an entry gets another name. One with limits keeps them only where a person writes them again.
fn way_to(entry: &TrustEntry, key: &VerifyingKey, to: &str, home: &Home) -> String {
    let from = entry.name();
    if *entry == TrustEntry::new(brine_core::Signer::new(from, key.clone())) {
        return format!("\"brinekey trust add {to} {to}\", then \"brinekey trust remove {from}\"");
    }
    format!("change \"name\" in {:?}, and its limits stay", home.trust_file())
}
