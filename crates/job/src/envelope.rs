//! Jobs as envelopes: the statement that signs one, and the grants of one that has verified.

use brine_core::cose::{HeaderMap, label};
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
        refuse_other_kinds(&header).map_err(JobError::Form)?;
        header.get(label::GRANTS).map_or(Ok(Self::default()), |value| Ok(Self::decode(value)?))
    }
}

/// Refuses a header by which software could take the envelope for one of another kind.
pub(crate) fn refuse_other_kinds(header: &HeaderMap<'_>) -> Result<(), &'static str> {
    // Software that does not know the kind must refuse it.
    if !header.crit_lists(label::TYP) {
        return Err("crit does not list its type");
    }
    if LABELS_OF_OTHER_KINDS.iter().any(|label| header.get(*label).is_some()) {
        return Err("it has a header parameter of another kind");
    }
    Ok(())
}

/// The header parameters with which software could take a job or a result for a digest or a receipt. Those of brine's other
/// kinds are refused already.
const LABELS_OF_OTHER_KINDS: [i64; 5] = [
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::PAYLOAD_LOCATION,
    label::VDS,
    label::VDP,
];
