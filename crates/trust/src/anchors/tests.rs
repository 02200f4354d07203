use brine_core::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::tests::{ALICE, BOB, CAROL, at, key};
use crate::{ContextGlob, PatternList, Revocation, Scope};

const NOW: &str = "2026-07-01T00:00:00Z";
const BEFORE: &str = "2026-06-30T23:59:59Z";
const AFTER: &str = "2026-07-01T00:00:01Z";

fn entry(name: &str, text: &str) -> TrustEntry {
    Signer::new(name, key(text)).into()
}

fn alice() -> TrustEntry {
    entry("alice", ALICE)
}

fn scoped(glob: &str) -> TrustEntry {
    alice().with_scope(Scope::Globs(vec![ContextGlob::parse(glob).unwrap()]))
}

/// The same entry for another signer.
fn of(signer: Signer, entry: &TrustEntry) -> TrustEntry {
    TrustEntry::new(signer)
        .with_scope(entry.scope().clone())
        .with_not_before(entry.not_before())
        .with_not_after(entry.not_after())
        .with_revocation(entry.revocation().cloned())
}

fn named(name: &str, entry: TrustEntry) -> TrustEntry {
    of(Signer::new(name, entry.key().clone()), &entry)
}

fn revoked(when: &str) -> TrustEntry {
    alice().with_revocation(Revocation { at: at(when), reason: Some("lost".to_owned()) })
}

/// Anybody, in the context "reports/daily", now.
fn question() -> Question<'static> {
    Question { context: Some("reports/daily"), signer: None, now: at(NOW) }
}

/// Judges alice's key; returns the index of the entry that speaks for it.
fn judge(entries: &[TrustEntry], question: Question<'_>) -> Result<usize, Untrusted> {
    let trust = Trust::new(entries.to_vec());
    let evidence = Evidence::Key(key(ALICE).id());
    let judged = trust.judge(&evidence, &question);
    let found = trust.judge_entry(&evidence, &question);
    assert_eq!(judged.clone().map(Cow::into_owned), found.clone().map(|e| e.signer().clone()));
    let found = found?;
    // Judging a record copies no name and no key.
    assert!(std::ptr::eq(judged?.name(), found.name()));
    Ok(trust.entries().iter().position(|entry| std::ptr::eq(entry, found)).unwrap())
}

#[test]
fn a_key_without_an_entry_is_unknown() {
    assert_eq!(judge(&[], question()), Err(Untrusted::unknown(key(ALICE).id())));
    assert_eq!(judge(&[entry("alice", BOB)], question()), Err(Untrusted::unknown(key(ALICE).id())));
}

#[test]
fn an_entry_without_limits_speaks_for_everything() {
    for context in [None, Some(""), Some("a/b")] {
        assert_eq!(judge(&[alice()], Question { context, ..question() }), Ok(0));
    }
}

#[test]
fn the_first_entry_that_holds_speaks() {
    let signers = [entry("bob", BOB), scoped("x"), scoped("reports/*"), alice()];
    assert_eq!(judge(&signers, question()), Ok(2));
    assert_eq!(judge(&signers, Question { context: None, ..question() }), Ok(3));
}

#[test]
fn windows_hold_their_beginning_and_not_their_end() {
    let signer = || "alice".to_owned();
    let from = |when| alice().with_not_before(at(when));
    let until = |when| alice().with_not_after(at(when));
    for (entry, expected) in [
        (from(BEFORE), Ok(0)),
        (from(NOW), Ok(0)),
        (from(AFTER), Err(Untrusted::TooEarly { signer: signer(), at: at(AFTER) })),
        (until(BEFORE), Err(Untrusted::TooLate { signer: signer(), at: at(BEFORE) })),
        (until(NOW), Err(Untrusted::TooLate { signer: signer(), at: at(NOW) })),
        (until(AFTER), Ok(0)),
    ] {
        assert_eq!(judge(&[entry], question()), expected);
    }
}

#[test]
fn contexts_outside_the_scope_are_refused() {
    let refusal = |context: Option<&str>| Untrusted::Context {
        signer: "alice".to_owned(),
        context: context.map(str::to_owned),
    };
    for context in [None, Some(""), Some("reports"), Some("reports/a/b"), Some("other/a")] {
        let found = judge(&[scoped("reports/*")], Question { context, ..question() });
        assert_eq!(found, Err(refusal(context)));
    }
    let namespaces = alice().with_scope(Scope::Namespaces(PatternList::new("*,!b")));
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
    let signers = [alice(), named("alice@work", alice()), entry("bob", BOB)];
    assert_eq!(judge(&signers, asked("alice")), Ok(0));
    assert_eq!(judge(&signers, asked("alice@work")), Ok(1));
    for expected in ["bob", "Alice", "", "alice*"] {
        let refusal =
            Untrusted::WrongSigner { expected: expected.to_owned(), found: "alice".to_owned() };
        assert_eq!(judge(&signers, asked(expected)), Err(refusal));
    }
}

#[test]
fn the_first_entry_that_answers_tells_the_reason() {
    let late = alice().with_not_after(at(BEFORE));
    let too_late = |name: &str| Untrusted::TooLate { signer: name.to_owned(), at: at(BEFORE) };
    let context = |name: &str| Untrusted::Context {
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
        (vec![scoped("x").with_not_after(late.not_after())], None, too_late("alice")),
    ] {
        assert_eq!(judge(&signers, Question { signer, ..question() }), Err(expected));
    }
}

