//! Hints: what to type next. All of them are here.

mod agent;
mod call;
mod fit;
mod job_output;
mod key_form;
mod lookalike;
mod policy;
mod replay;
mod signer;
mod statement;

use std::io::ErrorKind;

use brine_core::ClaimsError;
use brine_core::cbor::{Flaw, Malformed};
use brine_core::{
    Classified as _, Error, FormError, Kind, KindError, SignatureError, StreamError, Untrusted,
};
use brine_job::{JobError, ResultError};
use brine_keys::KeyFileError;
use brine_pickle::{FileForm, PickleRule};
use brine_records::{FramingError, RecordError};
use brine_trust::StatementError;

pub(super) use self::call::of_call;
pub(super) use self::fit::fit;
use super::{Failure, console, typed};

/// Returns the hint of a failure, where there is one.
pub(super) fn of(failure: &Failure) -> Option<String> {
    let hint = match failure {
        Failure::Agent(failure) => return agent::of_reason(failure.reason()).map(str::to_owned),
        Failure::AllowList { .. } => {
            "a list has a line like collections:OrderedDict for each name, without wildcards"
        }
        Failure::BadName(name) => {
            if let Some(hint) = key_form::of_name(name) {
                return Some(hint);
            }
            "use letters, digits and . _ @ + -, not first a dot or hyphen, and no key-file suffix"
        }
        Failure::BinaryToTerminal { .. } => {
            "redirect it: \"> FILE\"; \"-o FILE\" writes it to a file, and \"-o -\" to the terminal all the same; \"-a\" writes text"
        }
        Failure::Beside(failure) => return failure.hint(),
        Failure::Command(misuse) => misuse.hint(),
        Failure::Core(error) | Failure::Envelope { source: error, .. } => return of_core(error),
        Failure::Exists { .. } => "nothing was overwritten; move it away or choose another name",
        Failure::Keeping(failure) => return failure.hint(),
        Failure::KeptStatements { .. } => {
            "put a copy of it back: without it, keys that were revoked are believed again"
        }
        Failure::Job(JobError::Policy(error)) => {
            return policy::of_policy(error);
        }
        Failure::KeyFile { path, source: KeyFileError::PrivateExpected } => {
            return Some(key_form::of_public(path));
        }
        Failure::Key(source) | Failure::KeyFile { source, .. } => {
            return of_key_file(source).map(str::to_owned);
        }
        #[cfg(all(feature = "sandbox", target_os = "linux"))]
        Failure::Launch(error) => return error.hint().map(str::to_owned),
        Failure::InJobsReach { .. } => {
            "a job could exchange it; move it, or let jobs write elsewhere"
        }
        Failure::JsonSchema { source, .. } => {
            return job_output::of_schema(source).map(str::to_owned);
        }
        Failure::OutputFormat(error) => return job_output::of_format(error).map(str::to_owned),
        Failure::Mistyped { hint, .. } => return hint.clone(),
        Failure::NoHome => "set BRINE_HOME to the directory with your keys",
        Failure::NoSuchKey { similar: Some(similar), .. }
        | Failure::NoSuchSigner { similar: Some(similar), .. }
        | Failure::NobodyTrusted { similar: Some(similar), .. } => {
            return Some(format!("did you mean {similar:?}?"));
        }
        Failure::NoSuchKey { name, .. } if name == "default" => {
            "\"brinekey gen\" makes one; \"-k FILE\" takes a key file"
        }
        Failure::NobodyTrusted { .. } => {
            "\"brinekey trust add NAME KEY -c CONTEXT\" trusts somebody; \"brinekey trust list\" shows who is"
        }
        Failure::NoSuchKey { .. } | Failure::NoSuchSigner { .. } => {
            "\"brinekey list\" shows the keys, \"brinekey trust list\" the signers; a file needs a \
             slash, as in ./NAME"
        }
        Failure::NoTimeZone { .. } => {
            "give the time in UTC, as in 2026-12-31T00:00Z, or with an offset, as in 2026-12-31T00:00+01:00"
        }
        Failure::PowerAbsent { name } => {
            return Some(format!(
                "\"--power {name}=SOCKET\" names the program that does, by its socket"
            ));
        }
        Failure::PowerSilent { .. } => {
            "the program that does must listen there, on a stream socket, and let this user write to it"
        }
        Failure::NotFound { .. } => {
            "a path has a slash in it, as in ./NAME; others are sought in PATH"
        }
        Failure::OlderRecord { older, .. } | Failure::OlderRecords(older) => {
            return Some(older.hint());
        }
        Failure::Pickle { rule, allow, .. } if !allow.is_empty() => {
            return Some(of_import(*rule, allow));
        }
        Failure::Pickle { rule, form, .. } => return of_pickle(*rule, *form).map(str::to_owned),
        Failure::PolicyFile { source, .. } => return Some(policy::of_policy_file(source)),
        Failure::Precious { .. } => {
            "write elsewhere; \"brinekey import\" and \"brinekey trust add\" change keys and trust"
        }
        Failure::NotReplaced { .. } => "move it away, or name another place with \"-o FILE\"",
        Failure::PrivateKey { .. } => "write elsewhere, or move the key away first",
        Failure::PublicHalf { today, why } => {
            let hint = agent::of_public_half(why);
            // A name that is the very one that was typed is similar, and no help.
            return match today.as_ref() {
                Failure::NoSuchKey { .. } => Some(format!("only the public half is there; {hint}")),
                today => of(today).map(|today| format!("{today}; {hint}")),
            };
        }
        Failure::Queue(failure) => return failure.hint().map(str::to_owned),
        Failure::Result { source: ResultError::OtherJob, .. } => {
            "give the file with the very job that was sent: each signing of one makes another"
        }
        Failure::Result { .. } => return None,
        Failure::Record { why, .. } => return of_record(why),
        Failure::Replay(error) => return replay::of_replay(error).map(str::to_owned),
        Failure::ReplayedJob { source, .. } => return replay::of_job(source).map(str::to_owned),
        Failure::Signer(failure) => return Some(signer::of_signer(failure)),
        Failure::Statement { source, .. } => {
            let own = statement::of_statement(source).map(str::to_owned);
            return match source {
                StatementError::Envelope(error) => own.or_else(|| of_core(error)),
                _ => own,
            };
        }
        Failure::TrustFile { source, .. } => {
            return signer::of_trust_file(source).map(str::to_owned);
        }
        Failure::Irreplaceable { .. } => {
            "mount the directory that it lies in; a result can also be redirected: \"> FILE\""
        }
        Failure::NoDirectory { directory, .. } => {
            let directory = console::typeable(&directory.to_string_lossy());
            return Some(format!("\"mkdir -p {directory}\" makes it"));
        }
        Failure::NoPlace { .. } => {
            "it takes a directory that can be written: BRINE_HOME names that of keys and trust; a result can also be \
             redirected: \"> FILE\""
        }
        Failure::WrittenInPlace { .. } => {
            "name the file itself, which is replaced whole, or append to it: \">> FILE\""
        }
        Failure::SecretForName => {
            "write it to a file that only you can read, and name that, as in ./NAME.pem"
        }
        Failure::SameFile { .. } => "write elsewhere and move it",
        // A limit on the size of files is the same everywhere.
        Failure::Temporary { source, .. } if source.kind() == ErrorKind::FileTooLarge => {
            return None;
        }
        Failure::Temporary { .. } => {
            "set TMPDIR to a directory that can be written and has room for the payload"
        }
        #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
        Failure::NoSandbox => return None,
        Failure::Framing { source, .. } => return of_framing(source).map(str::to_owned),
        Failure::Io { .. }
        | Failure::Job(_)
        | Failure::NotExecutable { .. }
        | Failure::OutputClosed { .. }
        | Failure::PolicyUnusable { .. }
        | Failure::Unreadable { .. }
        | Failure::ForeignLink { .. }
        | Failure::Listening { .. }
        | Failure::Unwritten { .. }
        | Failure::Usage(_)
        | Failure::Window(_) => return None,
    };
    Some(hint.to_owned())
}

