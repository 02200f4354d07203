//! What can go wrong in a program that cannot in the library.

use std::io;
use std::path::PathBuf;

use super::exit::Status;
use crate::error::Error;
use crate::job::{JobError, PolicyError, PolicyFileError};
use crate::key::KeyError;
use crate::kind::Kind;
use crate::pickle::{AllowListError, Reason};
use crate::record::FramingError;
use crate::record::replay::ReplayError;
use crate::sandbox::LaunchError;
use crate::trust::TrustError;

/// Why a program ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{path:?}: {source}")]
    AllowList { path: PathBuf, source: AllowListError },

    #[error("{0:?} is not a key name")]
    BadName(String),

    #[error("will not write {what} to a terminal")]
    BinaryToTerminal { what: &'static str },

    #[error(transparent)]
    Brine(#[from] Error),

    #[error("{path:?} exists already")]
    Exists { path: PathBuf },

    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },

    #[error("{path:?}: {source}")]
    KeyFile { path: PathBuf, source: KeyError },

    #[error(transparent)]
    Launch(#[from] LaunchError),

    #[error("no home directory: neither BRINE_HOME, XDG_CONFIG_HOME nor HOME is set")]
    NoHome,

    #[error("no key named {name:?} in {directory:?}")]
    NoSuchKey { name: String, directory: PathBuf, similar: Option<String> },

    #[error("nobody called {name:?} is trusted, and no key has that name")]
    NoSuchSigner { name: String, similar: Option<String> },

    #[error("{program:?}: {source}")]
    NotExecutable { program: PathBuf, source: io::Error },

    #[error("no program {program:?}")]
    NotFound { program: PathBuf },

    #[error("passphrase: {0}")]
    Passphrase(String),

    #[error("key is encrypted, and there is no terminal to ask for the passphrase")]
    PassphraseNeeded,

    #[error("{name}: {message}")]
    Pickle { name: String, message: String, reason: Reason },

    #[error("{path:?}: {source}")]
    PolicyFile { path: PathBuf, source: PolicyFileError },

    #[error("will not write over {path:?}, which is a key, the trust file or the policy")]
    Precious { path: PathBuf },

    #[error("input and output are the same file")]
    SameFile,

    #[error("record {number}: {source}")]
    Record { number: u64, source: Box<Self> },

    #[error("{path:?}: {source}")]
    TrustFile { path: PathBuf, source: TrustError },

    #[error("{path:?}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },

    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Wraps a failure of reading or writing `what`.
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// Says what to type instead.
    pub(super) fn usage(text: &str) -> Self {
        Self::Usage(text.to_owned())
    }

    /// Says which record something went wrong with.
    pub(super) fn in_record(number: u64, source: Self) -> Self {
        Self::Record { number, source: Box::new(source) }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::Brine(error) => error.class().into(),
            Self::Pickle { reason, .. } => reason.class().into(),
            Self::Record { source, .. } => source.status(),
            Self::AllowList { .. }
            | Self::BadName(_)
            | Self::BinaryToTerminal { .. }
            | Self::Precious { .. }
            | Self::SameFile
            | Self::Usage(_) => Status::Usage,
            Self::Exists { .. } | Self::Io { .. } | Self::NoHome => Status::Io,
            Self::Launch(error) => Status::from_code(error.status()),
            Self::NotExecutable { .. } => Status::NotExecutable,
            Self::NotFound { .. } => Status::NotFound,
            Self::KeyFile { .. }
            | Self::PolicyFile { .. }
            | Self::NoSuchKey { .. }
            | Self::NoSuchSigner { .. }
            | Self::Passphrase(_)
            | Self::PassphraseNeeded
            | Self::TrustFile { .. }
            | Self::Unreadable { .. } => Status::Key,
        }
    }

    /// The stable short name that stands in JSON verdicts.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::AllowList { .. } => "allow-list-form",
            Self::BadName(_) => "bad-name",
            Self::BinaryToTerminal { .. } => "binary-to-terminal",
            Self::Brine(error) => error.reason(),
            Self::Exists { .. } => "exists",
            Self::Io { .. } => "io",
            Self::KeyFile { source, .. } => source.reason(),
            Self::Launch(error) => error.reason(),
            Self::NoHome => "no-home",
            Self::NotExecutable { .. } => "not-executable",
            Self::NotFound { .. } => "program-not-found",
            Self::PolicyFile { source, .. } => source.reason(),
            Self::NoSuchKey { .. } => "no-such-key",
            Self::NoSuchSigner { .. } => "no-such-signer",
            Self::Passphrase(_) => "passphrase-unreadable",
            Self::PassphraseNeeded => "passphrase-needed",
            Self::Record { source, .. } => source.reason(),
            Self::Pickle { reason, .. } => reason.reason(),
            Self::SameFile => "same-file",
            Self::Precious { .. } => "precious-file",
            Self::TrustFile { source, .. } => source.reason(),
            Self::Unreadable { .. } => "unreadable",
            Self::Usage(_) => "usage",
        }
    }

    /// What to type next, where there is something.
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BadName(_) => {
                "use letters, digits and . _ @ + -, not first a dot or hyphen, and no key-file suffix"
            }
            Self::BinaryToTerminal { .. } => {
                "redirect it, give \"-o FILE\", or insist with \"-o -\"; \"sign -a\" writes text"
            }
            Self::Brine(error) => return hint_for(error),
            Self::Pickle { reason, .. } => return hint_for_pickle(*reason),
            Self::Exists { .. } => "nothing was overwritten; move it away or choose another name",
            Self::KeyFile { source, .. } => return hint_for_key(source),
            Self::Launch(error) => return error.hint().map(str::to_owned),
            Self::Record { source, .. } => return source.hint(),
            Self::NoSuchKey { similar: Some(similar), .. }
            | Self::NoSuchSigner { similar: Some(similar), .. } => {
                return Some(format!("did you mean {similar:?}?"));
            }
            Self::NoSuchKey { name, .. } if name == "default" => {
                "\"brinekey gen\" makes one; \"-k FILE\" takes a key file"
            }
            Self::NoSuchKey { .. } | Self::NoSuchSigner { .. } => {
                "\"brinekey list\" shows the keys, \"brinekey trust list\" the signers; a file needs a \
                 slash, as in ./NAME"
            }
            Self::Passphrase(_) => "the source that was configured is the only one asked",
            Self::PassphraseNeeded => {
                "give \"--passphrase-file FILE\" or \"--passphrase-fd N\", or set BRINE_PASSPHRASE_FILE"
            }
            Self::NotFound { .. } => {
                "a path has a slash in it, as in ./NAME; others are sought in PATH"
            }
            Self::PolicyFile { .. } => {
                "docs/policy.md has every key; \"brine policy check FILE\" reads it"
            }
            Self::Precious { .. } => "write elsewhere; \"brinekey\" changes keys and trust",
            Self::SameFile => "write elsewhere and move it",
            Self::NoHome => "set BRINE_HOME to the directory with your keys",
            Self::AllowList { .. } => {
                "a list has a line like collections:OrderedDict for each name, without wildcards"
            }
            Self::Io { .. }
            | Self::NotExecutable { .. }
            | Self::TrustFile { .. }
            | Self::Unreadable { .. }
            | Self::Usage(_) => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<FramingError> for Failure {
    fn from(error: FramingError) -> Self {
        Self::Brine(Error::Framing(error))
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        Self::Brine(Error::Replay(error))
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::Brine(Error::Job(error.into()))
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Brine(Error::Key(error))
    }
}

