//! Trust files are read without a panic and by one reader only; a signer that is added to one comes
//! back whole and goes again without a trace, and removing one removes nothing else.

#![no_main]

use brine::key::VerifyingKey;
use brine::trust::{ContextGlob, Revocation, Scope, Signer, TrustStore};
use brine::{Timestamp, Trust};
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let trust = Trust::parse(input, &|| TimeZone::UTC);
    for key in Trust::parse_revoked(input).unwrap_or_default() {
        assert_eq!(VerifyingKey::from_bytes(&key.to_bytes()), Ok(key));
    }
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(store) = TrustStore::parse(text) else { return };
    assert_eq!(store.to_string(), text);
    let signers = signers(&store);
    // A file that names nobody may be of either form.
    if !signers.is_empty() {
        assert_eq!(trust.expect("what can be edited can be read").signers(), signers);
    }
    adds(&store, &signers);
    removes(&store, &signers);
});

fn adds(store: &TrustStore, before: &[Signer]) {
    let signer = new_signer();
    let mut edited = store.clone();
    if before.iter().any(|old| old.name == signer.name) {
        return;
    }
    edited.add(&signer).expect("a new name can be added");
    assert_eq!(signers(&edited), [before, std::slice::from_ref(&signer)].concat());
    assert!(edited.to_string().starts_with(&store.to_string()), "what was there has changed");
    assert_eq!(edited.remove(&signer.name), Ok(1));
    let (old, new) = (store.to_string(), edited.to_string());
    let left = new.strip_prefix(&old).expect("what was there has changed");
    assert!(left.trim().is_empty() && left.len() <= 2, "left behind: {left:?}");
}

fn removes(store: &TrustStore, before: &[Signer]) {
    for signer in before {
        let mut edited = store.clone();
        let removed = edited.remove(&signer.name).expect("who is there can be removed");
        let rest: Vec<_> = before.iter().filter(|old| old.name != signer.name).cloned().collect();
        assert_eq!((removed, signers(&edited)), (before.len() - rest.len(), rest));
    }
}

fn signers(store: &TrustStore) -> Vec<Signer> {
    store.trust().expect("a store is valid at all times").signers().to_vec()
}

fn new_signer() -> Signer {
    let at = |text| Timestamp::parse_rfc3339(text).expect("a time");
    let mut key = [0x66; 32];
    key[0] = 0x58; // the base point (RFC 8032, Section 5.1)
    let mut signer = Signer::new("new", VerifyingKey::from_bytes(&key).expect("a point"));
    signer.scope = Scope::Globs(vec![ContextGlob::parse("reports/*").expect("a glob")]);
    signer.not_before = Some(at("2026-01-01T00:00:00Z"));
    signer.not_after = Some(at("2027-01-01T00:00:00Z"));
    signer.revocation =
        Some(Revocation { at: at("2026-06-01T00:00:00Z"), reason: Some("\"lost\" #1".to_owned()) });
    signer
}
