//! What a verb that did its work has to say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use brine_core::text::hex;
use brine_core::{Kind, SignedHeader, Signer, Timestamp, Verified};
use brine_records::RecordCounts;
use serde::Serialize;

use super::authority_facts::AuthorityFacts;
use super::command::CommandEnd;
use super::exit::Status;
use super::explained::Explained;
use super::verdict::{PlanFacts, RunFacts};
use super::{Failure, OlderRecords, ResultFacts, SignedInput};

/// What a verb that did its work has to say.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The result of a job was verified.
    Answered { signed: Box<Signed>, result: Box<ResultFacts> },
    /// A command read what was verified, and has ended.
    Commanded { signed: Box<Signed>, end: CommandEnd },
    /// Data was written, and this line describes it to programs.
    Described(String),
    /// A job was explained; with the plan, if the policy allows it.
    Explained { signed: Box<Signed>, plan: Option<PlanFacts>, explained: Box<Explained> },
    /// Files, each with an outcome of its own, which was told when it was known.
    Files { work: FileWork, files: Vec<FileOutcome> },
    /// A job was run.
    #[cfg_attr(
        not(all(feature = "sandbox", target_os = "linux")),
        expect(dead_code, reason = "only a program that runs jobs uses it")
    )]
    Ran {
        signed: Box<Signed>,
        plan: PlanFacts,
        run: Box<RunFacts>,
        status: Status,
        line: String,
        /// What to type next.
        hint: Option<&'static str>,
    },
    /// Records were judged, as far as `failure` let them be. Some of them may have been `older` than the replay
    /// database.
    Records {
        counts: RecordCounts,
        /// How many of those that were released each signer has signed.
        signers: BTreeMap<String, u64>,
        failure: Option<Failure>,
        older: Option<Box<OlderRecords>>,
    },
    /// Something was signed; of records, as many as `failure` let be.
    Signed { signed: Box<SignedInput>, failure: Option<Failure> },
    /// There is nothing to say.
    Silent,
    /// The verb said itself how it went, and ends like this.
    Told(Status),
    /// An envelope was verified.
    Verified { signed: Box<Signed> },
}

/// What is done with each of several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileWork {
    Sign,
    Verify,
}

/// How one of several files did.
#[derive(Debug)]
pub(crate) struct FileOutcome {
    pub(crate) name: PathBuf,
    pub(crate) outcome: Result<Outcome, Failure>,
}

/// What was verified, and who signed it.
#[derive(Debug, Serialize)]
pub(crate) struct Signed {
    algorithm: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<AuthorityFacts>,
    clock: &'static str,
    content_type: Option<String>,
    context: Option<Vec<String>>,
    cti: Option<String>,
    detached: bool,
    expires: Option<String>,
    issued_at: Option<String>,
    judged_at: String,
    key_id: String,
    kind: &'static str,
    not_before: Option<String>,
    payload_bytes: u64,
    signer: String,
    /// All signers who are believed, of an envelope of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    signers: Option<Vec<SignerFacts>>,
    typ: Option<String>,
}

/// One of several signers.
#[derive(Debug, Serialize)]
struct SignerFacts {
    name: String,
    key_id: String,
    authority: Option<AuthorityFacts>,
}

impl SignerFacts {
    fn of(signer: &Signer) -> Self {
        Self {
            name: signer.name().to_owned(),
            key_id: signer.key().id().to_string(),
            authority: signer.vouched().map(AuthorityFacts::of),
        }
    }
}

/// What is said of a verified envelope, wherever it is kept.
pub(crate) struct SignedParts<'a> {
    pub(crate) header: &'a SignedHeader,
    pub(crate) judged_at: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) payload_bytes: u64,
    pub(crate) signer: &'a Signer,
    /// All of them, of an envelope of several signers.
    pub(crate) several: Option<Vec<Signer>>,
}

impl<'a> SignedParts<'a> {
    fn of(verified: &'a Verified) -> Self {
        Self {
            header: verified.header(),
            judged_at: verified.judged_at(),
            kind: verified.kind(),
            payload_bytes: verified.payload_bytes(),
            signer: verified.signer(),
            several: verified
                .header()
                .is_of_several()
                .then(|| verified.signers().cloned().collect()),
        }
    }
}

impl Signed {
    /// Describes an envelope with its payload in it.
    pub(crate) fn attached(verified: &Verified, clock: &'static str) -> Self {
        Self::of(SignedParts::of(verified), clock, false)
    }

