//! Records that are signed together verify alone, and a memory changes nothing but the time that it takes.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use brine_core::batch::{
    Batch, BatchSigner, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Memory, Signature,
};
use brine_core::{
    Algorithm, Classified as _, EnvelopeVerifier, Error, Expectations, KnownSigners, SigningKey,
    Statement, Unique, UnverifiedEnvelope, open, sign,
};
use brine_testkit::{key, mutations, now, signers};
use proptest::collection::vec;
use proptest::prelude::*;

/// A name of its own for each record.
fn record(number: usize) -> Unique {
    let mut cti = [9; 16];
    cti[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    Unique { cti, sequence: None }
}

fn statement() -> Statement {
    Statement::at(now())
}

fn payload(number: usize) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

fn fill(signer: &mut BatchSigner, numbers: std::ops::Range<usize>) {
    for number in numbers {
        signer.add(&payload(number), &statement(), record(number)).unwrap();
    }
}

fn envelopes(batch: Batch<'_>) -> Vec<Vec<u8>> {
    batch.iter().map(<[u8]>::to_vec).collect()
}

fn batch_of(key: SigningKey, size: usize) -> Vec<Vec<u8>> {
    let mut signer = BatchSigner::new(Arc::new(key));
    fill(&mut signer, 0..size);
    envelopes(signer.finish_batch().unwrap())
}

type Verdict = Result<(Vec<u8>, String), &'static str>;

/// Three signers.
static TRUST: LazyLock<Arc<KnownSigners>> = LazyLock::new(|| Arc::new(signers(&[1, 2, 3])));

fn verifier() -> EnvelopeVerifier {
    EnvelopeVerifier::new(Arc::new(Expectations::new()), TRUST.clone())
}

/// The verdict of a verifier that may remember something.
fn judge(envelope: &[u8], verifier: &mut EnvelopeVerifier) -> Verdict {
    let verified = verifier.verify(envelope, now()).map_err(|error| error.reason())?;
    Ok((verified.in_memory().unwrap().to_vec(), verified.signer().name().to_owned()))
}

/// The verdict of the front door, which remembers nothing.
fn judge_alone(envelope: &[u8]) -> Verdict {
    let opening = open(envelope);
    let verified = opening
        .and_then(|opening| opening.verify(&Expectations::new(), &*TRUST, &now()))
        .map_err(|error: Error| error.reason())?;
    let name = verified.signer().name().to_owned();
    Ok((verified.into_bytes().unwrap(), name))
}

#[test]
fn every_record_of_every_size_verifies_alone() {
    for size in (1..=20).chain([31, 32, 33, 64, 100]) {
        let mut seasoned = verifier();
        let envelopes = batch_of(key(1), size);
        assert_eq!(envelopes.len(), size);
        for (number, envelope) in envelopes.iter().enumerate() {
            let expected = Ok((payload(number), "signer 1".to_owned()));
            assert_eq!(judge_alone(envelope), expected, "{number} of {size}");
            assert_eq!(judge(envelope, &mut seasoned), expected, "{number} of {size}");
        }
    }
}

#[test]
fn a_record_names_its_place_and_its_algorithm() {
    let envelopes = batch_of(key(1), 5);
    for (number, (envelope, nodes)) in envelopes.iter().zip([3, 3, 3, 3, 1]).enumerate() {
        let parsed = UnverifiedEnvelope::parse(envelope, Default::default()).unwrap();
        assert_eq!(parsed.header().algorithm, Algorithm::Batch);
        let Signature::Batch(proof) = parsed.signature() else { panic!("no proof") };
        let place = (proof.tree_size(), usize::try_from(proof.leaf_index()).unwrap());
        assert_eq!((place, proof.path_length()), ((5, number), nodes));
    }
}

#[test]
fn a_batch_of_one_is_a_plain_envelope() {
    let key = Arc::new(key(1));
    let mut signer = BatchSigner::new(key.clone());
    let alone = |statement: &Statement| {
        sign(&statement.clone().unique(record(4)), key.as_ref(), b"payload").unwrap().to_bytes()
    };
    for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519] {
        let statement = statement().algorithm(algorithm).external_aad(b"aad");
        signer.add(b"payload", &statement, record(4)).unwrap();
        assert_eq!(envelopes(signer.finish_batch().unwrap()), [alone(&statement)]);
    }
    // What no envelope that is signed alone can have becomes the default.
    let batched = statement().algorithm(Algorithm::Batch);
    signer.add(b"payload", &batched, record(4)).unwrap();
    let expected = alone(&statement());
    let batch = signer.finish_batch().unwrap();
    assert_eq!(envelopes(batch), std::slice::from_ref(&expected));
    assert_eq!(alone(&batched), expected);
}

#[test]
fn batches_of_one_signer_have_nothing_in_common() {
    let key = Arc::new(key(1));
    let mut signer = BatchSigner::new(key.clone());
    for range in [0..7, 7..8, 8..8, 8..30, 30..32] {
        fill(&mut signer, range.clone());
        assert_eq!(signer.len(), range.len());
        let mut fresh = BatchSigner::new(key.clone());
        fill(&mut fresh, range.clone());
        let batch = signer.finish_batch().unwrap();
        assert_eq!((batch.len(), batch.is_empty()), (range.len(), range.is_empty()));
        assert_eq!(batch.bytes(), envelopes(batch).concat());
        assert_eq!(envelopes(batch), envelopes(fresh.finish_batch().unwrap()), "{range:?}");
        assert!(signer.is_empty());
    }
}

#[test]
fn a_record_without_claims_is_not_signed_in_a_batch() {
    let mut signer = BatchSigner::new(Arc::new(key(1)));
    let refused = signer.add(b"guess me", &Statement::plain(), record(0)).unwrap_err();
    assert_eq!(refused.reason(), "batch-plain");
    assert!(signer.is_empty());
}

