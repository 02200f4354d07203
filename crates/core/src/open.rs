//! The front door: finds out what arrives, and verifies it.
//!
//! This is the only place that looks at the first bytes of an input. Armored or not, single, large or a
//! stream, with its payload or beside it: [`open`] tells them apart, and what comes out of verifying is one
//! type, [`Verified`].

mod beside;
mod input;
mod large;
mod skim;

use std::io::{Cursor, Read};

use crate::armor;
use crate::cose::{FormError, Front, Several, begins_several};
use crate::error::{KindError, Result};
use crate::expectations::Expectations;
use crate::kind::{Kind, PROFILE};
use crate::observer::Observer;
use crate::store::{NoStore, Store};
use crate::stream::{StreamReader, read_opening, read_protected, starts_segment};
use crate::time::Clock;
use crate::trust::TrustSource;
use crate::unverified::Signatures;
use crate::verified::{Payload, Verified};
use crate::verify::{verify_now, wrong_kind};

pub use self::beside::{Beside, Hashed, WholeContent};
pub use self::input::Input;
pub use self::skim::{LargeEnvelope, Skimmed};

use self::input::Arrived;
use self::large::Large;

/// How much of an input is held in memory, in bytes. What is larger goes to a [`Store`].
pub const MAX_MEMORY_BYTES: u64 = 4 * 1024 * 1024;

/// The largest envelope that is read as armored text, in bytes of its payload.
pub const MAX_ARMORED_BYTES: u64 = 256 * 1024 * 1024;

/// Finds out what arrives. Nothing is verified yet.
///
/// No more is read than shows what it is: of a stream the protected header of segment 0, of anything else
/// [`MAX_MEMORY_BYTES`] and armored text whole. Bytes that are in memory already stay there.
///
/// # Errors
///
/// [`SystemError::Input`](crate::SystemError::Input); [`FormError::Armor`], [`FormError::NotAnEnvelope`] and
/// [`FormError::TooLarge`] for armored text.
pub fn open(input: impl Into<Input>) -> Result<Opening> {
    let found = Found::read(input.into())?;
    Ok(Opening { found, store: Box::new(NoStore), threads: 1, wants_payload: true })
}

/// Returns whether these bytes are to be taken as one envelope: they are neither armored nor a stream.
///
/// Whether they are an envelope at all, verifying tells. An [`EnvelopeVerifier`](crate::EnvelopeVerifier) takes those
/// that are, and everything else is for [`open`].
#[must_use]
pub fn is_single(bytes: &[u8]) -> bool {
    !armor::is_armored(bytes) && stream_beginning(bytes).is_none()
}

/// Returns the beginning of segment 0 up to the end of its protected header, if these bytes are a stream.
fn stream_beginning(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut beginning = Vec::new();
    let start = read_protected(&mut &*bytes, &mut beginning).ok()?;
    starts_segment(beginning.get(start..).unwrap_or_default()).then_some(beginning)
}

/// Something that arrived: an envelope or a stream, parsed in nothing but its beginning.
pub struct Opening {
    found: Found,
    store: Box<dyn Store>,
    threads: usize,
    wants_payload: bool,
}

enum Found {
    /// An envelope that does not fit memory.
    Large(Input),
    /// A stream: the beginning of segment 0 up to the end of its protected header, and the rest.
    Stream { beginning: Vec<u8>, rest: Box<dyn Read + Send> },
    /// All of it, without armor.
    Whole(Vec<u8>),
}

impl Found {
    fn read(mut input: Input) -> Result<Self> {
        if input.is_whole {
            return Self::of_bytes(input.beginning);
        }
        let mut beginning = Vec::new();
        // Anything that is no tagged COSE_Sign1, or is broken, is no stream: it is refused for that later.
        match read_protected(&mut input.reader, &mut beginning) {
            Ok(protected) if starts_segment(beginning.get(protected..).unwrap_or_default()) => {
                return Ok(Self::Stream { beginning, rest: input.reader });
            }
            Err(error) if error.is_input() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        input.beginning = beginning;
        match input.read_up_to(MAX_MEMORY_BYTES)? {
            Arrived::All(bytes) => unwrap(bytes).map(Self::Whole),
            Arrived::More(mut input) => {
                // The signatures of several signers are verified in turns, over a payload in memory.
                input.read_beginning(SEVERAL_SHOWS)?;
                if begins_several(&input.beginning) {
                    input.read_beginning(Front::MAX_BYTES)?;
                    if Several::judge_beginning(&input.beginning, &PROFILE).is_err() {
                        // Whatever follows, it is refused for what is wrong with that.
                        return Ok(Self::Whole(input.beginning));
                    }
                    return match input.expecting(0).read_up_to(MAX_WHOLE_ENVELOPE_BYTES)? {
                        Arrived::All(bytes) => Ok(Self::Whole(bytes)),
                        Arrived::More(_) => Err(TOO_LARGE.into()),
                    };
                }
                if !input.is_armored()? {
                    return Ok(Self::Large(input));
                }
                let limit = input.most_armored;
                match input.read_up_to(armor::longest(limit))? {
                    Arrived::All(bytes) => unwrap(bytes).map(Self::Whole),
                    Arrived::More(_) => Err(FormError::TooLarge { limit }.into()),
                }
            }
        }
    }

    /// Bytes that are in memory stay there, however many they are.
    fn of_bytes(bytes: Vec<u8>) -> Result<Self> {
        if armor::is_armored(&bytes) {
            return unwrap(bytes).map(Self::Whole);
        }
        let Some(beginning) = stream_beginning(&bytes) else { return Ok(Self::Whole(bytes)) };
        let mut rest = Cursor::new(bytes);
        rest.set_position(u64::try_from(beginning.len()).unwrap_or(u64::MAX));
        Ok(Self::Stream { beginning, rest: Box::new(rest) })
    }
}

impl Opening {
    /// Keeps payloads that do not fit memory in `store` until they have verified. Without a store they are
    /// refused.
    #[must_use]
    pub fn store(self, store: impl Store + 'static) -> Self {
        Self { store: Box::new(store), ..self }
    }

