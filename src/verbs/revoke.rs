//! `brinekey revoke`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use brine_core::text::quoted;
use brine_core::{Clock as _, KeyId, Kind, Statement, Timestamp, VerifyingKey, sign};
use brine_trust::{
    MAX_AHEAD, MAX_TRUST_FILE_BYTES, RevocationStatement, RevokedKey, Said, StatementError,
    UnverifiedStatement,
};

use super::statement_made::{StatementOutput, describe};
use crate::args::statement::Revoke;
use crate::report::Failure;
use crate::report::console::{note, printable, typeable, typeable_path};
use crate::report::statement_facts::{StatementLine, revoked_phrase, until};
use crate::world::clock::Moment;
use crate::world::home::Home;
use crate::world::input::InputFile;
use crate::world::key_place::KeyPlace;
use crate::world::local_time::TimePoint;
use crate::world::named_key;
use crate::world::passphrase::Source;
use crate::world::small_files::SmallFiles;
use crate::world::trail::{LinkRule, followed};
use crate::world::whole_file::{Existing, directory_of};

pub(super) fn run(args: &Revoke) -> Result<(), Failure> {
    let signer = signer(args)?;
    let key = KeyPlace::find(signer).map_err(|failure| not_here(args, failure))?;
    // A key's word about itself is kept for another day, and is no list that is continued.
    let extension = if args.issuer.is_some() { "revocation" } else { "itself.revocation" };
    let output = StatementOutput::plan(args.output.as_deref(), &key, extension)?;
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
    match &args.issuer {
        None => keys.push(key.verifying_key().clone()),
        Some(_) => refuse_own(keys.iter().map(VerifyingKey::id), key.verifying_key())?,
    }
    let new = keys.iter().map(|key| RevokedKey::new(key, lost, args.reason.clone()));
    let new: Vec<_> = new.collect::<Result<_, _>>().map_err(named)?;
    let also = args.also.as_deref().map(|path| also(path, args)).transpose()?.unwrap_or_default();
    refuse_own(also.iter().map(RevokedKey::id), key.verifying_key())?;
    let new = [also, new].concat();
    let list = continued(before.as_ref(), &new, now);
    refuse_ahead(&list, now, &output)?;
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

/// Refuses to put the key that signs on its own list: nobody it certifies would be believed any more, for ever.
fn refuse_own(keys: impl Iterator<Item = KeyId>, own: &VerifyingKey) -> Result<(), Failure> {
    match keys.into_iter().any(|key| key == own.id()) {
        false => Ok(()),
        true => Err(Failure::usage(
            "that is the key that signs the list; it revokes itself without --with".to_owned(),
        )),
    }
}

/// Refuses to continue a list whose number verifiers take for one from the future.
fn refuse_ahead(
    list: &RevocationStatement,
    now: Timestamp,
    output: &StatementOutput,
) -> Result<(), Failure> {
    match list.number() > now.plus(MAX_AHEAD).unix() {
        false => Ok(()),
        true => Err(Failure::usage(format!(
            "{} has a number from the future, which verifiers refuse: move it away, and take over its keys with --also",
            output.name()
        ))),
    }
}

/// Reads the keys on the list of another authority, whose key is known here.
fn also(path: &Path, args: &Revoke) -> Result<Vec<RevokedKey>, Failure> {
    let statement = read_list(path)?;
    let files = SmallFiles::new(args.permissions);
    let home = Home::find()?;
    let names = named_key::names_in_store(&home)?;
    let known =
        names.iter().filter_map(|name| named_key::read_public(&home.public_key(name), &files).ok());
    let trust = named_key::default_trust(&files)?;
    let authorities = trust.authorities().iter().map(|one| one.key().clone());
    let signer = known.chain(authorities).find(|key| key.id() == statement.signer());
    let signer = signer.ok_or_else(|| {
        Failure::usage(format!(
            "{} was signed with a key that is neither in your key store nor an authority of your trust file",
            quoted(path)
        ))
    })?;
    statement
        .verify_again([&signer])
        .map_err(|source| Failure::Statement { name: quoted(path).to_string(), source })?;
    Ok(as_list(&statement).map(RevocationStatement::keys).unwrap_or_default().to_vec())
}

/// Says what else may have been meant by whoever wants a key revoked that is somebody else's.
fn not_here(args: &Revoke, failure: Failure) -> Failure {
    let (Failure::NoSuchKey { name, similar: None, .. }, None) = (&failure, &args.issuer) else {
        return failure;
    };
    let typed = typeable(name);
    Failure::Mistyped {
        message: format!("no private key {name:?} here, which could revoke itself"),
        hint: Some(format!(
            "\"brinekey trust revoke {typed}\" refuses the key here; its authority revokes it for everyone, with --with CA"
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
    // Others may know the list by another name.
    let path = &followed(path, LinkRule::Protected)?;
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
    if statement.is_about_itself() {
        let usage =
            format!("{} revokes the key that signs, and is no list to be continued", quoted(path));
        return Err(Failure::usage(usage));
    }
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
    if expires.is_none() {
        note(
            "it cannot be taken back: keep it where nobody publishes it by mistake before the key is lost",
        );
    }
    if let Some(path) = output.path() {
        note(&format!("others take it with: brinekey trust update {}", typeable_path(path)));
    }
}
