//! PKCS#8 and SPKI in PEM.

use base64ct::{Base64, Encoding};
use pem_rfc7468::LineEnding;
use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use pkcs8::der::{Decode, ErrorKind};
use pkcs8::pkcs5::pbes2::{Kdf, PBES2_OID, Parameters, Pbkdf2Params, Pbkdf2Prf, ScryptParams};
use pkcs8::pkcs5::{self, EncryptionScheme, scrypt};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{
    EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
};
use zeroize::Zeroizing;

use brine_core::key::random;
use brine_core::{SigningKey, VerifyingKey};

use crate::KeyFileError;

/// The most iterations of PBKDF2 that a file may ask for: the number that RFC 8018, Section 4.2
/// gives for especially critical keys, and some seconds of work.
pub const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;

/// The most memory, in bytes, that scrypt may ask for: 128 * r * (N + p) (RFC 7914, Section 6).
pub const MAX_SCRYPT_BYTES: u64 = 256 << 20;

/// The most work that scrypt may ask for, in bytes passed through: 128 * r * N * p.
pub const MAX_SCRYPT_WORK_BYTES: u64 = 1 << 30;

/// An EncryptedPrivateKeyInfo that is worth a passphrase: it can be decrypted, and at a bounded cost
/// (RFC 5958, Section 3; RFC 8018, Appendix A.4).
///
/// ```text
/// EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm AlgorithmIdentifier, encryptedData OCTET STRING }
/// PBES2-params ::= SEQUENCE { keyDerivationFunc AlgorithmIdentifier, encryptionScheme AlgorithmIdentifier }
/// ```
pub(crate) struct Locked<'a> {
    parameters: Parameters,
    data: &'a [u8],
}

impl<'a> Locked<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, KeyFileError> {
        if scheme(der).is_some_and(|oid| oid != PBES2_OID) {
            return Err(KeyFileError::UnsupportedForm { form: NOT_PBES2 });
        }
        let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(refusal_of_encryption)?;
        let EncryptionScheme::Pbes2(parameters) = info.encryption_algorithm else {
            return Err(KeyFileError::UnsupportedForm { form: NOT_PBES2 });
        };
        if parameters
            .kdf
            .key_length()
            .is_some_and(|length| usize::from(length) != parameters.encryption.key_size())
        {
            return Err(malformed(ENCRYPTED, "the derived key does not fit the cipher"));
        }
        match &parameters.kdf {
            Kdf::Pbkdf2(pbkdf2) => check_pbkdf2(pbkdf2)?,
            Kdf::Scrypt(scrypt) => check_scrypt(scrypt)?,
            _ => return Err(KeyFileError::UnsupportedForm { form: UNKNOWN_ENCRYPTION }),
        }
        Ok(Self { parameters, data: info.encrypted_data.as_bytes() })
    }

    /// Decrypts the key.
    ///
    /// Most of PBES2 has no integrity: a wrong passphrase shows as wrong padding, or as something
    /// that is no PKCS#8.
    pub(crate) fn open(&self, passphrase: &str) -> Result<SigningKey, KeyFileError> {
        let mut buffer = Zeroizing::new(self.data.to_vec());
        let der =
            self.parameters.decrypt_in_place(passphrase, &mut buffer).map_err(
                |error| match error {
                    pkcs5::Error::DecryptFailed => KeyFileError::WrongPassphrase,
                    error => malformed(ENCRYPTED, error),
                },
            )?;
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyFileError::WrongPassphrase)?;
        read_info(&info)
    }
}

/// Reads the DER of a OneAsymmetricKey (RFC 5958, Section 2; RFC 8410, Section 7).
///
/// ```text
/// OneAsymmetricKey ::= SEQUENCE {
///   version INTEGER { v1(0), v2(1) }, privateKeyAlgorithm AlgorithmIdentifier,
///   privateKey OCTET STRING,   -- which holds: CurvePrivateKey ::= OCTET STRING (SIZE (32))
///   attributes [0] Attributes OPTIONAL, publicKey [1] BIT STRING OPTIONAL }
/// ```
pub(crate) fn read_private(der: &[u8]) -> Result<SigningKey, KeyFileError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|error| malformed(PRIVATE, error))?;
    read_info(&info)
}

