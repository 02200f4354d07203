//! `brinekey revoke`.

use std::fs;
use std::io;
use std::path::Path;

use brine_core::text::quoted;
use brine_core::{Clock as _, Kind, SigningBackend, Statement, VerifyingKey, sign};
use brine_trust::{RevocationStatement, RevokedKey, Said, UnverifiedStatement};

use super::statement_made::{Place, write};
use crate::args::statement::Revoke;
use crate::report::Failure;
use crate::report::console::{note, printable, typeable_path};
use crate::report::statement_facts::{StatementLine, revoked_phrase, until};
use crate::world::clock::Moment;
use crate::world::input::{InputFile, MAX_WHOLE_BYTES};
use crate::world::key_place::KeyPlace;
use crate::world::local_time::TimePoint;
use crate::world::named_key;
use crate::world::passphrase::Source;
use crate::world::small_files::SmallFiles;
use crate::world::statement_file::{Target, target};
use crate::world::whole_file::Existing;

pub(super) fn run(args: &Revoke) -> Result<(), Failure> {
    let signer = match (&args.issuer, args.keys.as_slice()) {
        (Some(issuer), _) => issuer,
        (None, [key]) => key,
        (None, _) => {
            let usage = "a key revokes itself alone; --with CA revokes several";
            return Err(Failure::usage(usage.to_owned()));
        }
    };
    let files = SmallFiles::new(args.permissions);
    let key = KeyPlace::find(signer).map_err(|failure| not_here(args, failure))?;
    let target = target(args.output.as_deref(), &key, "revocation")?;
    if matches!(target, Target::Stdout) && args.issuer.is_some() {
        let usage = "a list is continued from its file, so that standard output cannot be it";
        return Err(Failure::usage(usage.to_owned()));
    }
    let place = Place::plan(target, key.file())?;
    let of_others = args.keys.iter().filter(|_| args.issuer.is_some());
    let of_others = of_others.map(|text| named_key::verifying_key(text, &files));
    let of_others: Vec<_> = of_others.collect::<Result<_, _>>()?;
    let lost = args.lost.as_ref().map(TimePoint::resolve).transpose()?;
    let key = key.open(&Source::find(&args.passphrase), args.permissions)?;
    let before = place.path().map(|path| before(path, key.verifying_key())).transpose()?.flatten();

    let now = Moment::System.now()?;
    let lost = lost.map(|lost| lost.from(now));
    let own = args.issuer.is_none().then(|| key.verifying_key().clone());
    let new = own.iter().chain(&of_others);
    let new: Vec<_> = new.map(|key| RevokedKey::new(key, lost, args.reason.clone())).collect();
    let kept = before.iter().flat_map(RevocationStatement::keys).cloned();
    let number = before.as_ref().map_or(0, |before| before.number().saturating_add(1));
    let list = RevocationStatement::new(number.max(now.unix()), kept.chain(new.clone()));
    let expires = args.valid_for.map(|length| now.plus(length));
    let statement = Statement::at(now).kind(Kind::Revocation);
    let statement = expires.map_or(statement.clone(), |end| statement.expires(end));
    let envelope = sign(&statement, key.as_ref(), list.encode().as_slice())?.to_bytes();
    let made = read(&envelope, place.name(), key.as_ref())?;
    write(&place, Existing::Replace, &envelope)?;
    if args.json {
        return place.tell(&StatementLine::new("made", Some(&made), Some(signer), place.path()));
    }
    let (count, keys) = (list.keys().len(), if list.keys().len() == 1 { "key" } else { "keys" });
    note(&format!(
        "list {} of {} revokes {count} {keys}{}{}",
        list.number(),
        printable(signer),
        until(expires),
        place.phrase()
    ));
    new.iter().for_each(|key| note(&format!("  revoked now: {}", printable(&revoked_phrase(key)))));
    if let Some(path) = place.path() {
        note(&format!("others take it with: brinekey trust update {}", typeable_path(path)));
    }
    Ok(())
}

/// Says what else may have been meant by whoever wants a key revoked that is somebody else's.
fn not_here(args: &Revoke, failure: Failure) -> Failure {
    let (Failure::NoSuchKey { name, .. }, None) = (&failure, &args.issuer) else { return failure };
    Failure::Mistyped {
        message: format!("there is no private key {name:?} here that could revoke itself"),
        hint: Some(format!(
            "\"brinekey trust revoke {name}\" has the key refused here; an authority revokes it for others, with --with CA"
        )),
    }
}

/// Reads the list that is continued, if there is one.
fn before(path: &Path, key: &VerifyingKey) -> Result<Option<RevocationStatement>, Failure> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // What cannot be looked at is not opened either.
        _ => {}
    }
    let name = quoted(path).to_string();
    let wrong = |source| Failure::Statement { name: name.clone(), source };
    let bytes = InputFile::open_file(path)?.read(MAX_WHOLE_BYTES)?;
    let statement = UnverifiedStatement::parse(bytes).map_err(wrong)?;
    statement.verify_again(key).map_err(wrong)?;
    match statement.said() {
        Said::Revocation(list) => Ok(Some(list.clone())),
        Said::Rotation(_) => {
            Err(Failure::usage(format!("{} is a rotation, and no list of keys", quoted(path))))
        }
    }
}

/// Reads what was made as others will, so that what they would refuse is not written.
fn read(
    envelope: &[u8],
    name: String,
    key: &dyn SigningBackend,
) -> Result<UnverifiedStatement, Failure> {
    let wrong = |source| Failure::Statement { name: name.clone(), source };
    let statement = UnverifiedStatement::parse(envelope.to_vec()).map_err(wrong)?;
    statement.verify_again(key.verifying_key()).map_err(wrong)?;
    Ok(statement)
}
