//! Records that are signed together verify alone, and a memory changes nothing but the time it takes.

use std::collections::BTreeSet;

use brine::batch::{Batch, BatchSigner, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Memory};
use brine::cose::Signature;
use brine::{
    Algorithm, Error, Request, Sign1, Signer, SigningKey, Statement, Template, Trust, sign, verify,
    verify_with,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::{key, now, template};

/// A template with a name of its own for each record.
fn record(number: usize) -> Template<'static> {
    let Statement::Full { issued_at, .. } = template().statement else { unreachable!() };
    let mut cti = [9; 16];
    cti[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    let statement =
        Statement::Full { context: None, cti, expires: None, issued_at, not_before: None };
    Template { statement, ..Template::default() }
}

fn payload(number: usize) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

fn fill(signer: &mut BatchSigner<'_>, numbers: std::ops::Range<usize>) {
    for number in numbers {
        signer.add(&payload(number), &record(number)).unwrap();
    }
}

fn envelopes(batch: Batch<'_>) -> Vec<Vec<u8>> {
    batch.iter().map(<[u8]>::to_vec).collect()
}

fn batch_of(key: &SigningKey, size: usize) -> Vec<Vec<u8>> {
    let mut signer = BatchSigner::new(key);
    fill(&mut signer, 0..size);
    envelopes(signer.finish_batch())
}

fn trust() -> Trust {
    let signer = |byte| Signer::new(format!("signer {byte}"), key(byte).verifying_key().clone());
    Trust::new(vec![signer(1), signer(2), signer(3)])
}

type Verdict = Result<(Vec<u8>, String), &'static str>;

/// The verdict with this memory, or without any.
fn judge(envelope: &[u8], trust: &Trust, memory: Option<&mut Memory>) -> Verdict {
    let request = Request::at(now());
    let judged = Sign1::parse(envelope, Default::default()).and_then(|sign1| {
        let verified = match memory {
            None => verify(&sign1, &request, trust)?,
            Some(memory) => verify_with(&sign1, &request, trust, memory)?,
        };
        Ok((verified.payload().to_vec(), verified.signer().name.clone()))
    });
    judged.map_err(|error: Error| error.reason())
}

#[test]
fn every_record_of_every_size_verifies_alone() {
    let trust = trust();
    let key = key(1);
    for size in (1..=20).chain([31, 32, 33, 64, 100]) {
        let mut memory = Memory::default();
        let envelopes = batch_of(&key, size);
        assert_eq!(envelopes.len(), size);
        for (number, envelope) in envelopes.iter().enumerate() {
            let expected = Ok((payload(number), "signer 1".to_owned()));
            assert_eq!(judge(envelope, &trust, None), expected, "{number} of {size}");
            assert_eq!(judge(envelope, &trust, Some(&mut memory)), expected, "{number} of {size}");
        }
    }
}

#[test]
fn a_record_names_its_place_and_its_algorithm() {
    let envelopes = batch_of(&key(1), 5);
    for (number, (envelope, nodes)) in envelopes.iter().zip([3, 3, 3, 3, 1]).enumerate() {
        let sign1 = Sign1::parse(envelope, Default::default()).unwrap();
        assert_eq!(sign1.header().algorithm, Algorithm::Batch);
        let Signature::Batch(proof) = sign1.signature() else { panic!("no proof") };
        let place = (proof.tree_size(), usize::try_from(proof.leaf_index()).unwrap());
        assert_eq!((place, proof.path_length()), ((5, number), nodes));
    }
}

#[test]
fn a_batch_of_one_is_a_plain_envelope() {
    let key = key(1);
    let mut signer = BatchSigner::new(&key);
    for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519] {
        let template = Template { algorithm, external_aad: b"aad", ..record(4) };
        signer.add(b"payload", &template).unwrap();
        let alone = sign(&key, b"payload", &template).to_bytes();
        assert_eq!(envelopes(signer.finish_batch()), [alone]);
    }
    // What no envelope that is signed alone can have becomes the default.
    let template = Template { algorithm: Algorithm::Batch, ..record(4) };
    signer.add(b"payload", &template).unwrap();
    let expected = sign(&key, b"payload", &record(4)).to_bytes();
    assert_eq!(envelopes(signer.finish_batch()), std::slice::from_ref(&expected));
    assert_eq!(sign(&key, b"payload", &template).to_bytes(), expected);
}

