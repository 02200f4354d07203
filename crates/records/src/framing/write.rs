//! Writes records one after the other.

use brine_core::cbor::{Extent, extent};
use data_encoding::BASE64URL_NOPAD;

use super::{Framing, FramingError, MAX_RECORD_BYTES};

impl Framing {
    /// Appends `content` to `output` as one record.
    ///
    /// # Errors
    ///
    /// [`FramingError::Unframeable`] if a reader would not read the same bytes, and
    /// [`FramingError::TooLarge`] over [`MAX_RECORD_BYTES`]. Nothing is appended then.
    pub fn write_content(self, output: &mut Vec<u8>, content: &[u8]) -> Result<(), FramingError> {
        refuse_too_large(content)?;
        match self {
            Self::Cbor if extent(content) != Extent::Complete(content.len()) => {
                return Err(self.unframeable("it is not one CBOR item"));
            }
            Self::Cbor => output.extend_from_slice(content),
            Self::Len32 => {
                output.extend_from_slice(&len32_head(content.len())?);
                output.extend_from_slice(content);
            }
            Self::Lines => self.write_delimited(output, content, b'\n', "it has a line feed")?,
            Self::Null => self.write_delimited(output, content, 0, "it has a NUL")?,
        }
        Ok(())
    }

    /// Returns what [`write_content`](Self::write_content) was given, of the record that it appended.
    #[must_use]
    pub fn content_of(self, record: &[u8]) -> &[u8] {
        let content = match self {
            Self::Cbor => Some(record),
            Self::Len32 => record.get(LEN32_HEAD_BYTES..),
            Self::Lines | Self::Null => record.split_last().map(|(_, content)| content),
        };
        content.unwrap_or_default()
    }

    /// Appends `envelope` to `output` as one record, as text in a framing with a delimiter.
    ///
    /// # Errors
    ///
    /// Those of [`write_content`](Self::write_content).
    pub fn write_envelope(self, output: &mut Vec<u8>, envelope: &[u8]) -> Result<(), FramingError> {
        let Some(delimiter) = self.delimiter() else { return self.write_content(output, envelope) };
        refuse_too_large(envelope)?;
        if envelope.is_empty() {
            return Err(self.unframeable("an envelope is never empty"));
        }
        let start = output.len();
        output.resize(start.saturating_add(BASE64URL_NOPAD.encode_len(envelope.len())), 0);
        BASE64URL_NOPAD.encode_mut(envelope, output.get_mut(start..).unwrap_or_default());
        output.push(delimiter);
        Ok(())
    }

    fn write_delimited(
        self,
        output: &mut Vec<u8>,
        content: &[u8],
        delimiter: u8,
        why: &'static str,
    ) -> Result<(), FramingError> {
        if memchr::memchr(delimiter, content).is_some() {
            return Err(self.unframeable(why));
        }
        output.extend_from_slice(content);
        output.push(delimiter);
        Ok(())
    }

    const fn unframeable(self, why: &'static str) -> FramingError {
        FramingError::Unframeable { framing: self, why }
    }
}

/// Refuses a record that no reader takes. In two of the framings it would end the reading.
fn refuse_too_large(record: &[u8]) -> Result<(), FramingError> {
    if record.len() <= MAX_RECORD_BYTES {
        return Ok(());
    }
    let number = |length| u64::try_from(length).unwrap_or(u64::MAX);
    Err(FramingError::TooLarge { bytes: number(record.len()), limit: number(MAX_RECORD_BYTES) })
}

/// The length before a record, in bytes.
const LEN32_HEAD_BYTES: usize = 4;

fn len32_head(length: usize) -> Result<[u8; LEN32_HEAD_BYTES], FramingError> {
    let length = u32::try_from(length)
        .map_err(|_| Framing::Len32.unframeable("its length does not fit 32 bits"))?;
    Ok(length.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use brine_core::Classified as _;

    use super::*;

    /// The public limit lies below what 32 bits can say.
    #[test]
    fn a_length_that_does_not_fit_its_four_bytes_is_refused() {
        assert_eq!(len32_head(0), Ok([0; 4]));
        assert_eq!(len32_head(0x0102_0304), Ok([1, 2, 3, 4]));
        assert_eq!(len32_head(0xffff_ffff), Ok([0xff; 4]));
        assert_eq!(len32_head(0x1_0000_0000).map_err(|error| error.reason()), Err("unframeable"));
    }
}
