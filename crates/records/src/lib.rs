//! Records: many small envelopes, one after the other.

#![forbid(unsafe_code)]

mod framing;
mod ledger;
#[cfg(feature = "replay")]
pub mod replay;

pub use self::framing::{
    BlockBounds, Filled, FrameBlock, FrameReadError, FrameReader, FrameSide, Framing, FramingError,
    KEPT_BYTES, MAX_RECORD_BYTES, RecordFrame,
};
pub use self::ledger::{Ledger, NoLedger, ReplayError, Reservation, Settled, Subject};
