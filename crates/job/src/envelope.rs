//! Jobs as envelopes: the statement that signs one, and the grants of one that has verified.

use brine_core::cose::label;
use brine_core::{Kind, Statement, Verified};

use super::{Grants, JobError};

impl Grants {
    /// Returns the statement that signs a payload as a job and requests these grants.
    ///
    /// ```
    /// use brine_core::{SigningKey, Statement, Timestamp, sign};
    /// use brine_job::Grants;
    ///
    /// let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
    /// let grants = Grants::collect(["run=sh".parse()?])?;
    /// let statement = grants.statement(Statement::at(now).context("jobs/nightly"));
    /// let job = sign(&statement, &SigningKey::generate()?, b"echo hello")?;
    /// # let _ = job;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn statement(&self, statement: Statement) -> Statement {
        let statement = statement.kind(Kind::Job);
        match self.encode() {
            Some(grants) => statement.critical_parameter(label::GRANTS, grants),
            None => statement,
        }
    }

    /// Returns the grants that a verified job requests. A [`Policy`](super::Policy) decides what it gets.
    ///
    /// # Errors
    ///
    /// - [`JobError::Form`] if the envelope is not a job, if its `crit` does not list its type, or if it has a
    ///   header parameter of another kind;
    /// - [`JobError::Grants`] if the grants are malformed.
    pub fn of(verified: &Verified) -> Result<Self, JobError> {
        if verified.kind() != Kind::Job {
            return Err(JobError::Form("it is of another kind"));
        }
        let header = verified.header().map();
        Kind::require_own_header(&header).map_err(JobError::Form)?;
        header.get(label::GRANTS).map_or(Ok(Self::default()), |value| Ok(Self::decode(value)?))
    }
}
