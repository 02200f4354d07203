//! Builds an envelope.

mod several;

use std::io::{self, Write};

use crate::cbor::Encoder;
use crate::cose::{Algorithm, TAG_SIGN1, ToBeSigned};
use crate::error::Result;
use crate::hash::{Digest, HashAlgorithm, ReadAt, each_piece};
use crate::signing::{SigningBackend, SigningError};
use crate::statement::{HeaderOf, Role, Statement};

pub use self::several::{Needed, cosign, detach, sign_together};

/// What is signed.
#[derive(Clone, Copy)]
pub enum Content<'p> {
    /// Bytes in memory that nothing else writes to. Ed25519 reads them twice, and two readings that differ
    /// can give the secret key away: a memory map of a file **must not** be given here.
    Bytes(&'p [u8]),
    /// The first bytes of something that does not fit memory, read twice. It **must** be a copy that nobody
    /// else can write to: a file that has a name is no such copy.
    Copy(&'p dyn ReadAt, u64),
    /// The digest of something that is kept elsewhere: a hash envelope (RFC 9995).
    Digest(HashAlgorithm, &'p Digest),
}

impl<'p> From<&'p [u8]> for Content<'p> {
    fn from(bytes: &'p [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'p, const N: usize> From<&'p [u8; N]> for Content<'p> {
    fn from(bytes: &'p [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

/// Signs `content` and says what `statement` says.
///
/// ```
/// use brine_core::{KnownSigners, Signer, SigningKey, Statement, Timestamp, open, sign};
///
/// let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
/// let key = SigningKey::generate()?;
/// let envelope = sign(&Statement::at(now), &key, b"hello")?.to_bytes();
///
/// let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
/// let payload = open(envelope)?.verify(&Default::default(), &trust, &now)?;
/// assert_eq!(payload.signer().name(), "alice");
/// assert_eq!(payload.into_bytes()?, b"hello");
/// # Ok::<(), brine_core::Error>(())
/// ```
///
/// # Errors
///
/// [`KeyError::Random`](crate::KeyError::Random) if no name can be drawn, and [`SigningError`].
pub fn sign<'p>(
    statement: &Statement,
    key: &dyn SigningBackend,
    content: impl Into<Content<'p>>,
) -> Result<Envelope<'p>> {
    let content = content.into();
    let role = match content {
        Content::Bytes(_) | Content::Copy(..) => Role::Content,
        Content::Digest(hash, _) => Role::Digest(hash),
    };
    let algorithm = statement.alg().alone();
    let unique = statement.next_unique()?;
    let key_id = Some(key.verifying_key().id());
    let certificates = key.certificates();
    let header = HeaderOf { key_id, certificates, statement, algorithm, unique, role };
    let protected = header.to_bytes();
    let signature = sign_content(key, algorithm, &protected, statement.aad(), content)?;
    Ok(Envelope { protected, content, signature })
}

fn sign_content(
    key: &dyn SigningBackend,
    algorithm: Algorithm,
    protected: &[u8],
    external_aad: &[u8],
    content: Content<'_>,
) -> Result<Vec<u8>, SigningError> {
    let (source, bytes) = match content {
        Content::Copy(source, bytes) => (source, bytes),
        Content::Bytes(payload) => {
            return key.sign(algorithm, &ToBeSigned::new(protected, external_aad, payload).parts());
        }
        Content::Digest(_, digest) => {
            let signed = ToBeSigned::new(protected, external_aad, digest.as_ref());
            return key.sign(algorithm, &signed.parts());
        }
    };
    let before = ToBeSigned::before(protected, external_aad, bytes);
    key.sign_pieces(algorithm, &|give| {
        before.parts().into_iter().for_each(&mut *give);
        each_piece(source, 0, bytes, give)
    })
}

/// A signed envelope, ready to be written. It borrows the payload instead of copying it.
#[derive(Clone)]
pub struct Envelope<'p> {
    protected: Vec<u8>,
    content: Content<'p>,
    signature: Vec<u8>,
}

impl Envelope<'_> {
    /// Returns the whole envelope in memory of its own.
    ///
    /// An envelope over a [`Copy`](Content::Copy) is returned without its payload, as
    /// [`detached`](Self::detached) does.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self.payload() {
            Some(payload) => [&self.head(), payload, &self.tail()].concat(),
            None => self.detached(),
        }
    }

    /// Returns the envelope without its payload: nil stands in its place.
    #[must_use]
    pub fn detached(&self) -> Vec<u8> {
        let mut envelope = self.front();
        envelope.nil().bytes(&self.signature);
        envelope.into_bytes()
    }

    /// Writes the envelope without a copy of the payload.
    ///
    /// # Errors
    ///
    /// What `output` or the copy that was signed reports.
    pub fn write_to(&self, output: &mut dyn Write) -> io::Result<()> {
        output.write_all(&self.head())?;
        match self.content {
            Content::Copy(source, bytes) => {
                let mut written = Ok(());
                each_piece(source, 0, bytes, |piece| {
                    if written.is_ok() {
                        written = output.write_all(piece);
                    }
                })?;
                written?;
            }
            Content::Bytes(_) | Content::Digest(..) => {
                output.write_all(self.payload().unwrap_or_default())?;
            }
        }
        output.write_all(&self.tail())
    }

    /// Returns everything before the bytes of the payload.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let length = match self.content {
            Content::Copy(_, bytes) => bytes,
            Content::Bytes(_) | Content::Digest(..) => {
                let payload = self.payload().unwrap_or_default();
                u64::try_from(payload.len()).unwrap_or(u64::MAX)
            }
        };
        let mut head = self.front();
        head.long_bytes_head(length);
        head.into_bytes()
    }

    /// Returns everything after the bytes of the payload.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        let mut tail = Encoder::new();
        tail.bytes(&self.signature);
        tail.into_bytes()
    }

    /// Begins an envelope, up to its payload.
    fn front(&self) -> Encoder {
        let mut front = Encoder::new();
        front.tag(TAG_SIGN1).array(4).bytes(&self.protected).map(0);
        front
    }

    fn payload(&self) -> Option<&[u8]> {
        match self.content {
            Content::Bytes(payload) => Some(payload),
            Content::Copy(..) => None,
            Content::Digest(_, digest) => Some(digest.as_ref()),
        }
    }
}

impl std::fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes",
            Self::Copy(..) => "Copy",
            Self::Digest(..) => "Digest",
        })
    }
}
