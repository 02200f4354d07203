//! What the server is told about a message that it delivered.

use std::time::Duration;

use async_nats::Message;
use brine_core::Timestamp;
use tokio::time::Instant;

use super::link::{Answer, Link};
use super::streams::{CONSUMER, nanos};
use crate::error::QueueError;

/// Deliver it again at once.
pub(super) const NAK: &str = "-NAK";

/// It is being worked on: do not deliver it again yet.
pub(super) const PROGRESS: &str = "+WPI";

/// Never deliver it again.
pub(super) const TERM: &str = "+TERM";

/// The longest delay that the server is asked for. A state says how long it really is.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a delivery is settled, and what the server says of it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AckAddress {
    pub(super) subject: String,
    /// The number of the message in its stream.
    pub(super) sequence: u64,
    /// How often it was delivered, with this time.
    pub(super) delivery: u64,
    /// When the server got the message.
    pub(super) published: Timestamp,
}

impl AckAddress {
    /// Reads where a delivery is settled, if it is one of our consumer.
    pub(super) fn of(message: &Message, stream: &str) -> Option<Self> {
        Self::parse(message.reply.as_ref()?.as_str(), stream)
    }

    /// `$JS.ACK.STREAM.CONSUMER.DELIVERY.SEQUENCE.ORDER.NANOSECONDS.PENDING`, or with a domain and an account before
    /// the stream, and perhaps more at the end.
    fn parse(subject: &str, stream: &str) -> Option<Self> {
        let parts: Vec<_> = subject.strip_prefix("$JS.ACK.")?.split('.').collect();
        let parts = if parts.len() >= 9 { parts.get(2..)? } else { parts.as_slice() };
        let [found, consumer, delivery, sequence, _, published, ..] = parts else { return None };
        if *found != stream || *consumer != CONSUMER {
            return None;
        }
        let nanoseconds: u64 = published.parse().ok()?;
        let published = Timestamp::from_unix(nanoseconds / 1_000_000_000)?;
        let (sequence, delivery) = (sequence.parse().ok()?, delivery.parse().ok()?);
        Some(Self { subject: subject.to_owned(), sequence, delivery, published })
    }
}

/// Tells the server something, and waits until it has heard it.
pub(super) async fn reply(
    link: &Link,
    subject: &str,
    what: &str,
    until: Instant,
) -> Result<(), QueueError> {
    match link.ask(subject, None, what.as_bytes(), until).await? {
        // There is no consumer any more that would have to know.
        Answer::Message { .. } | Answer::Nobody => Ok(()),
    }
}

/// Has the server deliver a message again when a delay has passed. It forgets the delay when it is started again.
pub(super) async fn delay(
    link: &Link,
    subject: &str,
    delay: Duration,
    until: Instant,
) -> Result<(), QueueError> {
    if delay.is_zero() {
        return reply(link, subject, NAK, until).await;
    }
    let delay = nanos(delay.min(LONGEST_DELAY));
    reply(link, subject, &format!("{NAK} {{\"delay\": {delay}}}"), until).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_address_are_read() {
        let at = "1763714425106073377";
        for subject in [
            format!("$JS.ACK.s.work.3.7.9.{at}.0"),
            format!("$JS.ACK.hub.ACCOUNT.s.work.3.7.9.{at}.0"),
            format!("$JS.ACK._.ACCOUNT.s.work.3.7.9.{at}.0.random"),
        ] {
            let found = AckAddress::parse(&subject, "s").unwrap();
            assert_eq!((found.delivery, found.sequence), (3, 7));
            assert_eq!(found.published.unix(), 1_763_714_425);
            assert_eq!(found.subject, subject);
            assert_eq!(AckAddress::parse(&subject, "other"), None);
        }
        for subject in
            ["", "$JS.ACK.s.work.3", "$JS.ACK.s.other.3.7.9.1.0", "$JS.ACK.s.work.x.7.9.1.0"]
        {
            assert_eq!(AckAddress::parse(subject, "s"), None);
        }
    }
}
