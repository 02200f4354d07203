//! Many envelopes, one after the other.

use std::sync::Arc;

use super::{Payload, Verified};
use crate::batch::Memory;
use crate::cose::{FormError, begins_several};
use crate::error::Result;
use crate::expectations::Expectations;
use crate::time::Timestamp;
use crate::trust::TrustAnchors;
use crate::unverified::{Signatures, UnverifiedEnvelope};
use crate::verify::{verify_all, verify_in_memory, wrong_kind};

/// Verifies many single envelopes in memory, such as records.
///
/// It uses its memory again, and remembers what envelopes of one batch have in common. Neither can change a
/// verdict. Each thread has one of its own.
pub struct EnvelopeVerifier {
    expectations: Arc<Expectations>,
    trust: Arc<dyn TrustAnchors>,
    memory: Memory,
    last: Option<Verified>,
}

impl EnvelopeVerifier {
    /// Judges envelopes by `expectations` and `trust`.
    #[must_use]
    pub fn new(expectations: Arc<Expectations>, trust: Arc<dyn TrustAnchors>) -> Self {
        Self { expectations, trust, memory: Memory::default(), last: None }
    }

    /// Remembers batches in this memory instead of one of the default size.
    #[must_use]
    pub fn memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// Judges by other trust from now on.
    pub fn set_trust(&mut self, trust: Arc<dyn TrustAnchors>) {
        self.trust = trust;
    }

    /// Verifies one envelope at `now`.
    ///
    /// # Errors
    ///
    /// Those of [`Opening::verify`](crate::Opening::verify) for a single envelope.
    pub fn verify(&mut self, envelope: &[u8], now: Timestamp) -> Result<&Verified> {
        self.judge(envelope, now, Payload::copy_in).map(|(verified, _)| verified)
    }

    /// Verifies one envelope at `now`, and returns its payload where it lies, without a copy. What has verified then
    /// has only the length of it.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](Self::verify).
    pub fn verify_in_place<'e>(
        &mut self,
        envelope: &'e [u8],
        now: Timestamp,
    ) -> Result<(&Verified, &'e [u8])> {
        self.judge(envelope, now, Payload::point_to)
    }

    fn judge<'e>(
        &mut self,
        envelope: &'e [u8],
        now: Timestamp,
        take: impl FnOnce(&mut Payload, &[u8]),
    ) -> Result<(&Verified, &'e [u8])> {
        let Self { expectations, trust, memory, last } = self;
        let trust = trust.as_ref();
        // Where it is parsed, an envelope stays: most are read faster than they are moved.
        let (payload, protected, judged) = if begins_several(envelope) {
            let all = Signatures::parse(envelope, expectations.tagging)?;
            let payload = attached(all.first(), expectations)?;
            let judged = verify_all(&all, payload, expectations, trust, now)?;
            (payload, all.first().sign1().protected_bytes(), judged)
        } else {
            let one = UnverifiedEnvelope::parse(envelope, expectations.tagging)?;
            let payload = attached(&one, expectations)?;
            let judged = verify_in_memory(&one, payload, expectations, trust, now, Some(memory))?;
            (payload, one.sign1().protected_bytes(), judged)
        };
        let verified = match last {
            Some(last) => {
                last.replace(protected, judged, now);
                last
            }
            None => last.insert(Verified::new(protected, judged, now, Payload::elsewhere(0))),
        };
        take(&mut verified.payload, payload);
        Ok((verified, payload))
    }
}

/// Returns the payload that is in an envelope.
fn attached<'e>(
    envelope: &UnverifiedEnvelope<'e>,
    expectations: &Expectations,
) -> Result<&'e [u8]> {
    let payload = envelope.sign1().unverified_payload().ok_or(FormError::DetachedPayload);
    payload.map_err(|error| wrong_kind(envelope, expectations, error.into()))
}

impl std::fmt::Debug for EnvelopeVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvelopeVerifier")
            .field("expectations", &self.expectations)
            .finish_non_exhaustive()
    }
}
