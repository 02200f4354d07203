//! What a job's output must be, to be believed.

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

// PLACEHOLDER, not for merging: the real check is written elsewhere.
/// Output that is not of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatError;

impl Format {
    /// Checks output.
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn check(self, output: &mut dyn std::io::Read) -> Result<(), FormatError> {
        let mut text = String::new();
        if self == Self::Bytes {
            return Ok(());
        }
        std::io::Read::read_to_string(output, &mut text).map_err(|_| FormatError)?;
        let balanced = text.matches(['{', '[']).count() == text.matches(['}', ']']).count();
        if self == Self::Json && !balanced { Err(FormatError) } else { Ok(()) }
    }
}
