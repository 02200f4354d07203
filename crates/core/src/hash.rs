//! Digests of content: the hash algorithms that a hash envelope (RFC 9995) may name.

mod file;

use std::fmt;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

pub(crate) use self::file::each_piece;
pub use self::file::{ReadAt, Section, digest_of};

/// A hash algorithm, as `payload-hash-alg` (258) numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// BLAKE3 with 32 bytes of output, −70002: a private-use number, as BLAKE3 has no registered one.
    #[default]
    Blake3,
    /// SHA-256, −16 (RFC 9054, Section 2.1).
    Sha256,
    /// SHA-384, −43 (RFC 9054, Section 2.1). Read, never written.
    Sha384,
    /// SHA-512, −44 (RFC 9054, Section 2.1). Read, never written.
    Sha512,
}

impl HashAlgorithm {
    /// Returns the number that stands in the header.
    #[must_use]
    pub const fn id(self) -> i64 {
        match self {
            Self::Blake3 => -70_002,
            Self::Sha256 => -16,
            Self::Sha384 => -43,
            Self::Sha512 => -44,
        }
    }

    /// Returns the algorithm with this number.
    #[must_use]
    pub const fn from_id(id: i64) -> Option<Self> {
        match id {
            -70_002 => Some(Self::Blake3),
            -16 => Some(Self::Sha256),
            -43 => Some(Self::Sha384),
            -44 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Returns the length of its digests, in bytes.
    #[must_use]
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Blake3 | Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Returns the digest of `content`.
    #[must_use]
    pub fn digest(self, content: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(content);
        hasher.finish()
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blake3 => "BLAKE3",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// The longest digest of any algorithm, in bytes.
pub const MAX_DIGEST_BYTES: usize = 64;

/// A digest: as many bytes as its algorithm gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(Vec<u8>);

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A hash that is fed piece by piece.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    // Its state holds a whole tree's edge, much more than the others'.
    Blake3(Box<blake3::Hasher>),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// Starts with nothing fed.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Self(match algorithm {
            HashAlgorithm::Blake3 => State::Blake3(Box::default()),
            HashAlgorithm::Sha256 => State::Sha256(Sha256::new()),
            HashAlgorithm::Sha384 => State::Sha384(Sha384::new()),
            HashAlgorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Feeds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Blake3(state) => drop(state.update(bytes)),
            State::Sha256(state) => state.update(bytes),
            State::Sha384(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// Returns the digest of all that was fed.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(match self.0 {
            State::Blake3(state) => state.finalize().as_bytes().to_vec(),
            State::Sha256(state) => state.finalize().to_vec(),
            State::Sha384(state) => state.finalize().to_vec(),
            State::Sha512(state) => state.finalize().to_vec(),
        })
    }
}
