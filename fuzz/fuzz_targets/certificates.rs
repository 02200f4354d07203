//! Certificates are read without a panic; what was read and is issued again says the same; and an authority vouches
//! for a key only by a signature of its own.

#![no_main]

use std::sync::LazyLock;

use brine_core::{
    Certificates, Evidence, Question, Signer, SigningKey, Timestamp, TrustAnchors as _,
};
use brine_keys::{CertificateDraft, OpensshCertificate, certificate_in_line, certificate_line};
use brine_trust::{Authority, PatternList, Trust, TrustEntry};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

static ISSUER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed(&Zeroizing::new([7; 32])));

fuzz_target!(|input: &[u8]| {
    let _ = certificate_in_line(input);
    let _ = Certificates::decode(input);
    if !input.is_empty() {
        let line = certificate_line(input, "comment");
        assert_eq!(certificate_in_line(&line).as_deref(), Ok(input));
    }
    let Ok(found) = OpensshCertificate::parse(input) else { return };
    issued_again(&found);
    judged(&found, input);
});

fn draft(found: &OpensshCertificate) -> CertificateDraft<'_> {
    CertificateDraft {
        key: found.key(),
        nonce: [1; 32],
        serial: found.serial,
        key_id: &found.key_id,
        principals: &found.principals,
        valid_after: found.valid_after,
        valid_before: found.valid_before,
        contexts: found.contexts.as_deref(),
        may_delegate: found.may_delegate,
    }
}

fn issued_again(found: &OpensshCertificate) {
    let blob = draft(found).issue(&*ISSUER).expect("a key in memory signs");
    let again = OpensshCertificate::parse(&blob).expect("what is issued can be read");
    assert_eq!(again.verify_signature(), Ok(()));
    assert_eq!(again.issuer(), ISSUER.verifying_key());
    let says = |found: &OpensshCertificate| {
        let window = (found.valid_after, found.valid_before);
        let names = (found.key_id.clone(), found.principals.clone(), found.contexts.clone());
        (found.key().clone(), found.serial, window, names, found.may_delegate)
    };
    assert_eq!(says(&again), says(found));
    // Another byte, and the signature is of something else.
    let mut altered = blob.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    if let Ok(altered) = OpensshCertificate::parse(&altered) {
        assert!(altered.verify_signature().is_err());
    }
}

fn judged(found: &OpensshCertificate, blob: &[u8]) {
    let entry = TrustEntry::new(Signer::new("team", found.issuer().clone()));
    let trust = Trust::default().with_authorities([Authority::new(entry, PatternList::new("*"))]);
    let Ok(certificates) = Certificates::new(&[blob]) else { return };
    let key = trust.certified_key(&certificates);
    assert_eq!(key.is_ok(), found.verify_signature().is_ok());
    let evidence = Evidence::new(found.key().id(), Some(certificates));
    let now = Timestamp::from_unix(1_800_000_000).expect("a time");
    let question = Question { context: Some("jobs/a"), signer: None, now };
    if let Ok(signer) = trust.judge(&evidence, &question) {
        assert!(key.is_ok() && found.judge(now).is_ok());
        assert!(found.principals.iter().any(|name| name == signer.name()));
        assert_eq!(signer.key(), found.key());
    }
}
