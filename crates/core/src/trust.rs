//! Who is believed: the question that a verifier asks, and the simplest answer.
//!
//! [`TrustAnchors`] is one question: may this evidence speak, about this context, at this moment? The crate
//! brine-trust answers it from trust files. [`KnownSigners`] answers it from memory. A [`TrustSource`] says who
//! answers it at a given moment.

mod certificate_flaw;
mod persons;
mod source;
mod untrusted;
mod vouched;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::certificates::Certificates;
use crate::key::{KeyId, VerifyingKey};
use crate::time::Timestamp;

pub use self::certificate_flaw::CertificateFlaw;
pub use self::persons::{Person, Vouching, count_persons, is_below, require_persons};
pub use self::source::{TrustSource, TrustUnavailable};
pub use self::untrusted::{StatedRevocation, Untrusted};
pub use self::vouched::Vouched;

/// A name and the key that speaks for it.
///
/// A clone shares its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer(Arc<Named>);

#[derive(Debug, PartialEq, Eq)]
struct Named {
    name: String,
    key: VerifyingKey,
    vouched: Option<Vouched>,
}

impl Signer {
    /// Returns the signer `name`, who signs with `key`.
    #[must_use]
    pub fn new(name: impl Into<String>, key: VerifyingKey) -> Self {
        Self(Arc::new(Named { name: name.into(), key, vouched: None }))
    }

    /// Returns a signer for whom somebody else vouches.
    #[must_use]
    pub fn vouched_for(name: impl Into<String>, key: VerifyingKey, vouched: Vouched) -> Self {
        Self(Arc::new(Named { name: name.into(), key, vouched: Some(vouched) }))
    }

    /// Returns who vouches for the name; `None` if the trust anchors name the key themselves.
    #[must_use]
    pub fn vouched(&self) -> Option<&Vouched> {
        self.0.vouched.as_ref()
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.0.key
    }

    /// Returns whether both are the same value in memory, which is cheaper than comparing them.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What is known of who made a signature that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// The key with this id made it, and the envelope brought these certificates.
    Certified(KeyId, Certificates),
    /// The key with this id made it.
    Key(KeyId),
}

impl Evidence {
    /// Returns what is known of a signature by this key.
    #[must_use]
    pub fn new(key: KeyId, certificates: Option<Certificates>) -> Self {
        match certificates {
            Some(certificates) => Self::Certified(key, certificates),
            None => Self::Key(key),
        }
    }

    /// Returns the id of the key, and the certificates that the envelope brought.
    pub(crate) fn into_parts(self) -> (KeyId, Option<Certificates>) {
        match self {
            Self::Certified(id, certificates) => (id, Some(certificates)),
            Self::Key(id) => (id, None),
        }
    }

    /// Returns the id of the key that made the signature.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        match self {
            Self::Certified(id, _) | Self::Key(id) => *id,
        }
    }

    /// Returns the certificates that the envelope brought.
    #[must_use]
    pub const fn certificates(&self) -> Option<&Certificates> {
        match self {
            Self::Certified(_, certificates) => Some(certificates),
            Self::Key(_) => None,
        }
    }
}

/// What a verified signature is to be trusted for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The context of the signature; `None` if it has none.
    pub context: Option<&'a str>,
    /// The name that the signer must answer to; `None` for any.
    pub signer: Option<&'a str>,
    /// The time at which windows and revocations are judged. It **must not** be the time in the signature,
    /// which the signer chose. No leeway is added.
    pub now: Timestamp,
}

/// A source of trust.
pub trait TrustAnchors: Send + Sync {
    /// Returns the trusted key with this id, revoked or not.
    fn key(&self, id: KeyId) -> Option<&VerifyingKey>;

    /// Returns the first `most` keys, each once, in the order in which they are to be tried, where an envelope does
    /// not name one of them. Revoked keys are among them, so that their signatures are refused for that reason.
    fn keys(&self, most: usize) -> Vec<&VerifyingKey>;

    /// Returns how many keys there are in all.
    fn key_count(&self) -> usize;

    /// Returns the key that certificates are for, if an authority that is trusted here issued them, so that a signature can
    /// be tried with it. Whether they are valid, and for what, [`judge`](Self::judge) says. `None` if no authority is
    /// trusted at all.
    ///
    /// # Errors
    ///
    /// [`Untrusted::Certificate`].
    fn certified_key(&self, certificates: &Certificates)
    -> Result<Option<VerifyingKey>, Untrusted>;

    /// Judges a signature that has verified, and returns the signer who speaks. One that is borrowed is cloned
    /// only where it is not the signer of the envelope before.
    ///
    /// # Errors
    ///
    /// The reason why nobody does.
    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted>;

