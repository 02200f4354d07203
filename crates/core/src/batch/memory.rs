//! What a verifier of batches remembers.

use super::proof::{BatchProof, Side};
use super::tree::{self, Hash};
use crate::key::VerifyingKey;

/// What a verifier remembers of batches, so that neighbours are not verified from the beginning each.
///
/// It is bounded and never changes a verdict. It holds roots whose signature has verified, each with
/// its key and that signature, and nodes on the way to such a root, each with the two that it was
/// hashed from: a node is taken from memory only where both are the same again. Trust, time and
/// context are judged for each record as ever. Only this is saved: hashing a node or verifying a root
/// a second time.
///
/// Where a key, a signature or a node is looked for depends on the first bytes of a signature, and how
/// many places are looked at does not: whoever chooses them makes others be forgotten, at the price
/// of a signature by a trusted key each, and nothing slower than it would be without a memory.
///
/// The default takes up to 0.9 MiB. A thread has one of its own.
#[derive(Debug)]
pub struct Memory {
    roots: Shelf<Root>,
    walks: Shelf<Walk>,
    /// What had to be hashed on the present walk.
    fresh: Vec<(usize, Pair)>,
}

impl Memory {
    /// How many roots the default remembers: up to 160 bytes each.
    pub const ROOTS: usize = 4096;

    /// Of how many roots the default remembers the way there: 3.8 KiB each at most.
    pub const WALKS: usize = 64;

    /// Remembers up to so many roots, and the last way to so many of them.
    #[must_use]
    pub fn new(roots: usize, walks: usize) -> Self {
        Self { roots: Shelf::new(roots), walks: Shelf::new(walks), fresh: Vec::new() }
    }

    /// Returns whether the proof leads from the leaf to a root that `key` has signed.
    pub(crate) fn verifies(
        &mut self,
        key: &VerifyingKey,
        leaf: Hash,
        proof: &BatchProof<'_>,
    ) -> bool {
        let Self { roots, walks, fresh } = self;
        let signature = proof.signature();
        let public = key.to_bytes();
        let same = |walk: &Walk| {
            *walk.root.signature == *signature
                && walk.size == proof.tree_size()
                && walk.root.public == public
        };
        let walk = walks.find(signature, same);
        let found = climb(walk.as_deref(), leaf, proof, fresh);
        let is_known = |known: &Root| {
            known.root == found && *known.signature == *signature && known.public == public
        };
        if let Some(walk) = walk
            && is_known(&walk.root)
        {
            walk.learn(fresh);
            return true;
        }
        // Only here, so that a neighbour of one that was verified takes no memory.
        let root = Root { public, signature: signature.into(), root: found };
        if roots.find(signature, is_known).is_none() {
            if !tree::verify_root(key, &found, signature) {
                return false;
            }
            roots.put(signature, root.clone());
        }
        // Only here: what leads to no root that was signed is never remembered.
        let mut walk = Walk::new(root, proof.tree_size());
        walk.learn(fresh);
        walks.put(signature, walk);
        true
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Self::ROOTS, Self::WALKS)
    }
}

/// Does what [`tree::root`] does, and takes from `walk` the nodes that it hashed before.
///
/// The nodes that were hashed now are left in `fresh`.
fn climb(
    walk: Option<&Walk>,
    leaf: Hash,
    proof: &BatchProof<'_>,
    fresh: &mut Vec<(usize, Pair)>,
) -> Hash {
    fresh.clear();
    proof.steps().fold(leaf, |below, (step, sibling)| {
        let (left, right) = match step.sibling {
            Side::Left => (sibling, &below),
            Side::Right => (&below, sibling),
        };
        if let Some(pair) = walk.and_then(|walk| walk.pairs.get(step.level)?.as_ref())
            && pair.above == step.above
            && pair.left == *left
            && pair.right == *right
        {
            return pair.node;
        }
        let node = tree::node(left, right);
        fresh.push((step.level, Pair { above: step.above, left: *left, right: *right, node }));
        node
    })
}

/// A root that was signed. The header that it was signed under is that of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    public: [u8; 32],
    signature: Box<[u8]>,
    root: Hash,
}

