//! Why a certificate vouches for nobody.

use crate::text::{quoted, shown};
use crate::time::Timestamp;

/// Why a certificate vouches for nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFlaw {
    /// No authority that is trusted issued it.
    #[error("no trusted authority issued it: its issuer is {}", shown(.issuer))]
    AuthorityUnknown {
        /// The fingerprint of the key that issued it.
        issuer: String,
    },
    /// The key that issued it may not issue certificates.
    #[error("{} may not issue certificates", shown(.issuer))]
    Delegation {
        /// Who issued it.
        issuer: String,
    },
    /// It demands something that is not understood.
    #[error("it has the critical option {}, which is not understood", quoted(.name))]
    CriticalOption {
        /// The name of the option.
        name: String,
    },
    /// It is not valid any more.
    #[error("it expired at {at}")]
    Expired {
        /// The first moment at which it is not valid.
        at: Timestamp,
    },
    /// It is for a host, and not for a person.
    #[error("it is for a host")]
    Host,
    /// It is not in its form.
    #[error("it is malformed: {what}")]
    Malformed {
        /// The rule that it breaks.
        what: &'static str,
    },
    /// It was issued with a certificate in the place of a key.
    #[error("its issuer is a certificate, and not a key")]
    Nested,
    /// It names nobody, which would mean everybody.
    #[error("it names nobody")]
    NoPrincipals,
    /// It is not valid yet.
    #[error("it is not valid before {at}")]
    NotYetValid {
        /// The first moment at which it is valid.
        at: Timestamp,
    },
    /// It certifies another key than the one that signs.
    #[error("it certifies another key than the one that signs")]
    OtherKey,
    /// It names nobody for whom its issuer may vouch.
    #[error("{} may not vouch for {}", shown(.issuer), shown(.names))]
    Principals {
        /// Who issued it.
        issuer: String,
        /// The names in it, separated by commas.
        names: String,
    },
    /// It was revoked.
    #[error("it was revoked")]
    Revoked,
    /// Its signature does not verify.
    #[error("its signature does not verify")]
    Signature,
    /// A key in it is of a type that is not supported.
    #[error("{} is not a supported type of key for it", shown(.found))]
    UnsupportedKey {
        /// The type.
        found: String,
    },
}

impl CertificateFlaw {
    /// Returns its short name.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::AuthorityUnknown { .. } => "authority-unknown",
            Self::CriticalOption { .. } => "certificate-critical-option",
            Self::Delegation { .. } => "certificate-issuer",
            Self::Expired { .. } => "certificate-expired",
            Self::Host => "certificate-host",
            Self::Malformed { .. } => "certificate-malformed",
            Self::Nested => "certificate-nested",
            Self::NoPrincipals => "certificate-no-principals",
            Self::NotYetValid { .. } => "certificate-not-yet-valid",
            Self::OtherKey => "certificate-other-key",
            Self::Principals { .. } => "certificate-principals",
            Self::Revoked => "certificate-revoked",
            Self::Signature => "certificate-signature-bad",
            Self::UnsupportedKey { .. } => "certificate-key-unsupported",
        }
    }
}
