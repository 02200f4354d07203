//! Envelopes of several signers, made and cosigned.

use brine_core::hash::HashAlgorithm;
use brine_core::{
    Classified as _, Content, Error, Expectations, Kind, KnownSigners, Needed, Signer,
    SigningBackend, SigningKey, Statement, cosign, detach, open, sign, sign_together,
};
use brine_testkit::{key, now, statement};

/// Trusts the keys 1, 2 and 3 as alice, bob and carol.
fn trust() -> KnownSigners {
    let names = ["alice", "bob", "carol"];
    KnownSigners::new(
        names
            .into_iter()
            .zip(1..)
            .map(|(name, seed)| Signer::new(name, key(seed).verifying_key().clone())),
    )
}

fn signed(seeds: &[u8], needed: Needed) -> Vec<u8> {
    signed_as(&statement(), seeds, b"payload".into(), needed)
}

fn signed_as(statement: &Statement, seeds: &[u8], content: Content<'_>, needed: Needed) -> Vec<u8> {
    let keys: Vec<SigningKey> = seeds.iter().map(|seed| key(*seed)).collect();
    let keys: Vec<&dyn SigningBackend> =
        keys.iter().map(|key| key as &dyn SigningBackend).collect();
    sign_together(statement, &keys, content, needed).unwrap()
}

/// The names of those who are believed, or the reason of the refusal.
fn judged(envelope: &[u8], expectations: &Expectations) -> Result<Vec<String>, &'static str> {
    let verified =
        open(envelope).and_then(|opening| opening.verify(expectations, &trust(), &now()));
    let verified = verified.map_err(|error| error.reason())?;
    let names = verified.signers().map(|signer| signer.name().to_owned()).collect();
    assert_eq!(verified.into_bytes().unwrap(), b"payload");
    Ok(names)
}

fn anybody() -> Expectations {
    Expectations::new()
}

#[test]
fn whoever_is_believed_counts() {
    for (seeds, names) in [
        (&[1][..], &["alice"][..]),
        (&[1, 2], &["alice", "bob"]),
        (&[2, 1, 3], &["bob", "alice", "carol"]),
        (&[9, 2], &["bob"]),
    ] {
        let envelope = signed(seeds, Needed::Any);
        assert_eq!(judged(&envelope, &anybody()).unwrap(), names);
        for required in 1..=4 {
            let found = judged(&envelope, &anybody().required(required));
            let enough = required <= names.len();
            assert_eq!(found.err(), (!enough).then_some("too-few-signers"), "{seeds:?} {required}");
        }
    }
    assert_eq!(judged(&signed(&[8, 9], Needed::Any), &anybody()), Err("unknown-signer"));
    let alone = sign(&statement(), &key(1), b"payload").unwrap().to_bytes();
    assert_eq!(judged(&alone, &anybody().required(2)), Err("too-few-signers"));
}

#[test]
fn each_name_has_a_signature_of_its_own() {
    let envelope = signed(&[1, 2], Needed::Any);
    let ask = |names: &[&str]| names.iter().fold(anybody(), |asked, name| asked.signer(*name));
    // Whoever was asked for comes first: that is who speaks.
    assert_eq!(judged(&envelope, &ask(&["bob"])).unwrap(), ["bob", "alice"]);
    assert_eq!(judged(&envelope, &ask(&["bob", "alice"])).unwrap(), ["bob", "alice"]);
    assert_eq!(judged(&envelope, &anybody()).unwrap(), ["alice", "bob"]);
    assert_eq!(judged(&envelope, &ask(&["alice", "alice"])), Err("wrong-signer"));
    assert_eq!(judged(&envelope, &ask(&["carol"])), Err("wrong-signer"));
    assert_eq!(judged(&envelope, &ask(&["alice", "carol"])), Err("wrong-signer"));
    let alone = sign(&statement(), &key(1), b"payload").unwrap().to_bytes();
    assert_eq!(judged(&alone, &ask(&["alice", "bob"])), Err("wrong-signer"));
}

