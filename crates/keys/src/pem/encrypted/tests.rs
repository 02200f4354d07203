use pkcs8::der::Encode;

use super::*;
use crate::pem::tests::{SEED, der};

fn encrypted(kdf: Kdf) -> Vec<u8> {
    let encryption = pkcs5::pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
    let encrypted_data = OctetStringRef::new(&[0; 64]).unwrap();
    let encryption_algorithm = Parameters { kdf, encryption }.into();
    EncryptedPrivateKeyInfoRef { encryption_algorithm, encrypted_data }.to_der().unwrap()
}

fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> Vec<u8> {
    let salt = [0; 8].as_slice().try_into().unwrap();
    let key_length = None;
    let parameters = ScryptParams { salt, cost_parameter, block_size, parallelization, key_length };
    encrypted(Kdf::Scrypt(parameters))
}

fn pbkdf2(iteration_count: u32, prf: Pbkdf2Prf, key_length: Option<u16>) -> Vec<u8> {
    let salt = [0; 8].as_slice().try_into().unwrap();
    encrypted(Kdf::Pbkdf2(Pbkdf2Params { salt, iteration_count, key_length, prf }))
}

fn refusal(der: &[u8]) -> Option<KeyFileError> {
    EncryptedKey::parse(der).err()
}

#[test]
fn other_encryptions_are_refused_by_name() {
    for (pem, form) in [
        (fixture!("ed25519.sha1.pem"), OtherKeyForm::Pkcs8Sha1),
        (fixture!("ed25519.des3.pem"), OtherKeyForm::Pkcs8TripleDes),
        (fixture!("ed25519.pbes1.pem"), OtherKeyForm::Pkcs8Pbes1),
        (fixture!("ed25519.md5.pem"), OtherKeyForm::Pkcs8Pbes1),
        (fixture!("ed25519.camellia.pem"), OtherKeyForm::Pkcs8Encryption),
    ] {
        assert_eq!(refusal(&der(pem)), Some(KeyFileError::UnsupportedForm { form }));
    }
    let sha1 = pbkdf2(1000, Pbkdf2Prf::HmacWithSha1, None);
    let form = OtherKeyForm::Pkcs8Sha1;
    assert_eq!(refusal(&sha1), Some(KeyFileError::UnsupportedForm { form }));
}

#[test]
fn costly_parameters_are_refused_before_they_are_run() {
    let sha512 = Pbkdf2Prf::HmacWithSha512;
    let memory = "bytes of memory for scrypt";
    let work = "bytes of work for scrypt";
    for (der, what, found, limit) in [
        (pbkdf2(10_000_001, sha512, None), "PBKDF2 iterations", 10_000_001, 10_000_000),
        (pbkdf2(u32::MAX, sha512, None), "PBKDF2 iterations", 0xffff_ffff, 10_000_000),
        (scrypt(1 << 18, 8, 1), memory, 0x1000_0400, 0x1000_0000),
        (scrypt(1 << 63, u16::MAX, u16::MAX), memory, u64::MAX, 0x1000_0000),
        (scrypt(2, u16::MAX, u16::MAX), memory, 0x7f_ffff_ff80, 0x1000_0000),
        (scrypt(1 << 14, 8, 65), work, 65 << 24, 1 << 30),
    ] {
        assert_eq!(refusal(&der), Some(KeyFileError::TooCostly { what, found, limit }));
    }
    for der in [
        pbkdf2(MAX_PBKDF2_ITERATIONS, sha512, Some(32)),
        scrypt(1 << 17, 8, 8),
        scrypt(1 << 14, 8, 64),
        scrypt(2, 1, 1),
    ] {
        assert_eq!(refusal(&der), None);
    }
}

#[test]
fn impossible_parameters_are_malformed() {
    let why = "the parameters of scrypt are wrong";
    for der in [
        scrypt(0, 8, 1),
        scrypt(1, 8, 1),
        scrypt(3, 8, 1),
        scrypt(u64::MAX, 8, 1),
        scrypt(1 << 14, 0, 1),
        scrypt(1 << 14, 8, 0),
    ] {
        assert_eq!(refusal(&der), Some(malformed(ENCRYPTED, why)));
    }
    let sha256 = Pbkdf2Prf::HmacWithSha256;
    let found = refusal(&pbkdf2(0, sha256, None));
    assert_eq!(found, Some(malformed(ENCRYPTED, "PBKDF2 has no iterations")));
    let found = refusal(&pbkdf2(1000, sha256, Some(16)));
    assert_eq!(found, Some(malformed(ENCRYPTED, "the derived key does not fit the cipher")));
    for der in [&[], [0x30, 0x00].as_slice()] {
        let found = refusal(der);
        assert!(
            matches!(found, Some(KeyFileError::Malformed { form: ENCRYPTED, .. })),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_written_encrypted_has_the_promised_parameters() {
    let key = SigningKey::from_seed(&Zeroizing::new(SEED));
    let pem = encrypted_pkcs8_pem(&key, "correct horse").unwrap();
    let bytes = der(pem.as_bytes());
    let info = EncryptedPrivateKeyInfoRef::from_der(&bytes).unwrap();
    let parameters = info.encryption_algorithm.pbes2().unwrap();
    let scrypt = parameters.kdf.scrypt().unwrap();
    assert_eq!((scrypt.cost_parameter, scrypt.block_size, scrypt.parallelization), (1 << 14, 8, 1));
    assert_eq!(parameters.encryption.oid().to_string(), "2.16.840.1.101.3.4.1.42");
    assert_eq!(
        EncryptedKey::parse(&bytes).unwrap().open("correct horse").unwrap().expose_seed(),
        &SEED
    );
    let again = encrypted_pkcs8_pem(&key, "correct horse").unwrap();
    assert_ne!(*pem, *again, "the salt is new each time");
}
