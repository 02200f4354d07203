use brine_core::Classified as _;

use super::*;
use crate::tests::{ALICE, BOB, at, key};

/// Reads one line, as the third of a file, at UTC+01:00.
fn line(text: &str) -> Result<Option<TrustEntry>, TrustError> {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let mut found = read(format!("# top\n \t\r\n{text}\n").as_bytes(), &|| zone.clone())?;
    assert_eq!(found.entries.len() + found.authorities.len() + found.skipped, 1, "{text}");
    Ok(found.entries.pop())
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
        "19700101Z",
        "19700101000000Z",
        "19700101",
        "197001010100",
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

/// Reads a window of which both ends are written the same.
fn window(text: &str, zone: TimeZone) -> (String, String) {
    let file = format!("a valid-after=\"{text}\" {ALICE}\na valid-before=\"{text}\" {ALICE}");
    let found = read(file.as_bytes(), &|| zone.clone()).unwrap().entries;
    (found[0].not_before().unwrap().to_string(), found[1].not_after().unwrap().to_string())
}

/// What `TZ=Europe/Berlin ssh-keygen -Y verify` does, from 8.9 to 10.5: it calls mktime with `tm_isdst` 0.
#[test]
fn local_times_are_in_standard_time_all_year() {
    for (text, zone, moment) in [
        ("202601021200", BERLIN, "2026-01-02T11:00:0"),
        ("202607011200", BERLIN, "2026-07-01T11:00:0"),
        // 02:30 is twice on 2026-10-25, and never on 2026-03-29.
        ("202610250230", BERLIN, "2026-10-25T01:30:0"),
        ("202603290230", BERLIN, "2026-03-29T01:30:0"),
        ("202601021200", "NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-01-02T00:00:0"),
        ("202607011200", "EST5EDT,M3.2.0,M11.1.0", "2026-07-01T17:00:0"),
        ("202607011200", "UTC0", "2026-07-01T12:00:0"),
    ] {
        let found = window(text, TimeZone::posix(zone).unwrap());
        assert_eq!(found, (format!("{moment}0Z"), format!("{moment}1Z")), "{text} {zone}");
    }
}

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// A zone in the form of RFC 9636, Section 3: it goes from one standard time to another on 2026-06-01 at midnight UTC.
fn zone_that_moved(before_hours: i32, after_hours: i32) -> TimeZone {
    let offset = |hours: i32| [&(hours * 3600).to_be_bytes()[..], &[0, 0]].concat();
    let tzif = [
        b"TZif".as_slice(),
        &[0; 16],
        // Of leap seconds and flags none, one transition, two types and one name.
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4],
        &1_780_272_000_i32.to_be_bytes(),
        &[1],
        &offset(before_hours),
        &offset(after_hours),
        b"ABC\0",
    ];
    TimeZone::tzif("Moved", &tzif.concat()).unwrap()
}