fn hint_for(error: &Error) -> Option<String> {
    let hint = match error {
        Error::AttachedPayload => "leave out \"--detached\"",
        Error::ContextMissing { .. } => {
            "leave out \"--context\" if signatures for any purpose will do"
        }
        Error::ContextUnexpected { .. } => "if that is what you expect, name it with \"--context\"",
        Error::ContextMismatch { .. } => "\"brine inspect\" shows what it was signed for",
        Error::DetachedPayload => "give it: brine verify --detached SIGNATURE FILE",
        Error::Framing(FramingError::Base64) => {
            "\"brine sign --lines\" makes such text; unsigned data is never passed on"
        }
        Error::Job(JobError::Policy(error)) => return hint_for_policy(error),
        Error::Key(error) => return hint_for_key(error),
        Error::NoTrustAnchors => {
            "\"brinekey trust add NAME KEY\" trusts a signer; \"-p KEY\" names one for this once"
        }
        Error::NotAnEnvelope { .. } => {
            "\"brine sign\" makes envelopes; unsigned data is never passed on"
        }
        Error::Replay(error) => return hint_for_replay(error),
        Error::OtherCose { .. } => "\"brine inspect\" shows what it holds",
        Error::UnknownSigner { .. } => {
            "if you know the signer, \"brinekey trust add NAME KEY\"; \"brine inspect\" shows what it claims"
        }
        Error::UnknownTyp { typ } => {
            return Some(format!("if that is what you expect, give --typ {typ:?}"));
        }
        Error::Untagged => "if you know that it is one, give --untagged",
        Error::CritUnknown { .. } => "a newer brine may understand it",
        Error::WrongKind { expected: Kind::Job, .. } => "\"brine sign --job\" makes jobs",
        Error::WrongKind { found: Kind::Job, .. } => "\"brine run\" runs jobs",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_for_policy(error: &PolicyError) -> Option<String> {
    let hint = match error {
        PolicyError::CommandGiven { .. } => "leave out the command after --",
        PolicyError::NoEntry { .. } => {
            "the policy names whom it is for: [[allow]] with signers, contexts and content-types"
        }
        PolicyError::NoPolicy { .. } => {
            "\"--policy FILE\" says what jobs may have; \"brine inspect\" shows all that this one asks for"
        }
        PolicyError::NoProgram => "say what to run: brine run FILE -- CMD",
        PolicyError::NotAllowed { .. } | PolicyError::Arguments { .. } => {
            "\"brine inspect\" shows all that it asks for"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_for_replay(error: &ReplayError) -> Option<String> {
    let hint = match error {
        ReplayError::ClockBehind { .. } => {
            "set the clock, and the record is as good; if it is right, the database was used under a wrong one: \
             make another with \"brine replay init\""
        }
        ReplayError::Damaged { .. } | ReplayError::Version { .. } => {
            "keep the file, and make another with \"brine replay init\", which refuses what is older than itself"
        }
        ReplayError::ExpiryMissing => "sign with --expires, or as records with brine",
        ReplayError::Full { .. } => {
            "\"brine replay status\" shows what fills it; what is older than its maximum age makes room by itself"
        }
        ReplayError::LeaseLost => {
            "the record may have been released twice; --lease holds records longer"
        }
        ReplayError::Database(_) | ReplayError::File { .. } => {
            "it takes a directory that can be written, for the files beside it"
        }
        ReplayError::Gone { .. } => {
            "what it knew is lost; \"brine replay init\" makes one that refuses what is older than itself"
        }
        ReplayError::Missing { .. } | ReplayError::NotADatabase { .. } => {
            "\"brine replay init FILE\" makes one, where there is no file"
        }
        ReplayError::Unknown { .. } => {
            "a new database cannot know what an older one released; if there never was one, make it with \
             \"brine replay init --accept-older\""
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_for_pickle(reason: Reason) -> Option<String> {
    let hint = match reason {
        Reason::ImportNotAllowed => {
            "what may be imported is given with \"--allow LIST\"; what is on a list runs"
        }
        Reason::PersistentId => {
            "if its loader expects them, as torch does, give \"--persistent-ids\""
        }
        Reason::TrailingBytes => "if it is several pickles one after the other, give \"--multi\"",
        Reason::NotAPickle => "take the pickle out of its archive or envelope first",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_for_key(error: &KeyError) -> Option<String> {
    let hint = match error {
        KeyError::NotEd25519 { .. } | KeyError::Unrecognised | KeyError::UnsupportedForm { .. } => {
            "brine takes Ed25519 keys as PKCS#8 or OpenSSH files: \"brinekey gen\", or ssh-keygen -t ed25519"
        }
        KeyError::PassphraseNeeded => "name the public half instead: the .pub file",
        KeyError::PrivateExpected => "that is a public key; signing takes the private one",
        _ => return None,
    };
    Some(hint.to_owned())
}
