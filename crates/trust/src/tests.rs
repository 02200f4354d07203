use proptest::prelude::*;

use super::*;

pub(super) const ALICE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIET+QA4xCaomP4+xkZbqykQfTOFappgYVaYnFyVt7woD";
pub(super) const BOB: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKiI1Vfxu2othDwjG0jLp+Ek/R5nr7FEQkNwY6N9MLMh";
pub(super) const CAROL: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDPgbuCJ7eXz8YE1KmNoklwo9IA6ErgCZ+iBoP+WoUbX";

pub(super) fn key(text: &str) -> VerifyingKey {
    VerifyingKey::from_openssh(text).unwrap().0
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

const NOW: &str = "2026-07-01T00:00:00Z";
const BEFORE: &str = "2026-06-30T23:59:59Z";
const AFTER: &str = "2026-07-01T00:00:01Z";

fn alice() -> Signer {
    Signer::new("alice", key(ALICE))
}

fn scoped(glob: &str) -> Signer {
    Signer { scope: Scope::Globs(vec![ContextGlob::parse(glob).unwrap()]), ..alice() }
}

fn named(name: &str, signer: Signer) -> Signer {
    Signer { name: name.to_owned(), ..signer }
}

fn revoked(when: &str) -> Signer {
    let revocation = Revocation { at: at(when), reason: Some("lost".to_owned()) };
    Signer { revocation: Some(revocation), ..alice() }
}

/// Anybody, in the context "reports/daily", now.
fn question() -> Question<'static> {
    Question { context: Some("reports/daily"), signer: None, now: at(NOW) }
}

/// Judges alice's key; returns the index of the entry that speaks for it.
fn judge(signers: &[Signer], question: Question<'_>) -> Result<usize, Refusal> {
    let trust = Trust::new(signers.to_vec());
    let found = trust.judge(key(ALICE).id(), &question)?;
    Ok(trust.signers().iter().position(|signer| std::ptr::eq(signer, found)).unwrap())
}

fn parse(text: impl AsRef<[u8]>) -> Result<Trust, TrustError> {
    Trust::parse(text.as_ref(), &|| TimeZone::UTC)
}

#[test]
fn a_key_without_an_entry_is_unknown() {
    assert_eq!(judge(&[], question()), Err(Refusal::Unknown));
    assert_eq!(judge(&[Signer::new("alice", key(BOB))], question()), Err(Refusal::Unknown));
}

#[test]
fn an_entry_without_limits_speaks_for_everything() {
    for context in [None, Some(""), Some("a/b")] {
        assert_eq!(judge(&[alice()], Question { context, ..question() }), Ok(0));
    }
}

#[test]
fn the_first_entry_that_holds_speaks() {
    let signers = [Signer::new("bob", key(BOB)), scoped("x"), scoped("reports/*"), alice()];
    assert_eq!(judge(&signers, question()), Ok(2));
    assert_eq!(judge(&signers, Question { context: None, ..question() }), Ok(3));
}

#[test]
fn windows_hold_their_beginning_and_not_their_end() {
    let signer = || "alice".to_owned();
    let from = |when| Signer { not_before: Some(at(when)), ..alice() };
    let until = |when| Signer { not_after: Some(at(when)), ..alice() };
    for (entry, expected) in [
        (from(BEFORE), Ok(0)),
        (from(NOW), Ok(0)),
        (from(AFTER), Err(Refusal::TooEarly { signer: signer(), at: at(AFTER) })),
        (until(BEFORE), Err(Refusal::TooLate { signer: signer(), at: at(BEFORE) })),
        (until(NOW), Err(Refusal::TooLate { signer: signer(), at: at(NOW) })),
        (until(AFTER), Ok(0)),
    ] {
        assert_eq!(judge(&[entry], question()), expected);
    }
}

#[test]
fn contexts_outside_the_scope_are_refused() {
    let refusal = |context: Option<&str>| Refusal::Context {
        signer: "alice".to_owned(),
        context: context.map(str::to_owned),
    };
    for context in [None, Some(""), Some("reports"), Some("reports/a/b"), Some("other/a")] {
        let found = judge(&[scoped("reports/*")], Question { context, ..question() });
        assert_eq!(found, Err(refusal(context)));
    }
    let namespaces = Signer { scope: Scope::Namespaces(PatternList::new("*,!b")), ..alice() };
    for (context, expected) in
        [(None, Err(refusal(None))), (Some("a/b"), Ok(0)), (Some("b"), Err(refusal(Some("b"))))]
    {
        let found = judge(std::slice::from_ref(&namespaces), Question { context, ..question() });
        assert_eq!(found, expected);
    }
}

