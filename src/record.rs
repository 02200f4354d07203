//! Records: many small envelopes, one after the other.

#[cfg(feature = "replay")]
pub mod replay;