/// Reads the DER of a SubjectPublicKeyInfo (RFC 5280, Section 4.1; RFC 8410, Section 4).
pub(crate) fn read_public(der: &[u8]) -> Result<VerifyingKey, KeyFileError> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|error| malformed(PUBLIC, error))?;
    require_ed25519(&info.algorithm, PUBLIC)?;
    Ok(VerifyingKey::from_bytes(point(&info.subject_public_key, PUBLIC)?)?)
}

/// Writes a key as PKCS#8 version 1 in PEM (RFC 8410, Section 7), the same bytes as `openssl genpkey`
/// would.
///
/// Version 2 would carry the public half, and OpenSSL before 3.5 cannot read it.
///
/// # Errors
///
/// [`KeyFileError::Malformed`] if the text does not fit in memory.
pub fn pkcs8_pem(key: &SigningKey) -> Result<Zeroizing<String>, KeyFileError> {
    pem_rfc7468::encode_string("PRIVATE KEY", LineEnding::LF, &private_der(key))
        .map(Zeroizing::new)
        .map_err(|error| malformed(PRIVATE, error))
}

/// Writes a key as PKCS#8 in PEM, encrypted with PBES2: scrypt with N = 2^14, r = 8, p = 1 (RFC 7914)
/// and AES-256-CBC (RFC 8018, Section 6.2).
///
/// # Errors
///
/// - [`KeyFileError::PassphraseEmpty`] for an empty passphrase, which protects nothing;
/// - [`KeyFileError::Key`] if there is no salt to be had;
/// - [`KeyFileError::Malformed`] if the text does not fit in memory.
pub fn encrypted_pkcs8_pem(
    key: &SigningKey,
    passphrase: &str,
) -> Result<Zeroizing<String>, KeyFileError> {
    if passphrase.is_empty() {
        return Err(KeyFileError::PassphraseEmpty);
    }
    let (salt, iv) = (random::<16>()?, random()?);
    let (log_n, r, p) = SCRYPT;
    let parameters = scrypt::Params::new(log_n, r, p)
        .map_err(|error| malformed(ENCRYPTED, error))
        .and_then(|cost| {
            Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
                .map_err(|error| malformed(ENCRYPTED, error))
        })?;
    let plain = private_der(key);
    let locked = PrivateKeyInfoRef::try_from(plain.as_slice())
        .and_then(|info| info.encrypt_with_params(parameters, passphrase))
        .map_err(|error| malformed(ENCRYPTED, error))?;
    pem_rfc7468::encode_string("ENCRYPTED PRIVATE KEY", LineEnding::LF, locked.as_bytes())
        .map(Zeroizing::new)
        .map_err(|error| malformed(ENCRYPTED, error))
}

/// Writes a key as SPKI in PEM (RFC 8410, Section 4), the same bytes as `openssl pkey -pubout`.
#[must_use]
pub fn spki_pem(key: &VerifyingKey) -> String {
    // 44 bytes are 60 characters, which is one line: nothing here can fail.
    let base64 = Base64::encode_string(&[SPKI_ED25519, &key.to_bytes()].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}

fn read_info(info: &PrivateKeyInfoRef<'_>) -> Result<SigningKey, KeyFileError> {
    require_ed25519(&info.algorithm, PRIVATE)?;
    let seed: &[u8; 32] = match info.private_key.as_bytes() {
        [0x04, 0x20, seed @ ..] => seed.try_into().ok(),
        _ => None,
    }
    .ok_or_else(|| malformed(PRIVATE, "the private key is not of 32 bytes"))?;
    let key = SigningKey::from_seed(&Zeroizing::new(*seed));
    if let Some(public) = &info.public_key
        && point(public, PRIVATE)? != &key.verifying_key().to_bytes()
    {
        return Err(KeyFileError::Mismatch);
    }
    Ok(key)
}

fn point<'a>(bits: &BitStringRef<'a>, form: &'static str) -> Result<&'a [u8; 32], KeyFileError> {
    let bytes = bits.as_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| malformed(form, "the public key is not of 32 bytes"))
}

/// Refuses other algorithms by name, and parameters, which Ed25519 never has (RFC 8410, Section 3).
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

