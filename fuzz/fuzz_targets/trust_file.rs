//! Trust files are read without a panic and by one reader only; an entry that is added to one comes
//! back whole and goes again without a trace, and removing one removes nothing else.

#![no_main]

use brine_core::{Signer, Timestamp, VerifyingKey};
use brine_trust::{
    ContextGlob, Revocation, RevocationList, Revocations, Scope, TimeZone, Trust, TrustEntry, TrustError, TrustStore,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let trust = Trust::parse_with_lists(input, &|| TimeZone::UTC);
    let _ = RevocationList::parse(input);
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(store) = TrustStore::parse(text) else { return };
    assert_eq!(store.to_string(), text);
    let entries = entries(&store);
    // A file that names nobody may be of either form.
    if !entries.is_empty() {
        assert_eq!(trust.expect("what can be edited can be read").0.entries(), entries);
    }
    adds(&store, &entries);
    removes(&store, &entries);
    revokes(&store, &entries);
});

fn adds(store: &TrustStore, before: &[TrustEntry]) {
    let entry = new_entry();
    let mut edited = store.clone();
    if before.iter().any(|old| old.name() == entry.name()) {
        return;
    }
    edited.add(&entry).expect("a new name can be added");
    assert_eq!(entries(&edited), [before, std::slice::from_ref(&entry)].concat());
    assert!(edited.to_string().starts_with(&store.to_string()), "what was there has changed");
    let removed = edited.remove(|old| old.name() == entry.name(), Revocations::Drop);
    assert_eq!(removed, Ok(vec![entry]));
    let (old, new) = (store.to_string(), edited.to_string());
    let left = new.strip_prefix(&old).expect("what was there has changed");
    assert!(left.trim().is_empty() && left.len() <= 2, "left behind: {left:?}");
}

fn removes(store: &TrustStore, before: &[TrustEntry]) {
    for entry in before {
        let mut edited = store.clone();
        let is_chosen = |old: &TrustEntry| old.name() == entry.name();
        let removed = edited.remove(is_chosen, Revocations::Drop);
        let (chosen, rest): (Vec<_>, Vec<_>) = before.iter().cloned().partition(is_chosen);
        assert_eq!((removed, entries(&edited)), (Ok(chosen), rest));
    }
}

/// A key is revoked in each of its entries, and nothing else changes.
fn revokes(store: &TrustStore, before: &[TrustEntry]) {
    let new = new_entry().revocation().expect("it has one").clone();
    for entry in before {
        let mut edited = store.clone();
        match edited.revoke(entry.signer(), &new) {
            Ok(_) => assert_ne!(edited.to_string(), store.to_string()),
            Err(TrustError::AlreadyRevoked { .. }) => assert_eq!(edited, *store),
            Err(TrustError::TooLarge { .. }) => continue,
            Err(error) => panic!("{error}"),
        }
        for (old, edited) in before.iter().zip(entries(&edited)) {
            if old.key() == entry.key() {
                assert!(edited.revocation().is_some_and(|revoked| revoked.at <= new.at));
            }
            let revocation = old.revocation().cloned();
            assert_eq!(edited.with_revocation(revocation), *old);
        }
    }
}

fn entries(store: &TrustStore) -> Vec<TrustEntry> {
    store.trust().expect("a store is valid at all times").entries().to_vec()
}

fn new_entry() -> TrustEntry {
    let at = |text| Timestamp::parse_rfc3339(text).expect("a time");
    let mut key = [0x66; 32];
    key[0] = 0x58; // the base point (RFC 8032, Section 5.1)
    let key = VerifyingKey::from_bytes(&key).expect("a point");
    let reason = Some("\"lost\" #1".to_owned());
    TrustEntry::new(Signer::new("new", key))
        .with_scope(Scope::Globs(vec![ContextGlob::parse("reports/*").expect("a glob")]))
        .with_not_before(at("2026-01-01T00:00:00Z"))
        .with_not_after(at("2027-01-01T00:00:00Z"))
        .with_revocation(Revocation { at: at("2026-06-01T00:00:00Z"), reason })
}
