//! Key files are read without a panic, a passphrase is asked for where `is_encrypted` says so and
//! nowhere else, and whatever is read is the same key after it is written in each form.

#![no_main]

use brine_core::VerifyingKey;
use brine_keys::{
    KeyFileError, is_encrypted, openssh_line, openssh_private, pkcs8_pem, read_openssh_line,
    read_private, read_public, spki_pem,
};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

fuzz_target!(|input: &[u8]| {
    private(input);
    if let Ok(key) = read_public(input) {
        public(&key, "");
    }
    if let Ok(line) = str::from_utf8(input)
        && let Ok((key, comment)) = read_openssh_line(line)
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
    let parsed = read_private(input, &mut || {
        asked += 1;
        Err(KeyFileError::PassphraseNeeded)
    });
    assert!(asked <= 1, "asked {asked} times");
    let locked = is_encrypted(input);
    assert_eq!(asked == 1, locked == Ok(true), "{locked:?}");
    let Ok(key) = parsed else { return };
    let public = read_public(input).expect("a private key shows its public half");
    assert_eq!(&public, key.verifying_key());
    let pkcs8 = pkcs8_pem(&key).expect("it fits in memory");
    let openssh = openssh_private(&key, "a comment", None).expect("it fits in memory");
    for text in [pkcs8, openssh] {
        let again = read_private(text.as_bytes(), &mut || -> Result<Zeroizing<_>, KeyFileError> {
            panic!("a plain key asks for a passphrase")
        });
        assert_eq!(again.expect("own keys are read").verifying_key(), &public);
    }
}

fn public(key: &VerifyingKey, comment: &str) {
    let line = openssh_line(key, comment);
    assert!(!line.contains(char::is_control), "{line:?}");
    let (again, shown) = read_openssh_line(&line).expect("own lines are read");
    assert_eq!(&again, key);
    assert_eq!(openssh_line(&again, &shown), line, "a line written twice is another line");
    for text in [line, spki_pem(key)] {
        assert_eq!(&read_public(text.as_bytes()).expect("own keys are read"), key);
    }
}
