use proptest::prelude::*;

use super::*;

/// RFC 8032, Section 7.1, test 1; the text is what `openssl pkey` writes.
pub(super) const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const SEED_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
const POINT_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
    -----END PUBLIC KEY-----\n";

/// RFC 8410, Section 10.1 and 10.3.
const RFC_8410: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\n\
    MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n\
    Z9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PRIVATE KEY-----\n",
];

pub(super) fn der(pem: &[u8]) -> Vec<u8> {
    pem_rfc7468::decode_vec(pem).unwrap().1
}

fn version_1() -> Vec<u8> {
    [PKCS8_ED25519, &SEED].concat()
}

/// A OneAsymmetricKey with a public half, and the number of its unused bits.
fn version_2(public: &[u8], unused_bits: u8) -> Vec<u8> {
    let mut der = version_1();
    der[1] = 0x51; // SEQUENCE of 81 bytes
    der[4] = 0x01; // version: v2
    der.extend([0x81, 0x21, unused_bits]); // [1] BIT STRING of 33 bytes
    der.extend(public);
    der
}

#[test]
fn the_text_is_that_of_openssl() {
    let key = SigningKey::from_seed(&Zeroizing::new(SEED));
    assert_eq!(pkcs8_pem(&key).unwrap().as_str(), SEED_PEM);
    assert_eq!(spki_pem(key.verifying_key()), POINT_PEM);
    let read = read_pkcs8(&der(SEED_PEM.as_bytes())).unwrap();
    assert_eq!(read.expose_seed(), &SEED);
    assert_eq!(&read_spki(&der(POINT_PEM.as_bytes())).unwrap(), key.verifying_key());
}

#[test]
fn the_examples_of_rfc_8410_are_read() {
    let [one, two] = RFC_8410.map(|pem| read_pkcs8(&der(pem.as_bytes())).unwrap());
    assert_eq!(one.expose_seed(), two.expose_seed());
    assert_eq!(one.verifying_key().to_bytes()[..4], [0x19, 0xbf, 0x44, 0x09]);
    assert_eq!(pkcs8_pem(&two).unwrap().as_str(), RFC_8410[0]);
}

#[test]
fn a_public_half_must_agree() {
    let public = read_pkcs8(&version_1()).unwrap().verifying_key().clone();
    assert_eq!(read_pkcs8(&version_2(&public.to_bytes(), 0)).unwrap().expose_seed(), &SEED);
    let mut other = public.to_bytes();
    other[0] ^= 1;
    assert_eq!(read_pkcs8(&version_2(&other, 0)).unwrap_err(), KeyFileError::Mismatch);
    let why = "the public key is not 32 bytes long";
    let found = read_pkcs8(&version_2(&public.to_bytes(), 1)).unwrap_err();
    assert_eq!(found, malformed(PRIVATE, why));
}

/// What ring before 0.17 writes: version 2 with the public half in an explicit tag.
fn of_ring(public: &[u8]) -> Vec<u8> {
    let mut der = version_1();
    der[1] = 0x53; // SEQUENCE of 83 bytes
    der[4] = 0x01; // version: v2
    der.extend([0xa1, 0x23, 0x03, 0x21, 0x00]); // [1] of 35 bytes: BIT STRING of 33
    der.extend(public);
    der
}

#[test]
fn what_other_programs_make_of_the_public_half_is_read() {
    let public = read_pkcs8(&version_1()).unwrap().verifying_key().to_bytes();
    let mut without = version_1();
    without[4] = 0x01;
    let mut in_version_1 = version_2(&public, 0);
    in_version_1[4] = 0x00;
    for der in [of_ring(&public), without, in_version_1] {
        assert_eq!(read_pkcs8(&der).unwrap().expose_seed(), &SEED, "{der:02x?}");
    }
    assert_eq!(read_pkcs8(&of_ring(&[7; 32])).unwrap_err(), KeyFileError::Mismatch);
    let mut version_3 = version_1();
    version_3[4] = 0x02;
    let why = "the version is neither 1 nor 2";
    assert_eq!(read_pkcs8(&version_3).unwrap_err(), malformed(PRIVATE, why));
    let mut both = version_2(&public, 0);
    both[1] += 0x25;
    both.extend_from_slice(&of_ring(&[7; 32])[48..]);
    let found = read_pkcs8(&both).unwrap_err();
    assert!(matches!(found, KeyFileError::Malformed { form: PRIVATE, .. }), "{found:?}");
}

