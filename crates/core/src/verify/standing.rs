//! What of a verified envelope can stop holding.

use std::slice;

use super::people::judge_people;
use crate::claims::Claims;
use crate::error::Result;
use crate::expectations::Expectations;
use crate::key::KeyId;
use crate::observer::Circumstances;
use crate::time::Timestamp;
use crate::trust::Evidence;

/// What of an envelope that has verified can stop holding: the trust in its key, and its times.
///
/// All else is signed and stays as it is. This is judged again if the envelope is released later than it was
/// verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    evidence: Evidence,
    /// That of others, of an envelope of several signers.
    others: Vec<Evidence>,
    expires: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
}

impl Standing {
    /// Takes what the claims of an envelope say, which this key has signed.
    pub(super) const fn of(evidence: Evidence, others: Vec<Evidence>, claims: &Claims<'_>) -> Self {
        let Claims { expires, issued_at, not_before, .. } = *claims;
        Self { evidence, others, expires, issued_at, not_before }
    }

    /// Returns the id of the key that has signed.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.evidence.key_id()
    }

    /// Judges it again: trust, then time. `expectations` **must** be those that the envelope was verified by.
    ///
    /// # Errors
    ///
    /// [`Untrusted`](crate::Untrusted) and [`ClaimsError`](crate::ClaimsError).
    pub fn judge(&self, expectations: &Expectations, circumstances: &Circumstances) -> Result<()> {
        let now = circumstances.now();
        // Of what has verified, the context is the one that was asked for, or there is none on either side.
        let context = expectations.context.as_deref();
        let trust = circumstances.trust().as_ref();
        if self.others.is_empty() {
            judge_people(trust, slice::from_ref(&self.evidence), expectations, context, now)?;
        } else {
            let all = [slice::from_ref(&self.evidence), &self.others].concat();
            judge_people(trust, &all, expectations, context, now)?;
        }
        let Self { expires, issued_at, not_before, .. } = *self;
        let claims = Claims { expires, issued_at, not_before, ..Claims::default() };
        Ok(claims.judge_time(now, expectations.max_age)?)
    }
}
