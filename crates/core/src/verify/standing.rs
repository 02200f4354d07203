//! What of a verified envelope can stop holding.

use std::iter;
use std::sync::Arc;

use super::people::{People, judge_people};
use crate::certificates::Certificates;
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
    key_id: KeyId,
    /// What most envelopes lack. It is elsewhere, since this is kept for each of many records.
    more: Option<Arc<MoreEvidence>>,
    expires: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
}

/// What is known of who signed, beyond the id of a key.
#[derive(Debug, PartialEq, Eq)]
struct MoreEvidence {
    certificates: Option<Certificates>,
    /// That of others, of an envelope of several signers.
    others: Vec<Evidence>,
}

impl Standing {
    /// Takes what the claims of an envelope say, which this key has signed.
    pub(super) fn of(evidence: Evidence, others: Vec<Evidence>, claims: &Claims<'_>) -> Self {
        let Claims { expires, issued_at, not_before, .. } = *claims;
        let (key_id, certificates) = evidence.into_parts();
        let is_plain = certificates.is_none() && others.is_empty();
        let more = (!is_plain).then(|| Arc::new(MoreEvidence { certificates, others }));
        Self { key_id, more, expires, issued_at, not_before }
    }

    /// Returns the id of the key that has signed.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Judges who signed.
    pub(super) fn judge_people<'t>(
        &self,
        trust: &'t dyn TrustAnchors,
        expectations: &Expectations,
        context: Option<&str>,
        now: Timestamp,
    ) -> Result<People<'t>> {
        let Some(more) = &self.more else {
            return judge_people(trust, &[Evidence::Key(self.key_id)], expectations, context, now);
        };
        let own = Evidence::new(self.key_id, more.certificates.clone());
        let all: Vec<_> = iter::once(own).chain(more.others.iter().cloned()).collect();
        judge_people(trust, &all, expectations, context, now)
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