#[test]
fn times_that_a_change_of_standard_time_makes_ambiguous_make_the_window_shorter() {
    // The first clock skips 01:00, and the second shows it twice.
    for (zone, after, before) in [
        (zone_that_moved(0, 2), "2026-06-01T01:00:00Z", "2026-05-31T23:00:01Z"),
        (zone_that_moved(2, 0), "2026-06-01T01:00:00Z", "2026-05-31T23:00:01Z"),
    ] {
        assert_eq!(window("202606010100", zone), (after.to_owned(), before.to_owned()));
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
fn authorities_are_no_signers_and_other_types_are_skipped() {
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
        "a rsa-sha2-512 AAAA",
        &format!("a {}", include_str!("../../../../fixtures/keys/ssh-cert.pub").trim()),
    ] {
        assert_eq!(line(text), Ok(None), "{text}");
    }
    let text = format!("a ssh-rsa AA\n\nb {ALICE}\nc cert-authority {BOB}");
    let found = read(text.as_bytes(), &|| TimeZone::UTC).unwrap();
    assert_eq!((found.entries.len(), found.authorities.len(), found.skipped), (1, 1, 1));
    assert_eq!(found.authorities[0].key(), &key(BOB));
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
    for bare in
        [ALICE, &format!("{ALICE} comment"), "ssh-rsa AAAA", "sk-ssh-ed25519@openssh.com AAAA"]
    {
        assert_eq!(line(bare), Err(TrustError::NamesMissing { line: 3 }), "{bare}");
    }
    // Whoever has such a name may have it.
    let named = format!("ssh-rsa {ALICE}");
    assert_eq!(line(&named), Ok(Some(alice("ssh-rsa"))));
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
    for principals in ["a\u{1b}[2J", "a\u{202e}b", "a\u{3164}", "a\u{e0061}", "a\u{fe0f}"] {
        assert_eq!(line(&format!("{principals} {ALICE}")), Err(control.clone()), "{principals:?}");
    }
}

#[test]
fn malformed_keys_are_refused() {
    for key in ["ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 ?", &ALICE[..60]] {
        let found = line(&format!("a {key}")).unwrap_err();
        assert!(matches!(found, TrustError::Key { line: 3, .. }), "{key}: {found:?}");
    }
}

fn file(text: &[u8]) -> Result<(Vec<TrustEntry>, usize), TrustError> {
    let found = read(text, &|| TimeZone::UTC)?;
    Ok((found.entries, found.skipped))
}

#[test]
fn comments_and_lines_that_are_passed_over_are_bytes() {
    let alice = [ALICE.as_bytes(), b" caf\xe9\n"].concat();
    let text = [
        b"# \xb2\xdc\n".as_slice(),
        b"alice ",
        &alice,
        b"\xe9 ssh-rsa AAAA \xe9\n",
        b"\xe9 cert-authority,namespaces=\"\xe9\" ssh-rsa AAAA",
    ];
    let (entries, skipped) = file(&text.concat()).unwrap();
    assert_eq!((entries, skipped), (vec![self::alice("alice")], 2));
    for used in [b"\xe9 ".as_slice(), b"a namespaces=\"\xe9\" ", b"\xe9 cert-authority "] {
        let text = [b"# one\n", used, &alice].concat();
        assert_eq!(file(&text), Err(TrustError::NotText { line: 2 }));
    }
    // U+FFFD itself is text.
    assert!(file(format!("\u{fffd} {ALICE}").as_bytes()).is_ok());
}

/// OpenSSH takes the mark for a part of the first line.
#[test]
fn a_byte_order_mark_is_part_of_a_name() {
    let first = format!("\u{feff}alice {ALICE}\nbob {BOB}\n");
    assert_eq!(file(first.as_bytes()), Err(TrustError::ByteOrderMark));
    for nothing in ["\u{feff}# ours\n", "\u{feff}\r\n"] {
        let (entries, skipped) = file(format!("{nothing}alice {ALICE}\n").as_bytes()).unwrap();
        assert_eq!((entries, skipped), (vec![alice("alice")], 0));
    }
    let second = format!("alice {ALICE}\n\u{feff}bob {BOB}\n");
    let error = TrustError::ControlCharacter { line: 2, key: "principals" };
    assert_eq!(file(second.as_bytes()), Err(error));
}

/// To OpenSSH a carriage return separates names from what follows, and nothing else.
#[test]
fn a_carriage_return_inside_a_line_separates_only_names() {
    let (kind, data) = ALICE.split_once(' ').unwrap();
    for text in [
        format!("alice\r{ALICE}"),
        format!("\ralice {ALICE}\r"),
        format!("alice {ALICE} foo\rbar"),
        format!("alice {kind} {}\r{}", &data[..30], &data[30..]),
    ] {
        assert_eq!(line(&text), Ok(Some(alice("alice"))), "{text:?}");
    }
    for (text, reason) in [
        (format!("alice {kind}\r{data}"), "trust-unknown-option"),
        (format!("alice {ALICE}\rfoo"), "trust-key"),
        (format!("alice {ALICE}\rbob {BOB}"), "trust-key"),
        (format!("alice namespaces=\"x\"\r{ALICE}"), "trust-unknown-option"),
        (format!("alice namespaces=\"x\" {kind}\r{data}"), "trust-unknown-key-type"),
    ] {
        assert_eq!(line(&text).unwrap_err().reason(), reason, "{text:?}");
    }
}
