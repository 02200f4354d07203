use brine_core::SigningKey;
use zeroize::Zeroizing;

use super::*;
use crate::{CertificateDraft, read_openssh_line};

macro_rules! certificates {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../fixtures/certificates/", $name)).as_slice()
    };
}

/// Made by `ssh-keygen -s`; `fixtures/certificates/README.md` has the command.
fn issued() -> Vec<u8> {
    certificate_in_line(certificates!("alice-cert.pub")).unwrap()
}

#[test]
fn a_certificate_of_openssh_is_read() {
    let found = OpensshCertificate::parse(&issued()).unwrap();
    assert_eq!(found.key(), &read_openssh_line(certificates!("alice.pub")).unwrap().0);
    assert_eq!(found.issuer(), &read_openssh_line(certificates!("ca.pub")).unwrap().0);
    assert_eq!((found.serial, found.key_id.as_str()), (7, "alice-laptop"));
    assert_eq!(found.principals, ["alice", "alice@example.com"]);
    let at = |text| Timestamp::parse_rfc3339(text).unwrap();
    assert_eq!(found.valid_after, at("2026-01-01T00:00:00Z").unix());
    assert_eq!(found.expires(), Some(at("2027-01-01T00:00:00Z")));
    let contexts: Vec<_> = found.contexts.iter().flatten().map(ContextGlob::as_str).collect();
    assert_eq!((contexts, found.may_delegate), (vec!["jobs/*", "release/1"], false));
    assert_eq!(found.verify_signature(), Ok(()));
    let line = String::from_utf8(certificates!("alice-cert.pub").to_vec()).unwrap();
    assert_eq!(certificate_line(&issued(), "alice"), line.trim_end());
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([seed; 32]))
}

#[test]
fn what_is_written_is_read() {
    let (user, issuer) = (key(1), key(2));
    let names = ["alice".to_owned(), "alice/ci".to_owned()];
    let contexts = ["a/*", "b"].map(|text| ContextGlob::parse(text).unwrap());
    let draft = CertificateDraft {
        key: user.verifying_key(),
        nonce: [3; 32],
        serial: u64::MAX,
        key_id: "ci",
        principals: &names,
        valid_after: 1,
        valid_before: 2,
        contexts: Some(&contexts),
        may_delegate: true,
    };
    let found = OpensshCertificate::parse(&draft.issue(&issuer).unwrap()).unwrap();
    assert_eq!((found.key(), found.issuer()), (user.verifying_key(), issuer.verifying_key()));
    assert_eq!((found.serial, found.key_id.as_str()), (u64::MAX, "ci"));
    assert_eq!((found.valid_after, found.valid_before), (1, 2));
    assert_eq!(found.principals, names);
    assert_eq!(found.contexts.as_deref(), Some(&contexts[..]));
    assert!(found.may_delegate && found.critical_options.is_empty());
    assert_eq!(found.verify_signature(), Ok(()));
}

/// The parts of a certificate, to be altered one at a time.
struct Parts(Vec<Vec<u8>>);

impl Parts {
    fn new() -> Self {
        let name = |text: &str| string(text.as_bytes());
        let public = |seed| key(seed).verifying_key().to_bytes();
        Self(vec![
            name("ssh-ed25519-cert-v01@openssh.com"),
            string(b"nonce"),
            string(&public(1)),
            7_u64.to_be_bytes().to_vec(),
            1_u32.to_be_bytes().to_vec(),
            name("id"),
            string(&name("alice")),
            0_u64.to_be_bytes().to_vec(),
            u64::MAX.to_be_bytes().to_vec(),
            string(b""),
            string(b""),
            string(b""),
            string(&[name("ssh-ed25519"), string(&public(2))].concat()),
        ])
    }

    /// With another part in the place of one.
    fn with(place: usize, part: Vec<u8>) -> Vec<u8> {
        let mut parts = Self::new();
        parts.0[place] = part;
        parts.signed()
    }

    fn signed(&self) -> Vec<u8> {
        let body = self.0.concat();
        let signature = [string(b"ssh-ed25519"), string(&key(2).sign(&[&body]))].concat();
        [body, string(&signature)].concat()
    }
}

fn string(data: &[u8]) -> Vec<u8> {
    [&u32::try_from(data.len()).unwrap().to_be_bytes(), data].concat()
}

fn option(name: &str, value: &[u8]) -> Vec<u8> {
    [string(name.as_bytes()), string(value)].concat()
}

fn options(parts: &[(&str, &[u8])]) -> Vec<u8> {
    string(&parts.iter().flat_map(|(name, value)| option(name, value)).collect::<Vec<_>>())
}

