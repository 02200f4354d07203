//! What SPEC.md says of its example job is true.

use std::time::Duration;

use brine_core::{Expectations, Kind, KnownSigners, Signer, Statement, Timestamp, open, sign};
use brine_job::Grants;
use brine_testkit::{annotated, assert_spec_examples, known_key, now, spec_example, unique};

/// What the job requests, in the order in which it is shown.
const REQUESTED: [&str; 5] = ["run=python3", "arg=-I", "arg=-", "read=data/in", "wall=5s"];

fn example_job() -> Vec<u8> {
    let issued_at = Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap();
    let statement = Statement::at(issued_at).context("greetings").unique(unique(7));
    let grants = Grants::collect(REQUESTED.map(|grant| grant.parse().unwrap())).unwrap();
    sign(&grants.statement(statement), &known_key(), b"print(1)").unwrap().to_bytes()
}

#[test]
fn the_example_job_of_the_spec_is_what_brine_writes() {
    let fields = [
        (4, "tag 18, array of 4, protected header: byte string of 169"),
        (1, "map of 6"),
        (2, "1 (alg): -8 (EdDSA)"),
        (8, "2 (crit): [16, -70005]"),
        (35, "4 (kid): key id"),
        (37, "15 (CWT Claims): aud, iat and cti as above"),
        (33, "16 (typ): \"application/vnd.brine.job+cose\""),
        (5, "-70005 (grants)"),
        (1, "map of 5"),
        (3, "\"v\": 1"),
        (10, "\"arg\": [\"-I\", \"-\"]"),
        (12, "\"run\": \"python3\""),
        (14, "\"read\": [\"data/in\"]"),
        (8, "\"wall\": 5000"),
        (1, "unprotected header: empty map"),
        (9, "payload: \"print(1)\""),
        (66, "signature: 64 bytes"),
    ];
    assert_spec_examples(&[("job", annotated(&example_job(), &fields))]);
}

#[test]
fn the_example_job_of_the_spec_verifies_and_asks_for_what_it_says() {
    let trust = KnownSigners::new([Signer::new("k", known_key().verifying_key().clone())]);
    let later = now().plus(Duration::from_secs(100 * 86_400));
    let expectations = Expectations::new().kind(Kind::Job).context("greetings");
    let opening = open(spec_example("job")).unwrap();
    let verified = opening.verify(&expectations, &trust, &later).unwrap();
    let grants = Grants::of(&verified).unwrap();
    assert_eq!(verified.into_bytes().unwrap(), b"print(1)");
    assert_eq!(grants.iter().map(|grant| grant.to_string()).collect::<Vec<_>>(), REQUESTED);
}
