//! Judges those of `fixtures/vectors` that are taken, or judged by what was taken: one file a rule.

#![expect(clippy::unwrap_used, reason = "a test ends where its vectors are not in their form")]

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
    kept.take(verified.clone())?;
    // What is kept is read again as it was, and judged by again.
    let again = KeptStatements::parse(&kept.to_bytes())?;
    let trust = trust.with_statements(&again)?;
    match verified.statement().said() {
        Said::Revocation(list) => {
            for key in list.keys().iter().filter_map(brine_trust::RevokedKey::key) {
                let is_named = trust.entries().iter().any(|entry| *entry.key() == key);
                let is_refused = trust.revocation_of(&key, vector.now()).is_some();
                assert!(is_refused || !is_named, "{}", vector.name);
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

/// Nothing of a statement can be changed, and nothing cut off or added.
#[test]
fn a_statement_is_refused_whatever_is_changed_in_it() {
    for name in ["statement-list-ok-said", "statement-rotation-ok"] {
        let vectors = all_vectors();
        let vector = vectors.iter().find(|vector| vector.name == format!("{name}.vector")).unwrap();
        assert!(take(vector).is_ok());
        let with = |envelope| {
            let mut other = vector.clone();
            other.envelope = envelope;
            other
        };
        for place in 0..vector.envelope.len() {
            for bit in 0..8 {
                let mut changed = vector.envelope.clone();
                changed[place] ^= 1 << bit;
                assert!(take(&with(changed)).is_err(), "{name}: bit {bit} of byte {place}");
            }
            assert!(take(&with(vector.envelope[..place].to_vec())).is_err(), "{name}: {place}");
        }
        let longer = [vector.envelope.as_slice(), b"\0"].concat();
        assert_eq!(take(&with(longer)).unwrap_err().reason(), "trailing-bytes");
    }
}
