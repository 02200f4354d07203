//! Signatures that lie beside the content that they are for.

use std::io;

use super::input::Arrived;
use super::large::PassingBy;
use super::skim::{Skimmed, skim_large};
use super::{Found, MAX_MEMORY_BYTES, Opening};
use crate::cose::FormError;
use crate::error::{Error, KindError, Result, SignatureError};
use crate::expectations::Expectations;
use crate::hash::{Digest, HashAlgorithm, ReadAt, Section};
use crate::kind::Kind;
use crate::observer::Observer;
use crate::time::Clock;
use crate::trust::TrustSource;
use crate::unverified::Signatures;
use crate::verified::{Payload, Verified};
use crate::verify::{verify_now, wrong_kind};

/// Content that lies beside its signature.
pub trait Beside {
    /// Returns its digest. An error is due if it changed while it was read.
    ///
    /// # Errors
    ///
    /// What the system reports.
    fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed>;

    /// Returns all of it.
    ///
    /// # Errors
    ///
    /// What the system reports.
    fn whole(&mut self) -> io::Result<WholeContent<'_>>;

    /// Fails if it changed since [`whole`](Self::whole) returned it. What cannot change need not say anything.
    ///
    /// # Errors
    ///
    /// That it changed, and what the system reports.
    fn unchanged(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A digest, and the number of bytes that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// The digest.
    pub digest: Digest,
    /// How many bytes were hashed.
    pub bytes: u64,
}

/// All of some content.
pub enum WholeContent<'a> {
    /// In memory.
    Bytes(Vec<u8>),
    /// The first bytes of something that does not fit memory.
    Large(&'a dyn ReadAt, u64),
}

impl Beside for &[u8] {
    fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed> {
        let bytes = u64::try_from(self.len()).unwrap_or(u64::MAX);
        Ok(Hashed { digest: hash.digest(self), bytes })
    }

    fn whole(&mut self) -> io::Result<WholeContent<'_>> {
        Ok(WholeContent::Bytes(self.to_vec()))
    }
}

impl Opening {
    /// Returns whether it claims to be a signature that lies beside its content: an envelope without a payload, of a
    /// kind that has content, or a hash envelope. Nothing of that is verified.
    ///
    /// Whoever has no content for it can say so, and need not take it for something that was altered.
    #[must_use]
    pub fn lies_beside(&self, expectations: &Expectations) -> bool {
        let Found::Whole(bytes) = &self.found else { return false };
        let Ok(signatures) = Signatures::parse(bytes, expectations.tagging) else {
            return false;
        };
        let envelope = signatures.first();
        let has_payload = envelope.sign1().unverified_payload().is_some();
        match envelope.kind(expectations.typ.as_deref()) {
            Ok(Kind::Digest) => has_payload,
            Ok(Kind::Data | Kind::Foreign | Kind::Untyped) => !has_payload,
            Ok(_) | Err(_) => false,
        }
    }

    /// Verifies a signature over `content`, which lies beside it: an envelope without a payload, or a hash
    /// envelope. The payload of what is returned is empty, and its length is that of the content.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](Self::verify); [`FormError::AttachedPayload`], [`FormError::DigestForm`] and
    /// [`SignatureError::DigestMismatch`]. A stream is [`KindError::Wrong`].
    pub fn verify_beside<T, C>(
        self,
        content: &mut dyn Beside,
        expectations: &Expectations,
        trust: &T,
        clock: &C,
    ) -> Result<Verified>
    where
        T: TrustSource + Clone + 'static,
        C: Clock + Clone + 'static,
    {
        let observer = Observer::new(trust.clone(), clock.clone());
        self.verify_beside_observing(content, expectations, &observer)
    }

    fn verify_beside_observing(
        self,
        content: &mut dyn Beside,
        expectations: &Expectations,
        observer: &Observer,
    ) -> Result<Verified> {
        let bytes = self.found.into_signature(expectations)?;
        let signatures = Signatures::parse(&bytes, expectations.tagging)?;
        let envelope = signatures.first();
        // Who asks for another kind than data, as for a job, does not ask for the digest of something.
        let is_digest = matches!(expectations.kind, Kind::Data | Kind::Digest)
            && matches!(envelope.kind(expectations.typ.as_deref()), Ok(Kind::Digest));
        match envelope.sign1().unverified_payload() {
            Some(digest) if is_digest => {
                Judge { signatures: &signatures, expectations, observer }.digest(digest, content)
            }
            Some(_) => Err(wrong_kind(envelope, expectations, FormError::AttachedPayload.into())),
            None => Judge { signatures: &signatures, expectations, observer }.detached(content),
        }
    }
}

