//! What is asked of envelopes, and what is said of those that have verified.

use std::num::NonZero;

use brine_core::{Expectations, Kind, SignedHeader, Signer, Timestamp, Verified};

use super::Refused;
use super::stating::wrong;
use super::trusting::{JudgingClock, SYSTEM};
use crate::args::judge::JudgeArgs;
use crate::args::value::{parse_context, parse_typ};
use crate::args::when::parse_duration;
use crate::report::console::json_line;
use crate::report::{Signed, SignedParts};
use crate::verbs::expect;

/// What is asked of an envelope, as people write it.
#[derive(Clone, Debug, Default)]
pub struct ExpectationText {
    /// What the signature must be for.
    pub context: Option<String>,
    /// Bytes that were signed together with the payload.
    pub external_aad: Vec<u8>,
    /// The age at which signatures are refused, like `7d`.
    pub max_age: Option<String>,
    /// Whether envelopes inside the CBOR tags 61 and 55799 are taken, too.
    pub outer_tags: bool,
    /// How many persons must have signed.
    pub require: Option<usize>,
    /// The names that signers must answer to, each one of its own. `None` is anybody who is believed.
    pub signers: Option<Vec<String>>,
    /// How many keys are tried, instead of 16, if an envelope names none of them.
    pub try_keys: Option<usize>,
    /// A foreign type (RFC 9596) that is taken as data.
    pub typ: Option<String>,
    /// Whether envelopes without a CBOR tag are taken, too.
    pub untagged: bool,
    /// Whether envelopes without a type are taken as data, too.
    pub untyped: bool,
}

/// Reads what is asked of an envelope.
///
/// # Errors
///
/// `usage`, with what is expected instead.
pub fn expectations(text: ExpectationText) -> Result<Expectations, Refused> {
    let ExpectationText { context, max_age, typ, try_keys, .. } = &text;
    let context = context.as_deref().map(parse_context).transpose();
    let max_age = max_age.as_deref().map(parse_duration).transpose();
    let typ = typ.as_deref().map(foreign_typ).transpose()?;
    let count = |count| NonZero::new(count).ok_or("expected a number, 1 or more");
    let (try_keys, require) = (try_keys.map(count), text.require.map(count));
    // No name is no question, and whoever is believed would do: that is not what a list of names is for.
    if text.signers.as_ref().is_some_and(Vec::is_empty) {
        return Err(wrong("signer", "expected a name, or several"));
    }
    let args = JudgeArgs {
        context: context.map_err(|expected| wrong("context", &expected))?,
        max_age: max_age.map_err(|expected| wrong("max_age", &expected))?,
        outer_tags: text.outer_tags,
        require: require.transpose().map_err(|expected| wrong("require", expected))?,
        signers: text.signers.unwrap_or_default(),
        try_keys: try_keys.transpose().map_err(|expected| wrong("try_keys", expected))?,
        untagged: text.untagged,
        ..JudgeArgs::default()
    };
    let mut expectations = expect::expectations(&args, text.external_aad);
    if let Some(typ) = typ {
        expectations = expectations.typ(typ);
    }
    Ok(if text.untyped { expectations.untyped() } else { expectations })
}

/// Reads a type that is somebody else's. The words about it name no option.
fn foreign_typ(text: &str) -> Result<String, Refused> {
    parse_typ(text).map_err(|_| {
        let why = if Kind::is_reserved_typ(text) {
            "that is a type of brine's own, which is taken where it is expected"
        } else {
            "expected a media type; untyped=True takes what has none"
        };
        wrong("typ", why)
    })
}

/// What is known of an envelope that has verified, without its payload.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What verdicts call the clock that it was judged by: `system` or `given`.
    pub clock: &'static str,
    /// The protected header.
    pub header: SignedHeader,
    /// When it was judged.
    pub judged_at: Timestamp,
    /// What the envelope is for.
    pub kind: Kind,
    /// How long the payload is.
    pub payload_bytes: u64,
    /// Who has signed; of several, the first.
    pub signer: Signer,
    /// The others who are believed, of an envelope of several signers.
    pub others: Vec<Signer>,
}

impl Facts {
    /// Takes them from an envelope that has verified by the clock of the system.
    #[must_use]
    pub fn of(verified: &Verified) -> Self {
        Self {
            clock: SYSTEM,
            header: verified.header().clone(),
            judged_at: verified.judged_at(),
            kind: verified.kind(),
            payload_bytes: verified.payload_bytes(),
            signer: verified.signer().clone(),
            others: verified.signers().skip(1).cloned().collect(),
        }
    }

    /// Says by which clock it was judged.
    #[must_use]
    pub fn judged_by(self, clock: JudgingClock) -> Self {
        Self { clock: clock.name(), ..self }
    }

    /// Returns all signers who are believed, the first one first.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        std::iter::once(&self.signer).chain(&self.others)
    }

    /// Returns what the verdict of the programs says of it, as JSON. `detached` says that the payload lay beside it.
    #[must_use]
    pub fn verdict(&self, detached: bool) -> String {
        let Self { clock, header, judged_at, kind, payload_bytes, signer, .. } = self;
        let (judged_at, kind, payload_bytes) = (*judged_at, *kind, *payload_bytes);
        let several = header.is_of_several().then(|| self.signers().cloned().collect());
        let parts = SignedParts { header, judged_at, kind, payload_bytes, signer, several };
        json_line(&Signed::of(parts, clock, detached))
    }
}
