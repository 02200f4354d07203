//! Signs segments.

use std::io::{self, Write};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::buffer::Buffer;
use super::writer::StreamOptions;
use crate::cbor::Encoder;
use crate::cose::{Algorithm, TAG_SIGN1, ToBeSigned};
use crate::error::Result;
use crate::hash::HashAlgorithm;
use crate::position::Position;
use crate::signing::SigningBackend;
use crate::statement::{HeaderOf, Role, Statement, Unique};

/// Content that is not signed yet.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) position: Position,
    pub(super) content: Buffer,
}

/// A segment as it is written: `head` goes before the bytes of the content.
#[derive(Debug)]
pub(super) struct Sealed {
    head: Vec<u8>,
    pub(super) content: Buffer,
}

impl Sealed {
    pub(super) fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        output.write_all(&self.head)?;
        output.write_all(self.content.bytes())
    }
}

/// What a stream will say, and who says it.
pub(super) struct Unstated {
    pub(super) key: Arc<dyn SigningBackend>,
    pub(super) state: Box<dyn FnOnce() -> Result<Statement> + Send>,
}

impl Unstated {
    /// States it, when the content of its first segment is there.
    pub(super) fn state(self, options: &StreamOptions, position: Position) -> Result<Sealer> {
        let statement = (self.state)()?;
        let unique = statement.next_unique()?;
        Ok(Sealer::new(self.key, statement, unique, options, position))
    }
}

impl std::fmt::Debug for Unstated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unstated")
    }
}

/// What it takes to sign a segment.
pub(super) struct Sealer {
    key: Arc<dyn SigningBackend>,
    statement: Statement,
    unique: Option<Unique>,
    algorithm: Algorithm,
    hash: HashAlgorithm,
    /// The protected header of segment 0, if others follow.
    opening: Vec<u8>,
    /// The same, if none does.
    only: Vec<u8>,
    /// The SHA-256 of `opening`, which ties the others to it.
    pub(super) first: [u8; 32],
}

impl Sealer {
    pub(super) fn new(
        key: Arc<dyn SigningBackend>,
        statement: Statement,
        unique: Option<Unique>,
        options: &StreamOptions,
        position: Position,
    ) -> Self {
        let mut sealer = Self {
            key,
            algorithm: statement.alg().alone(),
            statement,
            unique,
            hash: options.hash,
            opening: Vec::new(),
            only: Vec::new(),
            first: [0; 32],
        };
        sealer.opening = sealer.header(position);
        sealer.only = sealer.header(Position { last: true, ..position });
        sealer.first = Sha256::digest(&sealer.opening).into();
        sealer
    }

    pub(super) fn seal(&self, segment: Segment) -> Result<Sealed> {
        let Segment { position, content } = segment;
        let later;
        let protected = match (position.index, position.last) {
            (0, false) => &self.opening,
            (0, true) => &self.only,
            _ => {
                later = self.header(position);
                &later
            }
        };
        let digest = self.hash.digest(content.bytes());
        let signed = ToBeSigned::new(protected, self.statement.aad(), digest.as_ref());
        let signature = self.key.sign(self.algorithm, &signed.parts())?;
        let mut head = Encoder::new();
        head.tag(TAG_SIGN1).array(4).bytes(protected).map(0).bytes(digest.as_ref());
        head.bytes(&signature).bytes_head(content.len());
        Ok(Sealed { head: head.into_bytes(), content })
    }

    fn header(&self, position: Position) -> Vec<u8> {
        let header = HeaderOf {
            key_id: Some(self.key.verifying_key().id()),
            certificates: self.key.certificates(),
            statement: &self.statement,
            algorithm: self.algorithm,
            unique: self.unique,
            role: Role::Segment(self.hash, position),
        };
        header.to_bytes()
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}
