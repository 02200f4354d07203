//! Dead letters, for people who look after them; and what is in a queue.

use std::collections::BTreeMap;

use brine_core::Timestamp;

use super::RedisQueue;
use super::scripts::{LETTERS, STATUS};
use crate::error::QueueError;
use crate::queue::{DeadLetters, DeadMessage, QueueStatus, Standing};

/// Its number and when it was published; then bytes, when it died, attempts, begun, verified; reason and detail.
type Letter = (u64, u64, u64, u64, u64, u8, u8, Vec<u8>, Vec<u8>);

impl RedisQueue {
    fn letter<T: redis::FromRedisValue>(
        &mut self,
        act: &str,
        number: u64,
    ) -> Result<Option<T>, QueueError> {
        self.call(&LETTERS, |script| script.arg(act).arg(number))
    }
}

impl DeadLetters for RedisQueue {
    fn dead_letters(&mut self, after: u64, most: usize) -> Result<Vec<DeadMessage>, QueueError> {
        let found: Vec<Letter> =
            self.call(&LETTERS, |script| script.arg("list").arg(after).arg(most))?;
        found.into_iter().map(letter).collect()
    }

    fn dead_content(&mut self, number: u64) -> Result<Option<Vec<u8>>, QueueError> {
        self.letter("content", number)
    }

    fn revive(&mut self, number: u64) -> Result<bool, QueueError> {
        Ok(self.letter::<u8>("revive", number)?.is_some())
    }

    fn discard(&mut self, number: u64) -> Result<bool, QueueError> {
        Ok(self.letter::<u8>("discard", number)?.is_some())
    }

    fn status(&mut self) -> Result<QueueStatus, QueueError> {
        type Counts = (u64, u64, u64, u64, u64, String, u64, BTreeMap<String, u64>);
        let counts: Counts = self.call(&STATUS, |script| script)?;
        let (ready, held, sent, acknowledged, dead, next_sent, stored_bytes, refused) = counts;
        Ok(QueueStatus {
            ready,
            next_sent: next_sent.parse().ok().map(moment).transpose()?,
            held,
            sent,
            acknowledged,
            dead,
            refused: refused.into_iter().collect(),
            stored_bytes: Some(stored_bytes),
        })
    }
}

fn letter(letter: Letter) -> Result<DeadMessage, QueueError> {
    let (number, sent, bytes, died, attempts, begun, verified, reason, detail) = letter;
    Ok(DeadMessage {
        number,
        bytes,
        sent: moment(sent)?,
        died: moment(died)?,
        attempts,
        begun: begun == 1,
        standing: if verified == 1 { Standing::Verified } else { Standing::Unverified },
        reason: String::from_utf8_lossy(&reason).into_owned(),
        detail: String::from_utf8_lossy(&detail).into_owned(),
    })
}

/// Returns a moment of the server, which counts milliseconds.
fn moment(milliseconds: u64) -> Result<Timestamp, QueueError> {
    Timestamp::from_unix(milliseconds / 1000)
        .ok_or_else(|| QueueError::damaged("it has a moment after 9999"))
}
