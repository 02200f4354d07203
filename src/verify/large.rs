//! Checks an envelope whose payload is too large for memory.
//!
//! The signature comes after the payload, and nothing may be released before it: so the payload goes to a
//! private place first. Where the end of an envelope can be read before its middle, the payload is
//! hashed on its way there; else it is read back from there.

use std::io::{self, Read, Write};

use super::{DATA, Judged, PayloadSource, Request, judge, meant_key, most_tried, no_key_fits};
use crate::batch::{self, Leaf};
use crate::cbor::{Flaw, Malformed};
use crate::cose::{
    BatchProof, Front, LargeSign1, Protected, Sign1, Signature, Tagging, ToBeSigned,
};
use crate::error::{Error, Result};
use crate::hash::{ReadAt, Section};
use crate::key::{Verification, VerifyingKey};
use crate::kind::Kind;
use crate::trust::{Signer, Trust};

/// An envelope without its payload, which is or will be elsewhere. It is believed in nothing.
#[derive(Clone, Debug)]
pub struct LargeEnvelope {
    beginning: Vec<u8>,
    tagging: Tagging,
    tail: Vec<u8>,
    tail_bytes: u64,
}

impl LargeEnvelope {
    /// Reads all of an input that begins with `beginning`, and writes its payload to `keep`.
    ///
    /// No more is written than arrives, whatever the payload says of its length.
    ///
    /// # Errors
    ///
    /// - those of [`Outline::parse`](crate::cose::Outline::parse), in the same order;
    /// - [`Error::TooLarge`] if the payload says that it is longer than
    ///   [`MAX_PAYLOAD_BYTES`](crate::MAX_PAYLOAD_BYTES);
    /// - [`Error::Input`], and [`Error::Output`] if `keep` failed.
    pub fn read(
        beginning: Vec<u8>,
        input: &mut impl Read,
        keep: &mut impl Write,
        tagging: Tagging,
    ) -> Result<Self> {
        let mut beginning = beginning;
        let missing = Front::MAX_BYTES.saturating_sub(beginning.len());
        read_some(input, missing, &mut beginning)?;
        let front = Front::parse(&beginning, tagging)?;
        front.judge_length()?;
        let rest = beginning.get(front.payload_offset()..).unwrap_or_default();
        let mut rest = rest.chain(input);
        let bytes = front.payload_bytes().unwrap_or(0);
        each_piece(
            &mut rest,
            bytes,
            || front.cut(),
            |piece| keep.write_all(piece).map_err(Error::Output),
        )?;
        let mut tail = Vec::new();
        read_some(&mut rest, Front::MAX_TAIL_BYTES, &mut tail)?;
        let mut tail_bytes = length_of(&tail);
        if tail.len() >= Front::MAX_TAIL_BYTES {
            // Such an envelope is refused. How much more there is makes a better reason, and may have no
            // end.
            let more = io::copy(&mut rest.take(MAX_COUNTED_BYTES), &mut io::sink());
            tail_bytes = tail_bytes.saturating_add(more.map_err(Error::Input)?);
        }
        let payload_offset = front.payload_offset();
        beginning.truncate(payload_offset);
        beginning.shrink_to_fit();
        Ok(Self { beginning, tagging, tail, tail_bytes })
    }

    /// Reads everything but the payload from the `length` bytes of `source` that begin at `offset`.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read) that do not come of writing.
    pub fn read_around(
        source: &(impl ReadAt + ?Sized),
        offset: u64,
        length: u64,
        tagging: Tagging,
    ) -> Result<Self> {
        let mut beginning = Vec::new();
        let mut input = Section::new(source, offset, length);
        read_some(&mut input, Front::MAX_BYTES, &mut beginning)?;
        let front = Front::parse(&beginning, tagging)?;
        let payload_offset = u64::try_from(front.payload_offset()).unwrap_or(u64::MAX);
        let end = payload_offset.saturating_add(front.payload_bytes().unwrap_or(0));
        let tail_bytes = length.checked_sub(end).ok_or_else(|| front.cut())?;
        front.judge_length()?;
        let mut tail = Vec::new();
        let mut input = Section::new(source, offset.saturating_add(end), tail_bytes);
        read_some(&mut input, Front::MAX_TAIL_BYTES, &mut tail)?;
        let payload_offset = front.payload_offset();
        beginning.truncate(payload_offset);
        beginning.shrink_to_fit();
        Ok(Self { beginning, tagging, tail, tail_bytes })
    }

