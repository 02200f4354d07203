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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Expectations {
    pub(crate) context: Option<String>,
    pub(crate) external_aad: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) max_age: Option<Duration>,
    pub(crate) required: usize,
    pub(crate) signers: Vec<String>,
    pub(crate) tagging: Tagging,
    pub(crate) tried_keys: usize,
    pub(crate) typ: Option<String>,
    pub(crate) untyped: bool,
}

/// How many trusted keys are tried, where an envelope names none of them and nothing else is asked for.
pub const TRIED_KEYS: usize = 16;

impl Default for Expectations {
    fn default() -> Self {
        Self {
            context: None,
            external_aad: Vec::new(),
            kind: Kind::default(),
            max_age: None,
            required: 1,
            signers: Vec::new(),
            tagging: Tagging::default(),
            tried_keys: TRIED_KEYS,
            typ: None,
            untyped: false,
        }
    }
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

    /// Returns the bytes that are to have been signed as well.
    #[must_use]
    pub fn aad(&self) -> &[u8] {
        &self.external_aad
    }

    /// Asks for an envelope of this kind instead of data.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Refuses signatures that are older, by the signer's clock. There is no leeway.
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }

    /// Asks for a signer who answers to this name. Of an envelope of several signers, each name that is asked for must have
    /// a signature of its own.
    #[must_use]
    pub fn signer(mut self, name: impl Into<String>) -> Self {
        self.signers.push(name.into());
        self
    }

    /// Asks for the signatures of so many persons, by [`count_persons`](crate::count_persons).
    #[must_use]
    pub fn required(self, persons: usize) -> Self {
        Self { required: persons.max(1), ..self }
    }

    /// Takes envelopes of this foreign type (RFC 9596) as data: a media type, without case, or the number of a
    /// CoAP Content-Format. No type of brine's own is foreign, and one that is named here is not taken.
    #[must_use]
    pub fn typ(self, typ: impl Into<String>) -> Self {
        Self { typ: Some(typ.into()), ..self }
    }

    /// Tries up to so many trusted keys, at least one, where an envelope names none of them, instead of
    /// [`TRIED_KEYS`]. Anyone can send such envelopes, and each costs so many signatures to verify. Of large payloads
    /// fewer are tried.
    #[must_use]
    pub fn tried_keys(self, most: usize) -> Self {
        Self { tried_keys: most, ..self }
    }

    /// Takes envelopes inside the CBOR tags 61 (a CWT) and 55799 (CBOR), too.
    #[must_use]
    pub fn outer_tags(self) -> Self {
        Self { tagging: self.tagging.or_outer(), ..self }
    }

    /// Takes envelopes without their CBOR tag, too.
    #[must_use]
    pub fn untagged(self) -> Self {
        Self { tagging: self.tagging.or_bare(), ..self }
    }

    /// Takes envelopes without a type (RFC 9596), too, where data or a digest is asked for.
    ///
    /// The signature of such an envelope does not say what it is for. It **must** only be asked for where the
    /// signer's key signs nothing else, such as tokens for other recipients: other COSE software, or
    /// [`Statement::plain`](crate::Statement::plain).
    #[must_use]
    pub fn untyped(self) -> Self {
        Self { untyped: true, ..self }
    }

    /// Returns whether an envelope of this kind is taken, given that it has a type if it must have one.
    pub(crate) fn takes(&self, kind: Kind) -> bool {
        kind == self.kind
            || (self.kind == Kind::Data && matches!(kind, Kind::Foreign | Kind::Untyped))
    }
}
