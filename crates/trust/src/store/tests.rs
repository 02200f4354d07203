use brine_core::Signer;
use proptest::prelude::*;

use super::*;
use crate::tests::{ALICE, BOB, CAROL, at, key};
use crate::{ContextGlob, PatternList};

mod revoke;

fn store(text: &str) -> TrustStore {
    TrustStore::parse(text).unwrap()
}

fn remove(store: &mut TrustStore, name: &str) -> Result<Vec<TrustEntry>, TrustError> {
    store.remove(|entry| entry.name() == name, Revocations::Keep)
}

/// An entry as `add` writes it.
fn entry(name: &str, key: &str) -> String {
    format!("[[signer]]\nname = \"{name}\"\nkey = \"{key}\"\n")
}

#[test]
fn add_writes_everything_and_reads_it_back() {
    let signer = TrustEntry::new(Signer::new("O'Neil \"é\" \\", key(ALICE)))
        .with_scope(Scope::Globs(vec![ContextGlob::parse("reports/*").unwrap()]))
        .with_not_before(at("1970-01-01T00:00:00Z"))
        .with_not_after(at("9999-12-30T00:00:00Z"))
        .with_revocation(Revocation {
            at: at("2026-06-01T00:00:00Z"),
            reason: Some("#'".to_owned()),
        });
    let mut store = TrustStore::default();
    store.add(&signer).unwrap();
    assert_eq!(store.trust().unwrap().entries(), [signer]);
    let expected = format!(
        "[[signer]]\nname = 'O'Neil \"é\" \\'\nkey = \"{ALICE}\"\ncontexts = [\"reports/*\"]\n\
         not-before = 1970-01-01T00:00:00Z\nnot-after = 9999-12-30T00:00:00Z\n\
         revoked-at = 2026-06-01T00:00:00Z\nrevoked-reason = \"#'\"\n"
    );
    assert_eq!(store.to_string().lines().count(), expected.lines().count());
    assert!(store.to_string().ends_with(expected.split_once("key").unwrap().1));
}

#[test]
fn add_keeps_everything_else_to_the_byte() {
    let bob = TrustEntry::new(Signer::new("bob", key(BOB)));
    for (text, between) in [
        ("".to_owned(), ""),
        ("# top\n".to_owned(), "\n"),
        ("# top".to_owned(), "\n\n"),
        ("version = 1 # one\n\n\n".to_owned(), "\n"),
        (format!("# top\n\n  {}\t# end  \n# more", entry("alice", ALICE)), "\n\n"),
    ] {
        let mut store = store(&text);
        store.add(&bob).unwrap();
        assert_eq!(store.to_string(), format!("{text}{between}{}", entry("bob", BOB)));
    }
}

#[test]
fn add_keeps_line_ends() {
    let mut store = store("# top\r\n");
    store.add(&Signer::new("bob", key(BOB)).into()).unwrap();
    let expected = format!("# top\n\n{}", entry("bob", BOB)).replace('\n', "\r\n");
    assert_eq!(store.to_string(), expected);
}

#[test]
fn add_refuses_what_is_there() {
    let text = entry("alice", ALICE);
    let mut store = store(&text);
    let error = TrustError::AlreadyThere { name: "alice".to_owned() };
    assert_eq!(store.add(&Signer::new("alice", key(ALICE)).into()), Err(error));
    assert_eq!(store.to_string(), text);
    store.add(&Signer::new("alice", key(BOB)).into()).unwrap();
    store.add(&Signer::new("bob", key(ALICE)).into()).unwrap();
    assert_eq!(store.trust().unwrap().entries().len(), 3);
}

