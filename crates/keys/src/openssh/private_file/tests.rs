use brine_core::SigningKey;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::openssh::blob;
use crate::openssh::tests::{POINT, string};

fn file(pem: &[u8]) -> Vec<u8> {
    let mut decoder = pem_rfc7468::Decoder::new_detect_wrap(pem).unwrap();
    let mut bytes = Vec::new();
    decoder.decode_to_end(&mut bytes).unwrap();
    bytes
}

/// The fields of a good file. Each test spoils one.
#[derive(Clone)]
struct Parts {
    cipher: &'static str,
    kdf: &'static str,
    options: Vec<u8>,
    count: u32,
    blob: Vec<u8>,
    checks: [u32; 2],
    name: &'static str,
    public: [u8; 32],
    secret: Vec<u8>,
    padding: Vec<u8>,
    tail: Vec<u8>,
}

impl Parts {
    fn good() -> Self {
        let key = SigningKey::from_seed(&Zeroizing::new([7; 32]));
        let public = key.verifying_key().to_bytes();
        Self {
            cipher: "none",
            kdf: "none",
            options: vec![],
            count: 1,
            blob: blob(&public),
            checks: [0xdead_beef; 2],
            name: ED25519,
            public,
            secret: [[7; 32], public].concat(),
            padding: vec![1, 2, 3, 4, 5, 6],
            tail: vec![],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let section = [
            self.checks.map(u32::to_be_bytes).concat(),
            string(self.name.as_bytes()),
            string(&self.public),
            string(&self.secret),
            string(b"comment"),
            self.padding.clone(),
        ]
        .concat();
        [
            MAGIC,
            &string(self.cipher.as_bytes()),
            &string(self.kdf.as_bytes()),
            &string(&self.options),
            &self.count.to_be_bytes(),
            &string(&self.blob),
            &string(&section),
            &self.tail,
        ]
        .concat()
    }
}

fn refusal(spoil: impl FnOnce(&mut Parts)) -> KeyFileError {
    let mut parts = Parts::good();
    spoil(&mut parts);
    OpensshFile::parse(&parts.bytes()).and_then(|file| file.read()).unwrap_err()
}

fn bcrypt(salt: &[u8], rounds: u32) -> Vec<u8> {
    [string(salt), rounds.to_be_bytes().to_vec()].concat()
}

#[test]
fn a_file_made_by_hand_is_read() {
    let good = Parts::good().bytes();
    let file = OpensshFile::parse(&good).unwrap();
    assert!(!file.is_encrypted());
    assert_eq!(file.read().unwrap().expose_seed(), &[7; 32]);
}

#[test]
fn broken_files_are_refused() {
    assert_eq!(refusal(|file| file.count = 2), malformed("not exactly one key"));
    assert_eq!(refusal(|file| file.tail = vec![0]), malformed("data after the private section"));
    assert_eq!(refusal(|file| file.checks[1] = 0), malformed("the check numbers differ"));
    let types = "the halves are of different types";
    assert_eq!(refusal(|file| file.name = "ssh-rsabcde"), malformed(types));
    let options = "key derivation \"none\" has parameters";
    assert_eq!(refusal(|file| file.options = vec![0]), malformed(options));
    let together = "cipher and key derivation do not go together";
    assert_eq!(refusal(|file| file.cipher = "aes256-ctr"), malformed(together));
    let blocks = "the private section is not a whole number of blocks";
    assert_eq!(refusal(|file| file.padding = vec![1]), malformed(blocks));
    for padding in [vec![1, 2, 3, 4, 5, 7], (1..=14).collect(), vec![0; 6]] {
        assert_eq!(refusal(|file| file.padding = padding), malformed("the padding is wrong"));
    }
    let cut = |file: &mut Parts| file.secret.truncate(24);
    assert_eq!(refusal(cut), malformed("the private half is too short"));
    assert_eq!(
        OpensshFile::parse(b"").err(),
        Some(malformed("it does not begin with openssh-key-v1"))
    );
    let good = Parts::good().bytes();
    for length in MAGIC.len()..good.len() {
        let found = OpensshFile::parse(&good[..length]).err();
        assert!(matches!(found, Some(KeyFileError::Malformed { .. })), "{length}: {found:?}");
    }
}

#[test]
fn halves_of_two_keys_are_refused() {
    let other = POINT;
    let spoils: [fn(&mut Parts, [u8; 32]); 4] = [
        |file, other| file.blob = blob(&other),
        |file, other| file.public = other,
        |file, other| file.secret[32..].copy_from_slice(&other),
        |file, _| file.secret[0] ^= 1,
    ];
    for spoil in spoils {
        assert_eq!(refusal(|file| spoil(file, other)), KeyFileError::Mismatch);
    }
    let mut parts = Parts::good();
    parts.public = other;
    let found = OpensshFile::parse(&parts.bytes()).unwrap().into_public();
    assert_eq!(found, Err(KeyFileError::Mismatch));
}

#[test]
fn other_types_are_refused_by_name_before_a_passphrase() {
    for (pem, name) in
        [(fixture!("ssh.rsa"), "ssh-rsa"), (fixture!("ssh.ecdsa"), "ecdsa-sha2-nistp256")]
    {
        assert_eq!(OpensshFile::parse(&file(pem)).err(), Some(KeyFileError::not_ed25519(name)));
    }
    let sk = "sk-ssh-ed25519@openssh.com";
    let blob = [string(sk.as_bytes()), string(&POINT), string(b"ssh:")].concat();
    assert_eq!(refusal(|file| file.blob = blob), KeyFileError::not_ed25519(sk));
}

#[test]
fn other_encryptions_are_refused_by_name() {
    let form = OtherKeyForm::OpensshCipher;
    for cipher in ["3des-cbc", "arcfour", "", "AES256-CTR"] {
        let found = refusal(|file| file.cipher = cipher);
        assert_eq!(found, KeyFileError::UnsupportedForm { form });
    }
    let form = OtherKeyForm::OpensshKdf;
    let found = refusal(|file| file.kdf = "argon2");
    assert_eq!(found, KeyFileError::UnsupportedForm { form });
}

#[test]
fn costly_bcrypt_is_refused_before_it_is_run() {
    let locked = |options: Vec<u8>| {
        let parts = Parts { cipher: "aes256-cbc", kdf: "bcrypt", options, ..Parts::good() };
        OpensshFile::parse(&parts.bytes()).err()
    };
    let found = |found| Some(KeyFileError::TooCostly { what: "bcrypt rounds", found, limit: 1024 });
    assert_eq!(locked(bcrypt(&[0; 16], 1024)), None);
    assert_eq!(locked(bcrypt(&[0; 16], 1025)), found(1025));
    assert_eq!(locked(bcrypt(&[0; 16], u32::MAX)), found(0xffff_ffff));
    let wrong = Some(malformed("the parameters of bcrypt are wrong"));
    assert_eq!(locked(bcrypt(&[0; 16], 0)), wrong);
    assert_eq!(locked(bcrypt(&[], 16)), wrong);
    assert_eq!(locked([bcrypt(&[0; 16], 16), vec![0]].concat()), wrong);
}

#[test]
fn the_tag_must_be_whole() {
    let whole = file(fixture!("ssh.gcm"));
    for damaged in [&whole[..whole.len() - 1], &[whole.as_slice(), &[0]].concat()] {
        let found = OpensshFile::parse(damaged).err();
        assert_eq!(found, Some(malformed("data after the private section")));
    }
}

#[test]
fn every_flipped_bit_is_refused_or_stands_in_the_comment() {
    let whole = file(fixture!("ssh"));
    let key = OpensshFile::parse(&whole).unwrap().read().unwrap();
    let mut taken = 0;
    for bit in 0..8 * whole.len() {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = OpensshFile::parse(&damaged).and_then(|file| file.read()) {
            assert_eq!(found.expose_seed(), key.expose_seed());
            taken += 1;
        }
    }
    assert_eq!(taken, 8 * "brine test".len());
}

#[test]
fn what_is_written_encrypted_has_the_promised_parameters() {
    let key = SigningKey::from_seed(&Zeroizing::new([7; 32]));
    let pem = openssh_private(&key, "a\nb", Some("correct horse")).unwrap();
    assert!(pem.lines().all(|line| line.len() <= 70) && pem.ends_with("-----\n"));
    let bytes = file(pem.as_bytes());
    let file = OpensshFile::parse(&bytes).unwrap();
    assert_eq!(file.cipher, Cipher::Aes256Ctr);
    assert!(matches!(&file.kdf, Kdf::Bcrypt { salt, rounds: 24 } if salt.len() == 16));
    assert_eq!(&file.public, key.verifying_key());
    assert_eq!(file.open("correct horse").unwrap().expose_seed(), &[7; 32]);
    assert_eq!(file.open("wrong horse").unwrap_err(), KeyFileError::WrongPassphrase);
}

proptest! {
    #[test]
    fn damaged_files_do_not_panic(
        pem in prop::sample::select(vec![fixture!("ssh"), fixture!("ssh.ctr"), fixture!("ssh.gcm")]),
        at: prop::sample::Index,
        bytes: [u8; 4],
    ) {
        let mut damaged = file(pem);
        let at = at.index(damaged.len() - 4);
        damaged[at..at + 4].copy_from_slice(&bytes);
        let parsed = OpensshFile::parse(&damaged);
        // Encrypted files are not opened here: that would take too long.
        if let Ok(file) = parsed && !file.is_encrypted() {
            let _ = file.read();
        }
    }
}
