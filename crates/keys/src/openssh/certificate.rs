//! OpenSSH certificates over Ed25519 keys (PROTOCOL.certkeys).

use base64ct::{Base64, Encoding as _};
use brine_core::text::{all_harmless, is_harmless};
use brine_core::{CertificateFlaw, ContextGlob, Timestamp, VerifyingKey};

use super::{ED25519, ED25519_CERTIFICATE, Strings, split_word};
use crate::KeyFileError;

/// The name of the extension that limits a certificate to contexts. Its value is patterns, separated by commas.
pub const CONTEXTS_EXTENSION: &str = "contexts@brine";

/// The name of the extension that lets the certified key issue certificates for what it may do itself.
pub const DELEGATE_EXTENSION: &str = "delegate@brine";

/// A certificate that was read, of which nothing is verified yet.
///
/// ```text
/// string "ssh-ed25519-cert-v01@openssh.com", string nonce, string key, uint64 serial, uint32 type, string key id,
/// string principals, uint64 valid after, uint64 valid before, string critical options, string extensions,
/// string reserved, string issuer, string signature
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpensshCertificate {
    key: VerifyingKey,
    issuer: VerifyingKey,
    signed: Vec<u8>,
    signature: Vec<u8>,
    is_for_host: bool,
    /// The number that the issuer gave it; 0 if it gave none.
    pub serial: u64,
    /// What the issuer calls it, with U+FFFD in place of what cannot be shown.
    pub key_id: String,
    /// What the issuer calls it, as it stands in the certificate.
    pub raw_key_id: Vec<u8>,
    /// Whom it names.
    pub principals: Vec<String>,
    /// From when on it is valid, in seconds since 1970.
    pub valid_after: u64,
    /// The first second since 1970 at which it is not valid any more; the largest number for ever.
    pub valid_before: u64,
    /// The names of its critical options.
    pub critical_options: Vec<String>,
    /// The contexts that it is limited to; `None` if it has no [`CONTEXTS_EXTENSION`].
    pub contexts: Option<Vec<ContextGlob>>,
    /// Whether it has the [`DELEGATE_EXTENSION`].
    pub may_delegate: bool,
}

impl OpensshCertificate {
    /// Reads a certificate in its binary form.
    ///
    /// # Errors
    ///
    /// [`CertificateFlaw::Malformed`]; [`CertificateFlaw::UnsupportedKey`] if it certifies another type of key, or such a
    /// key issued it; [`CertificateFlaw::Nested`] if a certificate did.
    pub fn parse(blob: &[u8]) -> Result<Self, CertificateFlaw> {
        let mut reader = Reader(Strings(blob));
        match reader.string()? {
            kind if kind == ED25519_CERTIFICATE => {}
            kind => return Err(unsupported(kind)),
        }
        let _nonce = reader.string()?;
        let key = key_of(reader.string()?)?;
        let serial = reader.uint64()?;
        let is_for_host = match reader.uint32()? {
            1 => false,
            2 => true,
            _ => return Err(malformed("it is neither for a user nor for a host")),
        };
        let raw_key_id = reader.string()?.to_vec();
        let principals = principals(reader.string()?)?;
        let (valid_after, valid_before) = (reader.uint64()?, reader.uint64()?);
        let mut critical_options = Vec::new();
        each_option(reader.string()?, |name, _| {
            critical_options.push(String::from_utf8_lossy(name).into_owned());
            Ok(())
        })?;
        let (mut contexts, mut may_delegate) = (None, false);
        each_option(reader.string()?, |name, value| {
            if name == CONTEXTS_EXTENSION.as_bytes() {
                contexts = Some(patterns(value)?);
            }
            may_delegate |= name == DELEGATE_EXTENSION.as_bytes();
            Ok(())
        })?;
        let _reserved = reader.string()?;
        let issuer = issuer(reader.string()?)?;
        let signed_bytes = blob.len().saturating_sub(reader.0.0.len());
        let signature = signature(reader.string()?)?;
        reader.end()?;
        let key_id = String::from_utf8_lossy(&raw_key_id);
        let key_id = key_id.chars().map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect();
        let signed = blob.get(..signed_bytes).unwrap_or_default().to_vec();
        Ok(Self {
            key,
            issuer,
            signed,
            signature,
            is_for_host,
            serial,
            key_id,
            raw_key_id,
            principals,
            valid_after,
            valid_before,
            critical_options,
            contexts,
            may_delegate,
        })
    }

