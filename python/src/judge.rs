//! What envelopes are held to.

use std::borrow::Cow;
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brine_cli::embed::{Facts, JudgingClock, Refused};
use brine_core::{
    Clock as _, EnvelopeVerifier, Error, Expectations, Input, SystemError, TrustAnchors,
    TrustSource as _, Verified, open,
};

use crate::buffer::Frozen;
use crate::trust::Source;

/// Judges envelopes by one set of expectations, one trust and one clock, on any thread.
pub(crate) struct Judge {
    pub(crate) expectations: Arc<Expectations>,
    pub(crate) trust: Source,
    pub(crate) clock: JudgingClock,
    /// Those that are not at work.
    idle: Mutex<Vec<Worker>>,
}

/// What has verified: what is known of it, its payload, and what was made of it.
pub(crate) type Found<'e, T> = (Facts, Cow<'e, [u8]>, T);

/// Verifies single envelopes by the trust of one moment.
struct Worker {
    trust: Arc<dyn TrustAnchors>,
    verifier: EnvelopeVerifier,
}

impl Judge {
    pub(crate) fn new(expectations: Expectations, trust: Source, clock: JudgingClock) -> Self {
        Self { expectations: Arc::new(expectations), trust, clock, idle: Mutex::default() }
    }

    /// Verifies a single envelope, and nothing else. `note` is called once it has verified, and can still refuse it.
    pub(crate) fn single<'e, T>(
        &self,
        envelope: &'e [u8],
        note: impl FnOnce(&Verified) -> Result<T, Refused>,
    ) -> Result<Found<'e, T>, Refused> {
        let trust = self.trust.current().map_err(|error| Error::from(SystemError::from(error)))?;
        let now = self.clock.now().map_err(Error::from)?;
        let mut worker = self.worker(trust);
        let judged = worker.verifier.verify_in_place(envelope, now).map_err(Refused::from);
        let found = judged.and_then(|(verified, payload)| {
            let noted = note(verified)?;
            Ok((self.facts(verified), Cow::Borrowed(payload), noted))
        });
        lock(&self.idle).push(worker);
        found
    }

    /// Verifies whatever else can be verified: armored text and streams.
    pub(crate) fn any<T>(
        &self,
        envelope: Frozen,
        note: impl FnOnce(&Verified) -> Result<T, Refused>,
    ) -> Result<Found<'static, T>, Refused> {
        let most = envelope.len();
        let opening = open(Input::new(Cursor::new(envelope)))?;
        let mut verified = opening.verify(&self.expectations, &self.trust, &self.clock)?;
        // A payload is never longer than what it comes in.
        let mut payload = Vec::new();
        payload
            .try_reserve_exact(most)
            .map_err(|_| Error::from(SystemError::OutOfMemory { bytes: most }))?;
        while let Some(piece) = verified.next_piece()? {
            payload.extend_from_slice(piece);
        }
        let noted = note(&verified)?;
        Ok((self.facts(&verified), Cow::Owned(payload), noted))
    }

    /// Verifies a signature over `content`, which lies beside it.
    pub(crate) fn beside<'e, T>(
        &self,
        signature: &[u8],
        content: &'e [u8],
        note: impl FnOnce(&Verified) -> Result<T, Refused>,
    ) -> Result<Found<'e, T>, Refused> {
        let opening = open(signature.to_vec())?;
        let mut read = content;
        let verified =
            opening.verify_beside(&mut read, &self.expectations, &self.trust, &self.clock)?;
        let noted = note(&verified)?;
        Ok((self.facts(&verified), Cow::Borrowed(content), noted))
    }

    pub(crate) fn facts(&self, verified: &Verified) -> Facts {
        Facts::of(verified).judged_by(self.clock)
    }

    fn worker(&self, trust: Arc<dyn TrustAnchors>) -> Worker {
        let Some(mut worker) = lock(&self.idle).pop() else {
            let expectations = Arc::clone(&self.expectations);
            let verifier = EnvelopeVerifier::new(expectations, Arc::clone(&trust));
            return Worker { trust, verifier };
        };
        if !Arc::ptr_eq(&worker.trust, &trust) {
            worker.verifier.set_trust(Arc::clone(&trust));
            worker.trust = trust;
        }
        worker
    }
}

/// Locks what nobody leaves in disorder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