#[test]
fn a_revocation_in_any_entry_wins() {
    let refusal = |name: &str, when| Untrusted::Revoked {
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
        (vec![of(Signer::new("alice", key(BOB)), &revoked(NOW)), alice()], Ok(1)),
    ] {
        let asked = Question { signer: Some("alice"), ..question() };
        assert_eq!(judge(&signers, asked), expected);
    }
    // Also where the entry is itself outside its window and scope.
    let signers = [revoked(NOW).with_not_after(at(BEFORE)), alice()];
    assert_eq!(judge(&signers, question()), Err(refusal("alice", NOW)));
}

#[test]
fn the_list_of_revoked_keys_wins() {
    let refusal =
        |signer: &str| Untrusted::Revoked { signer: signer.to_owned(), at: None, why: None };
    let alice_key = Evidence::Key(key(ALICE).id());
    let mut trust = Trust::new([alice()]);
    trust.revoke([key(BOB)]);
    assert!(trust.judge(&alice_key, &question()).is_ok());
    trust.revoke(crate::RevocationList::parse(ALICE.as_bytes()).unwrap());
    assert_eq!(trust.judge(&alice_key, &question()), Err(refusal("alice")));
    let bob = key(BOB).id();
    assert_eq!(trust.judge(&Evidence::Key(bob), &question()), Err(refusal(&bob.to_string())));
}

#[test]
fn keys_are_found_by_id_and_listed_once() {
    let bob = entry("bob", BOB);
    let mut trust = Trust::new([bob, alice(), named("al", alice())]);
    trust.revoke([key(BOB)]);
    assert_eq!(trust.keys(usize::MAX), [&key(BOB), &key(ALICE)]);
    assert_eq!((trust.keys(1), trust.key_count()), (vec![&key(BOB)], 2));
    let names = |id| trust.entries_of(id).map(TrustEntry::name).collect::<Vec<_>>();
    assert_eq!(names(key(ALICE).id()), ["alice", "al"]);
    assert_eq!(names(key(BOB).id()), ["bob"]);
    assert!(names(key(CAROL).id()).is_empty());
    for (text, expected) in [(ALICE, Some(key(ALICE))), (BOB, Some(key(BOB))), (CAROL, None)] {
        assert_eq!(trust.key(key(text).id()), expected.as_ref());
    }
}

/// Entries of three keys that differ in all that is judged.
fn entries() -> impl Strategy<Value = Vec<TrustEntry>> {
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
        |(name, key, scope, not_before, not_after, revoked_at)| {
            TrustEntry::new(Signer::new(name, key))
                .with_scope(scope)
                .with_not_before(not_before)
                .with_not_after(not_after)
                .with_revocation(revoked_at.map(|at| Revocation { at, reason: None }))
        },
    );
    prop::collection::vec(entry, 0..6)
}

/// The rules of judging, one after the other, without regard to cost.
fn judged_by_definition(entries: &[TrustEntry], asked: Question<'_>) -> Result<usize, Untrusted> {
    let of_key = || entries.iter().enumerate().filter(|(_, entry)| *entry.key() == key(ALICE));
    let Some((_, first)) = of_key().next() else {
        return Err(Untrusted::unknown(key(ALICE).id()));
    };
    for (_, entry) in of_key() {
        if let Some(Revocation { at, reason }) = entry.revocation().filter(|it| it.at <= asked.now)
        {
            let (signer, at, why) = (entry.name().to_owned(), Some(*at), reason.clone());
            return Err(Untrusted::Revoked { signer, at, why });
        }
    }
    let mut refusals = Vec::new();
    for (index, entry) in of_key() {
        let signer = entry.name().to_owned();
        if asked.signer.is_some_and(|name| name != signer) {
        } else if let Some(at) = entry.not_before().filter(|at| *at > asked.now) {
            refusals.push(Untrusted::TooEarly { signer, at });
        } else if let Some(at) = entry.not_after().filter(|at| *at <= asked.now) {
            refusals.push(Untrusted::TooLate { signer, at });
        } else if !entry.scope().allows(asked.context) {
            refusals.push(Untrusted::Context { signer, context: asked.context.map(str::to_owned) });
        } else {
            return Ok(index);
        }
    }
    Err(refusals.into_iter().next().unwrap_or_else(|| Untrusted::WrongSigner {
        expected: asked.signer.unwrap().to_owned(),
        found: first.name().to_owned(),
    }))
}

proptest! {
    #[test]
    fn judging_agrees_with_its_definition(
        entries in entries(),
        now in 0..6_u64,
        context in prop::option::of("[ab]{0,2}"),
        signer in prop::option::of("[abc]"),
    ) {
        let now = Timestamp::from_unix(now).unwrap();
        let asked = Question { context: context.as_deref(), signer: signer.as_deref(), now };
        prop_assert_eq!(judge(&entries, asked), judged_by_definition(&entries, asked));
    }

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
        let chosen = index.get(&signers).key().clone();
        let revoked = Revocation { at: Timestamp::from_unix(at).unwrap(), reason: None };
        let more = TrustEntry::new(Signer::new("c", chosen)).with_revocation(revoked.clone());
        // To an entry that has one, an earlier one.
        let entry = index.index(signers.len());
        let earlier = signers[entry].revocation().is_none_or(|old| revoked.at <= old.at);
        if earlier {
            signers[entry] = signers[entry].clone().with_revocation(revoked);
        }
        let inside = Trust::new(signers.clone());
        signers.push(more.with_not_after(Timestamp::from_unix(0)));
        let appended = Trust::new(signers);
        for id in [ALICE, BOB, CAROL].map(|text| Evidence::Key(key(text).id())) {
            if before.judge(&id, &question).is_err() {
                prop_assert!(listed.judge(&id, &question).is_err());
                prop_assert!(inside.judge(&id, &question).is_err());
                prop_assert!(appended.judge(&id, &question).is_err());
            }
        }
        prop_assert!(listed.judge(&Evidence::Key(key(ALICE).id()), &question).is_err());
    }
}
