//! What can go wrong: the errors of all crates, and those of the programs.

mod conversions;
mod standing;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use brine_core::text::{in_words, quoted};
use brine_core::{Classified as _, SystemError, TrustUnavailable};
use brine_job::{FormatError, JobError, JsonSchemaError, PolicyFileError, ResultError};
use brine_keys::KeyFileError;
use brine_pickle::{AllowListError, FileForm, PickleRule};
use brine_queue::QueueError;
use brine_records::{FrameReadError, FramingError, PipelineError, RecordError, ReplayError};
use brine_trust::{StatementError, TrustError};

use super::agent_failure::AgentFailure;
use super::beside_failure::BesideFailure;
use super::command::CommandMisuse;
use super::keeping_failure::KeepingFailure;
use super::queue_failure::QueueFailure;
use super::{OlderRecords, SignerFailure, WindowFailure, hint, typed};

/// Why a program ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Agent(#[from] AgentFailure),

    #[error("{}: {source}", quoted(.path))]
    AllowList { path: PathBuf, source: AllowListError },

    #[error("the job has the power {name}, and nobody gives it")]
    PowerAbsent { name: brine_job::PowerName },

    #[error("nobody gives the power {name}: {}: {source}", quoted(.socket))]
    PowerSilent { name: brine_job::PowerName, socket: PathBuf, source: io::Error },

    #[error("{} is not a key name", quoted(.0))]
    BadName(String),

    #[error(transparent)]
    Beside(#[from] BesideFailure),

    #[error("will not write {what} to a terminal")]
    BinaryToTerminal { what: &'static str },

    #[error(transparent)]
    Command(#[from] CommandMisuse),

    #[error(transparent)]
    Core(#[from] brine_core::Error),

    #[error("{name}: {source}")]
    Envelope { name: String, source: brine_core::Error },

    #[error("{} exists already", quoted(.path))]
    Exists { path: PathBuf },

    #[error(
        "{} is a link of another user, who decides where it leads; name the place itself", quoted(.link))]
    ForeignLink { link: PathBuf },

    #[error("{name}: {source}")]
    Framing { name: String, source: FramingError },

    #[error("{} {} {}, where the policy lets jobs write", quoted(.path), overlap(.path, .root), quoted(.root))]
    InJobsReach { path: PathBuf, root: PathBuf },

    #[error("{} is mounted without its directory, and cannot be replaced", quoted(.path))]
    Irreplaceable { path: PathBuf },

    #[error("cannot listen at {address}: {}", in_words(.source))]
    Listening { address: SocketAddr, source: io::Error },

    #[error("cannot read {what}: {}", in_words(.source))]
    Io { what: String, source: io::Error },

    #[error(transparent)]
    Job(#[from] JobError),

    #[error("{}: {source}", quoted(.path))]
    JsonSchema { path: PathBuf, source: JsonSchemaError },

    #[error(transparent)]
    Key(#[from] KeyFileError),

    #[error("{}: {source}", quoted(.path))]
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

    #[error(transparent)]
    OutputFormat(#[from] FormatError),

    #[error("{} cannot be made: there is no directory {}", quoted(.path), quoted(.directory))]
    NoDirectory { path: PathBuf, directory: PathBuf },

    #[error("{} cannot be made: {}", quoted(.path), in_words(.source))]
    NoPlace { path: PathBuf, source: io::Error },

    #[error(
        "{} is a local time, and {source_name} gives no time zone that this machine knows",
        quoted(.typed)
    )]
    NoTimeZone { typed: String, source_name: String },

    #[error("no key named {} in {}", quoted(.name), quoted(.directory))]
    NoSuchKey { name: String, directory: PathBuf, similar: Option<String> },

    #[error(
        "nobody{} is trusted",
        .name.as_ref().map(|name| format!(" called {}", quoted(name))).unwrap_or_default()
    )]
    NobodyTrusted { name: Option<String>, similar: Option<String> },

    #[error("nobody called {} is trusted, and no key has that name", quoted(.name))]
    NoSuchSigner { name: String, similar: Option<String> },

    #[error("{} cannot be executed: {}", quoted(.program), in_words(.source))]
    NotExecutable { program: PathBuf, source: io::Error },

    #[error("no program {}", quoted(.program))]
    NotFound { program: PathBuf },

    /// A record that ended the work, and is older than the replay database.
    #[error("{record}")]
    OlderRecord { record: Box<Self>, older: Box<OlderRecords> },

    #[error(transparent)]
    OlderRecords(Box<OlderRecords>),

    #[error("{what} was closed by its reader")]
    OutputClosed { what: String },

    /// What was taken before cannot be used any more.
    #[error("{}: {source}", quoted(.path))]
    KeptStatements { path: PathBuf, source: StatementError },

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

    #[error("{}: {source}", quoted(.path))]
    PolicyFile { path: PathBuf, source: PolicyFileError },

    #[error("{}: line {line}: {what}", quoted(.path))]
    PolicyUnusable { path: PathBuf, line: usize, what: String },

    #[error("will not write over {}, which is a key, the trust file or the policy", quoted(.path))]
    Precious { path: PathBuf },

    #[error("{} is there and is no regular file, and is not replaced", quoted(.path))]
    NotReplaced { path: PathBuf },

    #[error("will not write over {}, which is a private key", quoted(.path))]
    PrivateKey { path: PathBuf },

    /// A public key, whose private half is not in the agent either.
    #[error("{today}")]
    PublicHalf { today: Box<Self>, why: Box<AgentFailure> },

    #[error(transparent)]
    Queue(#[from] QueueFailure),

    #[error("{}{source}", name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
    Result { name: Option<String>, source: ResultError },

    #[error("{name}: record {number}: {why}")]
    Record { name: String, number: u64, why: RecordError },

    #[error(transparent)]
    Replay(#[from] ReplayError),

    /// A job that a replay database does not let run.
    #[error("{name}: {}", of_job(.source))]
    ReplayedJob { name: String, source: ReplayError },

    /// Whoever gives the key itself in place of its name is not to find it in a log.
    #[error("this is the text of a private key, and not the name of one; it is not shown")]
    SecretForName,

    #[error("{one} and {}{other} are the same file", if one == other { "another " } else { "" })]
    SameFile { one: &'static str, other: &'static str },

    #[error(transparent)]
    Signer(#[from] SignerFailure),

    #[error("{name}: {source}")]
    Statement { name: String, source: StatementError },

    #[error("cannot keep a temporary file in {}: {}", quoted(.directory), in_words(.source))]
    Temporary { directory: PathBuf, source: io::Error },

    #[error("{}: {source}", quoted(.path))]
    TrustFile { path: PathBuf, source: TrustError },

    #[error("cannot read {}: {}", quoted(.path), in_words(.source))]
    Unreadable { path: PathBuf, source: io::Error },

    #[error("cannot write {what}: {}", in_words(.source))]
    Unwritten { what: String, source: io::Error },

    #[error("{0}")]
    Usage(String),

    #[error(transparent)]
    Window(#[from] WindowFailure),

    #[error(
        "{} is a regular file that another process has open, and is not written over in place", quoted(.path))]
    WrittenInPlace { path: PathBuf },
}

impl Failure {
    /// Wraps a failure of reading `what`.
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// Wraps a failure of writing `what`. A reader that has read enough is told apart.
    pub(crate) fn unwritten(what: impl Into<String>, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed { what: what.into() },
            _ => Self::Unwritten { what: what.into(), source },
        }
    }

    /// Says what is wrong with what was typed, and what to type instead.
    pub(crate) fn mistyped(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Mistyped { message: message.into(), hint: Some(hint.into()) }
    }

    /// Says that a key in an agent cannot be read, or written to a file.
    pub(crate) fn no_secret_of_agent() -> Self {
        let hint = "name the file that the key is in";
        Self::mistyped("an agent gives no private key out", hint)
    }

    /// Says what to type instead.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Says what could not be read of records.
    pub(crate) fn reading_records(name: &str, error: FrameReadError) -> Self {
        match error {
            FrameReadError::Framing(source) => Self::Framing { name: name.to_owned(), source },
            FrameReadError::Input(error) => Self::io(name, error),
            FrameReadError::OutOfMemory { bytes } => SystemError::OutOfMemory { bytes }.into(),
        }
    }

    /// Says why work on the records of a pipe ended. `name` is what the pipe is called.
    pub(crate) fn of_pipeline<R: Into<Self>>(
        error: PipelineError<FrameReadError, Self, R>,
        name: &str,
    ) -> Self {
        Self::of_steps(error, name, |error| Self::reading_records(name, error))
    }

    /// Says why work on the messages of a queue ended.
    pub(crate) fn of_queue(error: PipelineError<QueueError, Self, Infallible>, name: &str) -> Self {
        match error {
            // The ledger is in the file of the queue.
            PipelineError::Ledger(error) => QueueError::from(error).into(),
            error => Self::of_steps(error, name, Self::from),
        }
    }

    fn of_steps<S, R: Into<Self>>(
        error: PipelineError<S, Self, R>,
        name: &str,
        of_source: impl FnOnce(S) -> Self,
    ) -> Self {
        match error {
            PipelineError::Clock(error) => error.into(),
            PipelineError::Decode(error) => Self::reading_records(name, error),
            PipelineError::Source(error) => of_source(error),
            PipelineError::Ledger(error) => error.into(),
            // The library called back, and there was a failure.
            PipelineError::Record { why: RecordError::Envelope(error), .. } if error.is_input() => {
                Self::reading(name, error)
            }
            PipelineError::Record { number, why } => {
                Self::Record { name: name.to_owned(), number, why }
            }
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
            source => Self::Envelope { name: name.to_owned(), source },
        }
    }

    /// Says which file it is about, where it does not.
    pub(crate) fn in_file(self, name: &str) -> Self {
        match self {
            Self::Core(source) => Self::Envelope { name: name.to_owned(), source },
            Self::Result { source, .. } => Self::Result { name: Some(name.to_owned()), source },
            other => other,
        }
    }

    /// Returns whether no person needs to be told. A reader that has read enough closes the pipe, as `head` does.
    pub(crate) const fn is_quiet(&self) -> bool {
        matches!(self, Self::OutputClosed { .. } | Self::Queue(QueueFailure::Interrupted))
    }

    /// Says why it cannot be found out who is trusted.
    fn of_trust(error: TrustUnavailable) -> Self {
        let (class, reason) = (error.class(), error.reason());
        match error.into_source().downcast() {
            Ok(failure) => *failure,
            Err(source) => SystemError::from(TrustUnavailable::new(class, reason, source)).into(),
        }
    }

    /// Says what happened to who calls the library, and gave arguments instead of options.
    pub(crate) fn message_of_call(&self) -> String {
        match self {
            Self::Window(failure) => failure.of_call(),
            failure => failure.to_string(),
        }
    }

    /// Returns what to do next for who calls the library, where there is something.
    pub(crate) fn hint_of_call(&self) -> Option<String> {
        hint::of_call(self)
    }

    /// Returns what to type next, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = hint::of(self)?;
        // It is made of what was typed.
        if matches!(self, Self::OlderRecord { .. } | Self::OlderRecords(_)) {
            return Some(hint);
        }
        match typed::verb() {
            Some(verb) => hint::fit(&hint, &verb),
            None => Some(hint),
        }
    }
}

/// Says why a job is not run, where the library speaks of records.
fn of_job(error: &ReplayError) -> String {
    match error {
        ReplayError::Busy { .. } => "the job is being run by another process".to_owned(),
        ReplayError::ExpiryMissing => {
            "a replay database cannot tell this job apart: it has no expiry".to_owned()
        }
        ReplayError::Replayed => "the job was run before".to_owned(),
        ReplayError::Unknown { at, from } => format!(
            "the job was signed at {at}, and this database knows only of what was signed from {from} on"
        ),
        other => other.to_string(),
    }
}

/// Says how a path and a root that jobs write have to do with each other.
fn overlap(path: &Path, root: &Path) -> &'static str {
    if path != root && root.starts_with(path) { "holds" } else { "lies in" }
}
