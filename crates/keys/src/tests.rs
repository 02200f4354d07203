//! Reading, writing and signing, over the public functions.

use std::io;

use brine_core::SigningKey;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    std::array::from_fn(|at| digit(2 * at))
}

fn key(seed: &str) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new(hex(seed)))
}

fn rfc8032_test_1() -> SigningKey {
    key("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
}

fn open(bytes: &[u8], passphrase: &str) -> Result<SigningKey, KeyFileError> {
    read_private(bytes, &mut || Ok(Zeroizing::new(passphrase.to_owned())))
}

/// Reads a file that must not ask for a passphrase.
fn plain(bytes: &[u8]) -> Result<SigningKey, KeyFileError> {
    read_private(bytes, &mut || panic!("asked for a passphrase"))
}

fn same(left: &SigningKey, right: &SigningKey) -> bool {
    left.expose_seed() == right.expose_seed() && left.verifying_key() == right.verifying_key()
}

#[test]
fn rfc_8032_section_7_1() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"".as_slice(),
            concat!(
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
                "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            concat!(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
    ] {
        let key = key(seed);
        assert_eq!(key.verifying_key().to_bytes(), hex(public));
        assert_eq!(key.sign(&[message]), hex(signature));
        assert_eq!(key.sign(&[&[], message]), hex(signature));
        assert!(key.verifying_key().verify(&[message], &hex::<64>(signature)));
    }
    assert_eq!(rfc8032_test_1().sign(&[]), rfc8032_test_1().sign(&[&[]]));
}

#[test]
fn files_of_openssl_open() {
    let wanted = plain(fixture!("ed25519.pem")).unwrap();
    assert_eq!(pkcs8_pem(&wanted).unwrap().as_bytes(), fixture!("ed25519.pem"));
    for file in [
        fixture!("ed25519.default.pem"),
        fixture!("ed25519.aes256.pem"),
        fixture!("ed25519.scrypt.pem"),
    ] {
        assert_eq!(is_encrypted(file), Ok(true));
        assert!(same(&open(file, "correct horse").unwrap(), &wanted));
        assert_eq!(open(file, "wrong horse").unwrap_err(), KeyFileError::WrongPassphrase);
        assert_eq!(open(file, "").unwrap_err(), KeyFileError::WrongPassphrase);
    }
    let key = open(fixture!("genpkey.aes256.pem"), "correct horse").unwrap();
    assert_eq!(spki_pem(key.verifying_key()).as_bytes(), fixture!("genpkey.pub.pem"));
}

#[test]
fn files_of_ssh_keygen_open() {
    let public = |file| read_public(file).unwrap();
    let key = plain(fixture!("ssh")).unwrap();
    assert_eq!(key.verifying_key(), &public(fixture!("ssh.pub")));
    for (private, half) in [
        (fixture!("ssh.ctr"), fixture!("ssh.ctr.pub")),
        (fixture!("ssh.gcm"), fixture!("ssh.gcm.pub")),
        (fixture!("ssh.chacha"), fixture!("ssh.chacha.pub")),
    ] {
        assert_eq!(is_encrypted(private), Ok(true));
        let key = open(private, "correct horse").unwrap();
        assert_eq!(key.verifying_key(), &public(half));
        assert_eq!(open(private, "wrong horse").unwrap_err(), KeyFileError::WrongPassphrase);
        assert_eq!(open(private, "").unwrap_err(), KeyFileError::WrongPassphrase);
    }
}

#[test]
fn public_keys_do_not_sign() {
    for file in [fixture!("ssh.pub"), fixture!("ed25519.pub.pem"), fixture!("rsa.pub.pem")] {
        assert_eq!(plain(file).unwrap_err(), KeyFileError::PrivateExpected);
        assert_eq!(is_encrypted(file), Err(KeyFileError::PrivateExpected));
    }
}

#[test]
fn the_error_of_the_caller_comes_back_and_it_is_asked_once() {
    let mut asked = 0;
    for file in [fixture!("ssh.ctr"), fixture!("ed25519.scrypt.pem")] {
        let mut ask = || {
            asked += 1;
            Err(KeyFileError::PassphraseNeeded)
        };
        let found = read_private(file, &mut ask).unwrap_err();
        assert_eq!(found, KeyFileError::PassphraseNeeded);
    }
    assert_eq!(asked, 2);
    for file in [fixture!("ssh"), fixture!("ed25519.pem")] {
        assert_eq!(is_encrypted(file), Ok(false));
    }
}

#[test]
fn debug_shows_no_secret() {
    assert_eq!(format!("{:?}", rfc8032_test_1()), "SigningKey { .. }");
}

#[test]
fn new_keys_differ() {
    let (one, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    assert_ne!(one.verifying_key(), other.verifying_key());
}

#[test]
fn encrypted_forms_read_back() {
    let key = rfc8032_test_1();
    for passphrase in ["correct horse", "\u{3a9} \n", &"x".repeat(2000)] {
        for file in [
            encrypted_pkcs8_pem(&key, passphrase).unwrap(),
            openssh_private(&key, "", Some(passphrase)).unwrap(),
        ] {
            assert!(same(&open(file.as_bytes(), passphrase).unwrap(), &key));
            let wrong = open(file.as_bytes(), "x").unwrap_err();
            assert_eq!(wrong, KeyFileError::WrongPassphrase);
        }
    }
    assert_eq!(encrypted_pkcs8_pem(&key, "").unwrap_err(), KeyFileError::PassphraseEmpty);
    assert_eq!(openssh_private(&key, "", Some("")).unwrap_err(), KeyFileError::PassphraseEmpty);
}

#[test]
fn a_message_that_cannot_be_read_is_not_signed() {
    let outcome = rfc8032_test_1().sign_pieces(|give| {
        give(b"pay ");
        Err(io::ErrorKind::UnexpectedEof.into())
    });
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

proptest! {
    #[test]
    fn signatures_do_not_depend_on_the_cuts(
        seed: [u8; 32],
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..6),
        at: prop::sample::Index,
    ) {
        let key = SigningKey::from_seed(&Zeroizing::new(seed));
        let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
        let whole = parts.concat();
        let mut signature = key.sign(&parts);
        prop_assert_eq!(signature, key.sign(&[&whole]));
        prop_assert!(key.verifying_key().verify(&parts, &signature));
        prop_assert!(key.verifying_key().verify(&[&whole], &signature));
        signature[at.index(64)] ^= 1;
        prop_assert!(!key.verifying_key().verify(&parts, &signature));
    }

    #[test]
    fn plain_forms_read_back(seed: [u8; 32], comment in "\\PC*") {
        let key = SigningKey::from_seed(&Zeroizing::new(seed));
        let public = key.verifying_key();
        let pkcs8 = pkcs8_pem(&key).unwrap();
        prop_assert!(same(&plain(pkcs8.as_bytes()).unwrap(), &key));
        let openssh = openssh_private(&key, &comment, None).unwrap();
        prop_assert!(same(&plain(openssh.as_bytes()).unwrap(), &key));
        for file in [spki_pem(public), openssh_line(public, &comment)] {
            let found = read_public(file.as_bytes());
            prop_assert_eq!(found.as_ref(), Ok(public));
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>) {
        prop_assert!(read_public(&bytes).is_err());
        prop_assert!(open(&bytes, "x").is_err());
    }
}
