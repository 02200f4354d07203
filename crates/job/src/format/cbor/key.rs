//! The keys of CBOR maps, and what makes two of them the same.
//!
//! Keys are the same if their values are, however they are encoded (RFC 8949, Section 5.6.1): the length of a head,
//! the width of a float, the chunks of a string and the order of the pairs of a map make no difference. A number and
//! a float are never the same, nor are a value with a tag and one without.

use std::collections::BTreeSet;

use brine_core::cbor::{Flaw, Head, Major, Malformed};
use brine_core::hash::{HashAlgorithm, Hasher};

/// A value, as the beginning of its digest. Two never collide by accident. A job that makes two collide spoils its
/// own output.
pub(super) type ItemDigest = [u8; 16];

/// Hashes a value.
#[derive(Debug)]
pub(super) struct ItemHasher(Hasher);

impl ItemHasher {
    /// Begins with what the head says of the value, and not with how.
    pub(super) fn of(head: &Head) -> Self {
        let mut hasher = Hasher::new(HashAlgorithm::Sha256);
        hasher.update(&[head.major.bits()]);
        match head.major {
            Major::Unsigned | Major::Negative | Major::Tag => {
                hasher.update(&head.argument.to_be_bytes());
            }
            Major::Simple => match head.float().map(f64::to_bits) {
                Some(bits) => {
                    hasher.update(b"float");
                    hasher.update(&bits.to_be_bytes());
                }
                None => hasher.update(&head.argument.to_be_bytes()),
            },
            // Their contents follow.
            Major::Bytes | Major::Text | Major::Array | Major::Map => {}
        }
        Self(hasher)
    }

    pub(super) fn add(&mut self, content: &[u8]) {
        self.0.update(content);
    }

    pub(super) fn finish(self) -> ItemDigest {
        self.0.finish().as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// The keys that a map has so far.
#[derive(Debug)]
pub(super) struct MapKeys {
    seen: BTreeSet<ItemDigest>,
    /// The key whose value has not ended.
    key: Option<ItemDigest>,
    /// Where the key began.
    start: usize,
    /// The pairs, and what they are hashed with, if the map is part of a key itself.
    pairs: Option<(BTreeSet<[ItemDigest; 2]>, ItemHasher)>,
}

impl MapKeys {
    pub(super) fn new(hasher: Option<ItemHasher>) -> Self {
        let pairs = hasher.map(|hasher| (BTreeSet::new(), hasher));
        Self { seen: BTreeSet::new(), key: None, start: 0, pairs }
    }

    /// Returns whether the next item is a key.
    pub(super) const fn at_key(&self) -> bool {
        self.key.is_none()
    }

    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }

    /// Returns whether the item that begins here is hashed.
    pub(super) const fn begins_hashed(&mut self, start: usize) -> bool {
        if self.at_key() {
            self.start = start;
            return true;
        }
        self.pairs.is_some()
    }

    /// Takes an item that has ended, and returns whether a pair has ended with it.
    pub(super) fn close(&mut self, digest: Option<ItemDigest>) -> Result<bool, Malformed> {
        let digest = digest.unwrap_or_default();
        let Some(key) = self.key.take() else {
            if !self.seen.insert(digest) {
                return Err(Malformed { offset: self.start, flaw: Flaw::DuplicateKey });
            }
            self.key = Some(digest);
            return Ok(false);
        };
        if let Some((pairs, _)) = &mut self.pairs {
            pairs.insert([key, digest]);
        }
        Ok(true)
    }

    /// Returns the digest of the whole map, if it is part of a key.
    pub(super) fn finish(self) -> Option<ItemDigest> {
        let (pairs, mut hasher) = self.pairs?;
        pairs.iter().flatten().for_each(|digest| hasher.add(digest));
        Some(hasher.finish())
    }
}