    /// Verifies a stream on this many threads, at most [`MAX_THREADS`](crate::stream::MAX_THREADS).
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Drops the payload of a single envelope when it has verified. A large file then needs no store.
    #[must_use]
    pub fn without_payload(self) -> Self {
        Self { wants_payload: false, ..self }
    }

    /// Returns whether it is a stream.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        matches!(self.found, Found::Stream { .. })
    }

    /// Verifies it: signature, kind, trust, context and time, in this order. `trust` and `clock` are asked when the
    /// last byte that is judged has arrived. Whoever releases it later [judges it
    /// again](Verified::judge_again).
    ///
    /// Of a stream, only the header of segment 0 is verified here. Each segment is verified when it is read from
    /// what is returned, and trust and time are judged again then, by clones of `trust` and `clock`.
    ///
    /// # Errors
    ///
    /// - [`FormError`] by the form; [`FormError::DetachedPayload`] if the payload is not in the envelope;
    /// - [`SignatureError`](crate::SignatureError) by the signature;
    /// - [`KindError`] by the kind;
    /// - [`Untrusted`](crate::Untrusted) by the trust anchors;
    /// - [`ClaimsError`](crate::ClaimsError) by context and time;
    /// - [`StreamError`](crate::StreamError) for a stream;
    /// - [`SystemError`](crate::SystemError).
    pub fn verify<T, C>(self, expectations: &Expectations, trust: &T, clock: &C) -> Result<Verified>
    where
        T: TrustSource + Clone + 'static,
        C: Clock + Clone + 'static,
    {
        self.verify_observing(expectations, &Observer::new(trust.clone(), clock.clone()))
    }

    fn verify_observing(
        self,
        expectations: &Expectations,
        observer: &Observer,
    ) -> Result<Verified> {
        let Self { found, store, threads, wants_payload } = self;
        match found {
            Found::Whole(bytes) => verify_whole(bytes, expectations, observer),
            Found::Large(input) => {
                Large { input, store, wants_payload }.verify(expectations, observer)
            }
            Found::Stream { beginning, mut rest } => {
                if !matches!(expectations.kind, Kind::Data | Kind::Segment) {
                    let (expected, found) = (expectations.kind, Kind::Segment);
                    return Err(KindError::Wrong { expected, found }.into());
                }
                let opening = read_opening(beginning, &mut rest)?;
                let begun = StreamReader::open(&opening, rest, expectations, observer, threads)?;
                let payload = Payload::segments(begun.reader);
                Ok(Verified::new(&begun.protected, begun.judged, begun.judged_at, payload))
            }
        }
    }
}

fn verify_whole(
    bytes: Vec<u8>,
    expectations: &Expectations,
    observer: &Observer,
) -> Result<Verified> {
    let signatures = Signatures::parse(&bytes, expectations.tagging)?;
    let envelope = signatures.first();
    let Some(payload) = envelope.sign1().unverified_payload() else {
        return Err(wrong_kind(envelope, expectations, FormError::DetachedPayload.into()));
    };
    let (judged, now) = verify_now(&signatures, payload, expectations, observer)?;
    let protected = envelope.sign1().protected_bytes().to_vec();
    let place = envelope.sign1().payload_range();
    Ok(Verified::new(&protected, judged, now, Payload::within(bytes, place)))
}

/// Takes off the armor, if there is one.
fn unwrap(bytes: Vec<u8>) -> Result<Vec<u8>> {
    let envelope = if armor::is_armored(&bytes) { armor::decode(&bytes)? } else { bytes };
    let fits = u64::try_from(envelope.len()).is_ok_and(|length| length <= MAX_WHOLE_ENVELOPE_BYTES);
    if fits { Ok(envelope) } else { Err(TOO_LARGE.into()) }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.found {
            Found::Large(_) => "Opening(large)",
            Found::Stream { .. } => "Opening(stream)",
            Found::Whole(_) => "Opening(whole)",
        })
    }
}

/// How many bytes show whether an envelope is one of several signers.
const SEVERAL_SHOWS: usize = 2;

const TOO_LARGE: FormError = FormError::TooLarge { limit: MAX_ARMORED_BYTES };

/// The largest payload that is read into memory, with two full headers.
const MAX_WHOLE_ENVELOPE_BYTES: u64 = MAX_ARMORED_BYTES + 256 * 1024;
