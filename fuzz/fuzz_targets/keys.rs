//! Key files are read without a panic, a passphrase is asked for where `is_encrypted` says so and
//! nowhere else, and whatever is read is the same key after it is written in each form.

#![no_main]

use brine::key::{KeyError, SigningKey, VerifyingKey};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

fuzz_target!(|input: &[u8]| {
    private(input);
    if let Ok(key) = VerifyingKey::parse(input) {
        public(&key, "");
    }
    if let Ok(line) = str::from_utf8(input)
        && let Ok((key, comment)) = VerifyingKey::from_openssh(line)
    {
        public(&key, &comment);
    }
    if let Some(bytes) = input.first_chunk()
        && let Ok(key) = VerifyingKey::from_bytes(bytes)
    {
        assert_eq!(key.to_bytes(), *bytes);
        public(&key, "");
    }
});

fn private(input: &[u8]) {
    let mut asked = 0;
    let parsed = SigningKey::parse(input, &mut || {
        asked += 1;
        Err(KeyError::PassphraseNeeded)
    });
    assert!(asked <= 1, "asked {asked} times");
    let encrypted = SigningKey::is_encrypted(input);
    assert_eq!(asked == 1, encrypted == Ok(true), "{encrypted:?}");
    let Ok(key) = parsed else { return };
    let public = VerifyingKey::parse(input).expect("a private key shows its public half");
    assert_eq!(&public, key.verifying_key());
    let pkcs8 = key.to_pkcs8_pem().expect("it fits in memory");
    let openssh = key.to_openssh("a comment", None).expect("it fits in memory");
    for text in [pkcs8, openssh] {
        let again =
            SigningKey::parse(text.as_bytes(), &mut || -> Result<Zeroizing<_>, KeyError> {
                panic!("a plain key asks for a passphrase")
            });
        assert_eq!(again.expect("own keys are read").verifying_key(), &public);
    }
}

fn public(key: &VerifyingKey, comment: &str) {
    let line = key.to_openssh(comment);
    assert!(!line.contains(char::is_control), "{line:?}");
    let (again, shown) = VerifyingKey::from_openssh(&line).expect("own lines are read");
    assert_eq!(&again, key);
    assert_eq!(again.to_openssh(&shown), line, "a line written twice is another line");
    for text in [line, key.to_spki_pem()] {
        assert_eq!(&VerifyingKey::parse(text.as_bytes()).expect("own keys are read"), key);
    }
}
