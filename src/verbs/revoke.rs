//! `brinekey revoke`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use brine_core::text::quoted;
use brine_core::{Clock as _, Kind, Statement, Timestamp, VerifyingKey, sign};
use brine_trust::{
    MAX_TRUST_FILE_BYTES, RevocationStatement, RevokedKey, Said, StatementError,
    UnverifiedStatement,
};

use super::statement_made::{StatementOutput, describe};
use crate::args::statement::Revoke;
use crate::report::Failure;
use crate::report::console::{note, printable, typeable_path};
use crate::report::statement_facts::{StatementLine, revoked_phrase, until};
use crate::world::clock::Moment;
use crate::world::input::InputFile;
use crate::world::key_place::KeyPlace;
use crate::world::local_time::TimePoint;
use crate::world::named_key;
use crate::world::passphrase::Source;
use crate::world::small_files::SmallFiles;
use crate::world::whole_file::{Existing, directory_of};

pub(super) fn run(args: &Revoke) -> Result<(), Failure> {
    let signer = signer(args)?;
    let key = KeyPlace::find(signer).map_err(|failure| not_here(args, failure))?;
    let output = StatementOutput::plan(args.output.as_deref(), &key, "revocation")?;
    if output.path().is_none() && args.issuer.is_some() {
        let usage = "a list cannot go to standard output: the next one continues it from its file";
        return Err(Failure::usage(usage.to_owned()));
    }
    let mut keys = others(args)?;
    let lost = args.lost.as_ref().map(TimePoint::resolve).transpose()?;
    let key = key.open(&Source::find(&args.passphrase), args.permissions)?;
    let named = |source| Failure::Statement { name: output.name(), source };

    // Whoever else continues the list waits.
    let _lock = output.path().map(lock).transpose()?;
    let before = match (&args.issuer, output.path()) {
        (Some(_), Some(path)) => before(path, key.verifying_key())?,
        _ => None,
    };
    let now = Moment::System.now()?;
    let lost = lost.map(|lost| lost.from(now));
    refuse_future(lost, now)?;
    if args.issuer.is_none() {
        keys.push(key.verifying_key().clone());
    }
    let new = keys.iter().map(|key| RevokedKey::new(key, lost, args.reason.clone()));
    let new: Vec<_> = new.collect::<Result<_, _>>().map_err(named)?;
    let also = args.also.as_deref().map(read_list).transpose()?;
    let also = also.as_ref().and_then(|found| as_list(found)).map(RevocationStatement::keys);
    let new = [also.unwrap_or_default(), &new].concat();
    let list = continued(before.as_ref(), &new, now);
    let expires = args.valid_for.map(|length| now.plus(length));
    let statement = Statement::at(now).kind(Kind::Revocation);
    let statement = match expires {
        Some(end) => statement.expires(end),
        None => statement,
    };
    let envelope = sign(&statement, key.as_ref(), list.encode().as_slice())?.to_bytes();
    // As others will read it, so that nothing is written that they refuse.
    let made = UnverifiedStatement::parse(envelope.clone()).map_err(named)?;
    made.verify_again([key.verifying_key()]).map_err(named)?;
    let existing = if args.issuer.is_some() { Existing::Replace } else { Existing::Keep };
    output.write(existing, &envelope)?;
    if args.json {
        describe(&StatementLine::new("made", Some(&made), Some(signer), output.path()));
    } else {
        tell(signer, &list, (&new, before.as_ref()), expires, &output);
    }
    Ok(())
}

/// Returns the key that signs, as it was typed.
fn signer(args: &Revoke) -> Result<&String, Failure> {
    match (&args.issuer, args.keys.as_slice()) {
        (Some(issuer), _) => Ok(issuer),
        (None, [key]) => Ok(key),
        (None, _) => {
            let usage = "only one key can revoke itself; --with CA revokes several";
            Err(Failure::usage(usage.to_owned()))
        }
    }
}

/// Returns the keys that somebody else revokes.
fn others(args: &Revoke) -> Result<Vec<VerifyingKey>, Failure> {
    let files = SmallFiles::new(args.permissions);
    let keys = args.keys.iter().filter(|_| args.issuer.is_some());
    keys.map(|text| named_key::verifying_key(text, &files)).collect()
}

