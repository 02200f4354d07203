//! A state is written for each message that was delivered, before it is given out.

use std::time::Duration;

use async_nats::Message;
use brine_core::Timestamp;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use super::Shared;
use super::ack::{self, AckAddress};
use super::link::draw_token;
use super::message_state::{MessageState, Phase};
use super::publish::{BEGUN, NOT_BEFORE, PLACE};
use super::settle::NatsLease;
use crate::error::QueueError;
use crate::queue::{Delivery, ReceiveBounds};

/// How many states are written at once.
const CLAIMS: usize = 64;

/// A message as the server delivers it.
#[derive(Debug)]
pub(super) struct DeliveredMessage {
    pub(super) address: AckAddress,
    pub(super) message: Message,
    /// When the server was asked for it. It came later, if that is known.
    pub(super) asked: Option<Instant>,
}

impl DeliveredMessage {
    /// Reads a number that anybody could write.
    fn number(&self, header: &str) -> Option<u64> {
        self.message.headers.as_ref()?.get(header)?.as_str().parse().ok()
    }

    /// Returns its place among those that were delivered together.
    fn place(&self) -> u64 {
        self.number(PLACE).unwrap_or(self.address.sequence).min(self.address.sequence)
    }
}

impl Shared {
    /// Takes what fits, and gives back the rest.
    pub(super) async fn claim_all(
        &self,
        mut found: Vec<DeliveredMessage>,
        most: ReceiveBounds,
    ) -> Result<Vec<Delivery<NatsLease>>, QueueError> {
        let until = self.streams.link.deadline();
        found.sort_by_key(DeliveredMessage::place);
        let (mut kept, mut total) = (0_usize, 0_usize);
        for delivered in found.iter().take(most.messages.max(1)) {
            total = total.saturating_add(delivered.message.payload.len());
            if total > most.bytes && kept > 0 {
                break;
            }
            kept = kept.saturating_add(1);
        }
        let rest = found.split_off(kept);
        let back = rest.iter().map(|delivered| {
            ack::reply(&self.streams.link, &delivered.address.subject, ack::NAK, until)
        });
        let back = back.collect::<Vec<_>>();
        // They come next, and whoever gets them counts from there.
        stream::iter(back).buffered(CLAIMS).try_for_each(|()| std::future::ready(Ok(()))).await?;
        let now = self.now()?;
        let claims: Vec<_> = found.into_iter().map(|one| self.claim(one, now, until)).collect();
        let claimed: Vec<_> = stream::iter(claims).buffered(CLAIMS).try_collect().await?;
        Ok(claimed.into_iter().flatten().collect())
    }

    /// Writes that a message is held, unless its state speaks against that.
    async fn claim(
        &self,
        delivered: DeliveredMessage,
        now: Timestamp,
        until: Instant,
    ) -> Result<Option<Delivery<NatsLease>>, QueueError> {
        let address = &delivered.address;
        let subject = self.state_subject(address.sequence);
        // At the first delivery, there is no state yet, but where a server lost count.
        let mut is_new = address.delivery == 1;
        loop {
            let found = if is_new { None } else { self.states.get(&subject, until).await? };
            is_new = false;
            let (from, state) = match found {
                None => (0, self.first_state(&delivered, now)?),
                Some(found) => {
                    let state = MessageState::decode(&found.bytes);
                    match self.next_state(&delivered, state, found.revision, now, until).await? {
                        Some(state) => (found.revision, state),
                        None => return Ok(None),
                    }
                }
            };
            if let Some(revision) =
                self.states.swap(&subject, from, &state.encode()?, until).await?
            {
                if from == 0
                    && self.is_doubtful(&delivered)
                    && !self.is_there(delivered.address.sequence, until).await?
                {
                    self.states.delete(revision, until).await?;
                    return Ok(None);
                }
                return self.given(delivered, revision, state, from == 0, until).await;
            }
        }
    }

    /// Returns whether a message that has no state can be one that was settled: somebody else can have had it before or
    /// since, or the server can have lost count of its deliveries.
    fn is_doubtful(&self, delivered: &DeliveredMessage) -> bool {
        let lease = self.streams.lease;
        let is_recent = delivered.asked.is_some_and(|asked| asked.elapsed() < lease / 2);
        delivered.address.delivery > 1
            || !is_recent
            || self.streams.link.was_lost_within(lease.saturating_mul(2))
    }

    /// Returns the state of a message that has none.
    fn first_state(
        &self,
        delivered: &DeliveredMessage,
        now: Timestamp,
    ) -> Result<MessageState, QueueError> {
        let begun = delivered.number(BEGUN);
        let state = MessageState::held(draw_token()?, delivered.address.delivery, begun, now);
        let not_before = delivered.number(NOT_BEFORE).filter(|until| *until > now.unix());
        Ok(match not_before {
            None => state,
            Some(until) => MessageState { phase: Phase::Waiting, attempts: 0, until, ..state },
        })
    }

    /// Returns the state of a message that somebody had before, if it can be had.
    async fn next_state(
        &self,
        delivered: &DeliveredMessage,
        state: MessageState,
        revision: u64,
        now: Timestamp,
        until: Instant,
    ) -> Result<Option<MessageState>, QueueError> {
        let (link, address) = (&self.streams.link, &delivered.address);
        match state.phase {
            Phase::Dead => {
                // It was to be delivered no more.
                ack::reply(link, &address.subject, ack::TERM, until).await?;
                return Ok(None);
            }
            Phase::Done => {
                self.forget(address.sequence, revision, until).await?;
                return Ok(None);
            }
            Phase::Held | Phase::Waiting => {}
        }
        if state.is_late(address.delivery, self.streams.lease, now) {
            return Ok(None);
        }
        let left = state.seconds_left(now);
        if left > 0 {
            // The lease was extended too late for the server, or the server forgot when the message is to come.
            ack::delay(link, &address.subject, Duration::from_secs(left), until).await?;
            return Ok(None);
        }
        Ok(Some(MessageState {
            phase: Phase::Held,
            token: draw_token()?,
            delivery: address.delivery,
            attempts: state.attempts.saturating_add(1),
            from: now.unix(),
            until: 0,
            ..state
        }))
    }

    /// Gives out a message whose state is written, unless it waits.
    async fn given(
        &self,
        delivered: DeliveredMessage,
        revision: u64,
        state: MessageState,
        is_first: bool,
        until: Instant,
    ) -> Result<Option<Delivery<NatsLease>>, QueueError> {
        let left = state.until.saturating_sub(state.from);
        if state.phase == Phase::Waiting {
            let left = Duration::from_secs(left);
            ack::delay(&self.streams.link, &delivered.address.subject, left, until).await?;
            return Ok(None);
        }
        let content = Vec::from(delivered.message.payload);
        let (attempt, begun) = (state.attempts, state.begun.is_some());
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let id = self.streams.id.clone();
        let lease = NatsLease::new(id, delivered.address, bytes, revision, state, is_first);
        Ok(Some(Delivery { content, attempt, begun, lease }))
    }
}