    /// Returns the key that it certifies.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Returns the key that issued it, if its [`signature`](Self::verify_signature) verifies.
    #[must_use]
    pub const fn issuer(&self) -> &VerifyingKey {
        &self.issuer
    }

    /// Returns whether it is for a host, and not for a user.
    #[must_use]
    pub const fn is_for_host(&self) -> bool {
        self.is_for_host
    }

    /// Verifies that its issuer signed it.
    ///
    /// # Errors
    ///
    /// [`CertificateFlaw::Signature`].
    pub fn verify_signature(&self) -> Result<(), CertificateFlaw> {
        let holds = self.issuer.verify(&[&self.signed], &self.signature);
        holds.then_some(()).ok_or(CertificateFlaw::Signature)
    }

    /// Judges what does not depend on who issued it, at a moment.
    ///
    /// # Errors
    ///
    /// [`CertificateFlaw::Host`], [`CertificateFlaw::NoPrincipals`], [`CertificateFlaw::CriticalOption`] for any such option,
    /// [`CertificateFlaw::NotYetValid`] and [`CertificateFlaw::Expired`].
    pub fn judge(&self, now: Timestamp) -> Result<(), CertificateFlaw> {
        if self.is_for_host {
            return Err(CertificateFlaw::Host);
        }
        if self.principals.is_empty() {
            return Err(CertificateFlaw::NoPrincipals);
        }
        if let Some(name) = self.critical_options.first() {
            return Err(CertificateFlaw::CriticalOption { name: name.clone() });
        }
        if now.unix() < self.valid_after {
            return Err(CertificateFlaw::NotYetValid { at: timestamp(self.valid_after) });
        }
        if now.unix() >= self.valid_before {
            return Err(CertificateFlaw::Expired { at: timestamp(self.valid_before) });
        }
        Ok(())
    }

    /// Returns the first moment at which it is not valid any more; `None` for ever.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::from_unix(self.valid_before)
    }
}

/// Reads the line of a certificate, `ssh-ed25519-cert-v01@openssh.com AAAA… comment`, and returns its binary form.
///
/// # Errors
///
/// [`KeyFileError::Unrecognised`] if the line begins otherwise, and [`KeyFileError::Malformed`].
pub fn certificate_in_line(line: impl AsRef<[u8]>) -> Result<Vec<u8>, KeyFileError> {
    let (name, rest) = split_word(line.as_ref().trim_ascii());
    if name != ED25519_CERTIFICATE {
        return Err(KeyFileError::Unrecognised);
    }
    super::decode_blob(split_word(rest).0)
}

/// Writes a certificate as a line, without a newline.
#[must_use]
pub fn certificate_line(certificate: &[u8], comment: &str) -> String {
    let name = String::from_utf8_lossy(ED25519_CERTIFICATE);
    let line =
        format!("{name} {} {}", Base64::encode_string(certificate), super::one_line(comment));
    line.trim_ascii_end().to_owned()
}

/// Reads names, each of which people may see.
fn principals(packed: &[u8]) -> Result<Vec<String>, CertificateFlaw> {
    let mut reader = Reader(Strings(packed));
    let mut names = Vec::new();
    while !reader.0.0.is_empty() {
        let name = str::from_utf8(reader.string()?).ok();
        let name = name.filter(|name| !name.is_empty() && all_harmless(name));
        names.push(name.ok_or_else(|| malformed("a name in it cannot be shown"))?.to_owned());
    }
    Ok(names)
}

