//! Streams: any number of bytes as a sequence of signed segments.
//!
//! A stream is a CBOR sequence (RFC 8742) of pairs: a hash envelope (RFC 9995) of kind segment, and
//! the byte string that it is the digest of. Every segment says which stream it belongs to, where in
//! it, and whether it is the last. A reader releases each segment as soon as it has verified, and
//! knows by the last one that it has seen everything. SPEC.md has the format and the argument.

mod buffer;
mod chain;
mod reader;
mod writer;

pub use self::reader::{Start, StreamReader};
pub use self::writer::{StreamTemplate, StreamWriter};
pub use crate::cose::STREAM_ID_BYTES;

/// How long a segment is unless somebody says otherwise, in bytes.
pub const SEGMENT_BYTES: usize = 1024 * 1024;

/// How many threads work on one stream at most, whatever is asked for.
///
/// Each holds a segment, and three more are on their way in and out: more threads would cost memory,
/// and wait for that of the machine.
pub const MAX_THREADS: usize = 16;

/// The longest segment, in bytes.
pub const MAX_SEGMENT_BYTES: usize = 4 * 1024 * 1024;
