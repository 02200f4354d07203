//! Messages are received: the server is asked for them until there are some that can be had.

use std::time::Duration;

use async_nats::{StatusCode, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::Shared;
use super::ack::AckAddress;
use super::claim::DeliveredMessage;
use super::link::Link;
use super::settle::NatsLease;
use super::streams::{CONSUMER, nanos};
use crate::error::QueueError;
use crate::queue::{Delivery, ReceiveBounds};

/// The most messages, and bytes, that the server is asked for at once.
const MAX_PULL: usize = 1024;
const MAX_PULL_BYTES: usize = 0x0400_0000;

/// What a message takes beside its content, at most, in the count of the server.
const OVERHEAD: usize = 2048;

/// How long the server is asked to wait. If its answer is lost, nobody waits for much longer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long an answer takes at most that the server gives at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a server is left alone that cannot answer now.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a consumer is made again that does not answer.
const MAX_MISSES: u32 = 3;

/// Where the server delivers what this value asks for.
#[derive(Debug)]
pub(super) struct Inbox {
    subscriber: Subscriber,
    subject: String,
    pulls: u64,
}

/// What the server is asked for.
#[derive(Clone, Copy, Debug)]
struct PullRequest {
    messages: usize,
    bytes: Option<usize>,
    /// How long it waits for the first one.
    wait: Duration,
}

/// Why the server delivers no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PullEnd {
    /// There is no more, or it was all that was asked for.
    Done,
    /// There is no consumer. Some versions of the server then say nothing.
    NoConsumer,
    /// It cannot just now, or its answer was lost.
    NotNow,
    /// The next message is too large.
    TooLarge,
}

impl Inbox {
    pub(super) async fn new(link: &Link) -> Result<Self, QueueError> {
        let subject = link.client.new_inbox();
        let subscriber = link.client.subscribe(format!("{subject}.*")).await;
        let subscriber = subscriber.map_err(|error| link.failure(error))?;
        Ok(Self { subscriber, subject, pulls: 0 })
    }

    /// Asks the server once.
    async fn pull(
        &mut self,
        shared: &Shared,
        request: PullRequest,
    ) -> Result<(Vec<DeliveredMessage>, PullEnd), QueueError> {
        let streams = &shared.streams;
        self.pulls = self.pulls.saturating_add(1);
        let reply = format!("{}.{}", self.subject, self.pulls);
        let mut question = json!({ "batch": request.messages });
        if let Some(question) = question.as_object_mut() {
            if request.wait.is_zero() {
                question.insert("no_wait".to_owned(), true.into());
            } else {
                question.insert("expires".to_owned(), nanos(request.wait).into());
            }
            if let Some(bytes) = request.bytes {
                question.insert("max_bytes".to_owned(), bytes.into());
            }
        }
        // What is here came late, for an earlier question.
        let mut found = Vec::new();
        while let Some(Some(message)) = self.subscriber.next().now_or_never() {
            let address = AckAddress::of(&message, &streams.names.messages);
            found.extend(address.map(|address| DeliveredMessage { address, message, asked: None }));
        }
        if found.len() >= request.messages {
            return Ok((found, PullEnd::Done));
        }
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{CONSUMER}", streams.names.messages);
        let question = question.to_string();
        let client = &streams.link.client;
        let asked = client.publish_with_reply(subject, reply.clone(), question.into()).await;
        asked.map_err(|error| streams.link.failure(error))?;
        let asked = Instant::now();
        let until = asked + request.wait + ANSWER_TIMEOUT;
        while found.len() < request.messages {
            let next = tokio::select! {
                next = timeout_at(until, self.subscriber.next()) => next,
                // The server has forgotten the question.
                () = streams.link.reconnected() => return Ok((found, PullEnd::NotNow)),
            };
            let Ok(next) = next else { return Ok((found, PullEnd::NoConsumer)) };
            let message = next.ok_or_else(|| streams.link.failure("the connection was closed"))?;
            if let Some(status) = message.status {
                // Another one is the end of an earlier question.
                if message.subject.as_str() == reply {
                    return Ok((found, end_of(status, message.description.as_deref())));
                }
            } else if let Some(address) = AckAddress::of(&message, &streams.names.messages) {
                found.push(DeliveredMessage { address, message, asked: Some(asked) });
            }
        }
        Ok((found, PullEnd::Done))
    }
}

