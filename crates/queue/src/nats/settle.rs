//! Messages under a lease are extended, acknowledged, handed back, or marked as begun.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use brine_core::Timestamp;
use brine_records::Settled;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use super::ack::{self, AckAddress};
use super::message_state::{MessageState, Phase};
use super::publish::end_of;
use super::values::delete_message;
use super::{SETTLED_AT_ONCE, Shared};
use crate::error::QueueError;
use crate::queue::{Retry, kept};

/// The right to settle a message, until it runs out and the message is delivered again.
pub struct NatsLease {
    /// The queue.
    id: String,
    pub(super) address: AckAddress,
    pub(super) bytes: u64,
    /// Whether the message had no state. Then it can be that it was gone already.
    is_first: bool,
    held: Mutex<LastState>,
}

/// The state of a message as this lease wrote it.
#[derive(Clone, Debug)]
struct LastState {
    revision: u64,
    state: MessageState,
    /// Whether the message was settled, or the lease lost.
    is_over: bool,
}

impl NatsLease {
    pub(super) const fn new(
        id: String,
        address: AckAddress,
        bytes: u64,
        revision: u64,
        state: MessageState,
        is_first: bool,
    ) -> Self {
        let held = Mutex::new(LastState { revision, state, is_over: false });
        Self { id, address, bytes, is_first, held }
    }

    /// Returns a name that no other lease has.
    pub(super) fn token(&self) -> String {
        self.last().state.token.clone()
    }

    fn last(&self) -> MutexGuard<'_, LastState> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, revision: u64, state: MessageState) {
        let mut last = self.last();
        (last.revision, last.state) = (revision, state);
    }

    pub(super) fn end(&self) {
        self.last().is_over = true;
    }
}

impl Shared {
    /// Replaces the state of a message that is held by this lease. Returns the revision of the new one, or `None` if the
    /// lease was lost or used up.
    ///
    /// It can be tried again if it fails: a state that this lease wrote is known by its token, though the answer was lost.
    pub(super) async fn turn(
        &self,
        lease: &NatsLease,
        until: Instant,
        to: impl Fn(&MessageState) -> MessageState,
    ) -> Result<Option<u64>, QueueError> {
        let LastState { mut revision, mut state, is_over } = lease.last().clone();
        if is_over || lease.id != self.streams.id {
            return Ok(None);
        }
        let subject = self.state_subject(lease.address.sequence);
        loop {
            let next = to(&state);
            if state.phase != Phase::Held {
                // It was done before, as far as it got.
                return Ok(Some(revision).filter(|_| state.phase == next.phase));
            }
            if let Some(new) = self.states.swap(&subject, revision, &next.encode()?, until).await? {
                lease.note(new, next);
                return Ok(Some(new));
            }
            let found = self.states.get(&subject, until).await?;
            let ours = found.map(|found| (found.revision, MessageState::decode(&found.bytes)));
            match ours.filter(|(_, found)| found.token == state.token) {
                Some((found, written)) if found != revision => {
                    lease.note(found, written.clone());
                    (revision, state) = (found, written);
                }
                _ => {
                    lease.end();
                    return Ok(None);
                }
            }
        }
    }

    /// Returns whether a lease can settle its message, as far as can be seen.
    pub(super) async fn look(
        &self,
        lease: &NatsLease,
        until: Instant,
    ) -> Result<Settled, QueueError> {
        let LastState { state, is_over, .. } = lease.last().clone();
        if is_over || lease.id != self.streams.id {
            return Ok(Settled::Lost);
        }
        let found = self.states.get(&self.state_subject(lease.address.sequence), until).await?;
        let found = found.map(|found| MessageState::decode(&found.bytes));
        Ok(match found.filter(|found| found.token == state.token) {
            Some(_) => Settled::Done,
            None => Settled::Lost,
        })
    }

    pub(super) async fn extend(
        &self,
        lease: &NatsLease,
        now: Timestamp,
        until: Instant,
    ) -> Result<Settled, QueueError> {
        // As it is rounded down, a lease that is extended late can be shorter by a second. One that is extended in time is
        // as long as the server counts.
        let (from, end) = (now.unix(), now.plus(self.streams.lease).unix());
        let turned = self
            .turn(lease, until, |state| MessageState { from, until: end, ..state.clone() })
            .await?;
        if turned.is_none() {
            return Ok(Settled::Lost);
        }
        ack::reply(&self.streams.link, &lease.address.subject, ack::PROGRESS, until).await?;
        Ok(Settled::Done)
    }

