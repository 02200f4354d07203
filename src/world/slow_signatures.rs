//! Tells a person who is asked to confirm each signature of a stream how to be asked once.
//!
//! An agent does not say which of its keys a person has to confirm each time. It shows: nothing else takes so long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use brine_core::{Algorithm, Certificates, Message, SigningBackend, SigningError, VerifyingKey};

use super::key_place::SharedSigner;
use crate::report::console::remark;

/// Says so once if the first of several signatures was slow.
pub(crate) fn told(key: SharedSigner) -> SharedSigner {
    telling(key, || remark(EACH_SEGMENT))
}

/// Calls `tell` once if the first of several signatures was slow.
pub(crate) fn telling(key: SharedSigner, tell: impl Fn() + Send + Sync + 'static) -> SharedSigner {
    Arc::new(SlowSignatures::new(key, SLOW, tell))
}

/// Signs with a key, and watches how long that takes.
struct SlowSignatures<T> {
    key: SharedSigner,
    /// What takes longer is slow.
    slow: Duration,
    tell: T,
    begun: AtomicUsize,
    ended: AtomicUsize,
    /// Whether the first signature was slow, and nobody has said so.
    is_untold: AtomicBool,
}

impl<T: Fn() + Send + Sync> SlowSignatures<T> {
    const fn new(key: SharedSigner, slow: Duration, tell: T) -> Self {
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { key, slow, tell, begun, ended, is_untold: AtomicBool::new(false) }
    }

    fn watched<R>(&self, sign: impl FnOnce() -> R) -> R {
        let begin = Instant::now();
        if self.begun.fetch_add(1, Ordering::SeqCst) > 0 {
            self.tell_once();
        }
        let signed = sign();
        if self.ended.fetch_add(1, Ordering::SeqCst) == 0 && begin.elapsed() >= self.slow {
            self.is_untold.store(true, Ordering::SeqCst);
            // Another thread has begun with the next one, and its turn comes now.
            if self.begun.load(Ordering::SeqCst) > 1 {
                self.tell_once();
            }
        }
        signed
    }

    fn tell_once(&self) {
        if self.is_untold.swap(false, Ordering::SeqCst) {
            (self.tell)();
        }
    }
}

impl<T: Fn() + Send + Sync> SigningBackend for SlowSignatures<T> {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn certificates(&self) -> Option<&Certificates> {
        self.key.certificates()
    }

    fn message_limit(&self) -> Option<usize> {
        self.key.message_limit()
    }

    fn sign(&self, algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        self.watched(|| self.key.sign(algorithm, parts))
    }

    fn sign_pieces(
        &self,
        algorithm: Algorithm,
        message: &Message<'_>,
    ) -> Result<Vec<u8>, SigningError> {
        self.watched(|| self.key.sign_pieces(algorithm, message))
    }
}

/// No agent takes so long to sign, unless it asks somebody.
const SLOW: Duration = Duration::from_millis(500);

const EACH_SEGMENT: &str = "each segment of a stream has a signature of its own, so an agent that asks before it \
    signs asks for each; \"brine sign -d FILE\" signs the digest of the whole file, and is asked for once";

#[cfg(test)]
mod tests {
    use std::thread;

    use brine_testkit::key;

    use super::*;

    /// A key whose first signature takes this long.
    struct SlowAtFirst(brine_core::SigningKey, AtomicUsize, Duration);

    impl SigningBackend for SlowAtFirst {
        fn verifying_key(&self) -> &VerifyingKey {
            self.0.verifying_key()
        }

        fn sign(&self, _: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
            if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
                thread::sleep(self.2);
            }
            Ok(self.0.sign(parts).to_vec())
        }
    }

    /// How often a person is told, after so many signatures of which the first takes this long.
    fn tellings(signatures: usize, first: Duration, slow: Duration) -> usize {
        let told = AtomicUsize::new(0);
        let key = Arc::new(SlowAtFirst(key(1), AtomicUsize::new(0), first));
        let tell = || {
            told.fetch_add(1, Ordering::SeqCst);
        };
        let watched = SlowSignatures::new(key, slow, tell);
        for _ in 0..signatures {
            watched.sign(Algorithm::EdDsa, &[b"segment"]).unwrap();
        }
        told.load(Ordering::SeqCst)
    }

    #[test]
    fn a_person_is_told_once_and_only_if_more_follows() {
        let (long, short) = (Duration::from_millis(30), Duration::ZERO);
        let slow = Duration::from_millis(20);
        for (signatures, first, expected) in
            [(1, long, 0), (2, long, 1), (5, long, 1), (5, short, 0)]
        {
            assert_eq!(tellings(signatures, first, slow), expected, "{signatures} {first:?}");
        }
    }
}
