//! Runs `fixtures/vectors` through the library: one file a rule.
//!
//! Those of jobs are judged by the crate brine-job, which knows what a job is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brine_core::{
    Classified as _, EnvelopeVerifier, Expectations, Input, KnownSigners, Result, Signer, armor,
    open,
};
use brine_testkit::{Arrival, Arriving, Vector, project_text, vectors, verifying_key};

use crate::common::{Outcome, length_of, release};

fn enveloped() -> impl Iterator<Item = Vector> {
    let is_enveloped = |vector: &Vector| !vector.is_job() && vector.result_of().is_none();
    vectors().into_iter().filter(is_enveloped)
}

/// What the library releases, and how it ends.
fn through_library(vector: &Vector, input: Input, threads: usize) -> Outcome {
    let (expectations, trust, now) = (vector.expectations(), vector.trust(), vector.now());
    let opening = open(input).map(|opening| opening.threads(threads));
    let Some(content) = vector.bytes("detached") else {
        return release(opening, &expectations, &trust, &now);
    };
    let content = &mut content.as_slice();
    let length = length_of(content);
    let verified =
        opening.and_then(|opening| opening.verify_beside(content, &expectations, &trust, &now));
    let empty = verified.and_then(|verified| {
        assert_eq!(verified.payload_bytes(), length, "{}", vector.name);
        verified.into_bytes()
    });
    match empty {
        Ok(released) => (released, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    }
}

fn is_stream(vector: &Vector) -> bool {
    open(vector.envelope.as_slice()).is_ok_and(|opening| opening.is_stream())
}

fn reason_of<T>(outcome: &Result<T>) -> &'static str {
    outcome.as_ref().map_or_else(|error| error.reason(), |_| "ok")
}

#[test]
fn the_library_judges_every_vector() {
    let mut judged = 0;
    for vector in enveloped() {
        for arrival in
            [Arrival::Whole, Arrival::AtOnce(1), Arrival::AtOnce(100), Arrival::Reluctant]
        {
            for threads in [1, 2, 3] {
                let input = Input::new(Arriving::new(vector.envelope.clone(), arrival));
                let (released, outcome) = through_library(&vector, input, threads);
                vector.judge(&released, reason_of(&outcome));
            }
        }
        let (released, outcome) = through_library(&vector, vector.envelope.as_slice().into(), 1);
        vector.judge(&released, reason_of(&outcome));
        judged += 1;
    }
    assert!(judged >= 332, "{judged} vectors");
}

/// Armor changes no verdict: text is decoded whole, also before a stream is recognised.
#[test]
fn an_armored_vector_is_judged_as_a_single_envelope() {
    let armored = |vector: &Vector| armor::is_armored(&vector.envelope);
    for vector in enveloped().filter(|vector| !armored(vector) && !vector.envelope.is_empty()) {
        let Ok(text) = armor::encode(&vector.envelope) else { continue };
        let input = Input::new(Arriving::new(text, Arrival::AtOnce(7)));
        let (released, outcome) = through_library(&vector, input, 2);
        if is_stream(&vector) {
            assert!(released.is_empty(), "{}: a stream in armor is released", vector.name);
            assert_ne!(reason_of(&outcome), "ok", "{}", vector.name);
        } else {
            vector.judge(&released, reason_of(&outcome));
        }
    }
}

type Seasoned = BTreeMap<String, EnvelopeVerifier>;

/// The verdict of a verifier that has seen many envelopes, beside that of a fresh one.
fn with_a_memory(vector: &Vector, trust: KnownSigners, seasoned: &mut Seasoned) -> [Verdict; 2] {
    let expectations = vector.expectations();
    let group = format!("{expectations:?}");
    let trust = Arc::new(trust);
    let make = || EnvelopeVerifier::new(Arc::new(expectations.clone()), trust.clone());
    let judge = |verifier: &mut EnvelopeVerifier| {
        let verified = verifier.verify(&vector.envelope, vector.now());
        let verified = verified.map(|verified| {
            let payload = verified.in_memory().unwrap().to_vec();
            assert_eq!(verified.payload_bytes(), length_of(&payload));
            (payload, verified.signer().name().to_owned(), verified.header().clone())
        });
        verified.map_err(|error| error.reason())
    };
    [judge(&mut make()), judge(seasoned.entry(group).or_insert_with(make))]
}

