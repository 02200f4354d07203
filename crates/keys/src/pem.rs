//! PKCS#8 and SPKI in PEM, and in a module of its own encrypted PKCS#8.

mod asymmetric_key;
mod block;
mod encrypted;

use base64ct::{Base64, Encoding};
use brine_core::{SigningKey, VerifyingKey};
use pem_rfc7468::LineEnding;
use pkcs8::der::asn1::BitStringRef;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::KeyFileError;

use self::asymmetric_key::OneAsymmetricKey;
pub(crate) use self::block::{PEM, PemBlock, blocks, is_pem};
pub(crate) use self::encrypted::EncryptedKey;
pub use self::encrypted::{
    MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_BYTES, MAX_SCRYPT_WORK_BYTES, encrypted_pkcs8_pem,
};

/// Reads the DER of a OneAsymmetricKey (RFC 5958, Section 2; RFC 8410, Section 7).
pub(crate) fn read_pkcs8(der: &[u8]) -> Result<SigningKey, KeyFileError> {
    OneAsymmetricKey::parse(der)?.read()
}

/// Reads the DER of a SubjectPublicKeyInfo (RFC 5280, Section 4.1; RFC 8410, Section 4).
pub(crate) fn read_spki(der: &[u8]) -> Result<VerifyingKey, KeyFileError> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|error| malformed(PUBLIC, error))?;
    require_ed25519(&info.algorithm, PUBLIC)?;
    Ok(VerifyingKey::from_bytes(point(&info.subject_public_key, PUBLIC)?)?)
}

/// Writes a key as PKCS#8 version 1 in PEM (RFC 8410, Section 7), byte for byte as `openssl genpkey` does.
///
/// Version 2 would hold the public half too, but OpenSSL before 3.5 cannot read it.
///
/// # Errors
///
/// [`KeyFileError::Malformed`] if the text does not fit in memory.
pub fn pkcs8_pem(key: &SigningKey) -> Result<Zeroizing<String>, KeyFileError> {
    pem_rfc7468::encode_string("PRIVATE KEY", LineEnding::LF, &private_der(key))
        .map(Zeroizing::new)
        .map_err(|error| malformed(PRIVATE, error))
}

/// Writes a key as SPKI in PEM (RFC 8410, Section 4), byte for byte as `openssl pkey -pubout` does.
#[must_use]
pub fn spki_pem(key: &VerifyingKey) -> String {
    // 44 bytes are 60 characters and fit one line, so this needs no encoder that can fail.
    let base64 = Base64::encode_string(&[SPKI_ED25519, &key.to_bytes()].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}

fn point<'a>(bits: &BitStringRef<'a>, form: &'static str) -> Result<&'a [u8; 32], KeyFileError> {
    let bytes = bits.as_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| malformed(form, "the public key is not 32 bytes long"))
}

/// Refuses other algorithms by name, and Ed25519 with parameters (RFC 8410, Section 3).
fn require_ed25519(
    algorithm: &AlgorithmIdentifierRef<'_>,
    form: &'static str,
) -> Result<(), KeyFileError> {
    if algorithm.oid != ED25519 {
        let oid = algorithm.oid.to_string();
        let name = OTHERS.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name);
        return Err(KeyFileError::not_ed25519(name.unwrap_or(&oid)));
    }
    if algorithm.parameters.is_some() {
        return Err(malformed(form, "Ed25519 with parameters"));
    }
    Ok(())
}

/// Returns the DER of a version 1 key. The memory never grows, so no copy of the seed is left behind.
fn private_der(key: &SigningKey) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([PKCS8_ED25519, key.expose_seed()].concat())
}

fn malformed(form: &'static str, why: impl ToString) -> KeyFileError {
    KeyFileError::malformed(form, why)
}

/// `id-Ed25519` (RFC 8410, Section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The DER before the seed (RFC 8410, Section 7).
const PKCS8_ED25519: &[u8] = &[
    0x30, 0x2e, // SEQUENCE of 46 bytes
    0x02, 0x01, 0x00, // version: v1
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, // algorithm: id-Ed25519
    0x04, 0x22, 0x04, 0x20, // OCTET STRING in OCTET STRING, of 32 bytes
];

/// The DER before the point (RFC 8410, Section 4).
const SPKI_ED25519: &[u8] = &[
    0x30, 0x2a, // SEQUENCE of 42 bytes
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, // algorithm: id-Ed25519
    0x03, 0x21, 0x00, // BIT STRING of 32 bytes and no unused bits
];

/// The names under which other algorithms are refused.
const OTHERS: [(&str, &str); 10] = [
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.10045.2.1", "EC"),
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
];

const PRIVATE: &str = "PKCS#8 private key";
const PUBLIC: &str = "SPKI public key";

#[cfg(test)]
mod tests;
