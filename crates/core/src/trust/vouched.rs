//! Who is believed because somebody else says who they are.

use crate::key::KeyId;
use crate::time::Timestamp;

/// Through whom a signer is believed whose key no trust anchor names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vouched {
    /// The name of the authority.
    pub authority: String,
    /// The id of the authority's key.
    pub authority_key: KeyId,
    /// The names of those who issued certificates in between, from the authority on.
    pub through: Vec<String>,
    /// The ids of the keys of persons who handed on: of those in between, and of whoever began, if that is a signer.
    pub delegates: Vec<KeyId>,
    /// All names in the certificate for which everybody may vouch who does.
    pub names: Vec<String>,
    /// What the authority calls the certificate.
    pub certificate: String,
    /// The serial number of the certificate; 0 if it has none.
    pub serial: u64,
    /// The first moment at which the certificate is not valid any more; `None` for ever.
    pub expires: Option<Timestamp>,
    /// The contexts that the certificate is limited to, separated by commas; `None` if it says nothing about contexts, so
    /// that those of the authority hold.
    pub contexts: Option<String>,
    /// The number of the list of revoked keys of the authority by which it was judged; `None` if there is none, and so
    /// nothing is known of what the authority has revoked since.
    pub revocations: Option<u64>,
}

impl Vouched {
    /// Says that an authority vouches by a certificate, without anybody in between.
    #[must_use]
    pub fn by(authority: impl Into<String>, key: KeyId, certificate: impl Into<String>) -> Self {
        Self {
            authority: authority.into(),
            authority_key: key,
            through: Vec::new(),
            delegates: Vec::new(),
            names: Vec::new(),
            certificate: certificate.into(),
            serial: 0,
            expires: None,
            contexts: None,
            revocations: None,
        }
    }
}