    /// Judges whether these signers, each of whom is believed, are enough together for a context: at least `required`
    /// [persons](Person), and whatever else is demanded.
    ///
    /// # Errors
    ///
    /// The reason why not, such as [`Untrusted::TooFew`].
    fn judge_together(
        &self,
        signers: &[&Signer],
        required: usize,
        question: &Question<'_>,
    ) -> Result<(), Untrusted>;

    /// Judges as [`judge`](Self::judge) does, but believes only what was said of this context in particular: of its
    /// first part, up to the first `/`. Who is trusted for everything is not trusted here.
    ///
    /// # Errors
    ///
    /// The reason why nobody speaks; by default, [`Untrusted::Context`] for everybody.
    fn judge_in_particular(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        let signer = self.judge(evidence, question)?.name().to_owned();
        Err(Untrusted::Context { signer, context: question.context.map(str::to_owned) })
    }
}

/// Signers that are trusted for everything, at any time.
///
/// ```
/// use brine_core::{KnownSigners, Signer, SigningKey};
///
/// let key = SigningKey::generate()?;
/// let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
/// # Ok::<(), brine_core::KeyError>(())
/// ```
///
/// A clone shares its content.
#[derive(Clone, Debug, Default)]
pub struct KnownSigners(Arc<KnownKeys>);

#[derive(Debug, Default)]
struct KnownKeys {
    signers: Vec<Signer>,
    /// The place of the first signer with each key.
    by_key: BTreeMap<KeyId, usize>,
    /// The same places, in order.
    firsts: Vec<usize>,
}

impl KnownSigners {
    /// Trusts these signers. Where two have the same key, the first speaks for it.
    #[must_use]
    pub fn new(signers: impl IntoIterator<Item = Signer>) -> Self {
        let signers: Vec<_> = signers.into_iter().collect();
        let (mut by_key, mut firsts) = (BTreeMap::new(), Vec::new());
        for (index, signer) in signers.iter().enumerate() {
            by_key.entry(signer.key().id()).or_insert_with(|| {
                firsts.push(index);
                index
            });
        }
        Self(Arc::new(KnownKeys { signers, by_key, firsts }))
    }
}

impl KnownKeys {
    fn find(&self, id: KeyId) -> Option<&Signer> {
        self.signers.get(*self.by_key.get(&id)?)
    }
}

impl TrustAnchors for KnownKeys {
    fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.find(id).map(Signer::key)
    }

    fn keys(&self, most: usize) -> Vec<&VerifyingKey> {
        self.firsts.iter().take(most).filter_map(|&at| Some(self.signers.get(at)?.key())).collect()
    }

    fn key_count(&self) -> usize {
        self.firsts.len()
    }

    /// It names no authorities.
    fn certified_key(&self, _: &Certificates) -> Result<Option<VerifyingKey>, Untrusted> {
        Ok(None)
    }

    /// Nothing else is demanded.
    fn judge_together(
        &self,
        signers: &[&Signer],
        required: usize,
        _: &Question<'_>,
    ) -> Result<(), Untrusted> {
        // Nothing is counted for each of many records.
        if required <= 1 {
            return Ok(());
        }
        let person = |signer: &&Signer| Person::of(signer, Vouching::OnePerson);
        require_persons(&signers.iter().map(person).collect::<Vec<_>>(), required)
    }

    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        let id = evidence.key_id();
        let signer = self.find(id).ok_or_else(|| Untrusted::unknown(id))?;
        match question.signer {
            Some(expected) if expected != signer.name() => Err(Untrusted::WrongSigner {
                expected: expected.to_owned(),
                found: signer.name().to_owned(),
            }),
            _ => Ok(Cow::Borrowed(signer)),
        }
    }
}

impl TrustAnchors for KnownSigners {
    fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.0.key(id)
    }

    fn keys(&self, most: usize) -> Vec<&VerifyingKey> {
        self.0.keys(most)
    }

    fn key_count(&self) -> usize {
        self.0.key_count()
    }

    /// It names no authorities.
    fn certified_key(&self, _: &Certificates) -> Result<Option<VerifyingKey>, Untrusted> {
        Ok(None)
    }

    fn judge_together(
        &self,
        signers: &[&Signer],
        required: usize,
        question: &Question<'_>,
    ) -> Result<(), Untrusted> {
        self.0.judge_together(signers, required, question)
    }

    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        self.0.judge(evidence, question)
    }
}

/// Nobody is added or removed.
impl TrustSource for KnownSigners {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        self.0.current()
    }
}
