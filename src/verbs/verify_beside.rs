//! `brine verify` of files whose signatures lie beside them, or elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use brine_core::{Error, FormError, Kind, KindError, Opening, open};

use super::expect::{Judge, is_standard_input};
use super::say_who;
use super::verify::is_quiet;
use crate::args::verify::Verify;
use crate::report::byte_name::in_a_line;
use crate::report::{BesideFailure, Failure, FileOutcome, FileWork, Outcome, Signed};
use crate::reporter::FileTeller;
use crate::world::beside::{ContentFile, HashWork};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::progress::Show;
use crate::world::release::stored;
use crate::world::signature_name::{SignedFile, envelope_of, is_of_signature, signature_of};

/// Returns the files to verify, each with its signature, if signatures beside files are what was typed.
pub(super) fn signed_files(args: &Verify) -> Result<Option<Vec<SignedFile>>, Failure> {
    if args.detached {
        let mut seen = BTreeSet::new();
        let found = args.inputs.iter().map(|path| SignedFile::named_by(path));
        // A file and its signature are two names of one thing: `dir/*` has both.
        return Ok(Some(found.filter(|found| seen.insert(found.clone())).collect()));
    }
    if let Some(signature) = &args.signature {
        return elsewhere(args, signature).map(Some);
    }
    if args.inputs.is_empty() || !args.inputs.iter().all(|path| is_of_signature(path)) {
        return Ok(None);
    }
    let files = args.inputs.iter().map(|path| {
        let found = SignedFile::of_signature(path);
        found.ok_or_else(|| not_given(format!("{path:?}"), path, None).into())
    });
    files.collect::<Result<_, Failure>>().map(Some)
}

/// Takes the signature from where it is said to be.
fn elsewhere(args: &Verify, signature: &Path) -> Result<Vec<SignedFile>, Failure> {
    let file = match args.inputs.as_slice() {
        [] if rustix::termios::isatty(rustix::stdio::stdin()) => {
            return Err(not_given(format!("{signature:?}"), signature, None).into());
        }
        [] => PathBuf::from("-"),
        [file] => file.clone(),
        [first, second, ..] => return Err(two_files(first, second).into()),
    };
    if is_standard_input(&file) && is_standard_input(signature) {
        let usage = "standard input cannot be both the signature and the file";
        return Err(Failure::usage(usage));
    }
    Ok(vec![SignedFile { file, signature: signature.to_owned() }])
}

/// Verifies every file, and says of each how it did.
pub(super) fn verify_beside(
    args: &Verify,
    judge: &Judge,
    files: &[SignedFile],
    lines: Option<&Output>,
) -> Outcome {
    let (mut outcomes, mut teller) = (Vec::new(), FileTeller::new(say_who(&args.verdict)));
    for found in files {
        let outcome = verify_file(args, judge, found);
        let said = match (&outcome, lines) {
            (Ok(_), Some(lines)) => lines.print(&format!("{}: OK\n", in_a_line(&found.file))),
            _ => Ok(()),
        };
        // A verdict that nobody hears is not given.
        let unheard = said.is_err();
        let outcome = FileOutcome { name: found.file.clone(), outcome: said.and(outcome) };
        if !args.verdict.json {
            teller.tell(&outcome);
        }
        outcomes.push(outcome);
        if unheard {
            break;
        }
    }
    Outcome::Files { work: FileWork::Verify, files: outcomes }
}

fn verify_file(args: &Verify, judge: &Judge, found: &SignedFile) -> Result<Outcome, Failure> {
    let opening = open_signature(judge, found)?;
    if args.output.is_some() || args.whole {
        return Err(BesideFailure::NoPayload { signature: found.signature.clone() }.into());
    }
    let content = InputFile::open(Some(&found.file));
    let content = content.map_err(|failure| file_missing(failure, found))?;
    let work = HashWork { threads: args.threads, show: Show::unless(is_quiet(args)) };
    let mut content = ContentFile::new(content, work);
    let verified =
        opening.verify_beside(&mut content, &judge.expectations, &judge.trust, &judge.moment);
    let name = content.name();
    let verified = verified.map_err(|error| stored(error, name).in_file(name))?;
    Ok(Outcome::verified(Signed::beside(&verified, judge.moment.name())))
}

