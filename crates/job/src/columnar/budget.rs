//! How much content output may have. A few bytes that are compressed, or repeated by a dictionary or a run, can stand
//! for more than any reader has room for.

use arrow_array::{Array as _, RecordBatch};
use arrow_data::ArrayData;
use arrow_schema::DataType;

use super::ColumnarError;

/// What is left of the content that output may have.
#[derive(Clone, Debug)]
pub(super) struct ContentBudget {
    limit: u64,
    used: u64,
}

/// Whether the values of dictionaries are new in a batch. Batches share them, and they count once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DictionaryValues {
    Known,
    New,
}

impl ContentBudget {
    pub(super) const fn new(limit: u64) -> Self {
        Self { limit, used: 0 }
    }

    /// Validates a batch in full, and takes what it holds: each row, too, since a row may hold nothing.
    pub(super) fn take(
        &mut self,
        batch: &RecordBatch,
        values: DictionaryValues,
    ) -> Result<(), ColumnarError> {
        self.used = self.used.saturating_add(wide(batch.num_rows()));
        for column in batch.columns() {
            let data = column.to_data();
            data.validate_full()?;
            self.used = self.used.saturating_add(content_bytes(&data, values));
        }
        match self.used > self.limit {
            true => Err(ColumnarError::TooMuchContent { limit: self.limit }),
            false => Ok(()),
        }
    }
}

fn content_bytes(data: &ArrayData, values: DictionaryValues) -> u64 {
    let own = data.buffers().iter().map(|buffer| wide(buffer.len()));
    let children: &[ArrayData] = match data.data_type() {
        DataType::Dictionary(..) if values == DictionaryValues::Known => &[],
        _ => data.child_data(),
    };
    let below = children.iter().map(|child| content_bytes(child, values));
    own.chain(below).fold(wide(data.len() / 8), u64::saturating_add)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
