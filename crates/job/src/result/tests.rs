use brine_core::{
    Classified as _, Expectations, KnownSigners, Signer, SigningKey, Timestamp, open, sign,
};

use super::*;

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).unwrap()
}

fn key() -> SigningKey {
    brine_testkit::key(7)
}

fn ok() -> JobResult {
    JobResult {
        job: JobId([1; 32]),
        cti: Some(vec![2; 16]),
        plan: Some([3; 32]),
        outcome: "ok".to_owned(),
        status: 0,
        reason: None,
        exit: Some(0),
        signal: None,
        usage: Some(ResultUsage { wall_ms: 1500, user_ms: 20, system_ms: 3, memory_bytes: 4096 }),
        errors: b"warning\n".to_vec(),
    }
}

fn refused() -> JobResult {
    JobResult {
        plan: None,
        outcome: "refused".to_owned(),
        status: 5,
        reason: Some("policy-signer".to_owned()),
        exit: None,
        usage: None,
        errors: Vec::new(),
        ..ok()
    }
}

fn verified(statement: &Statement, payload: &[u8]) -> Verified {
    let envelope = sign(statement, &key(), payload).unwrap().to_bytes();
    let trust = KnownSigners::new([Signer::new("worker", key().verifying_key().clone())]);
    let expectations = Expectations::new().kind(Kind::Result);
    open(envelope).unwrap().verify(&expectations, &trust, &now()).unwrap()
}

#[test]
fn a_result_says_what_was_signed() {
    for (result, payload) in [(ok(), &b"output"[..]), (ok(), b""), (refused(), b"")] {
        let verified = verified(&result.statement(Statement::at(now())), payload);
        assert_eq!(JobResult::of(&verified), Ok(result));
    }
}

/// Standard error is cut, and nothing else is.
#[test]
fn what_a_job_wrote_to_standard_error_is_bounded() {
    let long = JobResult { errors: vec![b'x'; MAX_RESULT_ERRORS + 1], ..ok() };
    let decoded = JobResult::decode(&cbor::encode(&long)).unwrap();
    assert_eq!(decoded, JobResult { errors: vec![b'x'; MAX_RESULT_ERRORS], ..ok() });
}

#[test]
fn output_of_a_job_that_failed_is_no_result() {
    let verified = verified(&refused().statement(Statement::at(now())), b"output");
    let error = JobResult::of(&verified).unwrap_err();
    assert_eq!(error.to_string(), "result is malformed: it has output, and did not end well");
}

#[test]
fn a_result_is_of_one_job() {
    assert_eq!(ok().judge_job(&JobId([1; 32])), Ok(()));
    let error = ok().judge_job(&JobId([9; 32])).unwrap_err();
    assert_eq!((error.reason(), error.class()), ("result-other-job", brine_core::Class::Untrusted));
}

/// The id of a job has its header and its payload, and is the SHA-256 of what is signed.
#[test]
fn the_id_of_a_job_is_the_digest_of_what_was_signed() {
    use brine_core::hash::HashAlgorithm;

    let statement = crate::Grants::default().statement(Statement::at(now()));
    let envelope = sign(&statement, &key(), b"true").unwrap().to_bytes();
    let trust = KnownSigners::new([Signer::new("a", key().verifying_key().clone())]);
    let expectations = Expectations::new().kind(Kind::Job);
    let job = open(envelope).unwrap().verify(&expectations, &trust, &now()).unwrap();
    let signed = brine_core::cose::ToBeSigned::new(job.header().as_bytes(), b"", b"true");
    let digest = HashAlgorithm::Sha256.digest(&signed.to_bytes());
    let id = JobId::of(&job, b"", b"true".as_slice()).unwrap();
    assert_eq!(digest.as_ref(), id.0);
    assert_ne!(JobId::of(&job, b"x", b"true".as_slice()).unwrap(), id);
    assert_ne!(JobId::of(&job, b"", b"fals".as_slice()).unwrap(), id);
}

/// Each differs from a good one in one thing.
#[test]
fn what_is_not_of_the_form_is_refused_by_what_is_wrong() {
    fn of(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut map = brine_core::cbor::Encoder::new();
        map.map(members.len().try_into().unwrap());
        for (name, value) in members {
            map.text(name).raw(value);
        }
        map.into_bytes()
    }
    let job: &[u8] = &[&[0x58, 32][..], &[1; 32]].concat();
    let short: &[u8] = &[&[0x58, 31][..], &[1; 31]].concat();
    let (ok, refused): (&[u8], &[u8]) = (b"\x62ok", b"\x67refused");
    let long_name: &[u8] = &[&[0x78, 65][..], &[b'a'; 65]].concat();
    let long_errors: &[u8] = &[&[0x59, 0x10, 0x01][..], &[0; 4097]].concat();
    let good = [("v", &b"\x01"[..]), ("job", job), ("status", b"\x00"), ("outcome", ok)];
    assert_eq!(JobResult::decode(&of(&good)).unwrap().outcome, "ok");
    let with = |name: &'static str, value: &'static [u8]| {
        let mut members: Vec<_> =
            good.iter().map(|(name, value)| (*name, value.to_vec())).collect();
        members.push((name, value.to_vec()));
        members.sort_by_key(|(name, _)| (name.len(), *name));
        let members: Vec<_> =
            members.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        of(&members)
    };
    let range = "a number is out of range";
    let cases: [(Vec<u8>, &str, &str); 19] = [
        (of(&good[1..]), "result-form", "it has no version"),
        (
            of(&[("v", b"\x02"), good[1], good[2], good[3]]),
            "result-version",
            "results of version 2",
        ),
        (of(&[good[0], good[2], good[1], good[3]]), "result-form", "not in the order"),
        (of(&[good[0], good[1], good[1], good[2], good[3]]), "result-form", "not in the order"),
        (of(&[good[0], good[2], good[3]]), "result-form", "it lacks the job"),
        (of(&good[..3]), "result-form", "it lacks the job, the outcome"),
        (of(&[good[0], good[1], good[3]]), "result-form", "or the status"),
        (of(&[good[0], ("job", short), good[2], good[3]]), "result-form", "not 32 bytes"),
        (of(&[good[0], good[1], ("status", b"\x05"), good[3]]), "result-form", "contradict"),
        (of(&[good[0], good[1], good[2], ("outcome", refused)]), "result-form", "contradict"),
        (of(&[good[0], good[1], good[2], ("outcome", long_name)]), "result-form", "not one"),
        (of(&[good[0], good[1], good[2], ("outcome", b"\x62Ok")]), "result-form", "not one"),
        (of(&[good[0], good[1], ("status", b"\x19\x01\x00"), good[3]]), "result-form", range),
        (with("wall", b"\x01"), "result-form", "a part of what the job used"),
        (with("exit", b"\x20"), "result-form", range),
        (with("cti", b"\x40"), "result-form", "a member is empty"),
        (with("reason", b"\x60"), "result-form", "not one"),
        (with("power", b"\x01"), "result-form", "not known"),
        (
            of(&[good[0], good[1], good[2], ("stderr", long_errors), good[3]]),
            "result-form",
            "too long",
        ),
    ];
    for (value, reason, said) in cases {
        let error = JobResult::decode(&value).unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(said), "{error} does not say {said}");
    }
}
