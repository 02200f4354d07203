//! Results: what a worker says of one job.

mod cbor;
mod error;
#[cfg(test)]
mod tests;

use brine_core::cose::Tagging;
use brine_core::cose::{label, sig_structure_digest};
use brine_core::hash::ReadAt;
use brine_core::{
    Error, FormError, Kind, KindError, Statement, SystemError, UnverifiedEnvelope, Verified,
};

pub use self::error::ResultError;

/// The most bytes of standard error that a result has.
pub const MAX_RESULT_ERRORS: usize = 4096;

/// What a worker says of one job: how it ended. What the job wrote, if it was released, is the payload of the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// Which job it is of.
    pub job: JobId,
    /// The claim id of the job, if it had one.
    pub cti: Option<Vec<u8>>,
    /// The SHA-256 of the plan by which it ran; `None` if it was refused before there was one.
    pub plan: Option<[u8; 32]>,
    /// How it ended, by a short name in lower case. `"ok"` is the only one with status 0.
    pub outcome: String,
    /// The status with which `brine run` would have ended.
    pub status: u8,
    /// Why it was refused, or its output not released, by a short name.
    pub reason: Option<String>,
    /// The exit status of its command.
    pub exit: Option<u8>,
    /// The signal that ended its command.
    pub signal: Option<u8>,
    /// What it used, if it ran.
    pub usage: Option<ResultUsage>,
    /// The beginning of what it wrote to standard error, up to [`MAX_RESULT_ERRORS`] bytes. The job wrote it, so it
    /// **must** be escaped before anybody sees it.
    pub errors: Vec<u8>,
}

/// What a job used, all its processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultUsage {
    /// Wall-clock time, in milliseconds.
    pub wall_ms: u64,
    /// Processor time in its own code, in milliseconds.
    pub user_ms: u64,
    /// Processor time in the kernel, in milliseconds.
    pub system_ms: u64,
    /// The most memory, in bytes.
    pub memory_bytes: u64,
}

/// What tells a job from all others: the SHA-256 of its Sig_structure (RFC 9052, Section 4.4), which has its whole
/// protected header and its payload.
///
/// Two jobs of one text differ in their claim ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobId(pub [u8; 32]);

impl JobId {
    /// Returns the id of a job that has verified. Its payload is read once more, from where it was kept.
    ///
    /// # Errors
    ///
    /// What reading the payload reports.
    pub fn of(
        job: &Verified,
        external_aad: &[u8],
        payload: &(impl ReadAt + ?Sized),
    ) -> std::io::Result<Self> {
        let protected = job.header().as_bytes();
        sig_structure_digest(protected, external_aad, payload, job.payload_bytes()).map(Self)
    }

    /// Returns the id of a job that one has made, or is about to believe.
    ///
    /// # Errors
    ///
    /// If it is no envelope with its payload, or not a job.
    pub fn of_envelope(job: &[u8], external_aad: &[u8]) -> Result<Self, Error> {
        let parsed = UnverifiedEnvelope::parse(job, Tagging::default())?;
        let found = parsed.kind(None)?;
        if found != Kind::Job {
            return Err(KindError::Wrong { expected: Kind::Job, found }.into());
        }
        let payload = parsed.sign1().unverified_payload().ok_or(FormError::DetachedPayload)?;
        let bytes = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        let protected = parsed.sign1().protected_bytes();
        let digest = sig_structure_digest(protected, external_aad, payload, bytes);
        Ok(Self(digest.map_err(SystemError::Input)?))
    }
}

impl JobResult {
    /// Returns a result that says no more than how a job ended.
    #[must_use]
    pub fn ended(job: JobId, cti: Option<Vec<u8>>, outcome: &str, status: u8) -> Self {
        Self {
            job,
            cti,
            plan: None,
            outcome: outcome.to_owned(),
            status,
            reason: None,
            exit: None,
            signal: None,
            usage: None,
            errors: Vec::new(),
        }
    }

    /// Returns the statement that signs the output of a job as its result.
    #[must_use]
    pub fn statement(&self, statement: Statement) -> Statement {
        statement.kind(Kind::Result).critical_parameter(label::RESULT, cbor::encode(self))
    }

    /// Returns what a verified result says.
    ///
    /// # Errors
    ///
    /// [`ResultError::Form`] and [`ResultError::Malformed`] if it is not of the form that SPEC.md demands, and
    /// [`ResultError::Version`].
    pub fn of(verified: &Verified) -> Result<Self, ResultError> {
        if verified.kind() != Kind::Result {
            return Err(ResultError::form("it is of another kind"));
        }
        let header = verified.header().map();
        Kind::require_own_header(&header).map_err(ResultError::form)?;
        let value = header.get(label::RESULT);
        let result = Self::decode(value.ok_or_else(|| ResultError::form("it says nothing"))?)?;
        if result.outcome != OK && verified.payload_bytes() > 0 {
            return Err(ResultError::form("it has output, and did not end well"));
        }
        Ok(result)
    }

    /// Reads what a result says, as an envelope that is not verified claims it.
    ///
    /// # Errors
    ///
    /// Those of [`of`](Self::of).
    pub fn decode(value: &[u8]) -> Result<Self, ResultError> {
        cbor::decode(value)
    }

    /// Judges whether it is the result of this job.
    ///
    /// # Errors
    ///
    /// [`ResultError::OtherJob`] if it is not.
    pub fn judge_job(&self, job: &JobId) -> Result<(), ResultError> {
        if self.job == *job { Ok(()) } else { Err(ResultError::OtherJob) }
    }
}

/// The outcome of a job that ended well.
const OK: &str = "ok";
