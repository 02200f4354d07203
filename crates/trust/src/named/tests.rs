use brine_core::Signer;

use super::*;
use crate::tests::{ALICE, BOB, CAROL, at, key};
use crate::{PatternList, Revocation};

fn entry(name: &str, line: &str) -> TrustEntry {
    TrustEntry::new(Signer::new(name, key(line)))
}

fn named<'t>(trust: &'t Trust, text: &str) -> Vec<&'t str> {
    trust.named(text).into_iter().map(TrustEntry::name).collect()
}

#[test]
fn signers_are_meant_by_name_key_and_fingerprint() {
    let trust = Trust::new([entry("alice", ALICE), entry("bob", BOB), entry("al", ALICE)]);
    let id = key(ALICE).id();
    let ssh = Fingerprint::ssh(&key(ALICE));
    for text in [
        ALICE.to_owned(),
        format!(" {ALICE} comment\n"),
        id.to_string(),
        id.to_string().to_uppercase(),
        id.grouped(),
        ssh.to_string(),
        ssh.grouped(),
    ] {
        assert_eq!(named(&trust, &text), ["alice", "al"], "{text}");
    }
    assert_eq!(named(&trust, "bob"), ["bob"]);
    let short = id.short();
    for text in ["", "Alice", "alice ", "SHA256:", CAROL, "ssh-ed25519 AAAA", short.as_str()] {
        assert!(trust.named(text).is_empty(), "{text:?}");
    }
}

/// Whoever revokes a key by its fingerprint revokes that key, whatever others are called.
#[test]
fn what_gives_a_key_means_the_key_and_no_name() {
    for text in [key(BOB).id().to_string(), Fingerprint::ssh(&key(BOB)).to_string(), BOB.to_owned()]
    {
        let trust = Trust::new([entry("bob", BOB), entry(&text, ALICE)]);
        assert_eq!(trust.named(&text), [&entry("bob", BOB)], "{text}");
        let trust = Trust::new([entry(&text, ALICE)]);
        assert!(trust.named(&text).is_empty(), "{text}");
    }
}

#[test]
fn patterns_answer_to_the_names_that_they_match() {
    let pattern = entry("*@example.org", ALICE).with_principals(PatternList::new("*@example.org"));
    let trust = Trust::new([pattern]);
    assert_eq!(named(&trust, "alice@example.org"), ["*@example.org"]);
    assert!(trust.named("alice@example.com").is_empty());
}

#[test]
fn a_state_is_that_of_the_moment() {
    let (start, end) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let windowed = || entry("alice", ALICE).with_not_before(start).with_not_after(end);
    let trust = Trust::new([windowed()]);
    for (now, state) in [
        ("2025-12-31T23:59:59Z", EntryState::NotYet),
        ("2026-01-01T00:00:00Z", EntryState::Trusted),
        ("2026-12-31T23:59:59Z", EntryState::Trusted),
        ("2027-01-01T00:00:00Z", EntryState::Expired),
    ] {
        assert_eq!(trust.state(&windowed(), at(now)), state, "{now}");
    }
    let revoked = |when| entry("al", ALICE).with_revocation(Revocation { at: when, reason: None });
    // The other entry of the key revokes it, from its moment on.
    let trust = Trust::new([windowed(), revoked(at("2026-06-01T00:00:00Z"))]);
    for (now, state) in [
        ("2026-05-31T23:59:59Z", EntryState::Trusted),
        ("2026-06-01T00:00:00Z", EntryState::Revoked),
        ("2028-01-01T00:00:00Z", EntryState::Revoked),
    ] {
        assert_eq!(trust.state(&windowed(), at(now)), state, "{now}");
    }
    let mut trust = Trust::new([windowed()]);
    trust.revoke([key(ALICE)]);
    assert_eq!(trust.state(&windowed(), start), EntryState::Revoked);
}

#[test]
fn names_of_states_are_padded() {
    assert_eq!(format!("{:<8}|", EntryState::NotYet), "not yet |");
}