    /// Writes when somebody began to handle a message before, or that nobody did.
    pub(super) async fn unbegin(
        &self,
        lease: &NatsLease,
        begun: Option<u64>,
        until: Instant,
    ) -> Result<Settled, QueueError> {
        let turned =
            self.turn(lease, until, |state| MessageState { begun, ..state.clone() }).await?;
        Ok(outcome(turned))
    }

    /// Notes that somebody begins to handle a message, unless it is gone: its sender can have taken it back after the
    /// server had delivered it, and before its state was written.
    pub(super) async fn begin(
        &self,
        lease: &NatsLease,
        now: Timestamp,
        until: Instant,
    ) -> Result<Settled, QueueError> {
        let begun = Some(now.unix());
        let turn = |state: &MessageState| MessageState { begun, ..state.clone() };
        let Some(revision) = self.turn(lease, until, turn).await? else { return Ok(Settled::Lost) };
        if lease.is_first && !self.is_there(lease.address.sequence, until).await? {
            lease.end();
            self.states.delete(revision, until).await?;
            return Ok(Settled::Lost);
        }
        Ok(Settled::Done)
    }

    /// Returns when somebody began to handle a message, as this lease knows it.
    pub(super) fn begun(&self, lease: &NatsLease) -> Option<u64> {
        lease.last().state.begun
    }

    pub(super) async fn acknowledge(
        &self,
        lease: &NatsLease,
        until: Instant,
    ) -> Result<Settled, QueueError> {
        let done = |state: &MessageState| MessageState { phase: Phase::Done, ..state.clone() };
        let Some(revision) = self.turn(lease, until, done).await? else {
            return Ok(Settled::Lost);
        };
        lease.end();
        // Nobody is given the message from here on. If this fails, it is done when the server delivers it again.
        let _ = self.forget(lease.address.sequence, revision, until).await;
        Ok(Settled::Done)
    }

    pub(super) async fn hand_back(
        &self,
        lease: &NatsLease,
        retry: Retry<'_>,
        now: Timestamp,
        until: Instant,
    ) -> Result<Settled, QueueError> {
        let end = match retry.delay.is_zero() {
            true => 0,
            false => end_of(now, retry.delay).unix(),
        };
        let uncounted = u64::from(!retry.was_tried);
        let waiting = |state: &MessageState| MessageState {
            phase: Phase::Waiting,
            attempts: state.attempts.saturating_sub(uncounted),
            from: now.unix(),
            until: end,
            why: kept(retry.why),
            ..state.clone()
        };
        if self.turn(lease, until, waiting).await?.is_none() {
            return Ok(Settled::Lost);
        }
        lease.end();
        // If this fails, the message comes when the server would have ended the lease.
        let _ = ack::delay(&self.streams.link, &lease.address.subject, retry.delay, until).await;
        Ok(Settled::Done)
    }

    /// Deletes a message that is done, and then its state.
    pub(super) async fn forget(
        &self,
        sequence: u64,
        revision: u64,
        until: Instant,
    ) -> Result<(), QueueError> {
        self.delete_message(sequence, until).await?;
        self.states.delete(revision, until).await.map(drop)
    }

    /// Deletes a message. Returns whether it was there.
    pub(super) async fn delete_message(
        &self,
        sequence: u64,
        until: Instant,
    ) -> Result<bool, QueueError> {
        let streams = &self.streams;
        let deleted = delete_message(&streams.link, &streams.names.messages, sequence, until);
        deleted.await?.map_err(|fault| streams.fault(fault))
    }

    /// Does the same for several leases, many at once, and returns what came of each, in order.
    pub(super) async fn for_each<'l, F>(
        &self,
        leases: &[&'l NatsLease],
        work: impl Fn(&'l NatsLease) -> F,
    ) -> Result<Vec<Settled>, QueueError>
    where
        F: Future<Output = Result<Settled, QueueError>>,
    {
        let works: Vec<F> = leases.iter().map(|lease| work(lease)).collect();
        stream::iter(works).buffered(SETTLED_AT_ONCE).try_collect().await
    }
}

const fn outcome(turned: Option<u64>) -> Settled {
    match turned {
        Some(_) => Settled::Done,
        None => Settled::Lost,
    }
}

impl fmt::Debug for NatsLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.address.sequence;
        f.debug_struct("NatsLease").field("number", &number).finish_non_exhaustive()
    }
}
