//! Dead letters, for people who look after them; and what is in a queue.
//!
//! AMQP cannot look at a message without taking it. So whoever looks takes all messages up to the one that is looked for, and hands
//! them back. One alone does so at a time, and holds a lock meanwhile, which ends with the connection. The messages
//! keep their order. To list them all, all are sent over the connection.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use brine_core::Timestamp;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::ShortString;
use lapin::{Acker, Channel};
use tokio::time::sleep;

use super::layout::{Beside, Layout, short};
use super::message::{Epitaph, Stamp};
use super::session::{Published, Session, settled};
use super::{AmqpQueue, ServerFault};
use crate::error::QueueError;
use crate::ledger_place::{Ends, LedgerNotes as _, LedgerPlace, MessageKey};
use crate::queue::{DeadLetters, DeadMessage, QueueStatus, Standing};

/// How long nothing is asked of a lock that somebody else has.
const LOCKED: Duration = Duration::from_millis(100);

/// Where dead letters are.
const PLACES: [(Beside, Standing); 2] =
    [(Beside::Dead, Standing::Verified), (Beside::Sample, Standing::Unverified)];

/// Looks through a queue of dead letters.
struct LetterReader<'s> {
    session: &'s Session,
    channel: Channel,
    queue: ShortString,
}

/// A dead letter that was taken to be looked at.
struct Letter {
    epitaph: Epitaph,
    stamp: Stamp,
    key: MessageKey,
    content: Vec<u8>,
    acker: Acker,
}

/// What becomes of a dead letter that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LetterEnd {
    Deleted,
    Revived,
    Shown,
}

impl<L: LedgerPlace> DeadLetters for AmqpQueue<L> {
    fn dead_letters(&mut self, after: u64, most: usize) -> Result<Vec<DeadMessage>, QueueError> {
        self.alone(async |session| {
            let mut found = BTreeMap::new();
            for (queue, standing) in PLACES {
                let mut reader = LetterReader::new(session, &self.layout, queue).await?;
                while let Some(letter) = reader.next().await? {
                    if letter.epitaph.number > after {
                        let message = letter.shown(standing);
                        found.entry(message.number).or_insert(message);
                    }
                    if found.len() > most {
                        found.pop_last();
                    }
                }
                reader.finish().await?;
            }
            Ok(found.into_values().collect())
        })
    }

    fn dead_content(&mut self, number: u64) -> Result<Option<Vec<u8>>, QueueError> {
        Ok(self.end_letter(number, LetterEnd::Shown)?.map(|letter| letter.content))
    }

    /// Queues a dead letter again, behind all others.
    fn revive(&mut self, number: u64) -> Result<bool, QueueError> {
        Ok(self.end_letter(number, LetterEnd::Revived)?.is_some())
    }

    fn discard(&mut self, number: u64) -> Result<bool, QueueError> {
        let Some(letter) = self.end_letter(number, LetterEnd::Deleted)? else { return Ok(false) };
        self.notes.end(&[letter.key], Ends::Discarded)?;
        Ok(true)
    }

    /// Counts what the server can count: it does not know how many messages were ever published, nor what others
    /// hold.
    fn status(&mut self) -> Result<QueueStatus, QueueError> {
        let figures = self.notes.figures()?;
        let layout = &self.layout;
        let counted = self.link.insist(async |session| {
            let Some(ready) = session.count(&layout.main).await? else { return Ok(None) };
            let mut waiting = 0_u64;
            for queue in Layout::all_delays() {
                let count = session.count(&layout.beside(queue)).await?;
                waiting = waiting.saturating_add(count.unwrap_or_default());
            }
            let mut dead = 0_u64;
            for (queue, _) in PLACES {
                let count = session.count(&layout.beside(queue)).await?;
                dead = dead.saturating_add(count.unwrap_or_default());
            }
            Ok(Some((ready, waiting, dead)))
        })?;
        let (ready, waiting, dead) = counted.ok_or_else(|| self.missing())?;
        Ok(QueueStatus {
            ready,
            held: waiting.saturating_add(self.link.held.count()),
            acknowledged: figures.acknowledged,
            dead,
            refused: figures.refused,
            ..QueueStatus::default()
        })
    }
}