#[test]
fn batches_of_one_signer_have_nothing_in_common() {
    let key = key(1);
    let mut signer = BatchSigner::new(&key);
    for range in [0..7, 7..8, 8..8, 8..30, 30..32] {
        fill(&mut signer, range.clone());
        assert_eq!(signer.len(), range.len());
        let mut fresh = BatchSigner::new(&key);
        fill(&mut fresh, range.clone());
        let batch = signer.finish_batch();
        assert_eq!((batch.len(), batch.is_empty()), (range.len(), range.is_empty()));
        assert_eq!(batch.bytes(), envelopes(batch).concat());
        assert_eq!(envelopes(batch), envelopes(fresh.finish_batch()), "{range:?}");
        assert!(signer.is_empty());
    }
}

#[test]
fn a_record_without_claims_is_not_signed_in_a_batch() {
    let key = key(1);
    let mut signer = BatchSigner::new(&key);
    let refused = signer.add(b"guess me", &Template::default()).unwrap_err();
    assert_eq!(refused.reason(), "batch-plain");
    assert!(signer.is_empty());
}

#[test]
fn a_batch_that_is_full_takes_no_more() {
    let key = key(1);
    let mut signer = BatchSigner::new(&key);
    for number in 0..MAX_BATCH_RECORDS {
        assert!(!signer.is_full());
        // The smallest records there are, so that it is their number that fills the batch.
        if signer.add(b"", &record(number)).is_err() {
            panic!("record {number} is refused");
        }
        if signer.is_full() {
            break;
        }
    }
    let records = signer.len();
    assert_eq!(signer.add(b"", &record(0)).unwrap_err().reason(), "batch-full");
    assert_eq!(signer.finish_batch().len(), records);
    signer.add(&vec![0; MAX_BATCH_BYTES - 1], &record(0)).unwrap();
    assert_eq!(signer.add(b"", &record(1)).unwrap_err().reason(), "batch-full");
    assert_eq!(signer.finish_batch().len(), 1);
}

/// All but tree size and leaf index is signed, is the signature, or has one form.
#[test]
fn every_mutation_is_refused_with_a_memory_and_without() {
    let trust = trust();
    let size = 6;
    let originals = batch_of(&key(1), size);
    let mut memory = Memory::default();
    for envelope in &originals {
        judge(envelope, &trust, Some(&mut memory)).unwrap();
    }
    for (number, original) in originals.iter().enumerate() {
        let mut moved = BTreeSet::new();
        for (name, altered) in crate::mutation::mutations(original) {
            if altered == *original {
                continue;
            }
            let verdict = judge(&altered, &trust, None);
            assert_eq!(verdict, judge(&altered, &trust, Some(&mut memory)), "{name}");
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
    let sign1 = Sign1::parse(envelope, Default::default()).unwrap();
    let Signature::Batch(proof) = sign1.signature() else { panic!("no proof") };
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
        let trust = trust();
        let batches = sizes.iter().map(|&(byte, size)| batch_of(&key(byte), size));
        let batches: Vec<_> = batches.collect();
        let all = batches.concat();
        let mut memory = Memory::new(roots, walks);
        let mut last = 0;
        for (at, ahead, deed) in deeds {
            // Often a near neighbour of the one before, as in a queue; else any.
            last = if ahead > 0 { last + ahead } else { at } % all.len();
            let envelope = done(&deed, &all[last], &all);
            let without = judge(&envelope, &trust, None);
            if matches!(deed, Deed::Keep) {
                prop_assert!(without.is_ok(), "{without:?}");
            }
            prop_assert_eq!(judge(&envelope, &trust, Some(&mut memory)), without);
        }
    }
}
