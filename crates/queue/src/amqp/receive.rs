//! Messages are received under a lease.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use lapin::Channel;
use lapin::message::Delivery as Arrived;
use tokio::time::sleep;

use super::held::{AmqpLease, HeldMessage};
use super::message::Arrival;
use super::session::Session;
use super::{AmqpQueue, ServerFault};
use crate::error::QueueError;
use crate::ledger_place::{LedgerNotes as _, LedgerPlace};
use crate::options::MAX_MESSAGE_BYTES;
use crate::queue::{Delivery, ReceiveBounds};

/// How long it is waited for a message at once.
const WAIT: Duration = Duration::from_secs(10);

/// How long nothing is asked of a queue that is not there.
const MISSING: Duration = Duration::from_secs(1);

/// A message that was waited for has a channel of its own until it is settled. A connection has 2047 of them, so whoever
/// holds so many looks for messages from time to time.
const MOST_CHANNELS: usize = 1000;

/// How often that is.
const LOOK: Duration = Duration::from_millis(100);

/// What was received until now.
struct Taken {
    leases: Vec<u64>,
    bytes: usize,
    most: ReceiveBounds,
}

impl Taken {
    fn has_room(&self) -> bool {
        self.leases.len() < self.most.messages.max(1)
    }

    /// Adds a message, unless it is too large.
    fn add(&mut self, lease: u64, bytes: usize) -> bool {
        let total = self.bytes.saturating_add(bytes);
        let fits = total <= self.most.bytes || self.leases.is_empty();
        if fits {
            self.bytes = total;
            self.leases.push(lease);
        }
        fits
    }
}

impl<L: LedgerPlace> AmqpQueue<L> {
    pub(super) fn receive_within(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<AmqpLease>>, QueueError> {
        let begun = Instant::now();
        loop {
            let left = wait.saturating_sub(begun.elapsed());
            let leases = self
                .link
                .insist(async |session| self.pull(&session, most, left.min(WAIT)).await)?;
            let found = self.deliver(&leases)?;
            if !found.is_empty() || left.is_zero() {
                return Ok(found);
            }
        }
    }

    /// Takes messages from the server, in the order in which it has them.
    async fn pull(
        &self,
        session: &Session,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<u64>, ServerFault> {
        self.link.held.end_leases().await;
        let mut taken = Taken { leases: Vec::new(), bytes: 0, most };
        if !self.pull_kept_back(&mut taken) {
            return Ok(taken.leases);
        }
        // To look into an empty queue is work for the server, which has to write that down. To ask for a number is not.
        let Some(ready) = session.count(&self.layout.main).await? else {
            sleep(wait.min(MISSING)).await;
            return Ok(taken.leases);
        };
        self.pull_ready(session, ready, &mut taken).await?;
        if taken.leases.is_empty() && !wait.is_zero() {
            if self.link.held.channels() >= MOST_CHANNELS {
                sleep(wait.min(LOOK)).await;
                return Ok(taken.leases);
            }
            let found = session.wait_for_one(&self.layout.main, wait).await;
            match found {
                Ok(Some((message, channel))) => {
                    self.hold(message, &channel, &mut taken);
                    self.pull_ready(session, u64::MAX, &mut taken).await?;
                }
                Ok(None) => {}
                Err(fault) if fault.is_missing() => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(taken.leases)
    }

    async fn pull_ready(
        &self,
        session: &Session,
        most: u64,
        taken: &mut Taken,
    ) -> Result<(), ServerFault> {
        let channel = &session.receiving;
        let mut left = most;
        while left > 0 && taken.has_room() {
            let Some(message) = session.get(channel, &self.layout.main).await? else { break };
            if !self.hold(message, channel, taken) {
                break;
            }
            left = left.saturating_sub(1);
        }
        Ok(())
    }

    /// Takes what came before and did not fit. Returns whether there is room for more.
    fn pull_kept_back(&self, taken: &mut Taken) -> bool {
        let mut kept_back = self.kept_back.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.has_room() {
            let Some(lease) = kept_back.front().copied() else { return true };
            // It was handed back meanwhile, if it was there for longer than a lease lasts.
            if let Some((message, _)) = self.link.held.get(lease) {
                let _ = self.link.held.extend(lease);
                if !taken.add(lease, message.content.len()) {
                    return false;
                }
            }
            kept_back.pop_front();
        }
        false
    }

    /// Holds a message, and keeps it back if it does not fit. Returns whether it fits.
    fn hold(&self, message: Arrived, channel: &Channel, taken: &mut Taken) -> bool {
        let arrival = Arrival::of(&message.properties, message.redelivered);
        let key = arrival.stamp.key(&message.data);
        let (content, acker) = (message.data, message.acker);
        let (bytes, channel) = (content.len(), channel.clone());
        let message = HeldMessage { content, arrival, key, acker, channel };
        let lease = self.link.held.hold(Arc::new(message));
        let fits = taken.add(lease, bytes);
        if !fits {
            self.kept_back.lock().unwrap_or_else(PoisonError::into_inner).push_back(lease);
        }
        fits
    }

    /// Gives messages out that are held.
    fn deliver(&mut self, leases: &[u64]) -> Result<Vec<Delivery<AmqpLease>>, QueueError> {
        let held = leases.iter().filter_map(|lease| Some((*lease, self.link.held.get(*lease)?.0)));
        let held: Vec<_> = held.collect();
        let again: Vec<_> =
            held.iter().filter(|(_, message)| message.arrival.is_again).cloned().collect();
        if !again.is_empty() {
            let keys: Vec<_> = again.iter().map(|(_, message)| message.key).collect();
            let begun = self.notes.begun(&keys)?;
            for ((lease, _), _) in again.iter().zip(begun).filter(|(_, begun)| *begun) {
                self.link.held.note_begun(*lease);
            }
        }
        let deliveries = held.into_iter().filter_map(|(number, message)| {
            let (_, begun) = self.link.held.get(number)?;
            // One that is too large is seen to be.
            let content = message.content.get(..=MAX_MESSAGE_BYTES).unwrap_or(&message.content);
            let (content, attempt) = (content.to_owned(), message.arrival.attempt);
            Some(Delivery { content, attempt, begun, lease: AmqpLease { number } })
        });
        Ok(deliveries.collect())
    }
}
