//! The tree: its hashes (RFC 9162, Section 2.1.1), and what is signed of it.

use sha2::{Digest as _, Sha256};

use super::proof::{BatchProof, NODE_BYTES, Side};
use crate::cbor::Encoder;
use crate::cose::{Algorithm, HeaderWriter, ToBeSigned, label};
use crate::key::{KeyId, VerifyingKey};
use crate::kind::Kind;
use crate::signing::{SigningBackend, SigningError};

/// The hash of a leaf or of a node.
pub(crate) type Hash = [u8; NODE_BYTES];

/// The hash of an entry that comes piece by piece.
#[derive(Clone, Debug)]
pub(crate) struct Leaf(Sha256);

impl Leaf {
    pub(crate) fn begin() -> Self {
        Self(Sha256::new_with_prefix([0x00]))
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(crate) fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// Hashes an entry of the tree.
pub(crate) fn leaf(signed: &ToBeSigned<'_>) -> Hash {
    let mut leaf = Leaf::begin();
    signed.parts().iter().for_each(|part| leaf.update(part));
    leaf.finish()
}

/// Hashes two neighbours. The first byte keeps leaves and nodes apart: no bytes are both.
pub(super) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new_with_prefix([0x01]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// Walks the path from a leaf to the root (RFC 9162, Section 2.1.3.2).
pub(super) fn root(leaf: Hash, proof: &BatchProof<'_>) -> Hash {
    proof.steps().fold(leaf, |below, (step, sibling)| match step.sibling {
        Side::Left => node(sibling, &below),
        Side::Right => node(&below, sibling),
    })
}

/// Signs a root.
pub(super) fn sign_root(key: &dyn SigningBackend, root: &Hash) -> Result<Vec<u8>, SigningError> {
    let header = root_header(key.verifying_key().id());
    key.sign(ROOT_ALGORITHM, &ToBeSigned::new(&header, &[], root).parts())
}

/// Verifies a leaf by its way to the root, and the signature of that.
pub(crate) fn verifies(key: &VerifyingKey, leaf: Hash, proof: &BatchProof<'_>) -> bool {
    verify_root(key, &root(leaf, proof), proof.signature())
}

/// Verifies the signature of a root.
pub(super) fn verify_root(key: &VerifyingKey, root: &Hash, signature: &[u8]) -> bool {
    key.verify(&ToBeSigned::new(&root_header(key.id()), &[], root).parts(), signature)
}

/// Encodes the protected header under which a root is signed, and nothing else ever is.
///
/// It has no label 395 and has `crit`, so that a root passes for no receipt (RFC 9942), and for nothing with
/// software that does not know its type.
fn root_header(key_id: KeyId) -> Vec<u8> {
    let mut header = HeaderWriter::default();
    header.put(label::ALG, |value| value.int(ROOT_ALGORITHM.id()));
    header.put(label::KID, |value| value.bytes(key_id.as_bytes()));
    header.put_critical(label::TYP, |value| value.text(Kind::BatchRoot.typ().unwrap_or_default()));
    let mut bytes = Encoder::new();
    header.write(&mut bytes);
    bytes.into_bytes()
}

/// The algorithm of roots.
const ROOT_ALGORITHM: Algorithm = Algorithm::EdDsa;

#[cfg(test)]
mod tests {
    use super::super::proof::Steps;
    use super::*;
    use crate::key::SigningKey;

    /// Where a tree of this size is cut in two.
    fn half(size: usize) -> usize {
        size.next_power_of_two() / 2
    }

    /// RFC 9162, Section 2.1.1, word for word.
    fn tree(leaves: &[Hash]) -> Hash {
        match leaves {
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(half(leaves.len()));
                node(&tree(left), &tree(right))
            }
        }
    }

    /// RFC 9162, Section 2.1.3.1, word for word.
    fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(half(leaves.len()));
        let (mut path, beside) = match index.checked_sub(left.len()) {
            None => (path(index, left), tree(right)),
            Some(index) => (path(index, right), tree(left)),
        };
        path.push(beside);
        path
    }

    #[test]
    fn every_path_of_every_small_tree_leads_to_its_root() {
        for size in 2..=70_u8 {
            let leaves: Vec<Hash> = (0..size).map(|number| [number; 32]).collect();
            let expected = tree(&leaves);
            for index in 0..size {
                let nodes = path(index.into(), &leaves);
                let steps = Steps::new(size.into(), index.into());
                assert_eq!(steps.count(), nodes.len(), "{index} of {size}");
                let found = steps.zip(&nodes).fold([index; 32], |below, (step, beside)| match step
                    .sibling
                {
                    Side::Left => node(beside, &below),
                    Side::Right => node(&below, beside),
                });
                assert_eq!(found, expected, "{index} of {size}");
            }
        }
    }

    /// The loop of RFC 9162, Section 2.1.3.2, with its own names: on which side each node goes.
    fn sides(size: u64, index: u64) -> Vec<Side> {
        let (mut r#fn, mut sn) = (index, size - 1);
        let mut sides = Vec::new();
        while sn != 0 {
            if r#fn & 1 == 1 || r#fn == sn {
                sides.push(Side::Left);
                while r#fn & 1 == 0 && r#fn != 0 {
                    (r#fn, sn) = (r#fn >> 1, sn >> 1);
                }
            } else {
                sides.push(Side::Right);
            }
            (r#fn, sn) = (r#fn >> 1, sn >> 1);
        }
        sides
    }

    #[test]
    fn the_way_up_is_that_of_the_standard_in_large_trees_too() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 20) % below
        };
        let most = 1 << 32;
        for round in 0..20_000 {
            let size = if round % 10 == 0 { most } else { 2 + random(most - 1) };
            let index = if round % 7 == 0 { size - 1 } else { random(size) };
            let found: Vec<_> = Steps::new(size, index).map(|step| step.sibling).collect();
            assert_eq!(found, sides(size, index), "{index} of {size}");
            assert!(found.len() <= 32);
        }
    }

    /// Put together by hand, from SPEC.md.
    #[test]
    fn a_root_is_signed_under_a_header_of_its_own() {
        let key = SigningKey::from_seed(&zeroize::Zeroizing::new([1; 32]));
        let id = key.verifying_key().id();
        let header = [
            b"\xa4\x01\x27\x02\x81\x10\x04\x58\x20",
            id.as_bytes().as_slice(),
            b"\x10\x78\x25application/vnd.brine.batch-root+cose",
        ];
        let header = header.concat();
        assert_eq!(root_header(id), header);
        assert_eq!(header.len(), 0x51);
        let root = [5; 32];
        let signed =
            [b"\x84\x6aSignature1\x58\x51", header.as_slice(), b"\x40\x58\x20", &root].concat();
        let signature = sign_root(&key, &root).unwrap();
        assert_eq!(signature, key.sign(&[&signed]));
        assert!(verify_root(key.verifying_key(), &root, &signature));
        assert!(!verify_root(key.verifying_key(), &[6; 32], &signature));
    }
}
