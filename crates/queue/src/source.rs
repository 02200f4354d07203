//! A queue as the source of a record pipeline.

mod figures;
mod held;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_core::Classified as _;
use brine_records::{
    DeadLetter, DeliveredBlock, Deliveries, FrameBlock, FramingError, HandlerFailure, RecordError,
    Source,
};

pub use self::figures::SourceFigures;
use self::held::{HeldMessage, HeldMessages};
use crate::admission::{BUSY, valid_later};
use crate::error::QueueError;
use crate::queue::{Buried, Delivery, Queue, ReceiveBounds, RefusedMessage, Retry, Standing};
use crate::retry_delay::RetryDelay;

/// How long a queue is asked to wait at once. In between, leases are extended and the source may end.
const WAIT: Duration = Duration::from_secs(1);

/// When a message is looked at again that stays queued though the ledger refuses it.
pub const POSTPONED: Duration = Duration::from_secs(60 * 60);

/// When a message is looked at again that does not fit the framing of its consumer.
const UNFRAMED: Duration = Duration::from_secs(60);

/// How a queue is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRules {
    /// How often a message is delivered before it becomes a dead letter.
    pub attempts: u64,
    /// How much is received at once.
    pub bounds: ReceiveBounds,
    /// How many messages are under a lease at most, at least one. What a consumer has that works long on each is not
    /// there for others, and what it has when it dies counts an attempt.
    pub held: usize,
    /// How many messages are received in all, if that is bounded.
    pub messages: Option<u64>,
    /// How long a message waits before it is delivered again.
    pub delay: RetryDelay,
    /// How long to wait for a message before the source ends, if it ends. It counts while there is room for one.
    pub wait: Option<Duration>,
}

/// Receives records from a queue. Its deliveries settle them.
///
/// Reading and settling happen on two threads, so there are two values of one queue.
pub struct QueueSource<Q: Queue> {
    receiving: Q,
    held: Arc<HeldMessages<Q>>,
    rules: SourceRules,
    is_wanted: Box<dyn FnMut() -> bool + Send>,
    received: u64,
}

/// Settles the records of one block with their queue.
pub struct QueueDeliveries<Q: Queue> {
    held: Arc<HeldMessages<Q>>,
    rules: SourceRules,
    /// The number of the first message of the block, among those that were received.
    first: u64,
}

impl<Q: Queue> QueueSource<Q> {
    /// Receives from a queue, and settles with another value of it.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    pub fn new(receiving: Q, rules: SourceRules) -> Result<Self, QueueError> {
        let settling = receiving.another()?;
        let held = Arc::new(HeldMessages::new(settling));
        Ok(Self { receiving, held, rules, is_wanted: Box::new(|| true), received: 0 })
    }

    /// Ends when this says so. It is asked about once a second while there is nothing to receive.
    #[must_use]
    pub fn while_wanted(self, is_wanted: impl FnMut() -> bool + Send + 'static) -> Self {
        Self { is_wanted: Box::new(is_wanted), ..self }
    }

    /// Counts in these figures.
    #[must_use]
    pub fn counting(self, figures: Arc<SourceFigures>) -> Self {
        self.held.state().figures = figures;
        self
    }

    /// Returns what is known of the messages that were received and are not settled, for whoever handles them.
    #[must_use]
    pub fn unsettled(&self) -> UnsettledMessages<Q> {
        UnsettledMessages(Arc::clone(&self.held))
    }

    /// Returns how many more messages are to be received, if anything.
    fn left(&self) -> Option<usize> {
        let left = self.rules.messages.map(|most| most.saturating_sub(self.received));
        let left = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        Some(left).filter(|left| *left > 0)
    }

    /// Receives messages. Returns none if the source has ended.
    fn receive(&mut self, most: usize) -> Result<Vec<Delivery<Q::Lease>>, QueueError> {
        let mut begun = None;
        loop {
            self.held.state().extend_when_due()?;
            let room = self.held.wait_for_room(self.rules.held.max(1), WAIT);
            // Afterwards: what was done meanwhile can have been the last.
            if !(self.is_wanted)() {
                return Ok(Vec::new());
            }
            if room == 0 {
                continue;
            }
            let messages = self.rules.bounds.messages.min(most).min(room);
            let bounds = ReceiveBounds { messages, ..self.rules.bounds };
            let begun = *begun.get_or_insert_with(Instant::now);
            let left = self.rules.wait.map(|wait| wait.saturating_sub(begun.elapsed()));
            let found = self.receiving.receive(bounds, left.map_or(WAIT, |left| left.min(WAIT)))?;
            if !found.is_empty() && !(self.is_wanted)() {
                // It may have come after long, when another process let go of the queue.
                let leases: Vec<_> = found.iter().map(|delivery| &delivery.lease).collect();
                let back = Retry::untried(Duration::ZERO, "the consumer ended");
                let _ = self.receiving.retry(&leases, back)?;
                return Ok(Vec::new());
            }
            if !found.is_empty() {
                return Ok(found);
            }
            if left.is_some_and(|left| left.is_zero()) {
                self.held.state().has_waited = true;
                return Ok(found);
            }
        }
    }
}