/// The last way to a root that was signed.
#[derive(Debug)]
struct Walk {
    root: Root,
    size: u64,
    /// By level. Those of the last walk, but where it met an earlier one on the way.
    pairs: Vec<Option<Pair>>,
}

impl Walk {
    fn new(root: Root, size: u64) -> Self {
        let levels = u64::BITS.saturating_sub(size.saturating_sub(1).leading_zeros());
        Self { root, size, pairs: vec![None; usize::try_from(levels).unwrap_or(0)] }
    }

    fn learn(&mut self, fresh: &mut Vec<(usize, Pair)>) {
        for (level, pair) in fresh.drain(..) {
            if let Some(place) = self.pairs.get_mut(level) {
                *place = Some(pair);
            }
        }
    }
}

/// Two neighbours, and the node above them.
#[derive(Clone, Debug)]
struct Pair {
    /// Where in its level that node is.
    above: u64,
    left: Hash,
    right: Hash,
    node: Hash,
}

/// A bounded store that is looked through in constant time.
///
/// Each entry has few places where it can be; a new one takes them in turn.
#[derive(Debug)]
struct Shelf<T> {
    places: Vec<Option<T>>,
    /// For each group, which place is given away next.
    turns: Vec<usize>,
}

impl<T> Shelf<T> {
    fn new(capacity: usize) -> Self {
        let places = std::iter::repeat_with(|| None).take(capacity).collect();
        Self { places, turns: vec![0; capacity.div_ceil(GROUP)] }
    }

    fn find(&mut self, signature: &[u8], wanted: impl Fn(&T) -> bool) -> Option<&mut T> {
        let group = self.group(signature)?;
        let places = self.places.chunks_mut(GROUP).nth(group)?;
        places.iter_mut().flatten().find(|entry| wanted(entry))
    }

    fn put(&mut self, signature: &[u8], entry: T) {
        let Some(group) = self.group(signature) else { return };
        let Some(places) = self.places.chunks_mut(GROUP).nth(group) else { return };
        let Some(turn) = self.turns.get_mut(group) else { return };
        if let Some(place) = places.get_mut(*turn) {
            *place = Some(entry);
        }
        *turn = (*turn + 1) % places.len();
    }

    /// Where the entries of a signature are; `None` if there is no place at all.
    fn group(&self, signature: &[u8]) -> Option<usize> {
        let number = u32::from_be_bytes(*signature.first_chunk()?);
        let number = usize::try_from(number).ok()?;
        number.checked_rem(self.turns.len())
    }
}

