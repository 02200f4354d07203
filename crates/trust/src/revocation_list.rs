//! Keys and certificates that are believed no more.

use std::collections::HashSet;

use brine_core::{KeyId, VerifyingKey};
use brine_keys::OpensshCertificate;

use crate::error::TrustError;
use crate::krl::{KRL_MAGIC, Krl};
use crate::openssh_text::read_keys;
use crate::statements::UnverifiedStatement;
use crate::trust_file::{BYTE_ORDER_MARK, check, check_size};

/// Keys and certificates that are believed no more, whatever else is said of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationList {
    keys: HashSet<KeyId>,
    krls: Vec<Krl>,
}

impl RevocationList {
    /// Reads a list of revoked keys, in either form.
    ///
    /// One is a text with one OpenSSH public key a line, or a certificate, which stands for its key; blank lines, lines
    /// that begin with `#` and keys that are not Ed25519 are left out. The other is OpenSSH's binary list
    /// (`ssh-keygen -k`), which also revokes certificates by their serial numbers and key ids.
    ///
    /// # Errors
    ///
    /// - [`TrustError::TooLarge`] beyond [`MAX_TRUST_FILE_BYTES`](crate::MAX_TRUST_FILE_BYTES);
    /// - [`TrustError::Krl`] for a binary list that cannot be read, or not to its end;
    /// - [`TrustError::SignedList`] for a [statement](crate::UnverifiedStatement);
    /// - [`TrustError::Utf16`]; [`TrustError::NotText`] for zero bytes;
    /// - [`TrustError::Key`] for a broken key, [`TrustError::UnknownKeyType`] for a line that begins with no type of
    ///   key.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.starts_with(KRL_MAGIC) {
            check_size(bytes)?;
            let krl = Krl::parse(bytes).map_err(|flaw| TrustError::Krl { flaw })?;
            return Ok(Self { keys: HashSet::new(), krls: vec![krl] });
        }
        if UnverifiedStatement::parse(bytes.to_vec()).is_ok() {
            return Err(TrustError::SignedList);
        }
        check(bytes)?;
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        Ok(read_keys(text)?.into_iter().collect())
    }

    /// Adds another list.
    pub fn extend(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.krls.extend(other.krls);
    }

    /// Returns whether it revokes nothing by itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.krls.is_empty()
    }

    /// Returns whether a key of this id is on it as a whole key.
    pub(crate) fn names(&self, id: KeyId) -> bool {
        self.keys.contains(&id)
    }

    /// Returns whether it revokes a key.
    #[must_use]
    pub fn revokes_key(&self, key: &VerifyingKey) -> bool {
        self.keys.contains(&key.id()) || self.krls.iter().any(|krl| krl.revokes_key(key))
    }

    /// Returns whether it revokes a certificate: by itself, by the key in it, or by that of its issuer.
    #[must_use]
    pub fn revokes_certificate(&self, certificate: &OpensshCertificate) -> bool {
        !self.is_empty()
            && (self.revokes_key(certificate.key())
                || self.revokes_key(certificate.issuer())
                || self.krls.iter().any(|krl| krl.revokes_certificate(certificate)))
    }
}

impl FromIterator<VerifyingKey> for RevocationList {
    fn from_iter<I: IntoIterator<Item = VerifyingKey>>(keys: I) -> Self {
        Self { keys: keys.into_iter().map(|key| key.id()).collect(), krls: Vec::new() }
    }
}

impl<const N: usize> From<[VerifyingKey; N]> for RevocationList {
    fn from(keys: [VerifyingKey; N]) -> Self {
        keys.into_iter().collect()
    }
}
