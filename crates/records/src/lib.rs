//! Records: many small envelopes, one after the other.

mod framing;

pub use self::framing::{
    Block, Bounds, Filled, Frame, FrameReader, Framing, FramingError, KEPT_BYTES, MAX_RECORD_BYTES,
    Side,
};
#[cfg(feature = "replay")]
pub mod replay;
