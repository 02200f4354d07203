//! What it costs to refuse what nobody signed: counted, and not timed.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use brine_core::{
    Certificates, Classified as _, Error, Evidence, Expectations, Input, KeyId, KnownSigners,
    Needed, Question, Signer, SigningBackend, SigningKey, TrustAnchors, Untrusted, VerifyingKey,
    open, sign, sign_together,
};
use brine_testkit::{key, now, signers, statement};

use crate::common::MemoryStore;

/// Trust that counts how many keys are asked for.
struct Counted {
    signers: KnownSigners,
    asked: AtomicUsize,
}

impl TrustAnchors for Counted {
    fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.signers.key(id)
    }

    fn keys(&self, most: usize) -> Vec<&VerifyingKey> {
        let keys = self.signers.keys(most);
        self.asked.fetch_add(keys.len(), Ordering::SeqCst);
        keys
    }

    fn key_count(&self) -> usize {
        self.signers.key_count()
    }

    fn certified_key(&self, _: &Certificates) -> Result<Option<VerifyingKey>, Untrusted> {
        Ok(None)
    }

    fn judge_together(&self, _: &[&Signer], _: usize, _: &Question<'_>) -> Result<(), Untrusted> {
        Ok(())
    }

    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        self.signers.judge(evidence, question)
    }
}

/// Anyone can send what names nobody. It costs as many keys as were asked for, and not as many as there are; of what
/// is long, fewer; and where somebody is named, none of the others.
#[test]
fn no_more_keys_are_tried_than_were_asked_for() {
    let crowd: Vec<u8> = (1..=100).collect();
    let strange = sign(&statement(), &key(200), b"payload").unwrap().to_bytes();
    let named = sign(&statement(), &key(100), b"payload").unwrap().to_bytes();
    for (envelope, most, tried, reason) in [
        (&strange, None, 16, "unknown-signer"),
        (&strange, Some(1), 1, "unknown-signer"),
        (&strange, Some(0), 1, "unknown-signer"),
        (&strange, Some(99), 99, "unknown-signer"),
        (&strange, Some(100), 100, "unknown-signer"),
        (&strange, Some(usize::MAX), 100, "unknown-signer"),
        (&named, None, 0, "ok"),
    ] {
        let mut expectations = Expectations::new();
        if let Some(most) = most {
            expectations = expectations.tried_keys(most);
        }
        for is_large in [false, true] {
            let trust = Counted { signers: signers(&crowd), asked: AtomicUsize::new(0) };
            let trust = Arc::new(trust);
            let input = Input::new(io::Cursor::new(envelope.clone()));
            let input = if is_large { input.expecting(u64::MAX) } else { input };
            let opening = open(input).unwrap().store(MemoryStore);
            let verdict = opening.verify(&expectations, &trust, &now());
            let found = verdict.as_ref().map_or_else(|error| error.reason(), |_| "ok");
            assert_eq!((found, trust.asked.load(Ordering::SeqCst)), (reason, tried), "{most:?}");
            let is_untried = matches!(verdict, Err(Error::Trust(Untrusted::Untried { .. })));
            assert_eq!(is_untried, (1..100).contains(&tried), "{most:?}");
        }
    }
}

/// Whoever adds signatures to an envelope does not add to the work.
#[test]
fn no_more_keys_are_tried_for_several_signatures() {
    let strangers: Vec<SigningKey> = (200..216).map(key).collect();
    let strangers: Vec<&dyn SigningBackend> =
        strangers.iter().map(|key| key as &dyn SigningBackend).collect();
    let crowd: Vec<u8> = (1..=100).collect();
    for (signatures, most, tried) in [
        (1, 16, 16),
        (2, 16, 16),
        (3, 16, 15),
        (16, 16, 16),
        (16, 3, 16),
        (16, 99, 96),
        (4, 100, 100),
    ] {
        let keys = &strangers[..signatures];
        let envelope = sign_together(&statement(), keys, b"payload".into(), Needed::Any).unwrap();
        let trust = Arc::new(Counted { signers: signers(&crowd), asked: AtomicUsize::new(0) });
        let expectations = Expectations::new().tried_keys(most);
        let opening = open(envelope.as_slice()).unwrap();
        let error = opening.verify(&expectations, &trust, &now()).unwrap_err();
        let found = (error.reason(), trust.asked.load(Ordering::SeqCst));
        assert_eq!(found, ("unknown-signer", tried), "{signatures} {most}");
    }
}