/// Returns why the server ends, by what it says.
fn end_of(status: StatusCode, description: Option<&str>) -> PullEnd {
    let says = |text: &str| description.is_some_and(|description| description.contains(text));
    match status.as_u16() {
        404 | 408 => PullEnd::Done,
        503 => PullEnd::NoConsumer,
        409 if says("Message Size Exceeds MaxBytes") => PullEnd::TooLarge,
        409 if says("Consumer Deleted") => PullEnd::NoConsumer,
        _ => PullEnd::NotNow,
    }
}

impl Shared {
    /// Receives messages as soon as there are any.
    pub(super) async fn receive(
        &self,
        inbox: &mut Inbox,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<NatsLease>>, QueueError> {
        let link = &self.streams.link;
        let end = Instant::now() + wait;
        // Without any answer, it ends here.
        let (mut patience, mut misses) = (link.deadline(), 0);
        let messages = most.messages.clamp(1, MAX_PULL);
        let overhead = messages.saturating_mul(OVERHEAD);
        let bytes = Some(most.bytes.saturating_add(overhead).min(MAX_PULL_BYTES));
        let mut request = PullRequest { messages, bytes, wait: Duration::ZERO };
        loop {
            link.connection(patience).await?;
            let (mut found, how) = inbox.pull(self, request).await?;
            if !found.is_empty() && !request.wait.is_zero() {
                // One was waited for. There may be more now.
                let rest = PullRequest { messages: messages - 1, bytes, wait: Duration::ZERO };
                // What failed here is said next time.
                if rest.messages > 0
                    && let Ok((mut more, _)) = inbox.pull(self, rest).await
                {
                    found.append(&mut more);
                }
            }
            let given = self.claim_all(found, most).await?;
            if !given.is_empty() {
                return Ok(given);
            }
            let left = end.saturating_duration_since(Instant::now());
            request = PullRequest { messages: 1, bytes: None, wait: left.min(LONGEST_WAIT) };
            // There is nothing to do, so it is looked at whether there should be.
            if how == PullEnd::Done && self.recover().await? {
                request = PullRequest { messages, bytes, wait: Duration::ZERO };
                continue;
            }
            match how {
                PullEnd::Done if left.is_zero() => return Ok(Vec::new()),
                PullEnd::Done => (patience, misses) = (link.deadline(), 0),
                // It comes alone.
                PullEnd::TooLarge => request.wait = Duration::ZERO,
                PullEnd::NoConsumer => {
                    let until = link.deadline();
                    if self.streams.messages(until).await?.is_none() {
                        // The queue was deleted: it is empty for good.
                        sleep(left).await;
                        return Ok(Vec::new());
                    }
                    self.streams.make_consumer(until).await?;
                    misses += 1;
                    if misses >= MAX_MISSES {
                        return Err(link.failure("the consumer does not answer"));
                    }
                    sleep(PAUSE).await;
                    request = PullRequest { messages, bytes, wait: Duration::ZERO };
                }
                PullEnd::NotNow if Instant::now() >= patience => {
                    return Err(link.failure("no answer"));
                }
                PullEnd::NotNow => {
                    sleep(PAUSE).await;
                    request = PullRequest { messages, bytes, wait: Duration::ZERO };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_ends_as_it_says() {
        let cases = [
            (404, None, PullEnd::Done),
            (408, Some("Request Timeout"), PullEnd::Done),
            (409, Some("Message Size Exceeds MaxBytes"), PullEnd::TooLarge),
            (409, Some("Consumer Deleted"), PullEnd::NoConsumer),
            (409, Some("Leadership Change"), PullEnd::NotNow),
            (409, Some("Exceeded MaxWaiting"), PullEnd::NotNow),
            (503, None, PullEnd::NoConsumer),
            (100, None, PullEnd::NotNow),
        ];
        for (status, description, end) in cases {
            let status = StatusCode::from_u16(status).ok().unwrap();
            assert_eq!(end_of(status, description), end, "{status:?} {description:?}");
        }
    }
}