/// Refuses PBKDF2 that cannot be run or costs too much (RFC 8018, Appendix A.2).
fn check_pbkdf2(parameters: &Pbkdf2Params) -> Result<(), KeyFileError> {
    if parameters.prf == Pbkdf2Prf::HmacWithSha1 {
        return Err(KeyFileError::UnsupportedForm { form: "PKCS#8 encrypted with HMAC-SHA-1" });
    }
    match parameters.iteration_count {
        0 => Err(malformed(ENCRYPTED, "no iterations of PBKDF2")),
        1..=MAX_PBKDF2_ITERATIONS => Ok(()),
        found => Err(KeyFileError::TooCostly {
            what: "PBKDF2 iterations",
            found: found.into(),
            limit: MAX_PBKDF2_ITERATIONS.into(),
        }),
    }
}

/// Refuses scrypt that cannot be run or costs too much (RFC 7914, Section 6).
///
/// The first check is more than form: pkcs5 0.8.1 computes the logarithm of N = 0 and panics.
fn check_scrypt(parameters: &ScryptParams) -> Result<(), KeyFileError> {
    let n = parameters.cost_parameter;
    let (r, p) = (u64::from(parameters.block_size), u64::from(parameters.parallelization));
    if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
        return Err(malformed(ENCRYPTED, "the parameters of scrypt are wrong"));
    }
    let block = r.saturating_mul(128);
    let memory = n.saturating_add(p).saturating_mul(block);
    let work = n.saturating_mul(p).saturating_mul(block);
    for (what, found, limit) in [
        ("bytes of memory for scrypt", memory, MAX_SCRYPT_BYTES),
        ("bytes of work for scrypt", work, MAX_SCRYPT_WORK_BYTES),
    ] {
        if found > limit {
            return Err(KeyFileError::TooCostly { what, found, limit });
        }
    }
    Ok(())
}

/// Returns the encryption scheme of an EncryptedPrivateKeyInfo, whatever its parameters are.
///
/// The decoder of pkcs5 0.8.1 calls the schemes of PKCS#12 malformed.
fn scheme(der: &[u8]) -> Option<ObjectIdentifier> {
    let info = AnyRef::from_der(der).ok()?;
    let fields = info.sequence(|reader| {
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        <&OctetStringRef>::decode(reader).map(|_| algorithm.oid)
    });
    fields.ok()
}

fn refusal_of_encryption(error: pkcs8::Error) -> KeyFileError {
    match error {
        pkcs8::Error::Asn1(inner) => match inner.kind() {
            ErrorKind::OidUnknown { oid } if oid == DES_EDE3_CBC => {
                KeyFileError::UnsupportedForm { form: "PKCS#8 encrypted with 3DES" }
            }
            ErrorKind::OidUnknown { .. } => {
                KeyFileError::UnsupportedForm { form: UNKNOWN_ENCRYPTION }
            }
            _ => malformed(ENCRYPTED, error),
        },
        _ => malformed(ENCRYPTED, error),
    }
}

/// Returns the DER of a version 1 key. The size is fixed, so that nothing is left by a reallocation.
fn private_der(key: &SigningKey) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([PKCS8_ED25519, key.expose_seed()].concat())
}

fn malformed(form: &'static str, why: impl ToString) -> KeyFileError {
    KeyFileError::malformed(form, why)
}

/// `id-Ed25519` (RFC 8410, Section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// `des-ede3-cbc` (RFC 8018, Appendix B.2.2).
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

/// What stands before the seed (RFC 8410, Section 7).
const PKCS8_ED25519: &[u8] = &[
    0x30, 0x2e, // SEQUENCE of 46 bytes
    0x02, 0x01, 0x00, // version: v1
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, // algorithm: id-Ed25519
    0x04, 0x22, 0x04, 0x20, // OCTET STRING in OCTET STRING, of 32 bytes
];

/// What stands before the point (RFC 8410, Section 4).
const SPKI_ED25519: &[u8] = &[
    0x30, 0x2a, // SEQUENCE of 42 bytes
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, // algorithm: id-Ed25519
    0x03, 0x21, 0x00, // BIT STRING of 32 bytes and no unused bits
];

/// log2 N, r and p: 16 MiB, half of what OpenSSL 3 allows itself when it reads.
const SCRYPT: (u8, u32, u32) = (14, 8, 1);

/// Names of other algorithms, for refusing them.
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

const ENCRYPTED: &str = "encrypted PKCS#8 private key";
const NOT_PBES2: &str = "PKCS#8 encrypted otherwise than by PBES2";
const PRIVATE: &str = "PKCS#8 private key";
const PUBLIC: &str = "SPKI public key";
const UNKNOWN_ENCRYPTION: &str = "PKCS#8 in another encryption";

#[cfg(test)]
mod tests;
