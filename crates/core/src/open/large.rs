//! An envelope whose payload does not fit memory.
//!
//! The signature comes after the payload, and nothing may be released before it: so the payload goes to a
//! store first. Where the end of the envelope can be read before its middle, the payload is hashed on its
//! way there; else it is read back from there.

use std::io::{self, Read};

use super::input::{Anywhere, Input};
use crate::cose::{Ends, FormError, Front, Tagging};
use crate::error::{Error, Result, SystemError};
use crate::expectations::Expectations;
use crate::hash::{ReadAt, Section};
use crate::kind::PROFILE;
use crate::observer::Observer;
use crate::store::{Kept, Store};
use crate::time::Timestamp;
use crate::unverified::UnverifiedEnvelope;
use crate::verified::{Payload, Verified};
use crate::verify::{Judged, Trial, each_piece_of, judge_signed, wrong_kind};

/// A large envelope, and what becomes of its payload.
pub(super) struct Large {
    pub(super) input: Input,
    pub(super) store: Box<dyn Store>,
    pub(super) wants_payload: bool,
}

impl Large {
    pub(super) fn verify(
        mut self,
        expectations: &Expectations,
        observer: &Observer,
    ) -> Result<Verified> {
        match self.input.anywhere.take() {
            Some(anywhere) => self.verify_file(&anywhere, expectations, observer),
            None => self.verify_pipe(expectations, observer),
        }
    }

    /// Reads the end first, and the payload once. What the file becomes meanwhile is no matter: the bytes that
    /// were hashed are the bytes that were kept.
    fn verify_file(
        mut self,
        anywhere: &Anywhere,
        expectations: &Expectations,
        observer: &Observer,
    ) -> Result<Verified> {
        let Anywhere { source, offset, bytes } = anywhere;
        let shell = Shell::read_around(source.as_ref(), *offset, *bytes, expectations.tagging)?;
        let start = offset.saturating_add(shell.payload_offset());
        let mut payload = Section::new(source.as_ref(), start, u64::MAX);
        let mut kept = match self.wants_payload {
            true => Some(self.store.keep().map_err(SystemError::Store)?),
            false => None,
        };
        let keep = |piece: &[u8]| match &mut kept {
            Some(kept) => kept.write_all(piece).map_err(|error| SystemError::Store(error).into()),
            None => Ok(()),
        };
        let verified =
            shell.verify(&mut payload, keep, expectations, observer, Payload::elsewhere)?;
        Ok(match kept {
            Some(kept) => verified.with_kept(kept),
            None => verified,
        })
    }

    /// The signature comes last, so the payload is kept first and hashed there.
    fn verify_pipe(mut self, expectations: &Expectations, observer: &Observer) -> Result<Verified> {
        let (shell, kept) = Shell::read(self.input, self.store.as_mut(), expectations.tagging)?;
        let mut payload = Section::new(kept.as_ref(), 0, u64::MAX);
        let verified = shell
            .verify(&mut payload, |_| Ok(()), expectations, observer, Payload::elsewhere)
            .map_err(of_store)?;
        Ok(if self.wants_payload { verified.with_kept(kept) } else { verified })
    }
}

/// Reading back from a store is what failed.
fn of_store(error: Error) -> Error {
    match error {
        Error::System(SystemError::Input(error)) => SystemError::Store(error).into(),
        other => other,
    }
}

/// An envelope without its payload, which is or will be elsewhere.
pub(super) struct Shell {
    beginning: Vec<u8>,
    tagging: Tagging,
    tail: Vec<u8>,
    tail_bytes: u64,
}

impl Shell {
    /// Reads all of an input, and keeps its payload. No more is written than arrives, whatever the payload says of
    /// its length.
    pub(super) fn read(
        input: Input,
        store: &mut dyn Store,
        tagging: Tagging,
    ) -> Result<(Self, Box<dyn Kept>)> {
        let Input { mut beginning, mut reader, .. } = input;
        let missing = Front::MAX_BYTES.saturating_sub(beginning.len());
        read_some(&mut reader, missing, &mut beginning)?;
        let front = Front::parse(&beginning, tagging)?;
        front.judge_length()?;
        let mut kept = store.keep().map_err(SystemError::Store)?;
        let rest = beginning.get(front.payload_offset()..).unwrap_or_default();
        let mut rest = rest.chain(reader);
        let bytes = front.payload_bytes().unwrap_or(0);
        each_piece_of(
            &mut rest,
            bytes,
            || front.cut().into(),
            |piece| kept.write_all(piece).map_err(|error| SystemError::Store(error).into()),
        )?;
        let mut tail = Vec::new();
        read_some(&mut rest, Front::MAX_TAIL_BYTES, &mut tail)?;
        let mut tail_bytes = length_of(&tail);
        if tail.len() >= Front::MAX_TAIL_BYTES {
            // Such an envelope is refused. How much more there is makes a better reason, and may have no
            // end.
            let more = io::copy(&mut rest.take(MAX_COUNTED_BYTES), &mut io::sink());
            tail_bytes = tail_bytes.saturating_add(more.map_err(Error::input)?);
        }
        let payload_offset = front.payload_offset();
        beginning.truncate(payload_offset);
        Ok((Self { beginning, tagging, tail, tail_bytes }, kept))
    }