impl Found {
    /// Reads a signature that lies beside its content. What does not fit memory has its payload with it, and is
    /// refused without one to hold that.
    fn into_signature(self, expectations: &Expectations) -> Result<Vec<u8>> {
        let input = match self {
            Self::Whole(bytes) => return Ok(bytes),
            Self::Stream { .. } => {
                let (expected, found) = (expectations.kind, Kind::Segment);
                return Err(KindError::Wrong { expected, found }.into());
            }
            // How long it is said to be is not relied on.
            Self::Large(input) => input.expecting(0),
        };
        match input.read_up_to(MAX_MEMORY_BYTES)? {
            Arrived::All(bytes) => Ok(bytes),
            Arrived::More(input) => Err(match skim_large(input, expectations.tagging)? {
                Skimmed::Broken { why, .. } => why,
                Skimmed::Large(large) => {
                    wrong_kind(&large.parse()?, expectations, FormError::AttachedPayload.into())
                }
                Skimmed::Whole(_) => FormError::AttachedPayload.into(),
            }),
        }
    }
}

/// What a signature is held to.
struct Judge<'a> {
    signatures: &'a Signatures<'a>,
    expectations: &'a Expectations,
    observer: &'a Observer,
}

impl Judge<'_> {
    /// Verifies a hash envelope when its content has been hashed, and compares the digests. What no moment can change is
    /// refused before the content is read, which may take its time to arrive.
    fn digest(&self, digest: &[u8], content: &mut dyn Beside) -> Result<Verified> {
        let expected = self.expectations.clone().kind(Kind::Digest);
        let judge = || verify_now(self.signatures, digest, &expected, self.observer);
        let refusal = match judge() {
            Ok(_) => None,
            Err(error) if depends_on_moment(&error) => Some(error),
            Err(error) => return Err(error),
        };
        let hash = self.judge_form(digest).map_err(|error| refusal.unwrap_or(error))?;
        let hashed = content.digest(hash).map_err(Error::input)?;
        let (judged, now) = judge()?;
        if hashed.digest.as_ref() != digest {
            return Err(SignatureError::DigestMismatch.into());
        }
        let protected = self.signatures.first().sign1().protected_bytes();
        Ok(Verified::new(protected, judged, now, Payload::elsewhere(hashed.bytes)))
    }

    /// Holds a hash envelope to RFC 9995, Section 3.
    fn judge_form(&self, digest: &[u8]) -> Result<HashAlgorithm> {
        let header = self.signatures.first().header();
        let form = |what| FormError::DigestForm { what };
        let hash = header.hash.ok_or(form("it does not name its hash"))?;
        if header.content_type.is_some() {
            return Err(form("it has a content type beside its digest").into());
        }
        if digest.len() != hash.digest_bytes() {
            return Err(form("its digest has another length than its hash gives").into());
        }
        Ok(hash)
    }

    /// Verifies an envelope without a payload over all of the content.
    fn detached(&self, content: &mut dyn Beside) -> Result<Verified> {
        let Self { signatures, expectations, observer } = *self;
        let envelope = signatures.first();
        let outcome = match content.whole().map_err(Error::input)? {
            WholeContent::Bytes(payload) => {
                let bytes = u64::try_from(payload.len()).unwrap_or(u64::MAX);
                let outcome = verify_now(signatures, &payload, expectations, observer);
                outcome.map(|(judged, now)| (judged, now, bytes))
            }
            WholeContent::Large(..) if signatures.is_of_several() => {
                Err(FormError::TooLarge { limit: MAX_MEMORY_BYTES }.into())
            }
            WholeContent::Large(source, bytes) => {
                let payload = &mut Section::new(source, 0, bytes);
                let over = PassingBy { payload, bytes };
                let outcome = over.verify(envelope, |_| Ok(()), expectations, observer);
                outcome.map(|(judged, now)| (judged, now, bytes))
            }
        };
        // Content that changed has no verdict, good or bad.
        content.unchanged().map_err(Error::input)?;
        let (judged, now, bytes) = outcome?;
        let protected = envelope.sign1().protected_bytes();
        Ok(Verified::new(protected, judged, now, Payload::elsewhere(bytes)))
    }
}

/// Returns whether an envelope that is refused can be accepted later.
const fn depends_on_moment(error: &Error) -> bool {
    matches!(
        error,
        Error::Claims(_) | Error::Signature(SignatureError::NoKeyVerifies { .. }) | Error::Trust(_)
    )
}

impl std::fmt::Debug for WholeContent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes",
            Self::Large(..) => "Large",
        })
    }
}
