//! Judges those of `fixtures/vectors` that are taken, or judged by what was taken: one file a rule.

#![expect(clippy::unwrap_used, reason = "a test ends where its vectors are not in their form")]

use std::collections::BTreeSet;
use std::sync::Arc;

use brine_core::{Classified, Expectations, open};
use brine_testkit::{Vector, all_vectors};
use brine_trust::{KeptStatements, Said, StatementError, TimeZone, Trust, UnverifiedStatement};

/// Returns whom the trust file of a vector trusts.
fn trust(vector: &Vector) -> Trust {
    Trust::parse(&vector.bytes("trust").unwrap(), &|| TimeZone::UTC).unwrap()
}

fn kept(vector: &Vector) -> Result<KeptStatements, StatementError> {
    KeptStatements::parse(&vector.bytes("statements").unwrap_or_default())
}

/// Takes a statement, as `brinekey trust update` does if a person agrees to every rotation.
fn take(vector: &Vector) -> Result<(), StatementError> {
    let mut kept = kept(vector)?;
    let trust = trust(vector).with_statements(&kept)?;
    let statement = UnverifiedStatement::parse(vector.envelope.clone())?;
    let verified = trust.judge_statement(statement, vector.now())?;
    kept.take(verified.clone(), &trust, vector.now())?;
    // What is kept is read again as it was, and judged by again.
    let again = KeptStatements::parse(&kept.to_bytes())?;
    let trust = trust.with_statements(&again)?;
    match verified.statement().said() {
        Said::Revocation(list) => {
            let named = list.keys().iter().filter_map(brine_trust::RevokedKey::key);
            let named = named.filter(|key| trust.entries_of(key.id()).next().is_some());
            for key in named {
                assert!(trust.revocation_of(&key, vector.now()).is_some(), "{}", vector.name);
            }
        }
        Said::Rotation(rotation) => {
            assert!(again.has_followed(rotation), "{}", vector.name);
            let successors = trust.successors(rotation, vector.now());
            let count = successors.entries.len() + successors.authorities.len();
            assert!(count > 0 && !successors.are_in(&trust), "{}", vector.name);
        }
    }
    Ok(())
}

/// Verifies an envelope by what was taken.
fn verify(vector: &Vector) -> Result<Vec<u8>, Box<dyn Classified>> {
    let boxed = |error: StatementError| -> Box<dyn Classified> { Box::new(error) };
    let trust = trust(vector).with_statements(&kept(vector).map_err(boxed)?).map_err(boxed)?;
    let expectations =
        vector.option("signer").into_iter().fold(vector.expectations(), Expectations::signer);
    let verified = open(vector.envelope.as_slice())
        .and_then(|opening| opening.verify(&expectations, &Arc::new(trust), &vector.now()));
    let payload = verified.and_then(brine_core::Verified::into_bytes);
    payload.map_err(|error| -> Box<dyn Classified> { Box::new(error) })
}

#[test]
fn every_statement_is_taken_or_refused_for_its_reason() {
    let vectors: Vec<_> = all_vectors().into_iter().filter(Vector::is_taken).collect();
    for vector in &vectors {
        vector.judge(b"", take(vector).map_or_else(|error| error.reason(), |()| "ok"));
    }
    assert!(vectors.len() >= 77, "{}", vectors.len());
}

#[test]
fn envelopes_are_judged_by_the_statements_that_were_taken() {
    let is_judged = |vector: &Vector| !vector.is_taken() && vector.option("statements").is_some();
    let vectors: Vec<_> = all_vectors().into_iter().filter(is_judged).collect();
    for vector in &vectors {
        match verify(vector) {
            Ok(payload) => vector.judge(&payload, "ok"),
            Err(error) => vector.judge(b"", error.reason()),
        }
    }
    assert!(vectors.len() >= 30, "{}", vectors.len());
}

/// Nothing of a statement can be changed, and nothing cut off or added: it is malformed then, its signature does not verify, or
/// nobody is known who could have signed it.
#[test]
fn a_statement_is_refused_whatever_is_changed_in_it() {
    let reason = |vector: &Vector, envelope: Vec<u8>| {
        let mut other = vector.clone();
        other.envelope = envelope;
        take(&other).map_or_else(|error| error.reason(), |()| "ok")
    };
    for name in ["statement-list-ok-said", "statement-rotation-ok"] {
        let vectors = all_vectors();
        let vector = vectors.iter().find(|vector| vector.name == format!("{name}.vector")).unwrap();
        assert_eq!(reason(vector, vector.envelope.clone()), "ok");
        let mut reasons = BTreeSet::new();
        for place in 0..vector.envelope.len() {
            for bit in 0..8 {
                let mut changed = vector.envelope.clone();
                *changed.get_mut(place).unwrap() ^= 1 << bit;
                let found = reason(vector, changed);
                assert_ne!(found, "ok", "{name}: bit {bit} of byte {place}");
                reasons.insert(found);
            }
            let cut = vector.envelope.get(..place).unwrap().to_vec();
            let found = reason(vector, cut);
            let has_tag = place >= if name.contains("rotation") { 2 } else { 1 };
            let expected = if has_tag { "cut-short" } else { "not-an-envelope" };
            assert_eq!(found, expected, "{name}: {place}");
        }
        // Of what was signed, nearly every bit matters to the signature alone.
        assert!(reasons.contains("signature-bad"), "{reasons:?}");
        assert!(reasons.contains("unexpected-type"), "{reasons:?}");
        let longer = [vector.envelope.as_slice(), b"\0"].concat();
        assert_eq!(reason(vector, longer), "trailing-bytes");
    }
}
