//! Formats of output, and the check that output has its format.

mod cbor;
mod json;
mod reader_end;
mod text;

use std::io::{self, Read};

use brine_core::cbor::Malformed;
use brine_core::text::{in_words, quoted, shown};
use brine_core::{Class, Classified};

use self::cbor::CborCheck;
use self::json::{JsonCheck, JsonLinesCheck};
pub use self::reader_end::ReaderEnd;
use self::text::TextCheck;
use super::json_schema::MAX_SCHEMA_OUTPUT_BYTES;

/// A format of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OutputFormat {
    /// Any bytes.
    #[default]
    Bytes,
    /// UTF-8 text without control characters other than tab, line feed and carriage return, and without
    /// bidirectional and invisible characters.
    Utf8,
    /// One JSON text (RFC 8259).
    Json,
    /// A JSON text on each line.
    Ndjson,
    /// One CBOR item (RFC 8949).
    Cbor,
    /// A stream or file of Apache Arrow. Only a confined reader [may read it](Self::is_columnar).
    Arrow,
    /// A file of Apache Parquet. Only a confined reader [may read it](Self::is_columnar).
    Parquet,
}

impl OutputFormat {
    /// All formats.
    pub const ALL: [Self; 7] =
        [Self::Bytes, Self::Utf8, Self::Json, Self::Ndjson, Self::Cbor, Self::Arrow, Self::Parquet];

    /// The names of all formats, for people.
    pub const NAMES: &str = "bytes, utf8, json, ndjson, cbor, arrow or parquet";

    /// Returns the name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Utf8 => "utf8",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Cbor => "cbor",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// Returns whether output in this format is read by a large reader of another project, which is not at ease with
    /// input from nobody knows whom: it **must** be read in a process of its own that has nothing to lose, and
    /// [`check`](Self::check) believes none of it.
    #[must_use]
    pub const fn is_columnar(self) -> bool {
        match self {
            Self::Arrow | Self::Parquet => true,
            Self::Bytes | Self::Utf8 | Self::Json | Self::Ndjson | Self::Cbor => false,
        }
    }

    /// Returns the format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Reads `output` to its end, and checks that it has this format.
    ///
    /// It reads piece by piece. Memory is bounded by [`MAX_JSON_NAMES`], [`MAX_JSON_DEPTH`] and
    /// [`MAX_CBOR_KEYS`].
    ///
    /// JSON is that of RFC 8259, without the constructs that readers understand differently: a byte order mark,
    /// a name that occurs twice in one object, escapes that are half a character, and numbers beyond the range
    /// and precision that readers have in common (Section 6). In `ndjson`, no line is blank, the last one may lack
    /// its LF, and there may be no lines at all. A CBOR item is valid in any encoding: well-formed, with text that
    /// is UTF-8, and no key twice in a map (RFC 8949, Section 5.3.1). What tags say of their content is not
    /// judged. It nests no deeper than [`MAX_EXTENT_DEPTH`](brine_core::cbor::MAX_EXTENT_DEPTH). Output in a
    /// [columnar](Self::is_columnar) format is refused here.
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn check(self, output: &mut dyn Read) -> Result<(), FormatError> {
        match self {
            Self::Bytes => Ok(()),
            Self::Utf8 => run(TextCheck::default(), output),
            Self::Json => run(JsonCheck::default(), output),
            Self::Ndjson => run(JsonLinesCheck::default(), output),
            Self::Cbor => run(CborCheck::default(), output),
            Self::Arrow | Self::Parquet => Err(FormatError::NoReader { format: self }),
        }
    }
}

/// The deepest nesting of objects and arrays in JSON.
pub const MAX_JSON_DEPTH: usize = 128;

/// The most names in all JSON objects that are open at one time. They are remembered to find repeated ones.
pub const MAX_JSON_NAMES: usize = 1 << 18;

/// The most keys in all CBOR maps that are open at one time. They are remembered to find repeated ones.
pub const MAX_CBOR_KEYS: usize = 1 << 18;

