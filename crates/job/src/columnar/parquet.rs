//! Apache Parquet: a file of row groups, with a footer that says where the columns of each lie.

use std::io::BufReader;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

use super::ColumnarError;
use super::budget::{ContentBudget, DictionaryValues};
use super::region::FileRegion;

pub(super) fn check(output: &FileRegion, mut budget: ContentBudget) -> Result<(), ColumnarError> {
    let footer = footer(output)?;
    let file = ParquetFile(output.clone());
    // What Arrow's writers say of the types has to be readable, but is not followed: the types of Parquet decide.
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    let metadata = Arc::clone(metadata.metadata());
    chunks_lie_before(footer, &metadata)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options)?;
    let mut rows = 0_u64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), plain.clone());
        let builder = builder.with_row_groups(vec![index]).with_batch_size(BATCH_ROWS);
        let mut found = 0_u64;
        for batch in builder.build()? {
            let batch = batch?;
            found = found.saturating_add(u64::try_from(batch.num_rows()).unwrap_or(u64::MAX));
            budget.take(&batch, DictionaryValues::New)?;
        }
        declared(group.num_rows(), found)?;
        rows = rows.saturating_add(found);
    }
    declared(metadata.file_metadata().num_rows(), rows)
}

fn declared(declared: i64, found: u64) -> Result<(), ColumnarError> {
    match u64::try_from(declared) == Ok(found) {
        true => Ok(()),
        false => Err(ColumnarError::Rows { declared, found }),
    }
}

/// Returns where the footer begins. A file begins and ends with a magic, before which stands the length of the footer.
fn footer(output: &FileRegion) -> Result<u64, ColumnarError> {
    if output.clone().take(MAGIC_BYTES)?.as_deref() != Some(MAGIC) {
        return Err(ColumnarError::Beginning);
    }
    let end = output.end().checked_sub(2 * MAGIC_BYTES).ok_or(ColumnarError::End)?;
    let tail = output.part(end, output.end()).take(2 * MAGIC_BYTES)?.unwrap_or_default();
    let Some((length, MAGIC)) = tail.split_first_chunk() else { return Err(ColumnarError::End) };
    let start = end.checked_sub(u32::from_le_bytes(*length).into());
    start.filter(|start| *start >= MAGIC_BYTES).ok_or(ColumnarError::End)
}

/// Holds every column to the file itself: it lies between the magic and the footer.
fn chunks_lie_before(footer: u64, metadata: &ParquetMetaData) -> Result<(), ColumnarError> {
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        for (column, chunk) in row_group.columns().iter().enumerate() {
            if chunk.file_path().is_some() {
                return Err(ColumnarError::OtherFile { group, column });
            }
            if !lies_before(footer, chunk) {
                return Err(ColumnarError::ChunkPlace { group, column });
            }
        }
    }
    Ok(())
}

fn lies_before(footer: u64, chunk: &ColumnChunkMetaData) -> bool {
    let starts = [Some(chunk.data_page_offset()), chunk.dictionary_page_offset()];
    let Ok(length) = u64::try_from(chunk.compressed_size()) else { return false };
    starts.into_iter().flatten().all(|start| {
        u64::try_from(start).is_ok_and(|start| start >= MAGIC_BYTES && start <= footer)
    }) && chunk_start(chunk)
        .and_then(|start| start.checked_add(length))
        .is_some_and(|end| end <= footer)
}

fn chunk_start(chunk: &ColumnChunkMetaData) -> Option<u64> {
    u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset())).ok()
}

/// The output, as the readers of Parquet want it.
#[derive(Clone)]
struct ParquetFile(FileRegion);

impl Length for ParquetFile {
    fn len(&self) -> u64 {
        self.0.end()
    }
}

impl ChunkReader for ParquetFile {
    type T = BufReader<FileRegion>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(self.0.part(start, self.0.end())))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        let found = self.0.part(start, self.0.end()).take(wanted)?;
        let ends = || ParquetError::EOF(format!("{length} bytes are not there at byte {start}"));
        found.map(Bytes::from).ok_or_else(ends)
    }
}

const MAGIC: &[u8] = b"PAR1";

/// Also the size of the length of the footer.
const MAGIC_BYTES: u64 = 4;

/// Few, so that a batch is small where a value is large.
const BATCH_ROWS: usize = 1024;
