//! Every bit flipped, every byte dropped, doubled or added: all refused.

use std::collections::BTreeSet;

use brine_core::{Class, Classified as _, Error, Expectations, Statement, open, sign};
use brine_testkit::{full_envelope, key, mutations, now, signers, statement};

use crate::common::release;

/// Judges an envelope as `brine verify` does, and returns its payload.
fn judge(envelope: &[u8], expectations: &Expectations) -> Result<Vec<u8>, Error> {
    let (released, outcome) = release(open(envelope), expectations, &signers(&[1]), &now());
    assert!(outcome.is_ok() || released.is_empty());
    outcome.map(|()| released)
}

/// Judges every mutation, and returns the reasons for refusing.
#[track_caller]
fn all_refused(original: &[u8], expectations: &Expectations) -> BTreeSet<&'static str> {
    let mut judged = 0;
    let mut reasons = BTreeSet::new();
    for (name, altered) in mutations(original).filter(|(_, altered)| *altered != original) {
        let Err(error) = judge(&altered, expectations) else { panic!("{name} is accepted") };
        assert_ne!(error.class(), Class::System, "{name}: {error}");
        reasons.insert(error.reason());
        judged += 1;
    }
    assert!(judged > original.len() * 17, "{judged} mutations of {} bytes", original.len());
    reasons
}

#[test]
fn every_mutation_is_refused_by_the_library() {
    let original = full_envelope();
    let expectations = Expectations::new().context("orders");
    assert_eq!(judge(&original, &expectations).unwrap(), b"{\"amount\": 1000}");
    let reasons = all_refused(&original, &expectations);
    let some = [
        "algorithm-missing",
        "algorithm-unsupported",
        "claim-range",
        "cut-short",
        "duplicate-label",
        "not-an-envelope",
        "sequence-version",
        "signature-bad",
        "trailing-bytes",
        "unknown-signer",
    ];
    assert!(some.iter().all(|reason| reasons.contains(reason)), "{reasons:?}");
}

#[test]
fn every_mutation_of_a_plain_envelope_is_refused() {
    let original = sign(&Statement::plain(), &key(1), b"hello").unwrap().to_bytes();
    let expectations = Expectations::new().untyped();
    assert_eq!(judge(&original, &expectations).unwrap(), b"hello");
    all_refused(&original, &expectations);
}

/// Of a detached signature, and of a hash envelope, every mutation of either side.
#[test]
fn every_mutation_beside_its_content_is_refused() {
    let content = b"content beside its signature".as_slice();
    let hash = brine_core::hash::HashAlgorithm::Blake3;
    let digest = hash.digest(content);
    let detached = sign(&statement(), &key(1), content).unwrap().detached();
    let hashed = brine_core::Content::Digest(hash, &digest);
    let hashed = sign(&statement(), &key(1), hashed).unwrap().to_bytes();
    for original in [detached, hashed] {
        let judge = |envelope: &[u8], mut content: &[u8]| {
            let opening = open(envelope)?;
            opening.verify_beside(&mut content, &Expectations::new(), &signers(&[1]), &now())
        };
        assert_eq!(judge(&original, content).unwrap().payload_bytes(), 28);
        for (name, altered) in mutations(&original).filter(|(_, altered)| *altered != original) {
            let Err(error) = judge(&altered, content) else { panic!("{name} is accepted") };
            assert_ne!(error.class(), Class::System, "{name}: {error}");
        }
        for (name, altered) in mutations(content).filter(|(_, altered)| *altered != content) {
            let Err(error) = judge(&original, &altered) else { panic!("{name} is accepted") };
            assert!(["digest-mismatch", "signature-bad"].contains(&error.reason()), "{name}");
        }
    }
}