#[test]
fn a_name_that_no_entry_answers_to_is_refused() {
    let asked = |signer| Question { signer: Some(signer), ..question() };
    let signers = [alice(), named("alice@work", alice()), Signer::new("bob", key(BOB))];
    assert_eq!(judge(&signers, asked("alice")), Ok(0));
    assert_eq!(judge(&signers, asked("alice@work")), Ok(1));
    for expected in ["bob", "Alice", "", "alice*"] {
        let refusal =
            Refusal::WrongSigner { expected: expected.to_owned(), found: "alice".to_owned() };
        assert_eq!(judge(&signers, asked(expected)), Err(refusal));
    }
}

#[test]
fn the_first_entry_that_answers_tells_the_reason() {
    let late = Signer { not_after: Some(at(BEFORE)), ..alice() };
    let too_late = |name: &str| Refusal::TooLate { signer: name.to_owned(), at: at(BEFORE) };
    let context = |name: &str| Refusal::Context {
        signer: name.to_owned(),
        context: Some("reports/daily".to_owned()),
    };
    let other = || named("other", scoped("x"));
    for (signers, signer, expected) in [
        (vec![late.clone(), other()], None, too_late("alice")),
        (vec![other(), late.clone()], None, context("other")),
        (vec![other(), late.clone()], Some("alice"), too_late("alice")),
        (vec![late.clone(), other()], Some("other"), context("other")),
        // Within an entry the window is judged first.
        (vec![Signer { not_after: late.not_after, ..scoped("x") }], None, too_late("alice")),
    ] {
        assert_eq!(judge(&signers, Question { signer, ..question() }), Err(expected));
    }
}

#[test]
fn a_revocation_in_any_entry_wins() {
    let refusal = |name: &str, when| Refusal::Revoked {
        signer: name.to_owned(),
        at: Some(at(when)),
        why: Some("lost".to_owned()),
    };
    for (signers, expected) in [
        (vec![revoked(BEFORE)], Err(refusal("alice", BEFORE))),
        (vec![revoked(NOW)], Err(refusal("alice", NOW))),
        (vec![revoked(AFTER)], Ok(0)),
        (vec![alice(), named("other", revoked(NOW))], Err(refusal("other", NOW))),
        (vec![named("other", revoked(NOW)), alice()], Err(refusal("other", NOW))),
        // The revoked key is somebody else's.
        (vec![Signer { key: key(BOB), ..revoked(NOW) }, alice()], Ok(1)),
    ] {
        let asked = Question { signer: Some("alice"), ..question() };
        assert_eq!(judge(&signers, asked), expected);
    }
    // Also where the entry is itself outside its window and scope.
    let signers = [Signer { not_after: Some(at(BEFORE)), ..revoked(NOW) }, alice()];
    assert_eq!(judge(&signers, question()), Err(refusal("alice", NOW)));
}

#[test]
fn the_list_of_revoked_keys_wins() {
    let refusal =
        |signer: &str| Refusal::Revoked { signer: signer.to_owned(), at: None, why: None };
    let id = key(ALICE).id();
    let mut trust = Trust::new(vec![alice()]);
    trust.revoke([key(BOB)]);
    assert!(trust.judge(id, &question()).is_ok());
    trust.revoke(Trust::parse_revoked(ALICE.as_bytes()).unwrap());
    assert_eq!(trust.judge(id, &question()), Err(refusal("alice")));
    let bob = key(BOB).id();
    assert_eq!(trust.judge(bob, &question()), Err(refusal(&bob.to_string())));
}

#[test]
fn keys_are_found_by_id_and_listed_once() {
    let bob = Signer::new("bob", key(BOB));
    let mut trust = Trust::new(vec![bob.clone(), alice(), named("al", alice())]);
    trust.revoke([key(BOB)]);
    assert_eq!(trust.keys(), [&key(BOB), &key(ALICE)]);
    let names = |id| trust.find(id).map(|signer| signer.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names(key(ALICE).id()), ["alice", "al"]);
    assert_eq!(names(key(BOB).id()), ["bob"]);
    assert!(names(key(CAROL).id()).is_empty());
}

#[test]
fn files_are_told_apart_by_their_first_line() {
    let toml = format!("[[signer]]\nname = \"alice\"\nkey = \"{ALICE}\"\n");
    let lines = format!("alice {ALICE}\nbob ssh-rsa AAAA\n");
    for text in [toml.clone(), format!("# a\n\n{toml}"), format!("version=1\r\n{toml}")] {
        let trust = parse(text).unwrap();
        assert_eq!((trust.signers(), trust.skipped()), (&[alice()][..], 0));
    }
    for text in [lines.clone(), format!(" # = [\n{lines}"), format!("\u{feff}{lines}")] {
        let trust = parse(text).unwrap();
        assert!(trust.signers()[0].answers_to("alice"));
        assert_eq!((trust.signers().len(), trust.skipped()), (1, 1));
    }
    for text in ["", "\n \r\n", "# nobody", "# [[signer]]\n\t# a = 1\n"] {
        let trust = parse(text).unwrap();
        assert_eq!((trust.signers().len(), trust.skipped()), (0, 0));
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
        (ALICE, "trust-unknown-option"),
        ("-----BEGIN CERTIFICATE-----", "trust-unknown-option"),
    ] {
        assert_eq!(parse(text).unwrap_err().reason(), reason, "{text}");
    }
}

