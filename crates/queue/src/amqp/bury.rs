//! Refused messages become dead letters, within bounds.

use std::sync::atomic::{AtomicU64, Ordering};

use brine_core::Timestamp;
use brine_core::key::random;
use brine_records::{DeadLetter, Settled};
use lapin::BasicProperties;
use lapin::options::BasicAckOptions;

use super::held::{AmqpLease, HeldMessage};
use super::layout::{Beside, LETTER_BYTES, Layout};
use super::message::Epitaph;
use super::session::{Published, Session};
use super::settle::acknowledge_all;
use super::{AmqpQueue, ServerFault};
use crate::error::QueueError;
use crate::ledger_place::{Ends, LedgerNotes as _, LedgerPlace};
use crate::queue::{Buried, RefusedMessage, Standing};

/// The number of the last dead letter of this process.
static LAST_LETTER: AtomicU64 = AtomicU64::new(0);

/// How many dead letters can have a number in one second.
const LETTERS: u64 = 1 << 20;

/// What of a message that anybody can send is to be kept.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// How many were refused before.
    met: u64,
    /// Whether it fits where there is nothing else.
    fits: bool,
}

impl<L: LedgerPlace> AmqpQueue<L> {
    pub(super) fn bury(
        &mut self,
        lease: &AmqpLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        // So that it does not run out in between.
        let _ = self.link.held.extend(lease.number);
        let Some((message, begun)) = self.link.held.get(lease.number) else {
            return Ok(Buried::Lost);
        };
        let now = self.now()?;
        let attempts = message.arrival.attempt;
        let epitaph = Epitaph::new(letter_number(now)?, now, attempts, begun, why);
        let properties = message.arrival.stamp.dead(&epitaph);
        let letter = match why.standing {
            Standing::Verified => self.keep_verified(&message, properties)?,
            Standing::Unverified => self.sample(&message, properties)?,
        };
        self.notes.end(&[], Ends::Refused(why.reason))?;
        let taken = [self.link.held.take(lease.number)];
        let settled = self.link.with(async |_| acknowledge_all(&taken).await)?;
        match settled.as_slice() {
            [Settled::Done] => Ok(Buried::Done(letter)),
            _ => Ok(Buried::Lost),
        }
    }

    fn keep_verified(
        &self,
        message: &HeldMessage,
        properties: BasicProperties,
    ) -> Result<DeadLetter, QueueError> {
        let (layout, content) = (&self.layout, message.content.as_slice());
        let published = self.link.with(async |session| {
            session.publish_beside(layout, Beside::Dead, &[(content, properties)]).await
        })?;
        match published {
            Published::Done => Ok(DeadLetter::Kept),
            Published::Full | Published::NoQueue => {
                Err(QueueError::DeadLettersFull { limit: self.options.dead_letters.verified })
            }
        }
    }

    fn sample(
        &mut self,
        message: &HeldMessage,
        properties: BasicProperties,
    ) -> Result<DeadLetter, QueueError> {
        let refused = self.notes.figures()?.refused;
        let met = refused.into_iter().map(|(_, count)| count).fold(1, u64::saturating_add);
        let bytes = u64::try_from(message.content.len()).unwrap_or(u64::MAX);
        let fits = bytes.saturating_add(LETTER_BYTES) <= self.options.dead_letters.unverified;
        let (layout, content) = (&self.layout, message.content.as_slice());
        self.link.with(async |session| {
            Sample { met, fits }.keep(&session, layout, content, properties).await
        })
    }
}

impl Sample {
    /// Keeps a random sample of what anybody can send: each is about as likely to be among those that are kept (reservoir
    /// sampling). Those that leave are the oldest.
    async fn keep(
        self,
        session: &Session,
        layout: &Layout,
        content: &[u8],
        properties: BasicProperties,
    ) -> Result<DeadLetter, ServerFault> {
        if !self.fits {
            return Ok(DeadLetter::Dropped);
        }
        session.make_beside(layout, Beside::Sample).await?;
        let (name, letter) = (layout.beside(Beside::Sample), [(content, properties)]);
        // It is not insisted, as a queue that takes no more is what strangers can bring about.
        let is_taken = async || -> Result<bool, ServerFault> {
            Ok(session.publish_once(&name, letter.iter()).await?.is_empty())
        };
        if is_taken().await? {
            return Ok(DeadLetter::Kept);
        }
        let kept = session.count(&name).await?.unwrap_or_default();
        let drawn = u64::from_le_bytes(random().map_err(QueueError::from)?);
        if drawn.checked_rem(self.met).unwrap_or_default() >= kept {
            return Ok(DeadLetter::Dropped);
        }
        while let Some(oldest) = session.get(&session.receiving, &name).await? {
            oldest.acker.ack(BasicAckOptions::default()).await?;
            if is_taken().await? {
                break;
            }
        }
        // It is kept, and others are not any more.
        Ok(DeadLetter::Dropped)
    }
}

/// Returns a number for a dead letter: above those of this process, and in the order of time among those of others.
fn letter_number(now: Timestamp) -> Result<u64, QueueError> {
    // Another process may count from the same second on.
    let within = u64::from(u16::from_le_bytes(random()?));
    let least = now.unix().saturating_mul(LETTERS).saturating_add(within);
    let next = |last: u64| Some(last.saturating_add(1).max(least));
    let last = LAST_LETTER.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    Ok(last.unwrap_or_else(|last| last).saturating_add(1).max(least))
}
