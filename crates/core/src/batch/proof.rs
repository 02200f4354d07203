//! The signature field of an envelope: a signature, or the place of a record in a signed batch.

use crate::cbor::{Decoder, Flaw, Malformed};
use crate::cose::{Algorithm, FormError, Sign1};

/// The signature of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature<'a> {
    /// The envelope is a leaf of a tree, and the root is signed.
    Batch(BatchProof<'a>),
    /// A signature over the Sig_structure, of the length that the algorithm has.
    Plain(&'a [u8]),
}

impl<'a> Signature<'a> {
    /// Reads the signature field as the algorithm of the header demands.
    ///
    /// # Errors
    ///
    /// [`FormError::SignatureLength`]; [`FormError::ProofForm`], [`FormError::ProofSize`] and
    /// [`FormError::ProofPath`] for a batch proof.
    pub fn of(sign1: &Sign1<'a>) -> Result<Self, FormError> {
        let (field, algorithm) = (sign1.signature(), sign1.header().algorithm);
        let (expected, found) = (algorithm.signature_bytes(), sign1.signature_bytes());
        // A proof that is too long to be kept is too long for any tree.
        let is_whole = field.len() == found;
        match algorithm {
            Algorithm::Batch if is_whole => {
                BatchProof::parse(field, sign1.signature_at()).map(Self::Batch)
            }
            Algorithm::EdDsa | Algorithm::Ed25519 if is_whole && found == expected => {
                Ok(Self::Plain(field))
            }
            Algorithm::Batch | Algorithm::EdDsa | Algorithm::Ed25519 => {
                Err(FormError::SignatureLength { expected, found })
            }
        }
    }
}

/// Where a record stands in a batch, and the signature of the batch's root (RFC 9162, Section 2.1.3).
///
/// ```cddl
/// batch-proof = [
///   tree-size: 2..4294967296, leaf-index: uint, path: [1*32 bstr .size 32], signature: bstr .size 64
/// ]
/// ```
///
/// The signature covers the root alone. Size and index say how the path is to be walked, and **must**
/// not be taken for anything else: one record verifies under several pairs of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchProof<'a> {
    tree_size: u64,
    leaf_index: u64,
    /// The items of the path, each a head of two bytes and 32 more.
    path: &'a [[u8; NODE_ITEM_BYTES]],
    signature: &'a [u8],
}

impl<'a> BatchProof<'a> {
    /// Reads the whole of `field`, which begins at `offset` of the envelope.
    fn parse(field: &'a [u8], offset: usize) -> Result<Self, FormError> {
        let proof = Self::read(field)
            .map_err(|malformed| FormError::ProofForm(malformed.within(offset)))?;
        let Self { tree_size: size, leaf_index: index, path, .. } = proof;
        if !(2..=MAX_TREE_SIZE).contains(&size) || index >= size {
            return Err(FormError::ProofSize { size, index });
        }
        // RFC 9162, Section 2.1.3.2: the path ends at the root, neither before nor after.
        let expected = Steps::new(size, index).count();
        if path.len() != expected {
            return Err(FormError::ProofPath { expected, found: path.len() });
        }
        Ok(proof)
    }

    fn read(field: &'a [u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(field);
        decoder.array_of(4)?;
        let tree_size = unsigned(&mut decoder)?;
        let leaf_index = unsigned(&mut decoder)?;
        let nodes = decoder.array()?;
        let start = decoder.position();
        for _ in 0..nodes {
            decoder.sized::<NODE_BYTES>()?;
        }
        let (path, _) =
            field.get(start..decoder.position()).unwrap_or_default().as_chunks::<NODE_ITEM_BYTES>();
        let start = decoder.position();
        let signature = decoder.bytes()?;
        let expected = Algorithm::EdDsa.signature_bytes();
        if signature.len() != expected {
            let flaw = Flaw::BytesLength { expected, found: signature.len() };
            return Err(Malformed::new(start, flaw));
        }
        decoder.finish()?;
        Ok(Self { tree_size, leaf_index, path, signature })
    }

    /// Returns how many records the tree is said to have, which is not signed.
    #[must_use]
    pub const fn tree_size(&self) -> u64 {
        self.tree_size
    }

    /// Returns which of them this is said to be, which is not signed.
    #[must_use]
    pub const fn leaf_index(&self) -> u64 {
        self.leaf_index
    }

    /// Returns how many nodes the path has.
    #[must_use]
    pub const fn path_length(&self) -> usize {
        self.path.len()
    }

    /// Returns the nodes of the path, from the leaf up.
    pub fn nodes(&self) -> impl Iterator<Item = &'a [u8; NODE_BYTES]> + use<'a> {
        self.path.iter().map(|[_, _, node @ ..]| node)
    }

    /// Returns the signature of the root.
    #[must_use]
    pub const fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// Returns the steps from the leaf to the root, each with the node beside it.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (Step, &'a [u8; NODE_BYTES])> + use<'a> {
        Steps::new(self.tree_size, self.leaf_index).zip(self.nodes())
    }
}

/// One step towards the root: from a node and the one beside it to the node above both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// How far above the leaves the two nodes are.
    pub(crate) level: usize,
    /// Where in the next level the node above them is.
    pub(crate) above: u64,
    /// On which side the other node is.
    pub(crate) sibling: Side,
}

/// A side of a pair of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// The way from a leaf to the root (RFC 9162, Section 2.1.3.2, `fn` and `sn`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    level: usize,
    position: u64,
    last: u64,
}

impl Steps {
    /// Begins at leaf `index` of a tree of `size` leaves.
    pub(crate) const fn new(size: u64, index: u64) -> Self {
        Self { level: 0, position: index, last: size.saturating_sub(1) }
    }

    const fn rise(&mut self) {
        self.level += 1;
        self.position >>= 1;
        self.last >>= 1;
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.last == 0 {
            return None;
        }
        // The last node of a level has nobody to its right, and stands in the next level as it is.
        while self.position == self.last && self.position & 1 == 0 {
            self.rise();
        }
        let sibling = if self.position & 1 == 1 { Side::Left } else { Side::Right };
        let level = self.level;
        self.rise();
        Some(Step { level, above: self.position, sibling })
    }
}

fn unsigned(decoder: &mut Decoder<'_>) -> Result<u64, Malformed> {
    let offset = decoder.position();
    u64::try_from(decoder.int()?).map_err(|_| Malformed::new(offset, Flaw::IntegerRange))
}

/// How long a node is: a SHA-256.
pub(crate) const NODE_BYTES: usize = 32;

/// The same with the head of its byte string.
pub(crate) const NODE_ITEM_BYTES: usize = 2 + NODE_BYTES;

/// The most leaves that a tree may be said to have, so that a path has at most 32 nodes.
const MAX_TREE_SIZE: u64 = 1 << 32;
