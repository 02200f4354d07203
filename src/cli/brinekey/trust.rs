//! `brinekey trust`: the trust file.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::claims::Timestamp;
use crate::cli::args::brinekey::{
    Trust as Verb, TrustAdd, TrustCheck, TrustFile, TrustList, TrustRemove,
};
use crate::cli::clock::Moment;
use crate::cli::failure::Failure;
use crate::cli::home::Home;
use crate::cli::input::read_small;
use crate::cli::output::Output;
use crate::cli::report::{json_line, note, printable};
use crate::cli::resolve::{self, trust_file};
use crate::cli::whole_file::{Access, Existing, write_whole};
use crate::error::Error;
use crate::trust::{ContextGlob, Question, Scope, Signer, TrustError, TrustStore};

pub(super) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Add(args) => add(args),
        Verb::List(args) => list(&args),
        Verb::Remove(args) => remove(&args),
        Verb::Check(args) => check(&args),
    }
}

/// Trusts a signer in the default trust file.
pub(super) fn add_to_default(home: &Home, signer: &Signer) -> Result<(), Failure> {
    edit(&home.trust_file(), |store| match store.add(signer) {
        Err(TrustError::AlreadyThere { .. }) => Ok(()),
        other => other,
    })
}

fn add(args: TrustAdd) -> Result<(), Failure> {
    let mut signer = Signer::new(args.name, resolve::verifying_key(&args.key)?);
    if !args.contexts.is_empty() {
        let globs = args.contexts.iter().map(|glob| ContextGlob::parse(glob));
        let globs = globs.collect::<Result<_, _>>().map_err(|e| Failure::Usage(e.to_string()))?;
        signer.scope = Scope::Globs(globs);
    }
    signer.not_before = args.not_before;
    signer.not_after = args.not_after;
    if let (Some(start), Some(end)) = (args.not_before, args.not_after)
        && end <= start
    {
        return Err(Failure::Usage(format!("--not-after {end} is not after --not-before {start}")));
    }
    let path = path_of(&args.file)?;
    edit(&path, |store| store.add(&signer))?;
    note(&format!("{} is trusted with key {}", signer.name, signer.key.id().short()));
    Ok(())
}

fn remove(args: &TrustRemove) -> Result<(), Failure> {
    let mut removed = 0;
    edit(&path_of(&args.file)?, |store| {
        removed = store.remove(&args.signer)?;
        Ok(())
    })?;
    note(&format!("removed {removed} of {}", printable(&args.signer)));
    Ok(())
}

fn list(args: &TrustList) -> Result<(), Failure> {
    let trust = read(&args.file)?;
    let line = if args.json { json_entry } else { entry };
    let text: String = trust.signers().iter().map(line).collect();
    Output::stdout().write(Access::Ordinary, |output| output.write_all(text.as_bytes()))
}

fn entry(signer: &Signer) -> String {
    format!("{}  {}{}\n", printable(&signer.name), signer.key.id().short(), limits(signer))
}

fn json_entry(signer: &Signer) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let revocation = signer.revocation.as_ref();
    json_line(&json!({
        "schema": SCHEMA,
        "name": signer.name,
        "key_id": signer.key.id().to_string(),
        "public_key": signer.key.to_openssh(""),
        "contexts": contexts(signer),
        "not_before": time(signer.not_before),
        "not_after": time(signer.not_after),
        "revoked_at": time(revocation.map(|revoked| revoked.at)),
        "revoked_reason": revocation.and_then(|revoked| revoked.reason.clone()),
    }))
}

fn check(args: &TrustCheck) -> Result<(), Failure> {
    let mut trust = read(&args.file)?;
    let named = trust.signers().iter().find(|signer| signer.name == args.key);
    let key = match named {
        Some(signer) => signer.key.clone(),
        None => resolve::verifying_key(&args.key)?,
    };
    if let Some(path) = &args.revoked {
        trust.revoke(resolve::read_revoked(path)?);
    }
    let now = Moment::given_or_now(args.now)?.now;
    let context = args.context.as_deref();
    let signer = trust
        .judge(key.id(), &Question { context, signer: None, now })
        .map_err(|refusal| Error::from_refusal(refusal, key.id()))?;
    let about = match context {
        Some(context) => format!("for context {context:?}"),
        None => "for signatures without a context".to_owned(),
    };
    let name = printable(&signer.name);
    let line = format!("believed: {name} {about} at {now}{}\n", limits(signer));
    Output::stdout().write(Access::Ordinary, |output| output.write_all(line.as_bytes()))
}

/// What an entry allows, where that is not everything.
fn limits(signer: &Signer) -> String {
    let at = |word: &str, at: Option<Timestamp>| at.map(|at| format!("  {word} {at}"));
    let revoked = signer.revocation.as_ref().map(|revoked| {
        let why = revoked.reason.as_ref().map(|why| format!(": {}", printable(why)));
        format!("  revoked at {}{}", revoked.at, why.unwrap_or_default())
    });
    let contexts = contexts(signer).map(|list| format!("  only {}", printable(&list.join(", "))));
    [contexts, at("from", signer.not_before), at("until", signer.not_after), revoked]
        .into_iter()
        .flatten()
        .collect()
}

fn contexts(signer: &Signer) -> Option<Vec<String>> {
    match &signer.scope {
        Scope::Any => None,
        Scope::Globs(globs) => Some(globs.iter().map(|glob| glob.as_str().to_owned()).collect()),
        Scope::Namespaces(list) => Some(vec![list.as_str().to_owned()]),
    }
}

fn path_of(file: &TrustFile) -> Result<PathBuf, Failure> {
    file.trust.clone().map_or_else(|| Home::find().map(|home| home.trust_file()), Ok)
}

fn read(file: &TrustFile) -> Result<crate::trust::Trust, Failure> {
    file.trust.as_deref().map_or_else(resolve::default_trust, resolve::read_trust)
}

/// Changes a trust file: locked against others who do the same, and replaced in one step.
fn edit(
    path: &Path,
    change: impl FnOnce(&mut TrustStore) -> Result<(), TrustError>,
) -> Result<(), Failure> {
    let failed = |error| Failure::io(format!("{path:?}"), error);
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(failed(io::Error::other("not a regular file")));
    }
    if let Some(directory) = path.parent().filter(|parent| *parent != Path::new("")) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    }
    // The lock is a file of its own: the trust file is replaced, and a lock on it would be lost.
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.with_added_extension("lock"))
        .map_err(failed)?;
    lock.lock().map_err(failed)?;
    let text = match read_small(path) {
        Ok(bytes) => bytes,
        Err(Failure::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Vec::new()
        }
        Err(other) => return Err(other),
    };
    let refused = |error| trust_file(path, error);
    let text = String::from_utf8(text).map_err(|_| refused(TrustError::NotText { line: 1 }))?;
    let mut store = TrustStore::parse(&text).map_err(refused)?;
    change(&mut store).map_err(refused)?;
    let text = store.to_string();
    write_whole(path, Access::Ordinary, Existing::Replace, |file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })
    .map_err(failed)
}

const SCHEMA: &str = "brine.signer/1";