type Verdict = Result<(Vec<u8>, String, brine_core::SignedHeader), &'static str>;

/// One verifier for all vectors that ask for the same, that has seen each before.
#[test]
fn a_memory_changes_no_verdict() {
    let vectors = vectors();
    // Everybody whom any vector trusts, so that one verifier can serve many.
    let lines: BTreeSet<_> = vectors.iter().flat_map(|vector| &vector.keys).collect();
    let signer = |line: &String| Signer::new(line, verifying_key(line));
    let everybody = KnownSigners::new(lines.into_iter().map(signer));
    let (mut own, mut shared) = (BTreeMap::new(), Seasoned::new());
    let (mut verified, mut compared) = (0, 0);
    for vector in vectors.iter().chain(&vectors) {
        let own = own.entry(vector.keys.clone()).or_insert_with(Seasoned::new);
        let [without, with] = with_a_memory(vector, vector.trust(), own);
        assert_eq!(without, with, "{}", vector.name);
        verified += usize::from(with.is_ok());
        let [without, with] = with_a_memory(vector, everybody.clone(), &mut shared);
        assert_eq!(without, with, "{}", vector.name);
        compared += 1;
    }
    assert!(verified >= 2 * 45 && compared == 2 * vectors.len(), "{verified} verified");
    assert!(shared.len() < 30, "{} verifiers for what few could do", shared.len());
}

/// A verifier of many envelopes says what the front door says of each.
#[test]
fn many_envelopes_are_judged_as_each_alone() {
    let mut compared = 0;
    for vector in enveloped() {
        let is_single = vector.bytes("detached").is_none() && !is_stream(&vector);
        if !is_single || armor::is_armored(&vector.envelope) {
            continue;
        }
        let [alone, _] = with_a_memory(&vector, vector.trust(), &mut Seasoned::new());
        let (released, outcome) = through_library(&vector, vector.envelope.as_slice().into(), 1);
        let expected = outcome.map(|()| released).map_err(|error| error.reason());
        assert_eq!(alone.map(|(payload, ..)| payload), expected, "{}", vector.name);
        compared += 1;
    }
    assert!(compared >= 240, "{compared} compared");
}

/// Where two signers have the same key, the first answers.
#[test]
fn a_verified_vector_names_its_signer_and_its_moment() {
    let mut named = 0;
    for vector in enveloped().filter(|vector| vector.expect == "ok") {
        if vector.bytes("detached").is_some() {
            continue;
        }
        let opening = open(vector.envelope.as_slice()).unwrap();
        let verified = opening.verify(&vector.expectations(), &vector.trust(), &vector.now());
        let verified = verified.unwrap();
        assert!(vector.keys.iter().any(|line| line == verified.signer().name()), "{}", vector.name);
        assert_eq!(verified.judged_at(), vector.now());
        let asked = vector.expectations().signer(verified.signer().name());
        let trust = KnownSigners::new([Signer::new("other", verified.signer().key().clone())]);
        let opening = open(vector.envelope.as_slice()).unwrap();
        let error = opening.verify(&asked, &trust, &vector.now()).unwrap_err();
        assert_eq!(error.reason(), "wrong-signer", "{}", vector.name);
        let opening = open(vector.envelope.as_slice()).unwrap();
        let nobody = opening.verify(&Expectations::new(), &KnownSigners::default(), &vector.now());
        assert_ne!(reason_of(&nobody), "ok", "{}", vector.name);
        named += 1;
    }
    assert!(named >= 40, "{named} named");
}

/// Each rule of SPEC.md has a vector, and each vector's reason is a rule of SPEC.md.
#[test]
fn spec_and_vectors_name_the_same_reasons() {
    let spec = project_text("SPEC.md");
    for vector in vectors() {
        let named = spec.contains(&format!("`{}`", vector.expect)) || vector.expect == "ok";
        assert!(named, "SPEC.md does not name {}", vector.expect);
    }
}
