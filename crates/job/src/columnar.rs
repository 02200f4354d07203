//! Output of columns: Apache Arrow and Apache Parquet, read to the end with the readers of their project.
//!
//! What is read comes from a job that nobody trusts, and these readers end the process on some of what can be wrong:
//! they panic, and they ask for as much memory as a length claims.

mod arrow;
mod arrow_framing;
mod budget;
mod parquet;
mod region;

use std::alloc::{Layout, handle_alloc_error};
use std::error::Error;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::sync::Arc;

use ::parquet::errors::ParquetError;
use arrow_schema::ArrowError;

use self::budget::ContentBudget;
use self::region::FileRegion;
use super::format::OutputFormat;

/// How many bytes of content output may have, however small it is itself.
pub const MAX_SMALL_CONTENT_BYTES: u64 = 1 << 30;

/// How many bytes of content output may have besides, for each of its own.
pub const MAX_CONTENT_PER_BYTE: u64 = 64;

/// Why output is not what its format says. Offsets are in bytes from its beginning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnarError {
    /// A reader of Arrow refuses it.
    #[error("{0}")]
    Arrow(#[from] ArrowError),
    /// It begins as nothing of this format does.
    #[error("it does not begin as its format does")]
    Beginning,
    /// A column chunk of Parquet does not lie between the beginning and the footer.
    #[error("column {column} of row group {group} does not lie before the footer")]
    ChunkPlace {
        /// The row group.
        group: usize,
        /// The column.
        column: usize,
    },
    /// It ends too early.
    #[error(
        "it is cut: it ends within the message at byte {offset}, or before the end of the stream"
    )]
    Cut {
        /// Where the message begins that should be there.
        offset: u64,
    },
    /// It does not end with a footer.
    #[error("it does not end with its footer: it is cut, or other bytes follow")]
    End,
    /// The footer does not name exactly the messages that are there.
    #[error("its footer and its messages differ: {what}")]
    Footer {
        /// In what.
        what: &'static str,
    },
    /// The output cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A message of Arrow is wrong.
    #[error("the message at byte {offset} {what}")]
    Message {
        /// Where the message begins.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A column of Parquet is said to be in another file.
    #[error("column {column} of row group {group} is in another file")]
    OtherFile {
        /// The row group.
        group: usize,
        /// The column.
        column: usize,
    },
    /// A reader of Parquet refuses it.
    #[error("{0}")]
    Parquet(#[from] ParquetError),
    /// There are more or fewer rows than it says.
    #[error("it declares {declared} rows and has {found}")]
    Rows {
        /// As many as it says.
        declared: i64,
        /// As many as there are.
        found: u64,
    },
    /// It has much more content than it is large.
    #[error("its content is over {limit} bytes, which is the most for output of this size")]
    TooMuchContent {
        /// The limit.
        limit: u64,
    },
    /// Something follows the end of the stream.
    #[error("other bytes follow its end at byte {offset}")]
    Trailing {
        /// Where they begin.
        offset: u64,
    },
}

impl ColumnarError {
    /// Returns whether this process had too little memory, and nothing else is wrong.
    fn is_for_want_of_memory(&self) -> bool {
        let mut next: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = next {
            let io = error.downcast_ref::<io::Error>();
            let arrow = matches!(error.downcast_ref(), Some(ArrowError::MemoryError(_)));
            if arrow || io.is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory) {
                return true;
            }
            next = error.source();
        }
        false
    }
}

/// Reads output from its beginning to its end, and checks that it is whole and valid in a columnar format.
///
/// Batches are read one at a time, and each is validated in full: offsets, keys of dictionaries, UTF-8.
///
/// It may panic, end the process, and need as much memory and time as there is. So it **must** only be called in a
/// process that has nothing to lose, is bounded, and whose end is judged by another one.
///
/// # Errors
///
/// [`ColumnarError`].
pub fn check_columnar(format: OutputFormat, output: File) -> Result<(), ColumnarError> {
    let length = (&output).seek(SeekFrom::End(0))?;
    let limit = MAX_CONTENT_PER_BYTE.saturating_mul(length).saturating_add(MAX_SMALL_CONTENT_BYTES);
    check_within(format, output, ContentBudget::new(limit)).inspect_err(|error| {
        if error.is_for_want_of_memory() {
            // Some code of the readers returns that, and the rest ends the process. Whoever judges the end of this
            // process is to see one thing.
            handle_alloc_error(Layout::for_value(error));
        }
    })
}

fn check_within(
    format: OutputFormat,
    output: File,
    budget: ContentBudget,
) -> Result<(), ColumnarError> {
    let output = FileRegion::whole(Arc::new(output))?;
    match format {
        OutputFormat::Arrow => arrow::check(&output, budget),
        OutputFormat::Parquet => parquet::check(&output, budget),
        OutputFormat::Bytes
        | OutputFormat::Cbor
        | OutputFormat::Json
        | OutputFormat::Ndjson
        | OutputFormat::Utf8 => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
    }
}

#[cfg(test)]
mod tests;