    /// Returns where its payload begins.
    #[must_use]
    pub fn payload_offset(&self) -> u64 {
        length_of(&self.beginning)
    }

    /// Parses what was read.
    ///
    /// # Errors
    ///
    /// Those of [`Sign1::parse`] that are left.
    pub fn sign1(&self) -> Result<LargeSign1<'_>> {
        Front::parse(&self.beginning, self.tagging)?.with_tail(&self.tail, self.tail_bytes)
    }
}

/// A large envelope of which everything holds. Its payload is where it was written to, or read from.
///
/// Only [`verify_large`] and [`verify_large_detached`] make one.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct VerifiedLarge<'a, 't> {
    header: Protected<'a>,
    kind: Kind,
    payload_bytes: u64,
    signer: &'t Signer,
}

impl<'a, 't> VerifiedLarge<'a, 't> {
    /// Returns what the protected header says.
    #[must_use]
    pub const fn header(&self) -> &Protected<'a> {
        &self.header
    }

    /// Returns what the envelope is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns how long the payload is.
    #[must_use]
    pub const fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Returns the trust entry that speaks for the key.
    #[must_use]
    pub const fn signer(&self) -> &'t Signer {
        self.signer
    }
}

/// Checks what [`verify`](super::verify) checks, in the same order, over a payload that is read once
/// from `payload`, and copied to `keep` as it is hashed.
///
/// What is released afterwards **must** be what `keep` took, or what `payload` gave, from a place that
/// nobody else writes to. `keep` **must not** be seen by anybody before this has returned.
///
/// # Errors
///
/// Those of [`verify`](super::verify); [`Error::Input`], [`Error::Malformed`] if there is less of the
/// payload than the envelope says, and [`Error::Output`] if `keep` failed.
pub fn verify_large<'a, 't>(
    sign1: &LargeSign1<'a>,
    request: &Request<'_>,
    trust: &'t Trust,
    payload: &mut impl Read,
    keep: &mut (impl Write + ?Sized),
) -> Result<VerifiedLarge<'a, 't>> {
    verify_large_kinds(sign1, request, trust, payload, keep, &DATA)
}

/// Does what [`verify_large`] does for envelopes of other kinds.
pub(super) fn verify_large_kinds<'a, 't>(
    sign1: &LargeSign1<'a>,
    request: &Request<'_>,
    trust: &'t Trust,
    payload: &mut impl Read,
    keep: &mut (impl Write + ?Sized),
    taken: &[Kind],
) -> Result<VerifiedLarge<'a, 't>> {
    let place = match (sign1.payload_bytes(), request.payload) {
        (Some(bytes), PayloadSource::Embedded) => Ok(bytes),
        (Some(_), PayloadSource::Detached(_)) => Err(Error::AttachedPayload),
        (None, _) => Err(Error::DetachedPayload),
    };
    check(sign1.without_payload(), place, request, trust, (payload, keep), taken)
}

/// Checks a detached signature over the `payload_bytes` that `payload` gives, which are read once. Where
/// `request` says that the payload is makes no difference.
///
/// # Errors
///
/// Those of [`verify`](super::verify); [`Error::Input`], and [`Error::Malformed`] if there is less.
pub fn verify_large_detached<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'_>,
    trust: &'t Trust,
    payload: &mut impl Read,
    payload_bytes: u64,
) -> Result<VerifiedLarge<'a, 't>> {
    let place = match sign1.unverified_payload() {
        None => Ok(payload_bytes),
        Some(_) => Err(Error::AttachedPayload),
    };
    check(sign1, place, request, trust, (payload, &mut io::sink()), &DATA)
}

/// `place` is how long the payload is, or why it is not where it should be.
fn check<'a, 't>(
    sign1: &Sign1<'a>,
    place: Result<u64>,
    request: &Request<'_>,
    trust: &'t Trust,
    (payload, keep): (&mut impl Read, &mut (impl Write + ?Sized)),
    taken: &[Kind],
) -> Result<VerifiedLarge<'a, 't>> {
    let payload_bytes = place.as_ref().copied().unwrap_or(0);
    let key = place.and_then(|bytes| {
        let mut trial = Trial::begin(sign1, request.external_aad, bytes, trust)?;
        each_piece(payload, bytes, cut, |piece| {
            trial.update(piece);
            keep.write_all(piece).map_err(Error::Output)
        })?;
        trial.finish(sign1)
    });
    let Judged { header, kind, signer } = judge(sign1, request, trust, taken, key)?;
    Ok(VerifiedLarge { header, kind, payload_bytes, signer })
}

