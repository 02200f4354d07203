//! What a failure is to programs: its exit status, and the short name in verdicts.

use brine_core::Classified as _;

use super::Failure;
use crate::report::exit::Status;

impl Failure {
    /// Returns the exit status.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Agent(failure) => failure.status(),
            Self::Beside(failure) => failure.status(),
            Self::Core(error) | Self::Envelope { source: error, .. } => error.class().into(),
            Self::Framing { source, .. } => source.class().into(),
            Self::Job(error) => error.class().into(),
            Self::JsonSchema { source, .. } => source.class().into(),
            Self::Keeping(failure) => failure.status(),
            Self::OutputFormat(error) => error.class().into(),
            Self::OlderRecord { record: today, .. } | Self::PublicHalf { today, .. } => {
                today.status()
            }
            Self::Replay(error) | Self::ReplayedJob { source: error, .. } => error.class().into(),
            Self::Pickle { rule, .. } => rule.fault().into(),
            Self::Record { why, .. } => why.class().into(),
            Self::Queue(failure) => failure.status(),
            Self::Result { source, .. } => source.class().into(),
            Self::Signer(failure) => failure.status(),
            Self::Statement { source, .. } => source.class().into(),
            Self::Window(failure) => failure.status(),
            Self::AllowList { .. }
            | Self::BadName(_)
            | Self::BinaryToTerminal { .. }
            | Self::Command(_)
            | Self::ForeignLink { .. }
            | Self::Mistyped { .. }
            | Self::NoTimeZone { .. }
            | Self::Precious { .. }
            | Self::PrivateKey { .. }
            | Self::SecretForName
            | Self::SameFile { .. }
            | Self::Usage(_)
            | Self::WrittenInPlace { .. } => Status::Usage,
            Self::Exists { .. }
            | Self::Io { .. }
            | Self::Irreplaceable { .. }
            | Self::NoHome
            | Self::NoDirectory { .. }
            | Self::NoPlace { .. }
            | Self::NotReplaced { .. }
            | Self::OutputClosed { .. }
            | Self::Temporary { .. }
            | Self::Listening { .. }
            | Self::Unwritten { .. } => Status::Io,
            Self::OlderRecords(_) => Status::Untrusted,
            #[cfg(all(feature = "sandbox", target_os = "linux"))]
            Self::Launch(error) => Status::from_code(error.status()),
            #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
            Self::NoSandbox => Status::NotConfined,
            Self::NotExecutable { .. } => Status::NotExecutable,
            Self::NotFound { .. } | Self::PowerAbsent { .. } | Self::PowerSilent { .. } => {
                Status::NotFound
            }
            Self::Key(_)
            | Self::KeyFile { .. }
            | Self::InJobsReach { .. }
            | Self::KeptStatements { .. }
            | Self::PolicyFile { .. }
            | Self::PolicyUnusable { .. }
            | Self::NoSuchKey { .. }
            | Self::NoSuchSigner { .. }
            | Self::NobodyTrusted { .. }
            | Self::TrustFile { .. }
            | Self::Unreadable { .. } => Status::Key,
        }
    }

    /// Returns the short name that stands in JSON verdicts.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Agent(failure) => failure.reason(),
            Self::AllowList { .. } => "allow-list-form",
            Self::BadName(_) | Self::SecretForName => "bad-name",
            Self::BinaryToTerminal { .. } => "binary-to-terminal",
            Self::Beside(failure) => failure.reason(),
            Self::Core(error) | Self::Envelope { source: error, .. } => error.reason(),
            Self::Exists { .. } | Self::NotReplaced { .. } => "exists",
            Self::JsonSchema { source, .. } => source.reason(),
            Self::OutputFormat(error) => error.reason(),
            Self::ForeignLink { .. } => "foreign-link",
            Self::Framing { source, .. } => source.reason(),
            Self::InJobsReach { .. } => "in-jobs-reach",
            Self::Io { .. }
            | Self::NoDirectory { .. }
            | Self::NoPlace { .. }
            | Self::Temporary { .. }
            | Self::Listening { .. }
            | Self::Unwritten { .. } => "io",
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
            Self::PowerAbsent { .. } => "power-absent",
            Self::PowerSilent { .. } => "power-silent",
            Self::PolicyFile { source, .. } => source.reason(),
            Self::PolicyUnusable { .. } => "policy-unusable",
            Self::NoSuchKey { .. } => "no-such-key",
            Self::NoSuchSigner { .. } => "no-such-signer",
            Self::NobodyTrusted { .. } => "nobody-trusted",
            Self::OlderRecord { record: today, .. } | Self::PublicHalf { today, .. } => {
                today.reason()
            }
            Self::OlderRecords(_) => "replay-unknown",
            Self::NoTimeZone { .. } => "no-time-zone",
            Self::OutputClosed { .. } => "output-closed",
            Self::Pickle { rule, .. } => rule.reason(),
            Self::Precious { .. } | Self::PrivateKey { .. } => "precious-file",
            Self::Record { why, .. } => why.reason(),
            Self::Replay(error) | Self::ReplayedJob { source: error, .. } => error.reason(),
            Self::SameFile { .. } => "same-file",
            Self::Queue(failure) => failure.reason(),
            Self::Result { source, .. } => source.reason(),
            Self::Signer(failure) => failure.reason(),
            Self::KeptStatements { source, .. } | Self::Statement { source, .. } => source.reason(),
            Self::TrustFile { source, .. } => source.reason(),
            Self::Unreadable { .. } => "unreadable",
            Self::Command(_) | Self::Mistyped { .. } | Self::Usage(_) | Self::Window(_) => "usage",
            Self::WrittenInPlace { .. } => "written-in-place",
        }
    }
}
