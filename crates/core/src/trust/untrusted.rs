//! Why nobody speaks for a signature.

use super::CertificateFlaw;
use crate::class::{Class, Classified};
use crate::key::KeyId;
use crate::text::{quoted, shown};
use crate::time::Timestamp;

/// Why nobody speaks for a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// A certificate that the envelope brought vouches for nobody.
    #[error("certificate {}vouches for nobody: {flaw}",
        .certificate.as_ref().map(|name| format!("{} ", quoted(name))).unwrap_or_default())]
    Certificate {
        /// What its issuer calls it, if it can be read.
        certificate: Option<String>,
        /// What is wrong.
        flaw: CertificateFlaw,
    },
    /// The signer is trusted, but not for this context.
    #[error("{} is not trusted for {}", shown(.signer), .context.as_ref().map_or_else(
        || "signatures without a context".to_owned(), |context| format!("context {}", quoted(context))
    ))]
    Context {
        /// The signer's name.
        signer: String,
        /// The context; `None` if the signature has none.
        context: Option<String>,
    },
    /// Nobody is trusted.
    #[error("no key is trusted yet")]
    NoAnchors,
    /// The signer's key was revoked.
    #[error("key of {} was revoked{}{}", shown(.signer),
        .at.map(|at| format!(" at {at}")).unwrap_or_default(),
        .why.as_ref().map(|why| format!(": {}", shown(why))).unwrap_or_default())]
    Revoked {
        /// The signer's name, or the key id if there is no name.
        signer: String,
        /// Since when; `None` if a list of revoked keys names the key.
        at: Option<Timestamp>,
        /// The reason that was given.
        why: Option<String>,
    },
    /// Somebody has stated that the signer's key is revoked.
    #[error("{0}")]
    RevokedBy(Box<StatedRevocation>),
    /// An authority has to have a list of what it revokes, and none is there.
    #[error(
        "no revocation list of authority {} (key id {}) is here, and the trust file demands one",
        shown(.authority), .key.short()
    )]
    RevocationsMissing {
        /// The name of the authority.
        authority: String,
        /// The id of its key.
        key: KeyId,
    },
    /// The list of what an authority revokes has expired.
    #[error(
        "revocation list of {} (key id {}) expired at {at}, and no newer one is here",
        shown(.authority), .key.short()
    )]
    RevocationsStale {
        /// The name of the authority.
        authority: String,
        /// The id of its key.
        key: KeyId,
        /// When it expired.
        at: Timestamp,
    },
    /// A signature is missing that the envelope says it has to have.
    #[error(
        "signature of a signer is missing that the envelope needs: no trusted one by key id {key_id}"
    )]
    SignerMissing {
        /// The key id of that signer, in hex.
        key_id: String,
    },
    /// Fewer persons signed than have to.
    #[error("signed by {found} of the {required} persons who have to sign")]
    TooFew {
        /// How many have to.
        required: usize,
        /// How many did.
        found: usize,
    },
    /// The signer is not trusted yet.
    #[error("{} is not trusted before {at}", shown(.signer))]
    TooEarly {
        /// The signer's name.
        signer: String,
        /// The beginning of the window.
        at: Timestamp,
    },
    /// The signer is not trusted any more.
    #[error("{} has not been trusted since {at}", shown(.signer))]
    TooLate {
        /// The signer's name.
        signer: String,
        /// The end of the window, which is not within it.
        at: Timestamp,
    },
    /// The key is not trusted.
    #[error("signer is not trusted: no trust anchor for key id {key_id}")]
    Unknown {
        /// The key id, in hex.
        key_id: String,
    },
    /// The envelope names no trusted key, and not all of them were tried.
    #[error(
        "envelope names no trusted key, and none of the {tried} of {trusted} that were tried verifies it"
    )]
    Untried {
        /// How many keys were tried.
        tried: usize,
        /// How many are trusted.
        trusted: usize,
    },
    /// A trusted key of somebody else made the signature.
    #[error("signed by {}, not by {}", shown(.found), shown(.expected))]
    WrongSigner {
        /// The name that was asked for.
        expected: String,
        /// The name of the key's first entry.
        found: String,
    },
}

/// What somebody has stated of a key that is revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key of {} was revoked by {}{}{}", shown(.signer),
    .by.as_ref().map_or_else(|| "its owner".to_owned(), |by| shown(by).to_string()),
    .why.as_ref().map(|why| format!(": {}", shown(why))).unwrap_or_default(),
    .lost.map(|at| format!(" (lost at {at})")).unwrap_or_default())]
pub struct StatedRevocation {
    /// The signer's name, or the key id if there is no name.
    pub signer: String,
    /// The name of whoever revoked it, or the key id; `None` if it revoked itself.
    pub by: Option<String>,
    /// The reason that was given.
    pub why: Option<String>,
    /// When the key was lost, as it was stated. Nothing is judged by it.
    pub lost: Option<Timestamp>,
}

impl Untrusted {
    /// Returns the refusal of a key that is not trusted.
    #[must_use]
    pub fn unknown(id: KeyId) -> Self {
        Self::Unknown { key_id: id.to_string() }
    }
}

impl Classified for Untrusted {
    fn class(&self) -> Class {
        Class::Untrusted
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Certificate { flaw, .. } => flaw.reason(),
            Self::Context { .. } => "context-not-allowed",
            Self::NoAnchors => "no-trust-anchors",
            Self::RevocationsMissing { .. } => "revocations-missing",
            Self::RevocationsStale { .. } => "revocations-stale",
            Self::Revoked { .. } | Self::RevokedBy(_) => "signer-revoked",
            Self::SignerMissing { .. } => "signer-missing",
            Self::TooFew { .. } => "too-few-signers",
            Self::TooEarly { .. } => "signer-too-early",
            Self::TooLate { .. } => "signer-too-late",
            Self::Unknown { .. } | Self::Untried { .. } => "unknown-signer",
            Self::WrongSigner { .. } => "wrong-signer",
        }
    }
}
