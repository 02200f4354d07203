//! Apache Arrow: streams and files. A file is a stream between two magics, with a footer that names its messages.
//!
//! What reads a file may go by the footer, or read the stream in it. So a file is read both ways, and both must find
//! the same messages.

use arrow_ipc::reader::{FileReader, StreamReader, read_footer_length};
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::SchemaRef;

use super::ColumnarError;
use super::arrow_framing::{MessageContent, MessageExtent, messages};
use super::budget::{ContentBudget, DictionaryValues};
use super::region::FileRegion;

pub(super) fn check(output: &FileRegion, budget: ContentBudget) -> Result<(), ColumnarError> {
    let beginning = output.clone().take(MAGIC_BYTES.min(output.left()))?.unwrap_or_default();
    if beginning.starts_with(MAGIC) {
        check_file(output, budget)
    } else if beginning.starts_with(&[0xff; 4]) {
        let messages = messages(output.clone())?;
        check_stream(output.clone(), &messages, budget).map(drop)
    } else {
        Err(ColumnarError::Beginning)
    }
}

/// Decodes every batch of a stream, and returns its schema.
fn check_stream(
    stream: FileRegion,
    messages: &[MessageExtent],
    mut budget: ContentBudget,
) -> Result<SchemaRef, ColumnarError> {
    let mut reader = StreamReader::try_new(stream, None)?;
    let mut messages = messages.iter();
    while let Some(batch) = reader.next().transpose()? {
        // The dictionaries that the reader has gone through to get to this batch.
        let before = messages.by_ref().take_while(|one| one.content != MessageContent::Batch);
        let values =
            if before.count() > 0 { DictionaryValues::New } else { DictionaryValues::Known };
        budget.take(&batch, values)?;
    }
    match reader.get_ref().left() {
        0 => Ok(reader.schema()),
        _ => Err(ColumnarError::Trailing { offset: reader.get_ref().position() }),
    }
}

fn check_file(output: &FileRegion, mut budget: ContentBudget) -> Result<(), ColumnarError> {
    let (stream, footer) = parts(output)?;
    let messages = messages(stream.clone())?;
    compare(&footer, &messages)?;
    let schema = check_stream(stream, &messages, budget.clone())?;
    let mut reader = FileReader::try_new(output.clone(), None)?;
    if reader.schema() != schema {
        return Err(ColumnarError::Footer { what: "their schemas" });
    }
    let mut values = DictionaryValues::New;
    while let Some(batch) = reader.next().transpose()? {
        budget.take(&batch, values)?;
        values = DictionaryValues::Known;
    }
    Ok(())
}

/// Returns the stream of a file, and its footer.
fn parts(output: &FileRegion) -> Result<(FileRegion, Vec<u8>), ColumnarError> {
    let end = output.end().checked_sub(TAIL_BYTES).ok_or(ColumnarError::End)?;
    let tail = output.part(end, output.end()).take(TAIL_BYTES)?.unwrap_or_default();
    let tail: [u8; 10] = tail.try_into().map_err(|_| ColumnarError::End)?;
    let length = read_footer_length(tail).map_err(|_| ColumnarError::End)?;
    let start = u64::try_from(length).ok().and_then(|length| end.checked_sub(length));
    let start = start.filter(|start| *start >= MAGIC_BYTES).ok_or(ColumnarError::End)?;
    let footer = output.part(start, end).take(end.saturating_sub(start))?.unwrap_or_default();
    Ok((output.part(MAGIC_BYTES, start), footer))
}

/// Holds the footer to the messages: it names each of them once, in their order, and nothing else.
fn compare(footer: &[u8], messages: &[MessageExtent]) -> Result<(), ColumnarError> {
    let footer =
        root_as_footer(footer).map_err(|_| ColumnarError::Footer { what: "it is malformed" })?;
    if footer.schema().is_none() {
        return Err(ColumnarError::Footer { what: "it has no schema" });
    }
    let named = [
        (MessageContent::Batch, extents(footer.recordBatches()), "where batches lie"),
        (MessageContent::Dictionary, extents(footer.dictionaries()), "where dictionaries lie"),
    ];
    for (content, named, what) in named {
        let found = messages.iter().filter(|one| one.content == content);
        if !found.map(|one| Some((one.offset, one.length))).eq(named) {
            return Err(ColumnarError::Footer { what });
        }
    }
    Ok(())
}

fn extents<'a>(blocks: Option<impl IntoIterator<Item = &'a Block>>) -> Vec<Option<(u64, u64)>> {
    blocks.into_iter().flatten().map(extent).collect()
}

/// Returns where a footer says that a message begins, and its length.
fn extent(block: &Block) -> Option<(u64, u64)> {
    let metadata = u64::try_from(block.metaDataLength()).ok()?;
    let length = metadata.checked_add(u64::try_from(block.bodyLength()).ok()?)?;
    Some((u64::try_from(block.offset()).ok()?, length))
}

/// With the two bytes that pad it.
const MAGIC: &[u8] = b"ARROW1\0\0";

const MAGIC_BYTES: u64 = 8;

/// The length of the footer, and the magic without padding.
const TAIL_BYTES: u64 = 10;