fn of_core(error: &Error) -> Option<String> {
    if let Error::Trust(Untrusted::NoAnchors | Untrusted::Unknown { .. }) = error
        && let Some(trust) = typed::trust()
    {
        return Some(signer::of_stranger(trust));
    }
    let hint = match error {
        Error::Claims(ClaimsError::ContextMissing { .. }) => {
            "leave out \"--context\" if a signature for no purpose in particular will do"
        }
        Error::Claims(ClaimsError::ContextUnexpected { found }) => {
            return Some(format!(
                "if that is what you expect, give \"--context {}\"",
                typeable(found, "CONTEXT")
            ));
        }
        Error::Claims(ClaimsError::ContextMismatch { .. }) => {
            "\"brine inspect\" shows what it was signed for"
        }
        Error::Form(error) => return of_form(error).map(str::to_owned),
        Error::Kind(KindError::UnknownTyp { typ }) if Kind::is_reserved_typ(typ) => {
            "a newer brine may know it"
        }
        Error::Kind(KindError::UnknownTyp { typ }) => {
            return Some(format!(
                "if that is what you expect, give \"--typ {}\"",
                typeable(typ, "TYPE")
            ));
        }
        Error::Kind(KindError::Untyped) => {
            "if \"brine sign --plain\" or other COSE software made it as data, and this key signs no tokens for others, give --untyped"
        }
        Error::Kind(KindError::Wrong { expected: Kind::Job, .. }) => {
            "\"brine sign --job\" makes jobs"
        }
        Error::Kind(KindError::Wrong { expected: Kind::Result, .. }) => {
            "\"brine run --sign-result KEY\" makes results"
        }
        Error::Kind(KindError::Wrong { expected: Kind::Revocation, .. }) => {
            "\"brinekey revoke\" and \"brinekey rotate\" make statements"
        }
        Error::Kind(KindError::Wrong { found: Kind::Revocation | Kind::Rotation, .. }) => {
            "\"brinekey trust update\" takes statements about keys"
        }
        Error::Kind(KindError::Wrong { found: Kind::Job, .. }) => "\"brine run\" runs jobs",
        Error::Kind(KindError::Wrong { found: Kind::Result, .. }) => {
            "\"brine verify --result-of JOB\" takes the result of a job"
        }
        Error::Signing(error) => agent::of_reason(error.reason())?,
        Error::Signature(SignatureError::Bad) => {
            "get it again from whoever signed it; if it was signed with \"--aad FILE\", give the same file"
        }
        Error::Stream(StreamError::AfterLast) => {
            "nothing may follow a stream; if it is a line end, \"head -c -1\" takes off LF, and \"head -c -2\" CR LF"
        }
        Error::Stream(StreamError::Segment { source, .. }) => return of_core(source),
        Error::Trust(error) => return signer::of_untrusted(error).map(str::to_owned),
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Returns text from outside, if it does nothing to a shell, or else what stands for it.
fn typeable<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._:@+-".contains(c);
    let is_short = !text.is_empty() && text.len() <= LONGEST_TYPED;
    if is_short && !text.starts_with('-') && text.chars().all(is_plain) { text } else { otherwise }
}

/// Nobody types more, in bytes.
const LONGEST_TYPED: usize = 80;

fn of_record(error: &RecordError) -> Option<String> {
    match error {
        RecordError::Envelope(error) => of_core(error),
        RecordError::Framing(error) => of_framing(error).map(str::to_owned),
        RecordError::Replay(error) => replay::of_replay(error).map(str::to_owned),
        _ => None,
    }
}

const fn of_framing(error: &FramingError) -> Option<&'static str> {
    match error {
        FramingError::Base64 => Some(
            "\"brine sign --lines\" makes such text; armored text is one envelope, without --lines; \
             unsigned data is never passed on",
        ),
        // The length was read where text begins that envelopes begin with.
        FramingError::TooLarge { bytes: 0x306f_5100..=0x306f_54ff, .. } => {
            Some("this looks like base64url text, of which each line is a record: give --lines")
        }
        _ => None,
    }
}

