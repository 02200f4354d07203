//! What can go wrong: the errors of all crates, and those of the programs.

mod conversions;

use std::io;
use std::path::{Path, PathBuf};

use brine_core::{Classified as _, SystemError, TrustUnavailable};
use brine_job::{JobError, PolicyFileError};
use brine_keys::KeyFileError;
use brine_pickle::{AllowListError, FileForm, PickleRule};
use brine_records::{FrameReadError, FramingError, PipelineError, RecordError, ReplayError};
use brine_trust::TrustError;

use super::beside_failure::BesideFailure;
use super::command::CommandMisuse;
use super::exit::Status;
use super::keeping_failure::KeepingFailure;
use super::{OlderRecords, SignerFailure, hint};

/// Why a program ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{path:?}: {source}")]
    AllowList { path: PathBuf, source: AllowListError },

    #[error("{0:?} is not a key name")]
    BadName(String),

    #[error(transparent)]
    Beside(#[from] BesideFailure),

    #[error("will not write {what} to a terminal")]
    BinaryToTerminal { what: &'static str },

    #[error(transparent)]
    Command(#[from] CommandMisuse),

    #[error(transparent)]
    Core(#[from] brine_core::Error),

    #[error("{path:?} exists already")]
    Exists { path: PathBuf },

    #[error(
        "{link:?} is a link of another user, who decides where it leads; name the place itself"
    )]
    ForeignLink { link: PathBuf },

    #[error(transparent)]
    Framing(#[from] FramingError),

    #[error("{name}: {source}")]
    InFile { name: String, source: Box<Self> },

    #[error("{path:?} {} {root:?}, where the policy lets jobs write", overlap(path, root))]
    InJobsReach { path: PathBuf, root: PathBuf },

    #[error("{path:?} is mounted without its directory, and cannot be replaced")]
    Irreplaceable { path: PathBuf },

    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },

    #[error(transparent)]
    Job(#[from] JobError),

    #[error(transparent)]
    Key(#[from] KeyFileError),

    #[error("{path:?}: {source}")]
    KeyFile { path: PathBuf, source: KeyFileError },

    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    #[error(transparent)]
    Launch(#[from] brine_sandbox::LaunchError),

    #[error("{message}")]
    Mistyped { message: String, hint: Option<String> },

    #[error("no home directory: neither BRINE_HOME, XDG_CONFIG_HOME nor HOME is set")]
    NoHome,

    #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
    #[error("this brine cannot run jobs: it was built without confinement, which needs Linux")]
    NoSandbox,

    #[error("{path:?} cannot be made: {source}")]
    NoPlace { path: PathBuf, source: io::Error },

    #[error(
        "{typed:?} is a local time, and {source_name} gives no time zone that this machine knows"
    )]
    NoTimeZone { typed: String, source_name: String },

    #[error("no key named {name:?} in {directory:?}")]
    NoSuchKey { name: String, directory: PathBuf, similar: Option<String> },

    #[error("nobody called {name:?} is trusted, and no key has that name")]
    NoSuchSigner { name: String, similar: Option<String> },

    #[error("{program:?}: {source}")]
    NotExecutable { program: PathBuf, source: io::Error },

    #[error("no program {program:?}")]
    NotFound { program: PathBuf },

    #[error(transparent)]
    OlderRecords(Box<OlderRecords>),

    #[error("{what} was closed by its reader")]
    OutputClosed { what: String },

    #[error(transparent)]
    Keeping(#[from] KeepingFailure),

    #[error("{name}: {message}")]
    Pickle {
        name: String,
        message: String,
        rule: PickleRule,
        form: Option<FileForm>,
        /// The lines of a list that would allow it.
        allow: Vec<String>,
    },

    #[error("{path:?}: {source}")]
    PolicyFile { path: PathBuf, source: PolicyFileError },

    #[error("{path:?}: line {line}: {what}")]
    PolicyUnusable { path: PathBuf, line: usize, what: String },

    #[error("will not write over {path:?}, which is a key, the trust file or the policy")]
    Precious { path: PathBuf },

    #[error("{path:?} is there and is no regular file, and is not replaced")]
    NotReplaced { path: PathBuf },

    #[error("will not write over {path:?}, which is a private key")]
    PrivateKey { path: PathBuf },

    #[error("record {number}: {why}")]
    Record { number: u64, why: RecordError },

    #[error(transparent)]
    Replay(#[from] ReplayError),

    #[error("{one} and {}{other} are the same file", if one == other { "another " } else { "" })]
    SameFile { one: &'static str, other: &'static str },

    #[error(transparent)]
    Signer(#[from] SignerFailure),

    #[error("temporary file: {source}, in {directory:?}")]
    Temporary { directory: PathBuf, source: io::Error },

    #[error("{path:?}: {source}")]
    TrustFile { path: PathBuf, source: TrustError },

    #[error("{path:?}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },

    #[error("{0}")]
    Usage(String),

    #[error(
        "{path:?} is a regular file that another process has open, and is not written over in place"
    )]
    WrittenInPlace { path: PathBuf },
}

impl Failure {
    /// Wraps a failure of reading or writing `what`.
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// Says what to type instead.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Says what could not be read of records.
    pub(crate) fn reading_records(name: &str, error: FrameReadError) -> Self {
        match error {
            FrameReadError::Framing(error) => error.into(),
            FrameReadError::Input(error) => Self::io(name, error),
            FrameReadError::OutOfMemory { bytes } => SystemError::OutOfMemory { bytes }.into(),
        }
    }

    /// Says why work on the records of a pipe ended. `name` is what the pipe is called.
    pub(crate) fn of_pipeline<R: Into<Self>>(
        error: PipelineError<FrameReadError, Self, R>,
        name: &str,
    ) -> Self {
        match error {
            PipelineError::Clock(error) => error.into(),
            PipelineError::Decode(error) | PipelineError::Source(error) => {
                Self::reading_records(name, error)
            }
            PipelineError::Ledger(error) => error.into(),
            // The library called back, and there was a failure.
            PipelineError::Record { why: RecordError::Envelope(error), .. } if error.is_input() => {
                Self::reading(name, error)
            }
            PipelineError::Record { number, why } => Self::Record { number, why },
            PipelineError::Rejects(failure) => failure.into(),
            PipelineError::Sink(failure) => failure,
            PipelineError::Thread(error) => Self::io("thread", error),
            PipelineError::Trust(error) => Self::of_trust(error),
            PipelineError::WorkerLost(_) => SystemError::WorkerLost.into(),
        }
    }

    /// Says what could not be read, where reading is what failed. Where the library called back, and there was a
    /// failure, it is that failure.
    pub(crate) fn reading(name: &str, error: brine_core::Error) -> Self {
        match error {
            brine_core::Error::System(SystemError::Input(error)) => {
                error.downcast().unwrap_or_else(|error| Self::io(name, error))
            }
            brine_core::Error::System(SystemError::Trust(error)) => Self::of_trust(error),
            other => other.into(),
        }
    }

    /// Says which file it is about, where it does not.
    pub(crate) fn in_file(self, name: &str) -> Self {
        match self {
            Self::Core(_) => Self::InFile { name: name.to_owned(), source: Box::new(self) },
            other => other,
        }
    }

    /// Returns whether no person needs to be told. A reader that has read enough closes the pipe, as `head` does.
    pub(crate) const fn is_quiet(&self) -> bool {
        matches!(self, Self::OutputClosed { .. })
    }

    /// Says why it cannot be found out who is trusted.
    fn of_trust(error: TrustUnavailable) -> Self {
        let (class, reason) = (error.class(), error.reason());
        match error.into_source().downcast() {
            Ok(failure) => *failure,
            Err(source) => SystemError::from(TrustUnavailable::new(class, reason, source)).into(),
        }
    }

    /// Returns the exit status.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Beside(failure) => failure.status(),
            Self::Core(error) => error.class().into(),
            Self::InFile { source, .. } => source.status(),
            Self::Framing(error) => error.class().into(),
            Self::Job(error) => error.class().into(),
            Self::Keeping(failure) => failure.status(),
            Self::Replay(error) => error.class().into(),
            Self::Pickle { rule, .. } => rule.fault().into(),
            Self::Record { why, .. } => why.class().into(),
            Self::Signer(failure) => failure.status(),
            Self::AllowList { .. }
            | Self::BadName(_)
            | Self::BinaryToTerminal { .. }
            | Self::Command(_)
            | Self::ForeignLink { .. }
            | Self::Mistyped { .. }
            | Self::NoTimeZone { .. }
            | Self::Precious { .. }
            | Self::PrivateKey { .. }
            | Self::SameFile { .. }
            | Self::Usage(_)
            | Self::WrittenInPlace { .. } => Status::Usage,
            Self::Exists { .. }
            | Self::Io { .. }
            | Self::Irreplaceable { .. }
            | Self::NoHome
            | Self::NoPlace { .. }
            | Self::NotReplaced { .. }
            | Self::OutputClosed { .. }
            | Self::Temporary { .. } => Status::Io,
            Self::OlderRecords(_) => Status::Untrusted,
            #[cfg(all(feature = "sandbox", target_os = "linux"))]
            Self::Launch(error) => Status::from_code(error.status()),
            #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
            Self::NoSandbox => Status::NotConfined,
            Self::NotExecutable { .. } => Status::NotExecutable,
            Self::NotFound { .. } => Status::NotFound,
            Self::Key(_)
            | Self::KeyFile { .. }
            | Self::InJobsReach { .. }
            | Self::PolicyFile { .. }
            | Self::PolicyUnusable { .. }
            | Self::NoSuchKey { .. }
            | Self::NoSuchSigner { .. }
            | Self::TrustFile { .. }
            | Self::Unreadable { .. } => Status::Key,
        }
    }

    /// Returns the short name that stands in JSON verdicts.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::AllowList { .. } => "allow-list-form",
            Self::BadName(_) => "bad-name",
            Self::BinaryToTerminal { .. } => "binary-to-terminal",
            Self::Beside(failure) => failure.reason(),
            Self::Core(error) => error.reason(),
            Self::InFile { source, .. } => source.reason(),
            Self::Exists { .. } | Self::NotReplaced { .. } => "exists",
            Self::ForeignLink { .. } => "foreign-link",
            Self::Framing(error) => error.reason(),
            Self::InJobsReach { .. } => "in-jobs-reach",
            Self::Io { .. } | Self::NoPlace { .. } | Self::Temporary { .. } => "io",
            Self::Irreplaceable { .. } => "irreplaceable",
            Self::Job(error) => error.reason(),
            Self::Keeping(failure) => failure.reason(),
            Self::Key(source) | Self::KeyFile { source, .. } => source.reason(),
            #[cfg(all(feature = "sandbox", target_os = "linux"))]
            Self::Launch(error) => error.reason(),
            Self::NoHome => "no-home",
            #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
            Self::NoSandbox => "no-sandbox",
            Self::NotExecutable { .. } => "not-executable",
            Self::NotFound { .. } => "program-not-found",
            Self::PolicyFile { source, .. } => source.reason(),
            Self::PolicyUnusable { .. } => "policy-unusable",
            Self::NoSuchKey { .. } => "no-such-key",
            Self::NoSuchSigner { .. } => "no-such-signer",
            Self::OlderRecords(_) => "replay-unknown",
            Self::NoTimeZone { .. } => "no-time-zone",
            Self::OutputClosed { .. } => "output-closed",
            Self::Pickle { rule, .. } => rule.reason(),
            Self::Precious { .. } | Self::PrivateKey { .. } => "precious-file",
            Self::Record { why, .. } => why.reason(),
            Self::Replay(error) => error.reason(),
            Self::SameFile { .. } => "same-file",
            Self::Signer(failure) => failure.reason(),
            Self::TrustFile { source, .. } => source.reason(),
            Self::Unreadable { .. } => "unreadable",
            Self::Command(_) | Self::Mistyped { .. } | Self::Usage(_) => "usage",
            Self::WrittenInPlace { .. } => "written-in-place",
        }
    }

    /// Returns what to type next, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        hint::of(self)
    }
}

/// Says how a path and a root that jobs write have to do with each other.
fn overlap(path: &Path, root: &Path) -> &'static str {
    if path != root && root.starts_with(path) { "holds" } else { "lies in" }
}