#[test]
fn files_of_other_than_text_are_refused() {
    for (bytes, line) in [
        (&b"\0"[..], 1),
        (b"# a\n# b\0", 2),
        (b"# a\n\n\xff\n", 3),
        (b"\xef\xbb", 1),
        (b"\xff\xfe[\0", 1),
    ] {
        assert_eq!(parse(bytes).unwrap_err(), TrustError::NotText { line });
        assert_eq!(Trust::parse_revoked(bytes), Err(TrustError::NotText { line }));
    }
}

#[test]
fn files_are_bounded() {
    let limit = MAX_TRUST_FILE_BYTES;
    for found in [limit - 1, limit] {
        let text = "#".repeat(found);
        assert!(parse(&text).unwrap().signers().is_empty());
        assert_eq!(Trust::parse_revoked(text.as_bytes()), Ok(Vec::new()));
    }
    let text = "#".repeat(limit + 1);
    let error = TrustError::TooLarge { found: limit + 1, limit };
    assert_eq!(parse(&text).unwrap_err(), error);
    assert_eq!(Trust::parse_revoked(text.as_bytes()), Err(error.clone()));
    assert_eq!(TrustStore::parse(&text), Err(error));
}

#[test]
fn binary_revocation_lists_are_refused_by_name() {
    for bytes in [&b"SSHKRL\n\0"[..], b"SSHKRL\n\0\0\0\0\x01"] {
        assert_eq!(Trust::parse_revoked(bytes), Err(TrustError::BinaryKrl));
    }
    let error = TrustError::UnknownKeyType { line: 1, found: "SSHKRL".to_owned() };
    assert_eq!(Trust::parse_revoked(b"SSHKRL\n"), Err(error));
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

/// Entries of three keys that differ in all that is judged.
fn entries() -> impl Strategy<Value = Vec<Signer>> {
    let when = || prop::option::of((0..6_u64).prop_map(|at| Timestamp::from_unix(at).unwrap()));
    let scope = prop_oneof![
        Just(Scope::Any),
        "[ab*]{0,2}".prop_filter_map("reserved", |glob| {
            Some(Scope::Globs(vec![ContextGlob::parse(&glob).ok()?]))
        }),
        "[ab*?!,]{0,3}".prop_map(|list| Scope::Namespaces(PatternList::new(list))),
    ];
    let key = prop::sample::select(vec![ALICE, BOB, CAROL]).prop_map(key);
    let entry = ("[ab]", key, scope, when(), when(), when()).prop_map(
        |(name, key, scope, not_before, not_after, revoked_at)| Signer {
            scope,
            not_before,
            not_after,
            revocation: revoked_at.map(|at| Revocation { at, reason: None }),
            ..Signer::new(name, key)
        },
    );
    prop::collection::vec(entry, 0..6)
}

proptest! {
    #[test]
    fn revocation_never_makes_trust(
        mut signers in entries(),
        (index, at, now) in (any::<prop::sample::Index>(), 0..6_u64, 0..6_u64),
        context in prop::option::of("[ab]{0,2}"),
        signer in prop::option::of("[ab]"),
    ) {
        let now = Timestamp::from_unix(now).unwrap();
        let question = Question { context: context.as_deref(), signer: signer.as_deref(), now };
        let before = Trust::new(signers.clone());
        let mut listed = before.clone();
        listed.revoke([key(ALICE)]);
        prop_assume!(!signers.is_empty());
        let chosen = index.get(&signers).key.clone();
        let revoked = Revocation { at: Timestamp::from_unix(at).unwrap(), reason: None };
        let more = Signer { revocation: Some(revoked.clone()), ..Signer::new("c", chosen) };
        // To an entry that has one, an earlier one.
        let entry = index.index(signers.len());
        let earlier = signers[entry].revocation.as_ref().is_none_or(|old| revoked.at <= old.at);
        if earlier {
            signers[entry].revocation = Some(revoked);
        }
        let inside = Trust::new(signers.clone());
        signers.push(Signer { not_after: Timestamp::from_unix(0), ..more });
        let appended = Trust::new(signers);
        for id in [ALICE, BOB, CAROL].map(|text| key(text).id()) {
            if before.judge(id, &question).is_err() {
                prop_assert!(listed.judge(id, &question).is_err());
                prop_assert!(inside.judge(id, &question).is_err());
                prop_assert!(appended.judge(id, &question).is_err());
            }
        }
        prop_assert!(listed.judge(key(ALICE).id(), &question).is_err());
    }

    #[test]
    fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let _ = Trust::parse_revoked(&bytes);
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
        let _ = Trust::parse_revoked(text.as_bytes());
        if let Ok(mut store) = TrustStore::parse(&text) {
            let _ = store.remove("alice");
            prop_assert!(store.trust().is_ok());
        }
    }
}
