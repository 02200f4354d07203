//! What people do with dead letters, and what they see of a queue.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use brine_core::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::link::Answer;
use super::message_state::{MessageState, Phase};
use super::publish::{BEGUN, PLACE};
use super::values::{Value, Values};
use super::{NatsQueue, Shared};
use crate::error::QueueError;
use crate::queue::{DeadLetters, DeadMessage, QueueStatus};

/// A message of the stream.
struct KeptMessage {
    content: Vec<u8>,
    headers: HeaderMap,
}

impl DeadLetters for NatsQueue {
    fn dead_letters(&mut self, after: u64, most: usize) -> Result<Vec<DeadMessage>, QueueError> {
        let until = self.link().deadline();
        self.link().wait_for(self.shared.dead_letters(after, most, until))
    }

    fn dead_content(&mut self, number: u64) -> Result<Option<Vec<u8>>, QueueError> {
        let until = self.link().deadline();
        self.link().wait_for(self.shared.dead_content(number, until))
    }

    fn revive(&mut self, number: u64) -> Result<bool, QueueError> {
        let until = self.link().deadline();
        self.link().wait_for(self.shared.revive(number, until))
    }

    fn discard(&mut self, number: u64) -> Result<bool, QueueError> {
        let until = self.link().deadline();
        self.link().wait_for(self.shared.take_letter(number, until, |_| ()))
    }

    fn status(&mut self) -> Result<QueueStatus, QueueError> {
        let (now, until) = (self.shared.now()?, self.link().deadline());
        self.link().wait_for(self.shared.status(now, until))
    }
}

impl Shared {
    /// Returns the first dead letters above a number.
    pub(super) async fn dead_letters(
        &self,
        after: u64,
        most: usize,
        until: Instant,
    ) -> Result<Vec<DeadMessage>, QueueError> {
        let mut found = BTreeMap::new();
        self.scan(until, |number, state| {
            if number > after
                && let Some(letter) = state.dead_message(number)
            {
                found.insert(number, letter);
                if found.len() > most {
                    found.pop_last();
                }
            }
        })
        .await?;
        Ok(found.into_values().collect())
    }

    /// Returns the state of a dead letter.
    async fn dead_state(
        &self,
        number: u64,
        until: Instant,
    ) -> Result<Option<(Value, MessageState)>, QueueError> {
        let Some(found) = self.states.get(&self.state_subject(number), until).await? else {
            return Ok(None);
        };
        let state = MessageState::decode(&found.bytes);
        Ok(Some((found, state)).filter(|(_, state)| state.phase == Phase::Dead))
    }

    pub(super) async fn dead_content(
        &self,
        number: u64,
        until: Instant,
    ) -> Result<Option<Vec<u8>>, QueueError> {
        if self.dead_state(number, until).await?.is_none() {
            return Ok(None);
        }
        Ok(self.message(number, until).await?.map(|message| message.content))
    }

    /// Queues a dead letter again: it gets another number, and says what its first one was.
    pub(super) async fn revive(&self, number: u64, until: Instant) -> Result<bool, QueueError> {
        let Some((found, state)) = self.dead_state(number, until).await? else { return Ok(false) };
        let Some(message) = self.message(number, until).await? else {
            return Err(QueueError::damaged(format!("dead letter {number} has no content")));
        };
        let mut headers = HeaderMap::new();
        let first = message.headers.get(PLACE).map(|place| place.as_str().to_owned());
        headers.insert(PLACE, first.unwrap_or_else(|| number.to_string()));
        if let Some(begun) = state.begun {
            headers.insert(BEGUN, begun.to_string());
        }
        // Whoever does the same at the same time publishes it under the same id, and once.
        let id = format!("revive-{}-{number}-{}", self.streams.id, found.revision);
        self.streams.publish(&message.content, &id, headers, until).await?;
        let revive =
            |counts: &mut super::counts::Counts| counts.revived = counts.revived.saturating_add(1);
        self.take_letter(number, until, revive).await
    }

    /// Returns a message of the stream.
    async fn message(
        &self,
        number: u64,
        until: Instant,
    ) -> Result<Option<KeptMessage>, QueueError> {
        let link = &self.streams.link;
        let subject = format!("$JS.API.DIRECT.GET.{}", self.streams.names.messages);
        let question = json!({ "seq": number }).to_string();
        match link.ask(&subject, None, question.as_bytes(), until).await? {
            Answer::Nobody => Err(self.streams.missing()),
            Answer::Message { message, .. } => {
                let found = message.status.is_none().then_some(message);
                Ok(found.map(|message| KeptMessage {
                    content: message.payload.into(),
                    headers: message.headers.unwrap_or_default(),
                }))
            }
        }
    }

    /// Counts what is in the queue.
    pub(super) async fn status(
        &self,
        now: Timestamp,
        until: Instant,
    ) -> Result<QueueStatus, QueueError> {
        let (mut dead, mut back, mut first) = (0_u64, 0_u64, None::<u64>);
        self.scan(until, |number, state| match state.phase {
            Phase::Dead => dead = dead.saturating_add(1),
            Phase::Waiting if state.seconds_left(now) == 0 => {
                back = back.saturating_add(1);
                first = Some(first.map_or(number, |first| first.min(number)));
            }
            Phase::Done | Phase::Held | Phase::Waiting => {}
        })
        .await?;
        let counts = self.counts(until).await?;
        let stream = self.streams.messages(until).await?.ok_or_else(|| self.streams.missing())?;
        let consumer = self.streams.consumer(until).await?;
        let stream = stream.state;
        let never = consumer.as_ref().map_or(stream.messages, |consumer| consumer.num_pending);
        // A server that was killed can have states again that were deleted, of messages that are not there.
        let back = back.min(stream.messages.saturating_sub(dead).saturating_sub(never));
        let first = first.filter(|_| back > 0);
        let ready = never.saturating_add(back);
        let next = match first {
            Some(first) => Some(first),
            None if never == 0 => None,
            None => {
                Some(consumer.map_or(1, |consumer| consumer.last_delivered().saturating_add(1)))
            }
        };
        // Every number was a message. Those that are not there any more were acknowledged, but for these.
        let refused: u64 = counts.refused.values().sum();
        let refused_and_gone = refused.saturating_sub(dead).saturating_add(counts.withdrawn);
        let gone = stream.last_seq.saturating_sub(stream.messages);
        Ok(QueueStatus {
            ready,
            next_sent: match next {
                Some(next) => self.published(next, until).await?,
                None => None,
            },
            held: stream.messages.saturating_sub(dead).saturating_sub(ready),
            sent: stream.last_seq.saturating_sub(counts.revived),
            acknowledged: gone.saturating_sub(refused_and_gone),
            dead,
            refused: counts.refused.into_iter().collect(),
            stored_bytes: Some(stream.bytes),
        })
    }

    /// Returns when the server got a message, or the first one after it.
    async fn published(
        &self,
        number: u64,
        until: Instant,
    ) -> Result<Option<Timestamp>, QueueError> {
        Ok(self.next_message(number, until).await?.map(|found| found.stored))
    }

    /// Returns whether a message is in the stream.
    pub(super) async fn is_there(&self, number: u64, until: Instant) -> Result<bool, QueueError> {
        let found = self.next_message(number, until).await?;
        Ok(found.is_some_and(|found| found.revision == number))
    }

    /// Returns the first message from a number on, as the leader of the stream has it.
    async fn next_message(&self, number: u64, until: Instant) -> Result<Option<Value>, QueueError> {
        let streams = &self.streams;
        let messages = Values::messages(streams);
        messages.next(number, &streams.names.message_subject(&streams.id), until).await
    }
}