/// Why output does not have its format. Offsets are in bytes from its beginning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The output is not one well-formed CBOR item.
    #[error("output is not CBOR: {} at byte {}", .0.flaw, .0.offset)]
    Cbor(Malformed),

    /// The output is not a columnar format, as the reader of that says.
    #[error("output is not {}: {}", .format.name(), shown(.what))]
    Columnar {
        /// The format.
        format: OutputFormat,
        /// What the reader says.
        what: String,
    },

    /// The text has a control character.
    #[error("output has a control character at byte {offset}")]
    ControlCharacter {
        /// Where.
        offset: u64,
    },

    /// The text has a character that nobody sees, or that changes the order of others.
    #[error("output has the hidden character U+{:04X} at byte {offset}", u32::from(*.character))]
    HiddenCharacter {
        /// Where.
        offset: u64,
        /// The character.
        character: char,
    },

    /// Nothing here reads output in this format.
    #[error("this brine was built without the feature columnar, and cannot read {} output", .format.name())]
    NoReader {
        /// The format.
        format: OutputFormat,
    },

    /// The confined reader of the output could not be started, or could not be confined.
    #[error("the reader of the output could not be confined: {}", shown(.step))]
    NotConfined {
        /// What failed.
        step: String,
    },

    /// The confined reader of the output ended before it had read all of it.
    #[error("output is not believed to be {}: its reader {end}", .format.name())]
    Reader {
        /// The format.
        format: OutputFormat,
        /// How the reader ended.
        end: ReaderEnd,
    },

    /// A value of the output is not what the operator's schema describes.
    #[error("output breaks the schema: {keyword} at {}", quoted(.instance))]
    Schema {
        /// Where the value is: a JSON Pointer (RFC 6901), from the beginning up to 200 characters.
        instance: String,
        /// The keyword of the schema that it breaks.
        keyword: String,
    },

    /// The output is larger than what is held to a schema.
    #[error(
        "output is over {MAX_SCHEMA_OUTPUT_BYTES} bytes, which is the most that is held to a schema"
    )]
    TooLargeForSchema,

    /// The output cannot be read.
    #[error("output cannot be read: {}", in_words(.0))]
    Io(#[from] io::Error),

    /// The output is not JSON, or readers disagree about it.
    #[error("output is not JSON: {what} at byte {offset}")]
    Json {
        /// Where.
        offset: u64,
        /// The rule that is broken there.
        what: &'static str,
    },

    /// The maps that are open have more keys than are remembered.
    #[error("output has more than {MAX_CBOR_KEYS} keys in open maps at byte {offset}")]
    TooManyKeys {
        /// Where.
        offset: u64,
    },

    /// The output is not UTF-8.
    #[error("output is not UTF-8 at byte {offset}")]
    Utf8 {
        /// Where.
        offset: u64,
    },
}

impl Classified for FormatError {
    fn class(&self) -> Class {
        match self {
            Self::Io(_) | Self::NotConfined { .. } => Class::System,
            Self::NoReader { .. } => Class::Unsupported,
            Self::Cbor(_)
            | Self::Columnar { .. }
            | Self::ControlCharacter { .. }
            | Self::HiddenCharacter { .. }
            | Self::Json { .. }
            | Self::Reader { .. }
            | Self::Schema { .. }
            | Self::TooLargeForSchema
            | Self::TooManyKeys { .. }
            | Self::Utf8 { .. } => Class::Altered,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Cbor(_) => "output-not-cbor",
            Self::Columnar { format: OutputFormat::Parquet, .. } => "output-not-parquet",
            Self::Columnar { .. } => "output-not-arrow",
            Self::ControlCharacter { .. } => "output-control-character",
            Self::HiddenCharacter { .. } => "output-hidden-character",
            Self::Io(_) => "io",
            Self::Json { .. } => "output-not-json",
            Self::NoReader { .. } => "columnar-absent",
            Self::NotConfined { .. } => "output-reader-not-confined",
            Self::Reader { end, .. } => end.reason(),
            Self::Schema { .. } => "output-breaks-schema",
            Self::TooLargeForSchema => "output-too-large-for-schema",
            Self::TooManyKeys { .. } => "output-too-many-keys",
            Self::Utf8 { .. } => "output-not-utf8",
        }
    }
}

/// A check of output that arrives in pieces.
trait FormatCheck {
    /// Checks the next piece, which begins `offset` bytes into the output and is never empty.
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError>;

    /// Checks the end, `offset` bytes into the output.
    fn end(&mut self, offset: u64) -> Result<(), FormatError>;
}

fn run(mut check: impl FormatCheck, output: &mut dyn Read) -> Result<(), FormatError> {
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

/// Returns the offset of an index in a piece that begins at `offset`.
fn at(offset: u64, index: usize) -> u64 {
    offset.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
