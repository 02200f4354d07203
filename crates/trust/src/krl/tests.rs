use brine_core::SigningKey;
use brine_keys::{CertificateDraft, read_openssh_line};
use zeroize::Zeroizing;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../fixtures/certificates/", $name)).as_slice()
    };
}

fn krl(bytes: &[u8]) -> Krl {
    Krl::parse(bytes).unwrap()
}

fn key(line: &[u8]) -> VerifyingKey {
    read_openssh_line(line).unwrap().0
}

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([seed; 32]))
}

/// A certificate of the authority of the fixtures, or of another one.
fn certificate(issuer: &SigningKey, serial: u64, key_id: &str) -> OpensshCertificate {
    let draft = CertificateDraft {
        key: &key(fixture!("alice.pub")),
        nonce: [0; 32],
        serial,
        key_id,
        principals: &["alice".to_owned()],
        valid_after: 0,
        valid_before: u64::MAX,
        contexts: None,
        may_delegate: false,
    };
    OpensshCertificate::parse(&draft.issue(issuer).unwrap()).unwrap()
}

fn authority() -> SigningKey {
    let mut ask = || Err(brine_keys::KeyFileError::PassphraseNeeded);
    brine_keys::read_private(fixture!("ca"), &mut ask).unwrap()
}

#[test]
fn certificates_are_revoked_by_number_and_by_name() {
    let (ours, other) = (authority(), signing_key(9));
    let (mixed, any) = (krl(fixture!("mixed.krl")), krl(fixture!("any-issuer.krl")));
    let odd = krl(fixture!("bitmap.krl"));
    for (serial, name, in_mixed, in_odd) in [
        (3, "x", true, true),
        (4, "x", false, false),
        (4, "bob-old", true, false),
        (5, "x", true, true),
        (8, "x", true, false),
        (9, "x", true, true),
        (10, "x", false, false),
        (100, "x", true, false),
        (101, "x", false, true),
        (399, "x", false, true),
        (401, "x", false, false),
        (u64::MAX, "x", false, false),
        (0, "x", false, false),
        (0, "bob-old", true, false),
    ] {
        let (issued, foreign) =
            (certificate(&ours, serial, name), certificate(&other, serial, name));
        assert_eq!(mixed.revokes_certificate(&issued), in_mixed, "{serial} {name}");
        assert!(!mixed.revokes_certificate(&foreign), "{serial} {name}");
        assert_eq!(any.revokes_certificate(&foreign), in_mixed, "{serial} {name}");
        assert_eq!(odd.revokes_certificate(&issued), in_odd, "{serial} {name}");
    }
}

#[test]
fn keys_are_revoked_whole_and_by_their_fingerprint() {
    let [alice, bob, ca] =
        [fixture!("alice.pub"), fixture!("bob.pub"), fixture!("ca.pub")].map(key);
    for (list, revoked) in [
        (fixture!("key.krl"), [false, true, false]),
        (fixture!("hash.krl"), [true, false, false]),
        (fixture!("ca.krl"), [false, false, true]),
        (fixture!("mixed.krl"), [false, false, false]),
    ] {
        assert_eq!([&alice, &bob, &ca].map(|key| krl(list).revokes_key(key)), revoked);
    }
}

/// The head of a list, and then these sections.
fn list(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut list = [KRL_MAGIC, &[0, 0, 0, 1], &[0; 24], &[0; 8]].concat();
    for (kind, data) in sections {
        list.push(*kind);
        list.extend(string(data));
    }
    list
}

fn string(data: &[u8]) -> Vec<u8> {
    [&u32::try_from(data.len()).unwrap().to_be_bytes(), data].concat()
}

#[test]
fn a_list_is_read_whole_or_refused_by_its_reason() {
    let mixed = fixture!("mixed.krl");
    for end in KRL_MAGIC.len()..mixed.len() {
        // A list without a section is a list.
        let whole = end == KRL_MAGIC.len() + 4 + 24 + 8;
        assert_eq!(
            Krl::parse(&mixed[..end]),
            if whole { Ok(Krl::default()) } else { Err(KrlFlaw::Cut) },
            "{end}"
        );
    }
    assert_eq!(Krl::parse(&[mixed, b"\x07"].concat()), Err(KrlFlaw::Cut));
    let mut newer = mixed.to_vec();
    newer[11] = 2;
    assert_eq!(Krl::parse(&newer), Err(KrlFlaw::Version(2)));
    assert_eq!(Krl::parse(fixture!("sha1.krl")), Err(KrlFlaw::Sha1));

    let extension = |critical: u8| [string(b"x@y"), vec![critical], string(b"")].concat();
    let by_any =
        |kind: u8, data: &[u8]| [string(b""), string(b""), vec![kind], string(data)].concat();
    let backwards = [9_u64.to_be_bytes(), 8_u64.to_be_bytes()].concat();
    let key = string(&openssh_blob(signing_key(1).verifying_key()));
    for (sections, expected) in [
        (list(&[(255, &extension(0)), (1, &by_any(0x39, &extension(0)))]), None),
        (list(&[(255, &extension(1))]), Some(KrlFlaw::CriticalExtension)),
        (list(&[(1, &by_any(0x39, &extension(1)))]), Some(KrlFlaw::CriticalExtension)),
        (list(&[(6, b"")]), Some(KrlFlaw::Section(6))),
        (list(&[(1, &by_any(0x24, b""))]), Some(KrlFlaw::Section(0x24))),
        (list(&[(1, &by_any(0x20, &[0; 9]))]), Some(KrlFlaw::Cut)),
        (
            list(&[(1, &by_any(0x21, &backwards))]),
            Some(KrlFlaw::Malformed("a range of serial numbers ends before it begins")),
        ),
        (list(&[(2, &key)]), None),
        (list(&[(2, &string(b""))]), Some(KrlFlaw::Malformed("a key in it is empty"))),
        (
            list(&[(2, &string(&key[4..key.len() - 1]))]),
            Some(KrlFlaw::Malformed("a key in it cannot be read")),
        ),
        ([list(&[(4, b"key")]), string(b"signature")].concat(), None),
        (
            [list(&[(4, b"key")]), string(b"signature"), list(&[(2, &key)])[44..].to_vec()]
                .concat(),
            Some(KrlFlaw::Malformed("there is something after its signature")),
        ),
    ] {
        assert_eq!(Krl::parse(&sections).err(), expected, "{sections:02x?}");
    }
}

#[test]
fn everything_can_be_revoked_at_once() {
    let all = [0_u64.to_be_bytes(), u64::MAX.to_be_bytes()].concat();
    let section = [string(b""), string(b""), vec![0x21], string(&all)].concat();
    let list = krl(&list(&[(1, &section)]));
    for serial in [1, 2, u64::MAX] {
        assert!(list.revokes_certificate(&certificate(&authority(), serial, "x")), "{serial}");
    }
    // As for OpenSSH: a certificate without a number is revoked by its name, or by its key.
    assert!(!list.revokes_certificate(&certificate(&authority(), 0, "x")));
}
