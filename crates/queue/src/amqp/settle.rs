//! Messages under a lease are acknowledged, or handed back.

use std::sync::Arc;

use brine_records::Settled;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions};

use super::held::{AmqpLease, HeldMessage};
use super::layout::delayed;
use super::session::{Published, settled};
use super::{AmqpQueue, ServerFault};
use crate::error::QueueError;
use crate::ledger_place::{Ends, LedgerNotes as _, LedgerPlace};
use crate::queue::{LedgerLease, Retry};

impl<L: LedgerPlace> AmqpQueue<L> {
    /// Acknowledges messages. What was begun is forgotten before: if a message comes again nevertheless, it was handled.
    pub(super) fn acknowledge(
        &mut self,
        leases: &[&AmqpLease],
    ) -> Result<Vec<Settled>, QueueError> {
        let held: Vec<_> =
            leases.iter().filter_map(|lease| self.link.held.get(lease.number)).collect();
        if held.is_empty() {
            return Ok(leases.iter().map(|_| Settled::Lost).collect());
        }
        let begun = held.iter().filter(|(_, begun)| *begun).map(|(message, _)| message.key);
        let begun: Vec<_> = begun.collect();
        let count = u64::try_from(held.len()).unwrap_or(u64::MAX);
        self.notes.end(&begun, Ends::Acknowledged(count))?;
        let messages: Vec<_> =
            leases.iter().map(|lease| self.link.held.take(lease.number)).collect();
        self.link.with(async |_| acknowledge_all(&messages).await)
    }

    pub(super) fn commit_then_acknowledge(
        &mut self,
        handled: &[(&AmqpLease, &LedgerLease<Self>)],
    ) -> Result<Vec<Settled>, QueueError> {
        let is_held = |lease: &AmqpLease| self.link.held.get(lease.number).is_some();
        let mut outcome: Vec<_> = handled
            .iter()
            .map(|(lease, _)| if is_held(lease) { Settled::Done } else { Settled::Lost })
            .collect();
        let both = handled.iter().zip(&outcome);
        let held = both.filter(|(_, settled)| **settled == Settled::Done);
        let records: Vec<_> = held.map(|((_, record), _)| *record).collect();
        let mut committed = self.notes.commit(&records, self.clock.now()?)?.into_iter();
        for one in outcome.iter_mut().filter(|one| **one == Settled::Done) {
            *one = committed.next().ok_or_else(|| QueueError::damaged("its ledger is silent"))?;
        }
        let both = handled.iter().zip(&outcome);
        let done = both.filter(|(_, settled)| **settled == Settled::Done);
        let leases: Vec<_> = done.map(|((lease, _), _)| *lease).collect();
        // One that is lost meanwhile is delivered again, and the ledger knows its record.
        let _ = self.acknowledge(&leases)?;
        Ok(outcome)
    }

    /// Hands messages back. Where the server keeps them, they keep their place, and it counts the delivery. Otherwise, they
    /// are published again before they are acknowledged.
    pub(super) fn return_all(
        &mut self,
        leases: &[&AmqpLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        let held = &self.link.held;
        // So that none runs out in between.
        for lease in leases {
            let _ = held.extend(lease.number);
        }
        let messages: Vec<_> =
            leases.iter().map(|lease| held.get(lease.number).map(|(message, _)| message)).collect();
        if retry.delay.is_zero() && retry.was_tried {
            let messages = leases.iter().map(|lease| held.take(lease.number)).collect();
            return self.link.with(async |_| requeue_all(messages).await);
        }
        let layout = &self.layout;
        let copies: Vec<_> = messages
            .iter()
            .flatten()
            .map(|message| {
                let attempts = message.arrival.attempt;
                let attempts = attempts.saturating_sub(if retry.was_tried { 0 } else { 1 });
                let properties = message.arrival.stamp.again(attempts, retry.why);
                (message.content.as_slice(), properties)
            })
            .collect();
        let published = self.link.with(async |session| match delayed(retry.delay) {
            None => session.publish(&layout.main, &copies).await,
            Some(waiting) => session.publish_beside(layout, waiting, &copies).await,
        })?;
        match published {
            Published::Done => {}
            // With the queue, those that are held are lost.
            Published::NoQueue => return Ok(messages.iter().map(|_| Settled::Lost).collect()),
            Published::Full => return Err(QueueError::Full),
        }
        let messages: Vec<_> = leases.iter().map(|lease| held.take(lease.number)).collect();
        self.link.with(async |_| acknowledge_all(&messages).await)
    }
}

/// Acknowledges what is still held. It is known to the server when this returns.
pub(super) async fn acknowledge_all(
    messages: &[Option<Arc<HeldMessage>>],
) -> Result<Vec<Settled>, ServerFault> {
    let mut outcome = Vec::with_capacity(messages.len());
    for message in messages {
        let is_done = match message {
            Some(message) => message.acker.ack(BasicAckOptions::default()).await?,
            None => false,
        };
        outcome.push(if is_done { Settled::Done } else { Settled::Lost });
    }
    wait_for_all(messages).await?;
    Ok(outcome)
}

async fn requeue_all(messages: Vec<Option<Arc<HeldMessage>>>) -> Result<Vec<Settled>, ServerFault> {
    let mut outcome = Vec::with_capacity(messages.len());
    for message in &messages {
        let requeue = BasicNackOptions { requeue: true, multiple: false };
        let is_done = match message {
            Some(message) => message.acker.nack(requeue).await?,
            None => false,
        };
        outcome.push(if is_done { Settled::Done } else { Settled::Lost });
    }
    wait_for_all(&messages).await?;
    Ok(outcome)
}

/// Waits until the server has heard of all.
async fn wait_for_all(messages: &[Option<Arc<HeldMessage>>]) -> Result<(), ServerFault> {
    let mut channels: Vec<&Channel> = Vec::new();
    for message in messages.iter().flatten() {
        if channels.iter().all(|channel| channel.id() != message.channel.id()) {
            channels.push(&message.channel);
        }
    }
    for channel in channels {
        settled(channel).await?;
    }
    Ok(())
}
