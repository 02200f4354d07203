//! What of a verified envelope can stop holding.

use std::slice;

use super::people::{People, judge_people};
use crate::claims::Claims;
use crate::error::Result;
use crate::expectations::Expectations;
use crate::key::KeyId;
use crate::observer::Circumstances;
use crate::time::Timestamp;
use crate::trust::{Evidence, TrustAnchors};

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

    /// Judges who signed.
    pub(super) fn judge_people<'t>(
        &self,
        trust: &'t dyn TrustAnchors,
        expectations: &Expectations,
        context: Option<&str>,
        now: Timestamp,
    ) -> Result<People<'t>> {
        let own = slice::from_ref(&self.evidence);
        if self.others.is_empty() {
            return judge_people(trust, own, expectations, context, now);
        }
        judge_people(trust, &[own, &self.others].concat(), expectations, context, now)
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
        self.judge_people(circumstances.trust().as_ref(), expectations, context, now)?;
        let Self { expires, issued_at, not_before, .. } = *self;
        let claims = Claims { expires, issued_at, not_before, ..Claims::default() };
        Ok(claims.judge_time(now, expectations.max_age)?)
    }
}