/// How many places an entry can be in.
const GROUP: usize = 4;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::proof::Signature;
    use super::super::signer::BatchSigner;
    use super::super::tree::leaf;
    use super::*;
    use crate::cose::Sign1;
    use crate::key::SigningKey;
    use crate::kind::PROFILE;
    use crate::statement::{Statement, Unique};
    use crate::time::Timestamp;

    fn key(byte: u8) -> Arc<SigningKey> {
        Arc::new(SigningKey::from_seed(&zeroize::Zeroizing::new([byte; 32])))
    }

    fn batch(key: &Arc<SigningKey>, size: u8, salt: u8) -> Vec<Vec<u8>> {
        let mut signer = BatchSigner::new(key.clone());
        for number in 0..size {
            let mut cti = [salt; 16];
            cti[0] = number;
            let statement = Statement::at(Timestamp::from_unix(0).unwrap());
            signer.add(b"payload", &statement, Unique { cti, sequence: None }).unwrap();
        }
        signer.finish_batch().unwrap().iter().map(<[u8]>::to_vec).collect()
    }

    fn leaf_and_proof(envelope: &[u8]) -> (Hash, BatchProof<'_>) {
        let sign1 = Sign1::parse(envelope, Default::default(), &PROFILE).unwrap();
        let Ok(Signature::Batch(proof)) = Signature::of(&sign1) else { panic!("not of a batch") };
        (leaf(&sign1.to_be_signed(&[], b"payload")), proof)
    }

    fn verifies(memory: &mut Memory, key: &SigningKey, envelope: &[u8]) -> bool {
        let (leaf, proof) = leaf_and_proof(envelope);
        memory.verifies(key.verifying_key(), leaf, &proof)
    }

    fn remembered(memory: &Memory) -> (usize, usize) {
        let roots = memory.roots.places.iter().flatten().count();
        (roots, memory.walks.places.iter().flatten().count())
    }

    #[test]
    fn each_node_of_a_batch_is_hashed_once() {
        let key = key(1);
        let envelopes = batch(&key, 16, 7);
        let mut memory = Memory::default();
        let mut hashed = Vec::new();
        for envelope in &envelopes {
            let (leaf, proof) = leaf_and_proof(envelope);
            let walk = memory.walks.find(proof.signature(), |_| true);
            climb(walk.as_deref(), leaf, &proof, &mut memory.fresh);
            hashed.push(memory.fresh.len());
            assert!(verifies(&mut memory, &key, envelope));
        }
        assert_eq!(hashed, [4, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0]);
        assert_eq!(remembered(&memory), (1, 1));
    }

    #[test]
    fn what_does_not_verify_is_not_remembered() {
        let key = key(1);
        let mut memory = Memory::default();
        for envelope in batch(&key, 4, 7) {
            let mut forged = envelope.clone();
            *forged.last_mut().unwrap() ^= 1;
            assert!(!verifies(&mut memory, &key, &forged));
            // The last byte of the path.
            forged.clone_from(&envelope);
            forged[envelope.len() - 67] ^= 1;
            assert!(!verifies(&mut memory, &key, &forged));
        }
        assert_eq!(remembered(&memory), (0, 0));
    }

    #[test]
    fn a_root_is_remembered_for_its_key_and_its_signature_alone() {
        let (one, other) = (key(1), key(2));
        let envelopes = batch(&one, 4, 7);
        let mut memory = Memory::default();
        for envelope in &envelopes {
            assert!(verifies(&mut memory, &one, envelope));
            assert!(!verifies(&mut memory, &other, envelope));
            let mut forged = envelope.clone();
            *forged.last_mut().unwrap() ^= 1;
            assert!(!verifies(&mut memory, &one, &forged));
        }
        assert_eq!(remembered(&memory), (1, 1));
    }

    #[test]
    fn a_path_that_is_altered_above_what_is_remembered_is_refused() {
        let key = key(1);
        let envelopes = batch(&key, 8, 7);
        let mut memory = Memory::default();
        assert!(verifies(&mut memory, &key, &envelopes[0]));
        for level in 0..3 {
            let mut forged = envelopes[1].clone();
            let from_end = 66 + 34 * level + 1;
            let at = forged.len() - from_end;
            forged[at] ^= 1;
            assert!(!verifies(&mut memory, &key, &forged), "level {level} from above");
        }
        assert!(verifies(&mut memory, &key, &envelopes[1]));
    }

    #[test]
    fn it_holds_no_more_than_it_was_made_for() {
        let key = key(1);
        for (roots, walks) in [(0, 0), (1, 1), (3, 2), (5, 6), (4, 0), (0, 4)] {
            let mut memory = Memory::new(roots, walks);
            for salt in 0..40 {
                for envelope in batch(&key, 2, salt) {
                    assert!(verifies(&mut memory, &key, &envelope));
                }
            }
            let places = (memory.roots.places.len(), memory.walks.places.len());
            assert_eq!(places, (roots, walks));
            assert_eq!(remembered(&memory), (roots, walks));
        }
    }

    #[test]
    fn the_sizes_that_are_documented_are_right() {
        const SIGNATURE: usize = 64;
        assert!(size_of::<Option<Root>>() + SIGNATURE <= 160);
        let deepest = Walk::new(
            Root { public: [0; 32], signature: Box::new([0; SIGNATURE]), root: [0; 32] },
            1 << 32,
        );
        let walk =
            SIGNATURE + size_of::<Option<Walk>>() + deepest.pairs.len() * size_of::<Option<Pair>>();
        assert!(deepest.pairs.len() == 32 && walk <= 3800, "{walk}");
        assert!(Memory::ROOTS * 160 + Memory::WALKS * walk < 900 * 1024);
    }
}