/// Opens a signature, and refuses what claims to be anything else before its file is looked for: an envelope with its
/// payload in it speaks for no file, and neither does a stream.
fn open_signature(judge: &Judge, found: &SignedFile) -> Result<Opening, Failure> {
    let signature = InputFile::open(Some(&found.signature));
    let signature = signature.map_err(|failure| signature_missing(failure, found))?;
    let name = signature.name().to_owned();
    let opening = open(signature.into_envelope_input()?);
    let error = match opening {
        Ok(opening) if opening.lies_beside(&judge.expectations) => return Ok(opening),
        Ok(opening) => refusal(opening, judge, found),
        Err(error) => error,
    };
    if is_swapped(judge, found) {
        let SignedFile { file, signature } = found.clone();
        return Err(BesideFailure::Swapped { file, signature }.into());
    }
    if holds_payload(&error) {
        let SignedFile { file, signature } = found.clone();
        let source = Box::new(error);
        return Err(BesideFailure::HoldsItsOwn { name, signature, file, source }.into());
    }
    Err(Failure::reading(&name, error).in_file(&name))
}

/// Returns whether a signature was refused because it holds a payload, as a single envelope or a stream does.
const fn holds_payload(error: &Error) -> bool {
    matches!(
        error,
        Error::Form(FormError::AttachedPayload)
            | Error::Kind(KindError::Wrong { found: Kind::Segment, .. })
    )
}

/// Says why something is no detached signature. A wrong kind may be found out only with the file, if that is there.
fn refusal(opening: Opening, judge: &Judge, found: &SignedFile) -> Error {
    let Judge { expectations, trust, moment } = judge;
    let judged = match InputFile::open(Some(&found.file)) {
        Ok(content) => {
            let mut content =
                ContentFile::new(content, HashWork { threads: None, show: Show::Never });
            opening.verify_beside(&mut content, expectations, trust, moment)
        }
        Err(_) => opening.verify_beside(&mut &[][..], expectations, trust, moment),
    };
    judged.err().unwrap_or_else(|| FormError::AttachedPayload.into())
}

/// Returns whether the file is what claims to be a signature. A name that ends in `.sig` is taken at its word.
fn is_swapped(judge: &Judge, found: &SignedFile) -> bool {
    let is_regular = || fs::metadata(&found.file).is_ok_and(|file| file.is_file());
    if is_of_signature(&found.signature) || !is_regular() {
        return false;
    }
    let input = InputFile::open_file(&found.file).and_then(InputFile::into_envelope_input);
    let opening = input.ok().and_then(|input| open(input).ok());
    opening.is_some_and(|opening| opening.lies_beside(&judge.expectations))
}

/// Says what cannot be verified without its file. `name` is what the signature is called; `signature` where it was read.
pub(super) fn not_given(name: String, signature: &Path, file: Option<PathBuf>) -> BesideFailure {
    BesideFailure::FileNotGiven { name, signature: signature.to_owned(), file }
}

/// Says what two files are likely to be.
pub(super) fn two_files(first: &Path, second: &Path) -> BesideFailure {
    let signature = [(first, second), (second, first)]
        .into_iter()
        .find(|(signature, file)| is_of_signature(signature) && !is_of_signature(file));
    BesideFailure::TwoFiles {
        first: first.to_owned(),
        second: second.to_owned(),
        signature: signature.map(|(signature, file)| (signature.to_owned(), file.to_owned())),
    }
}

fn file_missing(failure: Failure, found: &SignedFile) -> Failure {
    let SignedFile { file, signature } = found.clone();
    match is_missing(&failure) {
        true => BesideFailure::FileMissing { file, signature }.into(),
        false => failure,
    }
}

fn signature_missing(failure: Failure, found: &SignedFile) -> Failure {
    let SignedFile { file, signature } = found.clone();
    if !is_missing(&failure) || signature != signature_of(&file) {
        return failure;
    }
    if fs::symlink_metadata(&file).is_err() {
        return BesideFailure::Neither { file, signature }.into();
    }
    let envelope = Some(envelope_of(&file)).filter(|envelope| envelope.is_file());
    BesideFailure::SignatureMissing { file, signature, envelope }.into()
}

fn is_missing(failure: &Failure) -> bool {
    matches!(failure, Failure::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