#[test]
fn a_cosigner_adds_a_signature_and_touches_nothing() {
    let first = signed(&[1], Needed::Any);
    let both = cosign(&first, &key(2), b"", None).unwrap();
    // Only the length of the list is another one.
    let list = first.iter().zip(&both).position(|(one, other)| one != other).unwrap();
    assert_eq!((first[list], both[list]), (0x81, 0x82));
    assert_eq!(first[list + 1..], both[list + 1..first.len()]);
    assert_eq!(judged(&both, &anybody().required(2)).unwrap(), ["alice", "bob"]);
    assert_eq!(both, cosign(&first, &key(2), b"", None).unwrap());
    for (envelope, seed, reason) in [
        (&both, 1, "signing-refused"),
        (&both, 2, "signing-refused"),
        (&sign(&statement(), &key(1), b"payload").unwrap().to_bytes(), 2, "signing-refused"),
        (&signed(&(1..=16).collect::<Vec<_>>(), Needed::Any), 20, "signing-refused"),
        (&detach(&first).unwrap(), 2, "payload-detached"),
        (&b"payload".to_vec(), 2, "not-an-envelope"),
    ] {
        let error = cosign(envelope, &key(seed), b"", None).unwrap_err();
        assert_eq!(error.reason(), reason);
    }
}

/// A message keeps its name whichever signatures are left, and nobody gives it to other content.
#[test]
fn a_message_has_one_name_whoever_signed_it() {
    let verified = |seeds: &[u8], content: Content<'_>| {
        let envelope = signed_as(&statement(), seeds, content, Needed::Any);
        open(envelope.as_slice()).unwrap().verify(&anybody(), &trust(), &now()).unwrap()
    };
    let both = verified(&[1, 2], b"payload".into());
    for seeds in [&[1][..], &[2], &[2, 1], &[1, 2, 9]] {
        assert_eq!(verified(seeds, b"payload".into()).shared_id(), both.shared_id(), "{seeds:?}");
    }
    let decoy = verified(&[2], b"another".into());
    assert_eq!(decoy.header(), both.header());
    assert_ne!(decoy.shared_id(), both.shared_id());
    let alone = sign(&statement(), &key(1), b"payload").unwrap().to_bytes();
    let alone = open(alone.as_slice()).unwrap().verify(&anybody(), &trust(), &now()).unwrap();
    assert_eq!(alone.shared_id(), None);
}

/// Whoever signed without saying which key it is did sign.
#[test]
fn a_key_that_is_not_named_signs_once_too() {
    let vectors = brine_testkit::vectors();
    let named = |name: &str| vectors.iter().find(|vector| vector.name == name).unwrap();
    let unnamed = named("several-ok-unnamed.vector");
    let error = cosign(&unnamed.envelope, &brine_testkit::known_key(), b"", None).unwrap_err();
    assert_eq!(error.reason(), "signing-refused");
    assert!(cosign(&unnamed.envelope, &key(9), b"", None).is_ok());
}

/// A set that is signed to be needed cannot be stripped, and whoever is not trusted is missing, too.
#[test]
fn a_stripped_signature_that_is_needed_refuses_all() {
    let envelope = signed(&[1, 2], Needed::All);
    assert_eq!(judged(&envelope, &anybody()).unwrap(), ["alice", "bob"]);
    assert_eq!(judged(&without_last(&envelope), &anybody()), Err("signer-missing"));
    assert_eq!(
        judged(&without_last(&signed(&[1, 2], Needed::Any)), &anybody()).unwrap(),
        ["alice"]
    );
    assert_eq!(judged(&signed(&[1, 9], Needed::All), &anybody()), Err("signer-missing"));
    // Others may sign as well.
    let more = cosign(&envelope, &key(3), b"", None).unwrap();
    assert_eq!(judged(&more, &anybody()).unwrap(), ["alice", "bob", "carol"]);
}