/// No envelope is shorter, in bytes: its signature alone has 64.
const SMALLEST_ENVELOPE_BYTES: usize = 70;

fn of_form(error: &FormError) -> Option<&'static str> {
    Some(match error {
        FormError::Armor(_) => {
            "mail and editors change armor: send it as a file, or the envelope without armor"
        }
        FormError::AttachedPayload => "what holds its payload is verified without its file",
        FormError::CritUnknown { .. } => "a newer brine may understand it",
        FormError::DetachedPayload => "give it: \"brine verify --signature SIG FILE\"",
        FormError::Malformed(Malformed { flaw: Flaw::UnexpectedEnd, .. }) => {
            "a download or copy that was not finished looks like this; get it again"
        }
        FormError::Malformed(Malformed { flaw: Flaw::TrailingLineEnd, .. }) => {
            "redis-cli and echo add one, and mosquitto_sub does; \"mosquitto_sub -N\" does not; \"head -c -1\" takes off LF, and \"head -c -2\" CR LF"
        }
        FormError::Malformed(Malformed { flaw: Flaw::TrailingBytes { count }, .. })
            if *count < SMALLEST_ENVELOPE_BYTES =>
        {
            "something was written after its end; get it again"
        }
        FormError::Malformed(Malformed { flaw: Flaw::TrailingBytes { .. }, .. }) => {
            "if it is one envelope after the other, these are records: give --cbor"
        }
        FormError::NotAnEnvelope { found } => lookalike::way_out(*found),
        FormError::OtherCose { .. } => "\"brine inspect\" shows what it holds",
        FormError::OuterTag { .. } => "if that is what you expect, give --outer-tags",
        FormError::Untagged => "if you know that it is one, give --untagged",
        _ => return None,
    })
}

