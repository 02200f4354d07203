//! Signed records: many small envelopes, one after the other.
//!
//! A [`Framing`] says where each record ends. A [`RecordSigner`] signs records, each as an envelope of its
//! own, alone or in batches. A [`RecordPipeline`] verifies records and releases the payloads of those that
//! hold: each once, if there is a [`Ledger`], such as the replay database.
//!
//! Records come from a [`Source`]: a pipe or a file ([`FrameSource`]), or a queue that delivers a record
//! again until it is settled ([`Deliveries`]). Payloads go to a [`Sink`], and refused records to [`Rejects`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use brine_core::{Expectations, KnownSigners, Signer, SigningKey, Statement, Timestamp};
//! use brine_records::{
//!     FrameReader, FrameSide, FrameSource, Framing, RecordJudge, RecordPipeline, RecordSigner,
//!     sign_records,
//! };
//!
//! let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
//! let key = SigningKey::generate()?;
//! let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
//!
//! // Three lines become three envelopes, signed together.
//! let statement = |now| Statement::at(now).context("orders");
//! let signer = RecordSigner::new(Arc::new(key), statement, Arc::new(now), Framing::Lines)?;
//! let input = FrameReader::new(&b"one\ntwo\nthree\n"[..], Framing::Lines, FrameSide::Content);
//! let mut signed = Vec::new();
//! sign_records(signer.in_batches_of(64), FrameSource::new(input), 1, |envelopes| {
//!     signed.extend_from_slice(envelopes);
//!     Ok::<_, std::convert::Infallible>(())
//! })?;
//!
//! // Each is verified by itself.
//! let expectations = Expectations::new().context("orders");
//! let judge = RecordJudge::new(expectations, Arc::new(trust), Arc::new(now), Framing::Lines);
//! let input = FrameReader::new(std::io::Cursor::new(signed), Framing::Lines, FrameSide::Envelope);
//! let mut payloads = Vec::new();
//! let run = RecordPipeline::new(judge, &mut payloads).run(FrameSource::new(input));
//! run.end?;
//! assert_eq!(run.counts.verified, 3);
//! assert_eq!(payloads, b"one\ntwo\nthree\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod framing;
mod ledger;
mod pipeline;
mod record_signer;
#[cfg(feature = "replay")]
pub mod replay;
mod shared_ledger;
mod signing;
mod spare;

pub use self::framing::{
    BlockBounds, Filled, FrameBlock, FrameReadError, FrameReader, FrameSide, Framing, FramingError,
    KEPT_BYTES, MAX_RECORD_BYTES, RecordFrame,
};
pub use self::ledger::{Ledger, NoLedger, NumberSpan, ReplayError, Reservation, Settled, Subject};
pub use self::pipeline::{
    BLOCK_RECORDS, DeadLetter, DeliveredBlock, Deliveries, FrameSource, Handed, HandlerFailure,
    Hold, HoldLost, LongWait, MAX_BYTES_IN_FLIGHT, MissingRecords, NoRejects, OnBadRecord,
    OnRepeated, Patience, PipedRecords, PipelineError, QuietPatience, RecordCounts, RecordError,
    RecordFate, RecordJudge, RecordListener, RecordPipeline, RecordRun, RejectedRecord, Rejects,
    ReleasedRecord, ReleasedRun, Room, SettledRecord, Sink, Source, WriteFailure,
};
pub use self::record_signer::{RecordSigner, SignedBlock, UnsignedRecord};
pub use self::shared_ledger::{
    MAX_CHANNEL_RANGES, MAX_VALUE_BYTES, SharedBirth, SharedLease, SharedLedger, SharedOptions,
    SharedStore, Stored,
};
pub use self::signing::{SigningCounts, SigningPipeline, SigningRun, sign_records};
