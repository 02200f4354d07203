use super::*;
use crate::tests::{ALICE, BOB, at, key};

/// Reads one line, as the third of a file, at UTC+01:00.
fn line(text: &str) -> Result<Option<TrustEntry>, TrustError> {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let (mut signers, skipped) = read(&format!("# top\n \t\r\n{text}\n"), &|| zone.clone())?;
    assert_eq!(signers.len() + skipped, 1, "{text}");
    Ok(signers.pop())
}

fn alice(principals: &str) -> TrustEntry {
    TrustEntry::new(Signer::new(principals, self::key(ALICE)))
        .with_principals(PatternList::new(principals))
}

fn malformed(what: &'static str) -> TrustError {
    TrustError::Malformed { line: 3, what }
}

#[test]
fn principals_are_one_field() {
    for (text, principals) in [
        (format!("alice {ALICE}"), "alice"),
        (format!("\t alice,*@b,!c \t{ALICE} comment # more\r"), "alice,*@b,!c"),
        (format!("\"a b,c\" {ALICE}"), "a b,c"),
        (format!("x,\"a b\"\t{ALICE}"), "x,a b"),
        (format!("alice {}", ALICE.replace(' ', "  \t")), "alice"),
        (format!("a\\b {ALICE}"), "a\\b"),
    ] {
        assert_eq!(line(&text), Ok(Some(alice(principals))), "{text}");
    }
}

#[test]
fn options_are_read() {
    let found = line(&format!(
        "a NameSpaces=\"file,!x y,\\\"\",valid-after=\"20260102Z\",VALID-BEFORE=\"202701020304\" {ALICE}"
    ));
    let expected = alice("a")
        .with_scope(Scope::Namespaces(PatternList::new("file,!x y,\"")))
        .with_not_before(at("2026-01-02T00:00:00Z"))
        .with_not_after(at("2027-01-02T02:04:01Z"));
    assert_eq!(found, Ok(Some(expected)));
}

#[test]
fn times_are_local_unless_they_say_otherwise() {
    for (text, expected) in [
        ("20260102", "2026-01-01T23:00:00Z"),
        ("202601020304", "2026-01-02T02:04:00Z"),
        ("20260102030405", "2026-01-02T02:04:05Z"),
        ("20260102Z", "2026-01-02T00:00:00Z"),
        ("20260102z", "2026-01-02T00:00:00Z"),
        ("202601020304UTC", "2026-01-02T03:04:00Z"),
        ("20260102030405Z", "2026-01-02T03:04:05Z"),
    ] {
        let found = line(&format!("a valid-after=\"{text}\" {ALICE}")).unwrap().unwrap();
        assert_eq!(found.not_before(), Some(at(expected)), "{text}");
    }
}

#[test]
fn impossible_times_are_refused() {
    for found in [
        "",
        "Z",
        "2026",
        "2026010",
        "202601020",
        "20261301",
        "20260230",
        "202601022400",
        "20260102030460",
        "2026-1-2",
        "+2026010",
        "20260102ZZ",
        "20260102 Z",
        "19691231",
        "2026010203040506",
        "2026010é",
    ] {
        for key in ["valid-after", "valid-before"] {
            let error = TrustError::Time { line: 3, key, found: found.to_owned() };
            let text = format!("a {key}=\"{found}\" {ALICE}");
            assert_eq!(line(&text), Err(error), "{text}");
        }
    }
}

#[test]
fn ambiguous_times_make_the_window_shorter() {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    // 02:30 is twice on 2026-10-25, and never on 2026-03-29.
    for (option, after, before) in [
        ("202610250230", "2026-10-25T01:30:00Z", "2026-10-25T00:30:01Z"),
        ("202603290230", "2026-03-29T01:30:00Z", "2026-03-29T00:30:01Z"),
    ] {
        let text =
            format!("a valid-after=\"{option}\" {ALICE}\na valid-before=\"{option}\" {ALICE}");
        let (found, _) = read(&text, &|| zone.clone()).unwrap();
        assert_eq!(found[0].not_before(), Some(at(after)));
        assert_eq!(found[1].not_after(), Some(at(before)));
    }
}

