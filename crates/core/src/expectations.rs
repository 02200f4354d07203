//! What a verifier asks of an envelope.

use std::time::Duration;

use crate::cose::Tagging;
use crate::kind::Kind;

/// What a verifier asks of an envelope. The default asks for data with an embedded payload, signed by
/// anybody who is trusted, without a context.
///
/// ```
/// use std::time::Duration;
///
/// use brine_core::Expectations;
///
/// let expectations = Expectations::new().context("reports/daily").max_age(Duration::from_secs(86_400));
/// # let _ = expectations;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Expectations {
    pub(crate) context: Option<String>,
    pub(crate) external_aad: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) max_age: Option<Duration>,
    pub(crate) signer: Option<String>,
    pub(crate) tagging: Tagging,
    pub(crate) typ: Option<String>,
}

impl Expectations {
    /// Asks for the default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a signature that is for this context. Without it, only signatures without a context are
    /// accepted.
    #[must_use]
    pub fn context(self, context: impl Into<String>) -> Self {
        Self { context: Some(context.into()), ..self }
    }

    /// Takes the signature to be over `external_aad` as well (RFC 9052, Section 4.3).
    #[must_use]
    pub fn external_aad(self, external_aad: impl Into<Vec<u8>>) -> Self {
        Self { external_aad: external_aad.into(), ..self }
    }

    /// Asks for an envelope of this kind instead of data.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Refuses signatures that are older, by the signer's clock.
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }

    /// Asks for a signer who answers to this name.
    #[must_use]
    pub fn signer(self, name: impl Into<String>) -> Self {
        Self { signer: Some(name.into()), ..self }
    }

    /// Takes envelopes of this foreign type (RFC 9596) as data.
    #[must_use]
    pub fn typ(self, typ: impl Into<String>) -> Self {
        Self { typ: Some(typ.into()), ..self }
    }

    /// Takes envelopes without their CBOR tag, too.
    #[must_use]
    pub fn untagged(self) -> Self {
        Self { tagging: Tagging::Optional, ..self }
    }

    /// Returns whether an envelope of this kind is taken.
    pub(crate) fn takes(&self, kind: Kind) -> bool {
        kind == self.kind || (self.kind == Kind::Data && kind == Kind::Foreign)
    }
}