/// Says what else may have been meant by whoever wants a key revoked that is somebody else's.
fn not_here(args: &Revoke, failure: Failure) -> Failure {
    let (Failure::NoSuchKey { name, .. }, None) = (&failure, &args.issuer) else { return failure };
    Failure::Mistyped {
        message: format!("no private key {name:?} here, which could revoke itself"),
        hint: Some(format!(
            "\"brinekey trust revoke {name}\" refuses the key here; its authority revokes it for everyone, with --with CA"
        )),
    }
}

fn refuse_future(lost: Option<Timestamp>, now: Timestamp) -> Result<(), Failure> {
    match lost.filter(|lost| *lost > now) {
        None => Ok(()),
        Some(lost) => {
            let usage = format!("--lost {lost} is in the future; \"30d ago\" is in the past");
            Err(Failure::usage(usage))
        }
    }
}

/// Waits until nobody else writes to the directory of a list. The list itself is replaced, and a lock on it would be lost.
fn lock(path: &Path) -> Result<File, Failure> {
    let directory = directory_of(path);
    let failed = |source| Failure::NoPlace { path: path.to_owned(), source };
    let opened = File::open(directory).map_err(failed)?;
    opened.lock().map_err(failed)?;
    Ok(opened)
}

/// Reads the list that is continued, if there is one.
fn before(path: &Path, key: &VerifyingKey) -> Result<Option<RevocationStatement>, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(found) if !found.is_file() => {
            return Err(Failure::NotReplaced { path: path.to_owned() });
        }
        // Any other error is said when it is opened.
        _ => {}
    }
    let wrong = |source| Failure::Statement { name: quoted(path).to_string(), source };
    let statement = read_list(path)?;
    if statement.signer() != key.id() {
        let what = "the list that is there was signed with another key";
        return Err(wrong(StatementError::Conflict { what }));
    }
    statement.verify_again([key]).map_err(wrong)?;
    Ok(as_list(&statement).cloned())
}

/// Reads a list, which is not verified.
fn read_list(path: &Path) -> Result<UnverifiedStatement, Failure> {
    let most = u64::try_from(MAX_TRUST_FILE_BYTES).unwrap_or(u64::MAX);
    let bytes = InputFile::open_file(path)?.read(most)?;
    let statement = UnverifiedStatement::parse(bytes)
        .map_err(|source| Failure::Statement { name: quoted(path).to_string(), source })?;
    match as_list(&statement) {
        Some(_) => Ok(statement),
        None => Err(Failure::usage(format!("{} is a rotation, and no list of keys", quoted(path)))),
    }
}

const fn as_list(statement: &UnverifiedStatement) -> Option<&RevocationStatement> {
    match statement.said() {
        Said::Revocation(list) => Some(list),
        Said::Rotation(_) => None,
    }
}

/// Returns the next list. What was said of a key before stays where nothing is said now.
fn continued(
    before: Option<&RevocationStatement>,
    new: &[RevokedKey],
    now: Timestamp,
) -> RevocationStatement {
    let kept = before.map(RevocationStatement::keys).unwrap_or_default();
    let new = new.iter().map(|key| match kept.iter().find(|kept| kept.id() == key.id()) {
        Some(kept) => key.clone().or_as(kept),
        None => key.clone(),
    });
    let next = before.map_or(0, |before| before.number().saturating_add(1));
    RevocationStatement::new(next.max(now.unix()), kept.iter().cloned().chain(new))
}

fn tell(
    signer: &str,
    list: &RevocationStatement,
    (new, before): (&[RevokedKey], Option<&RevocationStatement>),
    expires: Option<Timestamp>,
    output: &StatementOutput,
) {
    let count = list.keys().len();
    let keys = if count == 1 { "key" } else { "keys" };
    let (number, signer, end) = (list.number(), printable(signer), until(expires));
    note(&format!("list {number} of {signer} revokes {count} {keys}{end}{}", output.phrase()));
    let known = before.map(RevocationStatement::keys).unwrap_or_default();
    let is_new = |key: &&RevokedKey| !known.iter().any(|known| known.id() == key.id());
    for key in new.iter().filter(is_new) {
        note(&format!("  revoked now: {}", printable(&revoked_phrase(key))));
    }
    if before.is_none() && expires.is_some() {
        note(
            "it begins a new list: whoever took an older one of this signer refuses it, unless all of its keys are here",
        );
    }
    if let Some(path) = output.path() {
        note(&format!("others take it with: brinekey trust update {}", typeable_path(path)));
    }
}
