//! An envelope that has verified.

mod envelope_verifier;
mod payload;
mod signed_header;

use std::io::{self, BufRead, Read};

use crate::claims::Claims;
use crate::error::{Error, Result};
use crate::expectations::Expectations;
use crate::kind::Kind;
use crate::observer::Circumstances;
use crate::store::Kept;
use crate::time::{Clock, Timestamp};
use crate::trust::{Signer, TrustSource};
use crate::verify::{Judged, Standing};

pub use self::envelope_verifier::EnvelopeVerifier;
pub(crate) use self::payload::Payload;
pub use self::signed_header::SignedHeader;

/// An envelope whose signature, kind, signer, context and time hold, and its payload.
///
/// Only verifying makes one. Code that acts on content takes this type and not bytes.
///
/// The payload is read from it. Reading a stream ends in an error, and never in an end, where the stream was
/// cut or altered. Readers that must never see a partial stream **must** hold everything back until the end.
///
/// ```compile_fail
/// let forged = brine_core::Verified { payload: b"rm -rf /" };
/// ```
#[derive(Debug)]
#[must_use]
pub struct Verified {
    header: SignedHeader,
    judged_at: Timestamp,
    kind: Kind,
    signer: Signer,
    others: Vec<Signer>,
    shared_id: Option<Box<[u8; 32]>>,
    standing: Standing,
    payload: Payload,
}

impl Verified {
    pub(crate) fn new(
        protected: &[u8],
        judged: Judged<'_>,
        judged_at: Timestamp,
        payload: Payload,
    ) -> Self {
        let Judged { kind, signer, others, shared_id, standing, .. } = judged;
        let (header, signer) = (SignedHeader::new(protected), signer.into_owned());
        Self { header, judged_at, kind, signer, others, shared_id, standing, payload }
    }

    /// Reads its payload from the store that it was kept in.
    pub(crate) fn with_kept(self, kept: Box<dyn Kept>) -> Self {
        let payload = Payload::kept(kept, self.payload.bytes());
        Self { payload, ..self }
    }

    /// Takes another envelope but for its payload, in the same memory.
    fn replace(&mut self, protected: &[u8], judged: Judged<'_>, judged_at: Timestamp) {
        let Judged { kind, signer, others, shared_id, standing, .. } = judged;
        self.others = others;
        self.shared_id = shared_id;
        self.header.replace(protected);
        self.kind = kind;
        self.judged_at = judged_at;
        self.standing = standing;
        // Threads that count references to one signer would wait for each other.
        if !self.signer.shares(&signer) {
            self.signer = signer.into_owned();
        }
    }

    /// Returns the protected header.
    #[must_use]
    pub const fn header(&self) -> &SignedHeader {
        &self.header
    }

    /// Returns the claims set; an empty one if there is none.
    #[must_use]
    pub fn claims(&self) -> Claims<'_> {
        self.header.claims()
    }

    /// Judges trust and time again, for a release that comes later than the verification. `expectations` **must** be
    /// those that it was verified by. A stream does this by itself for each segment that is read.
    ///
    /// # Errors
    ///
    /// [`Untrusted`](crate::Untrusted), [`ClaimsError`](crate::ClaimsError) and [`SystemError`](crate::SystemError).
    /// Nothing may be released then.
    pub fn judge_again(
        &mut self,
        expectations: &Expectations,
        trust: &dyn TrustSource,
        clock: &dyn Clock,
    ) -> Result<()> {
        let circumstances = Circumstances::of(trust, clock)?;
        self.standing.judge(expectations, &circumstances)?;
        self.judged_at = circumstances.now();
        Ok(())
    }

    /// Returns what of it can stop holding.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// Returns the time at which it was judged; of a stream, its last segment that was read.
    #[must_use]
    pub fn judged_at(&self) -> Timestamp {
        self.payload.judged_at().map_or(self.judged_at, |at| at.max(self.judged_at))
    }

    /// Returns what the envelope is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the signer; of several, the first who was asked for, or else the first in the envelope who is believed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns all signers who are believed: those first who were asked for, and then in the order of the envelope.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        std::iter::once(&self.signer).chain(&self.others)
    }

    /// Returns what names the message of an envelope of several signers, by its header and payload; `None` if it has one
    /// signer. Anybody can take signatures from it or put them in another order, and it stays the same message.
    #[must_use]
    pub fn shared_id(&self) -> Option<&[u8; 32]> {
        self.shared_id.as_deref()
    }

    /// Returns how long the payload is; of a stream, how much of it has been read so far.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.payload.bytes()
    }

    /// Returns the whole payload if it is in memory: it is not if it is large, beside the envelope, or a stream.
    #[must_use]
    pub fn in_memory(&self) -> Option<&[u8]> {
        self.payload.in_memory()
    }

    /// Returns the next bytes of the payload, as many as can be had without a copy; `None` at its end.
    ///
    /// # Errors
    ///
    /// Of a stream, [`StreamError`](crate::StreamError) around the reason why a segment was refused, or that
    /// the stream was cut; [`SystemError`](crate::SystemError).
    pub fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        self.payload.next_piece()
    }

    /// Returns the rest of the payload in memory.
    ///
    /// # Errors
    ///
    /// Those of [`next_piece`](Self::next_piece).
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        self.payload.into_bytes()
    }
}

impl Read for Verified {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(room)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Verified {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.payload.fill().map_err(into_io)
    }

    fn consume(&mut self, count: usize) {
        self.payload.consume(count);
    }
}

/// Keeps the reason: `io::Error::downcast` gives it back.
fn into_io(error: Error) -> io::Error {
    io::Error::other(error)
}