#[test]
fn add_refuses_what_cannot_be_written() {
    let alice = || TrustEntry::new(Signer::new("alice", key(ALICE)));
    let error = TrustError::Inexpressible { name: "alice".to_owned() };
    let list = PatternList::new("*");
    for signer in
        [alice().with_principals(list.clone()), alice().with_scope(Scope::Namespaces(list))]
    {
        assert_eq!(TrustStore::default().add(&signer), Err(error.clone()));
    }
    let control = TrustError::ControlCharacter { line: 2, key: "name" };
    for name in ["a\nb", "a\u{1b}", "\u{0}", "a\r"] {
        let added = TrustStore::default().add(&Signer::new(name, key(ALICE)).into());
        assert_eq!(added, Err(control.clone()), "{name:?}");
    }
    let reversed = alice()
        .with_not_before(at("2026-01-02T00:00:00Z"))
        .with_not_after(at("2026-01-01T00:00:00Z"));
    let added = TrustStore::default().add(&reversed);
    assert_eq!(added, Err(TrustError::EmptyWindow { line: 1 }));
}

#[test]
fn add_refuses_a_key_that_is_revoked() {
    let text = format!("{}revoked-at = 2026-01-01T00:00:00Z\n", entry("alice", ALICE));
    let mut store = store(&text);
    let error = TrustError::KeyRevoked { name: "alice".to_owned(), at: at("2026-01-01T00:00:00Z") };
    for name in ["alice", "al"] {
        assert_eq!(store.add(&Signer::new(name, key(ALICE)).into()), Err(error.clone()));
    }
    assert_eq!(store.to_string(), text);
    store.add(&Signer::new("alice", key(BOB)).into()).unwrap();
}

#[test]
fn remove_takes_what_is_chosen_and_no_more() {
    let text = [entry("alice", ALICE), entry("bob", BOB), entry("alice", CAROL)].concat();
    let without_alice = entry("bob", BOB);
    let without_bob = [entry("alice", ALICE), entry("alice", CAROL)].concat();
    let mut edited = store(&text);
    let removed = remove(&mut edited, "alice").unwrap();
    assert_eq!(removed.iter().map(TrustEntry::key).collect::<Vec<_>>(), [&key(ALICE), &key(CAROL)]);
    assert_eq!(edited.to_string(), without_alice);
    let mut edited = store(&text);
    edited.remove(|entry| entry.key() == &key(BOB), Revocations::Keep).unwrap();
    assert_eq!(edited.to_string(), without_bob);
    let mut edited = store(&text);
    for wanted in ["", "Alice", "alice "] {
        assert_eq!(remove(&mut edited, wanted), Ok(Vec::new()), "{wanted}");
    }
    assert_eq!(edited.to_string(), text);
}

#[test]
fn remove_keeps_what_revokes_a_key() {
    let revoked = |name: &str, key: &str, at: &str| {
        format!("{}revoked-at = {at}T00:00:00Z\n", entry(name, key))
    };
    let lost = |name: &str, when: &str| {
        Err(TrustError::RevocationLost { name: name.to_owned(), at: at(when) })
    };
    let alice = revoked("alice", ALICE, "2026-02-01");
    // What is left of the key revokes it, too late, not at all, or in time.
    for (rest, expected) in [
        (entry("al", ALICE), lost("alice", "2026-02-01T00:00:00Z")),
        (revoked("al", ALICE, "2026-03-01"), lost("alice", "2026-02-01T00:00:00Z")),
        (revoked("bob", BOB, "2026-01-01"), lost("alice", "2026-02-01T00:00:00Z")),
        (String::new(), lost("alice", "2026-02-01T00:00:00Z")),
        (revoked("al", ALICE, "2026-02-01"), Ok(1)),
        (revoked("al", ALICE, "2026-01-01"), Ok(1)),
    ] {
        let text = format!("{alice}{rest}");
        let mut edited = store(&text);
        let removed = remove(&mut edited, "alice").map(|removed| removed.len());
        assert_eq!(removed, expected, "{rest}");
        assert_eq!(edited.to_string(), if expected.is_ok() { &rest } else { &text }.as_str());
        let dropped = store(&text).remove(|entry| entry.name() == "alice", Revocations::Drop);
        assert_eq!(dropped.map(|removed| removed.len()), Ok(1), "{rest}");
    }
}

