//! Records: many small envelopes, one after the other.

#![forbid(unsafe_code)]

mod framing;
mod ledger;
mod pipeline;
mod record_signer;
#[cfg(feature = "replay")]
pub mod replay;

pub use self::framing::{
    BlockBounds, Filled, FrameBlock, FrameReadError, FrameReader, FrameSide, Framing, FramingError,
    KEPT_BYTES, MAX_RECORD_BYTES, RecordFrame,
};
pub use self::ledger::{Ledger, NoLedger, ReplayError, Reservation, Settled, Subject};
pub use self::pipeline::{
    BLOCK_RECORDS, DeadLetter, DeliveredBlock, Deliveries, FrameSource, Handed, HandlerFailure,
    Hold, HoldLost, LongWait, MissingRecords, NoRejects, OnBadRecord, OnRepeated, Patience,
    PipedRecords, PipelineError, QuietPatience, RecordCounts, RecordError, RecordJudge,
    RecordPipeline, RecordRun, RejectedRecord, Rejects, ReleasedRecord, ReleasedRun, Room, Sink,
    Source,
};
pub use self::record_signer::{RecordSigner, SignedBlock, UnsignedRecord, sign_records};
