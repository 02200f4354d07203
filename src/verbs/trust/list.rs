//! `brinekey trust list`.

use std::io::ErrorKind;
use std::path::Path;

use brine_core::{Clock as _, Timestamp, Untrusted};
use brine_keys::ssh_fingerprint;
use brine_trust::{Trust, TrustEntry};

use super::authority_line::{self, AuthorityLine};
use super::signer_line::{SignerLine, limits};
use crate::args::trust::TrustList;
use crate::report::Failure;
use crate::report::columns::aligned;
use crate::report::console::{json_line, note, printable};
use crate::world::clock::Moment;
use crate::world::named_key::read_trust;
use crate::world::named_signer::{path_of, trust_option};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &TrustList) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and(Some(&path)))?;
    let now = Moment::System.now()?;
    let trust = match read_trust(&path, &SmallFiles::new(args.file.permissions)) {
        // Nobody has a default file before it is made. A file that was named should be there.
        Err(Failure::Unreadable { source, .. })
            if args.file.trust.is_none() && source.kind() == ErrorKind::NotFound =>
        {
            tell_nobody(args, &format!("there is no trust file {path:?} yet"));
            Trust::default()
        }
        read => read.inspect(|trust| tell_if_empty(args, &path, trust))?,
    };
    let entries = trust.entries().iter();
    let authorities = trust.authorities().iter();
    let text: String = match args.json {
        true => {
            let signers = entries.map(|entry| json_line(&SignerLine::of(entry, &trust, now)));
            let authority = |authority| json_line(&AuthorityLine::of(authority, &trust, now));
            signers.chain(authorities.map(authority)).collect()
        }
        false => {
            let signers = entries.map(|entry| row(entry, &trust, now));
            let authority = |authority| authority_line::row(authority, &trust, now);
            aligned(&signers.chain(authorities.map(authority)).collect::<Vec<_>>())
        }
    };
    output.print(&text)
}

fn row(entry: &TrustEntry, trust: &Trust, now: Timestamp) -> [String; 4] {
    let state = trust.state(entry, now).to_string();
    [printable(entry.name()), ssh_fingerprint(entry.key()), state, notes(entry, trust, now)]
}

/// Returns the limits of an entry, and which other entry revokes its key.
fn notes(entry: &TrustEntry, trust: &Trust, now: Timestamp) -> String {
    let is_revoked =
        |entry: &&TrustEntry| entry.revocation().is_some_and(|revocation| revocation.at <= now);
    let other = trust.entries_of(entry.key().id()).find(is_revoked);
    let other = other.filter(|_| !is_revoked(&entry));
    let other = other.map(|other| format!("as {}", printable(other.name())));
    let stated = match trust.revocation_of(entry.key(), now) {
        Some(Untrusted::RevokedBy(stated)) => {
            let by = stated.by.unwrap_or_else(|| "its owner".to_owned());
            let why = stated.why.map(|why| format!(": {why}")).unwrap_or_default();
            printable(&format!("by {by}{why}"))
        }
        _ => String::new(),
    };
    let notes = [other.unwrap_or_default(), stated, limits(entry, now)];
    let notes: Vec<_> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    notes.join("  ")
}

fn tell_if_empty(args: &TrustList, path: &Path, trust: &Trust) {
    if !trust.is_empty() {
        return;
    }
    match trust.skipped() {
        0 => tell_nobody(args, &format!("{path:?} names no signer")),
        skipped => {
            tell_nobody(args, &format!("{path:?} has no Ed25519 key: lines left out: {skipped}"));
        }
    }
}

/// Says that nobody is trusted, and what to type. Programs see an empty list.
fn tell_nobody(args: &TrustList, why: &str) {
    if !args.json {
        note(&format!("nobody is trusted: {why}"));
        let file = trust_option(&args.file);
        note(&format!("hint: \"brinekey trust add NAME KEY{file}\" trusts somebody"));
    }
}
