use brine_core::{Classified as _, Signer, Timestamp, VerifyingKey};
use proptest::prelude::*;

use super::*;

pub(crate) const ALICE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIET+QA4xCaomP4+xkZbqykQfTOFappgYVaYnFyVt7woD";
pub(crate) const BOB: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKiI1Vfxu2othDwjG0jLp+Ek/R5nr7FEQkNwY6N9MLMh";
pub(crate) const CAROL: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDPgbuCJ7eXz8YE1KmNoklwo9IA6ErgCZ+iBoP+WoUbX";

pub(crate) fn key(text: &str) -> VerifyingKey {
    brine_keys::read_openssh_line(text).unwrap().0
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn parse(text: impl AsRef<[u8]>) -> Result<Trust, TrustError> {
    Trust::parse(text.as_ref(), &|| TimeZone::UTC)
}

#[test]
fn files_are_told_apart_by_their_first_line() {
    let toml = format!("[[signer]]\nname = \"alice\"\nkey = \"{ALICE}\"\n");
    let lines = format!("alice {ALICE}\nbob ssh-rsa AAAA\n");
    let alice = TrustEntry::new(Signer::new("alice", key(ALICE)));
    for text in [
        toml.clone(),
        format!("# a\n\n{toml}"),
        format!("version=1\r\n{toml}"),
        format!("\u{feff}{toml}"),
    ] {
        let trust = parse(text).unwrap();
        assert_eq!((trust.entries(), trust.skipped()), (&[alice.clone()][..], 0));
    }
    for text in [lines.clone(), format!(" # = [\n{lines}"), format!("\u{feff}# ours\n{lines}")] {
        let trust = parse(text).unwrap();
        assert!(trust.entries()[0].answers_to("alice"));
        assert_eq!((trust.entries().len(), trust.skipped()), (1, 1));
    }
    for text in ["", "\n \r\n", "# nobody", "# [[signer]]\n\t# a = 1\n"] {
        let trust = parse(text).unwrap();
        assert_eq!((trust.entries().len(), trust.skipped()), (0, 0));
    }
}

#[test]
fn either_format_is_held_to_its_rules() {
    for (text, reason) in [
        ("signer = 1", "trust-wrong-type"),
        ("[other]", "trust-unknown-key"),
        ("a=b ssh-ed25519 AAAA", "trust-toml"),
        ("\"a b\" = 1", "trust-unknown-option"),
        ("a valid-after=\"x\" ssh-ed25519 AAAA", "trust-time"),
        (ALICE, "trust-names-missing"),
        ("-----BEGIN CERTIFICATE-----", "trust-pem"),
        ("# a key\n-----BEGIN PRIVATE KEY-----", "trust-pem"),
        ("\u{feff}alice ssh-ed25519 AAAA", "trust-byte-order-mark"),
    ] {
        assert_eq!(parse(text).unwrap_err().reason(), reason, "{text}");
    }
}

#[test]
fn files_of_other_than_text_are_refused() {
    for (bytes, line) in [(&b"\0"[..], 1), (b"# a\n# b\0", 2), (b"a\0b", 1)] {
        assert_eq!(parse(bytes).unwrap_err(), TrustError::NotText { line });
        assert_eq!(RevocationList::parse(bytes), Err(TrustError::NotText { line }));
    }
    let toml = b"[[signer]]\n# caf\xe9\n";
    assert_eq!(parse(toml).unwrap_err(), TrustError::NotText { line: 2 });
    for bytes in [b"\xff\xfe[\0".as_slice(), b"\xfe\xff\0["] {
        assert_eq!(parse(bytes).unwrap_err(), TrustError::Utf16);
        assert_eq!(RevocationList::parse(bytes), Err(TrustError::Utf16));
    }
}

#[test]
fn files_are_bounded() {
    let limit = MAX_TRUST_FILE_BYTES;
    for found in [limit - 1, limit] {
        let text = "#".repeat(found);
        assert!(parse(&text).unwrap().entries().is_empty());
        assert_eq!(RevocationList::parse(text.as_bytes()), Ok(RevocationList::default()));
    }
    let text = "#".repeat(limit + 1);
    let error = TrustError::TooLarge { found: limit + 1, limit };
    assert_eq!(parse(&text).unwrap_err(), error);
    assert_eq!(RevocationList::parse(text.as_bytes()), Err(error.clone()));
    assert_eq!(TrustStore::parse(&text), Err(error));
}

#[test]
fn errors_say_where_and_what() {
    for (error, text) in [
        (parse("\nx = 1").unwrap_err(), "line 2: unknown key \"x\""),
        (parse("version = 3").unwrap_err(), "line 1: version is 3, must be 1"),
        (
            parse("signer = []").unwrap_err(),
            "line 1: signer is of type array, must be array of tables",
        ),
        (parse("#\nalice").unwrap_err(), "line 2: no key"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let _ = RevocationList::parse(&bytes);
    }

    #[test]
    fn parsing_text_never_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "alice", " ", " ", "\n", "\n", "\"", ",", "=", "cert-authority", "namespaces=\"",
            "valid-after=\"", "2026", "0101", "Z", "ssh-ed25519 ", "AAAA", "é", "\\", "!", "*",
            "[[signer]]\n", "name = ", "key = ", "contexts = ", "[", "]", "'", "#", "\r",
            "not-before = ", "2026-01-01", "T00:00:00", "version = 1\n", ".", "ssh-rsa ",
            ALICE,
        ]), 0..30),
    ) {
        let text = words.concat();
        let _ = parse(&text);
        let _ = RevocationList::parse(text.as_bytes());
        if let Ok(mut store) = TrustStore::parse(&text) {
            let _ = store.remove(|entry| entry.name() == "alice", Revocations::Drop);
            prop_assert!(store.trust().is_ok());
            let revocation = Revocation { at: at("2026-01-01T00:00:00Z"), reason: None };
            let _ = store.revoke(&Signer::new("alice", key(ALICE)), &revocation);
            prop_assert!(store.trust().is_ok());
        }
    }
}

/// Whoever has only the text of a file has not the lists that it names, and must not believe what they revoke.
#[test]
fn a_file_that_names_lists_is_not_read_without_them() {
    let text = "revoked = ['team.krl', 'more']\n[[signer]]\nname = 'a'\n";
    let text = format!("{text}key = '{ALICE}'\n");
    let refused = parse(&text).unwrap_err();
    assert_eq!((&refused, refused.reason()), (&TrustError::ListsNamed, "trust-lists-named"));
    let (trust, lists) = Trust::parse_with_lists(text.as_bytes(), &|| TimeZone::UTC).unwrap();
    assert_eq!((trust.entries().len(), lists), (1, vec!["team.krl".to_owned(), "more".to_owned()]));
}