impl<Q: Queue> Source for QueueSource<Q> {
    type Deliveries = QueueDeliveries<Q>;
    type Error = QueueError;

    fn next_block(&mut self) -> Result<Option<DeliveredBlock<QueueDeliveries<Q>>>, QueueError> {
        let Some(left) = self.left() else { return Ok(None) };
        let found = self.receive(left)?;
        if found.is_empty() {
            return Ok(None);
        }
        let first = self.received;
        let (mut state, since) = (self.held.state(), Instant::now());
        let mut block = state.spare.pop().unwrap_or_default().renew(first.saturating_add(1));
        for delivery in found {
            block.push(&delivery.content);
            let message = HeldMessage { attempt: delivery.attempt, lease: delivery.lease, since };
            state.insert(self.received, message);
            self.received = self.received.saturating_add(1);
        }
        drop(state);
        let deliveries = QueueDeliveries { held: Arc::clone(&self.held), rules: self.rules, first };
        Ok(Some(DeliveredBlock { block, deliveries }))
    }
}

impl<Q: Queue> QueueDeliveries<Q> {
    fn number(&self, index: usize) -> u64 {
        self.first.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
    }

    fn numbers(&self, records: &Range<usize>) -> Range<u64> {
        self.number(records.start)..self.number(records.end)
    }
}

impl<Q: Queue> Deliveries for QueueDeliveries<Q> {
    type Error = QueueError;

    fn are_leased(&self) -> bool {
        true
    }

    fn extend(&mut self, records: Range<usize>) -> Result<(), QueueError> {
        let mut state = self.held.state();
        state.extend_when_due()?;
        let numbers = self.numbers(&records);
        let wanted = numbers.end.saturating_sub(numbers.start);
        if state.count(numbers) < wanted { Err(QueueError::LeaseLost) } else { Ok(()) }
    }

    fn postpone(&mut self, record: usize) -> Result<bool, QueueError> {
        let mut state = self.held.state();
        if let Some(message) = state.remove(self.number(record)) {
            let back = Retry::untried(BUSY, "another process has it");
            let _ = state.settling.retry(&[&message.lease], back)?;
        }
        Ok(true)
    }

    fn acknowledge(&mut self, records: Range<usize>) -> Result<(), QueueError> {
        let mut state = self.held.state();
        let messages: Vec<_> = state.take(self.numbers(&records)).collect();
        let leases: Vec<_> = messages.iter().map(|message| &message.lease).collect();
        // One that was lost is delivered again, and the ledger knows its record.
        let _ = state.settling.ack(&leases)?;
        Ok(())
    }

