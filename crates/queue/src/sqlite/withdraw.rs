//! Messages that their sender takes back.

use rusqlite::{Connection, params};

use super::settle::delete_content;
use crate::error::QueueError;

/// A message that was published, for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    pub(super) number: i64,
    pub(super) content: Vec<u8>,
}

impl SentMessage {
    pub(super) fn withdraw(&self, connection: &Connection, queue: i64) -> Result<bool, QueueError> {
        let Self { number, content } = self;
        // The number of a message that is gone is given to another one.
        let sql = "DELETE FROM message WHERE id = ?1 AND queue = ?2 AND begun IS NULL \
                   AND EXISTS (SELECT 1 FROM body WHERE id = ?1 AND content = ?3)";
        let mut statement = connection.prepare_cached(sql)?;
        if statement.execute(params![number, queue, content])? == 0 {
            return Ok(false);
        }
        delete_content(connection, *number)?;
        Ok(true)
    }
}
