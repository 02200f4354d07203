//! All states of a queue are looked at, one after the other.

use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, timeout_at};

use super::Shared;
use super::message_state::{MessageState, Phase};
use super::streams::nanos;
use crate::error::QueueError;

/// How many states are asked for at once.
const BATCH: usize = 1000;

/// When the server answers a question for states of which there are none any more. Without this it would not, if there
/// were some when it was asked.
const EXPIRES: Duration = Duration::from_secs(2);

/// What the server answers when there are no more.
const NO_MESSAGES: u16 = 404;
const REQUEST_TIMEOUT: u16 = 408;

/// When the server forgets a consumer that nobody uses.
const INACTIVE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct MadeConsumer {
    name: String,
    num_pending: u64,
}

impl Shared {
    /// Shows the number and the state of every message that has a state, in no order. What was to be deleted, and was
    /// not, is deleted instead.
    pub(super) async fn scan(
        &self,
        until: Instant,
        mut look: impl FnMut(u64, &MessageState),
    ) -> Result<(), QueueError> {
        let stream = &self.streams.names.states;
        let config = json!({
            "ack_policy": "none",
            "deliver_policy": "all",
            "filter_subject": self.state_pattern(),
            "inactive_threshold": nanos(INACTIVE),
            "mem_storage": true,
            "replay_policy": "instant",
        });
        let question = json!({ "stream_name": stream, "config": config });
        let link = &self.streams.link;
        let made = link.api(&format!("CONSUMER.CREATE.{stream}"), &question, until).await?;
        let MadeConsumer { name, num_pending } = made.map_err(|fault| self.streams.fault(fault))?;
        let scanned = match num_pending {
            0 => Ok(Vec::new()),
            _ => self.scan_with(&name, &mut look).await,
        };
        // Otherwise, the server does so by itself.
        let _ =
            link.api::<Value>(&format!("CONSUMER.DELETE.{stream}.{name}"), &json!({}), until).await;
        for (number, revision) in scanned? {
            self.forget(number, revision, until).await?;
        }
        Ok(())
    }

    /// Returns the messages that are done, and their revisions.
    async fn scan_with(
        &self,
        consumer: &str,
        look: &mut impl FnMut(u64, &MessageState),
    ) -> Result<Vec<(u64, u64)>, QueueError> {
        let (link, stream) = (&self.streams.link, &self.streams.names.states);
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        let inbox = link.client.new_inbox();
        let subscribed = link.client.subscribe(inbox.clone()).await;
        let mut subscriber = subscribed.map_err(|error| link.failure(error))?;
        let question = json!({ "batch": BATCH, "expires": nanos(EXPIRES), "no_wait": true });
        let question = question.to_string();
        let mut done = Vec::new();
        loop {
            let asked = link.client.publish_with_reply(
                subject.clone(),
                inbox.clone(),
                question.clone().into(),
            );
            asked.await.map_err(|error| link.failure(error))?;
            let begun = Instant::now();
            for seen in 0..BATCH {
                let next = timeout_at(link.deadline(), subscriber.next()).await.ok().flatten();
                let message = next.ok_or_else(|| link.failure("no answer"))?;
                match message.status.map(u16::from) {
                    None => {}
                    // A server that is slow has some left when the time is over. One that has none says so before.
                    Some(REQUEST_TIMEOUT) if seen > 0 && begun.elapsed() >= EXPIRES => break,
                    Some(NO_MESSAGES | REQUEST_TIMEOUT) => return Ok(done),
                    Some(status) => return Err(link.failure(format!("status {status}"))),
                }
                let Some(number) = number_of(message.subject.as_str()) else { continue };
                let state = MessageState::decode(&message.payload);
                if state.phase == Phase::Done {
                    done.extend(revision_of(&message).map(|revision| (number, revision)));
                } else {
                    look(number, &state);
                }
            }
        }
    }
}

/// Returns the number of the message that a subject is about.
pub(super) fn number_of(subject: &str) -> Option<u64> {
    subject.rsplit('.').next()?.parse().ok()
}

/// `$JS.ACK.STREAM.CONSUMER.DELIVERY.SEQUENCE.…`, or with a domain and an account before the stream.
fn revision_of(message: &async_nats::Message) -> Option<u64> {
    let parts: Vec<_> = message.reply.as_ref()?.as_str().split('.').collect();
    let index = if parts.len() >= 11 { 7 } else { 5 };
    parts.get(index)?.parse().ok()
}