/// The keys that may have made a signature, while the message passes by.
struct Trial<'a, 't> {
    over: Over<'a, 't>,
    /// Whether the envelope names one of them.
    is_meant: bool,
    trusted: usize,
}

/// What becomes of the message.
enum Over<'a, 't> {
    Alone(Vec<(&'t VerifyingKey, Verification)>),
    InBatch { keys: Vec<&'t VerifyingKey>, leaf: Leaf, proof: BatchProof<'a> },
}

impl<'a, 't> Trial<'a, 't> {
    /// Chooses as [`find_key`](super::find_key) does.
    fn begin(
        sign1: &Sign1<'a>,
        external_aad: &[u8],
        payload_bytes: u64,
        trust: &'t Trust,
    ) -> Result<Self> {
        let meant = meant_key(sign1, trust);
        let keys = meant.map_or_else(|| trust.keys(), |key| vec![key]);
        let tried: Vec<_> = keys.into_iter().take(most_tried(payload_bytes)).collect();
        let trusted = tried.len();
        let over = match sign1.signature() {
            Signature::Batch(proof) => Over::InBatch { keys: tried, leaf: Leaf::begin(), proof },
            Signature::Plain(signature) => {
                let begin = |key: &'t VerifyingKey| Some((key, key.verification(signature)?));
                Over::Alone(tried.into_iter().filter_map(begin).collect())
            }
        };
        let mut trial = Self { over, is_meant: meant.is_some(), trusted };
        let is_lost = match &trial.over {
            Over::Alone(candidates) => candidates.is_empty(),
            Over::InBatch { keys, .. } => keys.is_empty(),
        };
        if is_lost {
            // However the payload is, this comes of it.
            return Err(trial.refusal(sign1));
        }
        let before = ToBeSigned::before(sign1.protected_bytes(), external_aad, payload_bytes);
        before.parts().iter().for_each(|part| trial.update(part));
        Ok(trial)
    }

    fn update(&mut self, piece: &[u8]) {
        match &mut self.over {
            Over::Alone(candidates) => {
                candidates.iter_mut().for_each(|(_, verification)| verification.update(piece));
            }
            Over::InBatch { leaf, .. } => leaf.update(piece),
        }
    }

    fn finish(self, sign1: &Sign1<'_>) -> Result<&'t VerifyingKey> {
        let refusal = self.refusal(sign1);
        let found = match self.over {
            Over::Alone(candidates) => candidates
                .into_iter()
                .find_map(|(key, verification)| verification.finish().then_some(key)),
            Over::InBatch { keys, leaf, proof } => {
                let leaf = leaf.finish();
                keys.into_iter().find(|key| batch::verifies(key, leaf, &proof))
            }
        };
        found.ok_or(refusal)
    }

    fn refusal(&self, sign1: &Sign1<'_>) -> Error {
        if self.is_meant { Error::BadSignature } else { no_key_fits(sign1, self.trusted) }
    }
}

/// Gives exactly `count` bytes of `input` on, piece by piece; `cut` says what it means if there are fewer.
fn each_piece(
    input: &mut impl Read,
    count: u64,
    cut: impl FnOnce() -> Error,
    mut use_piece: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut memory = vec![0; PIECE_BYTES];
    let mut left = count;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        match input.read(memory.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => return Err(cut()),
            Ok(read) => {
                let piece = memory.get(..read).unwrap_or_default();
                use_piece(piece)?;
                left = left.saturating_sub(length_of(piece));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Input(error)),
        }
    }
    Ok(())
}

/// Reads `most` bytes, or up to the end.
fn read_some(input: &mut impl Read, most: usize, bytes: &mut Vec<u8>) -> Result<()> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    input.take(most).read_to_end(bytes).map(drop).map_err(Error::Input)
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The payload ended before it was as long as the envelope says.
fn cut() -> Error {
    Malformed::new(0, Flaw::UnexpectedEnd).into()
}

/// How much is read at once: what fits the second level of a processor's cache.
const PIECE_BYTES: usize = 256 * 1024;

/// How far bytes after the end are counted.
const MAX_COUNTED_BYTES: u64 = 1024 * 1024;