#[test]
fn other_algorithms_are_refused_by_name() {
    for (pem, found) in [
        (fixture!("rsa.pem"), "RSA"),
        (fixture!("ec.pem"), "EC"),
        (fixture!("x25519.pem"), "X25519"),
        (fixture!("ed448.pem"), "Ed448"),
    ] {
        assert_eq!(read_pkcs8(&der(pem)).unwrap_err(), KeyFileError::not_ed25519(found));
    }
    let found = read_spki(&der(fixture!("rsa.pub.pem")));
    assert_eq!(found, Err(KeyFileError::not_ed25519("RSA")));
    let mut unheard_of = version_1();
    unheard_of[11] = 0x7f;
    let found = read_pkcs8(&unheard_of).unwrap_err();
    assert_eq!(found, KeyFileError::not_ed25519("1.3.101.127"));
    let locked = der(fixture!("rsa.default.pem"));
    let found = EncryptedKey::parse(&locked).unwrap().open("correct horse").unwrap_err();
    assert_eq!(found, KeyFileError::not_ed25519("RSA"));
}

#[test]
fn malformed_keys_are_refused() {
    let with_parameters = [
        &[0x30, 0x30, 0x02, 0x01, 0x00, 0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00],
        &PKCS8_ED25519[12..],
        SEED.as_slice(),
    ]
    .concat();
    let short = [
        &[0x30, 0x2d, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70],
        [0x04, 0x21, 0x04, 0x1f].as_slice(),
        &SEED[..31],
    ]
    .concat();
    for (der, why) in [
        (with_parameters, "Ed25519 with parameters"),
        (short, "the private key is not 32 bytes long"),
    ] {
        assert_eq!(read_pkcs8(&der).unwrap_err(), malformed(PRIVATE, why));
    }
    for der in [&[], [version_1(), vec![0]].concat().as_slice(), &version_1()[..47]] {
        let found = read_pkcs8(der).unwrap_err();
        assert!(matches!(found, KeyFileError::Malformed { form: PRIVATE, .. }), "{found:?}");
    }
    let short = [&[0x30, 0x29], &SPKI_ED25519[2..9], &[0x03, 0x20, 0x00], &SEED[..31]].concat();
    let why = "the public key is not 32 bytes long";
    assert_eq!(read_spki(&short), Err(malformed(PUBLIC, why)));
}

#[test]
fn every_flipped_bit_is_refused_or_makes_another_seed() {
    for bit in 0..8 * 48 {
        let mut der = version_1();
        der[bit / 8] ^= 1 << (bit % 8);
        match read_pkcs8(&der) {
            // Version 2 without a public half means the same.
            Ok(key) if bit == VERSION_BIT => assert_eq!(key.expose_seed(), &SEED),
            Ok(key) => assert!(bit >= 8 * 16 && key.expose_seed() != &SEED, "{bit}"),
            Err(error) => assert!(
                matches!(error, KeyFileError::Malformed { .. } | KeyFileError::NotEd25519 { .. }),
                "{bit}: {error:?}"
            ),
        }
    }
}

/// The lowest bit of the version, which is the fifth byte.
const VERSION_BIT: usize = 8 * 4;

proptest! {
    #[test]
    fn damaged_files_do_not_panic(
        file in prop::sample::select(vec![
            fixture!("ed25519.scrypt.pem"),
            fixture!("ed25519.default.pem"),
            fixture!("rsa.default.pem"),
            fixture!("ec.pem"),
        ]),
        at: prop::sample::Index,
        byte: u8,
        length: prop::sample::Index,
    ) {
        let mut der = der(file);
        let at = at.index(der.len());
        der[at] = byte;
        der.truncate(length.index(2 * der.len()));
        // Encrypted keys are only parsed here: decrypting them would take too long.
        let _ = EncryptedKey::parse(&der);
        prop_assert!(read_pkcs8(&der).is_err());
        prop_assert!(read_spki(&der).is_err());
    }
}
