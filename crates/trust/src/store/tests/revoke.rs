//! Revoking.

use super::*;

const JUNE: &str = "2026-06-01T00:00:00Z";

fn revocation(when: &str, reason: Option<&str>) -> Revocation {
    Revocation { at: at(when), reason: reason.map(str::to_owned) }
}

fn revoke(store: &mut TrustStore, line: &str, new: &Revocation) -> Result<usize, TrustError> {
    store.revoke(&Signer::new("new", key(line)), new).map(|entries| entries.len())
}

#[test]
fn revoke_writes_below_the_entry_and_keeps_everything_else_to_the_byte() {
    let (alice, bob) = (entry("alice", ALICE), entry("bob", BOB));
    let new = "revoked-at = 2026-06-01T00:00:00Z\nrevoked-reason = \"laptop stolen\"\n";
    for (text, expected) in [
        (alice.clone(), format!("{alice}{new}")),
        (
            format!("# top\n\n# of alice\n{alice}\n# of bob\n{bob}"),
            format!("# top\n\n# of alice\n{alice}{new}\n# of bob\n{bob}"),
        ),
        (format!("{bob}\n{}", alice.trim_end()), format!("{bob}\n{alice}{new}")),
        (
            format!("{alice}contexts = [ # a\n 'x', ] # b\n\n\n{bob}"),
            format!("{alice}contexts = [ # a\n 'x', ] # b\n{new}\n\n{bob}"),
        ),
        (alice.replace('\n', "\r\n"), format!("{alice}{new}").replace('\n', "\r\n")),
    ] {
        let mut store = store(&text);
        assert_eq!(revoke(&mut store, ALICE, &revocation(JUNE, Some("laptop stolen"))), Ok(1));
        assert_eq!(store.to_string(), expected);
    }
}

#[test]
fn revoke_takes_all_entries_of_the_key_and_no_others() {
    let text = [entry("alice", ALICE), entry("bob", BOB), entry("al", ALICE)].concat();
    let mut store = store(&text);
    let revoked = store.revoke(&Signer::new("x", key(ALICE)), &revocation(JUNE, None)).unwrap();
    let names: Vec<_> = revoked.iter().map(TrustEntry::name).collect();
    assert_eq!(names, ["alice", "al"]);
    let trust = store.trust().unwrap();
    let states: Vec<_> = trust.entries().iter().map(|entry| entry.revocation().is_some()).collect();
    assert_eq!(states, [true, false, true]);
}

#[test]
fn a_revocation_is_never_postponed() {
    let old = |rest: &str| format!("{}revoked-at = {rest}\n", entry("alice", ALICE));
    let (may, june) = ("2026-05-01T00:00:00Z", JUNE);
    for (text, new, expected) in [
        (format!("{june} # x"), revocation(may, None), Ok(format!("{may} # x"))),
        (format!("'{june}'"), revocation(may, None), Ok(may.to_owned())),
        (may.to_owned(), revocation(june, None), Err(may)),
        (june.to_owned(), revocation(june, None), Err(june)),
        (
            format!("{june}\nrevoked-reason = 'a' # b"),
            revocation(may, None),
            Ok(format!("{may}\nrevoked-reason = 'a' # b")),
        ),
        (
            format!("{may}\nrevoked-reason = 'a' # b"),
            revocation(june, Some("c")),
            Ok(format!("{may}\nrevoked-reason = \"c\" # b")),
        ),
        (may.to_owned(), revocation(june, Some("c")), Ok(format!("{may}\nrevoked-reason = \"c\""))),
        (
            format!("{june}\nrevoked-reason = \"\"\"\\\n  # a\"\"\" # b"),
            revocation(may, Some("c")),
            Ok(format!("{may}\nrevoked-reason = \"c\" # b")),
        ),
    ] {
        let text = old(&text);
        let mut store = store(&text);
        let revoked = revoke(&mut store, ALICE, &new);
        match expected {
            Ok(rest) => {
                assert_eq!(revoked, Ok(1), "{text}");
                assert_eq!(store.to_string(), old(&rest));
            }
            Err(stays) => {
                let error = TrustError::AlreadyRevoked { name: "alice".to_owned(), at: at(stays) };
                assert_eq!(revoked, Err(error));
                assert_eq!(store.to_string(), text);
            }
        }
    }
}

#[test]
fn the_order_of_keys_in_an_entry_does_not_matter() {
    let text = format!(
        "[[signer]]\nrevoked-reason = 'a'\nname = 'alice'\nrevoked-at = {JUNE}\nkey = '{ALICE}'\n"
    );
    let mut store = store(&text);
    let new = revocation("2026-05-01T00:00:00Z", Some("it is \"lost\""));
    assert_eq!(revoke(&mut store, ALICE, &new), Ok(1));
    assert_eq!(store.trust().unwrap().entries()[0].revocation(), Some(&new));
}

#[test]
fn a_key_that_is_not_there_gets_an_entry_that_trusts_it_for_nothing() {
    let text = format!("# ours\n{}", entry("bob", BOB));
    let mut store = store(&text);
    let signer = Signer::new("alice's laptop", key(ALICE));
    let revoked = store.revoke(&signer, &revocation("2999-01-01T00:00:00Z", None)).unwrap();
    assert_eq!(revoked[0].scope(), &Scope::Globs(Vec::new()));
    let written = entry("alice's laptop", ALICE);
    assert_eq!(
        store.to_string(),
        format!("{text}\n{written}contexts = []\nrevoked-at = 2999-01-01T00:00:00Z\n")
    );
    // Until then it is refused for its contexts.
    assert!(!revoked[0].scope().allows(None) && !revoked[0].scope().allows(Some("")));
}

#[test]
fn a_reason_holds_only_what_can_be_seen() {
    let text = entry("alice", ALICE);
    let mut store = store(&text);
    let error = TrustError::ControlCharacter { line: 5, key: "revoked-reason" };
    assert_eq!(revoke(&mut store, ALICE, &revocation(JUNE, Some("a\nb"))), Err(error));
    assert_eq!(store.to_string(), text);
}

proptest! {
    #[test]
    fn revoke_adds_a_line_and_changes_no_other(text in texts()) {
        let mut store = store(&text);
        let before = store.trust().unwrap();
        let count = before.entries_of(key(ALICE).id()).count();
        let revoked = revoke(&mut store, ALICE, &revocation(JUNE, None));
        prop_assert_eq!(revoked, Ok(count.max(1)));
        let line = format!("revoked-at = {JUNE}\n");
        if count > 0 {
            prop_assert_eq!(store.to_string().replace(&line, ""), text);
        }
        prop_assert_eq!(store.to_string().matches(&line).count(), count.max(1));
    }
}