#[test]
fn the_last_second_of_all_times_does_not_end() {
    let text = format!("a valid-before=\"99991231235959Z\" {ALICE}");
    assert_eq!(line(&text), Ok(Some(alice("a"))));
    let found = line(&format!("a valid-before=\"99991231\" {ALICE}")).unwrap().unwrap();
    assert_eq!(found.not_after(), Timestamp::from_unix(253_402_210_801));
}

#[test]
fn windows_that_are_never_open_are_refused() {
    for before in ["20260101Z", "20251231Z"] {
        let text = format!("a valid-after=\"20260101Z\",valid-before=\"{before}\" {ALICE}");
        assert_eq!(line(&text), Err(TrustError::EmptyWindow { line: 3 }));
    }
}

#[test]
fn authorities_and_other_types_are_skipped() {
    for text in [
        &format!("* cert-authority {ALICE}"),
        &format!("* Cert-Authority,namespaces=\"file\" {ALICE}"),
        "* cert-authority ssh-rsa AAAA",
        "a ssh-rsa AAAA comment",
        "a namespaces=\"x y\" ecdsa-sha2-nistp256 AAAA",
        "a ssh-dss AAAA",
        "a sk-ssh-ed25519@openssh.com AAAA",
        "a ssh-ed25519-cert-v01@openssh.com AAAA",
        "a ssh-mldsa65@example.com",
    ] {
        assert_eq!(line(text), Ok(None), "{text}");
    }
    let text = format!("a ssh-rsa AA\n\nb {ALICE}\nc cert-authority {BOB}");
    let (signers, skipped) = read(&text, &|| TimeZone::UTC).unwrap();
    assert_eq!((signers.len(), skipped), (1, 2));
}

#[test]
fn unknown_options_and_types_are_refused() {
    let option =
        |option: &str| Err(TrustError::UnknownOption { line: 3, option: option.to_owned() });
    assert_eq!(line(&format!("a restrict {ALICE}")), option("restrict"));
    assert_eq!(line(&format!("a cert-authorityx {ALICE}")), option("cert-authorityx"));
    assert_eq!(line(&format!("a namespace=\"x\" {ALICE}")), option("namespace"));
    assert_eq!(line(&format!("a namespaces {ALICE}")), option("namespaces"));
    assert_eq!(
        line(&format!("a verify-required,namespaces=\"x\" {ALICE}")),
        option("verify-required")
    );
    assert_eq!(line("a ssh-ed25591 AAAA"), option("ssh-ed25591"));
    assert_eq!(line(ALICE), option(&ALICE[12..]));
    for kind in ["ssh-ed25591", "AAAA", "SSH-ED25519"] {
        let error = TrustError::UnknownKeyType { line: 3, found: kind.to_owned() };
        assert_eq!(line(&format!("a namespaces=\"x\" {kind} AAAA")), Err(error));
    }
}

#[test]
fn malformed_lines_are_refused() {
    for (text, what) in [
        ("alice", "no key"),
        ("alice cert-authority", "no key"),
        ("\"\" ssh-ed25519 AAAA", "no principals"),
        ("\"alice ssh-ed25519 AAAA", "no closing quote"),
        ("\"a\"b ssh-ed25519 AAAA", "no space after the closing quote"),
        ("a namespaces=x ssh-ed25519 AAAA", "no opening quote"),
        ("a namespaces=\"x ssh-ed25519 AAAA", "no closing quote"),
        ("a namespaces=\"x\\\" ssh-ed25519 AAAA", "no closing quote"),
        ("a namespaces=\"x\", ssh-ed25519 AAAA", "options end in a comma"),
        ("a cert-authority,", "options end in a comma"),
    ] {
        assert_eq!(line(text), Err(malformed(what)), "{text}");
    }
    let twice = |option| Err(TrustError::DuplicateOption { line: 3, option });
    for option in ["namespaces", "valid-after", "valid-before"] {
        let value = "=\"20260101\"";
        let text = format!("a {option}{value},{option}{value} {ALICE}");
        assert_eq!(line(&text), twice(option));
    }
    let control = TrustError::ControlCharacter { line: 3, key: "principals" };
    assert_eq!(line(&format!("a\u{1b}[2J {ALICE}")), Err(control));
}

#[test]
fn malformed_keys_are_refused() {
    for key in ["ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 ?", &ALICE[..60]] {
        let found = line(&format!("a {key}")).unwrap_err();
        assert!(matches!(found, TrustError::Key { line: 3, .. }), "{key}: {found:?}");
    }
}