    /// Reads everything but the payload from the `length` bytes of `source` that begin at `offset`.
    pub(super) fn read_around(
        source: &dyn ReadAt,
        offset: u64,
        length: u64,
        tagging: Tagging,
    ) -> Result<Self> {
        let mut beginning = Vec::new();
        read_some(&mut Section::new(source, offset, length), Front::MAX_BYTES, &mut beginning)?;
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
        Ok(Self { beginning, tagging, tail, tail_bytes })
    }

    pub(super) fn payload_offset(&self) -> u64 {
        length_of(&self.beginning)
    }

    pub(super) const fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    /// Returns everything before the payload, which was parsed before.
    pub(super) fn front(&self) -> Result<Front<'_>, FormError> {
        Front::parse(&self.beginning, self.tagging)
    }

    pub(super) const fn ends(&self) -> Ends<'_> {
        Ends { tail: self.tail.as_slice(), tail_bytes: self.tail_bytes }
    }

    /// Verifies it over a payload that is read once, and passes each piece to `keep`.
    fn verify(
        &self,
        payload: &mut dyn Read,
        keep: impl FnMut(&[u8]) -> Result<()>,
        expectations: &Expectations,
        observer: &Observer,
        place: fn(u64) -> Payload,
    ) -> Result<Verified> {
        let front = self.front()?;
        let envelope = UnverifiedEnvelope::new(front.with_ends(self.ends(), &PROFILE)?)?;
        let Some(bytes) = front.payload_bytes() else {
            return Err(wrong_kind(&envelope, expectations, FormError::DetachedPayload.into()));
        };
        let over = PassingBy { payload, bytes };
        let (judged, now) = over.verify(&envelope, keep, expectations, observer)?;
        let protected = envelope.sign1().protected_bytes();
        Ok(Verified::new(protected, judged, now, place(bytes)))
    }
}

/// A payload that is read once.
pub(super) struct PassingBy<'r> {
    pub(super) payload: &'r mut dyn Read,
    pub(super) bytes: u64,
}

impl PassingBy<'_> {
    /// Judges an envelope over it, in the order in which one in memory is judged. All of it **must** have arrived.
    pub(super) fn verify(
        self,
        envelope: &UnverifiedEnvelope<'_>,
        mut keep: impl FnMut(&[u8]) -> Result<()>,
        expectations: &Expectations,
        observer: &Observer,
    ) -> Result<(Judged<'static>, Timestamp)> {
        let trust = observer.trust()?;
        let trial = Trial::begin(envelope, expectations, self.bytes, trust.as_ref());
        let key = match trial {
            Err(error) => Err(error),
            Ok(mut trial) => {
                each_piece_of(self.payload, self.bytes, cut, |piece| {
                    trial.update(piece);
                    keep(piece)
                })?;
                trial.finish()
            }
        };
        // Hashing it may have taken long.
        let circumstances = observer.observe()?;
        let (trust, now) = (circumstances.trust().as_ref(), circumstances.now());
        let judged = judge_signed(envelope, expectations, trust, now, key)?;
        Ok((judged.into_owned(), now))
    }
}

/// The payload ended before it was as long as the envelope says.
fn cut() -> Error {
    crate::cbor::Malformed::new(0, crate::cbor::Flaw::UnexpectedEnd).into()
}

/// Reads `most` bytes, or up to the end.
pub(super) fn read_some(input: &mut dyn Read, most: usize, bytes: &mut Vec<u8>) -> Result<()> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    input.take(most).read_to_end(bytes).map(drop).map_err(Error::input)
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// How far bytes after the end are counted.
const MAX_COUNTED_BYTES: u64 = 1024 * 1024;
