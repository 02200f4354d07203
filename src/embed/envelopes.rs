//! What is asked of envelopes, and what is said of those that have verified.

use brine_core::{Expectations, Kind, SignedHeader, Signer, Store, Timestamp, Verified};

use super::Refused;
use super::stating::wrong;
use crate::args::judge::JudgeArgs;
use crate::args::value::parse_context;
use crate::args::when::parse_duration;
use crate::report::console::json_line;
use crate::report::{Signed, SignedParts};
use crate::verbs::expect;
use crate::world::store::PayloadStore;

/// What is asked of an envelope, as people write it.
#[derive(Clone, Debug, Default)]
pub struct ExpectationText {
    /// What the signature must be for.
    pub context: Option<String>,
    /// The name that the signer must answer to.
    pub signer: Option<String>,
    /// The age at which signatures are refused, like `7d`.
    pub max_age: Option<String>,
    /// Bytes that were signed together with the payload.
    pub external_aad: Vec<u8>,
}

/// Reads what is asked of an envelope.
///
/// # Errors
///
/// `usage`, with what is expected instead.
pub fn expectations(text: ExpectationText) -> Result<Expectations, Refused> {
    let ExpectationText { context, signer, max_age, external_aad } = text;
    let context = context.as_deref().map(parse_context).transpose();
    let max_age = max_age.as_deref().map(parse_duration).transpose();
    let args = JudgeArgs {
        context: context.map_err(|expected| wrong("context", &expected))?,
        max_age: max_age.map_err(|expected| wrong("max_age", &expected))?,
        signer,
        ..JudgeArgs::default()
    };
    Ok(expect::expectations(&args, external_aad))
}

/// Returns a place for payloads that do not fit memory: temporary files without a name.
#[must_use]
pub fn payload_store() -> impl Store + 'static {
    PayloadStore::new(None)
}

/// What is known of an envelope that has verified, without its payload.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The protected header.
    pub header: SignedHeader,
    /// When it was judged.
    pub judged_at: Timestamp,
    /// What the envelope is for.
    pub kind: Kind,
    /// How long the payload is.
    pub payload_bytes: u64,
    /// Who has signed.
    pub signer: Signer,
}

impl Facts {
    /// Takes them from an envelope that has verified.
    #[must_use]
    pub fn of(verified: &Verified) -> Self {
        Self {
            header: verified.header().clone(),
            judged_at: verified.judged_at(),
            kind: verified.kind(),
            payload_bytes: verified.payload_bytes(),
            signer: verified.signer().clone(),
        }
    }

    /// Returns what the verdict of the programs says of it, as JSON. `detached` says that the payload lay beside it.
    #[must_use]
    pub fn verdict(&self, detached: bool) -> String {
        let Self { header, judged_at, kind, payload_bytes, signer } = self;
        let (judged_at, kind, payload_bytes) = (*judged_at, *kind, *payload_bytes);
        let parts = SignedParts { header, judged_at, kind, payload_bytes, signer };
        json_line(&Signed::of(&parts, "system", detached))
    }
}
