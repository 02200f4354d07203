//! What an agent lists.

use brine_core::{KeyError, VerifyingKey};

use super::agent_message::Fields;
use super::{AgentError, MAX_HELD_KEYS};
use crate::Fingerprint;
use crate::openssh::{ED25519, ED25519_CERTIFICATE};

/// A key that an agent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldKey {
    blob: Vec<u8>,
    comment: String,
    form: HeldForm,
}

/// What a key in an agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeldForm {
    /// A certificate over an Ed25519 key. The agent has the key itself beside it, as a rule.
    Certificate(VerifyingKey),
    /// An Ed25519 key, which signs.
    Ed25519(VerifyingKey),
    /// An Ed25519 key on a FIDO device. It never signs a message as it is, but one that it puts its own data around.
    Fido,
    /// A key of another type, by its name.
    Other(String),
    /// An Ed25519 key that nobody should use.
    Unusable(KeyError),
}

impl HeldKey {
    /// Returns what the agent calls the key: any text, with U+FFFD in place of what is not UTF-8.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Returns what it is.
    #[must_use]
    pub const fn form(&self) -> &HeldForm {
        &self.form
    }

    /// Returns the key, if it signs.
    #[must_use]
    pub const fn signing(&self) -> Option<&VerifyingKey> {
        match &self.form {
            HeldForm::Ed25519(key) => Some(key),
            _ => None,
        }
    }

    /// Returns the key that it is, or that it certifies.
    #[must_use]
    pub const fn verifying_key(&self) -> Option<&VerifyingKey> {
        match &self.form {
            HeldForm::Certificate(key) | HeldForm::Ed25519(key) => Some(key),
            HeldForm::Fido | HeldForm::Other(_) | HeldForm::Unusable(_) => None,
        }
    }

    /// Returns the certificate in its binary form, if it is one over an Ed25519 key.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8]> {
        matches!(self.form, HeldForm::Certificate(_)).then_some(self.blob.as_slice())
    }

    /// Returns the fingerprint that `ssh-add -l` shows: that of a certificate is the one of its key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.verifying_key().map_or_else(|| Fingerprint::of_blob(&self.blob), Fingerprint::ssh)
    }

    /// Returns the key as the agent wrote it, by which it is asked to sign.
    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }
}

/// Reads `uint32 nkeys`, then `string key blob, string comment` for each.
pub(super) fn read_list(mut fields: Fields<'_>) -> Result<Vec<HeldKey>, AgentError> {
    let count = fields.number()?;
    if count > MAX_HELD_KEYS {
        return Err(AgentError::malformed("it lists more than 2048 keys"));
    }
    let keys = (0..count).map(|_| {
        let (blob, comment) = (fields.string()?, fields.string()?);
        let comment = String::from_utf8_lossy(comment).into_owned();
        Ok(HeldKey { blob: blob.to_vec(), comment, form: form_of(blob)? })
    });
    let keys = keys.collect::<Result<_, _>>()?;
    fields.end().map(|()| keys)
}

/// Says what a key is. What follows in keys of other types is theirs.
fn form_of(blob: &[u8]) -> Result<HeldForm, AgentError> {
    let mut fields = Fields::of(blob);
    let name = fields.string()?;
    if name == ED25519.as_bytes() {
        let key = read_key(fields.string()?)?;
        fields.end()?;
        return Ok(key.map_or_else(HeldForm::Unusable, HeldForm::Ed25519));
    }
    if name == ED25519_CERTIFICATE {
        let _nonce = fields.string()?;
        let key = read_key(fields.string()?)?;
        return Ok(key.map_or_else(HeldForm::Unusable, HeldForm::Certificate));
    }
    Ok(match name {
        FIDO | FIDO_CERTIFICATE => HeldForm::Fido,
        other => {
            HeldForm::Other(String::from_utf8_lossy(other).chars().take(LONGEST_NAME).collect())
        }
    })
}

fn read_key(bytes: &[u8]) -> Result<Result<VerifyingKey, KeyError>, AgentError> {
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| AgentError::malformed("an Ed25519 key is not 32 bytes long"))?;
    Ok(VerifyingKey::from_bytes(bytes))
}

/// An Ed25519 key on a FIDO device (PROTOCOL.u2f), and a certificate over one.
const FIDO: &[u8] = b"sk-ssh-ed25519@openssh.com";
const FIDO_CERTIFICATE: &[u8] = b"sk-ssh-ed25519-cert-v01@openssh.com";

/// No name of an algorithm has more characters (RFC 4251, Section 6).
const LONGEST_NAME: usize = 64;
