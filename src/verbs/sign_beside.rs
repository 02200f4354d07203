//! `brine sign -d`: signatures that lie beside their files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use brine_core::{Content, Kind};

use super::expect::is_standard_input;
use super::sign::{
    SEVERAL, is_quiet, length_of, most_whole, refuse_missing, sign_single, signed_input,
};
use super::signers::Signers;
use super::stated::{Said, Stated};
use crate::args::sign::Sign;
use crate::report::byte_name::shown;
use crate::report::console::{remark, typeable};
use crate::report::{
    BesideFailure, Failure, FileOutcome, FileWork, Outcome, SignatureFacts, SignedInput,
};
use crate::reporter::{FileTeller, SayWho};
use crate::world::beside::{HashWork, SignedBeside};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::progress::Show;
use crate::world::signature_name::{SignedFile, signature_of};
use crate::world::whole_file::Existing;

/// Signs each file, whatever became of those before, and says of each that failed why.
///
/// All places are held against all that is read, and against each other, before the first signature is made. A file
/// whose place will not do is left out, and takes no other with it.
pub(super) fn sign_files(
    args: &Sign,
    guard: &mut OverwriteGuard,
    signer: impl FnOnce() -> Result<(Signers, Stated), Failure>,
) -> Result<Outcome, Failure> {
    let (typed, signatures) = without_signatures(&args.inputs);
    let inputs = if typed.is_empty() { &[Path::new("-")][..] } else { &typed };
    tell_left_out(&signatures);
    if args.inputs.len() > 1 && args.output.is_some() {
        return Err(Failure::usage(SEVERAL));
    }
    let places: Vec<_> = inputs.iter().map(|path| place(args, guard, path)).collect();
    // What was typed cannot be meant like this, for no file.
    let (clashes, places): (Vec<_>, Vec<_>) = places.into_iter().partition(is_clash);
    if let Some(Err(clash)) = clashes.into_iter().next() {
        return Err(clash);
    }
    // Nobody is asked for a passphrase where there is nothing to sign.
    let signer = if places.iter().any(Result::is_ok) { Some(signer()?) } else { None };
    let sign = |place: Place<'_>| match &signer {
        Some((keys, stated)) => {
            let signed = signed_input(args, keys, place.input);
            let facts = sign_file(args, keys, stated, place)?;
            Ok(Outcome::signed(SignedInput { facts, ..signed }))
        }
        None => Ok(Outcome::Silent),
    };
    let (mut files, mut teller) = (Vec::new(), FileTeller::new(SayWho::Never));
    for (path, place) in inputs.iter().zip(places) {
        let outcome = place.and_then(sign).map_err(|failure| exists(failure, path));
        let file = FileOutcome { name: path.to_path_buf(), outcome };
        teller.tell(&file);
        files.push(file);
    }
    Ok(Outcome::Files { work: FileWork::Sign, files })
}

/// Tells the files to sign from the signatures of files that were typed, too, as `dir/*` has both. One that is typed
/// without its file is meant, and a signature of it is made.
pub(super) fn without_signatures(typed: &[PathBuf]) -> (Vec<&Path>, Vec<&Path>) {
    let files: BTreeSet<&Path> = typed.iter().map(PathBuf::as_path).collect();
    typed.iter().map(PathBuf::as_path).partition(|path| {
        let found = SignedFile::of_signature(path);
        found.is_none_or(|found| !files.contains(found.file.as_path()))
    })
}

/// Says which signatures are not signed themselves.
fn tell_left_out(signatures: &[&Path]) {
    let Some(first) = signatures.first() else { return };
    let name = quoted(*first);
    let what = match signatures.len() {
        1 => format!("{name}, by its name the signature of a file beside it; to sign it"),
        count => format!("{count} signatures, as their names say, like {name}; to sign it"),
    };
    remark(&format!("not signed: {what}, too: brine sign -d {}", typeable(&shown(first))));
}

/// Returns whether two things that were named are one.
const fn is_clash(place: &Result<Place<'_>, Failure>) -> bool {
    matches!(place, Err(Failure::SameFile { .. }))
}

/// An input, which is opened when its turn comes, and where its signature goes.
struct Place<'a> {
    input: &'a Path,
    output: Output,
}

fn place<'a>(
    args: &Sign,
    guard: &mut OverwriteGuard,
    input: &'a Path,
) -> Result<Place<'a>, Failure> {
    refuse_missing(input)?;
    let output = if args.output.is_some() || is_standard_input(input) {
        Output::plan("output", args.output.as_deref(), guard)?
    } else {
        let existing = if args.force { Existing::Replace } else { Existing::Keep };
        Output::derived("signature", signature_of(input), existing, guard)?
    };
    if !args.armor {
        output.refuse_terminal("a signature")?;
    }
    Ok(Place { input, output })
}

/// Signs all of a small file, and the digest of a large one.
fn sign_file(
    args: &Sign,
    keys: &Signers,
    stated: &Stated,
    place: Place<'_>,
) -> Result<SignatureFacts, Failure> {
    let input = InputFile::open(Some(place.input))?;
    if args.plain || args.single {
        return sign_single(args, keys, &|| stated.now(), input, &place.output);
    }
    let hash = args.hash.into();
    let work = HashWork { threads: args.threads, show: Show::unless(is_quiet(args)) };
    match SignedBeside::read(input, most_whole(args, keys.message_limit(), stated), hash, work)? {
        SignedBeside::Bytes(payload) => {
            let Said { statement, facts } = stated.now()?;
            let content = Content::Bytes(&payload);
            keys.seal(&statement, content, (true, args.armor), &place.output)?;
            Ok(SignatureFacts { payload_bytes: Some(length_of(&payload)), ..facts })
        }
        SignedBeside::Digest(hashed) => {
            let Said { statement, facts } = stated.now()?;
            let content = Content::Digest(hash, &hashed.digest);
            keys.seal(&statement, content, (false, args.armor), &place.output)?;
            let (kind, payload_bytes) = (Kind::Digest.name(), Some(hashed.bytes));
            Ok(SignatureFacts { kind, payload_bytes, ..facts })
        }
    }
}

/// Says of a signature that is there already how it is replaced.
fn exists(failure: Failure, file: &Path) -> Failure {
    match failure {
        Failure::Exists { path } if path == signature_of(file) => {
            BesideFailure::SignatureExists { file: file.to_owned(), signature: path }.into()
        }
        other => other,
    }
}
