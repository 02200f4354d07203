//! Messages are published, and taken back.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use brine_core::Timestamp;
use futures_util::stream::{self, StreamExt as _};
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::NatsQueue;
use super::api::Stored;
use super::link::draw_token;
use super::message_state::{MessageState, Phase};
use super::streams::{MAX_HEADER_BYTES, QueueStreams};
use crate::error::QueueError;
use crate::options::MAX_MESSAGE_BYTES;

/// Until when a message waits that is sent later, in seconds since 1970. Anybody can write it: it decides when a message
/// is looked at, and nothing else.
pub(super) const NOT_BEFORE: &str = "Brine-Not-Before";

/// When somebody began to handle a message that is queued again, in seconds since 1970. It makes a message less likely
/// to be handled, and nothing else.
pub(super) const BEGUN: &str = "Brine-Begun";

/// The number that a message had before it was queued again, which is its place among those that are delivered together.
pub(super) const PLACE: &str = "Brine-Place";

/// How many messages, and bytes, are on their way at once.
const WINDOW: usize = 256;
const WINDOW_BYTES: usize = 0x0040_0000;

/// A message that was published, for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsSent {
    /// The queue.
    id: String,
    sequence: u64,
}

impl QueueStreams {
    /// Returns the most bytes of a message.
    pub(super) fn message_limit(&self) -> usize {
        let limit = self.link.client.max_payload().saturating_sub(MAX_HEADER_BYTES);
        limit.min(MAX_MESSAGE_BYTES)
    }

    /// Publishes messages in this order, some at once. At a failure, nothing more is sent.
    pub(super) async fn publish_all(
        &self,
        messages: &[&[u8]],
        until: Instant,
    ) -> Result<(), QueueError> {
        let mut rest = messages;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(window(rest));
            rest = others;
            let sent = some.iter().copied().map(|content| async move {
                // Here is the place for an id that is signed, once the caller knows it.
                self.publish(content, &draw_token()?, HeaderMap::new(), until).await
            });
            // As a list, it is no closure that would have to work for every lifetime.
            let sent: Vec<_> = sent.collect();
            let mut sent = stream::iter(sent).buffered(WINDOW);
            // Otherwise the runtime would have each wait for its turn after 128 of them, and those behind it overtake it.
            unconstrained(async {
                while let Some(published) = sent.next().await {
                    published?;
                }
                Ok::<_, QueueError>(())
            })
            .await?;
        }
        Ok(())
    }

    /// Publishes a message, once for each id, and returns the number that it got.
    pub(super) async fn publish(
        &self,
        content: &[u8],
        id: &str,
        mut headers: HeaderMap,
        until: Instant,
    ) -> Result<u64, QueueError> {
        headers.insert(NATS_MESSAGE_ID, id);
        headers.insert(NATS_EXPECTED_STREAM, self.names.messages.as_str());
        let (stream, subject) = (&self.names.messages, self.names.message_subject(&self.id));
        match self.link.store(stream, &subject, headers, content, until).await? {
            Stored::As { sequence } => Ok(sequence),
            Stored::Refused { fault, .. } if fault.is_about_size() => {
                let (bytes, limit) = (content.len(), self.message_limit());
                Err(QueueError::TooLarge { bytes, limit })
            }
            Stored::Refused { fault, .. } => Err(self.fault(fault)),
            Stored::NoStream => Err(self.missing()),
        }
    }
}

/// Returns how many messages are sent at once.
fn window(messages: &[&[u8]]) -> usize {
    let mut bytes = 0_usize;
    let fits = |content: &&&[u8]| {
        bytes = bytes.saturating_add(content.len());
        bytes <= WINDOW_BYTES
    };
    messages.iter().take(WINDOW).take_while(fits).count().max(1).min(messages.len())
}

impl NatsQueue {
    pub(super) async fn send_later(
        &self,
        content: &[u8],
        delay: Duration,
        now: Timestamp,
        until: Instant,
    ) -> Result<NatsSent, QueueError> {
        let mut headers = HeaderMap::new();
        if !delay.is_zero() {
            headers.insert(NOT_BEFORE, end_of(now, delay).unix().to_string());
        }
        let streams = &self.shared.streams;
        let sequence = streams.publish(content, &draw_token()?, headers, until).await?;
        Ok(NatsSent { id: streams.id.clone(), sequence })
    }

    /// Takes a message back: its state says so from then on, and it is deleted.
    pub(super) async fn take_back(
        &self,
        sent: &NatsSent,
        now: Timestamp,
        until: Instant,
    ) -> Result<bool, QueueError> {
        let shared = &self.shared;
        if sent.id != shared.streams.id {
            return Ok(false);
        }
        let subject = shared.state_subject(sent.sequence);
        let revision = loop {
            let found = shared.states.get(&subject, until).await?;
            let (from, state) = match &found {
                Some(found) => (found.revision, MessageState::decode(&found.bytes)),
                None => (0, MessageState::held(String::new(), 0, None, now)),
            };
            let is_open = matches!(state.phase, Phase::Held | Phase::Waiting);
            if !is_open || state.begun.is_some() {
                return Ok(false);
            }
            let state = MessageState { phase: Phase::Done, token: draw_token()?, ..state };
            let swapped = shared.states.swap(&subject, from, &state.encode()?, until).await?;
            if let Some(revision) = swapped {
                break revision;
            }
        };
        // Where there is no message, there was no state either.
        let was_there = shared.delete_message(sent.sequence, until).await?;
        shared.states.delete(revision, until).await?;
        if was_there {
            shared
                .count(until, |counts| counts.withdrawn = counts.withdrawn.saturating_add(1))
                .await?;
        }
        Ok(was_there)
    }
}

/// Returns a moment that is `length` away, or up to a second more: `now` is rounded down.
pub(super) fn end_of(now: Timestamp, length: Duration) -> Timestamp {
    let whole = length.as_secs().saturating_add(u64::from(length.subsec_nanos() > 0));
    now.plus(Duration::from_secs(whole.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_bounded() {
        let half = vec![0; WINDOW_BYTES / 2 + 1];
        assert_eq!(window(&[]), 0);
        assert_eq!(window(&[&half, &half]), 1);
        assert_eq!(window(&[&half[1..], &half[1..], b"1"]), 2);
        assert_eq!(window(&[&vec![0; WINDOW_BYTES + 1], b""]), 1);
        assert_eq!(window(&[&b""[..]; WINDOW + 1]), WINDOW);
    }
}