/// The same envelope without the last of its two signatures.
fn without_last(envelope: &[u8]) -> Vec<u8> {
    let list = envelope.windows(2).rposition(|pair| pair == [0x82, 0x83]).unwrap();
    let last = envelope.windows(2).rposition(|pair| pair[0] == 0x83 && pair[1] == 0x58).unwrap();
    let mut stripped = envelope[..last].to_vec();
    stripped[list] = 0x81;
    stripped
}

#[test]
fn a_signature_that_does_not_verify_refuses_all() {
    let envelope = signed(&[1, 2], Needed::Any);
    for at in 0..envelope.len() {
        let mut altered = envelope.clone();
        altered[at] ^= 1;
        assert!(judged(&altered, &anybody().required(2)).is_err(), "{at}");
    }
    let mut altered = envelope;
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(judged(&altered, &anybody()), Err("signature-bad"));
}

#[test]
fn a_key_signs_once() {
    let [one, other] = [signed(&[1], Needed::Any), signed(&[1, 2], Needed::Any)];
    assert!(one.len() < other.len());
    let keys = [key(1), key(1)];
    let keys: [&dyn SigningBackend; 2] = [&keys[0], &keys[1]];
    let twice = sign_together(&statement(), &keys, b"payload".into(), Needed::Any);
    assert_eq!(twice.unwrap_err().reason(), "signing-refused");
    let none = sign_together(&statement(), &[], b"payload".into(), Needed::Any);
    assert_eq!(none.unwrap_err().reason(), "signing-refused");
}

/// What is signed for one kind or one form is not taken for another.
#[test]
fn kinds_and_forms_are_told_apart() {
    let job = signed_as(&statement().kind(Kind::Job), &[1, 2], b"payload".into(), Needed::Any);
    assert_eq!(judged(&job, &anybody()), Err("wrong-kind"));
    assert_eq!(judged(&job, &anybody().kind(Kind::Job)).unwrap(), ["alice", "bob"]);
    assert_eq!(
        judged(&signed(&[1, 2], Needed::Any), &anybody().kind(Kind::Job)),
        Err("wrong-kind")
    );
    let plain = signed_as(&Statement::plain(), &[1, 2], b"payload".into(), Needed::Any);
    assert_eq!(judged(&plain, &anybody()), Err("untyped"));
    assert_eq!(judged(&plain, &anybody().untyped()).unwrap(), ["alice", "bob"]);
    for kind in [Kind::Result, Kind::Segment] {
        let envelope = signed_as(&statement().kind(kind), &[1], b"payload".into(), Needed::Any);
        assert_eq!(judged(&envelope, &anybody().kind(kind)), Err("signers-form"), "{kind}");
    }
}

#[test]
fn signatures_beside_their_content_can_have_several_signers() {
    let content = b"payload".repeat(100);
    let detached =
        detach(&signed_as(&statement(), &[1, 2], content.as_slice().into(), Needed::Any)).unwrap();
    let hash = HashAlgorithm::Sha256;
    let digest = hash.digest(&content);
    let digest = signed_as(&statement(), &[1, 2], Content::Digest(hash, &digest), Needed::Any);
    let judge = |envelope: &[u8], mut content: &[u8], required| {
        let expectations = anybody().required(required);
        open(envelope)?.verify_beside(&mut content, &expectations, &trust(), &now())
    };
    for envelope in [&detached, &digest] {
        assert_eq!(judge(envelope, &content, 2).unwrap().signers().count(), 2);
        let few = judge(envelope, &content, 3).unwrap_err();
        assert!(matches!(few, Error::Trust(_)) && few.reason() == "too-few-signers", "{few}");
        let other = judge(envelope, &content[1..], 2).unwrap_err();
        assert!(["signature-bad", "digest-mismatch"].contains(&other.reason()), "{other}");
    }
    let third = cosign(&detached, &key(3), b"", Some(&content)).unwrap();
    assert_eq!(judge(&third, &content, 3).unwrap().signers().count(), 3);
    let third = cosign(&digest, &key(3), b"", None).unwrap();
    assert_eq!(judge(&third, &content, 3).unwrap().signers().count(), 3);
}
