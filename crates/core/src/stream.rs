//! Streams: any number of bytes as a sequence of signed segments.
//!
//! A stream is a CBOR sequence (RFC 8742) of pairs: a hash envelope (RFC 9995) of kind segment, and
//! the byte string that it is the digest of. Every segment says which stream it belongs to, its place in
//! it, and whether it is the last. A reader releases each segment as soon as it has verified, and the last
//! one tells it that it has seen everything. SPEC.md has the format and the argument.

mod buffer;
mod chain;
mod reader;
mod sealer;
mod segment_input;
mod writer;

pub use self::writer::{StreamOptions, StreamWriter};
pub use crate::position::STREAM_ID_BYTES;

pub(crate) use self::reader::{StreamReader, read_opening};
pub(crate) use self::segment_input::{read_protected, starts_segment};

/// The default length of a segment, in bytes.
pub const SEGMENT_BYTES: usize = 1024 * 1024;

/// The most threads that work on one stream.
///
/// Each holds a segment, and three more are on their way in and out: more threads would cost memory,
/// and wait for the machine's memory bus.
pub const MAX_THREADS: usize = 16;

/// The longest segment, in bytes.
pub const MAX_SEGMENT_BYTES: usize = 4 * 1024 * 1024;