impl<L: LedgerPlace> AmqpQueue<L> {
    fn end_letter(&self, number: u64, end: LetterEnd) -> Result<Option<Letter>, QueueError> {
        self.alone(async |session| {
            for (queue, _) in PLACES {
                let mut reader = LetterReader::new(session, &self.layout, queue).await?;
                while let Some(letter) = reader.next().await? {
                    if letter.epitaph.number != number {
                        continue;
                    }
                    if end == LetterEnd::Revived {
                        let again = letter.stamp.again(0, "");
                        let content = letter.content.as_slice();
                        let published =
                            session.publish(&self.layout.main, &[(content, again)]).await?;
                        match published {
                            Published::Done => {}
                            Published::Full => return Err(QueueError::Full.into()),
                            Published::NoQueue => return Err(self.missing().into()),
                        }
                    }
                    if end != LetterEnd::Shown {
                        letter.acker.ack(BasicAckOptions::default()).await?;
                    }
                    reader.finish().await?;
                    return Ok(Some(letter));
                }
                reader.finish().await?;
            }
            Ok(None)
        })
    }

    /// Does something that nobody else does at the same time.
    fn alone<T>(
        &self,
        work: impl AsyncFn(&Session) -> Result<T, ServerFault>,
    ) -> Result<T, QueueError> {
        let lock = self.layout.beside(Beside::Lock);
        self.link.slowly(async |session| {
            // The other values of this connection are not kept out by the server.
            let _letters = self.link.letters.lock().await;
            let begun = Instant::now();
            while !session.lock(&lock).await? {
                if begun.elapsed() >= self.options.busy_timeout {
                    return Err(QueueError::Locked.into());
                }
                sleep(LOCKED).await;
            }
            let done = work(&session).await;
            session.delete(&lock).await?;
            done
        })
    }
}

impl<'s> LetterReader<'s> {
    async fn new(
        session: &'s Session,
        layout: &Layout,
        queue: Beside,
    ) -> Result<Self, ServerFault> {
        Ok(Self { session, channel: session.channel().await?, queue: layout.beside(queue) })
    }

    /// Takes the next one. That there is none is known when the queue gives none: a number that it says of itself is
    /// zero, too, while it starts.
    async fn next(&mut self) -> Result<Option<Letter>, ServerFault> {
        let found = match self.session.get(&self.channel, &self.queue).await {
            Err(fault) if fault.is_missing() => return Ok(None),
            found => found?,
        };
        Ok(found.map(|message| {
            let stamp = Stamp::of(&message.properties);
            let key = stamp.key(&message.data);
            let epitaph = Epitaph::of(&message.properties, &key);
            Letter { epitaph, stamp, key, content: message.data, acker: message.acker }
        }))
    }

    /// Hands back everything that was looked at and is not settled, in its old order.
    async fn finish(self) -> Result<(), ServerFault> {
        if !self.channel.status().connected() {
            // The server closed it, for there is no such queue.
            return Ok(());
        }
        let all = BasicNackOptions { multiple: true, requeue: true };
        self.channel.basic_nack(0, all).await?;
        settled(&self.channel).await?;
        self.channel.close(200, short("done")).await?;
        Ok(())
    }
}

impl Letter {
    fn shown(&self, standing: Standing) -> DeadMessage {
        let Epitaph { number, died, attempts, begun, reason, detail } = self.epitaph.clone();
        let bytes = u64::try_from(self.content.len()).unwrap_or(u64::MAX);
        let died = died.or(self.stamp.sent).or(Timestamp::from_unix(0)).unwrap_or(Timestamp::MAX);
        let sent = self.stamp.sent.unwrap_or(died);
        DeadMessage { number, bytes, sent, died, attempts, begun, standing, reason, detail }
    }
}