#[test]
fn remove_keeps_everything_else_to_the_byte() {
    let (alice, bob) = (entry("alice", ALICE), entry("bob", BOB));
    for (text, rest) in [
        (
            format!("# top\n\n# of bob\n{bob}\n# of alice\n{alice}"),
            format!("# top\n\n# of alice\n{alice}"),
        ),
        (
            format!("version = 1 # v\r\n{bob}# of alice\r\n{alice}"),
            format!("version = 1 # v\r\n# of alice\r\n{alice}"),
        ),
        (format!("{bob}\n\n# team A\n\n{alice}"), format!("\n# team A\n\n{alice}")),
        (
            format!("{alice}\n# of bob\n # more\n\t{}# end", bob.replace('\n', " # x\n")),
            format!("{alice}# end"),
        ),
        (
            format!("{alice}contexts = [ # a\n 'x', ]\n\n{}", bob.trim_end()),
            format!("{alice}contexts = [ # a\n 'x', ]\n"),
        ),
    ] {
        let mut store = store(&text);
        assert_eq!(remove(&mut store, "bob").unwrap().len(), 1);
        assert_eq!(store.to_string(), rest);
    }
}

#[test]
fn remove_leaves_strings_of_the_entry_before_alone() {
    let reason = "revoked-at = 2026-01-01T00:00:00Z\nrevoked-reason = '''\\\n# not a comment'''\n";
    let text = format!("{}{reason}{}", entry("alice", ALICE), entry("bob", BOB));
    // Line ends are control characters, so that such strings do not get in to begin with.
    let error = TrustError::ControlCharacter { line: 5, key: "revoked-reason" };
    assert_eq!(TrustStore::parse(&text), Err(error));
    let text = text.replace("'''", "\"\"\"");
    let mut store = store(&text);
    assert_eq!(remove(&mut store, "bob").unwrap().len(), 1);
    assert_eq!(
        store.to_string(),
        format!("{}{}", entry("alice", ALICE), reason.replace("'''", "\"\"\""))
    );
}

#[test]
fn a_store_is_never_invalid() {
    let error = TrustError::UnknownKey { line: 1, key: "x".to_owned() };
    assert_eq!(TrustStore::parse("x = 1"), Err(error));
}

#[test]
fn an_allowed_signers_file_is_named_as_one() {
    for text in [format!("# ours\nalice {ALICE}\n"), format!("*@x namespaces=\"a\" {ALICE}")] {
        assert_eq!(TrustStore::parse(&text), Err(TrustError::AllowedSigners), "{text}");
    }
    for text in ["broken", "alice", "alice valid-after=\"x\" ssh-ed25519 AAAA"] {
        let error = TrustStore::parse(text).unwrap_err();
        assert!(matches!(error, TrustError::Toml { line: 1, .. }), "{text}: {error}");
    }
}

/// Texts of comments, blank lines and entries, each line ended.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\n".to_owned()),
        Just("# comment\n".to_owned()),
        Just(entry("alice", ALICE)),
        Just(entry("carol", CAROL).replace('\n', " # x\n")),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn add_then_remove_gives_back_the_same_text(text in texts(), name in "[ -~é]{1,20}") {
        prop_assume!(name != "alice" && name != "carol");
        let mut store = store(&text);
        store.add(&Signer::new(&name, key(BOB)).into()).unwrap();
        prop_assert_eq!(remove(&mut store, &name).unwrap().len(), 1);
        prop_assert_eq!(store.to_string(), text);
    }

    #[test]
    fn remove_leaves_the_others(text in texts()) {
        let mut store = store(&text);
        let before = store.trust().unwrap();
        if remove(&mut store, "alice").is_ok() {
            let after = store.trust().unwrap();
            let rest = before.entries().iter().filter(|entry| entry.name() != "alice");
            prop_assert_eq!(after.entries().iter().collect::<Vec<_>>(), rest.collect::<Vec<_>>());
        }
    }
}