    fn retry(&mut self, records: Range<usize>, why: &HandlerFailure) -> Result<(), QueueError> {
        let mut state = self.held.state();
        let messages: Vec<_> = state.take(self.numbers(&records)).collect();
        let detail = why.to_string();
        for HeldMessage { attempt, lease, .. } in messages {
            if attempt < self.rules.attempts {
                let back = Retry::tried(self.rules.delay.after(attempt)?, &detail);
                let _ = state.settling.retry(&[&lease], back)?;
            } else {
                let standing = Standing::Verified;
                let why = RefusedMessage { reason: why.reason(), detail: &detail, standing };
                let _ = state.settling.dead_letter(&lease, &why)?;
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, record: usize, why: &RecordError) -> Result<DeadLetter, QueueError> {
        let mut state = self.held.state();
        let number = self.number(record);
        let Some(message) = state.remove(number) else { return Ok(DeadLetter::Dropped) };
        let (reason, detail) = (why.reason(), &why.to_string());
        let standing = match RefusedEnd::of(why) {
            RefusedEnd::Dead(standing) => standing,
            RefusedEnd::Postponed(delay) => {
                let back = Retry::untried(delay, detail);
                let _ = state.settling.retry(&[&message.lease], back)?;
                return Ok(DeadLetter::Kept);
            }
        };
        let why = RefusedMessage { reason, detail, standing };
        match state.settling.dead_letter(&message.lease, &why)? {
            Buried::Done(letter) => Ok(letter),
            // Somebody else has it.
            Buried::Lost => Ok(DeadLetter::Dropped),
        }
    }

    fn finish(self, block: FrameBlock) {
        self.held.keep(block);
        self.held.announce_room();
    }
}

/// The messages that were received and are not settled.
pub struct UnsettledMessages<Q: Queue>(Arc<HeldMessages<Q>>);

impl<Q: Queue> UnsettledMessages<Q> {
    /// Returns how often a message was delivered, with this time. Messages are numbered as they were received, from 1
    /// on, as the records of the blocks are.
    #[must_use]
    pub fn attempt(&self, number: u64) -> Option<u64> {
        self.0.state().attempt(number.checked_sub(1)?)
    }

    /// Returns whether the source ended because nothing came for as long as it was to wait.
    #[must_use]
    pub fn has_waited(&self) -> bool {
        self.0.state().has_waited
    }

    /// Hands back all messages, to be delivered again at once.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then they are delivered again when their leases run out.
    pub fn hand_back(&self, why: &str) -> Result<(), QueueError> {
        self.0.state().hand_back(why)
    }
}

impl<Q: Queue> fmt::Debug for UnsettledMessages<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsettledMessages").finish_non_exhaustive()
    }
}

/// Returns whether a message that is refused for this reason stays queued, and is looked at again.
#[must_use]
pub fn stays_queued(why: &RecordError) -> bool {
    matches!(RefusedEnd::of(why), RefusedEnd::Postponed(_))
}

/// What becomes of a refused message.
enum RefusedEnd {
    Dead(Standing),
    /// It stays queued, and is looked at again after so long: what stands against it can change, or somebody can still say
    /// that it holds.
    Postponed(Duration),
}

impl RefusedEnd {
    /// Only what a handler refused has passed everything else. Of what failed before, anybody can send any number of
    /// copies, even if a trusted signer signed it once.
    fn of(why: &RecordError) -> Self {
        if let Some(delay) = valid_later(why.reason()) {
            return Self::Postponed(delay);
        }
        match why {
            RecordError::Handler(_) => Self::Dead(Standing::Verified),
            // It verified, and somebody who chooses another framing can take it.
            RecordError::Framing(FramingError::Unframeable { .. }) => Self::Postponed(UNFRAMED),
            RecordError::Replay(error) if error.may_pass() => Self::Postponed(POSTPONED),
            RecordError::Envelope(_) | RecordError::Framing(_) | RecordError::Replay(_) => {
                Self::Dead(Standing::Unverified)
            }
            // What is not known here is kept by the stricter rule.
            _ => Self::Dead(Standing::Verified),
        }
    }
}

impl<Q: Queue> fmt::Debug for QueueSource<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSource").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl<Q: Queue> fmt::Debug for QueueDeliveries<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueDeliveries").field("first", &self.first).finish_non_exhaustive()
    }
}