/// Each breaks one rule of the form.
#[test]
fn a_certificate_is_refused_by_the_rule_that_it_breaks() {
    let ed25519 = string(b"ssh-ed25519");
    let contexts = |text: &[u8]| options(&[(CONTEXTS_EXTENSION, &string(text))]);
    let weak = [&ed25519[..], &string(&[0; 32])].concat();
    let malformed = |what| CertificateFlaw::Malformed { what };
    let unsupported = |found: &str| CertificateFlaw::UnsupportedKey { found: found.to_owned() };
    for (place, part, expected) in [
        (0, string(b"ssh-rsa-cert-v01@openssh.com"), unsupported("ssh-rsa-cert-v01@openssh.com")),
        (0, ed25519.clone(), unsupported("ssh-ed25519")),
        (2, string(&[1; 31]), malformed("a key in it is not 32 bytes long")),
        (2, string(&[0; 32]), malformed("a key in it cannot be used")),
        (4, 3_u32.to_be_bytes().to_vec(), malformed("it is neither for a user nor for a host")),
        (6, string(&string(b"")), malformed("a name in it cannot be shown")),
        (6, string(&string(b"a\x1b[2J")), malformed("a name in it cannot be shown")),
        (6, string(b"\0\0\0\x05abc"), malformed("it ends too early")),
        (
            9,
            options(&[("b", b""), ("a", b"")]),
            malformed("its options are not in order, each once"),
        ),
        (
            10,
            options(&[("a", b""), ("a", b"")]),
            malformed("its options are not in order, each once"),
        ),
        (10, contexts(b"\xff"), malformed("its contexts are not text")),
        (10, contexts(b"a\x07"), malformed("its contexts cannot be shown")),
        (10, contexts(b"a/**"), malformed("its contexts are no patterns")),
        (10, options(&[(CONTEXTS_EXTENSION, b"jobs")]), malformed("it ends too early")),
        (12, string(&string(b"ssh-ed25519-cert-v01@openssh.com")), CertificateFlaw::Nested),
        (12, string(&string(b"sk-ssh-ed25519-cert-v01@openssh.com")), CertificateFlaw::Nested),
        (12, string(&string(b"ecdsa-sha2-nistp256")), unsupported("ecdsa-sha2-nistp256")),
        (12, string(&weak), malformed("a key in it cannot be used")),
    ] {
        let found = OpensshCertificate::parse(&Parts::with(place, part));
        assert_eq!(found, Err(expected), "{place}");
    }
    let whole = Parts::new().signed();
    assert!(OpensshCertificate::parse(&whole).is_ok());
    let longer = [&whole[..], b"\0"].concat();
    let found = OpensshCertificate::parse(&longer);
    assert_eq!(found, Err(malformed("there are bytes after its end")));
    for end in 0..whole.len() {
        let found = OpensshCertificate::parse(&whole[..end]).unwrap_err();
        assert_eq!(found, malformed("it ends too early"), "{end}");
    }
}

#[test]
fn what_it_says_is_judged_at_a_moment() {
    let now = Timestamp::from_unix(100).unwrap();
    let times = |after: u64, before: u64| {
        let mut parts = Parts::new();
        parts.0[7] = after.to_be_bytes().to_vec();
        parts.0[8] = before.to_be_bytes().to_vec();
        parts.signed()
    };
    let at = |seconds| Timestamp::from_unix(seconds).unwrap();
    let forced = options(&[("force-command", &string(b"true"))]);
    let own = options(&[("unknown@example.com", b"")]);
    for (blob, expected) in [
        (times(100, 101), Ok(())),
        (times(0, 100), Err(CertificateFlaw::Expired { at: at(100) })),
        (times(101, 200), Err(CertificateFlaw::NotYetValid { at: at(101) })),
        (times(u64::MAX, u64::MAX), Err(CertificateFlaw::NotYetValid { at: Timestamp::MAX })),
        (Parts::with(4, 2_u32.to_be_bytes().to_vec()), Err(CertificateFlaw::Host)),
        (Parts::with(6, string(b"")), Err(CertificateFlaw::NoPrincipals)),
        (
            Parts::with(9, forced),
            Err(CertificateFlaw::CriticalOption { name: "force-command".to_owned() }),
        ),
        (
            Parts::with(9, own),
            Err(CertificateFlaw::CriticalOption { name: "unknown@example.com".to_owned() }),
        ),
    ] {
        assert_eq!(OpensshCertificate::parse(&blob).unwrap().judge(now), expected);
    }
}