/// Gives the lines of a list that allow an import, or lift its rule.
fn of_import(rule: PickleRule, lines: &[String]) -> String {
    let noun = if lines.len() == 1 { "line" } else { "lines" };
    let lines: Vec<_> = lines.iter().map(|line| format!("{line:?}")).collect();
    let with =
        format!("a list with the {noun} {}, given with \"--allow LIST\",", lines.join(" and "));
    match rule {
        PickleRule::ImportNotAllowed => format!("{with} allows it; what is on a list runs"),
        _ => format!(
            "{with} lifts the rule; the pickle may then give it anything, which can run any code"
        ),
    }
}

const fn of_pickle(rule: PickleRule, form: Option<FileForm>) -> Option<&'static str> {
    Some(match rule {
        PickleRule::ImportNotAllowed => {
            "what may be imported is given with \"--allow LIST\"; what is on a list runs"
        }
        PickleRule::InflatedTooLarge => "a larger limit is given with \"--max-inflated SIZE\"",
        PickleRule::PersistentId => {
            "if its loader expects them, as torch does, give \"--persistent-ids\""
        }
        PickleRule::RawArrayForm | PickleRule::StateNotAllowed => {
            "arrays of objects, and those that joblib before 1.2 wrote, are not followed: load the file, and dump \
             it again with lists in their place"
        }
        PickleRule::TrailingBytes => {
            "if it is several pickles one after the other, give \"--multi\""
        }
        PickleRule::NotAPickle => return of_file_form(form),
        PickleRule::ZipEncrypted | PickleRule::ZipMethod => {
            "unpack it with \"7z x FILE\", and scan what comes out"
        }
        _ => return None,
    })
}

/// Gives the command that unpacks a file that brine does not look into.
const fn of_file_form(form: Option<FileForm>) -> Option<&'static str> {
    let Some(form) = form else { return None };
    Some(match form {
        FileForm::Bzip2 => "\"bzip2 -dc FILE | brine scan\" scans what is in it",
        FileForm::Envelope => {
            "\"brine verify FILE | brine scan\" verifies it, and scans what is in it"
        }
        FileForm::Lz4 => "\"lz4 -dc FILE | brine scan\" scans what is in it",
        FileForm::Lzma | FileForm::Xz => "\"xz -dc FILE | brine scan\" scans what is in it",
        FileForm::OldJoblib => {
            "joblib's head takes 21 bytes: \"tail -c +22 FILE | brine scan\" scans what is in it"
        }
        FileForm::OldTorch => {
            "torch.load(FILE, weights_only=True) loads it, and torch.save writes a form that brine reads"
        }
        FileForm::SevenZip => "unpack it with \"7z x FILE\", and scan what comes out",
        FileForm::Tar => "unpack it with \"tar -xf FILE\", and scan what comes out",
        FileForm::Zstd => "\"zstd -dc FILE | brine scan\" scans what is in it",
        _ => return None,
    })
}

const fn of_key_file(error: &KeyFileError) -> Option<&'static str> {
    if let KeyFileError::UnsupportedForm { form } = error
        && let Some(conversion) = key_form::conversion(*form)
    {
        return Some(conversion);
    }
    Some(match error {
        KeyFileError::NotEd25519 { .. }
        | KeyFileError::Unrecognised
        | KeyFileError::UnsupportedForm { .. } => {
            "brine takes Ed25519 keys as PKCS#8 or OpenSSH files: \"brinekey gen\", or \"ssh-keygen -t ed25519\""
        }
        KeyFileError::PassphraseNeeded => "name the public half instead: the .pub file",
        KeyFileError::PrivateExpected => "that is a public key; signing takes the private one",
        _ => return None,
    })
}