    /// Describes an envelope beside its payload.
    pub(crate) fn beside(verified: &Verified, clock: &'static str) -> Self {
        Self::of(SignedParts::of(verified), clock, true)
    }

    pub(crate) fn of(parts: SignedParts<'_>, clock: &'static str, detached: bool) -> Self {
        let SignedParts { header, judged_at, kind, payload_bytes, signer, several } = parts;
        let claims = header.claims();
        let time = |at: Option<brine_core::Timestamp>| at.map(|at| at.to_string());
        let names = |found: brine_core::claims::Audience<'_>| {
            found.names().map(str::to_owned).collect::<Vec<_>>()
        };
        Self {
            algorithm: header.algorithm().id(),
            authority: signer.vouched().map(AuthorityFacts::of),
            clock,
            content_type: header.content_type().map(|found| found.to_string()),
            context: claims.audience.map(names),
            cti: claims.cti.map(hex),
            detached,
            expires: time(claims.expires),
            issued_at: time(claims.issued_at),
            judged_at: judged_at.to_string(),
            key_id: signer.key().id().to_string(),
            kind: if kind == Kind::Segment { "stream" } else { kind.name() },
            not_before: time(claims.not_before),
            payload_bytes,
            signer: signer.name().to_owned(),
            signers: several.map(|all| all.iter().map(SignerFacts::of).collect()),
            typ: header.typ().filter(|_| kind == Kind::Foreign).map(|typ| typ.to_string()),
        }
    }

    /// Says who signed, for a person.
    pub(crate) fn line(&self) -> String {
        let context = self.context.as_ref().map(|names| names.join(", "));
        let about: Vec<_> = context.iter().chain(&self.issued_at).map(String::as_str).collect();
        let phrase = |name: &String, by: &Option<AuthorityFacts>| {
            name.clone() + &by.as_ref().map(AuthorityFacts::phrase).unwrap_or_default()
        };
        let by = match &self.signers {
            None => phrase(&self.signer, &self.authority),
            Some(all) => {
                let all = all.iter().map(|signer| phrase(&signer.name, &signer.authority));
                all.collect::<Vec<_>>().join("; and by ")
            }
        };
        match about.as_slice() {
            [] => format!("signed by {by}"),
            about => format!("signed by {by} ({})", about.join(", ")),
        }
    }
}

impl Outcome {
    /// Says that an envelope was verified.
    pub(crate) fn verified(signed: Signed) -> Self {
        Self::Verified { signed: Box::new(signed) }
    }

    /// Says that something was signed.
    pub(crate) fn signed(signed: SignedInput) -> Self {
        Self::Signed { signed: Box::new(signed), failure: None }
    }

    /// Returns the exit status. Of several files, it is that of the first that was refused.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Answered { result, .. } => result.status(),
            Self::Commanded { end, .. } => end.status(),
            Self::Explained { explained, .. } => {
                explained.failures.first().map_or(Status::Done, Failure::status)
            }
            Self::Files { files, .. } => files
                .iter()
                .map(|file| status_of(&file.outcome))
                .find(|status| *status != Status::Done)
                .unwrap_or(Status::Done),
            Self::Ran { status, .. } | Self::Told(status) => *status,
            Self::Records { counts, failure, .. } => match failure {
                Some(failure) => failure.status(),
                // Skipped, and kept nowhere.
                None if counts.refused > counts.kept => Status::Altered,
                None => Status::Done,
            },
            Self::Signed { failure: Some(failure), .. } => failure.status(),
            Self::Signed { signed, failure: None } => signed.status(),
            Self::Described(_) | Self::Silent | Self::Verified { .. } => Status::Done,
        }
    }

    /// Returns the failure that ended the work early.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Explained { explained, .. } => explained.failures.first(),
            Self::Records { failure, .. } | Self::Signed { failure, .. } => failure.as_ref(),
            Self::Answered { .. }
            | Self::Commanded { .. }
            | Self::Described(_)
            | Self::Files { .. }
            | Self::Ran { .. }
            | Self::Silent
            | Self::Told(_)
            | Self::Verified { .. } => None,
        }
    }
}

/// Returns the exit status of a result.
pub(crate) fn status_of(result: &Result<Outcome, Failure>) -> Status {
    result.as_ref().map_or_else(Failure::status, Outcome::status)
}
