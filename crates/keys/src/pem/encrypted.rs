//! PKCS#8 encrypted with PBES2.

use brine_core::SigningKey;
use brine_core::key::random;
use pem_rfc7468::LineEnding;
use pkcs8::der::asn1::{AnyRef, OctetStringRef};
use pkcs8::der::{Decode, ErrorKind};
use pkcs8::pkcs5::pbes2::{Kdf, PBES2_OID, Parameters, Pbkdf2Params, Pbkdf2Prf, ScryptParams};
use pkcs8::pkcs5::{self, EncryptionScheme, scrypt};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::asymmetric_key::OneAsymmetricKey;
use super::{malformed, private_der};
use crate::{KeyFileError, OtherKeyForm};

/// The highest number of PBKDF2 iterations that a file may demand: some seconds of work.
///
/// RFC 8018, Section 4.2 names it for especially critical keys.
pub const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;

/// The most memory that a file may demand for scrypt, in bytes: 128 * r * (N + p) (RFC 7914, Section 6).
pub const MAX_SCRYPT_BYTES: u64 = 256 << 20;

/// The most work that a file may demand of scrypt, in bytes that pass through it: 128 * r * N * p.
pub const MAX_SCRYPT_WORK_BYTES: u64 = 1 << 30;

/// An EncryptedPrivateKeyInfo (RFC 5958, Section 3; RFC 8018, Appendix A.4). Its algorithms are supported, and
/// decryption has a bounded cost.
///
/// ```text
/// EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm AlgorithmIdentifier, encryptedData OCTET STRING }
/// PBES2-params ::= SEQUENCE { keyDerivationFunc AlgorithmIdentifier, encryptionScheme AlgorithmIdentifier }
/// ```
pub(crate) struct EncryptedKey<'a> {
    parameters: Parameters,
    data: &'a [u8],
}

impl<'a> EncryptedKey<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, KeyFileError> {
        if scheme(der).is_some_and(|oid| oid != PBES2_OID) {
            return Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::Pkcs8Pbes1 });
        }
        let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(refusal_of_encryption)?;
        let EncryptionScheme::Pbes2(parameters) = info.encryption_algorithm else {
            return Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::Pkcs8Pbes1 });
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
            _ => return Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::Pkcs8Encryption }),
        }
        Ok(Self { parameters, data: info.encrypted_data.as_bytes() })
    }

    /// Decrypts the key.
    ///
    /// Most schemes of PBES2 do not authenticate: a wrong passphrase then gives wrong padding, or bytes that are
    /// not PKCS#8.
    pub(crate) fn open(&self, passphrase: &str) -> Result<SigningKey, KeyFileError> {
        let mut buffer = Zeroizing::new(self.data.to_vec());
        let der =
            self.parameters.decrypt_in_place(passphrase, &mut buffer).map_err(
                |error| match error {
                    pkcs5::Error::DecryptFailed => KeyFileError::WrongPassphrase,
                    error => malformed(ENCRYPTED, error),
                },
            )?;
        OneAsymmetricKey::parse(der).map_err(|_| KeyFileError::WrongPassphrase)?.read()
    }
}

/// Writes a key as PKCS#8 in PEM, encrypted with PBES2: scrypt with N = 2^14, r = 8, p = 1 (RFC 7914)
/// and AES-256-CBC (RFC 8018, Section 6.2).
///
/// # Errors
///
/// - [`KeyFileError::PassphraseEmpty`] for an empty passphrase, which would protect nothing;
/// - [`KeyFileError::Key`] if the operating system gives no randomness for salt and IV;
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

/// Refuses parameters of PBKDF2 that are impossible or cost too much (RFC 8018, Appendix A.2).
fn check_pbkdf2(parameters: &Pbkdf2Params) -> Result<(), KeyFileError> {
    if parameters.prf == Pbkdf2Prf::HmacWithSha1 {
        return Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::Pkcs8Sha1 });
    }
    match parameters.iteration_count {
        0 => Err(malformed(ENCRYPTED, "PBKDF2 has no iterations")),
        1..=MAX_PBKDF2_ITERATIONS => Ok(()),
        found => Err(KeyFileError::TooCostly {
            what: "PBKDF2 iterations",
            found: found.into(),
            limit: MAX_PBKDF2_ITERATIONS.into(),
        }),
    }
}

/// Refuses parameters of scrypt that are impossible or cost too much (RFC 7914, Section 6).
///
/// pkcs5 0.8.1 relies on the first check: it takes the logarithm of N, and panics if N is 0.
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

/// Returns the encryption scheme of an EncryptedPrivateKeyInfo without looking at its parameters.
///
/// The decoder of pkcs5 0.8.1 would call the schemes of PKCS#12 malformed, not unsupported.
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
                KeyFileError::UnsupportedForm { form: OtherKeyForm::Pkcs8TripleDes }
            }
            ErrorKind::OidUnknown { .. } => {
                KeyFileError::UnsupportedForm { form: OtherKeyForm::Pkcs8Encryption }
            }
            _ => malformed(ENCRYPTED, error),
        },
        _ => malformed(ENCRYPTED, error),
    }
}

/// `des-ede3-cbc` (RFC 8018, Appendix B.2.2).
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

/// log2 N, r and p. They take 16 MiB; OpenSSL 3 refuses to read a key that takes more than 32.
const SCRYPT: (u8, u32, u32) = (14, 8, 1);

const ENCRYPTED: &str = "encrypted PKCS#8 private key";

#[cfg(test)]
mod tests;