/// Reads names and values, which are in order, each once.
fn each_option<'a>(
    packed: &'a [u8],
    mut take: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), CertificateFlaw>,
) -> Result<(), CertificateFlaw> {
    let mut reader = Reader(Strings(packed));
    let mut last: Option<&[u8]> = None;
    while !reader.0.0.is_empty() {
        let (name, value) = (reader.string()?, reader.string()?);
        if last.is_some_and(|last| last >= name) {
            return Err(malformed("its options are not in order, each once"));
        }
        take(name, value)?;
        last = Some(name);
    }
    Ok(())
}

/// Reads the value of [`CONTEXTS_EXTENSION`], which is a string inside of the value, as `ssh-keygen -O` writes it.
fn patterns(value: &[u8]) -> Result<Vec<ContextGlob>, CertificateFlaw> {
    let mut reader = Reader(Strings(value));
    let text =
        str::from_utf8(reader.string()?).map_err(|_| malformed("its contexts are not text"))?;
    reader.end()?;
    if !all_harmless(text) {
        return Err(malformed("its contexts cannot be shown"));
    }
    let glob =
        |text| ContextGlob::parse(text).map_err(|_| malformed("its contexts are no patterns"));
    text.split(',').filter(|text| !text.is_empty()).map(glob).collect()
}

fn issuer(blob: &[u8]) -> Result<VerifyingKey, CertificateFlaw> {
    let mut reader = Reader(Strings(blob));
    let kind = reader.string()?;
    if kind != ED25519.as_bytes() {
        // RFC 4251 leaves names to their owners, but all certificates of OpenSSH are named so.
        let is_certificate = kind.windows(6).any(|part| part == b"-cert-");
        return Err(if is_certificate { CertificateFlaw::Nested } else { unsupported(kind) });
    }
    let key = key_of(reader.string()?)?;
    reader.end()?;
    Ok(key)
}

fn signature(blob: &[u8]) -> Result<Vec<u8>, CertificateFlaw> {
    let mut reader = Reader(Strings(blob));
    if reader.string()? != ED25519.as_bytes() {
        return Err(malformed("its signature is of another type than its issuer"));
    }
    let signature = reader.string()?.to_vec();
    reader.end()?;
    Ok(signature)
}

fn key_of(bytes: &[u8]) -> Result<VerifyingKey, CertificateFlaw> {
    let key = bytes.try_into().map_err(|_| malformed("a key in it is not 32 bytes long"))?;
    VerifyingKey::from_bytes(key).map_err(|_| malformed("a key in it cannot be used"))
}

/// Times beyond the year 9999 are shown as its end.
fn timestamp(unix: u64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap_or(Timestamp::MAX)
}

fn unsupported(kind: &[u8]) -> CertificateFlaw {
    CertificateFlaw::UnsupportedKey { found: String::from_utf8_lossy(kind).into_owned() }
}

const fn malformed(what: &'static str) -> CertificateFlaw {
    CertificateFlaw::Malformed { what }
}

/// A reader whose errors are those of certificates.
struct Reader<'a>(Strings<'a>);

impl<'a> Reader<'a> {
    fn string(&mut self) -> Result<&'a [u8], CertificateFlaw> {
        self.0.string().map_err(|_| malformed(CUT))
    }

    fn uint32(&mut self) -> Result<u32, CertificateFlaw> {
        self.0.uint32().map_err(|_| malformed(CUT))
    }

    fn uint64(&mut self) -> Result<u64, CertificateFlaw> {
        let (high, low) = (self.uint32()?, self.uint32()?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn end(&self) -> Result<(), CertificateFlaw> {
        self.0.0.is_empty().then_some(()).ok_or(malformed("there are bytes after its end"))
    }
}

const CUT: &str = "it ends too early";

#[cfg(test)]
mod tests;
