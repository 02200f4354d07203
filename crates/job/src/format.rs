//! What a job's output must be, to be believed.

mod cbor;
mod json;
mod text;

use std::io::{self, Read};

use crate::cbor::Malformed;

use self::cbor::CborCheck;
use self::json::{Json, JsonLines};
use self::text::Plain;

/// A declared format of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Format {
    /// Anything.
    #[default]
    Bytes,
    /// UTF-8 text without control characters other than tab, line feed and carriage return.
    Utf8,
    /// One JSON text (RFC 8259).
    Json,
    /// A JSON text on each line.
    Ndjson,
    /// One CBOR item (RFC 8949).
    Cbor,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Bytes, Self::Utf8, Self::Json, Self::Ndjson, Self::Cbor];

    /// Their names, for people.
    pub const NAMES: &str = "bytes, utf8, json, ndjson or cbor";

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Utf8 => "utf8",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Cbor => "cbor",
        }
    }

    /// Returns the format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Reads `output` to its end, and holds it to the format.
    ///
    /// It takes a piece at a time, and never more memory than [`MAX_NAMES`] and [`MAX_JSON_DEPTH`] allow.
    ///
    /// JSON is that of RFC 8259, and what its readers take for different things is refused: a byte order
    /// mark, a name that is twice in one object, escapes that make no character. Of `ndjson`, no line is
    /// blank, and the last one may lack its LF; no lines at all will do. A CBOR item is well-formed (RFC
    /// 8949, Section 5.3.1), in whatever encoding, and nests no deeper than
    /// [`MAX_EXTENT_DEPTH`](crate::cbor::MAX_EXTENT_DEPTH).
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn check(self, output: &mut dyn Read) -> Result<(), FormatError> {
        match self {
            Self::Bytes => Ok(()),
            Self::Utf8 => run(Plain::default(), output),
            Self::Json => run(Json::default(), output),
            Self::Ndjson => run(JsonLines::default(), output),
            Self::Cbor => run(CborCheck::default(), output),
        }
    }
}

/// The deepest that objects and arrays of JSON may nest.
pub const MAX_JSON_DEPTH: usize = 128;

/// The most names of objects that are remembered at one time, to find one that is there twice.
pub const MAX_NAMES: usize = 1 << 18;

/// Why output is not of its format. Offsets are in bytes from its beginning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Not one well-formed CBOR item.
    #[error("output is not CBOR: {0}")]
    Cbor(Malformed),

    /// A control character in text.
    #[error("output has a control character at byte {offset}")]
    ControlCharacter {
        /// Where.
        offset: u64,
    },

    /// It could not be read.
    #[error("output: {0}")]
    Io(#[from] io::Error),

    /// Not JSON, or not JSON that is the same to all its readers.
    #[error("output is not JSON: {what} at byte {offset}")]
    Json {
        /// Where.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },

    /// Not UTF-8.
    #[error("output is not UTF-8 at byte {offset}")]
    Utf8 {
        /// Where.
        offset: u64,
    },
}

impl FormatError {
    /// Returns a short name that does not change from version to version.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Cbor(_) => "output-not-cbor",
            Self::ControlCharacter { .. } => "output-control-character",
            Self::Io(_) => "io",
            Self::Json { .. } => "output-not-json",
            Self::Utf8 { .. } => "output-not-utf8",
        }
    }
}

/// What judges output that comes in pieces.
trait Check {
    /// Takes the next piece, which begins `offset` bytes into the output and is never empty.
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError>;

    /// Judges the end, `offset` bytes into the output.
    fn end(&mut self, offset: u64) -> Result<(), FormatError>;
}

fn run(mut check: impl Check, output: &mut dyn Read) -> Result<(), FormatError> {
    let mut memory = vec![0; PIECE_BYTES];
    let mut offset = 0_u64;
    loop {
        match output.read(&mut memory) {
            Ok(0) => return check.end(offset),
            Ok(read) => {
                check.piece(memory.get(..read).unwrap_or_default(), offset)?;
                offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

const PIECE_BYTES: usize = 64 * 1024;

/// Adds an index into a piece to where the piece begins.
fn at(offset: u64, index: usize) -> u64 {
    offset.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
