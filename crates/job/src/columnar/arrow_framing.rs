//! The messages of an Arrow IPC stream, one after the other, up to the end of the stream ("Encapsulated message
//! format" and "IPC Streaming Format" of the Arrow columnar format).
//!
//! The reader of arrow-ipc takes a stream that stops after any message as one that has ended, and looks at nothing
//! behind the end. Here a stream has its end-of-stream marker, and nothing behind that.

use arrow_ipc::{Endianness, Message, MessageHeader, root_as_message};

use super::ColumnarError;
use super::region::FileRegion;

/// What a message that follows the schema holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageContent {
    Batch,
    Dictionary,
}

/// A message that follows the schema, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageExtent {
    pub(super) content: MessageContent,
    pub(super) offset: u64,
    /// The length of all of it: what precedes the metadata, the metadata, and the body.
    pub(super) length: u64,
}

/// Returns the messages that follow the schema. The stream must fill the region.
pub(super) fn messages(mut region: FileRegion) -> Result<Vec<MessageExtent>, ColumnarError> {
    let mut found = Vec::new();
    let mut has_schema = false;
    loop {
        let offset = region.position();
        let wrong = |what: String| ColumnarError::Message { offset, what };
        let Some(metadata) = metadata(&mut region)? else {
            return match region.left() {
                _ if !has_schema => Err(wrong("is no schema".to_owned())),
                0 => Ok(found),
                _ => Err(ColumnarError::Trailing { offset: region.position() }),
            };
        };
        let message =
            root_as_message(&metadata).map_err(|error| wrong(format!("is malformed: {error}")))?;
        let body = u64::try_from(message.bodyLength())
            .map_err(|_| wrong("has a body of negative length".to_owned()))?;
        region.skip(body).ok_or(ColumnarError::Cut { offset })?;
        match content(message, has_schema).map_err(|what| wrong(what.to_owned()))? {
            None => has_schema = true,
            Some(content) => {
                let length = region.position().saturating_sub(offset);
                found.push(MessageExtent { content, offset, length });
            }
        }
    }
}

/// Reads the metadata of the next message; `None` at the end of the stream.
fn metadata(region: &mut FileRegion) -> Result<Option<Vec<u8>>, ColumnarError> {
    let offset = region.position();
    let cut = ColumnarError::Cut { offset };
    let Some(prefix) = region.take(PREFIX_BYTES)? else { return Err(cut) };
    let Some((CONTINUATION, length)) = prefix.split_at_checked(CONTINUATION.len()) else {
        let what = "does not begin with the continuation marker".to_owned();
        return Err(ColumnarError::Message { offset, what });
    };
    let length = length.first_chunk().copied().map(i32::from_le_bytes).unwrap_or_default();
    match u64::try_from(length) {
        Ok(0) => Ok(None),
        Ok(length) => region.take(length)?.map(Some).ok_or(cut),
        Err(_) => {
            let what = "has metadata of negative length".to_owned();
            Err(ColumnarError::Message { offset, what })
        }
    }
}

/// Returns what a message holds; `None` for the schema, with which a stream begins.
fn content(message: Message<'_>, has_schema: bool) -> Result<Option<MessageContent>, &'static str> {
    match message.header_type() {
        MessageHeader::Schema if !has_schema => match message.header_as_schema() {
            Some(schema) if schema.endianness() == Endianness::Little => Ok(None),
            Some(_) => Err("says that numbers have their highest byte first, which is not read"),
            None => Err("has no header"),
        },
        MessageHeader::Schema => Err("is a second schema"),
        _ if !has_schema => Err("is no schema"),
        MessageHeader::DictionaryBatch => Ok(Some(MessageContent::Dictionary)),
        MessageHeader::RecordBatch => Ok(Some(MessageContent::Batch)),
        _ => Err("is neither a record batch nor a dictionary"),
    }
}

const CONTINUATION: &[u8] = &[0xff; 4];

const PREFIX_BYTES: u64 = 8;