#[test]
fn a_batch_that_is_full_takes_no_more() {
    let mut signer = BatchSigner::new(Arc::new(key(1)));
    for number in 0..MAX_BATCH_RECORDS {
        assert!(!signer.is_full());
        // The smallest records there are, so that it is their number that fills the batch.
        if signer.add(b"", &statement(), record(number)).is_err() {
            panic!("record {number} is refused");
        }
        if signer.is_full() {
            break;
        }
    }
    let records = signer.len();
    assert_eq!(signer.add(b"", &statement(), record(0)).unwrap_err().reason(), "batch-full");
    assert_eq!(signer.finish_batch().unwrap().len(), records);
    signer.add(&vec![0; MAX_BATCH_BYTES - 1], &statement(), record(0)).unwrap();
    assert_eq!(signer.add(b"", &statement(), record(1)).unwrap_err().reason(), "batch-full");
    assert_eq!(signer.finish_batch().unwrap().len(), 1);
}

/// All but tree size and leaf index is signed, is the signature, or has one form.
#[test]
fn every_mutation_is_refused_with_a_memory_and_without() {
    let size = 6;
    let originals = batch_of(key(1), size);
    let (mut seasoned, mut forgetful) = (verifier(), verifier().memory(Memory::new(0, 0)));
    for envelope in &originals {
        judge(envelope, &mut seasoned).unwrap();
    }
    for (number, original) in originals.iter().enumerate() {
        let mut moved = BTreeSet::new();
        for (name, altered) in mutations(original) {
            if altered == *original {
                continue;
            }
            let verdict = judge(&altered, &mut forgetful);
            assert_eq!(verdict, judge(&altered, &mut seasoned), "{name}");
            assert_eq!(verdict, judge_alone(&altered), "{name}");
            if let Ok((released, _)) = verdict {
                assert_eq!(released, payload(number), "{name}");
                moved.insert(altered);
            }
        }
        let places: BTreeSet<_> = moved.iter().map(|altered| place(altered)).collect();
        assert!(!places.contains(&place(original)), "something but the place was altered");
        assert_eq!(places.len(), moved.len(), "something beside the place was altered");
    }
}

/// Size and index of a proof.
fn place(envelope: &[u8]) -> (u64, u64) {
    let parsed = UnverifiedEnvelope::parse(envelope, Default::default()).unwrap();
    let Signature::Batch(proof) = parsed.signature() else { panic!("no proof") };
    (proof.tree_size(), proof.leaf_index())
}

/// What is done to a record before it is judged.
#[derive(Clone, Debug)]
enum Deed {
    /// Nothing.
    Keep,
    /// A bit is flipped, counted from the end, where the proof is.
    Flip(usize),
    /// It gets the signature field of another record.
    ProofOf(usize),
    /// A 32-byte run near the end, where a node can be, is that of another record's.
    NodeOf(usize, usize),
    /// The whole is cut in the proof.
    Cut(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => Just(Deed::Keep),
        3 => (0..3000_usize).prop_map(Deed::Flip),
        2 => any::<usize>().prop_map(Deed::ProofOf),
        2 => (any::<usize>(), 0..6_usize).prop_map(|(other, node)| Deed::NodeOf(other, node)),
        1 => (1..200_usize).prop_map(Deed::Cut),
    ]
}

fn done(deed: &Deed, original: &[u8], all: &[Vec<u8>]) -> Vec<u8> {
    let field = |envelope: &[u8]| -> usize {
        // The signature comes last, after the payload, which begins with these letters.
        let found = envelope.windows(7).rposition(|letters| letters == b"record ").unwrap();
        let head = envelope[found - 1] & 0x1f;
        found + usize::from(head)
    };
    let mut bytes = original.to_vec();
    match deed {
        Deed::Keep => {}
        Deed::Flip(bit) => {
            let bit = bit % (bytes.len() * 8);
            let at = bytes.len() - 1 - bit / 8;
            bytes[at] ^= 1 << (bit % 8);
        }
        Deed::ProofOf(other) => {
            let other = &all[other % all.len()];
            bytes.truncate(field(original));
            bytes.extend(&other[field(other)..]);
        }
        Deed::NodeOf(other, node) => {
            let other = &all[other % all.len()];
            let from_end = 66 + 34 * node + 32;
            if bytes.len() > field(&bytes) + from_end && other.len() > field(other) + from_end {
                let (at, from) = (bytes.len() - from_end, other.len() - from_end);
                bytes[at..at + 32].copy_from_slice(&other[from..from + 32]);
            }
        }
        Deed::Cut(count) => bytes.truncate(bytes.len() - count.min(&original.len())),
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_memory_of_any_size_changes_no_verdict(
        sizes in vec((1..4_u8, 1..24_usize), 1..7),
        roots in 0..9_usize,
        walks in 0..9_usize,
        deeds in vec((any::<usize>(), 0..3_usize, deed()), 1..120),
    ) {
        let batches = sizes.iter().map(|&(byte, size)| batch_of(key(byte), size));
        let batches: Vec<_> = batches.collect();
        let all = batches.concat();
        let mut seasoned = verifier().memory(Memory::new(roots, walks));
        let mut last = 0;
        for (at, ahead, deed) in deeds {
            // Often a near neighbour of the one before, as in a queue; else any.
            last = if ahead > 0 { last + ahead } else { at } % all.len();
            let envelope = done(&deed, &all[last], &all);
            let without = judge_alone(&envelope);
            if matches!(deed, Deed::Keep) {
                prop_assert!(without.is_ok(), "{without:?}");
            }
            prop_assert_eq!(judge(&envelope, &mut seasoned), without);
        }
    }
}
